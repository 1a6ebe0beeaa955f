//! The thread that looks at files: waits for notices of the kernel, for orders, and for quiet after a change.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use upkeep_core::ordered;
use upkeep_core::spec::WatchSpec;

use super::pattern::{concerns, is_ignored};
use super::tree::Look;
use super::{Noticed, Seen, Wanted, digest};

/// Directories that are watched, at most: each costs the kernel a kilobyte.
const MOST: usize = 8192;
/// Paths by which one directory is known.
const NAMES: usize = 4;
/// While changes go on, something is done about them after so many times the quiet that is waited for.
const PATIENCE: u32 = 10;
/// Notices that are taken in one go.
const AT_ONCE: usize = 4096;
/// Looks in a row, until one finds nothing new to watch.
const LOOKS: usize = 3;

/// What comes, goes, is turned, or was written.
const CHANGES: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// What wakes the thread.
pub(super) fn bell() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

pub(super) fn ring(bell: &OwnedFd) {
    // Fails only when it has been rung more often than anybody can.
    let _ = rustix::io::write(bell, &1u64.to_ne_bytes());
}

/// Watches what is ordered until there is nothing to watch, or nobody to order it.
pub(super) fn run(orders: &Receiver<Vec<Wanted>>, bell: &OwnedFd, tell: &dyn Fn(Noticed)) {
    let mut files = match inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK) {
        Ok(notices) => Files { notices: Some(notices), ..Files::default() },
        Err(error) => Files { unable: Some(no_notices(error)), ..Files::default() },
    };
    loop {
        match orders.try_recv() {
            Ok(wanted) if wanted.is_empty() => return,
            Ok(wanted) => files.take(wanted, tell),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => {
                files.look_around(tell);
                files.wait(bell);
            }
        }
    }
}

/// A program's files.
#[derive(Debug)]
struct Program {
    section: Arc<str>,
    spec: Arc<WatchSpec>,
    patterns: u64,
    seen: Option<u64>,
    /// When to look, if something has changed.
    due: Option<Instant>,
    /// When it first had, since the last look.
    since: Option<Instant>,
    /// What it was.
    why: Option<String>,
    hinges: BTreeSet<String>,
    /// The directories that are watched for it.
    watches: BTreeSet<i32>,
    /// It has been told of what cannot be watched.
    complained: bool,
}

impl Program {
    /// Something may have changed: looks once all is quiet.
    fn touch(&mut self, now: Instant, why: Option<String>) {
        let since = *self.since.get_or_insert(now);
        let last = since + self.spec.debounce.saturating_mul(PATIENCE);
        self.due = Some((now + self.spec.debounce).min(last.max(now)));
        if self.why.is_none() {
            self.why = why;
        }
    }
}

#[derive(Debug, Default)]
struct Files {
    notices: Option<OwnedFd>,
    /// Why there are no notices.
    unable: Option<String>,
    programs: Vec<Program>,
    /// The paths of each watched directory.
    directories: BTreeMap<i32, Vec<String>>,
}

impl Files {
    fn take(&mut self, wanted: Vec<Wanted>, tell: &dyn Fn(Noticed)) {
        // Both are in the order of their sections.
        let mut old = std::mem::take(&mut self.programs).into_iter().peekable();
        for want in wanted {
            let patterns = digest::of_patterns(&want.spec);
            while old.next_if(|program| program.section < want.section).is_some() {}
            let known =
                old.next_if(|program| program.section == want.section && program.patterns == patterns);
            let is_new = known.is_none();
            let program = match known {
                Some(known) => Program { spec: want.spec, ..known },
                None => Program {
                    section: want.section,
                    spec: want.spec,
                    patterns,
                    seen: want.known.filter(|known| known.patterns == patterns).map(|known| known.files),
                    due: Some(Instant::now()),
                    since: None,
                    why: None,
                    hinges: BTreeSet::new(),
                    watches: BTreeSet::new(),
                    complained: false,
                },
            };
            if let (Some(text), true) = (&self.unable, is_new) {
                tell(Noticed::Trouble { section: program.section.clone(), text: text.clone() });
            }
            self.programs.push(program);
        }
        self.let_go();
    }

