//! Memory that is there when it is needed.
//!
//! A virtual machine may hand memory that nobody uses back to its host, in blocks of megabytes. Taking it again costs several times
//! what writing to it does, and it is chance which contender that hits. So every other page of a file in memory is freed, and the file
//! kept: what is free between its pages belongs to no free block, stays with the machine, and is what the kernel gives out first.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::FallocateFlags;

/// How statfs(2) names a file system that is memory.
const TMPFS: rustix::fs::FsWord = 0x0102_1994;

/// Frees about so many bytes of memory, page by page, for as long as this lives.
///
/// `None` where files are not in memory, or not even twice as much is available as that takes.
///
/// # Errors
/// The file cannot be written.
pub fn ballast(home: &Path, bytes: u64) -> io::Result<Option<File>> {
    let mut file = tempfile::tempfile_in(home)?;
    if rustix::fs::fstatfs(&file)?.f_type != TMPFS || available()? < bytes * 4 {
        return Ok(None);
    }
    io::copy(&mut io::repeat(0).take(bytes * 2), &mut file)?;
    let page = rustix::param::page_size() as u64;
    let holes = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for pair in 0..bytes / page {
        rustix::fs::fallocate(&file, holes, pair * 2 * page, page)?;
    }
    Ok(Some(file))
}

/// Bytes of memory that could be had (proc(5), `MemAvailable`).
fn available() -> io::Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kib.unwrap_or(0) * 1024)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn every_other_page_is_free() {
        let memory = Path::new("/dev/shm");
        if !memory.is_dir() {
            return;
        }
        let held = ballast(memory, 1 << 20).unwrap().expect("memory");
        let meta = held.metadata().unwrap();
        assert_eq!((meta.len(), meta.blocks() * 512), (2 << 20, 1 << 20));
        assert!(ballast(memory, u64::MAX / 8).unwrap().is_none(), "nobody has so much");
        assert!(ballast(Path::new("/proc/self"), 1).is_err());
    }
}
