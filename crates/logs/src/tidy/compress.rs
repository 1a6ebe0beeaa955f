//! One old file becomes one compressed file, whatever happens meanwhile.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flate2::write::GzEncoder;
use flate2::{Compression, Crc, GzBuilder};
use rustix::fs::OFlags;

use super::find;
use crate::file::Names;
use crate::file::old::{OldFile, compressed, partial};

/// How much is read at once.
const PIECE: usize = 64 * 1024;
/// What a compressed file ends with: checksum and length of what is in it.
const TRAILER: usize = 8;

/// Which file a path leads to, without following links.
pub(super) fn inode(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|meta| (meta.dev(), meta.ino()))
}

/// Compresses an old file of the log at `base`, unless it is being written. Returns whether it was there.
pub(super) fn compress(file: &OldFile, base: &Path, names: &Names) -> io::Result<bool> {
    let mut source = match open(&file.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    // A rotation may have come in between; then it is listed anew.
    let meta = source.metadata()?;
    if (meta.dev(), meta.ino()) != file.inode {
        return Ok(false);
    }
    if !meta.is_file() || *names.lock() == Some(file.inode) {
        return Ok(true);
    }
    let twin = compressed(&file.path);
    if twin.exists() {
        if is_whole(&twin, &mut source)? {
            remove_source(file, inode(&twin), names)?;
        }
        return Ok(true);
    }
    let made = write_compressed(&mut source, &partial(base));
    let result = made.and_then(|made| put_in_place(file, &made, &source, base, names));
    if result.is_err() {
        // What a failed attempt leaves is removed before the next one, too.
        let _ = fs::remove_file(partial(base));
    }
    result.map(|()| true)
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path)
}

/// Writes all of `source`, compressed, with its mode, owner and times, and makes it durable.
fn write_compressed(source: &mut File, target: &Path) -> io::Result<File> {
    let meta = source.metadata()?;
    let flags = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(flags).open(target)?;
    let when = u32::try_from(meta.mtime()).unwrap_or(0);
    let mut encoder: GzEncoder<File> = GzBuilder::new().mtime(when).write(file, Compression::default());
    copy(source, |piece| encoder.write_all(piece))?;
    let file = encoder.finish()?;
    // Only root may give a file away; whoever may not keeps it.
    let _ = std::os::unix::fs::fchown(&file, Some(meta.uid()), Some(meta.gid()));
    file.set_permissions(fs::Permissions::from_mode(meta.mode() & 0o777))?;
    file.set_times(fs::FileTimes::new().set_modified(meta.modified()?).set_accessed(meta.accessed()?))?;
    file.sync_all()?;
    Ok(file)
}

fn copy(source: &mut File, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    source.seek(SeekFrom::Start(0))?;
    let mut piece = vec![0; PIECE];
    loop {
        match source.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&piece[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Gives a compressed file the name that belongs to its source, then removes the source. Nothing of both if the source has
/// changed or gone meanwhile.
fn put_in_place(file: &OldFile, made: &File, source: &File, base: &Path, names: &Names) -> io::Result<()> {
    let is_same = source.metadata().is_ok_and(|meta| meta.len() == file.bytes);
    let place = {
        let writing = names.lock();
        let free = |path: &PathBuf| is_same && *writing != Some(file.inode) && !compressed(path).exists();
        let place = find(file).filter(free);
        if let Some(path) = &place {
            fs::rename(partial(base), compressed(path))?;
        }
        place
    };
    let Some(path) = place else { return fs::remove_file(partial(base)) };
    // Where power fails, too, one of the two is there.
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        folder.sync_all()?;
    }
    let meta = made.metadata()?;
    remove_source(file, Some((meta.dev(), meta.ino())), names)
}

/// Removes a file whose compressed twin stands beside it.
fn remove_source(file: &OldFile, twin: Option<(u64, u64)>, names: &Names) -> io::Result<()> {
    let writing = names.lock();
    let has_twin = |path: &PathBuf| twin.is_some() && inode(&compressed(path)) == twin;
    match find(file).filter(|path| *writing != Some(file.inode) && has_twin(path)) {
        Some(path) => fs::remove_file(path),
        None => Ok(()),
    }
}

/// Whether a compressed file ends as one of this source does.
fn is_whole(twin: &Path, source: &mut File) -> io::Result<bool> {
    let mut file = open(twin)?;
    let mut trailer = [0; TRAILER];
    let Some(start) = file.metadata()?.len().checked_sub(TRAILER as u64) else { return Ok(false) };
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut trailer)?;
    let mut crc = Crc::new();
    copy(source, |piece| {
        crc.update(piece);
        Ok(())
    })?;
    let expected = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
    Ok(trailer[..] == expected[..])
}
