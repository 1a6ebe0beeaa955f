//! `docs/parity.md`: every item of the compatibility ledger, whether it is the same here, and which tests show it.
//!
//! The ledger is `docs/ledger/*.tsv`. Tests name its ids; what they name is found by reading their source.

mod ids;
mod ledger;
mod page;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ledger::{Area, Status};

use crate::steps::root;

const PAGE: &str = "docs/parity.md";

/// The tests that name each id.
type Tests = BTreeMap<String, BTreeSet<String>>;

/// Writes the page.
///
/// # Errors
/// A file cannot be read or written; or what [`check`] would say, after the page is written.
pub(crate) fn write() -> Result<(), String> {
    let (areas, tests) = read()?;
    let path = root().join(PAGE);
    std::fs::write(&path, page::render(&areas, &tests))
        .map_err(|error| format!("cannot write {PAGE}: {error}"))?;
    said(problems(&areas, &tests))
}

/// Looks whether the page is fresh and every item has a test or a reason.
///
/// # Errors
/// Everything that is wrong, one a line.
pub(crate) fn check() -> Result<(), String> {
    let (areas, tests) = read()?;
    let mut problems = problems(&areas, &tests);
    let page = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
    if page != page::render(&areas, &tests) {
        problems.push(format!("{PAGE} is stale: run cargo xtask parity"));
    }
    said(problems)
}

fn said(problems: Vec<String>) -> Result<(), String> {
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn read() -> Result<(Vec<Area>, Tests), String> {
    let areas = ledger::read(&root().join(ledger::FOLDER))?;
    let rows: Vec<&str> = areas.iter().flat_map(Area::rows).map(|row| row.id.as_str()).collect();
    Ok((areas.clone(), tests(&root(), &rows)?))
}

/// What the tests of a checkout name: ids by test, ranges spelt out.
fn tests(root: &Path, known: &[&str]) -> Result<Tests, String> {
    let mut tests = Tests::new();
    for item in sources::items(root)? {
        for id in ids::in_item(&item, known) {
            tests.entry(id).or_default().insert(item.name.clone());
        }
    }
    Ok(tests)
}

fn problems(areas: &[Area], tests: &Tests) -> Vec<String> {
    let mut problems = Vec::new();
    let mut unknown = tests.clone();
    for area in areas {
        for row in area.rows() {
            let named = unknown.remove(&row.id).unwrap_or_default();
            problems
                .extend(problem(row.status, &named).map(|text| format!("{}: {} {text}", area.file, row.id)));
        }
    }
    let unknown = unknown.into_iter();
    problems.extend(unknown.map(|(id, named)| format!("{} names {id}, which no ledger has", join(&named))));
    problems
}

fn problem(status: Status, named: &BTreeSet<String>) -> Option<String> {
    match status {
        Status::Same | Status::Differs if named.is_empty() => {
            Some("has no test: name it in one, or give it the status `not covered` and a reason".to_owned())
        }
        Status::NotCovered if !named.is_empty() => {
            Some(format!("is `not covered`, yet {} names it: take status and reason away", join(named)))
        }
        Status::Same | Status::Differs | Status::LeftOut | Status::NotCovered => None,
    }
}

fn join(names: &BTreeSet<String>) -> String {
    names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ledger: &str, test: Option<(&str, &str)>) -> Vec<String> {
        let area = ledger::parse("x.tsv", ledger).expect("a ledger");
        let entry = test.map(|(id, name)| (id.to_owned(), BTreeSet::from([name.to_owned()])));
        problems(&[area], &entry.into_iter().collect())
    }

    #[test]
    fn every_item_has_a_test_or_a_reason() {
        let same = "# X\nCFG-001\titem\tsame\n";
        assert_eq!(told(same, Some(("CFG-001", "config::a"))), Vec::<String>::new());
        assert!(told(same, None)[0].starts_with("x.tsv: CFG-001 has no test"));
        let waits = "# X\nCFG-001\titem\tnot covered\tno test yet\n";
        assert_eq!(told(waits, None), Vec::<String>::new());
        assert!(told(waits, Some(("CFG-001", "config::a")))[0].contains("yet config::a names it"));
        let gone = "# X\nCFG-001\titem\tleft out\tPython code\n";
        assert_eq!(told(gone, None), Vec::<String>::new());
    }

    #[test]
    fn a_test_names_only_what_is_there() {
        let left = told("# X\nCFG-001\titem\tleft out\twhy\n", Some(("CFG-009", "config::a")));
        assert_eq!(left, ["config::a names CFG-009, which no ledger has"]);
    }
}
