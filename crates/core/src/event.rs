//! The types of events and their family tree (EVT-001 … EVT-022).
//!
//! Some are ours: `PROCESS_CRASH_LOOP`, `PROCESS_LIMIT`, and `PROCESS_HEALTH` and `ROLLING_RESTART` with their two. They are no `PROCESS_STATE`, whose readers
//! expect a state in it, and come only where an option of ours (`restart_limit`, `max_runtime`, `health_check` and its like) is set; so
//! only who asks for them, or for every `EVENT`, ever meets them.

use std::fmt;

macro_rules! kinds {
    ($($variant:ident $name:literal $parent:expr;)*) => {
        /// A type of event. A subscription to a type covers everything below it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventKind {
            $(#[doc = $name] $variant,)*
        }

        impl EventKind {
            /// Every type, parents before children.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire and in `events=`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The next more general type; `None` for `EVENT`.
            #[must_use]
            pub fn parent(self) -> Option<Self> {
                use EventKind::*;
                match self { $(Self::$variant => $parent,)* }
            }
        }
    };
}

kinds! {
    Event "EVENT" None;
    ProcessState "PROCESS_STATE" Some(Event);
    ProcessStateStarting "PROCESS_STATE_STARTING" Some(ProcessState);
    ProcessStateRunning "PROCESS_STATE_RUNNING" Some(ProcessState);
    ProcessStateBackoff "PROCESS_STATE_BACKOFF" Some(ProcessState);
    ProcessStateStopping "PROCESS_STATE_STOPPING" Some(ProcessState);
    ProcessStateExited "PROCESS_STATE_EXITED" Some(ProcessState);
    ProcessStateStopped "PROCESS_STATE_STOPPED" Some(ProcessState);
    ProcessStateFatal "PROCESS_STATE_FATAL" Some(ProcessState);
    ProcessStateUnknown "PROCESS_STATE_UNKNOWN" Some(ProcessState);
    ProcessCrashLoop "PROCESS_CRASH_LOOP" Some(Event);
    ProcessLimit "PROCESS_LIMIT" Some(Event);
    ProcessHealth "PROCESS_HEALTH" Some(Event);
    ProcessHealthHealthy "PROCESS_HEALTH_HEALTHY" Some(ProcessHealth);
    ProcessHealthUnhealthy "PROCESS_HEALTH_UNHEALTHY" Some(ProcessHealth);
    RollingRestart "ROLLING_RESTART" Some(Event);
    RollingRestartDone "ROLLING_RESTART_DONE" Some(RollingRestart);
    RollingRestartFailed "ROLLING_RESTART_FAILED" Some(RollingRestart);
    ProcessCommunication "PROCESS_COMMUNICATION" Some(Event);
    ProcessCommunicationStdout "PROCESS_COMMUNICATION_STDOUT" Some(ProcessCommunication);
    ProcessCommunicationStderr "PROCESS_COMMUNICATION_STDERR" Some(ProcessCommunication);
    ProcessLog "PROCESS_LOG" Some(Event);
    ProcessLogStdout "PROCESS_LOG_STDOUT" Some(ProcessLog);
    ProcessLogStderr "PROCESS_LOG_STDERR" Some(ProcessLog);
    RemoteCommunication "REMOTE_COMMUNICATION" Some(Event);
    SupervisorStateChange "SUPERVISOR_STATE_CHANGE" Some(Event);
    SupervisorStateChangeRunning "SUPERVISOR_STATE_CHANGE_RUNNING" Some(SupervisorStateChange);
    SupervisorStateChangeStopping "SUPERVISOR_STATE_CHANGE_STOPPING" Some(SupervisorStateChange);
    Tick "TICK" Some(Event);
    Tick5 "TICK_5" Some(Tick);
    Tick60 "TICK_60" Some(Tick);
    Tick3600 "TICK_3600" Some(Tick);
    ProcessGroup "PROCESS_GROUP" Some(Event);
    ProcessGroupAdded "PROCESS_GROUP_ADDED" Some(ProcessGroup);
    ProcessGroupRemoved "PROCESS_GROUP_REMOVED" Some(ProcessGroup);
}

impl EventKind {
    /// The type of this name, any case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// Whether a subscription to `self` delivers `other`.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        let mut at = Some(other);
        while let Some(kind) = at {
            if kind == self {
                return true;
            }
            at = kind.parent();
        }
        false
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_covers_its_children_and_no_cousins() {
        assert!(EventKind::Event.covers(EventKind::Tick60));
        assert!(EventKind::ProcessState.covers(EventKind::ProcessStateFatal));
        assert!(!EventKind::ProcessState.covers(EventKind::ProcessLogStdout));
        assert!(!EventKind::Tick5.covers(EventKind::Tick));
        assert_eq!(EventKind::parse("process_state_EXITED"), Some(EventKind::ProcessStateExited));
    }
}
