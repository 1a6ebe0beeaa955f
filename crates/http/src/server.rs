//! Accepting connections, never more than can be served.

use std::future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;
use rustix::net::SocketFlags;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use upkeep_api::Handle;

use crate::again::LastCall;
use crate::auth::Auth;
use crate::connection::{self, Service};
use crate::limits::Limits;
use crate::news::LogNews;
use crate::progress::Progress;
use crate::room::{Descriptors, Door, FEWEST, Guests};
use crate::stream::{Stream, watched};

/// Pause after a failed accept; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// While clients come more often than this, the runtime wakes up after it anyway. A deadline before the time that it would wake up
/// at costs a system call and a turn for nothing, and without this each new client's would be.
const BEAT: Duration = Duration::from_secs(1);

/// How many clients may wait to be accepted; the kernel has a limit of its own.
const BACKLOG: i32 = 4096;

/// Clients of a socket file have none; Supervisor logs this one.
static NO_ADDRESS: LazyLock<Arc<str>> = LazyLock::new(|| "localhost:0".into());

/// A failing accept is told again after this long.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// A socket that listens.
#[derive(Debug)]
pub enum Listener {
    /// A socket file.
    Unix(AsyncFd<UnixListener>),
    /// An IPv4 or IPv6 endpoint.
    Tcp(AsyncFd<TcpListener>),
}

/// One `[unix_http_server]` or `[inet_http_server]`.
#[derive(Debug)]
pub struct Server {
    /// The section it comes from, such as `inet_http_server`.
    pub section: String,
    /// Where it listens.
    pub listener: Listener,
    /// Looked at for each request: they may change while it serves.
    pub rules: watch::Receiver<Rules>,
    /// Counts its connections, with those of other servers that are given the same one.
    pub connected: Connected,
    /// What its followers of logs wait for, with those of other servers that are given the same one.
    pub news: LogNews,
}

/// How many connections are open.
#[derive(Clone, Debug, Default)]
pub struct Connected(Arc<AtomicUsize>);

impl Connected {
    /// Whether nobody is connected.
    #[must_use]
    pub fn nobody(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    fn one(&self) -> Connection {
        self.0.fetch_add(1, Ordering::Relaxed);
        Connection(self.clone())
    }
}

/// One of them, as long as it is there.
struct Connection(Connected);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Who may ask a server, and what that may cost.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Who may use it; `None` is everybody who can connect.
    pub auth: Option<Auth>,
    /// The namespaces that publish the standard methods (CFG-251), usually `supervisor`.
    pub namespaces: Vec<String>,
    /// What clients may cost. Those who are connected notice a change with their next request.
    pub limits: Limits,
}

/// Serves until `shutdown` becomes true or its sender is gone, then lets the answers under way go out.
///
/// Dropping the future closes every connection at once.
pub async fn serve(server: Server, handle: Handle, shutdown: watch::Receiver<bool>) {
    let Server { section, listener, rules, connected, news } = server;
    log_start(&listener);
    listener.lengthen_queue();
    let (crowd, crowded) = watch::channel(false);
    let (name, since) = (listener.name(), SystemTime::now());
    let shutdown_seen = shutdown.clone();
    let door = Arc::new(Door::default());
    let service = Arc::new(Service {
        handle,
        rules,
        name,
        since,
        shutdown: shutdown_seen,
        crowded,
        door,
        news,
        last_call: LastCall::default(),
    });
    let accepting = Accepting {
        section,
        listener,
        crowd,
        failures: Failures::default(),
        guests: Guests::default(),
        descriptors: Descriptors::of_this_process(),
        scarce: false,
        connected,
    };
    let mut connections = JoinSet::new();
    accepting.run(&service, &mut connections, shutdown).await;
    while connections.join_next().await.is_some() {}
}

struct Accepting {
    section: String,
    listener: Listener,
    crowd: watch::Sender<bool>,
    failures: Failures,
    guests: Guests,
    descriptors: Descriptors,
    /// Whether the last client got one of the last descriptors.
    scarce: bool,
    connected: Connected,
}

