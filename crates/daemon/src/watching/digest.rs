//! A number that stands for what files are like. The next daemon may be another version and compares with it, so how it is made
//! never changes without a new [`FORM`].

use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use upkeep_core::spec::{PathPattern, WatchSpec};

/// How digests are made.
const FORM: u64 = 1;

/// FNV-1a, of which all bits are mixed at the end, so that sums of such numbers differ if one of them does.
struct Hash(u64);

impl Hash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.0 = (self.0 ^ 0xff).wrapping_mul(0x0100_0000_01b3);
    }

    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }

    fn end(self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }
}

/// What is watched.
pub(super) fn of_patterns(spec: &WatchSpec) -> u64 {
    let mut hash = Hash::new();
    hash.number(FORM);
    let pattern = |hash: &mut Hash, pattern: &PathPattern| {
        hash.bytes(pattern.root.as_bytes());
        pattern.parts.iter().for_each(|part| hash.bytes(part.as_bytes()));
        hash.bytes(b"\n");
    };
    spec.patterns.iter().for_each(|one| pattern(&mut hash, one));
    hash.bytes(b"ignored");
    spec.ignore_paths.iter().for_each(|one| pattern(&mut hash, one));
    spec.ignore_names.iter().for_each(|name| hash.bytes(name.as_bytes()));
    hash.end()
}

/// One file: what it is, and if it is a link what it leads to.
pub(super) fn of_file(path: &str, about: &Metadata) -> u64 {
    let mut hash = Hash::new();
    hash.bytes(path.as_bytes());
    metadata(&mut hash, about);
    if about.is_symlink() {
        if let Ok(target) = std::fs::read_link(path) {
            hash.bytes(target.as_os_str().as_bytes());
        }
        if let Ok(target) = std::fs::metadata(Path::new(path)) {
            metadata(&mut hash, &target);
        }
    }
    hash.end()
}

/// Not its mode and owner: who changes those alone changes nothing for a program.
fn metadata(hash: &mut Hash, about: &Metadata) {
    hash.number(about.dev());
    hash.number(about.ino());
    hash.number(about.len());
    hash.number(about.mtime().cast_unsigned());
    hash.number(about.mtime_nsec().cast_unsigned());
}
