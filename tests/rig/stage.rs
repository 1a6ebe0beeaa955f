//! The same scene, played with both makers at once, and the comparison of what was said.

use std::fmt::Write as _;

use super::daemon::Daemon;
use super::home::Home;
use super::http::Arg;
use super::maker::Maker;
use super::plain::plain;
use super::run::Said;

/// A daemon, the client used with it, and everything that was said.
pub(crate) struct Stage {
    pub(crate) daemon: Daemon,
    client: Maker,
    script: String,
}

impl Stage {
    pub(crate) fn client(&self) -> Maker {
        self.client
    }

    /// Runs `supervisorctl` and notes its output and exit status.
    pub(crate) fn ctl(&mut self, words: &[&str]) {
        let said = self.daemon.ctl_of(self.client, words);
        self.note_said(words, &said.stdout.clone(), &said);
    }

    /// The same for commands whose lines come in the order of completion. The last failure sets the status (CTL-009), so
    /// only whether there is one can be compared.
    pub(crate) fn ctl_in_any_order(&mut self, words: &[&str]) {
        let mut said = self.daemon.ctl_of(self.client, words);
        said.status = said.status.map(|status| status.min(1));
        let mut lines: Vec<&str> = said.stdout.lines().collect();
        lines.sort_unstable();
        self.note_said(words, &(lines.join("\n") + "\n"), &said);
    }

    fn note_said(&mut self, words: &[&str], stdout: &str, said: &Said) {
        let title = format!("$ supervisorctl {}", words.join(" "));
        let stdout = plain(stdout, self.daemon.home.path());
        let status = said.status;
        writeln!(self.script, "{title}\n{stdout}=> {status:?}").expect("a string");
    }

    /// Calls a method and notes the answer.
    pub(crate) fn call(&mut self, method: &str, args: &[Arg<'_>]) {
        let answer = self.daemon.call(method, args);
        self.note(&format!("{method} {args:?}"), &answer);
    }

    /// Waits for the daemon's end and notes its exit status.
    pub(crate) fn note_end(&mut self) {
        let status = self.daemon.wait_for_end();
        self.note("exit status", &format!("{status:?}"));
    }

    /// Notes a text with what may differ taken out.
    pub(crate) fn note(&mut self, title: &str, text: &str) {
        let text = plain(text, self.daemon.home.path());
        writeln!(self.script, "# {title}\n{text}").expect("a string");
    }

    /// Notes the daemon's log: first what is not about one of `processes`, then each process' lines.
    /// Lines of different processes may come in any order. A stop that is over before the original looks for the
    /// first time is not waited for, so that line is left out.
    pub(crate) fn note_log(&mut self, processes: &[&str]) {
        let log = plain(&self.daemon.log(), self.daemon.home.path());
        let waits = |line: &&str| line.contains(" INFO waiting for ") && line.ends_with(" to stop");
        // At the end the first such line always comes, the others each three seconds if it takes so long.
        let mut ending = false;
        let mut again = |line: &&str| {
            let dies = line.contains(" INFO waiting for ") && line.ends_with(" to die");
            dies && std::mem::replace(&mut ending, true)
        };
        let lines = log.lines().filter(|line| !waits(line));
        let log = lines.filter(|line| !again(line)).collect::<Vec<_>>().join("\n");
        let about = |line: &str, name: &str| names(line).any(|word| word == name);
        let rest = log.lines().filter(|line| !processes.iter().any(|name| about(line, name)));
        let mut text = rest.fold(String::new(), |text, line| text + line + "\n");
        for name in processes {
            for line in log.lines().filter(|line| about(line, name)) {
                text += &format!("[{name}] {line}\n");
            }
        }
        self.note("log", &text);
    }
}

/// The words of a log line that may be the name of a process.
fn names(line: &str) -> impl Iterator<Item = &str> {
    line.split([' ', ',', '\'', ';', ':']).filter(|word| !word.is_empty())
}

/// Plays `scene` with the original and with ours and compares what was said.
pub(crate) fn compare(config: &str, scene: impl Fn(&mut Stage) + Sync) {
    compare_prepared(config, &|_| {}, scene);
}

/// The same, with something laid into the directory before the daemon starts.
pub(crate) fn compare_prepared(
    config: &str,
    prepare: &(dyn Fn(&Home) + Sync),
    scene: impl Fn(&mut Stage) + Sync,
) {
    let pairs = [(Maker::Reference, Maker::Reference), (Maker::Upkeep, Maker::Upkeep)];
    let scripts = play(&pairs, config, prepare, &scene);
    assert_same(pairs[1], &scripts[0], &scripts[1]);
}

/// Plays `scene` with each client on each daemon; the original with itself is the measure.
pub(crate) fn compare_crossed(config: &str, scene: impl Fn(&mut Stage) + Sync) {
    use Maker::{Reference, Upkeep};
    let pairs = [(Reference, Reference), (Upkeep, Upkeep), (Upkeep, Reference), (Reference, Upkeep)];
    let scripts = play(&pairs, config, &|_| {}, &scene);
    for (pair, script) in pairs.iter().zip(&scripts).skip(1) {
        assert_same(*pair, &scripts[0], script);
    }
}

/// Tells a story with each maker, both at once, and compares what was told. What differs by nature is taken out by the
/// story itself. Returns the story.
pub(crate) fn same_story(story: impl Fn(Maker) -> String + Sync) -> String {
    let (reference, ours) = std::thread::scope(|scope| {
        let reference = scope.spawn(|| story(Maker::Reference));
        let ours = story(Maker::Upkeep);
        (reference.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)), ours)
    });
    assert!(reference == ours, "ours differs from the original:\n{}", differences(&reference, &ours));
    ours
}

