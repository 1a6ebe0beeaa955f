//! `upkeep check`.

use upkeep_config::{Environment, Host};

use super::link::program;
use super::options::Options;
use super::problem::{Problem, status};
use crate::screen;

pub(super) fn check(options: &Options) -> Result<i32, Problem> {
    options.no_words()?;
    let environment = Environment::of_this_process();
    let program = program(&environment);
    let report = upkeep_config::check(options.config.as_deref(), &program, environment, &Host);
    let text = if options.json { report.to_json() } else { report.render() };
    screen::line(text.trim_end_matches('\n'));
    Ok(if report.has_errors() { status::FAILED } else { status::DONE })
}
