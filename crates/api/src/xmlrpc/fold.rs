//! Elements to values: each closing tag folds what was inside it into its parent.

use std::mem;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Value;

/// Which way a document travels: requests are read as Supervisor reads them, answers as its client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Int,
    Boolean,
    String,
    Double,
    DateTime,
    Base64,
    Nil,
    Array,
    Data,
    Struct,
    Member,
    Name,
    Value,
    Param,
    Params,
    Fault,
    MethodName,
    Other,
}

impl Tag {
    /// The tag of a local name. In requests `i8` and the like are unknown, and act as strings (RPC-024).
    pub(super) fn of(name: &str, side: Side) -> Self {
        match name {
            "int" | "i4" => Self::Int,
            "i1" | "i2" | "i8" | "biginteger" if side == Side::Response => Self::Int,
            "float" if side == Side::Response => Self::Double,
            "boolean" => Self::Boolean,
            "string" => Self::String,
            "double" => Self::Double,
            "dateTime.iso8601" => Self::DateTime,
            "base64" => Self::Base64,
            "nil" => Self::Nil,
            "array" => Self::Array,
            "data" => Self::Data,
            "struct" => Self::Struct,
            "member" => Self::Member,
            "name" => Self::Name,
            "value" => Self::Value,
            "param" => Self::Param,
            "params" => Self::Params,
            "fault" => Self::Fault,
            "methodName" => Self::MethodName,
            _ => Self::Other,
        }
    }

    /// Whether text inside it can mean anything; the blanks between other tags need not be kept.
    fn holds_text(self) -> bool {
        match self {
            Self::Int
            | Self::Boolean
            | Self::String
            | Self::Double
            | Self::DateTime
            | Self::Base64
            | Self::Name
            | Self::Value
            | Self::MethodName
            | Self::Other => true,
            Self::Nil
            | Self::Array
            | Self::Data
            | Self::Struct
            | Self::Member
            | Self::Param
            | Self::Params
            | Self::Fault => false,
        }
    }
}

/// An element that is still open.
pub(super) struct Frame {
    tag: Tag,
    text: String,
    values: Vec<Value>,
    name: Option<String>,
    members: Vec<(String, Value)>,
}

/// What the document said.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) method: Option<String>,
    pub(super) params: Option<Vec<Value>>,
    pub(super) fault: Option<Value>,
}

impl Frame {
    pub(super) fn new(tag: Tag) -> Self {
        Self { tag, text: String::new(), values: Vec::new(), name: None, members: Vec::new() }
    }

    pub(super) fn push_text(&mut self, text: &str) {
        if self.tag.holds_text() {
            self.text.push_str(text);
        }
    }

    /// Ends this element: its meaning goes to `parent` or, for the parts of a document, to `document`.
    pub(super) fn close(
        mut self,
        side: Side,
        parent: Option<&mut Self>,
        document: &mut Document,
    ) -> Result<(), String> {
        match self.tag {
            Tag::MethodName => document.method = Some(mem::take(&mut self.text)),
            Tag::Params => document.params = Some(mem::take(&mut self.values)),
            Tag::Fault => document.fault = Some(first(self.values, "fault")?),
            Tag::Name => {
                if let Some(parent) = parent {
                    parent.name = Some(self.text);
                }
            }
            Tag::Member => {
                let name = self.name.ok_or("a member without a name")?;
                let value = first(self.values, "member")?;
                if let Some(parent) = parent {
                    parent.members.push((name, value));
                }
            }
            Tag::Int
            | Tag::Boolean
            | Tag::String
            | Tag::Double
            | Tag::DateTime
            | Tag::Base64
            | Tag::Nil
            | Tag::Array
            | Tag::Data
            | Tag::Struct
            | Tag::Value
            | Tag::Param
            | Tag::Other => {
                let value = self.into_value(side)?;
                if let Some(parent) = parent {
                    parent.values.push(value);
                }
            }
        }
        Ok(())
    }

    fn into_value(self, side: Side) -> Result<Value, String> {
        let text = self.text;
        Ok(match self.tag {
            Tag::Int => Value::Int(parse(&text, "int")?),
            Tag::Double => Value::Double(parse(&text, "double")?),
            Tag::Boolean => Value::Bool(text == "1"),
            Tag::DateTime => Value::DateTime(text),
            Tag::Base64 => base64_value(&text, side)?,
            Tag::Array => array_value(self.values)?,
            Tag::Data => Value::Array(self.values),
            Tag::Struct => Value::Struct(self.members),
            Tag::Param => first(self.values, "param")?,
            Tag::Value => self.values.into_iter().next().unwrap_or(Value::String(text)),
            Tag::Nil => Value::Nil,
            Tag::Other if text.is_empty() => Value::Nil,
            Tag::String
            | Tag::Other
            | Tag::Name
            | Tag::Member
            | Tag::Params
            | Tag::Fault
            | Tag::MethodName => Value::String(text),
        })
    }
}

fn first(values: Vec<Value>, tag: &str) -> Result<Value, String> {
    values.into_iter().next().ok_or_else(|| format!("<{tag}> without a value"))
}

fn parse<T: std::str::FromStr>(text: &str, tag: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("not a valid <{tag}>"))
}

fn array_value(values: Vec<Value>) -> Result<Value, String> {
    let data = first(values, "array")?;
    if data.as_array().is_some() { Ok(data) } else { Err("<array> without <data>".to_owned()) }
}

fn base64_value(text: &str, side: Side) -> Result<Value, String> {
    let compact: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let bytes = STANDARD.decode(compact).map_err(|_| "not valid <base64>")?;
    match side {
        Side::Response => Ok(Value::Base64(bytes)),
        Side::Request => {
            String::from_utf8(bytes).map(Value::String).map_err(|_| "<base64> is not UTF-8".to_owned())
        }
    }
}
