//! `pid` (CTL-085 … CTL-087).

use upkeep_api::FaultCode;
use upkeep_client::Client;

use super::Next;
use crate::codes;
use crate::resolve::{Resolution, members};
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

pub(super) fn pid(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !session.is_up()? {
        return Ok(Next::Prompt);
    }
    let client = session.client()?;
    let names: Vec<&str> = arg.split_whitespace().collect();
    if names.is_empty() {
        screen::line(&client.pid()?.to_string());
    } else if names.contains(&"all") {
        for info in client.all_process_info()? {
            screen::line(&info.pid.to_string());
        }
    } else {
        for name in names {
            pid_of(session, &client, name)?;
        }
    }
    Ok(Next::Prompt)
}

fn pid_of(session: &mut Session, client: &Client, name: &str) -> Result<(), Trouble> {
    match client.process_info(name) {
        Ok(info) => show(session, info.pid),
        Err(error) if error.is_fault(FaultCode::BadName) => pids_meant(session, client, name)?,
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn pids_meant(session: &mut Session, client: &Client, name: &str) -> Result<(), Trouble> {
    let (resolution, all) = session.resolve_remote(client, name)?;
    match resolution {
        Resolution::Found(targets) => {
            members(&targets, &all).iter().for_each(|info| show(session, info.pid));
        }
        Resolution::Unknown { hint } => {
            session.fail(&format!("No such process {name}"), codes::GENERIC);
            if let Some(hint) = hint {
                session.hint(hint);
            }
        }
    }
    Ok(())
}

fn show(session: &mut Session, pid: u32) {
    screen::line(&pid.to_string());
    if pid == 0 {
        session.status = codes::NOT_RUNNING;
    }
}
