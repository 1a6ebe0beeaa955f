//! The items of test sources: functions and tables with the comments above them.
//!
//! Formatted source is read by its indentation, which is enough: an item begins where a line at the outermost
//! level does, and ends where the next one begins. What a module or a function beside the tests says is no claim.

use std::path::{Path, PathBuf};

/// What the tests at the top stand on: it proves nothing by itself.
const RIG: &str = "rig";

/// A test or a table of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Item {
    /// `crate::module::name`.
    pub(super) name: String,
    /// Its source with the comments above it.
    pub(super) text: String,
}

/// Every item of the tests below a checkout.
pub(super) fn items(root: &Path) -> Result<Vec<Item>, String> {
    let mut found = Vec::new();
    for (folder, module) in rooms(root)? {
        for file in files(&folder)?.into_iter().filter(|file| !file.starts_with(folder.join(RIG))) {
            let path = file.strip_prefix(&folder).unwrap_or(&file);
            let text = std::fs::read_to_string(&file).map_err(|error| cannot(&file, &error))?;
            found.extend(in_file(&module_of(&module, path), &text, only_tests(&file)));
        }
    }
    Ok(found)
}

/// Folders of sources, and the crate that each belongs to.
fn rooms(root: &Path) -> Result<Vec<(PathBuf, String)>, String> {
    let mut rooms = vec![(root.join("tests"), "upkeep".to_owned())];
    let crates = root.join("crates");
    for entry in std::fs::read_dir(&crates).map_err(|error| cannot(&crates, &error))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        rooms.push((entry.path().join("tests"), name.clone()));
        rooms.push((entry.path().join("src"), name));
    }
    rooms.sort();
    Ok(rooms)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| cannot(folder, &error))?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn cannot(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

/// In a crate's own sources only what stands in `mod tests` is a test.
fn only_tests(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "src") && !file.ends_with("tests.rs")
}

/// `upkeep`, `parity/stops.rs` → `upkeep::parity::stops`.
fn module_of(room: &str, path: &Path) -> String {
    let parts = path.components().map(|part| part.as_os_str().to_string_lossy().replace(".rs", ""));
    let inner = parts.filter(|part| !matches!(part.as_str(), "main" | "mod" | "lib" | "tests"));
    [room.to_owned()].into_iter().chain(inner).collect::<Vec<_>>().join("::")
}

fn in_file(module: &str, text: &str, only_tests: bool) -> Vec<Item> {
    let start = if only_tests { text.find("\nmod tests {").unwrap_or(text.len()) } else { 0 };
    let mut items: Vec<Item> = Vec::new();
    let (mut indent, mut above) = (0, String::new());
    for line in text[start..].lines() {
        indent = level(line).unwrap_or(indent);
        let inner = line.get(indent..).filter(|_| line[..indent].trim().is_empty()).unwrap_or_default();
        if let Some(name) = name(inner) {
            let shows = above.contains("test]") || inner.contains("const ") || inner.contains("static ");
            let name = if shows { format!("{module}::{name}") } else { String::new() };
            items.push(Item { name, text: std::mem::take(&mut above) });
        }
        let comment = inner.starts_with("///") || inner.starts_with("#[");
        match items.last_mut() {
            _ if comment => above.extend([line, "\n"]),
            Some(item) => item.text.extend([line, "\n"]),
            None => {}
        }
    }
    items.retain(|item| !item.name.is_empty());
    items
}

/// How deep items stand after this line: inside a module or a macro of tests, or outside again.
fn level(line: &str) -> Option<usize> {
    let opens = line.starts_with("mod ") || line.split_once("! {").is_some_and(|(name, _)| is_word(name));
    match line {
        "}" => Some(0),
        _ if opens && line.ends_with('{') => Some(4),
        _ => None,
    }
}

/// The name of the item that a line begins, if it does.
fn name(line: &str) -> Option<&str> {
    let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub(super) ")).unwrap_or(line);
    let line = line.strip_prefix("async ").unwrap_or(line);
    let rest = ["fn ", "const ", "static ", "impl ", "struct ", "enum "]
        .iter()
        .find_map(|word| line.strip_prefix(word))?;
    let end = rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len());
    Some(&rest[..end])
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
//! Module.

/// One.
#[test]
fn one() {
    inner();
}

const TABLE: [&str; 1] = [
    \"row\",
];

/// Helps.
fn helps() {}

proptest! {
    /// Two.
    #[test]
    fn two() {}
}
";

    #[test]
    fn comments_belong_to_what_follows() {
        let items = in_file("x::y", SOURCE, false);
        let of = |name: &str| items.iter().find(|item| item.name == name).expect("there").text.as_str();
        assert!(!items.iter().any(|item| item.text.contains("Module") || item.text.contains("Helps")));
        assert!(of("x::y::one").contains("One.") && of("x::y::one").contains("inner"));
        assert!(of("x::y::TABLE").contains("row") && !of("x::y::TABLE").contains("Two"));
        assert!(of("x::y::two").contains("Two."));
    }

    #[test]
    fn of_a_crates_own_source_only_its_tests_count() {
        let text =
            "/// A.\nfn a() {}\n\n#[cfg(test)]\nmod tests {\n    /// B.\n    #[test]\n    fn b() {}\n}\n";
        let names: Vec<String> = in_file("x", text, true).into_iter().map(|item| item.name).collect();
        assert_eq!(names, ["x::b"]);
        assert!(in_file("x", "/// A.\nfn a() {}\n", true).is_empty());
    }

    #[test]
    fn modules_are_named_as_they_run() {
        assert_eq!(module_of("config", Path::new("main/properties/ini.rs")), "config::properties::ini");
        assert_eq!(module_of("upkeep", Path::new("parity/mod.rs")), "upkeep::parity");
        assert_eq!(module_of("logs", Path::new("file/tests.rs")), "logs::file");
    }
}
