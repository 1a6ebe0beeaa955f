//! Random inputs from a seed, small enough to read when they differ.

use serde_json::{Value, json};
use upkeep_config::{raw_sections, shlex};

use crate::corpus::difference;
use crate::dump::{dump, load_in};
use crate::reference::reference;

/// `UPKEEP_CONFIG_SEED`, else always the same.
fn seed() -> u64 {
    std::env::var("UPKEEP_CONFIG_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101)
}

/// `UPKEEP_CONFIG_CASES`, else what takes a second or two.
fn cases() -> u64 {
    std::env::var("UPKEEP_CONFIG_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000)
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn text(&mut self, from: &[&str], most: usize) -> String {
        let length = self.below(most + 1);
        (0..length).map(|_| self.pick(from)).collect()
    }
}

fn every_case(salt: u64, mut case: impl FnMut(&mut Dice) -> Option<String>) {
    let seed = seed();
    for number in 0..cases() {
        let mut dice = Dice(seed ^ salt ^ number.wrapping_mul(0x5851_f42d_4c95_7f2d));
        if let Some(failure) = case(&mut dice) {
            panic!("seed {seed}, case {number}: {failure}");
        }
    }
}

const INI: &[&str] = &[
    "[", "]", "[a]", "[b]", "[DEFAULT]", "=", ":", ";", "#", " ", "  ", "\t", "\n", "\n", "\n ", "\n  ", "k", "K", "v", "key=",
    "key = v", "\r\n", "\r", "é", "\u{3000}", "\u{a0}", "\u{85}", "\u{1c}", "\u{b}", " ;c", " #c", "'", "\\", "İ", "\u{2028}",
];

#[test]
fn the_dialect_is_that_of_rawconfigparser_cfg_020_to_036() {
    let mut reference = reference();
    every_case(1, |dice| {
        let text = dice.text(INI, 24);
        let theirs = reference.ask(&json!({ "ini": text }));
        let ours = match raw_sections("<text>", text.as_bytes()) {
            Err(problem) => json!({ "error": problem.message }),
            Ok(sections) => json!({ "sections": sections.iter().map(|section| {
                let keys: serde_json::Map<String, Value> =
                    section.keys.iter().map(|key| (key.name.clone(), json!(key.value))).collect();
                json!([section.name, keys])
            }).collect::<Vec<_>>() }),
        };
        difference(&ours, &theirs, "").map(|found| format!("{text:?}: {found}"))
    });
}

const WORDS: &[&str] = &["'", "\"", "\\", " ", "\n", "\t", "a", "b c", "é", "#", ";", "$x", "''", "\\\"", "\u{3000}", "="];

#[test]
fn commands_are_split_as_shlex_does_cfg_233() {
    let mut reference = reference();
    every_case(2, |dice| {
        let text = dice.text(WORDS, 12);
        let theirs = reference.ask(&json!({ "shlex": text }));
        let ours = match shlex::split(&text) {
            Err(error) => json!({ "error": error.to_string() }),
            Ok(words) => json!({ "words": words }),
        };
        difference(&ours, &theirs, "").map(|found| format!("{text:?}: {found}"))
    });
}

const PERCENT: &[&str] = &[
    "%", "%%", "%(here)", "%(process_num)", "%(numprocs)", "%(nope)", "%(ENV_SOMEBODY)", "(", ")", "s", "d", "i", "u", "r", "a",
    "c", "x", "X", "o", "e", "f", "G", "q", "é", "0", "-", "+", " ", "#", ".", "*", "3", "12", "l", "h", "text",
];

/// Pieces after which the reference puts the whole environment in (D-19), or whose result depends on it.
fn bare(text: &str) -> bool {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let after = &rest[at + 1..];
        let flags = after.trim_start_matches(|c: char| "-+ #0123456789.*lhL".contains(c));
        if !after.starts_with('(') && flags.starts_with(['s', 'r', 'a', 'c']) {
            return true;
        }
        rest = after.strip_prefix('%').unwrap_or(after);
    }
    false
}

#[test]
fn expansion_is_pythons_cfg_052_to_077() {
    let mut reference = reference();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let name = path.to_string_lossy().into_owned();
    every_case(3, |dice| {
        let value = dice.text(PERCENT, 7);
        if bare(&value) || value.contains(" #") {
            return None;
        }
        let text = format!(
            "[supervisord]\n[program:p]\ncommand=x{value}\nnumprocs=2\nnumprocs_start=9\n\
             process_name=%(process_num)s\n"
        );
        std::fs::write(&path, &text).expect("written");
        let theirs = reference.load(&name);
        let ours = dump(&load_in(&crate::reference::corpus(), &name));
        difference(&ours, &theirs, "").map(|found| format!("{text}: {found}"))
    });
}

const PAIRS: &[&str] = &[
    "A", "B", "=", "=", ",", "'", "\"", "\"x\"", "'y'", " ", "\n ", "#", ";", "a-b", "1", "/p:q", "é", "$", "@", "\\", "%%", "%(here)s",
    "A=1", "B=\"2,3\"",
];

#[test]
fn environment_is_shlexs_cfg_220_to_232() {
    let mut reference = reference();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let name = path.to_string_lossy().into_owned();
    every_case(4, |dice| {
        let value = dice.text(PAIRS, 10);
        let text = format!("[supervisord]\n[program:p]\ncommand=x\nenvironment={value}\n");
        std::fs::write(&path, &text).expect("written");
        let theirs = reference.load(&name);
        let ours = dump(&load_in(&crate::reference::corpus(), &name));
        difference(&ours, &theirs, "").map(|found| format!("{text}: {found}"))
    });
}

const HEADERS: &[&str] = &[
    "[program:a]", "[program:b]", "[program:a b]", "[group:g]", "[group:a]", "[eventlistener:e]", "[eventlistener:a]", "[fcgi-program:f]",
    "[fcgi-program:a]", "[unix_http_server]", "[inet_http_server]", "[inet_http_server:2]", "[rpcinterface:supervisor]", "[DEFAULT]",
    "[supervisord]", "[supervisorctl]", "[include]", "[other]",
];

const KEYS: &[&str] = &[
    "command=cat", "command=", "process_name=%(program_name)s_%(process_num)d", "process_name=x", "numprocs=2", "numprocs=x",
    "numprocs=0", "numprocs_start=5", "priority=1", "priority=-7", "priority=1.5", "autostart=false", "autostart=?",
    "autorestart=true", "autorestart=never", "startsecs=", "startretries=5", "exitcodes=0,2", "exitcodes=a", "stopsignal=INT",
    "stopsignal=SIGX", "stopwaitsecs=3", "stopasgroup=true", "killasgroup=false", "killasgroup=true", "user=root", "user=nouser",
    "redirect_stderr=true", "stdout_logfile=/tmp/x", "stdout_logfile=NONE", "stdout_logfile=syslog", "stdout_logfile=/no/x",
    "stderr_logfile=/tmp/y", "stderr_logfile=%(process_num)s.log", "stdout_logfile_maxbytes=0", "stdout_logfile_maxbytes=1MB",
    "stdout_capture_maxbytes=1KB", "stdout_events_enabled=yes", "stderr_syslog=1", "directory=/tmp", "directory=%(here)s",
    "umask=022", "umask=9", "environment=A=\"1\"", "environment=A", "environment=B=%(process_num)s", "serverurl=auto", "serverurl=x",
    "programs=a", "programs=a,b", "programs=b,f", "programs=", "programs=a,,b", "events=TICK_5", "events=EVENT,TICK", "events=NO",
    "buffer_size=0", "buffer_size=50", "socket=unix:///tmp/s", "socket=tcp://h:1", "socket=x", "socket_mode=0700", "socket_owner=root",
    "socket_backlog=0", "socket_backlog=9", "file=/tmp/s", "chmod=0700", "chmod=x", "chown=root:root", "chown=nouser", "port=9001",
    "port=*:1", "port=h:", "username=u", "password=p", "username=", "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    "minfds=10", "minfds=x", "loglevel=debug", "loglevel=loud", "logfile=/tmp/l", "logfile=/no/l", "pidfile=syslog", "logfile=syslog",
    "nodaemon=true", "identifier=%(here)s", "identifier=%(nope)s", "childlogdir=/tmp", "childlogdir=/no", "logfile_maxbytes=5x",
    "logfile_backups=1", "silent=on", "nocleanup=on", "strip_ansi=on", "minprocs=7", "files=nothing/*.conf",
];

/// Whatever sections and keys come together, both come to the same end, and errors in the same order.
#[test]
fn whole_configurations_are_the_same_cfg_013() {
    let mut reference = reference();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let name = path.to_string_lossy().into_owned();
    let mut good = 0;
    every_case(5, |dice| {
        let mut text = String::from("[supervisord]\n");
        for _ in 0..dice.below(5) {
            let header = dice.pick(HEADERS);
            text.push_str(header);
            text.push('\n');
            if header.contains("program:") || header.contains("listener:") {
                text.push_str(["command=a\n", "command=a\n", "command=a\n", ""][dice.below(4)]);
            }
            for _ in 0..dice.below(4) {
                text.push_str(dice.pick(KEYS));
                text.push('\n');
            }
        }
        std::fs::write(&path, &text).expect("written");
        let theirs = reference.load(&name);
        let ours = dump(&load_in(&crate::reference::corpus(), &name));
        good += usize::from(theirs.get("error").is_none());
        difference(&ours, &theirs, "").map(|found| format!("{text}: {found}"))
    });
    assert!(good > 0, "no case was good");
}
