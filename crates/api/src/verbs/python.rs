//! Texts as Python prints values: faults and log lines show what a client sent that way.

use std::fmt::Write;

use crate::xmlrpc::Value;

/// `str(value)`: a string is itself.
pub(super) fn display(value: &Value) -> String {
    match value {
        Value::String(text) | Value::DateTime(text) => text.clone(),
        Value::Int(_)
        | Value::Bool(_)
        | Value::Double(_)
        | Value::Base64(_)
        | Value::Array(_)
        | Value::Struct(_)
        | Value::Nil => {
            let mut out = String::new();
            repr(value, &mut out);
            out
        }
    }
}

fn repr(value: &Value, out: &mut String) {
    match value {
        Value::Int(number) => out.push_str(&number.to_string()),
        Value::Bool(truth) => out.push_str(if *truth { "True" } else { "False" }),
        Value::Double(number) => out.push_str(&format!("{number:?}")),
        Value::String(text) | Value::DateTime(text) => out.push_str(&quoted(text)),
        Value::Base64(bytes) => out.push_str(&quoted(&String::from_utf8_lossy(bytes))),
        Value::Nil => out.push_str("None"),
        Value::Array(items) => list(out, '[', ']', items, repr),
        Value::Struct(members) => list(out, '{', '}', members, |(name, value), out| {
            out.push_str(&quoted(name));
            out.push_str(": ");
            repr(value, out);
        }),
    }
}

fn list<T>(out: &mut String, open: char, close: char, items: &[T], each: impl Fn(&T, &mut String)) {
    out.push(open);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        each(item, out);
    }
    out.push(close);
}

/// `repr(text)` of a string: in quotes, control characters escaped.
#[must_use]
pub fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        push_escaped(c, quote, &mut out);
    }
    out.push(quote);
    out
}

fn push_escaped(c: char, quote: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\\' => out.push_str("\\\\"),
        _ if c == quote => {
            out.push('\\');
            out.push(c);
        }
        '\0'..='\x1f' | '\x7f'..='\u{a0}' | '\u{ad}' => {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{:02x}", u32::from(c));
        }
        _ => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_like_python() {
        let rows = [
            ("a".into(), "a"),
            (5.into(), "5"),
            (Value::Nil, "None"),
            (Value::Double(1.5), "1.5"),
            (Value::record([("a", true.into())]), "{'a': True}"),
            (Value::Array(vec![1.into(), "x'".into(), "\u{1b}\n\"".into()]), r#"[1, "x'", '\x1b\n"']"#),
        ];
        for (value, text) in rows {
            assert_eq!(display(&value), text);
        }
    }
}
