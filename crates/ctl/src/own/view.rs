//! Which lines of logs are shown, and how.

use std::io::IsTerminal;

use jiff::Timestamp;
use serde_json::json;

use super::history::since;
use super::options::Options;
use super::problem::Problem;
use super::show;
use crate::screen;

/// Colours that names are told apart by: cyan, yellow, green, magenta, blue, and each of them brighter.
const COLORS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/// How followed logs are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// One log: its bytes.
    Raw,
    /// Whole lines, each behind its log's name.
    Named,
    /// A JSON document per line.
    Json,
}

/// Which lines are wanted.
pub(super) struct Search {
    pub(super) since: Option<Timestamp>,
    pub(super) text: Option<String>,
}

impl Search {
    pub(super) fn new(options: &Options) -> Result<Self, Problem> {
        let moment = |text: &String| {
            since(text, Timestamp::now()).ok_or_else(|| {
                let hint = "write how long ago (10m, 2h, 3d), a time of today (07:30), or a day and a time (2026-11-21T07:30)";
                Problem::usage(&format!("not a time for --since: \"{text}\"")).hint(hint)
            })
        };
        Ok(Self { since: options.since.as_ref().map(moment).transpose()?, text: options.grep.clone() })
    }

    pub(super) fn wants(&self, line: &str) -> bool {
        self.text.as_ref().is_none_or(|text| line.contains(text))
    }
}

/// How lines are shown.
pub(super) struct View<'a> {
    pub(super) style: Style,
    is_colored: bool,
    pub(super) search: &'a Search,
}

impl<'a> View<'a> {
    pub(super) fn new(options: &Options, search: &'a Search, is_one: bool) -> Self {
        let style = match (options.json, is_one) {
            (true, _) => Style::Json,
            (false, true) => Style::Raw,
            (false, false) => Style::Named,
        };
        let is_off = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_colored = std::io::stdout().is_terminal() && !is_off("NO_COLOR") && !is_dumb;
        Self { style, is_colored, search }
    }

    /// Shows a line of the log with this number; false if nobody reads any more.
    pub(super) fn show(&self, number: usize, name: &str, line: &str) -> bool {
        if !self.search.wants(line) {
            return true;
        }
        match self.style {
            Style::Raw => screen::line(&self.marked(line)),
            Style::Named if self.is_colored => {
                let color = COLORS[number % COLORS.len()];
                screen::line(&format!("\x1b[{color}m{name} |\x1b[0m {}", self.marked(line)))
            }
            Style::Named => screen::line(&format!("{name} | {line}")),
            Style::Json => show::json_line(&json!({ "name": name, "line": line })),
        }
    }

    /// The line with what was searched for in bold.
    fn marked(&self, line: &str) -> String {
        match &self.search.text {
            Some(text) if self.is_colored && !text.is_empty() => {
                line.replace(text, &format!("\x1b[1;31m{text}\x1b[0m"))
            }
            Some(_) | None => line.to_owned(),
        }
    }
}
