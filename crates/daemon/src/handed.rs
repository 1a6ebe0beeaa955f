//! A configuration that can be read only once, such as `-c /dev/stdin` or a shell's `-c <(…)`: the launcher has read it, and
//! hands it on to the first daemon. Later ones find it with the keeper, like any other.

use std::ffi::OsString;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use upkeep_config::Sources;

/// Carries what was read to the daemon.
const CONFIGURATION: &str = "UPKEEP_INTERNAL_CONFIGURATION";

/// What the kernel lets a variable hold, name and end included (execve(2)).
const MOST: usize = 128 * 1024;

/// The variable for the daemon, if it could not read the file again.
///
/// # Errors
/// There is more of it than a variable holds.
pub(crate) fn on(sources: &Sources) -> Result<Option<(OsString, OsString)>, String> {
    let path = sources.path();
    if !passes(path) {
        return Ok(None);
    }
    let text = STANDARD.encode(sources.to_bytes());
    if text.len() + CONFIGURATION.len() + 2 > MOST {
        return Err(format!(
            "configuration {} is no file, and too long to be handed on\nhint: write it to a file, and give that with -c",
            path.display()
        ));
    }
    Ok(Some((CONFIGURATION.into(), text.into())))
}

/// What the launcher has handed on.
pub(crate) fn over() -> Option<Sources> {
    let text = std::env::var(CONFIGURATION).ok()?;
    Sources::from_bytes(&STANDARD.decode(text).ok()?).ok()
}

/// Whether a path means something else, or nothing, to another process or the next time it is opened.
fn passes(path: &Path) -> bool {
    let own = ["/dev/fd", "/dev/stdin", "/proc"];
    own.iter().any(|own| path.starts_with(own)) || path.metadata().is_ok_and(|found| !found.is_file())
}

#[cfg(test)]
mod tests {
    use upkeep_config::{CommandLine, Environment};

    use super::*;

    #[test]
    fn what_is_long_is_refused_and_a_file_is_read_again() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("supervisord.conf");
        std::fs::write(&file, "[supervisord]\n").unwrap();
        let cli = CommandLine { configuration: Some(file.display().to_string()), ..CommandLine::default() };
        let read = || Sources::read(&cli, Environment::default()).unwrap();
        assert_eq!(on(&read()), Ok(None));
        let long = format!("[supervisord]\n;{}\n", "x".repeat(MOST));
        let short = read();
        std::fs::write(&file, long).unwrap();
        let long = read();
        // From here on it is no file any more.
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        let (name, value) = on(&short).unwrap().unwrap();
        assert_eq!(name, CONFIGURATION);
        let bytes = STANDARD.decode(value.into_encoded_bytes()).unwrap();
        assert_eq!(Sources::from_bytes(&bytes).unwrap().path(), short.path());
        assert!(on(&long).unwrap_err().contains("hint: write it to a file"));
    }
}
