//! `status` (CTL-040 … CTL-044).

use upkeep_api::{ProcessInfo, ProcessState};

use super::Next;
use crate::codes;
use crate::names::{Target, namespec};
use crate::resolve::Resolution;
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

/// Names are padded to this width, or that of the longest, and three more.
const NAME_WIDTH: usize = 30;

/// States are padded to this width.
const STATE_WIDTH: usize = 10;

pub(super) fn status(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !session.is_up()? {
        session.status = codes::STATUS_UNKNOWN;
        return Ok(Next::Prompt);
    }
    let all = session.client()?.all_process_info()?;
    let names: Vec<&str> = arg.split_whitespace().collect();
    let shown = if names.is_empty() || names.contains(&"all") {
        all.iter().collect()
    } else {
        names.iter().flat_map(|name| named(session, name, &all)).collect::<Vec<_>>()
    };
    screen::bytes(table(&shown).as_bytes());
    if shown.iter().any(|info| is_stopped(info.state)) {
        session.status = codes::STATUS_NOT_RUNNING;
    }
    Ok(Next::Prompt)
}

/// The processes that a name means, or a complaint.
fn named<'a>(session: &mut Session, name: &str, all: &'a [ProcessInfo]) -> Vec<&'a ProcessInfo> {
    let exact = Target::parse(name);
    let found = covered(&exact, all);
    if !found.is_empty() {
        return found;
    }
    let hint = match session.resolve(name, all) {
        Resolution::Found(targets) => {
            return targets.iter().flat_map(|target| covered(target, all)).collect();
        }
        Resolution::Unknown { hint } => hint,
    };
    let complaint = match exact {
        Target::Group(group) => format!("{group}: ERROR (no such group)"),
        Target::Process { .. } => format!("{name}: ERROR (no such process)"),
    };
    session.fail(&complaint, codes::STATUS_UNKNOWN);
    if let Some(hint) = hint {
        session.hint(hint);
    }
    Vec::new()
}

fn covered<'a>(target: &Target, all: &'a [ProcessInfo]) -> Vec<&'a ProcessInfo> {
    all.iter().filter(|info| target.covers(&info.group, &info.name)).collect()
}

fn table(shown: &[&ProcessInfo]) -> String {
    let length = |info: &&ProcessInfo| name_length(info);
    let width = shown.iter().map(length).max().unwrap_or(0).max(NAME_WIDTH) + 3;
    let mut table = String::with_capacity(shown.len() * (width + STATE_WIDTH + 32));
    for info in shown {
        table.push_str(&namespec(&info.group, &info.name));
        pad(&mut table, width - name_length(info));
        table.push_str(info.state.name());
        pad(&mut table, STATE_WIDTH - info.state.name().len());
        table.push_str(&info.description);
        table.push('\n');
    }
    table
}

/// Characters of the name that is shown.
fn name_length(info: &ProcessInfo) -> usize {
    let name = info.name.chars().count();
    if info.group == info.name { name } else { info.group.chars().count() + 1 + name }
}

fn pad(table: &mut String, blanks: usize) {
    table.extend(std::iter::repeat_n(' ', blanks));
}

/// Whether `status` exits with 3 because of this state (CTL-044).
pub(crate) fn is_stopped(state: ProcessState) -> bool {
    match state {
        ProcessState::Stopped | ProcessState::Exited | ProcessState::Fatal | ProcessState::Unknown => true,
        ProcessState::Starting | ProcessState::Running | ProcessState::Backoff | ProcessState::Stopping => {
            false
        }
    }
}
