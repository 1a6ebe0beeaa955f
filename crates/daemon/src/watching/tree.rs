//! A look at what a program watches: which directories have to be watched for it, and what its files are like.

use std::collections::BTreeSet;
use std::fs;

use upkeep_core::spec::WatchSpec;

use super::digest;
use super::pattern::{ANY, is_ignored, is_plain};

/// Names that are looked at in one go.
const MOST: usize = 200_000;
/// Directories in one another.
const DEPTH: usize = 64;
/// Links that lead to one another.
const LINKS: usize = 40;
/// Links among the files of a program whose targets are watched.
const TARGETS: usize = 256;

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Made of all files.
    pub(super) files: u64,
    /// Paths whose coming, going and turning may change what is found, though they are no files of the program: roots
    /// and links on the way to them. The directories they are in are watched, too.
    pub(super) hinges: BTreeSet<String>,
    /// There is more than can be looked at.
    pub(super) too_much: bool,
    names: usize,
    targets: usize,
}

impl Look {
    /// Looks at everything. `enter` is told of each directory before it is read, so that nothing is missed that happens
    /// meanwhile. Blocks on the file system.
    pub(super) fn at(spec: &WatchSpec, enter: &mut dyn FnMut(&str)) -> Self {
        let mut look = Self::default();
        for pattern in &spec.patterns {
            look.way_to(&pattern.root);
            look.visit(spec, &pattern.root, &pattern.parts, enter, 0);
        }
        for hinge in &look.hinges {
            enter(parent(hinge));
        }
        look
    }

    /// Follows a path name by name, for what might turn it elsewhere.
    fn way_to(&mut self, path: &str) {
        let mut left: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let (mut at, mut links) = (String::new(), 0);
        while let Some(name) = left.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    at.truncate(at.rfind('/').unwrap_or(0));
                    continue;
                }
                name => at = format!("{at}/{name}"),
            }
            let Ok(about) = fs::symlink_metadata(&at) else {
                self.hinges.insert(at);
                return;
            };
            if about.is_symlink() {
                links += 1;
                self.hinges.insert(at.clone());
                let Some(target) = fs::read_link(&at).ok().filter(|_| links <= LINKS) else { return };
                let target = target.to_string_lossy().into_owned();
                at = if target.starts_with('/') {
                    String::new()
                } else {
                    parent(&at).trim_end_matches('/').to_owned()
                };
                left.extend(target.split('/').rev().map(str::to_owned));
            }
        }
        if !at.is_empty() {
            self.hinges.insert(at);
        }
    }

    fn visit(
        &mut self,
        spec: &WatchSpec,
        directory: &str,
        parts: &[String],
        enter: &mut dyn FnMut(&str),
        depth: usize,
    ) {
        if depth > DEPTH || self.is_full() {
            self.too_much = true;
            return;
        }
        enter(directory);
        if let Some((part, rest)) = parts.split_first().filter(|(part, _)| is_plain(part)) {
            let path = format!("{}/{part}", directory.trim_end_matches('/'));
            return self.found(spec, &path, rest, true, enter, depth);
        }
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            // Who has other names than text in a tree of sources does not watch those.
            let Ok(name) = entry.file_name().into_string() else { continue };
            self.names += 1;
            if self.is_full() {
                self.too_much = true;
                return;
            }
            let path = format!("{}/{name}", directory.trim_end_matches('/'));
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            self.entry(spec, &path, &name, is_directory, parts, enter, depth);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one step of a walk, which they are the state of")]
    fn entry(
        &mut self,
        spec: &WatchSpec,
        path: &str,
        name: &str,
        is_directory: bool,
        parts: &[String],
        enter: &mut dyn FnMut(&str),
        depth: usize,
    ) {
        match parts.split_first() {
            Some((part, rest)) if part != ANY => {
                if upkeep_config::name_matches(part, name) {
                    self.found(spec, path, rest, is_plain(part), enter, depth);
                }
            }
            // All that is here, or `**`.
            whole => {
                if name.starts_with('.') && whole.is_none_or(|(_, rest)| rest.is_empty()) {
                    return;
                }
                if is_directory && !name.starts_with('.') && !is_ignored(spec, path) {
                    self.visit(spec, path, parts, enter, depth + 1);
                }
                match whole {
                    Some((_, [next, after @ ..])) if upkeep_config::name_matches(next, name) => {
                        self.found(spec, path, after, is_plain(next), enter, depth);
                    }
                    Some((_, [_, ..])) => {}
                    _ if !is_directory => self.found(spec, path, &[], false, enter, depth),
                    _ => {}
                }
            }
        }
    }

    /// Something that a part of a pattern means, if it is there; `rest` is what must follow.
    fn found(
        &mut self,
        spec: &WatchSpec,
        path: &str,
        rest: &[String],
        plain: bool,
        enter: &mut dyn FnMut(&str),
        depth: usize,
    ) {
        if is_ignored(spec, path) {
            return;
        }
        let Ok(about) = fs::symlink_metadata(path) else { return };
        let leads_to_directory = about.is_symlink() && fs::metadata(path).is_ok_and(|target| target.is_dir());
        if about.is_symlink() && plain {
            // As a directory on the way, or as a file by its whole name.
            self.turns(path);
        }
        if about.is_dir() || (leads_to_directory && plain) {
            if !rest.is_empty() || plain {
                self.visit(spec, path, rest, enter, depth + 1);
            }
        } else if rest.is_empty() {
            self.files = self.files.wrapping_add(digest::of_file(path, &about));
        }
    }

    fn turns(&mut self, path: &str) {
        if self.targets < TARGETS {
            self.targets += 1;
            self.way_to(path);
        }
    }

    fn is_full(&self) -> bool {
        self.names > MOST
    }
}

