//! Every configuration in the documents, in each language, is one: it loads, and `check` finds nothing wrong with it.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::tz::TimeZone;
use upkeep_config::{Host, User, World, check};

use crate::reference::{corpus, environment};

/// A machine that has every user and folder.
struct Documented;

impl World for Documented {
    fn user(&self, name: &str) -> Option<User> {
        Some(User { uid: 33, gid: 33, name: name.to_owned() })
    }

    fn group(&self, _: &str) -> Option<u32> {
        Some(33)
    }

    fn is_dir(&self, _: &Path) -> bool {
        true
    }

    fn home(&self, _: Option<&str>) -> Option<PathBuf> {
        Some(PathBuf::from("/home/web"))
    }

    fn uid(&self) -> u32 {
        Host.uid()
    }

    fn time_zone(&self, name: &str) -> Option<TimeZone> {
        Host.time_zone(name)
    }

    fn local_time_zone(&self) -> TimeZone {
        Host.local_time_zone()
    }
}

/// A block between fences.
struct Block {
    dialect: String,
    /// Where it begins, for people.
    place: String,
    text: String,
}

fn blocks(path: &Path) -> Vec<Block> {
    let text = fs::read_to_string(path).expect("a document");
    let (mut found, mut open): (Vec<Block>, Option<Block>) = (Vec::new(), None);
    for (line, number) in text.lines().zip(1..) {
        match (line.strip_prefix("```"), open.take()) {
            (Some(dialect), None) => {
                let place = format!("{}:{number}", path.display());
                open = Some(Block { dialect: dialect.to_owned(), place, text: String::new() });
            }
            (Some(_), Some(block)) => found.push(block),
            (None, Some(mut block)) => {
                block.text.push_str(&format!("{line}\n"));
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: a fence is open", path.display());
    found
}

/// What a reader puts around an example: the daemon's own section, and for keys alone the program that they belong to.
fn completed(block: &Block) -> Option<String> {
    let text = &block.text;
    match block.dialect.as_str() {
        "ini" => {
            let program = if text.starts_with('[') { "" } else { "[program:web]\ncommand = web\n" };
            let daemon = if text.contains("[supervisord]") { "" } else { "[supervisord]\n" };
            Some(format!("{daemon}{program}{text}"))
        }
        "toml" => Some(format!("{text}\n[supervisord]\n")),
        "yaml" => Some(format!("{text}\nsupervisord: {{}}\n")),
        "json" => Some(text.clone()),
        _ => None,
    }
}

fn documents() -> Vec<PathBuf> {
    let root = corpus().join("../..").canonicalize().expect("the checkout");
    let folders = [root.clone(), root.join("docs"), root.join("docs/zh-CN")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder").flatten());
    let is_document = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "md");
    entries.map(|entry| entry.path()).filter(is_document).collect()
}

#[test]
fn every_example_of_the_documents_is_a_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    // The only file that an example needs.
    fs::write(folder.path().join(".env"), "KEY=value\n").expect("written");
    let (mut count, mut wrong) = (0, String::new());
    for block in documents().iter().flat_map(|path| blocks(path)) {
        let Some(text) = completed(&block) else { continue };
        count += 1;
        let path = folder.path().join(format!("{count}.{}", block.dialect));
        fs::write(&path, text.replace("/srv/shop", &folder.path().to_string_lossy())).expect("written");
        let env = environment(folder.path());
        let report = check(Some(&path.to_string_lossy()), "supervisord", env, &Documented);
        if !report.problems.is_empty() {
            wrong.push_str(&format!("{}:\n{}\n", block.place, report.render()));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(count > 50, "{count} examples");
}

/// A page and its translation give the same configurations, but for what comments say.
#[test]
fn both_languages_have_the_same_examples() {
    let docs = corpus().join("../../docs");
    for page in fs::read_dir(docs.join("zh-CN")).expect("a folder").flatten() {
        let pages = [docs.join(page.file_name()), page.path()];
        let [english, chinese] = pages.map(|path| {
            let all = blocks(&path).into_iter().filter(|block| completed(block).is_some());
            all.map(|block| without_comments(&block.text)).collect::<Vec<_>>()
        });
        assert_eq!(english, chinese, "{}", page.path().display());
    }
}

fn without_comments(text: &str) -> Vec<String> {
    let kept = text.lines().filter(|line| !line.trim_start().starts_with(['#', ';']));
    kept.map(|line| line.split(" #").next().unwrap_or_default().trim_end().to_owned()).collect()
}
