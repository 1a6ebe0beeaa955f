//! `version`, `open`, `reload`, `shutdown`, and how the shell is left (CTL-088, CTL-090, CTL-091, CTL-105 … CTL-107).

use upkeep_api::FaultCode;
use upkeep_client::ClientError;

use super::status::status;
use super::{Next, refuses_arguments};
use crate::codes;
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

pub(super) fn quit(_session: &mut Session, _arg: &str) -> Result<Next, Trouble> {
    screen::line("");
    Ok(Next::Leave)
}

pub(super) fn version(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !refuses_arguments(session, "version", arg) && session.is_up()? {
        screen::line(&session.client()?.supervisor_version()?);
    }
    Ok(Next::Prompt)
}

pub(super) fn open(session: &mut Session, url: &str) -> Result<Next, Trouble> {
    let scheme = url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("unix" | "http")) {
        session.fail("ERROR: url must be http:// or unix://", codes::GENERIC);
        return Ok(Next::Prompt);
    }
    session.url = url.to_owned();
    let before = session.status;
    status(session, "")?;
    session.status = before;
    Ok(Next::Prompt)
}

pub(super) fn reload(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if refuses_arguments(session, "reload", arg)
        || !session.confirm("Really restart the remote supervisord process y/N? ")?
    {
        return Ok(Next::Prompt);
    }
    match session.client()?.restart() {
        Ok(()) => {
            screen::line("Restarted supervisord");
        }
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            session.fail("ERROR: already shutting down", codes::GENERIC);
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Next::Prompt)
}

pub(super) fn shutdown(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if refuses_arguments(session, "shutdown", arg)
        || !session.confirm("Really shut the remote supervisord process down y/N? ")?
    {
        return Ok(Next::Prompt);
    }
    match session.client()?.shutdown() {
        Ok(()) => {
            screen::line("Shut down");
        }
        // It goes down as asked: the exit status stays.
        Err(error) if error.is_fault(FaultCode::ShutdownState) => {
            screen::line("ERROR: already shutting down");
        }
        Err(ClientError::Refused(_)) => gone(session, "refused connection"),
        Err(ClientError::Missing(_)) => gone(session, "no such file"),
        Err(error) => return Err(error.into()),
    }
    Ok(Next::Prompt)
}

fn gone(session: &mut Session, how: &str) {
    let line = format!("ERROR: {} {how} (already shut down?)", session.url);
    session.fail(&line, codes::GENERIC);
}
