//! What the campaign has done to whom, and when: every end of a process must be one of these.

use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// The daemon writes its log in milliseconds, and a cause is noted a moment before or after it takes effect.
pub(super) const SLACK: Duration = Duration::from_millis(50);

/// Something that ends processes.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    /// Whose process, without the group.
    pub(super) name: String,
    /// The very process, if one was killed; otherwise any of the time.
    pub(super) pid: Option<i32>,
    pub(super) from: SystemTime,
    /// `None` while it goes on.
    pub(super) until: Option<SystemTime>,
}

/// All of them.
#[derive(Default)]
pub(super) struct Causes(Mutex<Vec<Cause>>);

impl Causes {
    /// A process is about to be killed.
    pub(super) fn kill(&self, name: &str, pid: i32) {
        let now = SystemTime::now();
        let cause = Cause { name: name.to_owned(), pid: Some(pid), from: now, until: Some(now) };
        self.0.lock().expect("the causes").push(cause);
    }

    /// It was gone already.
    pub(super) fn no_kill(&self, pid: i32) {
        let mut causes = self.0.lock().expect("the causes");
        if let Some(at) = causes.iter().rposition(|cause| cause.pid == Some(pid)) {
            causes.remove(at);
        }
    }

    /// Something begins that stops these processes, at once or later.
    pub(super) fn begin<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        let from = SystemTime::now();
        let cause = |name: &str| Cause { name: name.to_owned(), pid: None, from, until: None };
        self.0.lock().expect("the causes").extend(names.into_iter().map(cause));
    }

    /// It is over.
    pub(super) fn end(&self, names: &[String]) {
        let until = Some(SystemTime::now());
        let mut causes = self.0.lock().expect("the causes");
        let open = |cause: &&mut Cause| cause.until.is_none() && names.contains(&cause.name);
        causes.iter_mut().filter(open).for_each(|cause| cause.until = until);
    }

    /// Whether the campaign may have ended the process that lived from `spawned` to `ended`.
    pub(super) fn explain(&self, name: &str, pid: i32, spawned: SystemTime, ended: SystemTime) -> bool {
        let fits = |cause: &Cause| {
            let same = cause.name == name && cause.pid.is_none_or(|of| of == pid);
            let begun = cause.from <= ended + SLACK;
            same && begun && cause.until.is_none_or(|until| until + SLACK >= spawned)
        };
        self.0.lock().expect("the causes").iter().any(fits)
    }

    /// Every process that was killed.
    pub(super) fn kills(&self) -> Vec<(String, i32, SystemTime)> {
        let causes = self.0.lock().expect("the causes");
        causes.iter().filter_map(|cause| Some((cause.name.clone(), cause.pid?, cause.from))).collect()
    }
}
