//! `system.*`: what the methods tell about themselves (RPC-060 … RPC-062).

use super::table::SYSTEM;
use super::{STANDARD, find, find_in};
use crate::xmlrpc::Value;
use crate::{Fault, FaultCode};

/// How a `system` method answers, from the enabled namespaces and its arguments.
pub(super) type Answer = fn(&[String], &[Value]) -> Result<Value, Fault>;

/// A method that cannot be described.
pub(super) fn unsupported() -> Fault {
    Fault::new(FaultCode::SignatureUnsupported)
}

pub(super) fn list_methods(namespaces: &[String]) -> Value {
    let own = SYSTEM.iter().map(|verb| format!("system.{}", verb.name));
    let standard = namespaces.iter().flat_map(|namespace| {
        STANDARD.iter().flat_map(|verb| verb.names()).map(move |name| format!("{namespace}.{name}"))
    });
    let mut names: Vec<String> = own.chain(standard).collect();
    names.sort_unstable();
    names.dedup();
    Value::strings(names)
}

pub(super) fn method_help(namespaces: &[String], params: &[Value]) -> Result<Value, Fault> {
    described(namespaces, params, |verb| verb.help(), |verb| verb.help()).map(Value::String)
}

pub(super) fn method_signature(namespaces: &[String], params: &[Value]) -> Result<Value, Fault> {
    described(namespaces, params, |verb| verb.signature(), |verb| verb.signature()).map(Value::strings)
}

fn described<T>(
    namespaces: &[String],
    params: &[Value],
    standard: fn(&super::Verb) -> T,
    system: fn(&super::Verb<Answer>) -> T,
) -> Result<T, Fault> {
    let name = params.first().and_then(Value::as_str).ok_or_else(unsupported)?;
    let (namespace, method) = name.split_once('.').ok_or_else(unsupported)?;
    let found = if namespace == "system" {
        find_in(SYSTEM, method).map(system)
    } else if namespaces.iter().any(|known| known == namespace) {
        find(method).map(standard)
    } else {
        None
    };
    found.ok_or_else(unsupported)
}
