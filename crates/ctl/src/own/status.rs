//! `upkeep status`.

use std::io::{IsTerminal, stdout};

use serde_json::{Value, json};
use upkeep_api::{ProcessInfo, ProcessState};

use super::parse::Asked;
use super::{Desk, FAILED, Meant, Stop};
use crate::names::namespec;
use crate::resolve::members;
use crate::screen;

/// A process that should run does not.
const DOWN: i32 = 3;

impl Desk {
    pub(super) fn status(&self, asked: &Asked) -> Result<i32, Stop> {
        let Meant { targets, all, unknown } = self.meant(&asked.names)?;
        let shown: Vec<&ProcessInfo> =
            if asked.names.is_empty() { all.iter().collect() } else { members(&targets, &all) };
        if self.json {
            let list: Vec<Value> = shown.iter().map(|info| record(info)).collect();
            screen::line(&Value::from(list).to_string());
        } else {
            let colour = stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            table(&shown, colour);
        }
        for message in &unknown {
            screen::note(message);
        }
        let down = shown.iter().any(|info| match info.state {
            ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal | ProcessState::Unknown => {
                true
            }
            ProcessState::Starting
            | ProcessState::Running
            | ProcessState::Backoff
            | ProcessState::Stopping => false,
        });
        Ok(if !unknown.is_empty() {
            FAILED
        } else if down {
            DOWN
        } else {
            0
        })
    }
}

/// One process for programs.
fn record(info: &ProcessInfo) -> Value {
    json!({
        "name": info.name,
        "group": info.group,
        "state": info.state.name(),
        "pid": info.pid,
        "start": info.start,
        "stop": info.stop,
        "now": info.now,
        "exitstatus": info.exitstatus,
        "spawnerr": info.spawnerr,
        "description": info.description,
        "stdout_logfile": info.stdout_logfile,
        "stderr_logfile": info.stderr_logfile,
    })
}

fn table(shown: &[&ProcessInfo], colour: bool) {
    let names: Vec<String> = shown.iter().map(|info| namespec(&info.group, &info.name)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for (info, name) in shown.iter().zip(&names) {
        let pad = " ".repeat(width - name.chars().count());
        let state = format!("{:8}", info.state.name());
        let state = if colour { painted(info.state, &state) } else { state };
        screen::line(format!("{name}{pad}  {state}  {}", info.description).trim_end());
    }
}

fn painted(state: ProcessState, text: &str) -> String {
    let code = match state {
        ProcessState::Running => 32,
        ProcessState::Starting | ProcessState::Stopping | ProcessState::Backoff => 33,
        ProcessState::Fatal | ProcessState::Unknown => 31,
        ProcessState::Stopped | ProcessState::Exited => 90,
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
