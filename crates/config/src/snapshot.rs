//! Sources as bytes, so that a new daemon goes on with the configuration in effect and not with an edited file.
//!
//! The form is ours: a magic number and a version, then every field in order, lengths as 32-bit little-endian numbers.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::dialect::Dialect;
use crate::envfiles::{EnvFile, EnvFiles};
use crate::environment::Environment;
use crate::sources::{Include, Included, Parsed, Sources};
use upkeep_core::ordered;

const MAGIC: &[u8; 8] = b"UPKPCONF";

/// Every file is in the INI dialect. Written as long as that is so: older versions of the program read it.
const PLAIN: u32 = 1;

/// Each file's text comes with its dialect.
const DIALECTS: u32 = 2;

/// The same, and files of variables come last.
const ENV_FILES: u32 = 3;

/// Why a snapshot cannot be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It was written by a newer version.
    #[error("the snapshot has version {0}, which this program does not know")]
    Version(u32),
    /// It is none, ends early or has a length that cannot be.
    #[error("the snapshot is damaged")]
    Damaged,
}

impl Sources {
    /// A snapshot for [`Sources::from_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let files = self.includes.iter().flat_map(|include| &include.files).map(|file| file.dialect);
        let plain = files.chain([self.dialect]).all(|dialect| dialect == Dialect::Ini);
        let version = match (self.env_files.is_empty(), plain) {
            (true, true) => PLAIN,
            (true, false) => DIALECTS,
            (false, _) => ENV_FILES,
        };
        let mut out = Writer { out: MAGIC.to_vec(), dialects: version != PLAIN };
        out.number(version);
        out.bytes(self.name.as_bytes());
        out.bytes(self.path.as_os_str().as_bytes());
        out.flag(self.searched);
        out.dialect(self.dialect);
        out.bytes(&self.main);
        out.list(&self.includes, |out, include| {
            out.bytes(include.pattern.as_bytes());
            out.list(&include.files, Writer::included);
        });
        let vars: Vec<(&String, &String)> = self.env.vars.iter().collect();
        out.list(&vars, |out, (name, value)| {
            out.bytes(name.as_bytes());
            out.bytes(value.as_bytes());
        });
        out.bytes(self.env.cwd.as_os_str().as_bytes());
        out.bytes(self.env.hostname.as_bytes());
        if version == ENV_FILES {
            let files: Vec<(&String, &EnvFile)> = self.env_files.iter().collect();
            out.list(&files, |out, (path, file)| {
                out.bytes(path.as_bytes());
                out.env_file(file);
            });
        }
        out.out
    }

    /// Reads a snapshot back.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let bytes = bytes.strip_prefix(MAGIC).ok_or(SnapshotError::Damaged)?;
        let mut from = Reader { bytes, dialects: false };
        let version = from.number()?;
        match version {
            PLAIN => {}
            DIALECTS | ENV_FILES => from.dialects = true,
            other => return Err(SnapshotError::Version(other)),
        }
        let mut sources = Self {
            name: from.text()?,
            path: from.path()?,
            searched: from.flag()?,
            dialect: from.dialect()?,
            main: from.bytes()?.to_vec(),
            includes: from
                .list(|from| Ok(Include { pattern: from.text()?, files: from.list(Reader::included)? }))?,
            env: Environment {
                vars: ordered::map(from.list(|from| Ok((from.text()?, from.text()?)))?),
                cwd: from.path()?,
                hostname: from.text()?,
            },
            env_files: EnvFiles::new(),
            parsed: Parsed::default(),
        };
        if version == ENV_FILES {
            let files = from.list(|from| Ok((from.text()?, from.env_file()?)))?;
            sources.env_files = ordered::map(files);
        }
        Ok(sources)
    }
}

fn code(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::Ini => 0,
        Dialect::Toml => 1,
        Dialect::Yaml => 2,
        Dialect::Json => 3,
    }
}

struct Writer {
    out: Vec<u8>,
    dialects: bool,
}

