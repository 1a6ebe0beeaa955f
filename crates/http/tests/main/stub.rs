//! A server with a stand-in for the daemon behind it.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use tempfile::TempDir;
use tokio::sync::{mpsc, watch};
use upkeep_api::{Call, Fault, FaultCode, Reply, Request};
use upkeep_http::{Auth, Connected, Limits, Listener, LogNews, Rules, Server, serve};

use crate::client::Address;

/// What the stand-in answers; `None` leaves the caller waiting.
pub(crate) type Daemon = Arc<dyn Fn(&Request) -> Option<Result<Reply, Fault>> + Send + Sync>;

/// How a server is set up.
pub(crate) struct Setup {
    pub(crate) daemon: Daemon,
    pub(crate) limits: Limits,
    pub(crate) auth: Option<Auth>,
    pub(crate) tcp: bool,
    pub(crate) news: LogNews,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            daemon: Arc::new(|request| Some(plain(request))),
            limits: Limits::default(),
            auth: None,
            tcp: false,
            news: LogNews::default(),
        }
    }
}

/// A daemon that is up and knows no process.
pub(crate) fn plain(request: &Request) -> Result<Reply, Fault> {
    match request {
        Request::GetPid => Ok(Reply::Int(7)),
        Request::GetState => Ok(Reply::State(upkeep_api::DaemonState::Running)),
        Request::GetProcessInfo { name } => Err(Fault::about(FaultCode::BadName, name.clone())),
        Request::SendProcessStdin { .. } => Ok(Reply::Bool(true)),
        _ => Err(Fault::new(FaultCode::Failed)),
    }
}

/// A server that is up. It ends when dropped.
pub(crate) struct Up {
    pub(crate) address: Address,
    _folder: TempDir,
    /// What was asked and not answered.
    pub(crate) held: std::sync::mpsc::Receiver<Request>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Up {
    pub(crate) fn start(setup: Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = folder.path().join("http.sock");
        let (stop, stopped) = watch::channel(false);
        let (ready, address) = std::sync::mpsc::channel();
        let (hold, held) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let (listener, address) = if setup.tcp {
                    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                    let address = Address::Tcp(listener.local_addr().expect("an address"));
                    (Listener::tcp(listener).expect("a listener"), address)
                } else {
                    let listener = UnixListener::bind(&socket).expect("a socket");
                    (Listener::unix(listener).expect("a listener"), Address::unix(&socket))
                };
                ready.send(address).expect("somebody waits");
                run(setup, listener, hold, stopped).await;
            });
        });
        let address = address.recv().expect("it starts");
        Self { address, _folder: folder, held, stop, thread: Some(thread) }
    }

    /// A server with nothing special.
    pub(crate) fn plain() -> Self {
        Self::start(Setup::default())
    }

    /// Tells the server to end, without waiting for it.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits for the server's own end.
    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("it does not panic");
            }
        }
    }
}

async fn run(
    setup: Setup,
    listener: Listener,
    hold: std::sync::mpsc::Sender<Request>,
    mut stopped: watch::Receiver<bool>,
) {
    let (handle, mailbox) = upkeep_api::mailbox(16);
    let namespaces = vec!["supervisor".to_owned()];
    let rules = Rules { auth: setup.auth, namespaces, limits: setup.limits };
    // The rules stay as they are: the server does not mind that nobody can change them.
    let (_, rules) = watch::channel(rules);
    let server = Server {
        section: "inet_http_server".to_owned(),
        listener,
        rules,
        connected: Connected::default(),
        news: setup.news,
    };
    let daemon = tokio::spawn(answer(mailbox, setup.daemon, hold));
    let serving = serve(server, handle, stopped.clone());
    let overdue = async {
        // The sender lives as long as the test.
        let _ = stopped.wait_for(|&stop| stop).await;
        // As the daemon does: whoever still waits learns that it goes down.
        daemon.abort();
        tokio::time::sleep(crate::client::DEADLINE).await;
    };
    tokio::select! {
        () = serving => {}
        () = overdue => panic!("the server does not end"),
    }
}

async fn answer(mut mailbox: mpsc::Receiver<Call>, daemon: Daemon, hold: std::sync::mpsc::Sender<Request>) {
    let mut waiting = Vec::new();
    while let Some(Call { request, reply }) = mailbox.recv().await {
        let daemon = Arc::clone(&daemon);
        let asked = request.clone();
        // The stand-in may ask somebody else, which takes time.
        match tokio::task::spawn_blocking(move || daemon(&asked)).await.expect("it does not panic") {
            // The asker may have gone.
            Some(result) => drop(reply.send(result)),
            None => {
                waiting.push(reply);
                hold.send(request).expect("the test goes on");
            }
        }
    }
}