    /// Looks at the files of whom it is time for.
    fn look_around(&mut self, tell: &dyn Fn(Noticed)) {
        let now = Instant::now();
        let mut looked = false;
        for at in 0..self.programs.len() {
            if self.programs[at].due.is_some_and(|due| due <= now) {
                self.look_at(at, tell);
                looked = true;
            }
        }
        if looked {
            self.let_go();
        }
    }

    fn look_at(&mut self, at: usize, tell: &dyn Fn(Noticed)) {
        let spec = self.programs[at].spec.clone();
        let (mut look, mut trouble) = (Look::default(), None);
        for _ in 0..LOOKS {
            let mut watches = BTreeSet::new();
            let mut new = false;
            look = Look::at(&spec, &mut |path| match self.watch(path) {
                Ok(Some((watch, first))) => {
                    watches.insert(watch);
                    new |= first;
                }
                Ok(None) => {}
                Err(text) => trouble = trouble.take().or(Some(text)),
            });
            self.programs[at].watches = watches;
            if !new {
                break;
            }
        }
        if look.too_much {
            trouble =
                Some("there are too many files below these directories to look at all of them".to_owned());
        }
        let program = &mut self.programs[at];
        program.hinges = look.hinges;
        (program.due, program.since) = (None, None);
        let (before, why) = (program.seen.replace(look.files), program.why.take());
        if let Some(text) = trouble.filter(|_| !program.complained) {
            program.complained = true;
            tell(Noticed::Trouble { section: program.section.clone(), text });
        }
        if before == Some(look.files) {
            return;
        }
        let changed = before.map(|_| match why {
            Some(path) => format!("{} has changed", printable(&path)),
            None => "files have changed".to_owned(),
        });
        let seen = Seen { patterns: program.patterns, files: look.files };
        tell(Noticed::Files { section: program.section.clone(), seen, changed });
    }

    /// Watches a directory, whether it is already or not; says whether it was not. What is not there is none.
    fn watch(&mut self, path: &str) -> Result<Option<(i32, bool)>, String> {
        let Some(notices) = &self.notices else { return Ok(None) };
        let watch = match inotify::add_watch(notices, path, CHANGES) {
            Ok(watch) => watch,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(error) => return Err(not_watched(path, error)),
        };
        if self.directories.len() >= MOST && !self.directories.contains_key(&watch) {
            // It is gone by itself if that fails.
            let _ = inotify::remove_watch(notices, watch);
            let path = printable(path);
            return Err(format!(
                "more than {MOST} directories: changes in {path} and others are not noticed"
            ));
        }
        let names = self.directories.entry(watch).or_default();
        let first = names.is_empty();
        if !names.iter().any(|name| name == path) && names.len() < NAMES {
            names.push(path.to_owned());
        }
        Ok(Some((watch, first)))
    }

    /// Watches no longer what nobody needs.
    fn let_go(&mut self) {
        let Some(notices) = &self.notices else { return };
        let needed = ordered::set(self.programs.iter().flat_map(|program| &program.watches).copied());
        self.directories.retain(|watch, _| {
            let stays = needed.contains(watch);
            if !stays {
                // Fails if the directory is gone: then so is the watch.
                let _ = inotify::remove_watch(notices, *watch);
            }
            stays
        });
    }

