//! The body of a request: its length told beforehand, within the limits, and complete in time.

use std::future::{self, Future};
use std::pin::pin;
use std::task::Poll;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, HeaderMap};

use crate::connection::Connection;

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    /// Its bytes at most.
    pub(crate) most: usize,
    /// Whether nothing at all is right too.
    pub(crate) may_be_empty: bool,
}

/// Reads it all.
///
/// # Errors
/// The status to refuse it with.
pub(crate) async fn body(
    connection: &Connection,
    headers: &HeaderMap,
    body: Incoming,
    expected: Expected,
) -> Result<Bytes, StatusCode> {
    let length = headers.get(CONTENT_LENGTH).ok_or(StatusCode::LENGTH_REQUIRED)?;
    let length: u64 =
        length.to_str().ok().and_then(|text| text.parse().ok()).ok_or(StatusCode::BAD_REQUEST)?;
    if length == 0 && !expected.may_be_empty {
        return Err(StatusCode::BAD_REQUEST);
    }
    if length > expected.most as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let mut whole = pin!(body.collect());
    let here = future::poll_fn(|cx| Poll::Ready(whole.as_mut().poll(cx))).await;
    let received = match here {
        // It came with the head, as it nearly always does.
        Poll::Ready(received) => Ok(received),
        Poll::Pending => {
            connection.progress.receiving();
            let received = tokio::time::timeout(connection.service.limits().body_timeout, whole).await;
            connection.progress.busy();
            received
        }
    };
    match received {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}
