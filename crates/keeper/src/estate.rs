//! All that a keeper holds, written down for the keeper that takes its place. Descriptors are named by their numbers,
//! which stay what they are through exec.
//!
//! The program that reads it may be newer than the one that wrote it, or older: fields are only added at the end, and what
//! is behind the known ones is ignored.

use std::io;
use std::os::fd::{OwnedFd, RawFd};

use crate::wire::{BodyReader, BodyWriter, Exit, WireError, read_exit, write_exit};

/// What there is to take over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Estate {
    /// Daemons started so far.
    pub(crate) generation: u32,
    /// A daemon has served.
    pub(crate) ready: bool,
    /// In the background.
    pub(crate) detached: bool,
    /// The daemon expects to be greeted.
    pub(crate) greet: bool,
    /// Signals that no daemon has said to have seen, and whether each came again.
    pub(crate) unseen: Vec<(i32, bool)>,
    /// The daemon that is there.
    pub(crate) daemon: Option<DaemonPart>,
    /// What daemons put.
    pub(crate) records: Vec<(u64, Vec<u8>)>,
    /// What daemons asked to hold.
    pub(crate) held: Vec<(String, RawFd)>,
    /// Children that were not released.
    pub(crate) children: Vec<ChildPart>,
    /// The last replacement, and why it failed.
    pub(crate) replaced: Option<(u64, Option<Vec<u8>>)>,
    /// A descriptor for a child that the daemon is about to ask for.
    pub(crate) lent: Option<LentPart>,
}

/// A descriptor that a child gets besides its standard ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LentPart {
    /// The child.
    pub(crate) run: u64,
    /// What number it has there.
    pub(crate) number: i32,
    pub(crate) fd: RawFd,
}

/// A daemon that goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DaemonPart {
    pub(crate) pid: u32,
    pub(crate) since_ns: u64,
    pub(crate) socket: RawFd,
    /// The process, if it is not the keeper's child.
    pub(crate) pidfd: Option<RawFd>,
}

/// A child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChildPart {
    pub(crate) run: u64,
    pub(crate) pid: u32,
    pub(crate) start_ns: u64,
    pub(crate) exit: Option<Exit>,
    pub(crate) stdin: Option<RawFd>,
    pub(crate) stdout: Option<RawFd>,
    pub(crate) stderr: Option<RawFd>,
    /// The process, if it is not the keeper's child.
    pub(crate) pidfd: Option<RawFd>,
}

impl Estate {
    pub(crate) fn write(&self, body: &mut BodyWriter) {
        body.u32(self.generation).bool(self.ready).bool(self.detached).bool(self.greet);
        body.list(&self.unseen, |body, (signo, again)| {
            body.i32(*signo).bool(*again);
        });
        body.option(self.daemon.as_ref(), |body, daemon| {
            body.u32(daemon.pid).u64(daemon.since_ns).i32(daemon.socket);
            put_fd(body, daemon.pidfd);
        });
        body.list(&self.records, |body, (key, value)| {
            body.u64(*key).bytes(value);
        });
        body.list(&self.held, |body, (name, fd)| {
            body.bytes(name.as_bytes()).i32(*fd);
        });
        body.list(&self.children, put_child);
        body.option(self.replaced.as_ref(), |body, (token, failure)| {
            body.u64(*token).option(failure.as_ref(), |body, text| {
                body.bytes(text);
            });
        });
        body.option(self.lent.as_ref(), |body, lent| {
            body.u64(lent.run).i32(lent.number).i32(lent.fd);
        });
    }

    /// # Errors
    /// It ends too early, or holds what means nothing.
    pub(crate) fn read(body: &mut BodyReader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            generation: body.u32()?,
            ready: body.bool()?,
            detached: body.bool()?,
            greet: body.bool()?,
            unseen: body.list(|body| Ok((body.i32()?, body.bool()?)))?,
            daemon: body.option(|body| {
                Ok(DaemonPart {
                    pid: body.u32()?,
                    since_ns: body.u64()?,
                    socket: body.i32()?,
                    pidfd: body.option(BodyReader::i32)?,
                })
            })?,
            records: body.list(|body| Ok((body.u64()?, body.bytes()?)))?,
            held: body.list(|body| Ok((body.text()?, body.i32()?)))?,
            children: body.list(take_child)?,
            replaced: body.option(|body| Ok((body.u64()?, body.option(BodyReader::bytes)?)))?,
            lent: if body.is_empty() { None } else { body.option(take_lent)? },
        })
    }

    /// Every descriptor that goes with it.
    pub(crate) fn numbers(&self) -> Vec<RawFd> {
        let daemon = self.daemon.iter().flat_map(|daemon| [Some(daemon.socket), daemon.pidfd]);
        let held = self.held.iter().map(|(_, fd)| Some(*fd));
        let pipes =
            self.children.iter().flat_map(|child| [child.stdin, child.stdout, child.stderr, child.pidfd]);
        let lent = self.lent.iter().map(|lent| Some(lent.fd));
        daemon.chain(held).chain(pipes).chain(lent).flatten().collect()
    }
}

