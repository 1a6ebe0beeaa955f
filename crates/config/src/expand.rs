//! `%(name)s` in values: which names there are, and what is said of the others (CFG-052 … CFG-063).

use std::collections::BTreeMap;

use crate::python::percent::{self, FormatError, Value};
use crate::python::repr::py_repr;
use crate::suggest::did_you_mean;
use crate::value::Wrong;

/// Names of one origin and what they stand for.
pub(crate) type Names = BTreeMap<String, Value>;

/// Expands a value. `label` is what the message calls it; of names in several layers the last layer's counts.
///
/// # Errors
/// The texts of CFG-053 and CFG-054.
pub(crate) fn expand(text: &str, layers: &[&Names], label: &str) -> Result<String, Wrong> {
    let lookup = |name: &str| layers.iter().rev().find_map(|names| names.get(name));
    percent::format(text, &lookup).map_err(|error| wrong(&error, text, layers, label))
}

/// Expands what was expanded already, as Supervisor does with a few options. A percent sign that the first pass let
/// through is not held against anybody: then the first pass counts (CFG-062, D-18).
pub(crate) fn expand_again(text: String, layers: &[&Names], label: &str) -> String {
    expand(&text, layers, label).unwrap_or(text)
}

fn wrong(error: &FormatError, text: &str, layers: &[&Names], label: &str) -> Wrong {
    let start = format!("Format string {} for {}", py_repr(text), py_repr(label));
    match error {
        FormatError::Malformed(reason) => Wrong {
            message: format!("{start} is badly formatted: {reason}"),
            hint: Some("write %% for a percent sign".to_owned()),
        },
        FormatError::UnknownName(name) => {
            let mut names: Vec<&str> =
                layers.iter().flat_map(|layer| layer.keys().map(String::as_str)).collect();
            names.sort_unstable();
            names.dedup();
            Wrong {
                message: format!(
                    "{start} contains names ({}) which cannot be expanded. Available names: {}",
                    py_repr(name),
                    names.join(", ")
                ),
                hint: name_hint(name, &names),
            }
        }
    }
}

fn name_hint(name: &str, known: &[&str]) -> Option<String> {
    let hint = did_you_mean(name, known.iter().copied());
    hint.or_else(|| {
        let variable = name.strip_prefix("ENV_")?;
        Some(format!("set the environment variable {variable} before starting the daemon"))
    })
}
