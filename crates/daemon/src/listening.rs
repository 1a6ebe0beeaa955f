//! The servers that are up, and how they end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use upkeep_config::Server;
use upkeep_http::{Auth, Limits};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::boot::StartError;
use crate::servers::{self, Socket};
use crate::shell::{BATCH, Shell};

/// How long answers under way may take once a server is told to end.
const GRACE: Duration = Duration::from_secs(1);

/// Publishes the standard methods (CFG-251).
const STANDARD_FACTORY: &str = "supervisor.rpcinterface:make_main_rpcinterface";

/// The servers that are up.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    /// Each with a duplicate of its socket.
    configured: Vec<(Server, OwnedFd)>,
    tasks: Vec<JoinHandle<()>>,
    stop: Option<watch::Sender<bool>>,
}

/// Whether a factory is Supervisor's own; others are Python code that cannot be loaded (D-67).
fn is_standard(factory: &str) -> bool {
    factory == STANDARD_FACTORY
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
        let (stop, stopped) = watch::channel(false);
        for (server, socket) in sockets {
            let duplicate: OwnedFd = socket.duplicate()?;
            self.hold_server(&server, &duplicate);
            let auth = server.auth.as_ref();
            let http = upkeep_http::Server {
                section: server.section.clone(),
                listener: socket.into_listener()?,
                auth: auth.map(|auth| Auth::new(auth.username.clone(), auth.password.clone())),
                namespaces: self.namespaces(),
            };
            let serving = upkeep_http::serve(http, self.handle.clone(), Limits::default(), stopped.clone());
            self.listening.tasks.push(tokio::spawn(serving));
            self.listening.configured.push((server, duplicate));
        }
        self.listening.stop = Some(stop);
        Ok(())
    }

    fn hold_server(&mut self, server: &Server, socket: &OwnedFd) {
        let frame = ToKeeper::Hold { name: servers::held_name(server) };
        self.send_with(&frame, &[socket.as_fd()]);
    }

    /// Gives the keeper a duplicate of every server's socket.
    pub(crate) fn hold_servers(&mut self) {
        let configured = std::mem::take(&mut self.listening.configured);
        configured.iter().for_each(|(server, socket)| self.hold_server(server, socket));
        self.listening.configured = configured;
    }

    /// Names under which the standard methods are published (CFG-251).
    fn namespaces(&self) -> Vec<String> {
        let interfaces = &self.generations.base().config.rpc_interfaces;
        interfaces.iter().filter(|i| is_standard(&i.factory)).map(|i| i.namespace.clone()).collect()
    }

    /// What is said of each server in the log (CFG-256, PROC-209).
    pub(crate) fn introduce_servers(&self) {
        let config = &self.generations.base().config;
        for server in &config.servers {
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
    }

    /// Lets answers under way go out; the sockets stay as they are, for the next daemon. Who connects meanwhile waits.
    pub(crate) async fn leave_servers(&mut self) {
        self.end_serving().await;
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
        (self.handle, self.mailbox) = upkeep_api::mailbox(BATCH);
        self.askers.clear();
        let Listening { configured, tasks, stop } = std::mem::take(&mut self.listening);
        if let Some(stop) = stop {
            // Fails only if every server has ended by itself.
            let _ = stop.send(true);
        }
        let deadline = tokio::time::Instant::now() + GRACE;
        for mut task in tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
            }
        }
        configured
    }
}
