//! Events as short text: what a listener would be told, without the envelope.

use upkeep_core::{Event, StateName};

/// The state's name as users know it.
pub(crate) fn shout(state: StateName) -> &'static str {
    match state {
        StateName::Stopped => "STOPPED",
        StateName::Starting => "STARTING",
        StateName::Running => "RUNNING",
        StateName::Backoff => "BACKOFF",
        StateName::Stopping => "STOPPING",
        StateName::Exited => "EXITED",
        StateName::Fatal => "FATAL",
        StateName::Unknown => "UNKNOWN",
    }
}

/// `web STARTING from STOPPED tries:0`: the payload's data by the event's kind (EVT-003 … EVT-010); `None` for what
/// is no listener's business.
pub(crate) fn text_of(event: &Event, name: impl Fn(upkeep_core::ProcId) -> String) -> Option<String> {
    match event {
        Event::ProcessState { id, from, to, pid, tries, expected } => {
            let more = match to {
                StateName::Starting | StateName::Backoff => format!(" tries:{tries}"),
                StateName::Running | StateName::Stopping | StateName::Stopped => format!(" pid:{pid}"),
                StateName::Exited => format!(" expected:{} pid:{pid}", u8::from(*expected)),
                StateName::Fatal | StateName::Unknown => String::new(),
            };
            Some(format!("{} {} from {}{more}", name(*id), shout(*to), shout(*from)))
        }
        Event::CrashLoop { id, restarts, window } => {
            Some(format!("{} CRASH_LOOP restarts:{restarts} window:{}", name(*id), window.as_secs()))
        }
        Event::Beyond { id, breach, .. } => Some(format!("{} LIMIT {}", name(*id), breach.key())),
        Event::Health { id, healthy: true, .. } => Some(format!("{} HEALTHY", name(*id))),
        Event::Health { id, healthy: false, reason, .. } => Some(format!("{} UNHEALTHY {reason}", name(*id))),
        Event::GroupAdded(group) => Some(format!("GROUP_ADDED {group}")),
        Event::GroupRemoved(group) => Some(format!("GROUP_REMOVED {group}")),
        Event::SupervisorRunning => Some("SUPERVISOR_RUNNING".to_owned()),
        Event::SupervisorStopping => Some("SUPERVISOR_STOPPING".to_owned()),
        Event::RollingOver(number) => Some(format!("ROLLING_OVER {number}")),
        Event::RollingChanged { .. }
        | Event::ChildSpawned(_)
        | Event::WishChanged(_)
        | Event::ProcessAdded { .. }
        | Event::ProcessRemoved(_) => None,
    }
}
