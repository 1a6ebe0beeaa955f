//! What events say, byte for byte (EVT-002 … EVT-022), and the envelope they are sent in (EVT-050).

use std::sync::Arc;
use std::time::Duration;

use upkeep_core::event::EventKind;
use upkeep_core::listener::{Delivery, decoded};
use upkeep_core::spec::MemoryAction;
use upkeep_core::{Breach, StateName};

/// The text of an event; pools and records share it.
pub(crate) type Payload = Arc<str>;

/// Which channel of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    Stdout,
    Stderr,
}

/// The name of a process in an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) group: Arc<str>,
    pub(crate) process: Arc<str>,
}

/// A change of state, as [`upkeep_core::Event::ProcessState`] tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: StateName,
    pub(crate) to: StateName,
    pub(crate) pid: u32,
    pub(crate) tries: i64,
    pub(crate) expected: bool,
}

impl Change {
    pub(crate) fn kind(self) -> EventKind {
        match self.to {
            StateName::Stopped => EventKind::ProcessStateStopped,
            StateName::Starting => EventKind::ProcessStateStarting,
            StateName::Running => EventKind::ProcessStateRunning,
            StateName::Backoff => EventKind::ProcessStateBackoff,
            StateName::Stopping => EventKind::ProcessStateStopping,
            StateName::Exited => EventKind::ProcessStateExited,
            StateName::Fatal => EventKind::ProcessStateFatal,
            StateName::Unknown => EventKind::ProcessStateUnknown,
        }
    }

    pub(crate) fn payload(self, name: &Name) -> String {
        let head = format!(
            "processname:{} groupname:{} from_state:{}",
            name.process,
            name.group,
            self.from.as_str()
        );
        match self.to {
            StateName::Starting | StateName::Backoff => format!("{head} tries:{}", self.tries),
            StateName::Running | StateName::Stopping | StateName::Stopped => {
                format!("{head} pid:{}", self.pid)
            }
            StateName::Exited => format!("{head} expected:{} pid:{}", u8::from(self.expected), self.pid),
            StateName::Fatal | StateName::Unknown => head,
        }
    }
}

impl Output {
    pub(crate) fn log_kind(self) -> EventKind {
        match self {
            Self::Stdout => EventKind::ProcessLogStdout,
            Self::Stderr => EventKind::ProcessLogStderr,
        }
    }

