//! The dialects that a configuration file may be in, told apart by the ending of its name. YAML, TOML and JSON become a
//! tree of nodes, every one with its place, and the tree becomes the same sections, keys and values that the INI
//! dialect has: from there on nobody knows which one it was.

mod fold;
mod json;
mod lines;
mod node;
mod shape;
mod toml;
mod yaml;

use crate::diagnostic::Diagnostic;
use crate::ini::{self, Document};
use lines::Lines;
use node::Node;

pub(crate) use fold::{FAMILIES, OTHERS};
pub(crate) use shape::any_row;
pub(crate) use yaml::is_text;

/// Lists and maps in one another, at most.
const DEPTH: usize = 32;

/// How a configuration file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Supervisor's own.
    Ini,
    /// `.toml`.
    Toml,
    /// `.yaml` or `.yml`.
    Yaml,
    /// `.json`.
    Json,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 4] = [Self::Ini, Self::Toml, Self::Yaml, Self::Json];

    /// What the ending of a file's name says; INI if it says nothing.
    #[must_use]
    pub fn of(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("toml") => Self::Toml,
            Some("yaml" | "yml") => Self::Yaml,
            Some("json") => Self::Json,
            Some(_) | None => Self::Ini,
        }
    }

    /// `ini`, `toml`, `yaml` or `json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ini => "ini",
            Self::Toml => "toml",
            Self::Yaml => "yaml",
            Self::Json => "json",
        }
    }
}

/// What is wrong with a file as such.
#[derive(Debug, Default)]
pub(crate) struct Trouble {
    /// It is not in its dialect: of what it says, nothing or only a part is known.
    pub(crate) unreadable: Vec<Diagnostic>,
    /// It is, and something in it is not what belongs there; everything else is known.
    pub(crate) wrong: Vec<Diagnostic>,
}

impl Trouble {
    /// The first of all.
    pub(crate) fn first(self) -> Option<Diagnostic> {
        self.unreadable.into_iter().chain(self.wrong).next()
    }
}

/// Merges a file into the document. What was understood is merged even when something is wrong.
pub(crate) fn read(document: &mut Document, dialect: Dialect, name: &str, bytes: &[u8]) -> Trouble {
    if dialect == Dialect::Ini {
        let unreadable = ini::read(document, name, bytes).err().map(|problem| *problem).into_iter().collect();
        return Trouble { unreadable, wrong: Vec::new() };
    }
    let file = document.files.len();
    document.files.push(name.to_owned());
    let mut parsed = match text(bytes) {
        Ok(text) => parse(dialect, text),
        Err(problem) => Err(vec![*problem]),
    };
    if let Ok((root, problems)) = &mut parsed {
        problems.extend(fold::fold(document, file, root));
    }
    let (mut unreadable, mut wrong) = match parsed {
        Ok((_, wrong)) => (Vec::new(), wrong),
        Err(unreadable) => (unreadable, Vec::new()),
    };
    for problem in unreadable.iter_mut().chain(&mut wrong) {
        problem.file = Some(name.to_owned());
    }
    Trouble { unreadable, wrong }
}

/// The tree of a text, and keys that stand in it twice.
type Parsed = Result<(Node, Vec<Diagnostic>), Vec<Diagnostic>>;

fn parse(dialect: Dialect, text: &str) -> Parsed {
    match dialect {
        Dialect::Yaml => yaml::parse(text).map_err(|problem| vec![*problem]),
        Dialect::Json => json::parse(text).map_err(|problem| vec![*problem]),
        Dialect::Toml => toml::parse(text),
        Dialect::Ini => Err(Vec::new()),
    }
}

/// A byte order mark is dropped.
fn text(bytes: &[u8]) -> Result<&str, Box<Diagnostic>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let good = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            let mut problem = Diagnostic::error("the file is not in UTF-8");
            Lines::new(good).spot(good.len()).mark(&mut problem);
            Err(Box::new(problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_the_name_tells_the_dialect() {
        for (path, dialect) in [
            ("/etc/supervisord.conf", Dialect::Ini),
            ("a.yaml", Dialect::Yaml),
            ("a.b/c.YML", Dialect::Yaml),
            ("x.toml", Dialect::Toml),
            ("x.json", Dialect::Json),
            ("x.json/web", Dialect::Ini),
            ("x.json.bak", Dialect::Ini),
            ("yaml", Dialect::Ini),
        ] {
            assert_eq!(Dialect::of(path), dialect, "{path}");
        }
    }
}
