//! The defaults in the rows are the defaults of what is loaded.

use upkeep_config::options::{Kind, SectionKind};
use upkeep_core::spec::ProcessSpec;

use crate::dump::load_in;

fn loaded(program: &str) -> ProcessSpec {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().join("x.conf").to_string_lossy().into_owned();
    std::fs::write(&name, format!("[supervisord]\n[program:x]\ncommand=run\n{program}")).expect("written");
    load_in(folder.path(), &name).expect("loaded").groups.remove(0).processes.remove(0)
}

#[test]
fn nothing_written_is_what_core_calls_the_defaults() {
    assert_eq!(loaded(""), ProcessSpec::new("x", "run"));
}

#[test]
fn writing_every_default_changes_nothing() {
    let rows = SectionKind::Program.rows().filter_map(|row| row.default.map(|default| (row.name, default)));
    let text: String = rows.map(|(name, default)| format!("{name}={default}\n")).collect();
    assert_eq!(loaded(&text), ProcessSpec::new("x", "run"));
}

#[test]
fn every_row_has_help_and_choices_hold_their_default() {
    for row in SectionKind::ALL.into_iter().flat_map(SectionKind::rows) {
        assert!(!row.help.is_empty() && !row.sample.is_empty(), "{}", row.name);
        if let Kind::Choice(words) = row.kind {
            assert!(row.default.is_some_and(|default| words.contains(&default)), "{}", row.name);
        }
    }
}
