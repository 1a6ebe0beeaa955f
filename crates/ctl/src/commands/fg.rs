//! `fg`: a process' output on the screen, what is typed on its standard input (CTL-077 … CTL-080).

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use upkeep_api::{Channel, FaultCode, ProcessState};
use upkeep_client::{Client, ClientError, Log};

use super::tail::one_process;
use super::{Next, usage};
use crate::codes;
use crate::follow;
use crate::input::Typed;
use crate::screen;
use crate::session::Session;
use crate::trouble::{Trouble, class_and_text};

pub(super) fn fg(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !session.is_up()? {
        return Ok(Next::Prompt);
    }
    let words: Vec<&str> = arg.split_whitespace().collect();
    match words.as_slice() {
        [] => usage(session, "fg", "ERROR: no process name supplied", codes::GENERIC),
        [name] => foreground(session, name)?,
        [_, _, ..] => session.fail("ERROR: too many process names supplied", codes::GENERIC),
    }
    Ok(Next::Prompt)
}

fn foreground(session: &mut Session, name: &str) -> Result<(), Trouble> {
    let Some((name, state)) = look_up(session, name)? else { return Ok(()) };
    if state != ProcessState::Running {
        session.fail("ERROR: process not running", codes::GENERIC);
        return Ok(());
    }
    screen::line("==> Press Ctrl-C to exit <==");
    session.catch_interrupts();
    let output = Output::show(session, &name)?;
    let end = forward_lines(session, &name);
    session.forget_interrupts();
    // In this order, so that nothing of the process comes after the farewell.
    drop(output);
    if let Some(reason) = end? {
        screen::line(&reason);
    }
    screen::line("Exiting foreground");
    Ok(())
}

/// The process that is meant, and how it is; `None` when that has been complained about.
fn look_up(session: &mut Session, name: &str) -> Result<Option<(String, ProcessState)>, Trouble> {
    let client = session.client()?;
    let mut name = name.to_owned();
    let mut answer = client.process_info(&name);
    let mut hint = None;
    if answer.as_ref().is_err_and(|error| error.is_fault(FaultCode::BadName)) {
        match one_process(session, &client, &name)? {
            Ok(meant) => {
                answer = client.process_info(&meant);
                name = meant;
            }
            Err(advice) => hint = advice,
        }
    }
    match answer {
        Ok(info) => return Ok(Some((name, info.state))),
        Err(error) if error.is_fault(FaultCode::BadName) => {
            session.fail("ERROR: bad process name supplied", codes::GENERIC);
        }
        Err(ClientError::Fault(fault)) => complain(&ClientError::Fault(fault)),
        Err(error) => return Err(error.into()),
    }
    if let Some(hint) = hint {
        session.hint(hint);
    }
    Ok(None)
}

fn complain(error: &ClientError) {
    screen::line(&format!("ERROR: {}", class_and_text(error).1));
}

/// Sends what is typed until the user or the process ends; what is to be said about the end.
fn forward_lines(session: &mut Session, name: &str) -> Result<Option<String>, Trouble> {
    let client = session.client()?;
    loop {
        let line = match session.read_line()? {
            Typed::Line(line) => line,
            Typed::End | Typed::Interrupt => return Ok(None),
        };
        match forward(&client, name, &line) {
            Ok(true) => {}
            Ok(false) => return Ok(Some("Process got killed".to_owned())),
            Err(ClientError::Interrupted) => return Ok(None),
            Err(error @ ClientError::Fault(_)) => {
                return Ok(Some(format!("ERROR: {}", class_and_text(&error).1)));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Sends one line; false if the process no longer runs.
fn forward(client: &Client, name: &str, line: &str) -> Result<bool, ClientError> {
    match client.send_process_stdin(name, &format!("{line}\n")) {
        Ok(()) => Ok(client.process_info(name)?.state == ProcessState::Running),
        Err(error) if error.is_fault(FaultCode::NotRunning) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Both logs of a process on the screen, until this is dropped.
struct Output {
    stop: Option<UnixStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Output {
    fn show(session: &Session, name: &str) -> Result<Self, Trouble> {
        // When `stop` is dropped, `stopped` becomes readable, and that ends both readers.
        let (stop, stopped) = UnixStream::pair().map_err(Trouble::Terminal)?;
        let stopped = Arc::new(stopped);
        let mut threads = Vec::new();
        for channel in [Channel::Stdout, Channel::Stderr] {
            let client = session.client()?.breaking_on(Arc::clone(&stopped) as _);
            let log = Log::Process(name.to_owned(), channel);
            let url = session.url.clone();
            threads.push(thread::spawn(move || {
                follow::show(&client, &url, &log);
            }));
        }
        Ok(Self { stop: Some(stop), threads })
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.stop = None;
        for thread in self.threads.drain(..) {
            // A reader that panicked has nothing left to tell.
            let _ = thread.join();
        }
    }
}
