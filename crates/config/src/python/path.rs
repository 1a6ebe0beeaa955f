//! Python's `os.path`, on text.

use crate::environment::Environment;
use crate::world::World;

/// `os.path.join` of two parts.
pub(crate) fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') || base.is_empty() {
        path.to_owned()
    } else if base.ends_with('/') {
        format!("{base}{path}")
    } else {
        format!("{base}/{path}")
    }
}

/// `os.path.dirname`.
pub(crate) fn dirname(path: &str) -> &str {
    let Some(slash) = path.rfind('/') else { return "" };
    let head = &path[..=slash];
    let trimmed = head.trim_end_matches('/');
    if trimmed.is_empty() { head } else { trimmed }
}

/// `os.path.normpath`: `.` and `..` resolved by text alone, two leading slashes kept.
pub(crate) fn normpath(path: &str) -> String {
    let root = match path.len() - path.trim_start_matches('/').len() {
        0 => "",
        2 => "//",
        _ => "/",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|&last| last != "..") => {
                parts.pop();
            }
            ".." if parts.is_empty() && !root.is_empty() => {}
            part => parts.push(part),
        }
    }
    let text = format!("{root}{}", parts.join("/"));
    if text.is_empty() { ".".to_owned() } else { text }
}

/// `os.path.abspath`, relative to the environment's directory.
pub(crate) fn abspath(path: &str, env: &Environment) -> String {
    normpath(&join(&env.cwd_text(), path))
}

/// `os.path.expanduser`: a leading `~` or `~name`.
pub(crate) fn expanduser(path: &str, env: &Environment, world: &dyn World) -> String {
    let Some(rest) = path.strip_prefix('~') else { return path.to_owned() };
    let (name, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = match (name, env.var("HOME")) {
        ("", Some(home)) => Some(home.to_owned()),
        ("", None) => world.home(None).map(|home| home.to_string_lossy().into_owned()),
        (name, _) => world.home(Some(name)).map(|home| home.to_string_lossy().into_owned()),
    };
    let Some(home) = home else { return path.to_owned() };
    let text = format!("{}{rest}", home.trim_end_matches('/'));
    if text.is_empty() { "/".to_owned() } else { text }
}

/// Supervisor's way to make a path absolute: `~`, then the working directory, then `.` and `..`.
pub(crate) fn normalize(path: &str, env: &Environment, world: &dyn World) -> String {
    abspath(&expanduser(path, env, world), env)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_as_python_has_them() {
        for (path, expected) in [
            ("", "."),
            ("/", "/"),
            ("//a//b/", "//a/b"),
            ("///a", "/a"),
            ("a/../..", ".."),
            ("/../a/./b", "/a/b"),
            ("../../a", "../../a"),
        ] {
            assert_eq!(normpath(path), expected, "{path}");
        }
        for (path, expected) in
            [("a", ""), ("/a", "/"), ("a/b", "a"), ("a//b", "a"), ("//a", "//"), ("a/", "a")]
        {
            assert_eq!(dirname(path), expected, "{path}");
        }
        for (base, path, expected) in
            [("a", "b", "a/b"), ("a/", "b", "a/b"), ("", "b", "b"), ("a", "/b", "/b"), ("a", "", "a/")]
        {
            assert_eq!(join(base, path), expected);
        }
    }
}
