//! The benchmark, on a small scale: every row has a figure for everybody who has it, and the work behind it was done.

use std::path::PathBuf;
use std::time::Duration;

use upkeep_bench::contender::Kind;
use upkeep_bench::plan::{Effort, Plan};
use upkeep_bench::rows::ROWS;
use upkeep_bench::run::{Report, run};
use upkeep_bench::{json, markdown};

use crate::rig::maker::reference_bin;

#[test]
fn every_row_has_a_figure_for_each_contender() {
    let mut plan = Plan::new(PathBuf::from(env!("CARGO_BIN_EXE_upkeep")), reference_bin());
    plan.make_quick();
    plan.sizes = vec![0, 12];
    plan.effort =
        Effort { kills: 1, restarts: 12, idle: Duration::from_millis(200), output: 8 << 20, ..plan.effort };
    let report = run(&plan, &|_| {}).expect("a report");
    assert_eq!((&report.results.failures, &report.results.notes), (&vec![], &vec![]));
    let missing: Vec<String> = ROWS.iter().flat_map(|row| missing(&report, row.id)).collect();
    assert_eq!(missing, [""; 0]);
    let lost = report.results.sorted(("log-lost", 8, 1));
    assert_eq!(lost, [0.0]);
    let page = markdown::page(&report, "here");
    let document = json::document(&report, "here").to_string();
    for row in ROWS {
        assert!(page.contains(row.title) && document.contains(row.title), "{} is not shown", row.id);
    }
}

/// Contenders that have no finite figure in a row, at any of its sizes.
fn missing(report: &Report, row: &str) -> Vec<String> {
    let row = ROWS.iter().find(|known| known.id == row).expect("a row");
    let sizes = report.results.sizes(row.id);
    assert!(!sizes.is_empty(), "{} was not measured", row.id);
    let mut missing = Vec::new();
    for size in sizes {
        for (who, figure) in report.contenders.iter().zip(report.figures(row, size)) {
            if has(who.kind, row.id) && !figure.is_some_and(|figure| figure.value.is_finite()) {
                missing.push(format!("{}, N = {size}: {}", row.id, who.name));
            }
        }
    }
    missing
}

/// The limit program reports no states, and only Upkeep has a daemon that may die.
fn has(kind: Kind, row: &str) -> bool {
    match kind {
        Kind::Upkeep => true,
        Kind::Supervisor => row != "recovery",
        Kind::Limit => !["running", "groups", "recovery"].contains(&row),
    }
}
