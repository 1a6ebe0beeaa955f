//! `/logtail/…` and `/mainlogtail`: the end of a log, then what is added to it, for as long as the client stays
//! (RPC-240 … RPC-248).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use hyper::header::{
    CONTENT_TYPE, HeaderMap, HeaderName, IF_RANGE, LAST_MODIFIED, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, Response, StatusCode};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use upkeep_api::{Channel, FaultCode, Handle, Reply, Request, apart};

use crate::answer;
use crate::body::Body;
use crate::connection::Connection;
use crate::follow::{Follower, PIECE, Start};
use crate::news::{Listener, LogNews};

/// Keeps proxies from holding the stream back.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// From one look to the next (RPC-241), however fast the log grows.
const PACE: Duration = Duration::from_millis(100);

/// Pieces read ahead of the client.
const AHEAD: usize = 1;

/// `/logtail/NAME[/CHANNEL]`; `path` is unquoted.
pub(crate) async fn process_log(
    connection: &Connection,
    method: &Method,
    headers: &HeaderMap,
    path: &str,
) -> Response<Body> {
    let Some((name, channel)) = split(path) else { return refuse(method, StatusCode::NOT_FOUND) };
    let channel = match channel {
        "stdout" => Channel::Stdout,
        "stderr" => Channel::Stderr,
        _ => return refuse(method, StatusCode::NOT_FOUND),
    };
    let mut response = log(connection, method, start(headers), Some((name.to_owned(), channel))).await;
    if response.body().is_stream() {
        answer::set(&mut response, NO_BUFFERING, "no");
    }
    response
}

/// `/mainlogtail`
pub(crate) async fn main_log(
    connection: &Connection,
    method: &Method,
    headers: &HeaderMap,
) -> Response<Body> {
    log(connection, method, start(headers), None).await
}

/// Name and channel of `/logtail/NAME[/CHANNEL]`; what follows `logtail` before the slash does not matter.
fn split(path: &str) -> Option<(&str, &str)> {
    let (_, rest) = path.trim_start_matches('/').split_once('/')?;
    Some(rest.split_once('/').unwrap_or((rest, "stdout")))
}

/// Another method than GET is a bad request before anything else is looked at (RPC-245).
fn refuse(method: &Method, status: StatusCode) -> Response<Body> {
    answer::error(if method == Method::GET { status } else { StatusCode::BAD_REQUEST })
}

