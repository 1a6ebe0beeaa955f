//! The sample configuration.

use upkeep_config::options::SectionKind;
use upkeep_config::{Environment, Host, check, raw_sections, sample};

use crate::corpus::difference;
use crate::dump::{dump, load_in};
use crate::reference::reference;

fn written(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sample.conf").to_string_lossy().into_owned();
    std::fs::write(&path, text).expect("written");
    (folder, path)
}

#[test]
fn loads_as_it_is_here_and_there_cfg_411() {
    let (folder, path) = written(&sample());
    let theirs = reference().load(&path);
    assert!(theirs.get("error").is_none(), "{theirs}");
    assert_eq!(difference(&dump(&load_in(folder.path(), &path)), &theirs, ""), None);
    let report = check(Some(&path), "supervisord", Environment::default(), &Host);
    assert!(report.problems.is_empty(), "{}", report.render());
}

#[test]
fn shows_every_option_cfg_411() {
    let sample = sample();
    for kind in SectionKind::ALL {
        assert!(sample.contains(&format!("[{}", kind.prefix())), "{kind:?}");
        for row in kind.rows() {
            assert!(sample.contains(&format!("{}=", row.name)), "{kind:?} {}", row.name);
        }
    }
}

/// Taking all the semicolons away must leave a file in the dialect, with each key where its row says.
#[test]
fn what_is_commented_out_is_right_too() {
    let text: String = sample()
        .lines()
        .map(|line| line.strip_prefix(';').filter(|rest| !rest.starts_with(' ')).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    let sections = raw_sections("sample", text.as_bytes()).expect("in the dialect");
    assert_eq!(sections.len(), SectionKind::ALL.len());
    for section in sections {
        let kind = SectionKind::of(&section.name).expect("a known section");
        for key in section.keys {
            let row = kind.row(&key.name).expect("a known key");
            assert_eq!(key.value, row.sample, "{}", key.name);
        }
    }
}
