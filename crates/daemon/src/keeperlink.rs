//! The connection to the keeper, as the runtime wants to see it.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use tokio::io::Interest;
use tokio::net::UnixStream;
use upkeep_keeper::Link;
use upkeep_keeper::wire::{ToDaemon, ToKeeper};

/// A [`Link`] whose readiness the runtime watches, through a second descriptor of the same socket.
#[derive(Debug)]
pub(crate) struct KeeperLink {
    link: Link,
    watched: UnixStream,
}

impl KeeperLink {
    /// Must be called inside the runtime.
    ///
    /// # Errors
    /// The socket cannot be watched.
    pub(crate) fn new(link: Link) -> io::Result<Self> {
        let duplicate = link.duplicate_socket()?;
        duplicate.set_nonblocking(true)?;
        Ok(Self { link, watched: UnixStream::from_std(duplicate)? })
    }

    /// Returns when a frame may have come.
    pub(crate) async fn readable(&self) {
        // An error shows itself when the frame is read.
        let _ = self.watched.readable().await;
    }

    /// Returns when there may be room for frames that wait; never, if none waits.
    pub(crate) async fn writable(&self) {
        if self.link.wants_write() {
            // An error shows itself when the frames are sent.
            let _ = self.watched.writable().await;
        } else {
            std::future::pending::<()>().await;
        }
    }

    /// The next frame with its descriptors; `None` if there is none now.
    ///
    /// # Errors
    /// The keeper is gone, or speaks another language.
    pub(crate) fn recv(&mut self) -> io::Result<Option<(ToDaemon, Vec<OwnedFd>)>> {
        let link = &mut self.link;
        // Frames may have come together with the end of the inventory; the runtime knows nothing of those.
        if let Some(frame) = link.recv_buffered()? {
            return Ok(Some(frame));
        }
        let received = self.watched.try_io(Interest::READABLE, || match link.recv() {
            Ok(None) => Err(io::ErrorKind::WouldBlock.into()),
            other => other,
        });
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            other => other,
        }
    }

    /// Sends everything, however long the keeper takes. What it tells meanwhile is not heard: it would wait for that to be
    /// taken before it reads on.
    ///
    /// # Errors
    /// The keeper is gone.
    pub(crate) async fn flush_all(&mut self) -> io::Result<()> {
        loop {
            self.flush()?;
            if !self.link.wants_write() {
                return Ok(());
            }
            tokio::select! {
                () = self.writable() => {}
                () = self.readable() => while self.recv()?.is_some() {},
            }
        }
    }

    /// Queues a frame with duplicates of these descriptors.
    ///
    /// # Errors
    /// The frame is too long, or a descriptor cannot be duplicated; nothing is queued then.
    pub(crate) fn send(&mut self, frame: &ToKeeper, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.link.send(frame, fds)
    }

    /// Whether frames wait for room in the socket.
    pub(crate) fn has_waiting(&self) -> bool {
        self.link.wants_write()
    }

    /// Whether they wait because too many descriptors are under way: the socket does not tell when there is room again.
    pub(crate) fn is_crowded(&self) -> bool {
        self.link.is_crowded()
    }

    /// Sends as much as the socket takes.
    ///
    /// # Errors
    /// The keeper is gone.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.link.flush()?;
        if self.link.wants_write() {
            // Tells the runtime that the socket is full, so that `writable` waits for room.
            let full = || Err::<(), _>(io::ErrorKind::WouldBlock.into());
            let _ = self.watched.try_io(Interest::WRITABLE, full);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream as Socket;

    use super::*;

    #[test]
    fn the_last_word_comes_through_however_much_is_before_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (ours, mut theirs) = Socket::pair().unwrap();
        let frames = 20_000;
        runtime.block_on(async {
            let mut link = KeeperLink::new(Link::new(ours)).unwrap();
            for run in 0..frames {
                link.send(&ToKeeper::Release { run }, &[]).unwrap();
            }
            link.flush().unwrap();
            assert!(link.link.wants_write(), "the socket is full");
            let reader = std::thread::spawn(move || theirs.read_to_end(&mut Vec::new()).unwrap());
            link.flush_all().await.unwrap();
            drop(link);
            let bytes = u64::try_from(reader.join().unwrap()).unwrap();
            assert!(bytes > 8 * frames, "{bytes}");
        });
    }
}
