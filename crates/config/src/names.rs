//! Layers of names for expansion.

use crate::environment::Environment;
use crate::expand::Names;
use crate::python::percent::Value;
use upkeep_core::ordered;

/// `ENV_X` for every variable.
pub(crate) fn environment(env: &Environment) -> Names {
    ordered::map(env.vars.iter().map(|(name, value)| (variable(name), Value::Text(value.clone()))))
}

/// What a variable is called in expansions.
pub(crate) fn variable(name: &str) -> String {
    format!("ENV_{name}")
}

/// Names that stand for texts.
pub(crate) fn texts(pairs: &[(&str, &str)]) -> Names {
    ordered::map(pairs.iter().map(|&(name, value)| (name.to_owned(), Value::Text(value.to_owned()))))
}
