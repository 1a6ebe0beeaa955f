//! `avail`, `reread`, `add`, `remove`, `update` (CTL-089, CTL-095 … CTL-104).

use std::collections::BTreeMap;

use upkeep_api::{FaultCode, Reread};
use upkeep_client::{Client, Configured};

use super::{Next, refuses_arguments};
use crate::codes;
use crate::names::namespec;
use crate::rolling;
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

pub(super) fn avail(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if refuses_arguments(session, "avail", arg) {
        return Ok(Next::Prompt);
    }
    match session.client()?.all_config_info() {
        Ok(configs) => {
            let lines: String = configs.iter().map(config_line).collect();
            screen::bytes(lines.as_bytes());
        }
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            session.fail("ERROR: supervisor shutting down", codes::GENERIC);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Next::Prompt)
}

fn config_line(config: &Configured) -> String {
    let name = namespec(&config.group, &config.name);
    let inuse = if config.inuse { "in use" } else { "avail" };
    let autostart = if config.autostart { "auto" } else { "manual" };
    format!("{name:<32} {inuse:<9} {autostart:<9} {}:{}\n", config.group_prio, config.process_prio)
}

pub(super) fn reread(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if refuses_arguments(session, "reread", arg) {
        return Ok(Next::Prompt);
    }
    match session.client()?.reload_config() {
        Ok(found) => show_reread(&found),
        Err(error) => match error.fault() {
            Some(FaultCode::ShutdownState) => {
                session.fail("ERROR: supervisor shutting down", codes::GENERIC);
            }
            Some(FaultCode::CantReread) => session.fail(&format!("ERROR: {error}"), codes::GENERIC),
            Some(_) | None => return Err(error.into()),
        },
    }
    Ok(Next::Prompt)
}

fn show_reread(found: &Reread) {
    let kinds = [(&found.added, "available"), (&found.changed, "changed"), (&found.removed, "disappeared")];
    let mut by_name = BTreeMap::new();
    by_name.extend(kinds.iter().flat_map(|(names, what)| names.iter().map(move |name| (name, what))));
    if by_name.is_empty() {
        screen::line("No config updates to processes");
    }
    for (name, what) in by_name {
        screen::line(&format!("{name}: {what}"));
    }
}

pub(super) fn add(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    let client = session.client()?;
    for name in arg.split_whitespace() {
        let Err(error) = client.add_process_group(name) else {
            screen::line(&format!("{name}: added process group"));
            continue;
        };
        match error.fault() {
            Some(FaultCode::ShutdownState) => session.fail("ERROR: shutting down", codes::GENERIC),
            // Not a failure: the exit status stays.
            Some(FaultCode::AlreadyAdded) => {
                screen::line("ERROR: process group already active");
            }
            Some(FaultCode::BadName) => {
                session.fail(&format!("ERROR: no such process/group: {name}"), codes::GENERIC);
            }
            Some(_) | None => return Err(error.into()),
        }
    }
    Ok(Next::Prompt)
}

pub(super) fn remove(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    let client = session.client()?;
    for name in arg.split_whitespace() {
        let Err(error) = client.remove_process_group(name) else {
            screen::line(&format!("{name}: removed process group"));
            continue;
        };
        let complaint = match error.fault() {
            Some(FaultCode::StillRunning) => "ERROR: process/group still running",
            Some(FaultCode::BadName) => "ERROR: no such process/group",
            Some(_) | None => return Err(error.into()),
        };
        session.fail(&format!("{complaint}: {name}"), codes::GENERIC);
    }
    Ok(Next::Prompt)
}

