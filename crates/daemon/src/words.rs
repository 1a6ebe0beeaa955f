//! What processes say by themselves: that they are ready, that they live, what they do.
//!
//! A run whose program asks for it gets a socket for datagrams (NOTIFY_SOCKET, sd_notify(3)) that only its user may write to (`place`), a
//! descriptor for a newline, or both. Each is the run's own, so that a late word of an earlier run means nothing, and the keeper holds it as long as the run lives: what was said
//! while there was no daemon waits there. A word stays in the socket or pipe until what follows from it is written down.

mod gone;
mod listen;
mod parse;
mod place;
mod sender;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};
use tokio::task::AbortHandle;
use upkeep_core::health::Word;
use upkeep_core::spec::{ProcessSpec, Ready};
use upkeep_core::{Input, RunId};
use upkeep_keeper::wire::ToKeeper;
use upkeep_logs::Level;
use upkeep_os::Strings;

pub(crate) use gone::GoneSockets;

use crate::shell::{Message, Shell};
use crate::tasks;
use listen::Listener;

/// Names under which the keeper holds the sockets begin so; a run's number follows.
const NOTIFY: &str = "notify/";
/// The same of the pipes.
const NEWLINE: &str = "ready/";

/// What somebody said to a run's socket or pipe.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The process said this.
    Words(Vec<Word>),
    /// This process did, and does not belong to it.
    Stranger(u32),
}

/// What looks after one run: how it says something, and what asks it.
#[derive(Debug, Default)]
pub(crate) struct Vitals {
    /// The socket that it was told of.
    notify: Option<Arc<OwnedFd>>,
    /// Our end of the pipe for its newline.
    newline: Option<Arc<OwnedFd>>,
    /// Its own end, and the number that it is to have.
    lent: Option<(OwnedFd, i32)>,
    listeners: Vec<AbortHandle>,
    /// A check that is under way.
    pub(crate) check: Option<AbortHandle>,
    /// What is wrong with its socket.
    remark: Option<String>,
}

impl Vitals {
    /// Whether its child gets a descriptor that the keeper has to pass on.
    pub(crate) fn lends(&self) -> bool {
        self.lent.is_some()
    }
}

impl Drop for Vitals {
    fn drop(&mut self) {
        self.listeners.iter().chain(&self.check).for_each(AbortHandle::abort);
    }
}

impl Vitals {
    /// Makes what a process needs to say something, and tells it by its environment; `None` if it has nothing to say.
    ///
    /// # Errors
    /// There are no descriptors.
    pub(crate) fn of(spec: &ProcessSpec, env: &mut Strings) -> io::Result<Option<Box<Self>>> {
        let Some(health) = spec.health.as_deref() else { return Ok(None) };
        let mut vitals = Self::default();
        if let Some(Ready::Descriptor(number)) = health.ready {
            let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
            vitals.newline = Some(Arc::new(read));
            vitals.lent = Some((write, number));
        }
        if health.hears() {
            let has_own_tmp = spec.confinement.as_ref().is_some_and(|confinement| confinement.private_tmp);
            let ear = place::open(speaker(spec), has_own_tmp)?;
            set(env, "NOTIFY_SOCKET", &ear.name);
            (vitals.notify, vitals.remark) = (Some(Arc::new(ear.socket)), ear.remark);
            if let Some(time) = health.watchdog {
                set(env, "WATCHDOG_USEC", &time.as_micros().to_string());
            }
        }
        let says = vitals.notify.is_some() || vitals.newline.is_some();
        Ok(says.then(|| Box::new(vitals)))
    }

    /// What the keeper is to hold, by name.
    fn held(&self, run: RunId) -> Vec<(String, Arc<OwnedFd>)> {
        let notify = self.notify.iter().map(|fd| (held_name(NOTIFY, run), Arc::clone(fd)));
        let newline = self.newline.iter().map(|fd| (held_name(NEWLINE, run), Arc::clone(fd)));
        notify.chain(newline).collect()
    }
}

/// The user that a process says things as; `None` is our own.
fn speaker(spec: &ProcessSpec) -> Option<u32> {
    spec.health.as_ref().and_then(|health| health.notify_uid).or(spec.uid)
}

fn held_name(kind: &str, run: RunId) -> String {
    format!("{kind}{}", run.0)
}

/// Sets a variable, whatever it was.
fn set(env: &mut Strings, name: &str, value: &str) {
    let prefix = format!("{name}=").into_bytes();
    *env = env.iter().filter(|entry| !entry.starts_with(&prefix)).collect();
    env.push(&[&prefix, value.as_bytes()]);
}

