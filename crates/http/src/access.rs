//! The line in the log about each request (PROC-323), written when its answer is done with.

use std::fmt;
use std::sync::Arc;

use hyper::{Request, Response};
use jiff::Timestamp;

use crate::answer;
use crate::body::Body;
use crate::progress::Progress;

/// Stands for a request under way. Its end, however it comes, ends the request.
#[derive(Debug)]
pub(crate) struct Ticket {
    progress: Arc<Progress>,
    line: Option<Line>,
}

#[derive(Debug)]
struct Line {
    peer: Arc<str>,
    request: String,
    status: u16,
    bytes: usize,
}

impl Ticket {
    /// Begins a request; nothing of it is kept unless its line will be written.
    pub(crate) fn begin<B>(progress: &Arc<Progress>, peer: &Arc<str>, request: &Request<B>) -> Self {
        progress.busy();
        let line = log::log_enabled!(log::Level::Trace).then(|| Line {
            peer: Arc::clone(peer),
            request: format!("{} {} {:?}", request.method(), request.uri(), request.version()),
            status: 0,
            bytes: 0,
        });
        Self { progress: Arc::clone(progress), line }
    }

    /// Takes note of the answer's head.
    pub(crate) fn answered(&mut self, response: &Response<Body>) {
        if let Some(line) = &mut self.line {
            line.status = response.status().as_u16();
            line.bytes = head_length(response);
        }
    }

    /// Takes note of a piece of the body.
    pub(crate) fn add(&mut self, bytes: usize) {
        if let Some(line) = &mut self.line {
            line.bytes += bytes;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.progress.idle();
        if let Some(line) = &self.line {
            log::trace!("{line}");
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, request, status, bytes } = self;
        let time = Timestamp::now().strftime("%d/%b/%Y:%H:%M:%S +0000");
        write!(f, "{peer} - - [{time}] \"{request}\" {status} {bytes}")
    }
}

/// Bytes of status line and headers.
fn head_length(response: &Response<Body>) -> usize {
    let status = "HTTP/1.1 200 \r\n\r\n".len() + answer::reason(response.status()).len();
    let headers = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    status + headers.sum::<usize>()
}
