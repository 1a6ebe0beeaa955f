//! `repr()` and `ascii()` of strings, as messages quote values.

/// Quotes a text as Python's `repr` does: single quotes unless the text holds those and no double ones.
#[must_use]
pub fn py_repr(text: &str) -> String {
    quoted(text, is_printable)
}

/// Python's `ascii()`.
pub(crate) fn py_ascii(text: &str) -> String {
    quoted(text, |c| c.is_ascii())
}

fn quoted(text: &str, plain: impl Fn(char) -> bool) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if !c.is_ascii() && plain(c) => out.push(c),
            c => out.push_str(&escape(c)),
        }
    }
    out.push(quote);
    out
}

fn escape(c: char) -> String {
    match u32::from(c) {
        code @ ..=0xff => format!("\\x{code:02x}"),
        code @ ..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// The standard library escapes the same categories as Python; a letter in front keeps it from escaping combining
/// marks, which Python prints.
fn is_printable(c: char) -> bool {
    let mut text = String::from("a");
    text.push(c);
    let escaped = text.escape_debug().count();
    escaped == 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_python_does() {
        for (text, expected) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("a\n\t\\\r", "'a\\n\\t\\\\\\r'"),
            ("\u{1}\u{7f}\u{a0}", "'\\x01\\x7f\\xa0'"),
            ("caf\u{e9} \u{4e2d}\u{6587}", "'caf\u{e9} \u{4e2d}\u{6587}'"),
            ("\u{200b}\u{3000}", "'\\u200b\\u3000'"),
            ("e\u{301}", "'e\u{301}'"),
            ("\u{1f600}\u{e0001}", "'\u{1f600}\\U000e0001'"),
        ] {
            assert_eq!(py_repr(text), expected);
        }
        assert_eq!(py_ascii("caf\u{e9}"), "'caf\\xe9'");
    }
}
