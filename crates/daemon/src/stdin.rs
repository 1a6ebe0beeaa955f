//! What is written to a child's standard input: at once what fits, the rest as room comes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::io::Errno;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;
use tokio::sync::mpsc;

use crate::tasks;
use crate::telling::Telling;

/// Most bytes kept for a child that does not read.
pub(crate) const BACKLOG_LIMIT: usize = 16 << 20;

/// The write end of a child's standard input, non-blocking.
#[derive(Debug)]
pub(crate) struct Stdin {
    fd: OwnedFd,
    waiting: Arc<AtomicUsize>,
    writer: Option<mpsc::UnboundedSender<Vec<u8>>>,
    /// Where what is written goes first, for a listener.
    told: Option<Box<Telling>>,
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StdinError {
    /// The child closed its end.
    Closed,
    /// The child does not read, and enough is kept for it.
    Full,
}

impl Stdin {
    /// Takes over the write end of a pipe.
    pub(crate) fn new(fd: OwnedFd, told: Option<Box<Telling>>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self { fd, waiting: Arc::default(), writer: None, told })
    }

    /// What a listener is told.
    pub(crate) fn told(&self) -> Option<&Telling> {
        self.told.as_deref()
    }

    /// What was written so far is written down for the next daemon: a listener may get it. False if that has to be tried again.
    pub(crate) fn go_on(&self) -> bool {
        self.told.as_ref().is_none_or(|told| told.go_on(&self.fd))
    }

    /// The child has not read all that was written, and the next daemon would not know of it.
    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Writes, in order behind what still waits (RPC-160, RPC-161).
    ///
    /// # Errors
    /// [`StdinError`]; nothing of `data` was taken then.
    pub(crate) fn write(&mut self, data: &[u8]) -> Result<(), StdinError> {
        if let Some(told) = &mut self.told {
            return told.append(self.fd.as_fd(), data);
        }
        let waiting = self.waiting.load(Ordering::Relaxed);
        let written = if waiting > 0 { 0 } else { write_now(&self.fd, data)? };
        let rest = &data[written..];
        if rest.is_empty() {
            return Ok(());
        }
        if waiting + rest.len() > BACKLOG_LIMIT {
            return Err(StdinError::Full);
        }
        self.waiting.fetch_add(rest.len(), Ordering::Relaxed);
        let writer = self.writer.get_or_insert_with(|| start_writer(&self.fd, &self.waiting));
        writer.send(rest.to_vec()).map_err(|_| StdinError::Closed)
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Writes as much as fits.
fn write_now(fd: &OwnedFd, data: &[u8]) -> Result<usize, StdinError> {
    let mut written = 0;
    while written < data.len() {
        match rustix::io::write(fd, &data[written..]) {
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(_) => return Err(StdinError::Closed),
        }
    }
    Ok(written)
}

/// A task that writes what did not fit at once; it ends with the child or with the handle.
fn start_writer(fd: &OwnedFd, waiting: &Arc<AtomicUsize>) -> mpsc::UnboundedSender<Vec<u8>> {
    let (sender, mut chunks) = mpsc::unbounded_channel::<Vec<u8>>();
    let waiting = Arc::clone(waiting);
    let pipe = fd.try_clone().and_then(Sender::from_owned_fd);
    tasks::spawn(async move {
        // Without a pipe the chunks are dropped with their channel, which the next write notices.
        let Ok(mut pipe) = pipe else { return };
        while let Some(chunk) = chunks.recv().await {
            if pipe.write_all(&chunk).await.is_err() {
                return;
            }
            waiting.fetch_sub(chunk.len(), Ordering::Relaxed);
        }
    });
    sender
}
