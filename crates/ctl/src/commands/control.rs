//! `start`, `stop`, `restart`, `signal`, `clear` (CTL-050 … CTL-068).

use upkeep_api::ProcessInfo;
use upkeep_client::{Client, Outcome};

use super::{Next, usage};
use crate::codes;
use crate::names::Target;
use crate::outcome::{Attempt, Verb};
use crate::resolve::{Resolution, members};
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

pub(super) fn start(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    act(session, "start", Verb::Start, arg, codes::INVALID_ARGS)
}

pub(super) fn stop(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    act(session, "stop", Verb::Stop, arg, codes::GENERIC)
}

pub(super) fn clear(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    act(session, "clear", Verb::Clear, arg, codes::GENERIC)
}

/// The stop of all names, then the start of all (CTL-060).
pub(super) fn restart(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !session.is_up()? {
        return Ok(Next::Prompt);
    }
    if arg.is_empty() {
        usage(session, "restart", "Error: restart requires a process name", codes::GENERIC);
        return Ok(Next::Prompt);
    }
    stop(session, arg)?;
    start(session, arg)
}

pub(super) fn signal(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !session.is_up()? {
        return Ok(Next::Prompt);
    }
    let words: Vec<&str> = arg.split_whitespace().collect();
    match words.as_slice() {
        [] | [_] => {
            let complaint = "Error: signal requires a signal name and a process name";
            usage(session, "signal", complaint, codes::GENERIC);
        }
        [signal, names @ ..] => act_on_names(session, Verb::Signal(signal), names)?,
    }
    Ok(Next::Prompt)
}

fn act(
    session: &mut Session,
    name: &str,
    verb: Verb<'_>,
    arg: &str,
    usage_status: i32,
) -> Result<Next, Trouble> {
    if !session.is_up()? {
        return Ok(Next::Prompt);
    }
    let names: Vec<&str> = arg.split_whitespace().collect();
    if names.is_empty() {
        usage(session, name, &format!("Error: {name} requires a process name"), usage_status);
    } else {
        act_on_names(session, verb, &names)?;
    }
    Ok(Next::Prompt)
}

fn act_on_names(session: &mut Session, verb: Verb<'_>, names: &[&str]) -> Result<(), Trouble> {
    let client = session.client()?;
    if names.contains(&"all") {
        let outcomes = verb.all(&client)?;
        return report(session, verb, &outcomes);
    }
    for name in names {
        act_on_name(session, &client, verb, name)?;
    }
    Ok(())
}

fn act_on_name(session: &mut Session, client: &Client, verb: Verb<'_>, name: &str) -> Result<(), Trouble> {
    let exact = Target::parse(name);
    if attempt(session, client, verb, &exact)? {
        return Ok(());
    }
    let (resolution, all) = session.resolve_remote(client, name)?;
    let targets = match resolution {
        Resolution::Found(targets) if verb == Verb::Clear => one_by_one(&targets, &all),
        Resolution::Found(targets) => targets,
        Resolution::Unknown { hint } => {
            complain(session, verb, &exact, hint);
            return Ok(());
        }
    };
    for target in &targets {
        if !attempt(session, client, verb, target)? {
            complain(session, verb, target, None);
        }
    }
    Ok(())
}

/// The processes behind groups, for a verb that takes no groups.
fn one_by_one(targets: &[Target], all: &[ProcessInfo]) -> Vec<Target> {
    members(targets, all).into_iter().map(|info| Target::process(&info.group, &info.name)).collect()
}

/// Asks for a target and tells the results; false if the server does not know it.
fn attempt(session: &mut Session, client: &Client, verb: Verb<'_>, target: &Target) -> Result<bool, Trouble> {
    match verb.one(client, target)? {
        Attempt::Done(outcomes) => report(session, verb, &outcomes).map(|()| true),
        Attempt::Unknown => Ok(false),
    }
}

fn complain(session: &mut Session, verb: Verb<'_>, target: &Target, hint: Option<String>) {
    let status = match target {
        Target::Group(_) => verb.unknown_group_status(),
        Target::Process { .. } => codes::GENERIC,
    };
    session.fail(&verb.unknown_line(target), status);
    if let Some(hint) = hint {
        session.hint(hint);
    }
}

fn report(session: &mut Session, verb: Verb<'_>, outcomes: &[Outcome]) -> Result<(), Trouble> {
    for outcome in outcomes {
        screen::line(&verb.line(outcome)?);
        if let Some(status) = verb.exit_status(outcome) {
            session.status = status;
        }
    }
    Ok(())
}
