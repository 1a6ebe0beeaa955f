//! What a conversion takes, and the complaints when it is of the wrong type.

use super::{FormatError, Value, malformed};
use crate::python::repr::{py_ascii, py_repr};

/// What the next conversion takes.
#[derive(Clone, Copy)]
pub(super) enum Argument<'v> {
    /// The mapping itself: no name was given yet.
    Mapping,
    /// The value of the last name.
    Value(&'v Value),
    /// Nothing is left: the value was used.
    Spent,
}

pub(super) fn as_text(conversion: char, argument: Argument<'_>) -> Result<String, FormatError> {
    match argument {
        Argument::Value(Value::Int(number)) => Ok(number.to_string()),
        Argument::Value(Value::Text(text)) => Ok(match conversion {
            'r' => py_repr(text),
            'a' => py_ascii(text),
            _ => text.clone(),
        }),
        Argument::Mapping | Argument::Spent => malformed("not enough arguments for format string"),
    }
}

pub(super) fn as_char(argument: Argument<'_>) -> Result<char, FormatError> {
    let only = |text: &str| {
        let mut chars = text.chars();
        chars.next().filter(|_| chars.next().is_none())
    };
    match argument {
        Argument::Value(Value::Int(number)) => match u32::try_from(*number) {
            Ok(code) if code < 0x11_0000 => Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER)),
            Ok(_) | Err(_) => malformed("%c arg not in range(0x110000)"),
        },
        Argument::Value(Value::Text(text)) => {
            only(text).ok_or_else(|| FormatError::Malformed("%c requires int or char".to_owned()))
        }
        Argument::Mapping | Argument::Spent => malformed("%c requires int or char"),
    }
}

fn type_name(argument: Argument<'_>) -> &'static str {
    match argument {
        Argument::Value(Value::Text(_)) => "str",
        Argument::Value(Value::Int(_)) => "int",
        Argument::Mapping | Argument::Spent => "dict",
    }
}

pub(super) fn as_int(conversion: char, argument: Argument<'_>) -> Result<i64, FormatError> {
    if let Argument::Value(Value::Int(number)) = argument {
        return Ok(*number);
    }
    let wanted = if matches!(conversion, 'o' | 'x' | 'X') { "an integer" } else { "a real number" };
    malformed(format!("%{conversion} format: {wanted} is required, not {}", type_name(argument)))
}

pub(super) fn as_float(argument: Argument<'_>) -> Result<i64, FormatError> {
    match argument {
        Argument::Value(Value::Int(number)) => Ok(*number),
        Argument::Value(Value::Text(_)) | Argument::Mapping | Argument::Spent => {
            malformed(format!("must be real number, not {}", type_name(argument)))
        }
    }
}
