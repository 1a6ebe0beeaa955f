//! File name patterns of `[include]`, as Python's `glob` has them: `* ? [..]`, no recursion, no braces, no `~`;
//! leading dots only literally (CFG-066).

use std::fs;
use std::path::Path;

use crate::python::path::join;

/// The paths that match, unsorted. Blocks on the file system; what cannot be read matches nothing.
pub(crate) fn glob(pattern: &str) -> Vec<String> {
    let (directory, name) = split(pattern);
    if !magic(pattern) {
        return if literal_matches(directory, name) { vec![pattern.to_owned()] } else { Vec::new() };
    }
    let directories = if magic(directory) { glob(directory) } else { vec![directory.to_owned()] };
    let mut found = Vec::new();
    for directory in directories {
        if magic(name) {
            found.extend(matching_names(&directory, name).iter().map(|name| join(&directory, name)));
        } else if literal_matches(&directory, name) {
            found.push(join(&directory, name));
        }
    }
    found
}

fn magic(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// `os.path.split`.
fn split(path: &str) -> (&str, &str) {
    let Some(slash) = path.rfind('/') else { return ("", path) };
    let (head, name) = path.split_at(slash + 1);
    let trimmed = head.trim_end_matches('/');
    (if trimmed.is_empty() { head } else { trimmed }, name)
}

/// A pattern that ends in a slash matches directories alone.
fn literal_matches(directory: &str, name: &str) -> bool {
    if name.is_empty() {
        return Path::new(directory).is_dir();
    }
    fs::symlink_metadata(join(directory, name)).is_ok()
}

fn matching_names(directory: &str, pattern: &str) -> Vec<String> {
    let directory = if directory.is_empty() { "." } else { directory };
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let pattern_chars: Vec<char> = pattern.chars().collect();
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| pattern.starts_with('.') || !name.starts_with('.'))
        .filter(|name| matches(&pattern_chars, &name.chars().collect::<Vec<char>>()))
        .collect()
}

/// Whether a file's name is what a pattern of one name means: `*`, `?` and `[..]`; a leading dot only literally.
#[must_use]
pub fn name_matches(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    matches(&pattern.chars().collect::<Vec<char>>(), &name.chars().collect::<Vec<char>>())
}

/// Part of a pattern.
enum Piece<'p> {
    Many,
    One,
    Char(char),
    Set(&'p [char]),
}

impl Piece<'_> {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Many | Self::One => true,
            Self::Char(own) => *own == c,
            Self::Set(set) => in_set(set, c),
        }
    }
}

fn pieces(pattern: &[char]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        pieces.push(match (first, set_end(after)) {
            ('*', _) => Piece::Many,
            ('?', _) => Piece::One,
            ('[', Some(end)) => {
                rest = &after[end + 1..];
                Piece::Set(&after[..end])
            }
            (c, _) => Piece::Char(c),
        });
    }
    pieces
}

/// Python's `fnmatch`. After a mismatch only the last `*` takes one character more: no pattern takes long.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let pieces = pieces(pattern);
    let (mut piece, mut at) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at < name.len() {
        match pieces.get(piece) {
            Some(Piece::Many) => {
                retry = Some((piece, at));
                piece += 1;
            }
            Some(other) if other.fits(name[at]) => {
                piece += 1;
                at += 1;
            }
            Some(_) | None => {
                let Some((star, taken)) = retry else { return false };
                retry = Some((star, taken + 1));
                (piece, at) = (star + 1, taken + 1);
            }
        }
    }
    pieces[piece..].iter().all(|piece| matches!(piece, Piece::Many))
}

/// Index of the `]` that ends a set; one right after `[` or `[!` is a member.
fn set_end(rest: &[char]) -> Option<usize> {
    let start = usize::from(rest.first() == Some(&'!'));
    (start + 1..rest.len()).find(|&at| rest[at] == ']')
}

fn in_set(set: &[char], c: char) -> bool {
    let (negated, set) = match set.split_first() {
        Some(('!', rest)) => (true, rest),
        Some(_) | None => (false, set),
    };
    let mut at = 0;
    let mut found = false;
    while at < set.len() {
        if at + 2 < set.len() && set[at + 1] == '-' {
            found |= (set[at]..=set[at + 2]).contains(&c);
            at += 3;
        } else {
            found |= set[at] == c;
            at += 1;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        matches(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>())
    }

    #[test]
    fn patterns_match_as_in_python_cfg_066() {
        for (pattern, name, expected) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("**", "anything", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]x", "]x", true),
            ("[a-]x", "-x", true),
            ("[a", "[a", true),
            ("{a,b}", "a", false),
            ("中*", "中文", true),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn finds_files_in_directories_that_match_cfg_066() {
        let root = tempfile::tempdir().unwrap();
        for file in ["a/x.conf", "b/y.conf", "b/.hidden.conf", "c/deep/z.conf"] {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| {
            let base = root.path().to_string_lossy().into_owned();
            let mut found = glob(&join(&base, pattern));
            found.sort();
            found.iter().map(|path| path[base.len() + 1..].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(found("*/*.conf"), ["a/x.conf", "b/y.conf"]);
        assert_eq!(found("**/*.conf"), ["a/x.conf", "b/y.conf"]);
        assert_eq!(found("b/.*.conf"), ["b/.hidden.conf"]);
        assert_eq!(found("a/x.conf"), ["a/x.conf"]);
        assert_eq!(found("*/x.conf"), ["a/x.conf"]);
        assert_eq!(found("c/"), ["c/"]);
        assert!(found("nope/*.conf").is_empty());
    }
}
