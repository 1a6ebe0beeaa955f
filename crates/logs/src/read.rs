//! Reading log files for the API: a slice, or the newest bytes.
//!
//! Pure file functions, bounded by [`READ_LIMIT`]. They may wait for a disk: call them where waiting hurts nobody.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Most bytes given out at once: a longer answer would have to be held in memory several times over.
pub const READ_LIMIT: u64 = 64 << 20;

/// Why a slice cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Offset and length contradict each other (RPC-144).
    #[error("offset {offset} and length {length} cannot be combined")]
    Arguments {
        /// As given.
        offset: i64,
        /// As given.
        length: i64,
    },
    /// There is no such file (RPC-145).
    #[error("there is no log file '{0}'")]
    NoFile(String),
    /// It cannot be opened or read, or has no position (a fifo, a terminal).
    #[error("cannot read log file '{path}'")]
    Failed {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The newest bytes of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The bytes.
    pub data: Vec<u8>,
    /// The size of the file: where the next call goes on (RPC-154).
    pub offset: i64,
    /// Whether there was more than was asked for.
    pub overflow: bool,
}

/// The bytes of a file from `offset` on: `length` of them, or with length 0 all (RPC-141, RPC-142). A negative offset
/// with length 0 means the last bytes (RPC-143). No answer is longer than [`READ_LIMIT`]: of "all", the first, of "the
/// last", the last so many.
///
/// # Errors
/// See [`ReadError`]; a missing file comes before wrong arguments.
pub fn read(path: &Path, offset: i64, length: i64) -> Result<Vec<u8>, ReadError> {
    let (mut file, size) = open(path).map_err(|error| refused(path, error))?;
    if length < 0 || (offset < 0 && length != 0) {
        return Err(ReadError::Arguments { offset, length });
    }
    let wanted = match u64::try_from(length) {
        _ if offset < 0 => offset.unsigned_abs().min(READ_LIMIT),
        Ok(0) | Err(_) => READ_LIMIT,
        Ok(length) => length.min(READ_LIMIT),
    };
    let start = u64::try_from(offset).unwrap_or_else(|_| size.saturating_sub(wanted));
    slice(&mut file, size, start, wanted).map_err(|error| refused(path, error))
}

/// The newest bytes of a file, as a client that asks again and again wants them: `offset` is where it stopped, `length`
/// how much it can take (RPC-151 … RPC-156). A missing or unreadable file is empty (RPC-155).
#[must_use]
pub fn tail(path: &Path, offset: i64, length: i64) -> Tail {
    match open(path) {
        Ok((mut file, size)) => tail_of(&mut file, size, offset, length),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Tail::default(),
        Err(_) => Tail { offset, ..Tail::default() },
    }
}

fn tail_of(file: &mut File, size: u64, offset: i64, length: i64) -> Tail {
    let end = i64::try_from(size).unwrap_or(i64::MAX);
    let overflow = end > offset.saturating_add(length);
    let wanted =
        if overflow || offset < end { u64::try_from(length).unwrap_or(0).min(READ_LIMIT) } else { 0 };
    let start = size.saturating_sub(wanted);
    match slice(file, size, start, wanted) {
        Ok(data) => Tail { data, offset: end, overflow },
        Err(_) => Tail { offset, ..Tail::default() },
    }
}

/// Opens without waiting for a writer of a fifo; the size is 0 for devices such as `/dev/null`.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let size = file.seek(SeekFrom::End(0))?;
    Ok((file, size))
}

pub(crate) fn slice(file: &mut File, size: u64, start: u64, wanted: u64) -> io::Result<Vec<u8>> {
    // No more than the size measured before, so that a file that grows faster than we read has an end.
    let count = wanted.min(size.saturating_sub(start));
    let mut data = Vec::new();
    if count > 0 {
        file.seek(SeekFrom::Start(start))?;
        file.take(count).read_to_end(&mut data)?;
    }
    Ok(data)
}

fn refused(path: &Path, source: io::Error) -> ReadError {
    let path = path.display().to_string();
    match source.kind() {
        io::ErrorKind::NotFound => ReadError::NoFile(path),
        _ => ReadError::Failed { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"0123456789abcdef";

    fn file(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        file
    }

    #[test]
    fn reads_slices_rpc_141_142_143() {
        let file = file(TEXT);
        let rows: &[(i64, i64, &[u8])] = &[
            (0, 0, TEXT),
            (10, 0, b"abcdef"),
            (16, 0, b""),
            (99, 0, b""),
            (0, 4, b"0123"),
            (12, 4, b"cdef"),
            (12, 99, b"cdef"),
            (99, 1, b""),
            (-4, 0, b"cdef"),
            (-16, 0, TEXT),
            (-99, 0, TEXT),
            (i64::MIN, 0, TEXT),
            (i64::MAX, i64::MAX, b""),
        ];
        for (offset, length, expected) in rows {
            assert_eq!(read(file.path(), *offset, *length).unwrap(), *expected, "({offset}, {length})");
        }
    }

    #[test]
    fn refuses_what_makes_no_sense_rpc_144_145() {
        let file = file(TEXT);
        for (offset, length) in [(-4, 1), (-4, -1), (0, -1), (4, i64::MIN)] {
            assert!(matches!(read(file.path(), offset, length), Err(ReadError::Arguments { .. })));
        }
        let missing = Path::new("/nonexistent/log");
        assert!(matches!(read(missing, -1, -1), Err(ReadError::NoFile(path)) if path == "/nonexistent/log"));
        assert!(matches!(read(Path::new("/"), 0, 0), Err(ReadError::Failed { .. })));
    }

    #[test]
    fn tails_like_the_reference_rpc_151_to_156() {
        let file = file(TEXT);
        let rows: &[(i64, i64, &[u8], bool)] = &[
            (0, 0, b"", true),
            (0, 4, b"cdef", true),
            (0, 16, TEXT, false),
            (12, 4, b"cdef", false),
            (12, 10, b"6789abcdef", false),
            (16, 4, b"", false),
            (99, 4, b"", false),
            (-4, 30, TEXT, false),
            (0, -1, b"", true),
            (5, 99, TEXT, false),
            (i64::MAX, i64::MAX, b"", false),
        ];
        for (offset, length, data, overflow) in rows {
            let expected = Tail { data: data.to_vec(), offset: 16, overflow: *overflow };
            assert_eq!(tail(file.path(), *offset, *length), expected, "({offset}, {length})");
        }
    }

    #[test]
    fn tails_nothing_of_what_cannot_be_read_rpc_155() {
        assert_eq!(tail(Path::new("/nonexistent/log"), 7, 4), Tail::default());
        assert_eq!(tail(Path::new("/"), 7, 4).data, b"");
        assert_eq!(tail(file(b"").path(), 7, 4), Tail { data: Vec::new(), offset: 0, overflow: false });
    }

    #[test]
    fn a_fifo_or_a_device_makes_nobody_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(read(&path, 0, 0), Err(ReadError::Failed { .. })));
        assert_eq!(tail(&path, 3, 4), Tail { offset: 3, ..Tail::default() });
        assert_eq!(read(Path::new("/dev/null"), 0, 0).unwrap(), b"");
    }
}
