//! `upkeep upgrade`: another program takes the place of daemon and keeper, and every process runs on.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;
use upkeep_api::UpgradeState;

use super::link::Link;
use super::options::Options;
use super::problem::{Problem, status};
use super::show;
use crate::screen;

const WHAT: &str = "upgrade the daemon";
/// Longer than the daemon and its keeper give all steps together.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn upgrade(options: &Options) -> Result<i32, Problem> {
    options.no_words()?;
    let link = Link::open(options)?;
    let binary = options.binary.as_deref().map(absolute).transpose()?.unwrap_or_default();
    let pid = link.check("ask for the daemon's pid", link.client.pid())?;
    let token = link.client.upgrade(&binary.to_string_lossy());
    let token = link.check(WHAT, token).map_err(|problem| problem.hint(GOES_ON))?;
    let state = outcome(&link, &token)?;
    if !state.failure.is_empty() {
        let why = format!("it was undone: {}", state.failure);
        return Err(Problem::new(WHAT, &why).hint(GOES_ON));
    }
    if options.json {
        show::json(&json!({ "program": state.program, "version": state.version, "pid": pid }));
    } else {
        let UpgradeState { program, version, .. } = &state;
        screen::line(&format!(
            "the daemon (pid {pid}) is {program} now, version {version}; every process runs on"
        ));
    }
    Ok(status::DONE)
}

const GOES_ON: &str =
    "nothing was lost: daemon and processes go on as they were; the daemon's log tells more";

/// The daemon has another working directory.
fn absolute(path: &str) -> Result<PathBuf, Problem> {
    std::path::absolute(Path::new(path)).map_err(|error| Problem::usage(&format!("--binary {path}: {error}")))
}

/// Waits until the daemon that comes after the one that was asked tells what became of the upgrade.
fn outcome(link: &Link, token: &str) -> Result<UpgradeState, Problem> {
    let until = Instant::now() + PATIENCE;
    loop {
        // An answer under way may be cut when one daemon follows on the other.
        let answer = link.client.upgrade_state();
        match answer {
            Ok(state) if state.token == token => return Ok(state),
            Err(error) if Instant::now() >= until => {
                return link.check("ask what became of the upgrade", Err(error));
            }
            Ok(_) if Instant::now() >= until => {
                let why = "the daemon does not tell what became of it";
                return Err(Problem::new(WHAT, why).hint("the daemon's log tells more"));
            }
            Ok(_) | Err(_) => std::thread::sleep(LOOK),
        }
    }
}
