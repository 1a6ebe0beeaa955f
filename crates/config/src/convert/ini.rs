//! Supervisor's own dialect.

use super::parts::Part;
use super::tree::Tree;

/// A file of these sections.
pub(super) fn write(parts: &[Part]) -> String {
    let sections = parts.iter().filter(|part| !part.name.is_empty()).map(|part| {
        let mut text = format!("[{}]\n", part.name);
        for (key, value) in &part.options {
            let value = value_text(part, key, value).replace('\n', "\n    ");
            text.push_str(format!("{key} = {value}").trim_end());
            text.push('\n');
        }
        text
    });
    sections.collect::<Vec<String>>().join("\n")
}

fn value_text(part: &Part, key: &str, value: &Tree) -> String {
    match value {
        Tree::Boolean(yes) => yes.to_string(),
        Tree::Number(number) => number.to_string(),
        Tree::Text(text) => text.clone(),
        Tree::List(items) => {
            let items: Vec<String> = items.iter().map(|item| value_text(part, key, item)).collect();
            items.join(if key == "files" && part.name == "include" { " " } else { "," })
        }
        Tree::Map(variables) => {
            let pairs: Vec<String> = variables.iter().map(|(name, value)| pair(part, name, value)).collect();
            pairs.join(",")
        }
    }
}

fn pair(part: &Part, name: &str, value: &Tree) -> String {
    let value = value_text(part, name, value);
    let quote = if value.contains('"') { '\'' } else { '"' };
    format!("{name}={quote}{value}{quote}")
}