pub(super) fn update(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    let client = session.client()?;
    let found = match client.reload_config() {
        Ok(found) => found,
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            session.fail("ERROR: already shutting down", codes::GENERIC);
            return Ok(Next::Prompt);
        }
        Err(error) => return Err(error.into()),
    };
    let wanted = Wanted::parse(arg);
    check_names(session, &client, &wanted, &found)?;
    for group in found.removed.iter().filter(|group| wanted.has(group)) {
        remove_group(session, &client, group)?;
    }
    for group in found.changed.iter().filter(|group| wanted.has(group)) {
        change_group(session, &client, group)?;
    }
    for group in found.added.iter().filter(|group| wanted.has(group)) {
        client.add_process_group(group)?;
        screen::line(&format!("{group}: added process group"));
    }
    Ok(Next::Prompt)
}

/// The groups an update is about.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<'a>(Vec<&'a str>);

impl<'a> Wanted<'a> {
    /// No names, or `all` among them, is every group.
    fn parse(arg: &'a str) -> Self {
        let mut names: Vec<&str> = Vec::new();
        for name in arg.split_whitespace() {
            if name == "all" {
                return Self(Vec::new());
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Self(names)
    }

    fn has(&self, group: &str) -> bool {
        self.0.is_empty() || self.0.contains(&group)
    }
}

/// Complains about names that are no group, active or new (CTL-101).
fn check_names(
    session: &mut Session,
    client: &Client,
    wanted: &Wanted<'_>,
    found: &Reread,
) -> Result<(), Trouble> {
    if wanted.0.is_empty() {
        return Ok(());
    }
    let active = client.all_process_info()?;
    for name in &wanted.0 {
        if !active.iter().any(|info| info.group == *name) && !found.added.iter().any(|group| group == name) {
            session.fail(&format!("ERROR: no such group: {name}"), codes::GENERIC);
        }
    }
    Ok(())
}

fn remove_group(session: &mut Session, client: &Client, group: &str) -> Result<(), Trouble> {
    let outcomes = client.stop_process_group(group)?;
    screen::line(&format!("{group}: stopped"));
    if outcomes.iter().any(|outcome| outcome.fault() == Some(FaultCode::Failed)) {
        session.fail(&format!("{group}: has problems; not removing"), codes::GENERIC);
        return Ok(());
    }
    client.remove_process_group(group)?;
    screen::line(&format!("{group}: removed process group"));
    Ok(())
}

/// Lets the server change only what must change; where it cannot, the whole group starts over (D-37).
fn change_group(session: &mut Session, client: &Client, group: &str) -> Result<(), Trouble> {
    let update = client.update_process_group(group)?;
    let number = update.as_ref().map_or(0, |update| update.rolling);
    match update {
        Some(update) if update.whole || !update.stopped.is_empty() || !update.restarted.is_empty() => {
            screen::line(&format!("{group}: stopped"));
        }
        Some(_) => {}
        None => replace_group(client, group)?,
    }
    if number != 0
        && let Some(text) = rolling_failure(client, number)?
    {
        session.fail(&format!("{group}: ERROR (rolling restart {text})"), codes::GENERIC);
        return Ok(());
    }
    screen::line(&format!("{group}: updated process group"));
    Ok(())
}

/// What went wrong with the rest of an update, which is a rolling restart and has its end here.
fn rolling_failure(client: &Client, number: i64) -> Result<Option<String>, Trouble> {
    let Some(info) = rolling::follow(client, number, |_| {})? else {
        return Ok(Some("is not known of any more".to_owned()));
    };
    let text = || format!("{}: {}; {}", info.state, info.reason, rolling::summary(&info));
    Ok((info.state != "done").then(text))
}

fn replace_group(client: &Client, group: &str) -> Result<(), Trouble> {
    client.stop_process_group(group)?;
    screen::line(&format!("{group}: stopped"));
    client.remove_process_group(group)?;
    client.add_process_group(group)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_an_update_ctl_101() {
        for (arg, names) in [("", vec![]), ("a b a", vec!["a", "b"]), ("a all b", vec![])] {
            assert_eq!(Wanted::parse(arg), Wanted(names), "{arg:?}");
        }
        assert!(Wanted(vec![]).has("x"));
        assert!(!Wanted(vec!["a"]).has("x"));
    }
}