/// Takes ownership of a descriptor that came with an estate.
///
/// # Errors
/// It did not come.
pub(crate) fn own(number: RawFd) -> io::Result<OwnedFd> {
    upkeep_os::own_inherited_fd(number)
}

/// The same for one that may be missing.
///
/// # Errors
/// It did not come.
pub(crate) fn own_some(number: Option<RawFd>) -> io::Result<Option<OwnedFd>> {
    number.map(own).transpose()
}

/// Descriptors that stay open through exec, until this is dropped.
pub(crate) struct Inheritable(Vec<RawFd>);

impl Inheritable {
    /// # Errors
    /// One is not open.
    pub(crate) fn new(fds: Vec<RawFd>) -> io::Result<Self> {
        let inheritable = Self(fds);
        for &fd in &inheritable.0 {
            upkeep_os::set_cloexec_of(fd, false)?;
        }
        Ok(inheritable)
    }
}

impl Drop for Inheritable {
    fn drop(&mut self) {
        for &fd in &self.0 {
            // A descriptor that is open takes the flag.
            let _ = upkeep_os::set_cloexec_of(fd, true);
        }
    }
}

fn put_fd(body: &mut BodyWriter, fd: Option<RawFd>) {
    body.option(fd.as_ref(), |body, fd| {
        body.i32(*fd);
    });
}

fn put_child(body: &mut BodyWriter, child: &ChildPart) {
    body.u64(child.run).u32(child.pid).u64(child.start_ns).option(child.exit.as_ref(), write_exit);
    for fd in [child.stdin, child.stdout, child.stderr, child.pidfd] {
        put_fd(body, fd);
    }
}

fn take_child(body: &mut BodyReader<'_>) -> Result<ChildPart, WireError> {
    Ok(ChildPart {
        run: body.u64()?,
        pid: body.u32()?,
        start_ns: body.u64()?,
        exit: body.option(read_exit)?,
        stdin: body.option(BodyReader::i32)?,
        stdout: body.option(BodyReader::i32)?,
        stderr: body.option(BodyReader::i32)?,
        pidfd: body.option(BodyReader::i32)?,
    })
}

fn take_lent(body: &mut BodyReader<'_>) -> Result<LentPart, WireError> {
    Ok(LentPart { run: body.u64()?, number: body.i32()?, fd: body.i32()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estate() -> Estate {
        let exit = Exit { status: 9, at_ns: 2, utime_us: 3, stime_us: 4, maxrss_kib: 5 };
        Estate {
            generation: 3,
            ready: true,
            detached: false,
            greet: true,
            unseen: vec![(15, true)],
            daemon: Some(DaemonPart { pid: 7, since_ns: 8, socket: 9, pidfd: Some(10) }),
            records: vec![(1, b"r".to_vec())],
            held: vec![("listen/x".to_owned(), 11)],
            children: vec![ChildPart {
                run: 1,
                pid: 2,
                start_ns: 3,
                exit: Some(exit),
                stdin: None,
                stdout: Some(12),
                stderr: None,
                pidfd: Some(13),
            }],
            replaced: Some((4, Some(b"why".to_vec()))),
            lent: Some(LentPart { run: 5, number: 3, fd: 14 }),
        }
    }

    /// As the first version wrote it: a keeper may be replaced by a newer one at any time, so a byte that changes here
    /// breaks upgrades.
    const BYTES: &str = "030000000100010100000\
                         00f0000000101070000000800000000000000090000000\
                         10a00000001000000010000000000000001000000720100000008000000\
                         6c697374656e2f780b000000010000000100000000000000020000000300000000000000\
                         0109000000020000000000000003000000000000000400000000000000\
                         050000000000000000010c00000000010d0000000104000000000000000103000000776879";

    /// What later versions have added to it.
    const ADDED: &str = "010500000000000000030000000e000000";

    #[test]
    fn an_estate_is_read_as_it_was_written_also_with_more_behind_it() {
        let mut body = BodyWriter::default();
        estate().write(&mut body);
        let mut bytes = body.into_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, format!("{BYTES}{ADDED}"));
        let first = Estate { lent: None, ..estate() };
        assert_eq!(Estate::read(&mut BodyReader::new(&bytes[..BYTES.len() / 2])).unwrap(), first);
        bytes.extend_from_slice(b"fields of a later version");
        assert_eq!(Estate::read(&mut BodyReader::new(&bytes)).unwrap(), estate());
        assert_eq!(estate().numbers(), [9, 10, 11, 12, 13, 14]);
        assert!(Estate::read(&mut BodyReader::new(&bytes[..20])).is_err());
    }
}