    fn wait(&mut self, bell: &OwnedFd) {
        let due = self.programs.iter().filter_map(|program| program.due).min();
        let wait = due.map(|due| due.saturating_duration_since(Instant::now()));
        let wait = wait.map(|wait| Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(wait.subsec_nanos()),
        });
        let rung = {
            let mut waited = vec![PollFd::new(bell, PollFlags::IN)];
            waited.extend(self.notices.as_ref().map(|notices| PollFd::new(notices, PollFlags::IN)));
            // Interrupted, it looks around once more than it would have.
            let _ = poll(&mut waited, wait.as_ref());
            waited[0].revents().contains(PollFlags::IN)
        };
        if rung {
            let mut count = [0; 8];
            let _ = rustix::io::read(bell, &mut count);
        }
        self.take_notices();
    }

    fn take_notices(&mut self) {
        let Some(notices) = self.notices.take() else { return };
        let mut room = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&notices, &mut room);
        let now = Instant::now();
        // A flood of notices must not keep it from looking.
        for _ in 0..AT_ONCE {
            let Ok(event) = reader.next() else { break };
            let name = event.file_name().map(|name| name.to_string_lossy().into_owned());
            self.notice(now, event.wd(), event.events(), name.as_deref());
        }
        self.notices = Some(notices);
    }

    fn notice(&mut self, now: Instant, watch: i32, what: ReadFlags, name: Option<&str>) {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            self.programs.iter_mut().for_each(|program| program.touch(now, None));
            return;
        }
        let gone = what.intersects(ReadFlags::IGNORED | ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF);
        let names = match what.contains(ReadFlags::IGNORED) {
            true => self.directories.remove(&watch),
            false => self.directories.get(&watch).cloned(),
        };
        let names = names.unwrap_or_default();
        let is_directory = what.contains(ReadFlags::ISDIR);
        for program in self.programs.iter_mut().filter(|program| program.watches.contains(&watch)) {
            if gone {
                program.touch(now, None);
                continue;
            }
            let Some(name) = name else { continue };
            for directory in &names {
                let path = format!("{}/{name}", directory.trim_end_matches('/'));
                if program.hinges.contains(&path) || concerns(&program.spec, &path) {
                    program.touch(now, Some(path));
                } else if is_directory && !name.starts_with('.') && !is_ignored(&program.spec, &path) {
                    // There may be files in it.
                    program.touch(now, None);
                }
            }
        }
    }
}

fn no_notices(error: Errno) -> String {
    let limit = match error {
        Errno::MFILE => "; fs.inotify.max_user_instances says how many programs of a user may watch files",
        _ => "",
    };
    format!("the system gives no notices of changed files ({}): they are not seen{limit}", text(error))
}

fn not_watched(path: &str, error: Errno) -> String {
    let path = printable(path);
    if error == Errno::NOSPC {
        return format!(
            "the system's limit of watched directories is reached: changes in {path} and others are not noticed; raise \
             it with sysctl fs.inotify.max_user_watches"
        );
    }
    format!("cannot watch {path} and perhaps others: {}", text(error))
}

