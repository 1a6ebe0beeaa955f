//! Commands that run beside a process (`upkeep_core::errand`): what the keeper is asked for.
//!
//! They are children like any other, with the process's user, directory, umask, environment and logs, and nothing to read. What a
//! health check writes goes to no log.

use std::sync::Arc;

use upkeep_core::spec::{LogTarget, OutputSpec, ProcessSpec};
use upkeep_core::{ErrandKind, ProcId, RunId};
use upkeep_logs::AS_OTHERS_SAY;

use crate::logfiles::LogPaths;
use crate::prepare::Order;
use crate::shell::Shell;
use crate::undrained::Owner;

/// The variable that names the hook.
const HOOK: &str = "UPKEEP_HOOK";
/// The variable with the pid of the process, if it has one.
const MAINPID: &str = "UPKEEP_MAINPID";

impl Shell {
    /// What a run needs to know that is under way or not drained, be it a process's own or an errand's.
    pub(crate) fn order_of(&self, run: RunId) -> Option<Order> {
        let (id, kind) = self.owner_of(run)?;
        match kind {
            Some(kind) => self.errand_order(id, kind),
            None => self.order_for(id),
        }
    }

    /// Whose run it is, or was.
    pub(crate) fn owner_of(&self, run: RunId) -> Option<Owner> {
        match self.core.process_of(run) {
            Some(id) => Some((id, self.core.errand_of(run))),
            None => self.undrained.owner(run),
        }
    }

    /// What an errand of a process needs to know.
    pub(crate) fn errand_order(&self, id: ProcId, kind: ErrandKind) -> Option<Order> {
        let order = self.order_for(id)?;
        let pid = self.core.process(id)?.pid();
        let spec = Arc::new(beside(&order.spec, kind, pid));
        let order = Order { spec, listener: false, errand: Some(kind), ..order };
        if kind == ErrandKind::Check {
            return Some(Order { paths: LogPaths::default(), prefix: None, ..order });
        }
        Some(order)
    }
}

/// The options of a command that runs beside a process.
fn beside(spec: &ProcessSpec, kind: ErrandKind, pid: u32) -> ProcessSpec {
    let mut environment = spec.environment.clone();
    environment.insert(HOOK.to_owned(), kind.as_str().to_owned());
    if pid != 0 {
        environment.insert(MAINPID.to_owned(), pid.to_string());
    }
    let (stdout, stderr) = match kind {
        ErrandKind::Check => (nowhere(), nowhere()),
        ErrandKind::PreStart
        | ErrandKind::PostStart
        | ErrandKind::PreStop
        | ErrandKind::StopCommand
        | ErrandKind::PostStop
        | ErrandKind::Reload => (appended(&spec.stdout), appended(&spec.stderr)),
    };
    ProcessSpec {
        command: spec.errand_command(kind).unwrap_or_default().to_owned(),
        environment,
        health: None,
        socket: None,
        redirect_stderr: spec.redirect_stderr || kind == ErrandKind::Check,
        stdout,
        stderr,
        ..spec.clone()
    }
}

/// No log.
fn nowhere() -> OutputSpec {
    OutputSpec { target: LogTarget::None, ..OutputSpec::default() }
}

/// The process's own log, which it alone rotates. What it captures or tells listeners is its own output only.
fn appended(output: &OutputSpec) -> OutputSpec {
    let rules = output.rules.as_deref().cloned().map(|mut rules| {
        (rules.rotate, rules.gzip, rules.dated) = (None, false, false);
        (rules.max_age, rules.max_total) = (None, 0);
        Arc::new(rules)
    });
    OutputSpec {
        maxbytes: AS_OTHERS_SAY,
        capture_maxbytes: 0,
        events_enabled: false,
        rules,
        ..output.clone()
    }
}

#[cfg(test)]
mod tests {
    use upkeep_core::spec::Hooks;

    use super::*;

    #[test]
    fn a_hook_knows_its_name_and_the_pid() {
        let mut spec = ProcessSpec::new("web", "web");
        spec.stdout.events_enabled = true;
        spec.stdout.target = LogTarget::Auto;
        spec.hooks = Some(Box::new(Hooks { pre_stop: Some("drain".to_owned()), ..Hooks::default() }));
        let hook = beside(&spec, ErrandKind::PreStop, 7);
        let variables = [("UPKEEP_HOOK", "pre_stop"), ("UPKEEP_MAINPID", "7")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!((hook.command.as_str(), hook.environment), ("drain", variables.into()));
        assert_eq!((hook.stdout.maxbytes, hook.stdout.events_enabled), (AS_OTHERS_SAY, false));
        assert_eq!(hook.stdout.target, LogTarget::Auto, "its process's");
        let check = beside(&spec, ErrandKind::Check, 7);
        assert_eq!((check.stdout.target, check.redirect_stderr), (LogTarget::None, true));
        assert!(!beside(&spec, ErrandKind::PreStart, 0).environment.contains_key("UPKEEP_MAINPID"));
    }
}
