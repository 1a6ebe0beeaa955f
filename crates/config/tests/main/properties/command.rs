//! Splitting of command lines.

use upkeep_config::shlex::split;

/// Words come back if they are quoted and joined, nothing is made up, and two commands side by side are the words of both.
pub(crate) fn command(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(words) = split(&text) else { return };
    assert!(words.iter().map(String::len).sum::<usize>() <= text.len(), "{text:?}: {words:?}");
    let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
    assert_eq!(split(&quoted.join(" ")).as_ref(), Ok(&words), "{text:?}");
    assert_eq!(split(&format!("{text}\n{text}")), Ok([&words[..], &words[..]].concat()), "{text:?}");
}

/// As Python's `shlex.quote` does it.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}