impl Accepting {
    /// Accepts until shutdown. The listener closes at the end, so later clients are refused and not left waiting.
    async fn run(
        mut self,
        service: &Arc<Service>,
        connections: &mut JoinSet<()>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let mut beat = pin!(tokio::time::sleep(Duration::ZERO));
        let mut beating = false;
        let mut last = None;
        loop {
            let most = self.descriptors.clients(service.limits().connections);
            self.tell_crowd(connections.len() > most / 4 * 3);
            // One more than there may be is let in: it might be the one whose answer matters.
            let full = connections.len() > most || self.scarce;
            service.door.want(full && !self.guests.make_room());
            let ready = !full && self.failures.wait_until.is_none();
            let mut welcomed = false;
            tokio::select! {
                // The end comes first: the socket may have been closed with it.
                biased;
                _ = shutdown.wait_for(|&stop| stop) => return,
                Some(ended) = connections.join_next() => {
                    self.scarce = false;
                    tell_panic(&ended);
                }
                () = service.door.stirred(), if full => {}
                accepted = self.listener.accept(), if ready => match accepted {
                    Ok((stream, peer)) => {
                        self.welcome(stream, peer, service, connections);
                        welcomed = true;
                    }
                    Err(error) => self.failed(&error),
                },
                () = reached(self.failures.wait_until) => self.failures.wait_until = None,
                () = beat.as_mut(), if beating => beating = false,
            }
            if welcomed {
                if !beating {
                    let now = Instant::now();
                    beating = last.replace(now).is_some_and(|last| now < last + BEAT);
                    if beating {
                        beat.as_mut().reset(now + BEAT);
                    }
                }
                after_others().await;
            }
        }
    }

    fn welcome(
        &mut self,
        stream: Stream,
        peer: Arc<str>,
        service: &Arc<Service>,
        connections: &mut JoinSet<()>,
    ) {
        self.failures.pause = Duration::ZERO;
        self.scarce = connections.len() >= FEWEST && self.descriptors.scarce(stream.as_fd().as_raw_fd());
        let progress = Arc::new(Progress::new(Arc::clone(&service.door)));
        let stream = Arc::new(stream);
        self.guests.add(&stream, &progress);
        let (connection, service) = (self.connected.one(), Arc::clone(service));
        // In one piece on the heap from the beginning: a task that is large is copied many times until it is where it stays.
        connections.spawn(Box::pin(async move {
            connection::run(stream, progress, peer, service).await;
            drop(connection);
        }));
    }

    fn tell_crowd(&self, now: bool) {
        self.crowd.send_if_modified(|crowded| std::mem::replace(crowded, now) != now);
    }

    /// Waits a little when there is nothing to accept a connection with: the socket stays readable meanwhile, and
    /// trying at once would burn the processor that could free something.
    fn failed(&mut self, error: &io::Error) {
        let now = Instant::now();
        if let Some(pause) = self.failures.pause_after(error) {
            self.failures.wait_until = Some(now + pause);
            if self.failures.may_complain(now) {
                log::error!("Server '{}' cannot accept connections: {error}", self.section);
            }
        }
    }
}

