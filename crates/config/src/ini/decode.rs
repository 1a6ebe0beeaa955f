//! From bytes to lines. Bytes that are not UTF-8 are reported in Python's words, counted as Python counts: by blocks.

use crate::python::text::universal_newlines;

/// Python decodes a file in blocks of this many bytes, and positions in errors are within a block (CFG-007).
const BLOCK: usize = 8192;

/// The text of a file; with an error, only the whole lines before the block that has it.
pub(crate) struct Decoded {
    pub(crate) text: String,
    pub(crate) error: Option<String>,
}

/// Decodes a file; a byte order mark is dropped (D-18).
pub(crate) fn decode(bytes: &[u8]) -> Decoded {
    match std::str::from_utf8(bytes) {
        Ok(text) => Decoded { text: universal_newlines(without_mark(text)), error: None },
        Err(_) => decode_blocks(bytes),
    }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn decode_blocks(bytes: &[u8]) -> Decoded {
    let mut text = String::new();
    let mut pending: Vec<u8> = Vec::new();
    for block in bytes.chunks(BLOCK) {
        pending.extend_from_slice(block);
        match std::str::from_utf8(&pending) {
            Ok(good) => {
                text.push_str(good);
                pending.clear();
            }
            Err(error) if error.error_len().is_none() => {
                let rest = pending.split_off(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(&pending));
                pending = rest;
            }
            Err(error) => {
                let length = error.error_len().unwrap_or(1);
                return failed(
                    &text,
                    message(&pending, error.valid_up_to(), length, reason(&pending, error)),
                );
            }
        }
    }
    let end = message(&pending, 0, pending.len(), "unexpected end of data");
    failed(&text, end)
}

fn failed(text: &str, error: String) -> Decoded {
    let text = universal_newlines(without_mark(text));
    let lines = text.rfind('\n').map_or(0, |end| end + 1);
    Decoded { text: text[..lines].to_owned(), error: Some(error) }
}

fn reason(bytes: &[u8], error: std::str::Utf8Error) -> &'static str {
    match bytes.get(error.valid_up_to()) {
        Some(0xc2..=0xf4) => "invalid continuation byte",
        Some(_) | None => "invalid start byte",
    }
}

fn message(bytes: &[u8], start: usize, length: usize, reason: &str) -> String {
    if length == 1 {
        let byte = bytes.get(start).copied().unwrap_or_default();
        format!("'utf-8' codec can't decode byte 0x{byte:02x} in position {start}: {reason}")
    } else {
        let last = start + length.saturating_sub(1);
        format!("'utf-8' codec can't decode bytes in position {start}-{last}: {reason}")
    }
}