/// A path for the log: whoever may make files here must not make lines there.
fn printable(path: &str) -> String {
    path.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

fn text(error: Errno) -> String {
    io::Error::from(error).to_string()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use super::*;
    use upkeep_core::spec::{PathPattern, WatchAction};

    /// How long anything may take on a busy machine.
    const PATIENT: Duration = Duration::from_secs(30);

    fn spec(root: &std::path::Path, parts: &[&str]) -> Arc<WatchSpec> {
        let parts = parts.iter().map(|&part| part.to_owned()).collect();
        Arc::new(WatchSpec {
            patterns: vec![PathPattern { root: root.to_string_lossy().into_owned(), parts }],
            ignore_names: Vec::new(),
            ignore_paths: Vec::new(),
            action: WatchAction::Restart,
            debounce: Duration::from_millis(20),
        })
    }

    fn wanted(section: &str, spec: &Arc<WatchSpec>, known: Option<Seen>) -> Wanted {
        Wanted { section: section.into(), spec: spec.clone(), known }
    }

    struct Running {
        orders: Sender<Vec<Wanted>>,
        bell: Arc<OwnedFd>,
        told: Receiver<Noticed>,
        thread: std::thread::JoinHandle<()>,
    }

    impl Running {
        fn start(wanted: Vec<Wanted>) -> Self {
            let ((orders, taken), (teller, told)) = (channel(), channel());
            let bell = Arc::new(bell().unwrap());
            let own = bell.clone();
            let tell = move |noticed| drop(teller.send(noticed));
            let thread = std::thread::spawn(move || run(&taken, &own, &tell));
            let running = Self { orders, bell, told, thread };
            running.order(wanted);
            running
        }

        fn order(&self, wanted: Vec<Wanted>) {
            self.orders.send(wanted).unwrap();
            ring(&self.bell);
        }

        /// The section, what it is like now, and whether it was otherwise.
        fn next(&self) -> (String, Seen, bool) {
            match self.told.recv_timeout(PATIENT).expect("something is told") {
                Noticed::Files { section, seen, changed } => (section.to_string(), seen, changed.is_some()),
                Noticed::Trouble { text, .. } => panic!("{text}"),
            }
        }

        fn end(self) {
            self.order(Vec::new());
            self.thread.join().unwrap();
        }
    }

    #[test]
    fn changes_are_told_once_and_only_to_whom_they_concern() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (spec(folder.path(), &["**", "*.a"]), spec(folder.path(), &["**", "*.b"]));
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("x.a", "1");
        let running = Running::start(vec![wanted("a", &a, None), wanted("b", &b, None)]);
        assert!([running.next().2, running.next().2] == [false, false]);
        write("x.c", "1");
        for text in ["2", "33", "444"] {
            write("x.a", text);
        }
        let first = running.next();
        assert_eq!((first.0.as_str(), first.2), ("a", true));
        // In a directory that is new itself.
        std::fs::create_dir_all(folder.path().join("d/e")).unwrap();
        write("d/e/y.b", "1");
        // On a busy machine the writes above may have been several changes.
        let mut second = running.next();
        while second.0 == "a" {
            second = running.next();
        }
        assert_eq!((second.0.as_str(), second.2), ("b", true));
        // The same specification again, beside another one: nothing is new for it.
        running.order(vec![wanted("b", &b, None), wanted("c", &a, Some(first.1))]);
        write("x.a", "5");
        let third = running.next();
        assert_eq!((third.0.as_str(), third.2), ("c", true));
        running.end();
    }

    /// What was written down by an earlier daemon is compared with what is there.
    #[test]
    fn what_changed_while_nobody_looked_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let spec = spec(folder.path(), &["*.a"]);
        std::fs::write(folder.path().join("x.a"), "1").unwrap();
        let running = Running::start(vec![wanted("a", &spec, None)]);
        let seen = running.next().1;
        running.end();
        for (text, known, expected) in [
            ("22", Some(seen), true),
            ("333", None, false),
            ("4444", Some(Seen { patterns: seen.patterns + 1, ..seen }), false),
        ] {
            std::fs::write(folder.path().join("x.a"), text).unwrap();
            let running = Running::start(vec![wanted("a", &spec, known)]);
            assert_eq!(running.next().2, expected, "{text}");
            running.end();
        }
    }

    #[test]
    fn another_release_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["1", "2"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("x.a"), name).unwrap();
        }
        let turn = |to: &str| {
            std::os::unix::fs::symlink(to, folder.path().join("next")).unwrap();
            std::fs::rename(folder.path().join("next"), folder.path().join("current")).unwrap();
        };
        turn("1");
        let spec = spec(&folder.path().join("current"), &["*.a"]);
        let running = Running::start(vec![wanted("a", &spec, None)]);
        assert!(!running.next().2);
        for to in ["2", "1", "2"] {
            turn(to);
            assert!(running.next().2, "turned to {to}");
        }
        // It is that release's files that count now.
        std::fs::write(folder.path().join("2/x.a"), "new").unwrap();
        assert!(running.next().2);
        running.end();
    }

    #[test]
    fn limits_are_named() {
        for (text, part) in [
            (not_watched("/x", Errno::NOSPC), "fs.inotify.max_user_watches"),
            (not_watched("/x", Errno::ACCESS), "cannot watch /x and perhaps others: Permission denied"),
            (no_notices(Errno::MFILE), "fs.inotify.max_user_instances"),
            (no_notices(Errno::NOSYS), "not implemented"),
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
