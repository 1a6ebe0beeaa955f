//! The servers that are up, and how they end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use upkeep_config::{Config, Server, ServerLimits};
use upkeep_http::{Auth, Connected, Limits, Rules};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::boot::StartError;
use crate::servers::{self, Socket};
use crate::shell::{BATCH, Shell};
use crate::tasks;

/// How long answers under way may take once a server is told to end.
const GRACE: Duration = Duration::from_secs(1);

/// How long they may take when another daemon takes over: so long new clients wait.
const LEAVING: Duration = Duration::from_millis(300);

/// Publishes the standard methods (CFG-251).
const STANDARD_FACTORY: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// The servers that are up.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    pub(crate) up: Vec<Up>,
    /// Servers that have been closed while their last answers went out.
    leaving: Vec<JoinHandle<()>>,
    /// Names under which the keeper holds what it holds under another name too.
    pub(crate) renamed: Vec<String>,
    /// Connections of all servers.
    pub(crate) connected: Connected,
}

/// A server that is up.
#[derive(Debug)]
pub(crate) struct Up {
    pub(crate) server: Server,
    /// A duplicate of its socket.
    pub(crate) socket: OwnedFd,
    pub(crate) rules: watch::Sender<Rules>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// A socket that is ready to be served, with a duplicate.
#[derive(Debug)]
pub(crate) struct Opened {
    listener: upkeep_http::Listener,
    duplicate: OwnedFd,
}

impl Opened {
    /// Inside the runtime.
    ///
    /// # Errors
    /// It cannot be polled or duplicated.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        let duplicate = socket.duplicate()?;
        Ok(Self { listener: socket.into_listener()?, duplicate })
    }
}

/// Whether a factory is Supervisor's own; others are Python code that cannot be loaded (D-67).
fn is_standard(factory: &str) -> bool {
    factory == STANDARD_FACTORY
}

/// Who may ask a server of this configuration, what that may cost, and under which names the standard methods are
/// published (CFG-251).
pub(crate) fn rules(config: &Config, server: &Server) -> Rules {
    let auth = server.auth.as_ref().map(|auth| Auth::new(auth.username.clone(), auth.password.clone()));
    let standard = config.rpc_interfaces.iter().filter(|interface| is_standard(&interface.factory));
    let namespaces = standard.map(|interface| interface.namespace.clone()).collect();
    Rules { auth, namespaces, limits: limits(server.limits) }
}

/// The limits that can be configured, and the others.
fn limits(configured: ServerLimits) -> Limits {
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    Limits {
        connections: number(configured.connections),
        body_bytes: number(configured.request_bytes),
        idle_timeout: configured.idle,
        ..Limits::default()
    }
}

impl Shell {
    /// Opens every configured server's socket. None stays open if one cannot be had.
    ///
    /// # Errors
    /// The first that cannot be opened.
    pub(crate) fn open_sockets(&self) -> Result<Vec<(Server, Socket)>, StartError> {
        let mut open: Vec<(Server, Socket)> = Vec::new();
        for server in &self.generations.base().config.servers {
            match Socket::open(server) {
                Ok(socket) => open.push((server.clone(), socket)),
                Err(error) => {
                    for (server, _) in &open {
                        servers::remove_file(server);
                    }
                    return Err(StartError::Server(error));
                }
            }
        }
        Ok(open)
    }

    /// Serves on these sockets; the keeper holds a duplicate of each.
    ///
    /// # Errors
    /// A socket cannot be polled or duplicated.
    pub(crate) fn serve(&mut self, sockets: Vec<(Server, Socket)>) -> io::Result<()> {
        for (server, socket) in sockets {
            let rules = rules(&self.generations.base().config, &server);
            let up = self.serve_one(server, Opened::new(socket)?, rules);
            self.listening.up.push(up);
        }
        Ok(())
    }

    /// Serves on a socket; the keeper holds a duplicate.
    pub(crate) fn serve_one(&mut self, server: Server, opened: Opened, rules: Rules) -> Up {
        let Opened { listener, duplicate: socket } = opened;
        self.hold_server(&server, &socket);
        let (rules, seen) = watch::channel(rules);
        let (stop, stopped) = watch::channel(false);
        let connected = self.listening.connected.clone();
        let (section, news) = (server.section.clone(), self.news.clone());
        let http = upkeep_http::Server { section, listener, rules: seen, connected, news };
        let serving = upkeep_http::serve(http, self.handle.clone(), stopped);
        Up { server, socket, rules, stop, task: tasks::spawn(serving) }
    }

