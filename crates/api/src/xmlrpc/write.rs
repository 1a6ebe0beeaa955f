//! Values to bytes, exactly as Supervisor sends them (RPC-022).

use std::fmt::{self, Write};

use base64::Engine;

use super::Value;

/// Encoded characters per line of a `base64` element.
const BASE64_LINE: usize = 76;

/// Before the value of an answer, and after it.
pub(crate) const RESPONSE_BEGIN: &str = "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n";
pub(crate) const RESPONSE_END: &str = "</param>\n</params>\n</methodResponse>\n";

/// A request document.
#[must_use]
pub fn encode_call(method: &str, params: &[Value]) -> Vec<u8> {
    let mut out = String::from("<?xml version='1.0'?>\n<methodCall>\n<methodName>");
    escape(method, &mut out);
    out.push_str("</methodName>\n");
    write_params(params, &mut out);
    out.push_str("</methodCall>\n");
    out.into_bytes()
}

/// An answer document.
#[must_use]
pub fn encode_response(value: &Value) -> Vec<u8> {
    let mut out = String::from(RESPONSE_BEGIN);
    write_value(value, &mut out);
    out.push_str(RESPONSE_END);
    out.into_bytes()
}

/// A fault document.
#[must_use]
pub fn encode_fault(code: i32, text: &str) -> Vec<u8> {
    let mut out = String::from("<?xml version='1.0'?>\n<methodResponse>\n<fault>\n");
    let fault = Value::record([("faultCode", code.into()), ("faultString", text.into())]);
    write_value(&fault, &mut out);
    out.push_str("</fault>\n</methodResponse>\n");
    out.into_bytes()
}

fn write_params(params: &[Value], out: &mut String) {
    out.push_str("<params>\n");
    for param in params {
        out.push_str("<param>\n");
        write_value(param, out);
        out.push_str("</param>\n");
    }
    out.push_str("</params>\n");
}

fn write_value(value: &Value, out: &mut String) {
    out.push_str("<value>");
    match value {
        Value::Int(number) => push(out, format_args!("<int>{number}</int>")),
        Value::Bool(truth) => push(out, format_args!("<boolean>{}</boolean>", u8::from(*truth))),
        Value::String(text) => {
            out.push_str("<string>");
            escape(text, out);
            out.push_str("</string>");
        }
        // `{:?}` writes a whole number as `1.0`, as Python does.
        Value::Double(number) => push(out, format_args!("<double>{number:?}</double>")),
        Value::DateTime(text) => {
            out.push_str("<dateTime.iso8601>");
            escape(text, out);
            out.push_str("</dateTime.iso8601>");
        }
        Value::Base64(bytes) => write_base64(bytes, out),
        Value::Array(items) => write_array(items, out),
        Value::Struct(members) => write_struct(members, out),
        Value::Nil => out.push_str("<nil/>"),
    }
    out.push_str("</value>\n");
}

fn write_array(items: &[Value], out: &mut String) {
    out.push_str("<array><data>\n");
    for item in items {
        write_value(item, out);
    }
    out.push_str("</data></array>");
}

fn write_struct(members: &[(String, Value)], out: &mut String) {
    out.push_str("<struct>\n");
    for (name, value) in members {
        out.push_str("<member>\n<name>");
        escape(name, out);
        out.push_str("</name>\n");
        write_value(value, out);
        out.push_str("</member>\n");
    }
    out.push_str("</struct>");
}

fn write_base64(bytes: &[u8], out: &mut String) {
    out.push_str("<base64>\n");
    for line in bytes.chunks(BASE64_LINE / 4 * 3) {
        base64::engine::general_purpose::STANDARD.encode_string(line, out);
        out.push('\n');
    }
    out.push_str("</base64>");
}

