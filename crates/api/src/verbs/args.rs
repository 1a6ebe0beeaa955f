//! Arguments to what a verb needs. More than the signatures say is accepted, as Supervisor does; what makes it
//! fail with an internal error is `INCORRECT_PARAMETERS` here (D-12).

use super::python;
use crate::xmlrpc::Value;
use crate::{Channel, Fault, FaultCode};

/// The arguments of one call, taken in order.
#[derive(Debug)]
pub struct Args<'a> {
    values: std::slice::Iter<'a, Value>,
}

fn incorrect() -> Fault {
    Fault::new(FaultCode::IncorrectParameters)
}

impl<'a> Args<'a> {
    /// Starts at the first one.
    #[must_use]
    pub fn new(values: &'a [Value]) -> Self {
        Self { values: values.iter() }
    }

    fn next(&mut self) -> Result<&'a Value, Fault> {
        self.values.next().ok_or_else(incorrect)
    }

    /// A string.
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for anything else.
    pub fn string(&mut self) -> Result<String, Fault> {
        self.next()?.as_str().map(str::to_owned).ok_or_else(incorrect)
    }

    /// The name of a group: a number is looked up as text, so that the fault names it.
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for what is neither a string nor a number.
    pub fn group(&mut self) -> Result<String, Fault> {
        self.string_or_int()
    }

    /// An array of strings.
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for anything else.
    pub fn strings(&mut self) -> Result<Vec<String>, Fault> {
        let items = self.next()?.as_array().ok_or_else(incorrect)?;
        items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(incorrect)).collect()
    }

    /// `stdout` or `stderr`.
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for anything else.
    pub fn channel(&mut self) -> Result<Channel, Fault> {
        match self.next()?.as_str() {
            Some("stdout") => Ok(Channel::Stdout),
            Some("stderr") => Ok(Channel::Stderr),
            Some(_) | None => Err(incorrect()),
        }
    }

    /// A signal: a name or a number (RPC-119).
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for anything else.
    pub fn signal(&mut self) -> Result<String, Fault> {
        self.string_or_int()
    }

    fn string_or_int(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Value::String(text) => Ok(text.clone()),
            Value::Int(number) => Ok(number.to_string()),
            Value::Bool(_)
            | Value::Double(_)
            | Value::DateTime(_)
            | Value::Base64(_)
            | Value::Array(_)
            | Value::Struct(_)
            | Value::Nil => Err(incorrect()),
        }
    }

    /// A number, also as a text or with a fraction, which is cut off (RPC-147).
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for what is not numeric.
    pub fn int(&mut self) -> Result<i64, Fault> {
        match self.next()? {
            Value::Int(number) => Ok(*number),
            Value::Bool(truth) => Ok(i64::from(*truth)),
            Value::Double(number) => whole(*number).ok_or_else(incorrect),
            Value::String(text) => text.trim().parse().map_err(|_| incorrect()),
            Value::DateTime(_) | Value::Base64(_) | Value::Array(_) | Value::Struct(_) | Value::Nil => {
                Err(incorrect())
            }
        }
    }

    /// A truth, of any type, as Python judges it; `default` when it is left out.
    #[must_use]
    pub fn flag(&mut self, default: bool) -> bool {
        self.values.next().map_or(default, truth)
    }

    /// An integer that may be left out.
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for anything else.
    pub fn optional_int(&mut self) -> Result<Option<i64>, Fault> {
        if self.values.len() == 0 { Ok(None) } else { self.int().map(Some) }
    }

    /// What is written to a process: a string, and the fault shows what else it was (RPC-160).
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` with the value.
    pub fn chars(&mut self) -> Result<String, Fault> {
        match self.next()? {
            Value::String(text) => Ok(text.clone()),
            other => Err(Fault::about(FaultCode::IncorrectParameters, python::display(other))),
        }
    }

    /// Anything, as text (RPC-162).
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` when there is none.
    pub fn text_of_any(&mut self) -> Result<String, Fault> {
        self.next().map(python::display)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "cutting off the fraction is meant; the range is checked"
)]
fn whole(number: f64) -> Option<i64> {
    (number.abs() < 9.0e18).then_some(number as i64)
}

fn truth(value: &Value) -> bool {
    match value {
        Value::Int(number) => *number != 0,
        Value::Bool(truth) => *truth,
        Value::String(text) => !text.is_empty(),
        Value::Double(number) => *number != 0.0,
        Value::DateTime(_) => true,
        Value::Base64(bytes) => !bytes.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Struct(members) => !members.is_empty(),
        Value::Nil => false,
    }
}
