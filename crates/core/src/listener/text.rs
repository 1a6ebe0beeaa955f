//! Bytes as the original shows them when they are not text.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text that bytes are, or what the original says instead when they are not UTF-8 (EVT-038, PROC-169).
#[must_use]
pub fn decoded(data: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(data) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(format!("Undecodable: {}", bytes_repr(data))),
    }
}

/// Bytes as a Python literal: `b'…'`, in double quotes only when that saves escaping single ones.
#[must_use]
pub fn bytes_repr(data: &[u8]) -> String {
    let quote = if data.contains(&b'\'') && !data.contains(&b'"') { '"' } else { '\'' };
    let mut text = format!("b{quote}");
    for &byte in data {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            b'\r' => text.push_str("\\r"),
            b' '..=b'~' => {
                if char::from(byte) == quote {
                    text.push('\\');
                }
                text.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text.push(quote);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_look_as_in_python_evt_038() {
        let rows: [(&[u8], &str); 6] = [
            (b"\xff\xfex\n", r"b'\xff\xfex\n'"),
            (b"it's", "b\"it's\""),
            (b"it's \"so\"", "b'it\\'s \"so\"'"),
            (b"\\\t\r\0\x7f~", r"b'\\\t\r\x00\x7f~'"),
            ("é".as_bytes(), r"b'\xc3\xa9'"),
            (b"", "b''"),
        ];
        for (data, expected) in rows {
            assert_eq!(bytes_repr(data), expected);
        }
        assert_eq!(decoded("é".as_bytes()), "é");
        assert_eq!(decoded(b"\xff"), r"Undecodable: b'\xff'");
    }
}
