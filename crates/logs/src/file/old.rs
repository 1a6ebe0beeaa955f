//! The old files of a log: `PATH.1`, `PATH.20261121T235959+0800`, and both with `.gz` behind.

use std::cmp::Reverse;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::strtime;

use super::rules::Inode;

/// How the time of a rotation is written in a name.
pub(super) const STAMP: &str = "%Y%m%dT%H%M%S%z";
/// What a compressed file's name ends with.
const GZIP: &str = ".gz";
/// What the name of a file ends with that is being compressed; never that of a whole one.
const PARTIAL: &str = ".gz.partial";

/// Which old file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// `.1` is the newest.
    Number(u32),
    /// The time of its rotation; the second number tells those of one second apart.
    Time(Timestamp, u32),
}

/// An old file of a log.
#[derive(Clone, Debug)]
pub(crate) struct OldFile {
    pub(crate) path: PathBuf,
    pub(crate) label: Label,
    pub(crate) is_gzip: bool,
    pub(crate) bytes: u64,
    pub(crate) written: SystemTime,
    pub(crate) inode: Inode,
}

/// `PATH.gz`.
pub(crate) fn compressed(path: &Path) -> PathBuf {
    with(path, GZIP)
}

/// Where a log's old file is compressed to until it is whole.
pub(crate) fn partial(base: &Path) -> PathBuf {
    with(base, PARTIAL)
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

/// The old files of the log at `base`, the newest first. A folder that is not there has none.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn old_files(base: &Path) -> io::Result<Vec<OldFile>> {
    let Some(own) = base.file_name() else { return Ok(Vec::new()) };
    let folder = base.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found: Vec<OldFile> = entries
        .filter_map(|entry| {
            let name = entry.ok()?.file_name();
            let (label, is_gzip) = label(name.as_bytes(), own)?;
            // In the words of the base, so that names of other names for the folder are not mixed.
            let path = base.with_file_name(OsString::from_vec(name.into_vec()));
            inspect(path, label, is_gzip)
        })
        .collect();
    found.sort_by_key(|file| (Reverse(file.written), order(file.label)));
    Ok(found)
}

/// Looks at an old file; `None` if it is not there (any more), or is no regular file.
fn inspect(path: PathBuf, label: Label, is_gzip: bool) -> Option<OldFile> {
    let meta = fs::symlink_metadata(&path).ok().filter(fs::Metadata::is_file)?;
    let written = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Some(OldFile { path, label, is_gzip, bytes: meta.len(), written, inode: (meta.dev(), meta.ino()) })
}

/// Smaller is newer, of files that were written at the same time.
fn order(label: Label) -> (Reverse<Timestamp>, Reverse<u32>, u32) {
    match label {
        Label::Number(number) => (Reverse(Timestamp::MAX), Reverse(0), number),
        Label::Time(time, counter) => (Reverse(time), Reverse(counter), 0),
    }
}

/// What the name of an old file of the log `own` says; `None` for other files.
fn label(name: &[u8], own: &OsStr) -> Option<(Label, bool)> {
    let rest = name.strip_prefix(own.as_bytes())?.strip_prefix(b".")?;
    let rest = std::str::from_utf8(rest).ok()?;
    let (rest, is_gzip) = rest.strip_suffix(GZIP).map_or((rest, false), |rest| (rest, true));
    Some((number(rest).map(Label::Number).or_else(|| time(rest))?, is_gzip))
}

/// A number as it is written in a name: not 0, and without zeros before it.
fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| is_plain)
}

fn time(text: &str) -> Option<Label> {
    let (stamp, counter) = match text.split_once('.') {
        Some((stamp, counter)) => (stamp, number(counter)?),
        None => (text, 0),
    };
    let time = strtime::parse(STAMP, stamp).and_then(|parts| parts.to_timestamp()).ok()?;
    Some(Label::Time(time, counter))
}

/// Whether a path is that of an old file of the log at `base`.
pub(crate) fn is_old_file(path: &Path, base: &Path) -> bool {
    let names = path.file_name().zip(base.file_name());
    path.parent() == base.parent() && names.is_some_and(|(name, own)| label(name.as_bytes(), own).is_some())
}

/// How long ago a file was written last.
pub(crate) fn age(file: &OldFile, now: SystemTime) -> Duration {
    now.duration_since(file.written).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_an_old_file() {
        let at: Timestamp = "2026-11-21T15:59:59Z".parse().unwrap();
        let rows = [
            ("log.1", Some((Label::Number(1), false))),
            ("log.12.gz", Some((Label::Number(12), true))),
            ("log.20261121T235959+0800", Some((Label::Time(at, 0), false))),
            ("log.20261121T155959+0000.3.gz", Some((Label::Time(at, 3), true))),
            ("log", None),
            ("log.0", None),
            ("log.01", None),
            ("log.+1", None),
            ("log.1.bak", None),
            ("log.gz.partial", None),
            ("log.1.gz.gz", None),
            ("log.gz", None),
            ("log.2026", Some((Label::Number(2026), false))),
            ("log.20261121T235959", None),
            ("log.20261321T235959+0800", None),
            ("other.1", None),
            ("log1", None),
            ("log.", None),
            ("log.99999999999", None),
        ];
        for (name, expected) in rows {
            assert_eq!(label(name.as_bytes(), OsStr::new("log")), expected, "{name}");
        }
    }
}
