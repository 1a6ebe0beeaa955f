//! Requests by name, as a client makes them.

use std::time::Duration;

use upkeep_core::signal::Signal;
use upkeep_core::spec::GroupSpec;
use upkeep_core::{Batch, ProcId, Refusal, Request, Supervisor};

/// A request, before names are looked up. `all` and `group:*` ask about many processes.
#[derive(Clone, Debug)]
pub struct Ask {
    verb: Verb,
    name: String,
    wait: bool,
}

#[derive(Clone, Debug)]
enum Verb {
    Start { preflight: Option<Refusal> },
    Stop,
    Signal(String),
    Reload,
    Rolling { batch: Option<Batch>, wait: Option<Duration> },
    Add(GroupSpec),
    Remove,
    Update { spec: GroupSpec, strict: bool },
}

/// What a name means.
enum Target {
    One(ProcId),
    Many(Vec<ProcId>),
}

impl Ask {
    /// Start, and answer when RUNNING.
    #[must_use]
    pub fn start(name: &str) -> Self {
        Self::new(Verb::Start { preflight: None }, name)
    }

    /// Start, after a look at the command found this.
    #[must_use]
    pub fn start_found(name: &str, refusal: Refusal) -> Self {
        Self::new(Verb::Start { preflight: Some(refusal) }, name)
    }

    /// Stop, and answer when stopped.
    #[must_use]
    pub fn stop(name: &str) -> Self {
        Self::new(Verb::Stop, name)
    }

    /// Send a signal.
    #[must_use]
    pub fn signal(name: &str, signal: &str) -> Self {
        Self::new(Verb::Signal(signal.to_owned()), name)
    }

    /// Read the configuration again.
    #[must_use]
    pub fn reload(name: &str) -> Self {
        Self::new(Verb::Reload, name)
    }

    /// Restart bit by bit.
    #[must_use]
    pub fn rolling(name: &str) -> Self {
        Self::new(Verb::Rolling { batch: None, wait: None }, name)
    }

    /// The same with so many at a time, each of which has so long to be well again.
    #[must_use]
    pub fn rolling_by(name: &str, batch: Batch, wait: Duration) -> Self {
        Self::new(Verb::Rolling { batch: Some(batch), wait: Some(wait) }, name)
    }

    /// Make a group active.
    #[must_use]
    pub fn add(spec: GroupSpec) -> Self {
        let name = spec.name.clone();
        Self::new(Verb::Add(spec), &name)
    }

    /// Take a group away.
    #[must_use]
    pub fn remove(name: &str) -> Self {
        Self::new(Verb::Remove, name)
    }

    /// Give a group new options.
    #[must_use]
    pub fn update(spec: GroupSpec) -> Self {
        let name = spec.name.clone();
        Self::new(Verb::Update { spec, strict: false }, &name)
    }

    /// Give a group new options as Supervisor does it.
    #[must_use]
    pub fn strict_update(spec: GroupSpec) -> Self {
        let name = spec.name.clone();
        Self::new(Verb::Update { spec, strict: true }, &name)
    }

    /// Answer as soon as it has begun.
    #[must_use]
    pub fn without_waiting(self) -> Self {
        Self { wait: false, ..self }
    }

    /// The options a group gets by this, if it is an addition or an update.
    pub(crate) fn new_spec(&self) -> Option<&GroupSpec> {
        match &self.verb {
            Verb::Add(spec) | Verb::Update { spec, .. } => Some(spec),
            Verb::Start { .. }
            | Verb::Stop
            | Verb::Signal(_)
            | Verb::Reload
            | Verb::Rolling { .. }
            | Verb::Remove => None,
        }
    }

    /// Whether it changes a group that is there.
    pub(crate) fn updates(&self) -> bool {
        matches!(self.verb, Verb::Update { .. })
    }

    /// The group that this takes away, if it does.
    pub(crate) fn removes(&self) -> Option<&str> {
        match &self.verb {
            Verb::Remove => Some(&self.name),
            Verb::Add(_)
            | Verb::Update { .. }
            | Verb::Start { .. }
            | Verb::Stop
            | Verb::Reload
            | Verb::Rolling { .. }
            | Verb::Signal(_) => None,
        }
    }

    /// The request with names looked up.
    pub(crate) fn request(self, core: &Supervisor) -> Request {
        let (asked, wait) = (self.name.clone(), self.wait);
        match (self.verb, find(core, &self.name)) {
            (Verb::Start { preflight }, Target::One(target)) => {
                Request::Start { target, asked, preflight, wait }
            }
            (Verb::Start { preflight }, Target::Many(ids)) => {
                let targets = ids.into_iter().map(|id| (id, preflight.clone())).collect();
                Request::StartMany { targets, wait }
            }
            (Verb::Stop, Target::One(target)) => Request::Stop { target, asked, wait },
            (Verb::Stop, Target::Many(targets)) => Request::StopMany { targets, wait },
            (Verb::Signal(text), Target::One(target)) => match Signal::parse(&text) {
                Ok(signal) => Request::Signal { target, asked, signal },
                Err(_) => Request::SignalMany { targets: vec![target], signal: Err(text) },
            },
            (Verb::Signal(text), Target::Many(targets)) => {
                Request::SignalMany { targets, signal: Signal::parse(&text).map_err(|_| text) }
            }
            (Verb::Reload, Target::One(target)) => Request::Reload { target, asked },
            (Verb::Reload, Target::Many(targets)) => Request::ReloadMany { targets },
            (Verb::Rolling { batch, wait }, Target::One(target)) => {
                Request::RestartRolling { targets: vec![target], batch, wait }
            }
            (Verb::Rolling { batch, wait }, Target::Many(targets)) => {
                Request::RestartRolling { targets, batch, wait }
            }
            (Verb::Add(spec), _) => Request::AddGroup(spec),
            (Verb::Remove, _) => Request::RemoveGroup(asked),
            (Verb::Update { spec, strict }, _) => Request::UpdateGroup { spec, strict },
        }
    }

    fn new(verb: Verb, name: &str) -> Self {
        Self { verb, name: name.to_owned(), wait: true }
    }
}

/// Looks a name up; one that is not there is a key nobody has.
fn find(core: &Supervisor, name: &str) -> Target {
    if name == "all" {
        return Target::Many(core.all_by_priority());
    }
    let (group, process) = split(name);
    if process == "*" {
        return Target::Many(core.group(group).map(|group| core.by_priority(group)).unwrap_or_default());
    }
    Target::One(core.member(group, process).unwrap_or(ProcId(u32::MAX)))
}

/// `G:P` is process P of group G, `P` is process P of group P (RPC-080).
pub(crate) fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or((name, name))
}

/// The name that [`split`] takes apart.
pub(crate) fn join(group: &str, process: &str) -> String {
    if group == process { process.to_owned() } else { format!("{group}:{process}") }
}
