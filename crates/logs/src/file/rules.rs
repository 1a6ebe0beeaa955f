//! What a log may ask for beyond a size and a number of old files.

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::period::{Every, Period};
use super::target::{Kind, Opened};

/// What a log asks for beyond a size and a number of old files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileRules {
    /// Rotate with the first write of each such stretch of time.
    pub every: Option<Every>,
    /// Compress old files, to `NAME.gz`.
    pub gzip: bool,
    /// Remove old files that were last written longer ago.
    pub max_age: Option<Duration>,
    /// Remove the oldest files while all old ones together have more bytes; 0 is no limit.
    pub max_total: u64,
    /// Name old files by the time of their rotation, and not by number.
    pub dated: bool,
}

/// Which file is being written: device and inode.
pub(crate) type Inode = (u64, u64);

/// What those share who rename files of one log: one at a time, and none touches the file that is being written. Never held
/// while data is read or written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(Arc<Mutex<Option<Inode>>>);

impl Names {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Option<Inode>> {
        // It is changed in one step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something to do about old files.
#[derive(Clone, Debug)]
pub(crate) struct Chore {
    pub(crate) path: PathBuf,
    pub(crate) backups: u32,
    pub(crate) rules: FileRules,
    pub(crate) names: Names,
}

/// The rules of an open log, and how far they have been carried out.
#[derive(Debug)]
pub(super) struct Ruled {
    pub(super) rules: FileRules,
    pub(super) names: Names,
    /// The stretch of time that what is written belongs to; `None` before the first write.
    period: Option<Period>,
    /// Whether old files have to be looked at.
    pub(super) has_chore: bool,
}

impl Ruled {
    pub(super) fn new(rules: FileRules) -> Self {
        Self { rules, names: Names::default(), period: None, has_chore: true }
    }

    /// Whether what is in the file belongs to an earlier stretch of time than what is written at `now`.
    pub(super) fn is_due(&mut self, target: Option<&Opened>, now: SystemTime) -> bool {
        let Some(every) = self.rules.every else { return false };
        if self.period.is_some_and(|period| period.holds(now)) {
            return false;
        }
        let Some(target) = target.filter(|target| target.kind == Kind::Regular) else { return false };
        let written = last_written(target).ok().flatten();
        self.period = Some(Period::of(every, now));
        written.is_some_and(|written| Period::of(every, written).is_over(now))
    }

    /// Remembers which file is being written.
    pub(super) fn note(&self, target: Option<&Opened>) {
        let inode = target.and_then(inode);
        *self.names.lock() = inode;
    }
}

pub(super) fn inode(target: &Opened) -> Option<Inode> {
    let stat = rustix::fs::fstat(&target.fd).ok()?;
    Some((stat.st_dev, stat.st_ino))
}

/// When a file was last written; `None` while it is empty.
fn last_written(target: &Opened) -> io::Result<Option<SystemTime>> {
    let stat = rustix::fs::fstat(target.fd.as_fd())?;
    let since = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0));
    Ok((stat.st_size > 0).then(|| SystemTime::UNIX_EPOCH + since))
}