    pub(crate) fn communication_kind(self) -> EventKind {
        match self {
            Self::Stdout => EventKind::ProcessCommunicationStdout,
            Self::Stderr => EventKind::ProcessCommunicationStderr,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// A process used up its restarts. Ours: words as in a change of state, without one.
pub(crate) fn crash_loop(name: &Name, restarts: u32, window: Duration) -> String {
    let Name { group, process } = name;
    format!("processname:{process} groupname:{group} restarts:{restarts} window:{}", window.as_secs_f64())
}

/// A run is ended for one of its bounds. Ours, too; times are in seconds and sizes in bytes.
pub(crate) fn beyond(name: &Name, breach: Breach, action: MemoryAction) -> String {
    let Name { group, process } = name;
    let head = format!("processname:{process} groupname:{group} limit:{}", breach.key());
    let action = match action {
        MemoryAction::Restart => "restart",
        MemoryAction::Kill => "kill",
    };
    match breach {
        Breach::Runtime(limit) => format!("{head} value:{} action:{action}", limit.as_secs_f64()),
        Breach::Memory { used, limit, .. } => format!("{head} value:{limit} used:{used} action:{action}"),
    }
}

/// The type of the event that a process was found healthy, or not. Ours.
pub(crate) fn health_kind(healthy: bool) -> EventKind {
    if healthy { EventKind::ProcessHealthHealthy } else { EventKind::ProcessHealthUnhealthy }
}

/// How a process was found. Ours: the reason stands where the data of other events stands.
pub(crate) fn health(name: &Name, pid: u32, reason: &str) -> String {
    let Name { group, process } = name;
    format!("processname:{process} groupname:{group} pid:{pid}\n{reason}")
}

/// A chunk of output (EVT-014, EVT-038).
pub(crate) fn log_output(name: &Name, pid: u32, output: Output, data: &[u8]) -> String {
    let channel = output.word();
    let Name { group, process } = name;
    format!("processname:{process} groupname:{group} pid:{pid} channel:{channel}\n{}", decoded(data))
}

/// What stood between communication tags (EVT-012).
pub(crate) fn communication(name: &Name, pid: u32, data: &[u8]) -> String {
    let Name { group, process } = name;
    format!("processname:{process} groupname:{group} pid:{pid}\n{}", decoded(data))
}

/// What a client sent (EVT-015).
pub(crate) fn remote(kind: &str, data: &str) -> String {
    format!("type:{kind}\n{data}")
}

/// EVT-022.
pub(crate) fn group(name: &str) -> String {
    format!("groupname:{name}\n")
}

/// EVT-020.
pub(crate) fn tick(when: i64) -> String {
    format!("when:{when}")
}

/// An event as it goes down a listener's standard input.
pub(crate) fn envelope(identifier: &str, delivery: &Delivery<'_, Payload>) -> String {
    let event = delivery.event;
    let payload = &*event.payload;
    let length = if delivery.characters { payload.chars().count() } else { payload.len() };
    format!(
        "ver:3.0 server:{identifier} serial:{} pool:{} poolserial:{} eventname:{} len:{length}\n{payload}",
        event.serial, delivery.pool, event.pool_serial, event.kind
    )
}

#[cfg(test)]
mod tests {
    use upkeep_core::ProcId;
    use upkeep_core::listener::Queued;

    use super::*;

    fn name() -> Name {
        Name { group: "g".into(), process: "p".into() }
    }

    #[test]
    fn each_change_says_what_the_original_says_evt_003_to_evt_010() {
        use StateName::{Backoff, Exited, Fatal, Running, Starting, Stopped, Stopping, Unknown};
        let rows = [
            (Stopped, Starting, "STARTING", "from_state:STOPPED tries:2"),
            (Starting, Running, "RUNNING", "from_state:STARTING pid:7"),
            (Starting, Backoff, "BACKOFF", "from_state:STARTING tries:2"),
            (Running, Stopping, "STOPPING", "from_state:RUNNING pid:7"),
            (Running, Exited, "EXITED", "from_state:RUNNING expected:1 pid:7"),
            (Stopping, Stopped, "STOPPED", "from_state:STOPPING pid:7"),
            (Backoff, Fatal, "FATAL", "from_state:BACKOFF"),
            (Stopping, Unknown, "UNKNOWN", "from_state:STOPPING"),
        ];
        for (from, to, kind, expected) in rows {
            let change = Change { from, to, pid: 7, tries: 2, expected: true };
            assert_eq!(change.payload(&name()), format!("processname:p groupname:g {expected}"));
            assert_eq!(change.kind().name(), format!("PROCESS_STATE_{kind}"));
        }
    }

    #[test]
    fn a_crash_loop_reads_like_a_change_of_state() {
        let text = crash_loop(&name(), 5, Duration::from_millis(60_500));
        assert_eq!(text, "processname:p groupname:g restarts:5 window:60.5");
    }

    #[test]
    fn lengths_count_characters_unless_told_otherwise_evt_053_d_30() {
        let payload: Payload = log_output(&name(), 7, Output::Stderr, "é\n".as_bytes()).into();
        let event =
            Queued { serial: 3, pool_serial: 1, kind: Output::Stderr.log_kind(), payload: payload.clone() };
        for (characters, length) in [(true, payload.len() - 1), (false, payload.len())] {
            let delivery = Delivery { id: ProcId(1), pool: "pool", event: &event, characters };
            assert_eq!(
                envelope("me", &delivery),
                format!(
                    "ver:3.0 server:me serial:3 pool:pool poolserial:1 eventname:PROCESS_LOG_STDERR len:{length}\n\
                     processname:p groupname:g pid:7 channel:stderr\né\n"
                )
            );
        }
    }
}
