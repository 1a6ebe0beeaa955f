//! Files of variables that programs name with `env_files`: which ones, and what is in them. They are read together with the
//! configuration, so `update` sees what changed in them, and a program that starts again has what was read.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::environment::Environment;
use crate::ini::Document;
use crate::load::Loader;
use crate::trusted::{self, WRITABLE_BY_ALL};
use crate::world::Lenient;
use upkeep_core::ordered;

/// Bytes of one file, at most.
const LARGEST: u64 = 256 * 1024;

/// By absolute path.
pub(crate) type EnvFiles = BTreeMap<String, EnvFile>;

/// What was found at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EnvFile {
    /// A file, and whether everybody may write to it.
    Text(Vec<u8>, bool),
    /// Nothing.
    Missing,
    /// Something that cannot be read, and why.
    Unreadable(String),
}

/// Reads every file that a program of the document names. Blocks on the file system.
pub(crate) fn gather(document: &Document, here: String, env: &Environment, about: &dyn Fn(&str)) -> EnvFiles {
    let names_some = |section: &crate::ini::Section| section.own("env_files").is_some();
    if !document.sections.iter().any(names_some) && !names_some(&document.defaults) {
        return EnvFiles::new();
    }
    let mut document = document.clone();
    let _ = document.inherit();
    // What is wrong is told when the configuration is made sense of.
    let paths = Loader::new(&document, env, here, &Lenient).env_file_paths();
    let look = |path: String| {
        about(&path);
        let found = read(&path);
        (path, found)
    };
    ordered::map(paths.into_iter().map(look))
}

fn read(path: &str) -> EnvFile {
    match bytes(path) {
        Ok((bytes, loose)) => EnvFile::Text(bytes, loose),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            EnvFile::Missing
        }
        Err(error) => EnvFile::Unreadable(reason(&error)),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Never waits for the other end of a fifo, and follows nobody's links but root's and the owner's of the file.
fn bytes(path: &str) -> io::Result<(Vec<u8>, bool)> {
    let file = trusted::open(Path::new(path))?;
    let about = file.metadata()?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} KB", LARGEST / 1024)));
    }
    Ok((bytes, about.mode() & WRITABLE_BY_ALL != 0))
}
