//! Takes out of a text what may differ between two runs of the same program: pids, times, random names.

use std::path::Path;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    [
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}", "TIME"),
        (r"\bpid [1-9]\d*", "pid PID"),
        (r"\bpid:[1-9]\d*", "pid:PID"),
        (r"uptime (\d+ days?, )?\d+:\d\d:\d\d", "uptime UP"),
        (r"(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d\d \d\d:\d\d [AP]M", "DATE"),
        (r"(---[a-z]+)-[a-z0-9_]{8}\.log", "$1-RANDOM.log"),
        (r"(killing '[^']*') \(\d+\)", "$1 (PID)"),
        (r"(error: <class '[^']*'>).*", "$1"),
    ]
    .into_iter()
    .map(|(pattern, with)| (Regex::new(pattern).expect("a pattern"), with))
    .collect()
});

/// `<name>pid</name>` and the like: a number that is not 0 says no more than that.
static MEMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"<name>(pid|now|start|stop)</name>\n<value><int>([1-9]\d*)</int>").expect("a pattern")
});

/// `text` without what may differ; `home` is the directory of the daemon.
pub(crate) fn plain(text: &str, home: &Path) -> String {
    let mut text = text.replace(&home.display().to_string(), "HOME");
    for (rule, with) in RULES.iter() {
        text = rule.replace_all(&text, *with).into_owned();
    }
    let member = |found: &Captures<'_>| format!("<name>{}</name>\n<value><int>N</int>", &found[1]);
    MEMBER.replace_all(&text, member).into_owned()
}
