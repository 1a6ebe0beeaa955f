//! The page itself.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Tests;
use super::ledger::{Area, Row, Section, Status};

const HEAD: &str = "\
<!-- Written by `cargo xtask parity` from docs/ledger and the sources of the tests. -->
# Parity with Supervisor 4.3.0

Every item of behaviour that a drop-in replacement has to get right, with the tests that would fail if it broke. What differs on purpose
says how; [differences.md](differences.md) tells the same as a story. The last table lists the decisions behind the differences.

- **same**: as Supervisor does it. A word behind it tells what is easily misread.
- **differs**: in our own way, on purpose.
- **left out**: not there, on purpose.
- **not covered**: no test shows it.

";

/// How many tests a row names before it only counts.
const SHOWN: usize = 2;

/// The whole page.
pub(super) fn render(areas: &[Area], tests: &Tests) -> String {
    let mut page = HEAD.to_owned() + &summary(areas);
    for area in areas {
        let _ = write!(page, "\n## {}\n", area.title);
        for section in &area.sections {
            page += &table(section, tests);
        }
    }
    page
}

fn summary(areas: &[Area]) -> String {
    let mut text = "| area | items |".to_owned();
    text.extend(Status::ALL.map(|status| format!(" {} |", status.word())));
    text += "\n| --- | --- | --- | --- | --- | --- |\n";
    for area in areas {
        let _ = write!(text, "| {} | {} |", area.title, area.rows().count());
        let count = |status| area.rows().filter(|row| row.status == status).count();
        text.extend(Status::ALL.map(|status| format!(" {} |", count(status))));
        text.push('\n');
    }
    text
}

fn table(section: &Section, tests: &Tests) -> String {
    let heading = if section.title.is_empty() { String::new() } else { format!("\n### {}\n", section.title) };
    let none = BTreeSet::new();
    let rows = section.rows.iter().map(|row| line(row, tests.get(&row.id).unwrap_or(&none)));
    format!("{heading}\n| id | item | status | tests |\n| --- | --- | --- | --- |\n")
        + &rows.collect::<String>()
}

fn line(row: &Row, tests: &BTreeSet<String>) -> String {
    let between = if row.note.is_empty() { "" } else { ": " };
    let status = format!("{}{between}{}", row.status.word(), row.note);
    format!("| {} | {} | {} | {} |\n", row.id, escaped(&row.item), escaped(&status), named(tests))
}

fn named(tests: &BTreeSet<String>) -> String {
    let shown: Vec<String> = tests.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = tests.len().saturating_sub(SHOWN);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    shown.join(", ") + &more
}

fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::ledger::parse;
    use super::*;

    #[test]
    fn a_row_names_two_tests_and_counts_the_rest() {
        let area = parse("x.tsv", "# X\n## S\nCFG-001\ta|b\tdiffers\thow\n").expect("a ledger");
        let names = ["c::x", "c::y", "c::z"].map(str::to_owned);
        let tests = Tests::from([("CFG-001".to_owned(), BTreeSet::from(names))]);
        let page = render(&[area], &tests);
        assert!(page.contains("| X | 1 | 0 | 1 | 0 | 0 |\n"), "{page}");
        assert!(page.contains("### S\n"), "{page}");
        assert!(page.contains("| CFG-001 | a\\|b | differs: how | `c::x`, `c::y` and 1 more |\n"), "{page}");
    }
}
