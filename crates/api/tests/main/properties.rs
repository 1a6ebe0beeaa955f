//! What must hold for any bytes: each function takes some, and panics if it does not. The tests here feed them what
//! proptest makes up, the targets under `fuzz/` what libFuzzer finds.

use upkeep_api::ProcessInfo;
use upkeep_api::verbs::read_processes;
use upkeep_api::xmlrpc::{
    ReadLimits, RemoteFault, ResponseError, Value, decode_call, decode_response, encode_call, encode_fault,
    encode_response,
};

/// Small enough to be met.
const LIMITS: ReadLimits = ReadLimits { bytes: 4096, depth: 12, elements: 60 };

/// A request is refused, or is within its limits, takes no more room than it was sent in, and comes back.
pub(crate) fn request(bytes: &[u8]) {
    let wide = decode_call(bytes, ReadLimits::REQUEST);
    let Ok((method, params)) = decode_call(bytes, LIMITS) else { return };
    assert_eq!(format!("{wide:?}"), format!("Ok({:?})", (&method, &params)), "limits change nothing else");
    let size = params.iter().map(Size::of).fold(Size::default(), Size::beside);
    assert!(method.len() + size.text <= bytes.len(), "{params:?}");
    assert!(size.depth < LIMITS.depth && size.values < LIMITS.elements, "{params:?}");
    let again = decode_call(&encode_call(&method, &params), ReadLimits::REQUEST);
    let carried: (String, Vec<Value>) = (carried(&method), params.iter().map(carried_value).collect());
    assert_eq!(format!("{again:?}"), format!("Ok({carried:?})"));
}

/// An answer is refused, or its value or fault comes back. The quick way to read processes, if it takes it, reads the same.
pub(crate) fn answer(bytes: &[u8]) {
    if let Some(processes) = read_processes(bytes) {
        let value = decode_response(bytes).expect("both can read it");
        assert_eq!(ProcessInfo::list_from_value(&value), Ok(processes));
    }
    match decode_response(bytes) {
        Ok(value) => {
            assert!(Size::of(&value).text <= bytes.len(), "{value:?}");
            let again = decode_response(&encode_response(&value));
            assert_eq!(format!("{again:?}"), format!("Ok({:?})", carried_value(&value)));
        }
        Err(ResponseError::Fault(RemoteFault { code, text })) => {
            let fault = RemoteFault { code, text: carried(&text) };
            assert_eq!(decode_response(&encode_fault(code, &text)), Err(ResponseError::Fault(fault)));
        }
        Err(ResponseError::Malformed(why)) => assert!(!why.is_empty()),
    }
}

/// How much there is of a value.
#[derive(Debug, Default)]
struct Size {
    text: usize,
    values: usize,
    depth: usize,
}

impl Size {
    fn of(value: &Value) -> Self {
        let text = |text: usize| Self { text, values: 1, depth: 1 };
        match value {
            Value::Int(_) | Value::Bool(_) | Value::Double(_) | Value::Nil => text(0),
            Value::String(string) | Value::DateTime(string) => text(string.len()),
            Value::Base64(bytes) => text(bytes.len()),
            Value::Array(items) => items.iter().map(Self::of).fold(Self::default(), Self::beside).within(0),
            Value::Struct(members) => {
                let names = members.iter().map(|(name, _)| name.len()).sum();
                let values = members.iter().map(|(_, value)| Self::of(value));
                values.fold(Self::default(), Self::beside).within(names)
            }
        }
    }

    fn beside(self, other: Self) -> Self {
        let depth = self.depth.max(other.depth);
        Self { text: self.text + other.text, values: self.values + other.values, depth }
    }

    fn within(self, names: usize) -> Self {
        Self { text: self.text + names, values: self.values + 1, depth: self.depth + 1 }
    }
}

/// What arrives of a text: XML makes a line end of every carriage return, and has no control bytes (D-03).
fn carried(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let impossible = |c: char| (c < ' ' && !matches!(c, '\t' | '\n')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.replace(impossible, "\u{fffd}")
}

fn carried_value(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(carried(text)),
        Value::DateTime(text) => Value::DateTime(carried(text)),
        Value::Array(items) => Value::Array(items.iter().map(carried_value).collect()),
        Value::Struct(members) => {
            let member = |(name, value): &(String, Value)| (carried(name), carried_value(value));
            Value::Struct(members.iter().map(member).collect())
        }
        Value::Int(_) | Value::Bool(_) | Value::Double(_) | Value::Base64(_) | Value::Nil => value.clone(),
    }
}
