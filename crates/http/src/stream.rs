//! A client's socket, shared by the connection that reads and writes it and the watchdog that looks whether the
//! client is still there.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{RecvFlags, Shutdown};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use upkeep_api::Socket;

use crate::progress::Progress;

/// How often a client is looked at that has sent something behind a request without end.
const TALKATIVE_INTERVAL: Duration = Duration::from_secs(1);

/// A connected socket.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Arc<OwnedFd>,
    /// From the first time on that there is something to wait for. Who has sent its request before it is looked at, and takes the
    /// answer as it comes, is never waited for: to watch it would cost as much as to read it.
    coming: OnceLock<AsyncFd<Arc<OwnedFd>>>,
    /// The same for room to send, which most clients always have: a descriptor of its own, since one cannot be watched twice, and
    /// to watch both at once would tell of the room each time.
    taking: OnceLock<AsyncFd<OwnedFd>>,
    /// Whether somebody else may hold it, too.
    lent: AtomicBool,
}

impl Stream {
    /// A socket that does not block.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket: Arc::new(socket),
            coming: OnceLock::new(),
            taking: OnceLock::new(),
            lent: AtomicBool::new(false),
        }
    }

    fn coming(&self) -> io::Result<&AsyncFd<Arc<OwnedFd>>> {
        if let Some(watched) = self.coming.get() {
            return Ok(watched);
        }
        let new = watched(Arc::clone(&self.socket), Interest::READABLE)?;
        Ok(self.coming.get_or_init(|| new))
    }

    fn taking(&self) -> io::Result<&AsyncFd<OwnedFd>> {
        if let Some(watched) = self.taking.get() {
            return Ok(watched);
        }
        let new = watched(self.socket.try_clone()?, Interest::WRITABLE)?;
        Ok(self.taking.get_or_init(|| new))
    }

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.coming()?.poll_read_ready(cx).map_ok(|mut guard| guard.retain_ready())
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.taking()?.poll_write_ready(cx).map_ok(|mut guard| guard.retain_ready())
    }

    /// Reads what is there, if it is ready or nobody has looked yet whether it is.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len();
        let mut read = || Ok(rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty())?.0);
        let Some(watched) = self.coming.get() else { return read() };
        // When it was less than there was room for, the next wait is for more to come: without that each request would cost a
        // read that finds nothing.
        let mut last = None;
        let result = watched.try_io(Interest::READABLE, |_| match read()? {
            length if length == 0 || length == room => Ok(length),
            length => {
                last = Some(length);
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        last.map_or(result, Ok)
    }

    /// Sends what the socket takes at once.
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.send_now(&[IoSlice::new(bytes)])
    }

    /// The same, without asking before whether it takes anything: it nearly always does, and a socket that is new could only
    /// be asked by a system call.
    fn send_now(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(rustix::io::writev(&self.socket, bytes)?)
    }

    /// Sends what the socket takes. When that is nothing, the next wait is for room.
    fn send_when_ready(&self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        self.taking()?.try_io(Interest::WRITABLE, |_| self.send_now(bytes))
    }

    /// Whether there are bytes to read. An end is none.
    pub(crate) fn has_input(&self) -> bool {
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        rustix::net::recv(&self.socket, &mut [0; 1], flags).is_ok_and(|(length, _)| length > 0)
    }

    /// Waits until the client has closed its end, without reading.
    pub(crate) async fn closed_by_peer(&self) {
        loop {
            let Ok(watched) = self.coming() else { return };
            match watched.ready(Interest::READABLE).await.map(|guard| guard.ready()) {
                Ok(ready) if !ready.is_read_closed() => tokio::time::sleep(TALKATIVE_INTERVAL).await,
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// For whoever may answer when the connection has ended.
    pub(crate) fn lend(self: &Arc<Self>) -> Arc<dyn Socket> {
        self.lent.store(true, Ordering::Relaxed);
        Arc::<Self>::clone(self)
    }

    /// Says that nothing more will be sent.
    pub(crate) fn finish(&self) {
        // It fails only when the client has gone, and then there is nobody to tell.
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
    }

    /// Reads and throws away what comes, until the end.
    pub(crate) async fn drain(&self) {
        let mut buffer = [0; 4096];
        loop {
            let ready = std::future::poll_fn(|cx| self.poll_read_ready(cx)).await;
            match ready.and_then(|()| self.try_read(&mut buffer)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What can be waited for.
///
/// # Errors
/// The runtime cannot watch it.
#[expect(
    deprecated,
    reason = "sound for what owns its descriptor, which stays open and the same as long as it is registered"
)]
pub(crate) fn watched<T: AsRawFd>(owner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(owner, interest)
}

/// The socket as the HTTP library sees it; tells `progress` what moves.
#[derive(Debug)]
pub(crate) struct Watched {
    stream: Arc<Stream>,
    progress: Arc<Progress>,
    /// How much is read at once.
    room: usize,
}

/// What most requests fit into. Room has to be cleared before it is read into, so it grows with what comes.
const FIRST_ROOM: usize = 1 << 10;

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let room = self.room.min(buf.remaining());
            match self.stream.try_read(buf.initialize_unfilled_to(room)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_read_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
                Ok(0) => return Poll::Ready(Ok(())),
                Ok(length) => {
                    buf.advance(length);
                    if length == self.room {
                        self.room = self.room.saturating_mul(4);
                    }
                    self.progress.received();
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl Watched {
    pub(crate) fn new(stream: &Arc<Stream>, progress: &Arc<Progress>) -> Self {
        Self { stream: Arc::clone(stream), progress: Arc::clone(progress), room: FIRST_ROOM }
    }

    fn poll_sending(&self, cx: &mut Context<'_>, bytes: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut result = self.stream.send_now(bytes);
        loop {
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => {
                    self.progress.sent();
                    return Poll::Ready(result);
                }
            }
            let Poll::Ready(ready) = self.stream.poll_write_ready(cx) else {
                self.progress.stalled();
                return Poll::Pending;
            };
            ready?;
            result = self.stream.send_when_ready(bytes);
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_sending(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_sending(cx, bytes)
    }

    /// Head and body go out together without being copied into one place before.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The connection ends with this, and its socket is closed, which says the same.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stream.lent.load(Ordering::Relaxed) {
            self.stream.finish();
        }
        Poll::Ready(Ok(()))
    }
}
