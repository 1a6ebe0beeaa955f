//! The defaults in the rows are the defaults of what is loaded.

use std::path::Path;
use std::sync::Arc;

use upkeep_config::options::{Kind, SectionKind};
use upkeep_config::{CommandLine, Environment, Host, Sources, load};
use upkeep_core::spec::ProcessSpec;

use crate::dump::load_in;

fn loaded(program: &str) -> Arc<ProcessSpec> {
    let folder = tempfile::tempdir().expect("a folder");
    let name = folder.path().join("x.conf").to_string_lossy().into_owned();
    std::fs::write(&name, format!("[supervisord]\n[program:x]\ncommand=run\n{program}")).expect("written");
    load_in(folder.path(), &name).expect("loaded").groups.remove(0).processes.remove(0)
}

#[test]
fn nothing_written_is_what_core_calls_the_defaults() {
    assert_eq!(*loaded(""), ProcessSpec::new("x", "run"));
}

#[test]
fn writing_every_default_changes_nothing() {
    let rows = SectionKind::Program.rows().filter_map(|row| row.default.map(|default| (row.name, default)));
    let text: String = rows.map(|(name, default)| format!("{name}={default}\n")).collect();
    assert_eq!(*loaded(&text), ProcessSpec::new("x", "run"));
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

/// CFG-093: of `$TMPDIR`, `$TEMP` and `$TMP` the first that is a directory.
#[test]
fn automatic_logs_go_where_temporary_files_do() {
    let folders = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let [first, second, third] =
        folders.each_ref().map(|folder| folder.path().to_string_lossy().into_owned());
    let name = folders[0].path().join("x.conf").to_string_lossy().into_owned();
    std::fs::write(&name, "[supervisord]\n").expect("written");
    for (variables, expected) in [
        (vec![("TMPDIR", &*first), ("TEMP", &second), ("TMP", &third)], &*first),
        (vec![("TEMP", &second), ("TMP", &third)], &second),
        (vec![("TMPDIR", "/no/such/folder"), ("TEMP", ""), ("TMP", &third)], &third),
        (vec![], "/tmp"),
    ] {
        let vars = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        let env = Environment { vars, ..Environment::default() };
        let cli = CommandLine { configuration: Some(name.clone()), ..CommandLine::default() };
        let sources = Sources::read(&cli, env).expect("read");
        let settings = load(&sources, &cli, &Host).expect("loaded").settings;
        assert_eq!(settings.childlogdir, Path::new(expected), "{variables:?}");
    }
}