    pub(crate) fn hold_server(&mut self, server: &Server, socket: &OwnedFd) {
        let frame = ToKeeper::Hold { name: servers::held_name(server) };
        self.send_with(&frame, &[socket.as_fd()]);
    }

    /// Gives the keeper a duplicate of every server's socket.
    pub(crate) fn hold_servers(&mut self) {
        let up = std::mem::take(&mut self.listening.up);
        up.iter().for_each(|up| self.hold_server(&up.server, &up.socket));
        self.listening.up = up;
    }

    /// The keeper knows the new names of servers that go on: the old ones are not needed any more.
    pub(crate) fn let_go_of_renamed(&mut self) {
        for name in std::mem::take(&mut self.listening.renamed) {
            if self.listening.up.iter().all(|up| servers::held_name(&up.server) != name) {
                self.send(&ToKeeper::Unhold { name });
            }
        }
    }

    /// What is said of each server in the log (CFG-256, PROC-209).
    pub(crate) fn introduce_servers(&self) {
        let config = self.generations.base().config.clone();
        config.servers.iter().for_each(|server| self.introduce_server(&config, server));
    }

    pub(crate) fn introduce_server(&self, config: &Config, server: &Server) {
        for interface in &config.rpc_interfaces {
            if is_standard(&interface.factory) {
                let name = upkeep_config::py_repr(&interface.namespace);
                self.log(Level::Info, format!("RPC interface {name} initialized"));
            }
        }
        if server.auth.is_none() {
            let section = upkeep_config::py_repr(&server.section);
            self.log(
                Level::Critical,
                format!("Server {section} running without any HTTP authentication checking"),
            );
        }
    }

    /// Closes one server: nobody new is let in, and the answers under way go out.
    pub(crate) fn close_server(&mut self, up: Up) {
        // Fails only if it has ended by itself.
        let _ = up.stop.send(true);
        servers::stop_listening(&up.server, &up.socket);
        self.send(&ToKeeper::Unhold { name: servers::held_name(&up.server) });
        self.listening.leaving.retain(|task| !task.is_finished());
        self.listening.leaving.push(up.task);
    }

    /// Answers who has asked already; the sockets stay as they are, for the next daemon. Who connects meanwhile waits, and
    /// who waits for processes goes on waiting.
    pub(crate) async fn leave_servers(&mut self) {
        self.changes.end();
        let Listening { up, leaving, .. } = std::mem::take(&mut self.listening);
        let mut tasks = leaving;
        for Up { stop, task, .. } in up {
            // Fails only if it has ended by itself.
            let _ = stop.send(true);
            tasks.push(task);
        }
        let mut ended = pin!(async {
            for task in tasks {
                // One that failed has ended, too.
                let _ = task.await;
            }
        });
        let deadline = tokio::time::Instant::now() + LEAVING;
        loop {
            tokio::select! {
                () = &mut ended => return,
                () = tokio::time::sleep_until(deadline) => return,
                () = self.link.readable() => self.read_link(),
                Some(message) = self.inbox.recv() => self.take(message),
                Some(call) = self.mailbox.recv() => self.take_call(call),
            }
            self.carry_out().await;
            self.flush_link();
        }
    }

    /// Lets answers under way go out, then closes every server and removes its file.
    ///
    /// Whoever still waits for an answer of the core learns that the daemon goes down.
    pub(crate) async fn close_servers(&mut self) {
        for (server, socket) in &self.end_serving().await {
            servers::stop_listening(server, socket);
            servers::remove_file(server);
            self.send(&ToKeeper::Unhold { name: servers::held_name(server) });
        }
    }

    /// Ends every server's task; returns what is left of them.
    async fn end_serving(&mut self) -> Vec<(Server, OwnedFd)> {
        self.give_answers();
        self.handle.board().clear();
        (self.handle, self.mailbox) = upkeep_api::mailbox(BATCH);
        self.askers.clear();
        self.changes.end();
        let Listening { up, leaving, .. } = std::mem::take(&mut self.listening);
        let (mut closed, mut tasks) = (Vec::new(), leaving);
        for Up { server, socket, stop, task, .. } in up {
            // Fails only if it has ended by itself.
            let _ = stop.send(true);
            closed.push((server, socket));
            tasks.push(task);
        }
        let deadline = tokio::time::Instant::now() + GRACE;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
        closed
    }
}
