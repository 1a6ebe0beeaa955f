//! What event listeners are told, each event once and whole, whoever dies meanwhile.
//!
//! An event goes to the end of a file in memory that the keeper holds too. When it is written down that the listener has it, the
//! kernel moves it from there to the listener's standard input. How far it has come is the position of the file, which all who
//! hold the file share: each byte is in the file or in the pipe, and the next daemon goes on there. What was appended and not
//! written down is cut off.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FallocateFlags, SeekFrom};
use rustix::io::Errno;
use rustix::pipe::SpliceFlags;
use tokio::io::Interest;
use upkeep_core::{ProcId, RunId};

use crate::alarm::watched;
use crate::shell::Shell;
use crate::stdin::{BACKLOG_LIMIT, StdinError};
use crate::tasks;

/// Memory that moved bytes may take before it is given back, in bytes.
const MOVED: u64 = 64 * 1024;

const HELD: &str = "told/";

/// What one run of a listener is told.
#[derive(Debug)]
pub(crate) struct Telling {
    flow: Flow,
    /// So many bytes were ever appended.
    end: u64,
    /// Memory is given back up to this byte.
    freed: u64,
    /// A task waits for room in the pipe.
    waits: Arc<AtomicBool>,
}

/// From the file to the pipe.
#[derive(Clone, Debug)]
struct Flow {
    file: Arc<OwnedFd>,
    /// Up to this byte it is written down.
    goal: Arc<AtomicU64>,
}

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    /// To its goal.
    All,
    /// Until the pipe was full.
    Full,
    /// Nobody reads any more.
    Closed,
}

impl Flow {
    fn at(&self) -> u64 {
        rustix::fs::tell(&self.file).unwrap_or(u64::MAX)
    }

    fn go_on(&self, pipe: BorrowedFd<'_>) -> Moved {
        loop {
            let left = self.goal.load(Ordering::Relaxed).saturating_sub(self.at());
            let Some(left) = usize::try_from(left).ok().filter(|left| *left > 0) else { return Moved::All };
            match rustix::pipe::splice(&self.file, None, pipe, None, left, SpliceFlags::NONBLOCK) {
                Ok(1..) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Moved::Full,
                Ok(0) | Err(_) => return Moved::Closed,
            }
        }
    }
}

/// The name under which the keeper holds what a run is told.
pub(crate) fn held_name(run: RunId) -> String {
    format!("{HELD}{}", run.0)
}

/// Whether what a run is told is held under this name.
pub(crate) fn is_held_name(name: &str) -> bool {
    name.starts_with(HELD)
}

