//! What is sent behind the headers: bytes known beforehand, or pieces as they come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;

use crate::access::Ticket;

/// An answer's body. Holds the ticket of its request, which notices when the body is done with.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    ticket: Option<Ticket>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Pieces(mpsc::Receiver<Bytes>),
}

impl Body {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(bytes.into()), ticket: None }
    }

    pub(crate) fn pieces(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self { content: Content::Pieces(receiver), ticket: None }
    }

    pub(crate) fn with_ticket(self, ticket: Ticket) -> Self {
        Self { ticket: Some(ticket), ..self }
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.content, Content::Pieces(_))
    }

    fn sent(&mut self, bytes: &Bytes) {
        if let Some(ticket) = &mut self.ticket {
            ticket.add(bytes.len());
        }
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = match &mut self.content {
            Content::Whole(bytes) => Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()),
            Content::Pieces(receiver) => std::task::ready!(receiver.poll_recv(cx)),
        };
        if let Some(bytes) = &piece {
            self.sent(bytes);
        }
        Poll::Ready(piece.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(bytes) => bytes.is_empty(),
            Content::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Pieces(_) => SizeHint::default(),
        }
    }
}
