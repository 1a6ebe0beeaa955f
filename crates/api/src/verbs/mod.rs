//! The XML-RPC face of the verbs: one row per method, and the way from its arguments to a [`Request`].
//!
//! The rows know names, types and help; they decide nothing about processes and never answer in the daemon's
//! place. `system.*` is about the rows themselves and so is answered here.

mod args;
mod decode;
mod dispatch;
mod document;
mod encode;
mod python;
mod system;
mod table;

use crate::xmlrpc::Value;
use crate::{Fault, FaultCode, Request};

pub use args::Args;
pub use decode::WrongShape;
pub use dispatch::{Answer, at_hand, dispatch};
pub(crate) use document::Written;
pub use document::{ProcessDocument, read_processes};
pub use python::quoted;
pub use table::{OWN, STANDARD};

/// The namespace of our own methods. They are not listed: what lists them compares with Supervisor's.
pub const OWN_NAMESPACE: &str = "upkeep";

/// Type of a parameter or result, as `methodSignature` names it (RPC-062).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `boolean`
    Boolean,
    /// `int`
    Int,
    /// `string`
    String,
    /// `array`
    Array,
    /// `struct`
    Struct,
}

impl Type {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::String => "string",
            Self::Array => "array",
            Self::Struct => "struct",
        }
    }
}

/// One parameter of a method.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name in the help.
    pub name: &'static str,
    /// Its type in the signature; what is really accepted is wider (RPC-147).
    pub kind: Type,
    /// What it means.
    pub help: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What a row does with its arguments.
pub type Build = fn(&mut Args<'_>) -> Result<Request, Fault>;

/// One method.
#[derive(Clone, Copy, Debug)]
pub struct Verb<B = Build> {
    /// Its name without the namespace.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// Its parameters, in order.
    pub params: &'static [Param],
    /// Type of its result.
    pub returns: Type,
    /// What the result is.
    pub result: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// How its arguments become a request, or for `system.*` an answer.
    pub build: B,
}

impl<B: Copy> Verb<B> {
    /// All its names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// The help text: what it does, then a line per parameter and one for the result (RPC-061).
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = format!("{}\n", self.summary);
        for param in self.params {
            text.push_str(&format!("\n@param {} {}  {}", param.kind.name(), param.name, param.help));
        }
        text.push_str(&format!("\n@return {} result  {}\n", self.returns.name(), self.result));
        text
    }

    /// The types: of the result, then of each parameter (RPC-062).
    #[must_use]
    pub fn signature(&self) -> Vec<&'static str> {
        let params = self.params.iter().map(|param| param.kind.name());
        std::iter::once(self.returns.name()).chain(params).collect()
    }

    /// Checks the number of arguments (RPC-014).
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS`.
    pub fn check_count(&self, params: &[Value]) -> Result<(), Fault> {
        let least = self.params.iter().filter(|param| !param.optional).count();
        if (least..=self.params.len()).contains(&params.len()) {
            Ok(())
        } else {
            Err(Fault::new(FaultCode::IncorrectParameters))
        }
    }
}

impl Verb {
    /// The request that these arguments make.
    ///
    /// # Errors
    /// `INCORRECT_PARAMETERS` for too few, too many, or unusable arguments.
    pub fn request(&self, params: &[Value]) -> Result<Request, Fault> {
        self.check_count(params)?;
        (self.build)(&mut Args::new(params))
    }
}

/// The standard method of this name or alias, without its namespace.
#[must_use]
pub fn find(name: &str) -> Option<&'static Verb> {
    find_in(STANDARD, name)
}

/// The row of this name in `rows`.
fn find_in<B: Copy>(rows: &'static [Verb<B>], name: &str) -> Option<&'static Verb<B>> {
    rows.iter().find(|verb| verb.names().any(|known| known == name))
}
