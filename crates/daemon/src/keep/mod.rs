//! `reload --keep`: what a configuration says about the daemon itself and its servers is applied while every process
//! runs on.
//!
//! A helper thread reads the files and opens all that is new ([`Ready`]): sockets, log, pid file. If anything of it
//! fails, what was done is undone and nothing has changed. Then the daemon's task exchanges old for new in one turn,
//! and in that turn the keeper learns of it: new sockets first, then the record that names the new configuration, and
//! only then is it told to let go of old sockets. A daemon that is killed at any point leaves the next one with all of
//! the old or all of the new configuration.

mod apply;
mod differences;
mod ready;
mod undo;

use upkeep_api::{Fault, FaultCode, Reply};
use upkeep_logs::Level;
use upkeep_os::Limit;

use crate::records::Standing;
use crate::shell::{Message, Responder, Shell};
use crate::tasks;
pub(crate) use ready::Ready;
use ready::{Order, prepare};
use undo::Undo;

impl Shell {
    /// Reads the configuration again, off this task, and applies what is about the daemon.
    pub(crate) fn reload_keep(&mut self, reply: Responder) {
        if self.reloading {
            let text = "another reload is being prepared; nothing has been changed by this one";
            return self.respond(reply, Err(Fault::about(FaultCode::Failed, text)));
        }
        self.reloading = true;
        let order = Order {
            latest: self.generations.latest().clone(),
            base: self.generations.base,
            config: self.generations.base().config.clone(),
            cli: self.cli.clone(),
            program: self.program.clone(),
            keeper_pid: self.keeper_pid,
            foreground: self.in_foreground(),
            ident: self.context.ident.clone(),
        };
        let (messages, reading) = (self.messages.clone(), self.reading.clone());
        tasks::spawn(async move {
            let result = prepare(order, &reading).await.map(Box::new);
            // Fails only when the daemon has ended.
            let _ = messages.send(Message::Kept { result, reply });
        });
    }

    /// All that is new was opened, or cannot be had.
    pub(crate) fn keep_ready(&mut self, result: Result<Box<Ready>, Fault>, reply: Responder) {
        let applied = result.map_err(|fault| (fault, Undo::default())).and_then(|ready| self.apply(*ready));
        match applied {
            Ok(done) => {
                // For the next daemon nothing would be left to do.
                self.note_answer(&reply, done.answer());
                // Nobody should be told before the disk agrees.
                self.end_reload(move || Ok(done.finish()), reply);
            }
            Err((fault, undo)) => {
                self.log(Level::Error, format!("reload refused, everything goes on as it is: {fault}"));
                self.end_reload(
                    move || {
                        undo.run();
                        Err(fault)
                    },
                    reply,
                );
            }
        }
    }

    /// Does what is left to do on the disk, answers, and lets others go on that wait for that.
    fn end_reload(&self, rest: impl FnOnce() -> Result<Reply, Fault> + Send + 'static, reply: Responder) {
        let messages = self.messages.clone();
        let opened = self.new_logs();
        tasks::spawn(async move {
            if let Some(opened) = opened {
                opened.await;
            }
            tasks::spawn_blocking(move || {
                let answer = rest();
                // Fails only when the daemon has ended.
                let _ = messages.send(Message::Reloaded { answer, reply });
            });
        });
    }

    /// A reload is over.
    pub(crate) fn reloaded(&mut self, answer: Result<Reply, Fault>, reply: Responder) {
        self.reloading = false;
        self.respond(reply, answer);
        for (result, reply) in std::mem::take(&mut self.restarts_waiting) {
            self.restart_checked(result, reply);
        }
    }

    /// A new keeper has the limits that the old one had at the start of this daemon.
    pub(crate) fn raise_limits_again(&self) {
        let settings = self.settings();
        for (limit, wanted) in [(Limit::OpenFiles, settings.minfds), (Limit::Processes, settings.minprocs)] {
            let count = u64::try_from(wanted).unwrap_or(0);
            if let Err(error) = upkeep_os::raise_limit_of(self.keeper_pid, limit, count) {
                self.log(Level::Warn, format!("a limit of processes cannot be raised to {wanted}: {error}"));
            }
        }
    }

    /// Goes on as a daemon that was reloaded.
    pub(crate) fn recall(&mut self, standing: &Standing) {
        self.standing = standing.clone();
        if let Some(umask) = standing.umask {
            upkeep_os::set_umask(umask);
        }
        self.renew_context();
    }
}
