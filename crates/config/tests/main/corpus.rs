//! Every file of the corpus means the same to both, down to the text of errors.

use serde_json::Value;

use crate::dump::{dump, load_in};
use crate::reference::{corpus, reference};

fn files(folder: &str) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(corpus().join(folder))
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".conf"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    files.sort();
    files
}

/// The first place where two values differ.
pub(crate) fn difference(ours: &Value, theirs: &Value, path: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            keys.into_iter().find_map(|key| {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                difference(&of(ours), &of(theirs), &format!("{path}.{key}"))
            })
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            let mut pairs = ours.iter().zip(theirs).enumerate();
            pairs.find_map(|(index, (ours, theirs))| difference(ours, theirs, &format!("{path}[{index}]")))
        }
        _ if ours == theirs => None,
        _ => Some(format!("{path}\n  ours   {ours}\n  theirs {theirs}")),
    }
}

fn compare(folder: &str) {
    let mut reference = reference();
    let files = files(folder);
    assert!(files.len() >= 30, "{folder} has {} files", files.len());
    let failures: Vec<String> = files
        .iter()
        .filter_map(|file| {
            let theirs = reference.load(file);
            assert_eq!(theirs.get("error").is_some(), folder == "bad", "{file}: {theirs}");
            let ours = dump(&load_in(&corpus(), file));
            difference(&ours, &theirs, "").map(|text| format!("{file}: {text}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn good_files_mean_the_same() {
    compare("good");
}

#[test]
fn bad_files_fail_with_the_same_words() {
    compare("bad");
}
