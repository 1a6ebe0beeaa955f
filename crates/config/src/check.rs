//! All problems of a configuration at once, for people before they start or update anything.

use serde_json::{Value, json};

use crate::command_line::CommandLine;
use crate::contents::Waits;
use crate::diagnostic::{Diagnostic, Severity};
use crate::environment::Environment;
use crate::load::check_walk;
use crate::search::{OWN_FILES, find_config};
use crate::sources::Sources;
use crate::world::World;

/// Everything that is wrong or doubtful about a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order of discovery; the first error is what Supervisor would say, if it would say anything.
    pub problems: Vec<Diagnostic>,
}

impl Report {
    /// Whether something must be mended: the daemon would not start, or would pass over a mistake in silence.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    fn count(&self, severity: Severity) -> usize {
        self.problems.iter().filter(|problem| problem.severity == severity).count()
    }

    /// For people: every problem with its place and a hint, and how many there are. Ends with a newline.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            let kind = severity_name(problem.severity);
            text.push_str(&format!("{kind}: {}{}\n\n", problem.message, problem.context()));
        }
        text.push_str(&self.summary());
        text.push('\n');
        text
    }

    fn summary(&self) -> String {
        let counted = |severity, one: &str| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {one}")),
            more => Some(format!("{more} {one}s")),
        };
        let parts: Vec<String> = [counted(Severity::Error, "error"), counted(Severity::Warning, "warning")]
            .into_iter()
            .flatten()
            .collect();
        if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
    }

    /// For programs: an object with `errors` and `warnings` (counts) and `problems`, each with the fields of
    /// [`Diagnostic`].
    #[must_use]
    pub fn to_json(&self) -> String {
        let problems: Vec<Value> = self.problems.iter().map(problem_json).collect();
        let report = json!({
            "errors": self.count(Severity::Error),
            "warnings": self.count(Severity::Warning),
            "problems": problems,
        });
        format!("{report:#}")
    }
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn problem_json(problem: &Diagnostic) -> Value {
    json!({
        "severity": severity_name(problem.severity),
        "message": problem.message,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "section": problem.section,
        "key": problem.key,
        "hint": problem.hint,
    })
}

/// Checks a configuration file, or the one that `program` would find, without starting anything. Stricter than
/// [`crate::load()`]: a mistyped option is an error here.
#[must_use]
pub fn check(path: Option<&str>, program: &str, env: Environment, world: &dyn World) -> Report {
    let found = match path {
        Some(path) => Ok(path.to_owned()),
        None => find_config(program, &env).map(|path| path.to_string_lossy().into_owned()),
    };
    let Ok(name) = found else {
        return Report { problems: vec![nothing_found(program, &env)] };
    };
    match Sources::gather(name, path.is_none(), env, Waits::ForMain) {
        Ok(sources) => Report { problems: check_walk(&sources, &CommandLine::default(), world) },
        Err(error) => Report { problems: error.diagnostics },
    }
}

fn nothing_found(program: &str, env: &Environment) -> Diagnostic {
    let places = find_config(program, env).err().unwrap_or_default();
    let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    let mut problem = Diagnostic::error("there is no configuration file in the usual places");
    problem.hint = Some(format!(
        "say which with -c; looked for {}, and in their directories and /etc/upkeep for {}",
        places.join(", "),
        OWN_FILES.join(", ")
    ));
    problem
}
