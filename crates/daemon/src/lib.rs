//! The shell around the core: one task owns it, feeds it facts and requests, and carries out what it orders.
//!
//! # Theory of operation
//!
//! `supervisord` reads its options and configuration, becomes the configured user and turns into the keeper
//! ([`supervisord`], [`run`]). The keeper starts this daemon ([`daemon`]) and hands it an inventory: records, held
//! descriptors, children. An empty inventory means a fresh start; otherwise the daemon goes on where the last one
//! stopped. From then on one task waits for frames of the keeper, requests of the API, words of its helpers and the
//! core's next deadline, and between two waits carries out all the core has ordered.
//!
//! Whatever may wait for a disk is done elsewhere: logs on the log thread, looking up commands, opening logs and reading
//! configurations on helper threads that end when idle. A start of which the kernel has all in its caches waits for none.
//!
//! # What is lost when this dies
//!
//! Nothing that the keeper holds: children, their exits, unread output, listening sockets, states. Clients that wait for
//! processes are answered by the next daemon; other answers under way (`reread`, `update`, `reload` of the daemon itself) are lost. A client that connects meanwhile waits in
//! the socket's queue.

#![forbid(unsafe_code)]

mod active;
mod age;
mod alarm;
mod applied;
mod boot;
mod breath;
mod calls;
mod cgroups;
mod changes;
mod checks;
mod clerk;
mod clients;
mod console;
mod daemonised;
mod descriptors;
mod effects;
mod environment;
mod errands;
mod errors;
mod exitwhen;
mod facade;
mod familiar;
mod fcgi;
mod generations;
mod growing;
mod health;
mod held;
mod info;
mod inventory;
mod journal;
mod keep;
mod keeperlink;
mod keeping;
mod launcher;
mod listeners;
mod listening;
mod logcalls;
mod logfiles;
mod losses;
mod memory;
mod names;
mod orphans;
mod ownfile;
mod passage;
mod patience;
mod pidfile;
mod pidproxy;
mod plan;
mod planned;
mod prepare;
mod preparing;
mod program;
mod reading;
mod records;
mod recovery;
mod reload;
mod restraints;
mod rolling;
mod said;
mod schedules;
mod servers;
mod shell;
mod stdin;
mod strays;
mod succession;
mod tasks;
mod telling;
mod undrained;
mod unexecutable;
mod unsent;
mod unwritten;
mod upgrade;
mod watching;
mod words;

use std::panic::resume_unwind;
use std::time::Duration;

use upkeep_keeper::Link;
use upkeep_keeper::wire::ToKeeper;

pub use launcher::{run, supervisord};
pub use pidproxy::pidproxy;

use crate::boot::Called;
use crate::inventory::Inventory;
use crate::launcher::complain;
use crate::shell::{End, Shell};

/// Status when the keeper is gone (EX_SOFTWARE of sysexits).
const ORPHANED: i32 = 70;
/// How long the keeper may take to hear that the daemon ends: what it was told before comes first.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The daemon's role: `args` are the name `supervisord` was called by and its options. Returns the exit status.
#[must_use]
pub fn daemon(args: &[String]) -> i32 {
    upkeep_os::forget_thrifty_heap();
    upkeep_os::set_process_name("upkeep-daemon");
    upkeep_os::share_heap();
    if let Err(error) = upkeep_os::ignore_control_signals() {
        return complain(&format!("cannot leave signals to the keeper: {error}"), 1);
    }
    let called = match Called::from_args(args) {
        Ok(called) => called,
        Err(message) => return complain(&message, 2),
    };
    let connected = Link::from_env().and_then(|mut link| {
        let inventory = Inventory::receive(&mut link)?;
        Ok((link, inventory))
    });
    let (link, inventory) = match connected {
        Ok(connected) => connected,
        Err(error) => return complain(&format!("cannot talk to the keeper: {error}"), 1),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_keep_alive(Duration::from_secs(5))
        // After so many turns new clients and the keeper are looked at. With the usual 61, twenty clients that take long
        // answers let the next one wait for several milliseconds.
        .event_interval(16)
        .build();
    match runtime {
        Ok(runtime) => {
            // As a task, like those of clients: whenever the future that is blocked on is woken, the runtime first asks the
            // kernel about all descriptors.
            let life = runtime.block_on(runtime.spawn(live(called, link, inventory)));
            let (status, shell) = life.unwrap_or_else(|died| resume_unwind(died.into_panic()));
            // A helper thread that hangs on a dead disk must not keep the daemon from ending.
            runtime.shutdown_timeout(Duration::from_millis(200));
            // Not while a client could be told that its question is forgotten: the next daemon may answer it.
            drop(shell);
            status
        }
        Err(error) => complain(&format!("cannot start: {error}"), 1),
    }
}

/// The exit status, and what served until then.
async fn live(called: Called, link: Link, inventory: Inventory) -> (i32, Option<Box<Shell>>) {
    let program = called.program.clone();
    let mut shell = match boot::boot(called, link, inventory).await {
        Ok(shell) => Box::new(shell),
        Err(error) => {
            let text = format!("Error: {error}\nFor help, use {program} -h");
            return (complain(&text, i32::from(error.status())), None);
        }
    };
    let end = shell.run().await;
    let status = shell.finish(end).await;
    (status, Some(shell))
}

impl Shell {
    /// Closes everything; returns the exit status.
    async fn finish(&mut self, end: End) -> i32 {
        match end {
            End::Orphaned => {
                self.close_stores();
                self.engine.clone().shutdown();
                ORPHANED
            }
            End::Left => {
                self.leave_servers().await;
                self.close_plans();
                self.close_stores();
                self.engine.clone().shutdown();
                // With what could not be forwarded any more.
                self.hold_all_losses();
                self.leave_rolling();
                self.leave_clients();
                self.leave_record();
                let _ = self.link.flush();
                0
            }
            End::Exit(code) => {
                self.close_servers().await;
                self.remove_cgroups().await;
                self.close_plans();
                self.remove_pidfile();
                self.remove_run_file();
                self.remove_gone_sockets();
                self.send(&ToKeeper::Quit { code });
                self.close_stores();
                self.engine.clone().shutdown();
                // Without its last word the keeper takes this for a death, and starts another daemon.
                let _ = tokio::time::timeout(LAST_WORDS, self.link.flush_all()).await;
                i32::from(code)
            }
        }
    }
}