fn play(
    pairs: &[(Maker, Maker)],
    config: &str,
    prepare: &(dyn Fn(&Home) + Sync),
    scene: &(impl Fn(&mut Stage) + Sync),
) -> Vec<String> {
    std::thread::scope(|scope| {
        let actor = |&(daemon, client): &(Maker, Maker)| {
            scope.spawn(move || {
                let home = Home::new();
                prepare(&home);
                let daemon = Daemon::start_in(home, daemon, config);
                let mut stage = Stage { daemon, client, script: String::new() };
                scene(&mut stage);
                stage.script
            })
        };
        let actors: Vec<_> = pairs.iter().map(actor).collect();
        actors
            .into_iter()
            .map(|actor| actor.join().unwrap_or_else(|cause| std::panic::resume_unwind(cause)))
            .collect()
    })
}

fn assert_same((daemon, client): (Maker, Maker), reference: &str, ours: &str) {
    if reference != ours {
        panic!(
            "daemon {daemon:?}, client {client:?} differ from the original:\n{}",
            differences(reference, ours)
        );
    }
}

/// The lines that differ, each hunk with some lines before it; `-` is the original's, `+` ours.
pub(crate) fn differences(reference: &str, ours: &str) -> String {
    const CONTEXT: usize = 12;
    let (left, right): (Vec<&str>, Vec<&str>) = (reference.lines().collect(), ours.lines().collect());
    let common = longest_common(&left, &right);
    let (mut i, mut j) = (0, 0);
    let mut lines: Vec<String> = Vec::new();
    for (at, to) in common.into_iter().chain([(left.len(), right.len())]) {
        lines.extend(left[i..at].iter().map(|line| format!("- {line}")));
        lines.extend(right[j..to].iter().map(|line| format!("+ {line}")));
        lines.extend(left.get(at).map(|line| format!("  {line}")));
        (i, j) = (at + 1, to + 1);
    }
    let near = |at: usize| lines[at..lines.len().min(at + CONTEXT)].iter().any(|line| !line.starts_with(' '));
    let shown = lines.iter().enumerate().filter(|(at, _)| near(*at)).map(|(_, line)| line.as_str());
    shown.collect::<Vec<_>>().join("\n")
}

/// Pairs of indexes of the lines both have, in order.
fn longest_common(left: &[&str], right: &[&str]) -> Vec<(usize, usize)> {
    let mut lengths = vec![vec![0_u32; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            lengths[i][j] = if left[i] == right[j] {
                lengths[i + 1][j + 1] + 1
            } else {
                lengths[i + 1][j].max(lengths[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < left.len() && j < right.len() {
        if left[i] == right[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}
