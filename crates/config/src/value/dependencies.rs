//! `depends_on`: names with commas between, each with the condition that it is waited for.

use upkeep_core::spec::{Condition, Dependency, OnDependencyStop};

use super::{Read, Wrong, choice, list};
use crate::python::repr::py_repr;
use crate::suggest::nearest;

const CONDITIONS: [(&str, Condition); 4] = [
    ("started", Condition::Started),
    ("running", Condition::Running),
    ("healthy", Condition::Healthy),
    ("completed", Condition::Completed),
];

/// The word for a condition.
pub(crate) fn condition_word(condition: Condition) -> &'static str {
    CONDITIONS.iter().find(|(_, known)| *known == condition).map_or("running", |(word, _)| word)
}

/// `NAME`, `NAME:CONDITION`, `GROUP:PROCESS:CONDITION` …; what the names mean is found out later.
pub(crate) fn dependencies(text: &str) -> Read<Vec<Dependency>> {
    list(text).iter().map(|item| dependency(item)).collect()
}

fn dependency(item: &str) -> Read<Dependency> {
    if item.is_empty() {
        return Err(Wrong::new("depends_on has an empty name", "there is a comma too many"));
    }
    let made = |name: &str, condition| Dependency { name: name.to_owned(), targets: Vec::new(), condition };
    let Some((name, last)) = item.rsplit_once(':') else { return Ok(made(item, Condition::Running)) };
    let word = last.to_lowercase();
    if let Some((_, condition)) = CONDITIONS.iter().find(|(known, _)| *known == word) {
        return Ok(made(name, *condition));
    }
    if name.contains(':') {
        let words = CONDITIONS.map(|(word, _)| word);
        let hint = nearest(&word, words).map_or_else(
            || format!("write one of {}", words.join(", ")),
            |word| format!("did you mean \"{name}:{word}\"?"),
        );
        return Err(Wrong::new(format!("not a condition of depends_on: {}", py_repr(last)), hint));
    }
    Ok(made(item, Condition::Running))
}

/// `on_dependency_stop`.
pub(crate) fn on_dependency_stop(text: &str) -> Read<OnDependencyStop> {
    choice(
        "on_dependency_stop",
        text,
        [
            ("ignore", OnDependencyStop::Ignore),
            ("restart", OnDependencyStop::Restart),
            ("stop", OnDependencyStop::Stop),
        ],
    )
}
