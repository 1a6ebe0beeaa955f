//! TOML: a table for each section.

use super::tree::{Map, Top, Tree, is_odd, quoted};
use crate::dialect::{FAMILIES, OTHERS};

/// A file of this map.
pub(super) fn write(top: &Top) -> String {
    let mut tables = Vec::new();
    for (key, members) in top {
        if members.is_empty() || !holds_sections(key) {
            tables.push(table(&bare(key), members));
            continue;
        }
        tables.extend(members.iter().filter_map(|(name, value)| match value {
            Tree::Map(options) => Some(table(&format!("{}.{}", bare(key), bare(name)), options)),
            Tree::Boolean(_) | Tree::Number(_) | Tree::Text(_) | Tree::List(_) => None,
        }));
    }
    tables.join("\n")
}

/// Whether the key is above sections, and not one itself.
fn holds_sections(key: &str) -> bool {
    key == OTHERS || FAMILIES.iter().any(|(family, _)| *family == key)
}

fn table(header: &str, options: &Map) -> String {
    let mut text = format!("[{header}]\n");
    for (key, value) in options {
        text.push_str(&format!("{} = {}\n", bare(key), tree(value)));
    }
    text
}

fn tree(value: &Tree) -> String {
    match value {
        Tree::Boolean(yes) => yes.to_string(),
        Tree::Number(number) => number.to_string(),
        Tree::Text(value) => string(value),
        Tree::List(items) => format!("[{}]", items.iter().map(tree).collect::<Vec<_>>().join(", ")),
        Tree::Map(members) if members.is_empty() => "{}".to_owned(),
        Tree::Map(members) => {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("{} = {}", bare(key), tree(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
    }
}

/// A key, in quotes where it needs them.
fn bare(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.chars().all(plain) { key.to_owned() } else { quoted(key) }
}

/// Without escapes where that can be.
fn string(text: &str) -> String {
    if !text.contains(['"', '\\', '\n']) || text.chars().any(|c| is_odd(c) && c != '\n' && c != '\t') {
        return quoted(text);
    }
    if !text.contains(['\'', '\n']) {
        return format!("'{text}'");
    }
    if text.contains("'''") || text.ends_with('\'') {
        return quoted(text);
    }
    format!("'''\n{text}'''")
}
