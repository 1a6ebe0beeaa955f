//! Fuzzing: every target for a while, with the words of its room.

use std::path::Path;
use std::process::Command;

use crate::install::run;
use crate::say;
use crate::steps::root;

/// Runs every target, or one, for so many seconds; what is found stays under `fuzz/corpus` and `fuzz/artifacts`.
///
/// # Errors
/// A target found something, or there is no nightly toolchain with `cargo fuzz`.
pub(crate) fn fuzz(seconds: &str, only: Option<&str>) -> Result<(), String> {
    for target in targets()?.iter().filter(|target| only.is_none_or(|only| only == *target)) {
        say(&format!("{target}, {seconds} s"));
        let mut command = Command::new("rustup");
        // The toolchain that runs this chore must not be the one that runs the targets.
        command.current_dir(root()).env_remove("RUSTUP_TOOLCHAIN");
        command.args(["run", "nightly", "cargo", "fuzz", "run", target, "--"]).args(limits(seconds));
        command.args(words(target)?);
        run(&mut command)?;
    }
    Ok(())
}

fn limits(seconds: &str) -> [String; 4] {
    [
        format!("-max_total_time={seconds}"),
        "-timeout=5".to_owned(),
        "-rss_limit_mb=1024".to_owned(),
        "-max_len=2048".to_owned(),
    ]
}

/// The names of the files in `fuzz/targets`.
fn targets() -> Result<Vec<String>, String> {
    let folder = root().join("fuzz/targets");
    let files = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names = files.flatten().filter_map(|file| Some(file.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    Ok(names)
}

/// The dictionary of the room whose properties a target takes, if it has one.
fn words(target: &str) -> Result<Option<String>, String> {
    let path = root().join(properties(target)?);
    let room = path.strip_prefix(root().join("crates")).ok().and_then(|path| path.iter().next());
    let words = room.map(|room| root().join("fuzz/words").join(room).with_extension("dict"));
    Ok(words.filter(|words| words.exists()).map(|words| format!("-dict={}", words.display())))
}

/// The file that a target takes its property from, from the root of the checkout.
fn properties(target: &str) -> Result<String, String> {
    let path = Path::new("fuzz/targets").join(target).with_extension("rs");
    let text = std::fs::read_to_string(root().join(&path))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let found = text.split("#[path = \"../../").nth(1).and_then(|rest| rest.split('"').next());
    found.map(str::to_owned).ok_or_else(|| format!("{}: no properties", path.display()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap_or_default()
    }

    fn inside(folder: &Path) -> Vec<PathBuf> {
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    }

    /// The functions that take any bytes, of all rooms.
    fn all_properties() -> BTreeSet<String> {
        let rooms = inside(&root().join("crates")).into_iter().map(|room| room.join("tests/main/properties"));
        let files = rooms.flat_map(|folder| [inside(&folder), vec![folder.with_extension("rs")]].concat());
        let text: String = files.map(|file| read(&file)).collect();
        let functions = text.split("pub(crate) fn ").skip(1);
        functions.filter_map(|rest| Some(rest.split_once("(bytes: &[u8]) {\n")?.0.to_owned())).collect()
    }

    /// The build knows nothing of the targets, so this has to notice one that is missing or left over.
    #[test]
    fn every_property_has_a_target() {
        let targets = targets().unwrap();
        assert_eq!(BTreeSet::from_iter(targets.clone()), all_properties());
        let manifest = read(&root().join("fuzz/Cargo.toml"));
        for target in targets {
            let path = format!("targets/{target}.rs");
            assert!(manifest.contains(&format!("name = \"{target}\"\npath = \"{path}\"")), "{target}");
            let text = read(&root().join("fuzz").join(&path));
            assert!(text.contains(&format!("properties::{target}(bytes)")), "{path}: {text}");
            assert!(root().join(properties(&target).unwrap()).exists(), "{path}: {text}");
        }
    }
}
