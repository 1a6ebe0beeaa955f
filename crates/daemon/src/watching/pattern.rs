//! Which names a pattern means. Pure.

use upkeep_config::name_matches;
use upkeep_core::spec::{PathPattern, WatchSpec};

/// What nobody means: traces of editors and tools, and what is installed beside a program and changes by the thousand.
const USUAL: [&str; 8] = ["*~", "#*#", "4913", "*.swp", "*.swx", "node_modules", "__pycache__", "*.pyc"];

/// Any number of directories.
pub(super) const ANY: &str = "**";

/// Whether a name stands for itself.
pub(super) fn is_plain(part: &str) -> bool {
    !part.contains(['*', '?', '['])
}

/// Whether a file or directory is not looked at, by its own name and path.
pub(super) fn is_ignored(spec: &WatchSpec, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let by_name = |pattern: &str| name_matches(pattern, name);
    USUAL.iter().any(|usual| by_name(usual))
        || spec.ignore_names.iter().any(|own| by_name(own))
        || spec.ignore_paths.iter().any(|pattern| means(pattern, path))
}

/// Whether a change of this file may be one of a program's.
pub(super) fn concerns(spec: &WatchSpec, path: &str) -> bool {
    spec.patterns.iter().any(|pattern| {
        let Some(below) = below(&pattern.root, path) else { return false };
        let mut at = pattern.root.trim_end_matches('/').to_owned();
        let hidden = below.split('/').any(|name| {
            at.push('/');
            at.push_str(name);
            is_ignored(spec, &at)
        });
        !hidden && fits(&pattern.parts, below)
    })
}

/// Whether a pattern means this path, or a directory that it is in.
fn means(pattern: &PathPattern, path: &str) -> bool {
    below(&pattern.root, path).is_some_and(|below| {
        let ends = below.match_indices('/').map(|(at, _)| at).chain([below.len()]);
        pattern.parts.is_empty() || ends.into_iter().any(|end| fits(&pattern.parts, &below[..end]))
    })
}

/// The path from a directory on; `None` if it is not in it.
fn below<'p>(root: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(root.trim_end_matches('/'))?.strip_prefix('/').filter(|below| !below.is_empty())
}

/// Whether names follow a pattern's parts. Nothing more to follow means all that is there.
fn fits(parts: &[String], below: &str) -> bool {
    let Some((part, rest)) = parts.split_first() else { return !has_hidden(below) };
    let (name, deeper) = match below.split_once('/') {
        Some((name, deeper)) => (name, Some(deeper)),
        None => (below, None),
    };
    if part == ANY {
        let here = if rest.is_empty() { !has_hidden(below) } else { fits(rest, below) };
        return here || deeper.is_some_and(|deeper| !name.starts_with('.') && fits(parts, deeper));
    }
    if !name_matches(part, name) {
        return false;
    }
    match (deeper, rest.is_empty()) {
        (None, empty) => empty,
        // A directory by its whole name is all that is in it.
        (Some(deeper), true) => is_plain(part) && !has_hidden(deeper),
        (Some(deeper), false) => fits(rest, deeper),
    }
}

fn has_hidden(below: &str) -> bool {
    below.split('/').any(|name| name.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use upkeep_core::spec::WatchAction;

    fn pattern(root: &str, parts: &str) -> PathPattern {
        let parts = parts.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        PathPattern { root: root.to_owned(), parts }
    }

    fn spec(root: &str, parts: &str, names: &[&str], paths: Vec<PathPattern>) -> WatchSpec {
        WatchSpec {
            patterns: vec![pattern(root, parts)],
            ignore_names: names.iter().map(|&name| name.to_owned()).collect(),
            ignore_paths: paths,
            action: WatchAction::Restart,
            debounce: Duration::ZERO,
        }
    }

    #[test]
    fn patterns_are_those_of_shells() {
        for (root, parts, path, expected) in [
            ("/a", "**/*.py", "/a/x.py", true),
            ("/a", "**/*.py", "/a/b/c/x.py", true),
            ("/a", "**/*.py", "/a/b/x.pyc", false),
            ("/a", "**/*.py", "/ab/x.py", false),
            ("/a", "**/*.py", "/a/.git/x.py", false),
            ("/a", "**/*.py", "/a/.x.py", false),
            ("/a", "*.py", "/a/b/x.py", false),
            ("/a", "*/x.py", "/a/b/x.py", true),
            ("/a", ".env", "/a/.env", true),
            ("/a", ".env", "/a/b/.env", false),
            ("/a", "src", "/a/src", true),
            ("/a", "src", "/a/src/b/c", true),
            ("/a", "src", "/a/src/.git/c", false),
            ("/a", "src/*", "/a/src/b/c", false),
            ("/a", "", "/a/b/c", true),
            ("/a", "", "/a", false),
            ("/a", "**", "/a/b/c", true),
            ("/a", "**/b/**", "/a/x/b/c/d", true),
            ("/a", "**/b/*.c", "/a/b/b/x.c", true),
            ("/a", "[ab].c", "/a/b.c", true),
            ("/", "etc/hosts", "/etc/hosts", true),
            ("/a", "**", "/a/node_modules/x.js", false),
            ("/a", "**", "/a/b/x.php~", false),
        ] {
            assert_eq!(
                concerns(&spec(root, parts, &[], Vec::new()), path),
                expected,
                "{root} {parts} {path}"
            );
        }
    }

    #[test]
    fn what_is_ignored_is_so_with_all_that_is_in_it() {
        let paths = vec![pattern("/a", "gen/*"), pattern("/a/b", "")];
        let spec = spec("/a", "**", &["cache", "*.log"], paths);
        for (path, expected) in [
            ("/a/x", true),
            ("/a/cache", false),
            ("/a/d/cache/x", false),
            ("/a/x.log", false),
            ("/a/gen/x/y", false),
            ("/a/gen", true),
            ("/a/b/c", false),
        ] {
            assert_eq!(concerns(&spec, path), expected, "{path}");
        }
    }
}
