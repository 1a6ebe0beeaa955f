//! What the keeper is to hold and could not be sent yet, since there was no descriptor to spare for that. It is tried again until there is one:
//! whoever counts on it waits.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;

use crate::shell::Shell;

/// When it is tried again though nothing happens.
const AGAIN: Duration = Duration::from_millis(100);

/// It is told again that the keeper has no descriptor left after this long.
const SILENCE: Duration = Duration::from_secs(60);

/// By the name under which the keeper is to hold it.
#[derive(Debug, Default)]
pub(crate) struct Unsent(pub(crate) BTreeMap<String, Arc<OwnedFd>>);

impl Unsent {
    /// Whether the keeper has not been sent what has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

/// Returns when it is time to try again.
pub(crate) async fn again() {
    tokio::time::sleep(AGAIN).await;
}

impl Shell {
    /// The keeper holds this, now or as soon as it can be sent.
    pub(crate) fn hold_surely(&mut self, name: String, fd: &Arc<OwnedFd>) {
        let frame = ToKeeper::Hold { name: name.clone() };
        let Err(error) = self.link.send(&frame, &[fd.as_fd()]) else {
            self.unsent.0.remove(&name);
            return;
        };
        if self.unsent.0.is_empty() {
            let text = format!("the keeper cannot be given something to hold, which is tried again: {error}");
            self.log(Level::Error, text);
        }
        self.unsent.0.insert(name, Arc::clone(fd));
    }

    /// The keeper lets go of it, or never gets it.
    pub(crate) fn unhold(&mut self, name: String) {
        self.unsent.0.remove(&name);
        self.send(&ToKeeper::Unhold { name });
    }

    /// Tries to send what could not be sent.
    pub(crate) fn send_unsent(&mut self) {
        let link = &mut self.link;
        self.unsent.0.retain(|name, fd| {
            let frame = ToKeeper::Hold { name: name.clone() };
            link.send(&frame, &[fd.as_fd()]).is_err()
        });
    }

    /// The keeper has no descriptor left for something that it was sent.
    pub(crate) fn not_held(&mut self, name: &str) {
        self.give_up_passage(name);
        let now = Instant::now();
        if self.refused_at.is_some_and(|at| now < at + SILENCE) {
            return;
        }
        self.refused_at = Some(now);
        let text = format!(
            "the keeper has no descriptor left to hold '{name}': the next daemon would miss it, should this one die; raise minfds, or \
             run fewer programs"
        );
        self.log(Level::Error, text);
    }

    /// Something could not be done that nothing else may bring up again.
    pub(crate) fn has_to_try_again(&self) -> bool {
        !self.unsent.0.is_empty() || !self.listeners.to_tell.is_empty() || self.link.is_crowded()
    }
}