/// Lets the tasks run that are ready: a client that has just come may have asked already, and looking for the next one takes time.
async fn after_others() {
    let mut ready = false;
    future::poll_fn(|cx| {
        if std::mem::replace(&mut ready, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn reached(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => future::pending().await,
    }
}

/// A fault of ours ends one connection and nothing else.
fn tell_panic(ended: &Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        log::error!(target: "critical", "A connection ended unexpectedly: {error}");
    }
}

/// How accepting has failed lately.
#[derive(Debug, Default)]
struct Failures {
    pause: Duration,
    /// When to accept again; `None` is now.
    wait_until: Option<Instant>,
    complained: Option<Instant>,
}

impl Failures {
    /// How long to wait after this failure; `None` for a client that went away before it was accepted.
    fn pause_after(&mut self, error: &io::Error) -> Option<Duration> {
        let gone = [Errno::CONNABORTED, Errno::CONNRESET, Errno::INTR, Errno::PROTO];
        if Errno::from_io_error(error).is_some_and(|errno| gone.contains(&errno)) {
            return None;
        }
        self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        Some(self.pause)
    }

    /// Whether to tell it in the log; not more than once a minute.
    fn may_complain(&mut self, now: Instant) -> bool {
        let due = self.complained.is_none_or(|at| now >= at + COMPLAINT_INTERVAL);
        if due {
            self.complained = Some(now);
        }
        due
    }
}

impl Listener {
    /// One of a socket file.
    ///
    /// # Errors
    /// The runtime cannot watch it.
    pub fn unix(listener: UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        watched(listener, Interest::READABLE).map(Self::Unix)
    }

    /// One of an endpoint.
    ///
    /// # Errors
    /// The runtime cannot watch it.
    pub fn tcp(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        watched(listener, Interest::READABLE).map(Self::Tcp)
    }

    /// Makes room for a crowd: a client that finds no place in the queue tries again only after a second.
    fn lengthen_queue(&self) {
        // A socket that keeps the queue it has works all the same.
        let _ = match self {
            Self::Unix(listener) => rustix::net::listen(listener, BACKLOG),
            Self::Tcp(listener) => rustix::net::listen(listener, BACKLOG),
        };
    }

    async fn accept(&self) -> io::Result<(Stream, Arc<str>)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let accepted = match self {
            Self::Unix(listener) => {
                let accept = |listener: &UnixListener| Ok(rustix::net::acceptfrom_with(listener, flags)?);
                listener.async_io(Interest::READABLE, accept).await
            }
            Self::Tcp(listener) => {
                let accept = |listener: &TcpListener| Ok(rustix::net::acceptfrom_with(listener, flags)?);
                listener.async_io(Interest::READABLE, accept).await
            }
        };
        let (socket, peer) = accepted?;
        let peer = match peer.map(SocketAddr::try_from) {
            Some(Ok(peer)) => SocketAddr::new(peer.ip().to_canonical(), peer.port()).to_string().into(),
            None | Some(Err(_)) => Arc::clone(&NO_ADDRESS),
        };
        if let Self::Tcp(_) = self {
            // Without it small answers wait for the acknowledgement of earlier ones.
            // Where it cannot be had, they do, and are right all the same.
            let _ = rustix::net::sockopt::set_tcp_nodelay(&socket, true);
        }
        Ok((Stream::new(socket), peer))
    }

    /// Host and port for an address of ours (RPC-208). A socket file has none: whoever uses one is on this host.
    fn name(&self) -> String {
        match self {
            Self::Unix(_) => "localhost".to_owned(),
            Self::Tcp(listener) => {
                let address = listener.get_ref().local_addr();
                address.map_or_else(|_| "localhost".to_owned(), |address| address.to_string())
            }
        }
    }

    /// Address, host name and port, as the line about the start shows them (PROC-323).
    fn place(&self) -> Option<[String; 3]> {
        match self {
            Self::Unix(listener) => {
                let path = listener.get_ref().local_addr().ok()?.as_pathname()?.display().to_string();
                Some([path.clone(), "<unix domain socket>".to_owned(), path])
            }
            Self::Tcp(listener) => {
                let address = listener.get_ref().local_addr().ok()?;
                Some([address.ip().to_string(), address.ip().to_string(), address.port().to_string()])
            }
        }
    }
}

fn log_start(listener: &Listener) {
    // To find out the time zone takes a millisecond of a start.
    if !log::log_enabled!(log::Level::Trace) {
        return;
    }
    if let Some([address, host, port]) = listener.place() {
        let time = jiff::Zoned::now().strftime("%a %b %e %H:%M:%S %Y");
        log::trace!("{address}:Medusa (V1.12) started at {time}\n\tHostname: {host}\n\tPort:{port}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failing_accepts_slow_down_and_are_told_once() {
        let mut failures = Failures::default();
        let full = || io::Error::from(Errno::MFILE);
        assert_eq!(failures.pause_after(&io::Error::from(Errno::CONNABORTED)), None);
        let pauses: Vec<u128> =
            (0..8).filter_map(|_| failures.pause_after(&full())).map(|pause| pause.as_millis()).collect();
        assert_eq!(pauses, [20, 40, 80, 160, 320, 640, 1000, 1000]);
        let now = Instant::now();
        assert!(failures.may_complain(now));
        assert!(!failures.may_complain(now + COMPLAINT_INTERVAL / 2));
        assert!(failures.may_complain(now + COMPLAINT_INTERVAL));
    }
}
