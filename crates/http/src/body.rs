//! What is sent behind the headers: bytes known beforehand, a document as it is made, or pieces as they come.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;
use upkeep_api::verbs::ProcessDocument;

use crate::access::Ticket;

/// An answer's body. Holds the ticket of its request, which notices when the body is done with.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    ticket: Option<Ticket>,
}

/// Pieces of a document after which everybody else has a turn: a reader that is quick enough would have it all at once,
/// and with 10,000 processes that takes several milliseconds.
const MOST_IN_A_ROW: usize = 2;

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Document {
        document: ProcessDocument,
        /// Pieces since others had their turn.
        in_a_row: usize,
    },
    Pieces(mpsc::Receiver<Bytes>),
}

impl Body {
    pub(crate) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { content: Content::Whole(bytes.into()), ticket: None }
    }

    pub(crate) fn processes(document: ProcessDocument) -> Self {
        Self { content: Content::Document { document, in_a_row: 0 }, ticket: None }
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
            Content::Document { in_a_row, .. } if *in_a_row == MOST_IN_A_ROW => {
                *in_a_row = 0;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Content::Document { document, in_a_row } => {
                *in_a_row += 1;
                document.next()
            }
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
            Content::Document { document, .. } => document.left() == 0,
            Content::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Document { document, .. } => SizeHint::with_exact(document.left() as u64),
            Content::Pieces(_) => SizeHint::default(),
        }
    }
}
