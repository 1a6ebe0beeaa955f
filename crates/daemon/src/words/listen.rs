//! Tasks that listen to one run each. A word is looked at where it lies, and taken away only when the shell has written down what
//! follows from it: a daemon that dies in between leaves it to the next.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe::Receiver;
use tokio::sync::{mpsc::UnboundedSender, oneshot};
use tokio::time::Instant;
use upkeep_core::RunId;
use upkeep_core::health::Word;

use super::sender::Speakers;
use super::{Heard, heard, parse};
use crate::shell::Message;

/// Longest datagram that is understood; longer ones are nobody's words.
const LONGEST: usize = 4096;
/// Datagrams of one run that are taken in each second: who sends more waits.
const A_SECOND: u32 = 100;
/// Bytes before the newline that are put up with.
const MOST_BEFORE_NEWLINE: usize = 64 << 10;

/// Who listens to a run.
#[derive(Clone, Debug)]
pub(super) struct Listener {
    run: RunId,
    messages: UnboundedSender<Message>,
}

/// What lies in the pipe.
enum Lies {
    /// Nothing yet.
    Nothing,
    /// So much without a newline.
    Noise(usize),
    /// A newline, which stays.
    Newline,
    /// Nothing, ever.
    End,
}

impl Listener {
    pub(super) fn new(run: RunId, messages: UnboundedSender<Message>) -> Self {
        Self { run, messages }
    }

    /// Tells the shell, and waits until what follows is written down. False when there is no shell any more.
    async fn tell(&self, what: Heard) -> bool {
        let (taken, done) = oneshot::channel();
        self.messages.send(heard(self.run, what, taken)).is_ok() && {
            // Dropped without a word when it is done, too.
            let _ = done.await;
            true
        }
    }

    /// Hears datagrams until the run ends.
    pub(super) async fn hear_words(self, socket: OwnedFd, mut speakers: Speakers) {
        let Ok(socket) = UnixDatagram::from_std(socket.into()) else { return };
        let (mut bytes, mut strangers, mut pace) = (vec![0; LONGEST], 0, Pace::new());
        while socket.readable().await.is_ok() {
            let mut look = |keep| {
                let received = || upkeep_os::recv_datagram(socket.as_fd(), &mut bytes, keep);
                socket.try_io(Interest::READABLE, received)
            };
            let datagram = match look(true) {
                Ok(datagram) => datagram,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            let words = if datagram.is_whole { parse::words(&bytes[..datagram.length]) } else { Vec::new() };
            if !words.is_empty() {
                let what = if speakers.include(&datagram) {
                    speakers.main = words.iter().rev().find_map(main_pid).or(speakers.main);
                    Some(Heard::Words(words))
                } else {
                    strangers += 1;
                    // Once is enough.
                    (strangers == 1).then_some(Heard::Stranger(datagram.pid))
                };
                if let Some(what) = what
                    && !self.tell(what).await
                {
                    return;
                }
            }
            // It is there: nobody else takes it away.
            let _ = upkeep_os::recv_datagram(socket.as_fd(), &mut bytes, false);
            pace.step().await;
        }
    }

    /// Waits for a newline in the pipe. It stays there: the next daemon finds it, too.
    pub(super) async fn await_newline(self, pipe: OwnedFd) {
        let Ok(pipe) = Receiver::from_owned_fd(pipe) else { return };
        let mut noise = 0;
        while pipe.readable().await.is_ok() {
            match look(pipe.as_fd()) {
                Ok(Lies::Newline) => {
                    self.tell(Heard::Words(vec![Word::Ready])).await;
                    return;
                }
                Ok(Lies::End) => return,
                Ok(Lies::Noise(count)) if noise + count <= MOST_BEFORE_NEWLINE => {
                    noise += count;
                    // Nothing of it is a newline.
                    let _ = pipe.try_read(&mut vec![0; count]);
                }
                Ok(Lies::Noise(_)) => return,
                Ok(Lies::Nothing) => {
                    // The runtime learns from this that it has to wait. Something may have come in this moment.
                    let mut byte = [0];
                    if pipe.try_read(&mut byte).is_ok_and(|count| byte[..count] == *b"\n") {
                        self.tell(Heard::Words(vec![Word::Ready])).await;
                        return;
                    }
                }
                // Without descriptors for a look there will be some later.
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }
}

fn main_pid(word: &Word) -> Option<u32> {
    if let Word::MainPid(pid) = word { Some(*pid) } else { None }
}

/// Looks at what lies in a pipe, and leaves a newline there.
fn look(pipe: BorrowedFd<'_>) -> io::Result<Lies> {
    let (copy, into) = pipe_with(PipeFlags::CLOEXEC)?;
    let count = match tee(pipe, into, LONGEST, SpliceFlags::NONBLOCK) {
        Ok(0) => return Ok(Lies::End),
        Ok(count) => count,
        Err(rustix::io::Errno::AGAIN) => return Ok(Lies::Nothing),
        Err(error) => return Err(error.into()),
    };
    let mut bytes = vec![0; count];
    let seen = rustix::io::read(&copy, &mut bytes)?;
    if bytes[..seen].contains(&b'\n') {
        return Ok(Lies::Newline);
    }
    Ok(Lies::Noise(seen))
}

/// Keeps one who says too much from keeping everybody busy.
struct Pace {
    since: Instant,
    count: u32,
}

impl Pace {
    fn new() -> Self {
        Self { since: Instant::now(), count: 0 }
    }

    async fn step(&mut self) {
        self.count += 1;
        if self.count < A_SECOND {
            return;
        }
        tokio::time::sleep_until(self.since + Duration::from_secs(1)).await;
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newline_is_seen_and_stays() {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let look = || look(read.as_fd()).unwrap();
        assert!(matches!(look(), Lies::Nothing));
        rustix::io::write(&write, b"not yet").unwrap();
        assert!(matches!(look(), Lies::Noise(7)));
        rustix::io::read(&read, &mut [0; 7]).unwrap();
        assert!(matches!(look(), Lies::Nothing));
        rustix::io::write(&write, b"now\n").unwrap();
        assert!(matches!(look(), Lies::Newline));
        drop(write);
        assert!(matches!(look(), Lies::Newline), "for the next daemon as well");
        rustix::io::read(&read, &mut [0; 10]).unwrap();
        assert!(matches!(look(), Lies::End));
    }
}