impl Telling {
    /// Nothing yet.
    ///
    /// # Errors
    /// There is no descriptor, or no memory.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self::of(upkeep_os::memfd_with("told", &[])?, 0))
    }

    /// Goes on with what an earlier daemon has appended, and written down `upto` this byte.
    ///
    /// # Errors
    /// It is no file in memory.
    pub(crate) fn again(file: OwnedFd, upto: u64) -> io::Result<Self> {
        let length = u64::try_from(rustix::fs::fstat(&file)?.st_size).unwrap_or(0);
        let end = length.min(upto);
        rustix::fs::ftruncate(&file, end)?;
        if rustix::fs::tell(&file)? > end {
            rustix::fs::seek(&file, SeekFrom::Start(end))?;
        }
        Ok(Self::of(file, end))
    }

    /// Whether nothing of it has been moved.
    fn is_untouched(&self) -> bool {
        self.flow.at() == 0
    }

    fn of(file: OwnedFd, end: u64) -> Self {
        let flow = Flow { file: Arc::new(file), goal: Arc::new(AtomicU64::new(end)) };
        Self { flow, end, freed: 0, waits: Arc::default() }
    }

    /// So many bytes were ever appended.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Appends something that is to be moved once it is written down.
    ///
    /// # Errors
    /// [`StdinError`]; nothing was appended then.
    pub(crate) fn append(&mut self, pipe: BorrowedFd<'_>, data: &[u8]) -> Result<(), StdinError> {
        if is_closed(pipe) {
            return Err(StdinError::Closed);
        }
        self.give_back(pipe);
        let left = usize::try_from(self.end.saturating_sub(self.flow.at())).unwrap_or(usize::MAX);
        if left.saturating_add(data.len()) > BACKLOG_LIMIT {
            return Err(StdinError::Full);
        }
        write_all_at(&self.flow.file, data, self.end).map_err(|_| StdinError::Full)?;
        self.end += data.len() as u64;
        Ok(())
    }

    /// All that was appended is written down: it is moved, as room comes. False if that has to be tried again.
    pub(crate) fn go_on(&self, pipe: &OwnedFd) -> bool {
        self.flow.goal.store(self.end, Ordering::Relaxed);
        let waits = self.waits.load(Ordering::Relaxed);
        waits || self.flow.go_on(pipe.as_fd()) != Moved::Full || self.wait_for_room(pipe).is_ok()
    }

    fn wait_for_room(&self, pipe: &OwnedFd) -> io::Result<()> {
        let pipe = watched(pipe.try_clone()?, Interest::WRITABLE)?;
        let (flow, waits) = (self.flow.clone(), Arc::clone(&self.waits));
        waits.store(true, Ordering::Relaxed);
        tasks::spawn(async move {
            while let Ok(mut room) = pipe.writable().await {
                if flow.go_on(pipe.as_fd()) != Moved::Full {
                    break;
                }
                room.clear_ready();
            }
            waits.store(false, Ordering::Relaxed);
        });
        Ok(())
    }

    /// Gives memory back once all has been read: what is in the pipe is this memory.
    fn give_back(&mut self, pipe: BorrowedFd<'_>) {
        let due = self.flow.at() == self.end && self.end - self.freed >= MOVED;
        if due && rustix::io::ioctl_fionread(pipe).is_ok_and(|unread| unread == 0) {
            let holes = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            // Else it takes more memory, and that is all.
            let _ = rustix::fs::fallocate(&self.flow.file, holes, 0, self.end);
            self.freed = self.end;
        }
    }
}

/// Whether nobody has the other end of a pipe that is written to.
fn is_closed(pipe: BorrowedFd<'_>) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut polled = [PollFd::from_borrowed_fd(pipe, PollFlags::empty())];
    poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
}

