//! `cargo xtask bench` builds and calls this.

#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "its figures and its progress are for whoever runs it"
)]

use std::process::ExitCode;

use upkeep_bench::plan::Plan;
use upkeep_bench::run::run;
use upkeep_bench::{Outcome, json, machine, markdown, pages};

fn main() -> ExitCode {
    match bench() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("bench: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything that was wanted could be measured.
fn bench() -> Outcome<bool> {
    let plan = Plan::parse(std::env::args().skip(1))?;
    let machine = machine::describe();
    let report = run(&plan, &|text| eprintln!("bench: {text}"))?;
    println!("{}", markdown::page(&report, &machine));
    if let Some(path) = &plan.json {
        let text = format!("{:#}\n", json::document(&report, &machine));
        std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    if let Some(docs) = &plan.docs {
        pages::write(&report, &machine, docs)?;
    }
    Ok(report.results.failures.is_empty())
}
