//! The register of births: a file in memory where every child writes itself down before it executes its program, so that
//! whoever comes after its parent was killed knows it, whatever that had told to whom.
//!
//! Each run has a slot, found by its number, of which the child writes the first bytes; the others are for a label by whoever
//! asks for the child. The child looks at its parent after it has written: either that lives, and who comes after it finds
//! what was written, or the child ends. So no program is executed that nobody can know of.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{FileType, Stat, fstat};
use rustix::io::pwrite;
use rustix::process::{Pid, getpid, getppid};
use rustix::time::{ClockId, clock_gettime};

use super::Ends;

/// Bytes of a slot; as many stand before the first one.
pub const SLOT: usize = 320;
/// Slots, which are used in turn: who is not told of elsewhere by the time its slot is needed again is told of nowhere.
const SLOTS: u64 = 4096;
/// Bytes of a slot that the child writes.
const BIRTH: usize = 48;
/// Longest label.
pub const LABEL: usize = SLOT - BIRTH - 10;

/// What a child writes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Birth {
    /// Its run.
    pub run: u64,
    /// When it wrote this, CLOCK_BOOTTIME: a process with its pid that was there before is the child, later ones are others.
    pub at_ns: u64,
    /// Inode numbers of the pipes that are its descriptors 0 to 2; 0 where there is none, or it is that of another one.
    pub pipes: [u64; 3],
    /// The child.
    pub pid: u32,
}

/// Writes down a child that somebody else has made, with its label.
///
/// # Errors
/// There is no room.
pub fn enter(register: &File, birth: Birth, label: &[u8]) -> io::Result<()> {
    register.write_all_at(&birth.bytes(), place_of(birth.run))?;
    write_label(register, birth.run, label)
}

/// Writes the label of a run that is about to be asked for; one that is too long is left out.
///
/// # Errors
/// There is no room.
pub fn write_label(register: &File, run: u64, label: &[u8]) -> io::Result<()> {
    let label = if label.len() > LABEL { &[] } else { label };
    let length = u16::try_from(label.len()).unwrap_or(0);
    let bytes = [&run.to_ne_bytes(), &length.to_ne_bytes()[..], label].concat();
    register.write_all_at(&bytes, place_of(run) + BIRTH as u64)
}

/// What stands in a slot, with its label.
#[must_use]
pub fn read_slot(slot: &[u8]) -> Option<(Birth, Option<&[u8]>)> {
    let (birth, rest) = slot.split_at_checked(BIRTH)?;
    let birth = Birth::read(birth).filter(|birth| birth.pid != 0)?;
    let label = rest.split_first_chunk::<8>().filter(|(run, _)| u64::from_ne_bytes(**run) == birth.run);
    let label = label.and_then(|(_, rest)| {
        let (length, text) = rest.split_first_chunk::<2>()?;
        text.get(..usize::from(u16::from_ne_bytes(*length))).filter(|label| !label.is_empty())
    });
    Some((birth, label))
}

/// Where the slot of a run begins.
fn place_of(run: u64) -> u64 {
    (1 + run % SLOTS) * SLOT as u64
}

/// Where a child is to write itself down.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    register: Arc<OwnedFd>,
    run: u64,
    parent: Pid,
}

impl Entry {
    pub(super) fn new(register: Arc<OwnedFd>, run: u64) -> Self {
        Self { register, run, parent: getpid() }
    }

    /// Writes this process down; ends it if its parent is gone. What cannot be written is not: the child is not held up.
    ///
    /// For the child between fork and exec, as long as it has its parent's descriptors; it may share its memory.
    pub(super) fn make(&self, ends: Ends) {
        let [stdin, stdout, stderr] = [ends.stdin, ends.stdout, ends.stderr].map(|fd| {
            // SAFETY: the ends of a child's pipes are open until it has others.
            pipe_of(unsafe { BorrowedFd::borrow_raw(fd) })
        });
        let birth = Birth {
            run: self.run,
            at_ns: boottime_ns(),
            pipes: [stdin, stdout, if stderr == stdout { 0 } else { stderr }],
            pid: getpid().as_raw_nonzero().get().unsigned_abs(),
        };
        // Not by the C library, which writes errors where the parent finds those of its own calls.
        let _ = pwrite(self.register.as_fd(), &birth.bytes(), place_of(self.run));
        if getppid() != Some(self.parent) {
            // SAFETY: ends this process alone, at once.
            unsafe { libc::_exit(super::NOT_SPAWNED) }
        }
    }
}

#[cfg(test)]
impl Entry {
    /// As if the parent had been killed.
    pub(super) fn disown(&mut self) {
        self.parent = Pid::INIT;
    }
}

impl Birth {
    fn bytes(&self) -> [u8; BIRTH] {
        let [stdin, stdout, stderr] = self.pipes;
        let mut bytes = [0; BIRTH];
        let words = [self.run, self.at_ns, stdin, stdout, stderr, u64::from(self.pid)];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (words, _) = bytes.as_chunks::<8>();
        let [run, at_ns, stdin, stdout, stderr, pid] = *<&[[u8; 8]; 6]>::try_from(words).ok()?;
        let [run, at_ns, stdin, stdout, stderr, pid] =
            [run, at_ns, stdin, stdout, stderr, pid].map(u64::from_ne_bytes);
        Some(Self { run, at_ns, pipes: [stdin, stdout, stderr], pid: u32::try_from(pid).ok()? })
    }
}

/// CLOCK_BOOTTIME in nanoseconds: the clock that tells when processes began (proc_pid_stat(5)).
#[must_use]
pub fn boottime_ns() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let part = |value: i64| u64::try_from(value).unwrap_or(0);
    part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec))
}

/// The inode number of a pipe; 0 for anything else.
fn pipe_of(fd: BorrowedFd<'_>) -> u64 {
    let is_pipe = |about: &Stat| FileType::from_raw_mode(about.st_mode) == FileType::Fifo;
    fstat(fd).ok().filter(is_pipe).map_or(0, |about| about.st_ino)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_says_what_was_written_and_a_label_is_of_its_own_run_only() {
        let file = File::from(crate::memfd_with("register", b"").unwrap());
        let slot = |run: u64| {
            let mut bytes = vec![0; SLOT];
            let _ = file.read_at(&mut bytes, place_of(run)).unwrap();
            bytes
        };
        let birth = Birth { run: 7, at_ns: 8, pipes: [9, 10, 0], pid: 11 };
        assert_eq!(read_slot(&slot(7)), None, "nobody was born");
        write_label(&file, 7, b"seven").unwrap();
        assert_eq!(read_slot(&slot(7)), None, "nobody was born");
        enter(&file, birth, b"seven").unwrap();
        assert_eq!(read_slot(&slot(7)), Some((birth, Some(b"seven".as_slice()))));
        write_label(&file, 7 + SLOTS, b"another").unwrap();
        assert_eq!(read_slot(&slot(7)), Some((birth, None)), "the next one is only asked for");
        enter(&file, birth, &[b'x'; LABEL + 1]).unwrap();
        assert_eq!(read_slot(&slot(7)), Some((birth, None)), "no room for it");
        enter(&file, birth, &[b'x'; LABEL]).unwrap();
        assert_eq!(read_slot(&slot(7)).and_then(|(_, label)| label).map(<[u8]>::len), Some(LABEL));
        assert_eq!(read_slot(&slot(8)), None, "nothing of it stands in the next slot");
    }
}
