//! YAML, in blocks; texts without quotes where no reader can take them for something else.

use super::tree::{Top, Tree, is_odd, quoted};
use crate::dialect::is_text;

/// A file of this map.
pub(super) fn write(top: &Top) -> String {
    let mut text = String::new();
    for (at, (key, members)) in top.iter().enumerate() {
        text.push_str(if at > 0 { "\n" } else { "" });
        member(&mut text, key, &Tree::Map(members.clone()), 0);
    }
    if text.is_empty() {
        text.push_str("{}\n");
    }
    text
}

fn member(text: &mut String, key: &str, value: &Tree, depth: usize) {
    let indent = "  ".repeat(depth);
    let key = scalar(key);
    match value {
        Tree::Map(members) if !members.is_empty() => {
            text.push_str(&format!("{indent}{key}:\n"));
            members.iter().for_each(|(key, value)| member(text, key, value, depth + 1));
        }
        Tree::Text(value) if is_block(value) => {
            text.push_str(&format!("{indent}{key}: |-\n"));
            for line in value.split('\n') {
                let line = if line.is_empty() { String::new() } else { format!("{indent}  {line}") };
                text.push_str(&line);
                text.push('\n');
            }
        }
        value => text.push_str(&format!("{indent}{key}: {}\n", flow(value))),
    }
}

fn flow(value: &Tree) -> String {
    match value {
        Tree::Boolean(yes) => yes.to_string(),
        Tree::Number(number) => number.to_string(),
        Tree::Text(text) => scalar(text),
        Tree::List(items) => {
            let item = |item: &Tree| match item {
                Tree::Text(text) if text.contains([',', '[', ']', '{', '}']) => quoted(text),
                item => flow(item),
            };
            format!("[{}]", items.iter().map(item).collect::<Vec<_>>().join(", "))
        }
        Tree::Map(_) => "{}".to_owned(),
    }
}

/// Whether a text is better read as lines of its own than with escapes in quotes.
fn is_block(text: &str) -> bool {
    let shown = !text.chars().any(|c| is_odd(c) && c != '\n');
    let lines = text.contains('\n') || (text.contains('\'') && text.contains('"'));
    shown && lines && !text.starts_with([' ', '\n', '\t']) && !text.ends_with(['\n', ' ', '\t'])
}

fn scalar(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let odd = text.chars().any(is_odd);
    if odd || text.contains('\'') || !text.contains(['"', '\\']) {
        return quoted(text);
    }
    format!("'{text}'")
}

/// Whether a text needs no quotes, not even for readers of YAML 1.1.
fn is_plain(text: &str) -> bool {
    let first = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_');
    let inner = |c: char| c.is_alphanumeric() || " _-./:=@+,%()~$;*?!&|<>^".contains(c);
    let word = matches!(text.to_ascii_lowercase().as_str(), "y" | "n" | "yes" | "no" | "on" | "off");
    first
        && text.chars().all(inner)
        && is_text(text)
        && !word
        && !text.contains(": ")
        && !text.ends_with([':', ' '])
}
