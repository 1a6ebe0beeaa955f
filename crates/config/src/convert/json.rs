//! JSON, with two blanks a level.

use super::tree::{Map, Top, Tree, quoted};

/// A file of this map.
pub(super) fn write(top: &Top) -> String {
    let mut text = String::new();
    let top = top.iter().map(|(key, members)| (key.clone(), Tree::Map(members.clone()))).collect();
    map(&mut text, &top, 0);
    text.push('\n');
    text
}

fn map(text: &mut String, members: &Map, depth: usize) {
    if members.is_empty() {
        text.push_str("{}");
        return;
    }
    text.push_str("{\n");
    for (at, (key, value)) in members.iter().enumerate() {
        text.push_str(&"  ".repeat(depth + 1));
        text.push_str(&quoted(key));
        text.push_str(": ");
        tree(text, value, depth + 1);
        text.push_str(if at + 1 < members.len() { ",\n" } else { "\n" });
    }
    text.push_str(&"  ".repeat(depth));
    text.push('}');
}

fn tree(text: &mut String, value: &Tree, depth: usize) {
    match value {
        Tree::Boolean(yes) => text.push_str(&yes.to_string()),
        Tree::Number(number) => text.push_str(&number.to_string()),
        Tree::Text(value) => text.push_str(&quoted(value)),
        Tree::List(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                tree(text, item, depth);
            }
            text.push(']');
        }
        Tree::Map(members) => map(text, members, depth),
    }
}
