//! What the daemon asks for.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use crate::children::{Adopted, Pipes};
use crate::daemon::complain;
use crate::run::Keeper;
use crate::wire::{Detach, ToDaemon, ToKeeper};

impl Keeper {
    /// Carries out every request that has come, unless the daemon does not take its answers.
    pub(crate) fn receive(&mut self) {
        while let Some(daemon) = self.daemon.as_mut().filter(|daemon| !daemon.is_behind())
            && let Some((frame, fds)) = daemon.receive()
        {
            self.carry_out(frame, fds);
        }
    }

    fn carry_out(&mut self, frame: ToKeeper, fds: Vec<OwnedFd>) {
        self.thrift.worked();
        let mut fds = fds.into_iter();
        match frame {
            ToKeeper::Spawn { run, plan } => {
                let register = self.hold.register();
                let (frame, pipes) = self.children.start(run, plan, fds.next(), register);
                if let Some(daemon) = &mut self.daemon {
                    daemon.tell(&frame, pipes);
                }
            }
            ToKeeper::Signal { token, run, signo, group } => {
                let errno = self.children.signal(run, signo, group);
                self.tell(&ToDaemon::Signalled { token, errno });
            }
            ToKeeper::Lend { run, number } => self.children.lend(run, number, fds.next()),
            ToKeeper::Put { key, value } => self.hold.put(key, value),
            ToKeeper::Extend { key, keep, value } => self.hold.extend(key, keep, &value),
            ToKeeper::Delete { key } => self.hold.delete(key),
            ToKeeper::Release { run } => self.children.release(run),
            ToKeeper::CloseStdin { run } => self.children.close_stdin(run),
            ToKeeper::Hold { name } => match fds.next() {
                Some(fd) => self.hold.hold(name, fd),
                None => self.tell(&ToDaemon::NotHeld { name }),
            },
            ToKeeper::Unhold { name } => self.hold.unhold(&name),
            ToKeeper::Ready { detach } => self.become_ready(detach),
            ToKeeper::Quit { code } => self.leave(code),
            ToKeeper::Seen { signo } => self.signal_seen(signo),
            ToKeeper::Adopt { run, pid, start_ns, exited, has_pidfd, has_stdin, has_stdout, has_stderr } => {
                let announced = [has_pidfd, has_stdin, has_stdout, has_stderr];
                if fds.len() < announced.iter().filter(|there| **there).count() {
                    // Without them it would be one that has ended, or that has nobody to read what it says.
                    return self.cannot_adopt(pid);
                }
                let mut take = |there: bool| if there { fds.next() } else { None };
                let pidfd = take(has_pidfd);
                let [stdin, stdout, stderr] =
                    [has_stdin, has_stdout, has_stderr].map(|there| take(there).map(Arc::new));
                let pipes = Pipes { stdin, stdout, stderr };
                self.adopt(run, Adopted { pid, start_ns, exit: exited, pidfd, pipes });
            }
            ToKeeper::Replace { token, patience_ns } => self.replace(token, patience_ns, fds.next()),
        }
    }

    fn cannot_adopt(&mut self, pid: u32) {
        if let Some(daemon) = &mut self.daemon {
            daemon.misunderstood(&format!("no descriptors are left to take care of the process {pid}"));
        }
    }

    fn adopt(&mut self, run: u64, adopted: Adopted) {
        if let Some(frame) = self.children.adopt(run, adopted, &mut self.watch) {
            self.tell(&frame);
        }
    }

    fn leave(&mut self, code: u8) {
        self.quit = Some(code);
        if let Some(daemon) = &mut self.daemon {
            daemon.leaves();
        }
    }

    fn become_ready(&mut self, detach: Option<Detach>) {
        if let Some(detach) = detach
            && !self.detached
        {
            self.detached = true;
            self.detach(&detach);
        }
        self.ready = true;
        self.heir = false;
        self.orders.tell_launcher();
        if let Some(daemon) = &mut self.daemon {
            daemon.ready = true;
        }
    }

    /// Lets go of the terminal; a directory that cannot be had is reported (PROC-203).
    fn detach(&mut self, detach: &Detach) {
        if let Some(directory) = &detach.directory
            && let Err(error) = std::env::set_current_dir(OsString::from_vec(directory.clone()))
        {
            let errno = error.raw_os_error().unwrap_or_default();
            self.tell(&ToDaemon::DetachFailed { errno });
        }
        if let Some(mask) = detach.umask {
            upkeep_os::set_umask(mask);
        }
        if let Err(error) = upkeep_os::stdio_to_null() {
            complain(&format!("the keeper process cannot let go of the terminal: {error}"));
        }
    }
}
