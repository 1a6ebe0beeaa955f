//! `exit_when`: the daemon stops everything and ends by itself, for containers whose life is that of their programs.

use upkeep_config::ExitWhen;
use upkeep_core::spec::GroupKind;
use upkeep_core::{Group, Input, Process, State};
use upkeep_logs::Level;

use crate::shell::Shell;

/// Where `upkeep run --exit-when` leaves its rule for the daemon.
pub(crate) const EXIT_WHEN: &str = "UPKEEP_INTERNAL_EXIT_WHEN";

/// The status when something failed.
pub(crate) const FAILED: u8 = 1;

impl Shell {
    /// Ends the daemon if what has just happened is what its rule waits for.
    pub(crate) fn follow_exit_rule(&mut self) {
        if !std::mem::take(&mut self.something_ended) || !self.core.phase().is_running() {
            return;
        }
        let Some((why, status)) = self.exit_rule().and_then(|rule| self.verdict(&rule)) else { return };
        self.log(Level::Warn, format!("{why}: everything is stopped, and this ends with status {status}"));
        self.exit_status = status;
        self.tell(Input::Shutdown);
    }

    fn exit_rule(&self) -> Option<ExitWhen> {
        let given = std::env::var(EXIT_WHEN).ok();
        given.and_then(|text| ExitWhen::parse(&text)).or_else(|| self.settings().exit_when.clone())
    }

    /// Why to end, and the status to end with.
    fn verdict(&self, rule: &ExitWhen) -> Option<(String, u8)> {
        let meant = |name: &Option<String>| {
            let name = name.clone();
            self.core.processes().map(|(_, process)| process).filter(move |process| match &name {
                Some(name) => is_called(process, name),
                None => !self.listens(process),
            })
        };
        match rule {
            ExitWhen::Fatal(name) => {
                let process = meant(name).find(|process| *process.state() == State::Fatal)?;
                Some((format!("exit_when=fatal: {} is FATAL", full_name(process)), FAILED))
            }
            ExitWhen::AnyExited(name) => {
                let process = meant(name).find(|process| has_ended(process))?;
                Some((format!("exit_when=any-exited: {} has ended", full_name(process)), status_of(process)))
            }
            ExitWhen::AllExited => {
                let mut status = 0;
                for process in meant(&None) {
                    if self.core.waits_in_vain(process) {
                        status = FAILED;
                    } else if comes_again(process)
                        || !(has_ended(process) || *process.state() == State::Stopped)
                    {
                        return None;
                    }
                    status = status.max(status_of(process).min(FAILED));
                }
                Some(("exit_when=all-exited: no process runs".to_owned(), status))
            }
        }
    }

    /// Event listeners wait for others and never end by themselves.
    fn listens(&self, process: &Process) -> bool {
        let group = self.core.group(process.group());
        matches!(group.map(Group::kind), Some(GroupKind::Listener(_)))
    }
}

fn full_name(process: &Process) -> String {
    format!("{}:{}", process.group(), process.name())
}

fn is_called(process: &Process, name: &str) -> bool {
    process.name() == name || process.group() == name || full_name(process) == name
}

/// One that its schedule starts again has only paused.
fn has_ended(process: &Process) -> bool {
    match process.state() {
        State::Exited { .. } => !comes_again(process),
        State::Fatal => true,
        State::Stopped
        | State::Waiting
        | State::Starting { .. }
        | State::Running { .. }
        | State::Backoff { .. }
        | State::Stopping { .. }
        | State::Unknown { .. } => false,
    }
}

fn comes_again(process: &Process) -> bool {
    process.next_run().is_some()
}

/// The status that says how a process ended: that of its exit; 1 for a signal, and for one that could not be started.
fn status_of(process: &Process) -> u8 {
    match process.state() {
        State::Exited { expected: true } => 0,
        State::Exited { expected: false } => process
            .exitstatus()
            .and_then(|code| u8::try_from(code).ok())
            .filter(|code| *code > 0)
            .unwrap_or(FAILED),
        State::Fatal => FAILED,
        State::Stopped
        | State::Waiting
        | State::Starting { .. }
        | State::Running { .. }
        | State::Backoff { .. }
        | State::Stopping { .. }
        | State::Unknown { .. } => 0,
    }
}