/// Where a client wants to begin that knows how far it has read: `Range: bytes=N-`, in the file of `If-Range: "FILE"` if it names
/// one. Anything else is passed over.
fn start(headers: &HeaderMap) -> Option<Start> {
    let text = |name| headers.get(name)?.to_str().ok();
    let offset = text(RANGE)?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()?;
    let file = text(IF_RANGE).and_then(|file| file.strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    Some(Start { offset, file })
}

async fn log(
    connection: &Connection,
    method: &Method,
    start: Option<Start>,
    process: Option<(String, Channel)>,
) -> Response<Body> {
    if method != Method::GET {
        return answer::error(StatusCode::BAD_REQUEST);
    }
    let asked = Request::LogPath { process };
    let news = connection.service.news.clone();
    let (moves, _) = news.moves(0);
    let certain = SystemTime::now();
    let path = match connection.service.handle.call(asked.clone()).await {
        Ok(Reply::Path(path)) => path,
        Ok(_) => return answer::error(StatusCode::INTERNAL_SERVER_ERROR),
        Err(fault) if fault.code == FaultCode::ShutdownState => {
            return answer::error(StatusCode::SERVICE_UNAVAILABLE);
        }
        Err(_) => return answer::error(StatusCode::NOT_FOUND),
    };
    let Some((mut follower, modified)) = open(path.clone(), start).await else {
        return answer::error(StatusCode::NOT_FOUND);
    };
    follower.is_at(path, certain);
    let (sender, receiver) = mpsc::channel(AHEAD);
    let interval = connection.service.limits().tail_interval;
    let (farewell, shutdown) = (Arc::clone(&connection.farewell), connection.service.shutdown.clone());
    let place = Place { handle: connection.service.handle.clone(), asked, moves };
    let ears = Ears { listener: news.listener(), interval };
    tokio::spawn(feed(follower, place, news, sender, ears, farewell, shutdown));
    let mut response = answer::begin(StatusCode::OK, Body::pieces(receiver));
    answer::set(&mut response, LAST_MODIFIED, &answer::http_date(modified));
    answer::set(&mut response, CONTENT_TYPE, "text/plain;charset=utf-8");
    // Without it a browser waits for enough bytes to guess another type, and might find one in what a process prints.
    answer::set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    response
}

async fn open(path: PathBuf, start: Option<Start>) -> Option<(Follower, SystemTime)> {
    apart(move || Follower::open(path, start)).await?.ok()
}

/// Where a log is.
struct Place {
    handle: Handle,
    asked: Request,
    /// How often logs had got other names when it was asked for.
    moves: u64,
}

impl Place {
    /// Asks, if another configuration may have given it another name; whether it did.
    async fn tell(&mut self, news: &LogNews, follower: &mut Follower) -> bool {
        let (moves, first) = news.moves(self.moves);
        if moves == self.moves {
            return false;
        }
        if let Some(first) = first {
            follower.was_there(first);
        }
        self.moves = moves;
        let asked = SystemTime::now();
        if let Ok(Reply::Path(path)) = self.handle.call(self.asked.clone()).await {
            follower.is_at(path, asked);
        }
        true
    }
}

/// How a follower learns that there is more.
struct Ears {
    listener: Listener,
    /// From one look to the next where the kernel does not tell.
    interval: Duration,
}

impl Ears {
    /// What there is; if there is nothing, the bell rings with the next change, and the second word says whether it does so for any.
    fn look(&self, follower: &mut Follower) -> (Vec<u8>, bool) {
        let piece = follower.read();
        if !piece.is_empty() {
            return (piece, true);
        }
        let (file, names) = follower.present();
        let told = self.listener.listen(file, &names);
        let id = follower.id();
        // What came before that is told by nobody, nor what comes in a file that took the place of this one meanwhile.
        let piece = follower.read();
        (piece, told && follower.id() == id)
    }

    async fn hear(&self, told: bool) {
        let looked = Instant::now();
        let rings = self.listener.bell.notified();
        if told {
            rings.await;
        } else {
            // Over time it is looked at anyway.
            let _ = timeout(self.interval, rings).await;
        }
        if looked.elapsed() < PACE {
            sleep_until(looked + PACE).await;
        }
    }
}

/// Sends what there is, looks again, and ends with the client or the server. A client that has closed its sending end
/// may still read, or may have gone: it gets what is there, and that is the end. The next piece is read only when the
/// client has taken one, so a slow client holds up nothing but itself.
async fn feed(
    mut follower: Follower,
    mut place: Place,
    news: LogNews,
    sender: mpsc::Sender<Bytes>,
    mut ears: Ears,
    farewell: Arc<Notify>,
    mut shutdown: watch::Receiver<bool>,
) {
    loop {
        let looked = Instant::now();
        let reading = apart(move || {
            let (piece, told) = ears.look(&mut follower);
            (follower, ears, piece, told)
        });
        let Some((back, own, piece, told)) = reading.await else { return };
        (follower, ears) = (back, own);
        if piece.is_empty() {
            tokio::select! {
                () = async {
                    if !place.tell(&news, &mut follower).await {
                        ears.hear(told).await;
                    }
                } => {}
                () = sender.closed() => return,
                () = farewell.notified() => return,
                _ = shutdown.wait_for(|&stop| stop) => return,
            }
        } else {
            // Who is far behind has the next piece at once.
            let rest = looked + if piece.len() < PIECE { PACE } else { Duration::ZERO };
            tokio::select! {
                sent = async {
                    sender.send(piece.into()).await?;
                    sleep_until(rest).await;
                    Ok::<_, mpsc::error::SendError<Bytes>>(())
                } => if sent.is_err() { return },
                _ = shutdown.wait_for(|&stop| stop) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_tells_where_to_begin() {
        for (value, expected) in
            [("bytes=17-", Some(17)), ("bytes=1-5", None), ("bytes=-5", None), ("bytes=x-", None), ("", None)]
        {
            let headers = HeaderMap::from_iter([(RANGE, value.parse().unwrap())]);
            let expected = expected.map(|offset| Start { offset, file: None });
            assert_eq!(start(&headers), expected, "{value}");
        }
        for (value, is_known) in [("\"801-5-9\"", true), ("801-5-9", false), ("\"x\"", false)] {
            let headers =
                [(RANGE, "bytes=7-"), (IF_RANGE, value)].map(|(name, value)| (name, value.parse().unwrap()));
            let file = is_known.then(|| "801-5-9".parse().unwrap());
            assert_eq!(start(&HeaderMap::from_iter(headers)), Some(Start { offset: 7, file }), "{value}");
        }
        assert_eq!(start(&HeaderMap::new()), None);
    }

    #[test]
    fn names_rpc_240() {
        let rows = [
            ("/logtail/a", Some(("a", "stdout"))),
            ("/logtail/g:a/stderr", Some(("g:a", "stderr"))),
            ("/logtail/a/", Some(("a", ""))),
            ("/logtail/", Some(("", "stdout"))),
            ("/logtailx/a", Some(("a", "stdout"))),
            ("/logtail", None),
        ];
        for (path, parts) in rows {
            assert_eq!(split(path), parts, "{path}");
        }
    }
}