/// The directory that something is in.
pub(super) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::Path;
    use std::time::Duration;

    use super::*;
    use upkeep_core::spec::{PathPattern, WatchAction};

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What is found, and the directories below the folder that are entered.
    fn look(folder: &Path, root: &str, parts: &str) -> (u64, Vec<String>) {
        let root = folder.join(root).to_string_lossy().trim_end_matches('/').to_owned();
        let parts = parts.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let spec = WatchSpec {
            patterns: vec![PathPattern { root, parts }],
            ignore_names: vec!["cache".to_owned()],
            ignore_paths: Vec::new(),
            action: WatchAction::Restart,
            debounce: Duration::ZERO,
        };
        let mut entered = BTreeSet::new();
        let look = Look::at(&spec, &mut |path| {
            let inner =
                Path::new(path).strip_prefix(folder).map(|inner| inner.to_string_lossy().into_owned());
            entered.extend(inner.ok());
        });
        (look.files, entered.into_iter().collect())
    }

    #[test]
    fn only_directories_that_matter_are_entered() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        for name in
            ["a/x.py", "a/b/y.py", "a/.git/z.py", "a/node_modules/m/n.py", "a/cache/c.py", "d/e.py", ".env"]
        {
            write(&folder, name, "1");
        }
        for (root, parts, entered) in [
            ("a", "**/*.py", vec!["", "a", "a/b"]),
            ("", "*/*.py", vec!["", "a", "d"]),
            ("", ".env", vec![""]),
            ("a", "", vec!["", "a", "a/b"]),
            ("", "a", vec!["", "a", "a/b"]),
            ("none/there", "*", vec![""]),
        ] {
            let found = look(&folder, root, parts).1;
            let found: Vec<String> = found.into_iter().filter(|path| path != "none/there").collect();
            assert_eq!(found, entered, "{root} {parts}");
        }
    }

    #[test]
    fn every_kind_of_change_is_one_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        write(&folder, "one/src/a.py", "1");
        write(&folder, "two/src/a.py", "1");
        symlink("one", folder.join("current")).unwrap();
        write(&folder, "shared/.env", "A=1");
        symlink("../shared/.env", folder.join("one/.env")).unwrap();
        let state = || (look(&folder, "current/src", "**/*.py").0, look(&folder, "current", ".env").0);
        let mut last = state();
        assert_eq!(state(), last);
        type Change<'c> = (&'c str, &'c dyn Fn(), (bool, bool));
        let changes: [Change<'_>; 8] = [
            ("written", &|| write(&folder, "one/src/a.py", "22"), (true, false)),
            ("another file", &|| write(&folder, "one/src/b.txt", "2"), (false, false)),
            ("added", &|| write(&folder, "one/src/new/c.py", ""), (true, false)),
            ("removed", &|| fs::remove_file(folder.join("one/src/new/c.py")).unwrap(), (true, false)),
            ("the link's target", &|| write(&folder, "shared/.env", "A=22"), (false, true)),
            (
                "replaced by the same",
                &|| {
                    write(&folder, "one/src/.a.py.tmp", "22");
                    fs::rename(folder.join("one/src/.a.py.tmp"), folder.join("one/src/a.py")).unwrap();
                },
                (true, false),
            ),
            (
                "another release",
                &|| {
                    symlink("two", folder.join("next")).unwrap();
                    fs::rename(folder.join("next"), folder.join("current")).unwrap();
                },
                (true, true),
            ),
            ("the old release", &|| write(&folder, "one/src/a.py", "333"), (false, false)),
        ];
        for (what, change, expected) in changes {
            change();
            let new = state();
            assert_eq!((new.0 != last.0, new.1 != last.1), expected, "{what}");
            last = new;
        }
    }

    #[test]
    fn links_on_the_way_are_hinges() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        write(&folder, "releases/1/src/a", "");
        symlink("releases/1", folder.join("current")).unwrap();
        symlink("loop", folder.join("loop")).unwrap();
        let mut look = Look::default();
        look.way_to(&folder.join("current/src").to_string_lossy());
        look.way_to(&folder.join("loop/x").to_string_lossy());
        look.way_to(&folder.join("gone/x/y").to_string_lossy());
        let inner =
            |path: &String| Path::new(path).strip_prefix(&folder).unwrap().to_string_lossy().into_owned();
        let hinges: Vec<String> = look.hinges.iter().map(inner).collect();
        assert_eq!(hinges, ["current", "gone", "loop", "releases/1/src"]);
    }
}
