//! One connection: runs its requests, keeps its deadlines.

use std::convert::Infallible;
use std::future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use upkeep_api::Handle;

use crate::again::LastCall;
use crate::answer;
use crate::limits::Limits;
use crate::news::LogNews;
use crate::progress::{Due, Progress};
use crate::room::Door;
use crate::route;
use crate::server::Rules;
use crate::stream::{Stream, Watched};

/// How long a client is listened to that has been refused in the middle of sending: if the socket closed at once, the
/// answer would be lost with it.
const LINGER: Duration = Duration::from_secs(2);

/// The HTTP library takes no smaller one.
const SMALLEST_BUFFER: usize = 8 << 10;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) handle: Handle,
    pub(crate) rules: watch::Receiver<Rules>,
    /// What this server calls itself to a client that does not say.
    pub(crate) name: String,
    /// When it began, which is the age of the files that are part of it.
    pub(crate) since: SystemTime,
    pub(crate) shutdown: watch::Receiver<bool>,
    pub(crate) crowded: watch::Receiver<bool>,
    pub(crate) door: Arc<Door>,
    pub(crate) news: LogNews,
    pub(crate) last_call: LastCall,
}

impl Service {
    /// The limits as they are now.
    pub(crate) fn limits(&self) -> Limits {
        self.rules.borrow().limits
    }
}

/// What the requests of a connection share.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) service: Arc<Service>,
    pub(crate) stream: Arc<Stream>,
    pub(crate) progress: Arc<Progress>,
    /// `HOST:PORT` as the log shows it.
    pub(crate) peer: Arc<str>,
    /// Told when the client has closed its sending end while it watches a log.
    pub(crate) farewell: Arc<Notify>,
}

impl Connection {
    /// The daemon, for one method. Several calls in one have one answer that nobody else could put together.
    pub(crate) fn handle_for(&self, method: &str) -> Handle {
        let handle = &self.service.handle;
        if method == "system.multicall" {
            return handle.clone();
        }
        handle.of_client(self.stream.lend())
    }
}

/// Serves until the client, a deadline or the server ends it.
pub(crate) async fn run(stream: Arc<Stream>, progress: Arc<Progress>, peer: Arc<str>, service: Arc<Service>) {
    let end = requests(&stream, &progress, peer, service).await;
    if end == Some(Due::Refuse) {
        // What does not fit into an empty socket buffer at once has no reader.
        let _ = stream.try_write(&answer::raw_error(StatusCode::REQUEST_TIMEOUT));
    }
    if end == Some(Due::Refuse) || progress.is_unread() {
        stream.finish();
        progress.refused();
        // Whether the client ends first or the time, nothing more can be done for it.
        tokio::select! {
            _ = tokio::time::timeout(LINGER, stream.drain()) => {}
            () = progress.left() => {}
        }
    }
}

/// Runs the requests; `None` is an end that needs nothing more.
async fn requests(
    stream: &Arc<Stream>,
    progress: &Arc<Progress>,
    peer: Arc<str>,
    service: Arc<Service>,
) -> Option<Due> {
    let io = TokioIo::new(Watched::new(stream, progress));
    let farewell = Arc::new(Notify::new());
    let shared = Arc::new(Connection {
        service: Arc::clone(&service),
        stream: Arc::clone(stream),
        progress: Arc::clone(progress),
        peer,
        farewell: Arc::clone(&farewell),
    });
    let answers = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(route::respond(shared, request).await) }
    });
    let mut http = pin!(protocol(&service.limits()).serve_connection(io, answers));
    let (mut shutdown, mut crowded) = (service.shutdown.clone(), service.crowded.clone());
    let (mut ending, mut halved) = (false, false);
    loop {
        if progress.is_leaving() {
            return Some(progress.parting());
        }
        let deadline = progress.deadline(&service.limits(), *crowded.borrow());
        if let Some((at, due)) = deadline
            && at <= Instant::now()
        {
            return Some(due);
        }
        tokio::select! {
            biased;
            ended = http.as_mut() => {
                if ended.is_err() {
                    // It was answered if it could be; there may be more of what could not be read.
                    progress.leave_unread();
                }
                return None;
            }
            () = stream.closed_by_peer(), if progress.is_streaming() && !halved => {
                halved = true;
                farewell.notify_one();
            }
            () = progress.changed() => {}
            Ok(()) = crowded.changed() => {}
            _ = shutdown.wait_for(|&stop| stop), if !ending => {
                ending = true;
                http.as_mut().graceful_shutdown();
            }
            // Last, since a timer costs a system call, and after a request there is none for a while. Looked at again above: it may
            // have moved.
            () = reached(deadline) => {}
        }
    }
}

/// HTTP/1 as Supervisor speaks it. A client may close its sending end and still gets its answer; what it asked for
/// is carried out even if it goes (RPC-121).
fn protocol(limits: &Limits) -> http1::Builder {
    let mut protocol = http1::Builder::new();
    protocol
        .title_case_headers(true)
        .half_close(true)
        .header_read_timeout(None)
        .max_header_size(limits.header_bytes)
        // Also what is read ahead of requests that come before their turn.
        .max_buf_size((2 * limits.header_bytes).max(SMALLEST_BUFFER));
    protocol
}

async fn reached(deadline: Option<(Instant, Due)>) {
    match deadline {
        Some((at, _)) => tokio::time::sleep_until(at).await,
        None => future::pending().await,
    }
}