fn write_all_at(file: &OwnedFd, data: &[u8], at: u64) -> io::Result<()> {
    let mut written = 0;
    while written < data.len() {
        match rustix::io::pwrite(file, &data[written..], at + written as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

impl Shell {
    /// Lets the keeper hold what a run will be told. Without memory or a descriptor for it, it is told directly.
    pub(crate) fn hold_told(&mut self, run: RunId) -> Option<Telling> {
        let told = Telling::new().ok()?;
        self.hold_surely(held_name(run), &told.flow.file);
        Some(told)
    }

    /// Lets another keeper hold what all runs are told.
    pub(crate) fn hold_all_told(&mut self) {
        let told = self.runs.iter().filter_map(|(run, entry)| Some((*run, entry.told()?)));
        let all: Vec<(RunId, Arc<OwnedFd>)> =
            told.map(|(run, told)| (run, Arc::clone(&told.flow.file))).collect();
        for (run, file) in all {
            self.hold_surely(held_name(run), &file);
        }
    }

    /// What an earlier daemon has told a run, or will be told by this one: first of all an event that the keeper was not even given
    /// to hold.
    pub(crate) fn tell_on(
        &mut self,
        run: RunId,
        held: Option<OwnedFd>,
        upto: u64,
        untold: Option<String>,
    ) -> Option<Telling> {
        let untold = untold.filter(|_| held.is_none());
        let again = held.and_then(|file| Telling::again(file, upto).ok());
        let mut told = again.or_else(|| Telling::new().ok())?;
        if let Some(text) = untold {
            write_all_at(&told.flow.file, text.as_bytes(), 0).ok()?;
            told.end = text.len() as u64;
        }
        self.hold_surely(held_name(run), &told.flow.file);
        self.listeners.to_tell.insert(run);
        Some(told)
    }

    /// The keeper has all that was written down so far: what listeners are told may go to them, if it holds that too. Not before this
    /// daemon goes by its own records: the next one would not know of it.
    pub(crate) fn tell_listeners(&mut self) {
        if !self.breath.serves || self.listeners.to_tell.is_empty() {
            return;
        }
        let Self { listeners, runs, unsent, .. } = self;
        listeners.to_tell.retain(|run| {
            if unsent.has(&held_name(*run)) {
                return true;
            }
            let stdin = runs.get(run).and_then(|entry| entry.stdin.as_ref());
            stdin.is_some_and(|stdin| !stdin.go_on())
        });
    }

    /// How much a listener's process has been told, in bytes, and whether nothing of that has left this daemon.
    pub(crate) fn told(&self, process: ProcId) -> (u64, bool) {
        let run = self.core.process(process).and_then(|process| process.state().run());
        let told = run.and_then(|run| Some((run, self.runs.get(&run)?.told()?)));
        told.map_or((0, false), |(run, told)| (told.end(), told.is_untouched() && self.is_unsent(run)))
    }

    /// Whether the keeper could not be given what a run is told: the next daemon would not have it.
    pub(crate) fn is_unsent(&self, run: RunId) -> bool {
        self.unsent.has(&held_name(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pipe: &OwnedFd) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 17];
        let count = rustix::io::read(pipe, &mut bytes).unwrap();
        bytes.truncate(count);
        bytes
    }

    fn pipe() -> (OwnedFd, OwnedFd) {
        let (read, write) = rustix::pipe::pipe().unwrap();
        rustix::io::ioctl_fionbio(&write, true).unwrap();
        rustix::io::ioctl_fionbio(&read, true).unwrap();
        (read, write)
    }

    #[test]
    fn what_was_not_written_down_was_not_told() {
        let (read_end, write) = pipe();
        let mut told = Telling::new().unwrap();
        told.append(write.as_fd(), b"first\n").unwrap();
        assert!(told.go_on(&write));
        told.append(write.as_fd(), b"second\n").unwrap();
        assert_eq!((read(&read_end), told.end()), (b"first\n".to_vec(), 13));
        // The next daemon: once the second is known, once not.
        let held = |told: &Telling| told.flow.file.try_clone().unwrap();
        let known = Telling::again(held(&told), 13).unwrap();
        assert!(known.go_on(&write));
        assert_eq!(read(&read_end), b"second\n");
        let unknown = Telling::again(held(&told), 6).unwrap();
        assert!(unknown.go_on(&write));
        assert_eq!((unknown.end(), rustix::io::read(&read_end, &mut [0; 9])), (6, Err(Errno::AGAIN)));
        drop(read_end);
        assert_eq!(told.append(write.as_fd(), b"third\n"), Err(StdinError::Closed));
    }

    #[tokio::test]
    async fn what_does_not_fit_comes_as_there_is_room_whoever_moves_it() {
        let (read_end, write) = pipe();
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_be_bytes).collect();
        let mut told = Telling::new().unwrap();
        told.append(write.as_fd(), &text).unwrap();
        assert!(told.go_on(&write));
        let mut heard = read(&read_end);
        // Another daemon goes on, without a word of the first one, whose task is gone with it.
        let again = Telling::again(told.flow.file.try_clone().unwrap(), told.end()).unwrap();
        told.flow.goal.store(0, Ordering::Relaxed);
        assert!(again.go_on(&write));
        while heard.len() < text.len() {
            tokio::task::yield_now().await;
            if rustix::io::ioctl_fionread(&read_end).unwrap() > 0 {
                heard.extend(read(&read_end));
            }
        }
        assert!(heard == text, "all of it, once and in order");
        let blocks = || rustix::fs::fstat(&told.flow.file).unwrap().st_blocks;
        let before = blocks();
        let mut again = again;
        again.append(write.as_fd(), b"more").unwrap();
        assert!(blocks() < before / 2, "memory is given back: {} of {before}", blocks());
        assert!(again.go_on(&write));
        assert_eq!(read(&read_end), b"more");
    }
}