impl Shell {
    /// Before a run's child is asked for: gives the keeper what it holds of it, and what the child gets.
    pub(crate) fn give_vitals(&mut self, run: RunId, vitals: Option<Box<Vitals>>) -> Option<Box<Vitals>> {
        let mut vitals = vitals?;
        if let Some(remark) = vitals.remark.take() {
            let name = self.core.process_of(run).and_then(|id| self.core.process(id));
            let name = name.map_or("?", |process| process.name());
            self.log(Level::Warn, format!("'{name}': {remark}"));
        }
        for (name, fd) in vitals.held(run) {
            self.send_with(&ToKeeper::Hold { name }, &[fd.as_fd()]);
        }
        if let Some((fd, number)) = vitals.lent.take() {
            let fds: [BorrowedFd<'_>; 1] = [fd.as_fd()];
            self.send_with(&ToKeeper::Lend { run: run.0, number }, &fds);
        }
        Some(vitals)
    }

    /// Gives another keeper what it is to hold.
    pub(crate) fn hold_vitals(&mut self) {
        let vitals = self.runs.iter().filter_map(|(run, entry)| Some(entry.vitals.as_ref()?.held(*run)));
        let held: Vec<_> = vitals.flatten().collect();
        for (name, fd) in held {
            self.send_with(&ToKeeper::Hold { name }, &[fd.as_fd()]);
        }
    }

    /// Takes over what the keeper held of a run that goes on.
    pub(crate) fn take_over_vitals(&mut self, run: RunId, pid: u32, held: &mut BTreeMap<String, OwnedFd>) {
        let mut take = |kind| held.remove(&held_name(kind, run)).map(Arc::new);
        let (notify, newline) = (take(NOTIFY), take(NEWLINE));
        if notify.is_none() && newline.is_none() {
            return;
        }
        let mut vitals = Vitals::default();
        (vitals.notify, vitals.newline) = (notify, newline);
        self.runs.entry(run).or_default().vitals = Some(Box::new(vitals));
        self.listen_to(run, pid);
    }

    /// Lets go of what belongs to no run any more.
    pub(crate) fn drop_stale_vitals(&mut self, held: &mut BTreeMap<String, OwnedFd>) {
        let is_ours = |name: &String| name.starts_with(NOTIFY) || name.starts_with(NEWLINE);
        let stale: Vec<String> = held.keys().filter(|name| is_ours(name)).cloned().collect();
        for name in stale {
            let path = held.remove(&name).and_then(|fd| place::path_of(fd.as_fd()));
            self.send(&ToKeeper::Unhold { name });
            self.remove_socket(path);
        }
    }

    /// A run has ended, or never began.
    pub(crate) fn leave_vitals(&mut self, run: RunId) {
        let vitals = self.runs.get_mut(&run).and_then(|entry| entry.vitals.take());
        for (name, _) in vitals.iter().flat_map(|vitals| vitals.held(run)) {
            self.send(&ToKeeper::Unhold { name });
        }
        self.discard_vitals(vitals);
    }

    /// Listens to a run whose child exists.
    pub(crate) fn listen_to(&mut self, run: RunId, pid: u32) {
        let process = self.core.process_of(run).and_then(|id| self.core.process(id));
        let main_pid = process.and_then(|process| process.health()?.main_pid);
        let uid = process.and_then(|process| speaker(process.spec()));
        let messages = self.messages.clone();
        let Some(vitals) = self.runs.get_mut(&run).and_then(|entry| entry.vitals.as_mut()) else { return };
        // An update may have changed the options since this run began.
        let uid = vitals.notify.as_ref().and_then(|socket| place::owner_of(socket.as_fd())).or(uid);
        let listener = Listener::new(run, messages);
        let user = uid.unwrap_or_else(|| rustix::process::getuid().as_raw());
        let speakers = sender::Speakers { child: pid, main: main_pid, user };
        let mut tasks = Vec::new();
        // The runtime wants to own what it watches.
        let duplicate = |fd: &Option<Arc<OwnedFd>>| fd.as_ref().and_then(|fd| fd.try_clone().ok());
        if let Some(socket) = duplicate(&vitals.notify) {
            tasks.push(tasks::spawn(listener.clone().hear_words(socket, speakers)).abort_handle());
        }
        if let Some(pipe) = duplicate(&vitals.newline) {
            tasks.push(tasks::spawn(listener.await_newline(pipe)).abort_handle());
        }
        vitals.listeners = tasks;
    }

    /// Somebody said something to a run.
    pub(crate) fn words_heard(&mut self, run: RunId, what: Heard) {
        match what {
            Heard::Words(words) => {
                words.into_iter().for_each(|word| self.tell(Input::Notified { run, word }));
            }
            Heard::Stranger(pid) => {
                let process = self.core.process_of(run).and_then(|id| self.core.process(id));
                let name = process.map_or("?", |process| process.name()).to_owned();
                self.log(
                    Level::Warn,
                    format!("process {pid} does not belong to '{name}', and what it says about its health is ignored"),
                );
            }
        }
    }
}

/// What the listeners tell the shell.
pub(crate) fn heard(run: RunId, what: Heard, taken: tokio::sync::oneshot::Sender<()>) -> Message {
    Message::Heard { run, what, taken }
}

#[cfg(test)]
mod tests {
    use upkeep_core::spec::HealthSpec;

    use super::*;

    #[test]
    fn it_is_told_of_its_own_socket_and_of_no_other() {
        let mut env: Strings =
            ["NOTIFY_SOCKET=/of/ours", "A=1", "WATCHDOG_USEC=7"].into_iter().map(str::as_bytes).collect();
        set(&mut env, "NOTIFY_SOCKET", "/new");
        assert_eq!(env.iter().collect::<Vec<_>>(), [&b"A=1"[..], b"WATCHDOG_USEC=7", b"NOTIFY_SOCKET=/new"]);
    }

    #[test]
    fn who_speaks_is_its_user_or_who_is_named() {
        for (uid, notify_uid, speaks) in
            [(None, None, None), (Some(1), None, Some(1)), (Some(1), Some(2), Some(2))]
        {
            let health = HealthSpec { notify_uid, ..HealthSpec::default() };
            let spec = ProcessSpec { uid, health: Some(health.into()), ..ProcessSpec::new("web", "web") };
            assert_eq!(speaker(&spec), speaks);
        }
    }
}