/// Escapes `& < >` and nothing else; what XML cannot carry at all becomes U+FFFD (D-03).
pub(crate) fn escape(text: &str, out: &mut String) {
    // A long log would otherwise take twice its place.
    out.reserve(text.len());
    let mut rest = text;
    while let Some(at) = rest.as_bytes().iter().position(|&byte| NEEDS_CARE[byte as usize]) {
        let (clean, tail) = rest.split_at(at);
        out.push_str(clean);
        let mut chars = tail.chars();
        match chars.next() {
            Some('&') => out.push_str("&amp;"),
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            Some('\u{fffe}' | '\u{ffff}' | '\0'..' ') => out.push(char::REPLACEMENT_CHARACTER),
            Some(other) => out.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// Whether escaping would change nothing, told quickly; `false` may be wrong.
pub(crate) fn is_plain(text: &str) -> bool {
    // Without an early end many bytes are compared in one instruction.
    !text.bytes().fold(false, |found, byte| found | may_need_care(byte))
}

/// Whether a text with this byte is not plain.
pub(crate) const fn may_need_care(byte: u8) -> bool {
    (byte < b' ') | (byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == 0xef)
}

/// Bytes that cannot be copied unseen: all begin a character. U+FFFE and U+FFFF begin with the last one.
const NEEDS_CARE: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut at = 0;
    while at < 0x20 {
        bytes[at] = true;
        at += 1;
    }
    bytes[b'\t' as usize] = false;
    bytes[b'\n' as usize] = false;
    bytes[b'\r' as usize] = false;
    bytes[b'&' as usize] = true;
    bytes[b'<' as usize] = true;
    bytes[b'>' as usize] = true;
    bytes[0xef] = true;
    bytes
};

fn push(out: &mut String, text: fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn every_kind_of_value_rpc_022() {
        let value = Value::Array(vec![
            Value::Int(-1),
            Value::Bool(true),
            "a&b<c>\"'".into(),
            Value::Double(1.5),
            Value::Double(2.0),
            Value::DateTime("20261121T01:02:03".into()),
            Value::Array(vec![]),
            Value::record([("k", Value::Bool(false))]),
            Value::Nil,
        ]);
        assert_eq!(
            text(encode_response(&value)),
            "<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n\
             <value><int>-1</int></value>\n<value><boolean>1</boolean></value>\n\
             <value><string>a&amp;b&lt;c&gt;\"'</string></value>\n<value><double>1.5</double></value>\n\
             <value><double>2.0</double></value>\n\
             <value><dateTime.iso8601>20261121T01:02:03</dateTime.iso8601></value>\n\
             <value><array><data>\n</data></array></value>\n\
             <value><struct>\n<member>\n<name>k</name>\n<value><boolean>0</boolean></value>\n</member>\n\
             </struct></value>\n<value><nil/></value>\n</data></array></value>\n</param>\n</params>\n\
             </methodResponse>\n"
        );
    }

    #[test]
    fn calls_and_faults() {
        assert_eq!(
            text(encode_call("a.b", &[])),
            "<?xml version='1.0'?>\n<methodCall>\n<methodName>a.b</methodName>\n<params>\n</params>\n</methodCall>\n"
        );
        assert_eq!(
            text(encode_fault(10, "BAD_NAME: x")),
            "<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>\n<member>\n<name>faultCode</name>\n\
             <value><int>10</int></value>\n</member>\n<member>\n<name>faultString</name>\n\
             <value><string>BAD_NAME: x</string></value>\n</member>\n</struct></value>\n</fault>\n</methodResponse>\n"
        );
    }

    #[test]
    fn what_xml_cannot_carry_is_replaced_d_03() {
        let mut out = String::new();
        escape("\u{1b}[31mred\u{0}\t\r\n\u{7f}\u{fffe}，\u{ffff}é", &mut out);
        assert_eq!(out, "\u{fffd}[31mred\u{fffd}\t\r\n\u{7f}\u{fffd}，\u{fffd}é");
    }

    #[test]
    fn base64_breaks_lines() {
        let out = text(encode_response(&Value::Base64(vec![0; 58])));
        let line = "A".repeat(76);
        assert!(out.contains(&format!("<base64>\n{line}\nAA==\n</base64>")), "{out}");
    }
}
