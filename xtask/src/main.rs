//! The project's chores: `cargo xtask NAME`. Continuous integration calls the same names and nothing else.

#![forbid(unsafe_code)]

mod bench;
mod campaign;
mod fuzz;
mod install;
mod instructions;
mod parity;
mod size;
mod steps;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask CHORE

  test    all that a change must pass, after installing what that needs (below); closes with the runner's summary
  test NAME...
          only the tests with one of these in their names, with what is installed already
  setup   Debian packages, the original Supervisor under target/reference, packages of Node.js under target/node,
          cargo-deny, cargo-nextest
  lint    format, clippy, licences and sources of dependencies, docs/parity.md
  parity  write docs/parity.md: which tests show which item of the ledger; with --check only look
  schema  write docs/schema/upkeep.schema.json, from the option rows
  docs    the reference of every crate, with warnings as errors
  campaign [--seed N] [--seconds S]
          faults of every kind while a hundred processes run: tests/faults/README.md
  bench   [--quick] [OPTION...]
          every measure side by side with the original Supervisor and a limit program: bench/README.md
  instructions [core | --write]
          instructions that single steps take, compared with crates/measure/counts.tsv, or written there
  growth  memory of keeper and daemon after 100,000 restarts and 1,000,000 calls
  fuzz    SECONDS [TARGET]: every fuzz target, or one, for so long; needs a nightly toolchain and cargo-fuzz
";

fn main() -> ExitCode {
    let chore = std::env::args().nth(1).unwrap_or_default();
    let names: Vec<String> = std::env::args().skip(2).collect();
    let done = match chore.as_str() {
        "test" if !names.is_empty() => steps::tests(&names),
        "test" | "ci" => install::everything().and_then(|()| steps::lint()).and_then(|()| {
            steps::docs()?;
            instructions::instructions(&["core".to_owned()])?;
            steps::tests_without_tls()?;
            steps::tests(&[])
        }),
        "setup" => install::everything(),
        "lint" => install::cargo_deny().and_then(|()| steps::lint()),
        "docs" => steps::docs(),
        "schema" => steps::schema(),
        "campaign" => campaign::campaign(&names),
        "bench" => bench::bench(&names),
        "instructions" => install::valgrind().and_then(|()| instructions::instructions(&names)),
        "growth" => campaign::growth(),
        "fuzz" => match std::env::args().nth(2) {
            Some(seconds) => fuzz::fuzz(&seconds, std::env::args().nth(3).as_deref()),
            None => Err(USAGE.to_owned()),
        },
        "parity" if names.first().is_some_and(|name| name == "--check") => parity::check(),
        "parity" => parity::write(),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            say(&message);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "what a chore says to the person who runs it")]
pub(crate) fn say(text: &str) {
    eprintln!("xtask: {text}");
}
