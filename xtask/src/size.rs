//! What the executable takes on disk.

use std::path::Path;

use crate::say;

/// Most bytes of the executable as it is shipped: stripped, with default features. It goes into container images.
const MOST: u64 = 8_000_000;

/// Looks at a release that was just built; one with another profile, which debug symbols or the like make larger, is let be.
///
/// # Errors
/// It is too large.
pub(crate) fn check(binary: &Path) -> Result<(), String> {
    if std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("CARGO_PROFILE_RELEASE_")) {
        return Ok(());
    }
    let size = std::fs::metadata(binary).map_err(|error| format!("{}: {error}", binary.display()))?.len();
    say(&format!("the executable has {size} bytes"));
    judge(size)
}

fn judge(size: u64) -> Result<(), String> {
    if size <= MOST {
        return Ok(());
    }
    Err(format!(
        "the executable has {size} bytes and may have {MOST}: `cargo tree -p upkeep -e normal` shows what came in, `cargo bloat \
         --release` what it takes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_of_more_than_eight_million_bytes_is_too_large() {
        assert_eq!(judge(MOST), Ok(()));
        assert!(judge(MOST + 1).unwrap_err().contains("8000001 bytes and may have 8000000"));
    }
}
