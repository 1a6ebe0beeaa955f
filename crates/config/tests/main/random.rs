//! Random inputs from a seed, small enough to read when they differ.

use serde_json::{Value, json};
use upkeep_config::{raw_sections, shlex};

use crate::corpus::difference;
use crate::dice::every_case;
use crate::dump::{dump, load_in};
use crate::reference::{corpus, reference};

const INI: &[&str] = &[
    "[",
    "]",
    "[a]",
    "[b]",
    "[DEFAULT]",
    "=",
    ":",
    ";",
    "#",
    " ",
    "  ",
    "\t",
    "\n",
    "\n",
    "\n ",
    "\n  ",
    "k",
    "K",
    "v",
    "key=",
    "key = v",
    "\r\n",
    "\r",
    "é",
    "\u{3000}",
    "\u{a0}",
    "\u{85}",
    "\u{1c}",
    "\u{b}",
    " ;c",
    " #c",
    "'",
    "\\",
    "İ",
    "\u{2028}",
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

const WORDS: &[&str] =
    &["'", "\"", "\\", " ", "\n", "\t", "a", "b c", "é", "#", ";", "$x", "''", "\\\"", "\u{3000}", "="];

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
    "%",
    "%%",
    "%(here)",
    "%(process_num)",
    "%(numprocs)",
    "%(nope)",
    "%(ENV_SOMEBODY)",
    "(",
    ")",
    "s",
    "d",
    "i",
    "u",
    "r",
    "a",
    "c",
    "x",
    "X",
    "o",
    "e",
    "f",
    "G",
    "q",
    "é",
    "0",
    "-",
    "+",
    " ",
    "#",
    ".",
    "*",
    "3",
    "12",
    "l",
    "h",
    "text",
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
fn expansion_is_pythons_cfg_052_cfg_054_cfg_076() {
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
        let ours = dump(&load_in(&corpus(), &name));
        difference(&ours, &theirs, "").map(|found| format!("{text}: {found}"))
    });
}

const PAIRS: &[&str] = &[
    "A",
    "B",
    "=",
    "=",
    ",",
    "'",
    "\"",
    "\"x\"",
    "'y'",
    " ",
    "\n ",
    "#",
    ";",
    "a-b",
    "1",
    "/p:q",
    "é",
    "$",
    "@",
    "\\",
    "%%",
    "%(here)s",
    "A=1",
    "B=\"2,3\"",
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
        let ours = dump(&load_in(&corpus(), &name));
        difference(&ours, &theirs, "").map(|found| format!("{text}: {found}"))
    });
}