impl Writer {
    fn number(&mut self, number: u32) {
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    /// Configuration files are far from 4 GiB; one that is not is cut, and refused when it is read back.
    fn length(&mut self, length: usize) {
        self.number(u32::try_from(length).unwrap_or(u32::MAX));
    }

    fn flag(&mut self, flag: bool) {
        self.number(u32::from(flag));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.length(items.len());
        for item in items {
            write(self, item);
        }
    }

    fn dialect(&mut self, dialect: Dialect) {
        if self.dialects {
            self.number(code(dialect));
        }
    }

    fn env_file(&mut self, file: &EnvFile) {
        let (kind, bytes): (u32, &[u8]) = match file {
            EnvFile::Missing => (0, &[]),
            EnvFile::Text(bytes, false) => (1, bytes),
            EnvFile::Text(bytes, true) => (2, bytes),
            EnvFile::Unreadable(reason) => (3, reason.as_bytes()),
        };
        self.number(kind);
        self.bytes(bytes);
    }

    fn included(&mut self, file: &Included) {
        self.bytes(file.path.as_bytes());
        self.dialect(file.dialect);
        self.flag(file.text.is_some());
        self.bytes(file.text.as_deref().unwrap_or_default());
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    dialects: bool,
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<u32, SnapshotError> {
        let (number, rest) = self.bytes.split_first_chunk::<4>().ok_or(SnapshotError::Damaged)?;
        self.bytes = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn length(&mut self) -> Result<usize, SnapshotError> {
        usize::try_from(self.number()?).map_err(|_| SnapshotError::Damaged)
    }

    fn flag(&mut self) -> Result<bool, SnapshotError> {
        match self.number()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(SnapshotError::Damaged),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], SnapshotError> {
        let length = self.length()?;
        let (bytes, rest) = self.bytes.split_at_checked(length).ok_or(SnapshotError::Damaged)?;
        self.bytes = rest;
        Ok(bytes)
    }

    fn text(&mut self) -> Result<String, SnapshotError> {
        String::from_utf8(self.bytes()?.to_vec()).map_err(|_| SnapshotError::Damaged)
    }

    fn path(&mut self) -> Result<PathBuf, SnapshotError> {
        self.bytes().map(|bytes| PathBuf::from(OsString::from_vec(bytes.to_vec())))
    }

    /// Items are read one by one, so a made-up length costs no memory.
    fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, SnapshotError>,
    ) -> Result<Vec<T>, SnapshotError> {
        let length = self.length()?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(read(self)?);
        }
        Ok(items)
    }

    fn dialect(&mut self) -> Result<Dialect, SnapshotError> {
        if !self.dialects {
            return Ok(Dialect::Ini);
        }
        let number = self.number()?;
        let known = Dialect::ALL.into_iter().find(|&dialect| code(dialect) == number);
        known.ok_or(SnapshotError::Damaged)
    }

    fn env_file(&mut self) -> Result<EnvFile, SnapshotError> {
        let kind = self.number()?;
        let bytes = self.bytes()?.to_vec();
        match kind {
            0 => Ok(EnvFile::Missing),
            1 | 2 => Ok(EnvFile::Text(bytes, kind == 2)),
            3 => Ok(EnvFile::Unreadable(String::from_utf8(bytes).map_err(|_| SnapshotError::Damaged)?)),
            _ => Err(SnapshotError::Damaged),
        }
    }

    fn included(&mut self) -> Result<Included, SnapshotError> {
        let path = self.text()?;
        let dialect = self.dialect()?;
        let readable = self.flag()?;
        let text = self.bytes()?.to_vec();
        Ok(Included { path, dialect, text: readable.then_some(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(dialect: Dialect) -> Sources {
        let included = |path: &str, text| Included { path: path.to_owned(), dialect: Dialect::Ini, text };
        let files =
            vec![included("/etc/a.conf", Some(b"[program:\xff]".to_vec())), included("/etc/b.conf", None)];
        Sources {
            name: "rel.yaml".to_owned(),
            path: PathBuf::from("/etc/rel.yaml"),
            searched: true,
            main: b"[supervisord]\n".to_vec(),
            dialect,
            includes: vec![Include { pattern: "/etc/*.conf".to_owned(), files }],
            env_files: EnvFiles::new(),
            env: Environment {
                vars: ordered::map([("A".to_owned(), "中".to_owned())]),
                cwd: PathBuf::from("/"),
                hostname: "host".to_owned(),
            },
            parsed: Parsed::default(),
        }
    }

    #[test]
    fn a_snapshot_reads_back_and_damage_is_noticed() {
        // In the first version everything was in the INI dialect, whatever a file's name was.
        let with_files = Sources {
            env_files: EnvFiles::from([
                ("/a".to_owned(), EnvFile::Text(b"A=\xff".to_vec(), false)),
                ("/b".to_owned(), EnvFile::Text(Vec::new(), true)),
                ("/c".to_owned(), EnvFile::Missing),
                ("/d".to_owned(), EnvFile::Unreadable("no".to_owned())),
            ]),
            ..sources(Dialect::Ini)
        };
        for (sources, version) in [
            (sources(Dialect::Ini), 1),
            (sources(Dialect::Yaml), 2),
            (sources(Dialect::Json), 2),
            (with_files, 3),
        ] {
            let bytes = sources.to_bytes();
            assert_eq!((Sources::from_bytes(&bytes), bytes[8]), (Ok(sources), version));
            for length in 0..bytes.len() {
                assert!(Sources::from_bytes(&bytes[..length]).is_err(), "{length}");
            }
            let mut newer = bytes;
            newer[8] = 99;
            assert_eq!(Sources::from_bytes(&newer), Err(SnapshotError::Version(99)));
        }
    }
}
