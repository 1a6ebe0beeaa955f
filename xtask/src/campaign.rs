//! The long versions of tests that every run plays short: the fault campaign and the memory test.

use std::process::Command;

use crate::install::{REFERENCE, run};
use crate::say;
use crate::steps::{cargo, root};

/// Faults for so many seconds, drawn from a seed.
///
/// # Errors
/// Something was lost, or the words are not understood.
pub(crate) fn campaign(words: &[String]) -> Result<(), String> {
    let (mut seed, mut seconds) = ("1", "600");
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match (word, words.next()) {
            ("--seed", Some(value)) => seed = value,
            ("--seconds", Some(value)) => seconds = value,
            _ => return Err(format!("campaign [--seed N] [--seconds S], not {word}")),
        }
    }
    say(&format!("campaign, seed {seed}, {seconds} s"));
    // Nothing else is meant to run beside it: an answer may take a second.
    let settings = [("SEED", seed), ("SECONDS", seconds), ("ANSWER", "1000")];
    let settings = settings.map(|(name, value)| (format!("UPKEEP_CAMPAIGN_{name}"), value));
    run(one_test("faults::campaign::nothing_is_lost").envs(settings))
}

/// A hundred thousand restarts and a million calls: the keeper and the daemon must not grow.
///
/// # Errors
/// They have grown.
pub(crate) fn growth() -> Result<(), String> {
    say("growth, 100,000 restarts and 1,000,000 calls");
    let settings = [("UPKEEP_GROWTH_RESTARTS", "100000"), ("UPKEEP_GROWTH_CALLS", "1000000")];
    run(one_test("faults::growth::restarts_and_calls_take_no_memory").envs(settings))
}

/// One test of the whole program with what it prints, and without the runner's limits of time.
fn one_test(name: &str) -> Command {
    let mut cargo = cargo();
    cargo.args(["test", "--quiet", "--package", "upkeep", "--test", "main"]);
    cargo.args(["--", "--exact", name, "--nocapture"]);
    cargo.env("UPKEEP_REFERENCE_PYTHON", root().join(REFERENCE).join("bin/python"));
    cargo
}
