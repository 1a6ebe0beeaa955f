//! Values, and sections below the keys that hold them.

use super::parts::Part;
use crate::dialect::{FAMILIES, OTHERS};
use crate::ini::DEFAULT;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    Boolean(bool),
    Number(i64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

/// Keys and what is below them.
pub(super) type Map = Vec<(String, Tree)>;

/// Keys that are in nothing else.
pub(super) type Top = Vec<(String, Map)>;

/// Sections as YAML, TOML and JSON have them: `[program:web]` is `web` below `programs`.
pub(super) fn outline(parts: &[Part]) -> Top {
    let mut top = Top::new();
    for part in parts {
        if part.name.is_empty() {
            top.push(("rpc_interfaces".to_owned(), Map::new()));
            continue;
        }
        let family = FAMILIES.iter().find(|(_, kind)| part.kind == Some(*kind)).map(|(key, _)| *key);
        let unknown = part.kind.is_none() && part.name != DEFAULT;
        match family.or(unknown.then_some(OTHERS)) {
            None => top.push((part.name.clone(), part.options.clone())),
            Some(key) => {
                let name = if unknown {
                    &*part.name
                } else {
                    part.name.split_once(':').map_or("", |(_, name)| name)
                };
                below(&mut top, key).push((name.to_owned(), Tree::Map(part.options.clone())));
            }
        }
    }
    top
}

/// The map below a key, made if it is not there yet.
fn below<'a>(top: &'a mut Top, key: &str) -> &'a mut Map {
    let at = top.iter().position(|(own, _)| own == key).unwrap_or_else(|| {
        top.push((key.to_owned(), Map::new()));
        top.len() - 1
    });
    &mut top[at].1
}

/// A text in double quotes, as JSON, YAML and TOML read it.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_odd(c) && u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a character does not show, or ends a line for some readers.
pub(super) fn is_odd(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}
