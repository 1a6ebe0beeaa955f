//! AUTO log names: made in `childlogdir`, and cleaned up at the next start.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::file::MODE_AUTO;
use crate::file::old::{is_old_file, partial};

/// How many names are tried before giving up.
const TRIES: u32 = 100;
const RANDOM_LENGTH: usize = 8;
const ALPHABET: &[u8; 37] = b"abcdefghijklmnopqrstuvwxyz0123456789_";

/// One of a process's outputs, as it stands in file names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// `stdout`.
    Stdout,
    /// `stderr`.
    Stderr,
}

impl Channel {
    /// The word in the name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Creates an empty log `DIR/PROCESS-CHANNEL---IDENTIFIER-XXXXXXXX.log` with mode 0600 and returns its path (PROC-131).
///
/// # Errors
/// Those of open(2) and getrandom(2), or that no free name was found.
pub fn create(dir: &Path, process: &str, channel: Channel, identifier: &str) -> io::Result<PathBuf> {
    for _ in 0..TRIES {
        let name = format!("{process}-{}---{identifier}-{}.log", channel.name(), random_text()?);
        let path = dir.join(name);
        match OpenOptions::new().write(true).create_new(true).mode(MODE_AUTO).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => return other.map(|_| path),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "no free name for an AUTO log was found"))
}

/// Removes the AUTO logs of this identifier in `dir`, rotated ones included, except those in `keep` (with their rotated
/// ones), which processes that live on still write (PROC-132, D-06). Returns what to warn about (PROC-319).
#[must_use]
pub fn clean(dir: &Path, identifier: &str, keep: &HashSet<PathBuf>) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return vec!["Could not clear childlog dir".to_owned()] };
    let mut warnings = Vec::new();
    for entry in entries.flatten() {
        let path = dir.join(entry.file_name());
        let ours = is_auto_name(entry.file_name().as_bytes(), identifier) && !is_kept(&path, keep);
        let removed = if ours { fs::remove_file(&path) } else { Ok(()) };
        if removed.is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
            warnings.push(format!("Failed to clean up '{}'", path.display()));
        }
    }
    warnings
}

fn random_text() -> io::Result<String> {
    let mut bytes = [0u8; RANDOM_LENGTH];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    Ok(bytes.iter().map(|&byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect())
}

/// Whether a file name is one of ours: something, `---IDENTIFIER-`, some more without blanks, `.log`, anything.
fn is_auto_name(name: &[u8], identifier: &str) -> bool {
    let mark = format!("---{identifier}-");
    (1..name.len())
        .filter_map(|at| name[at..].strip_prefix(mark.as_bytes()))
        .any(|rest| (1..rest.len()).any(|at| rest[at..].starts_with(b".log") && !has_blank(&rest[..at])))
}

fn has_blank(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_whitespace() || *byte == 0x0b)
}

/// Whether `path`, or the base it was rotated from, is to be kept.
fn is_kept(path: &Path, keep: &HashSet<PathBuf>) -> bool {
    keep.contains(path) || bases(path).any(|base| keep.contains(&base))
}

/// What `PATH` may be in `PATH.N`, `PATH.N.gz`, `PATH.TIME` and the like.
fn bases(path: &Path) -> impl Iterator<Item = PathBuf> {
    let name = path.as_os_str().as_bytes();
    let dots = name.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
    dots.map(move |dot| PathBuf::from(OsStr::from_bytes(&name[..dot])))
        .filter(move |base| is_old_file(path, base) || path == partial(base))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn creates_private_files_with_names_of_that_form_proc_131() {
        let dir = tempfile::tempdir().unwrap();
        let paths: HashSet<PathBuf> =
            (0..50).map(|_| create(dir.path(), "web_00", Channel::Stderr, "supervisor").unwrap()).collect();
        assert_eq!(paths.len(), 50);
        for path in paths {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let random =
                name.strip_prefix("web_00-stderr---supervisor-").unwrap().strip_suffix(".log").unwrap();
            assert_eq!(random.len(), 8);
            assert!(random.bytes().all(|byte| ALPHABET.contains(&byte)), "{name}");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(create(&dir.path().join("missing"), "web", Channel::Stdout, "supervisor").is_err());
    }

    #[test]
    fn knows_its_names_proc_132() {
        for (name, ours) in [
            ("web-stdout---supervisor-abcd_123.log", true),
            ("web-stdout---supervisor-abcd_123.log.1", true),
            ("web-stdout---supervisor-abcd_123.log.12345.gz", true),
            ("x---supervisor-y.log", true),
            ("a---supervisor---supervisor-y.log", true),
            ("---supervisor-y.log", false),
            ("web-stdout---supervisor-.log", false),
            ("web-stdout---supervisor-a b.log", false),
            ("web-stdout---other-abcd_123.log", false),
            ("web-stdout---supervisor-abcd", false),
            ("web.log", false),
        ] {
            assert_eq!(is_auto_name(name.as_bytes(), "supervisor"), ours, "{name}");
        }
    }

    #[test]
    fn cleans_up_all_but_the_kept_proc_132_proc_319() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["a---id-1.log", "a---id-1.log.1", "b---id-2.log", "b---id-2.log.3", "other.log"];
        for name in names {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("c---id-3.log")).unwrap();
        let keep = HashSet::from([dir.path().join("b---id-2.log")]);
        let warnings = clean(dir.path(), "id", &keep);
        let stuck = dir.path().join("c---id-3.log");
        assert_eq!(warnings, [format!("Failed to clean up '{}'", stuck.display())]);
        let left: Vec<bool> = names.iter().map(|name| dir.path().join(name).exists()).collect();
        assert_eq!(left, [false, false, true, true, true]);
        let nowhere = clean(Path::new("/nonexistent"), "id", &HashSet::new());
        assert_eq!(nowhere, ["Could not clear childlog dir"]);
    }
}
