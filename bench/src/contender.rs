//! Who is measured.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs::Programs;
use crate::scene::Job;

/// How a contender works, as far as measuring it needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The original: one process.
    Supervisor,
    /// Ours: a keeper and a daemon.
    Upkeep,
    /// The limit program.
    Limit,
}

/// One of those who take turns.
#[derive(Debug, Clone)]
pub struct Contender {
    /// As the table calls it.
    pub name: String,
    /// How it works.
    pub kind: Kind,
    /// Where its `supervisord` and `supervisorctl` are; for the limit program, where our C programs are.
    pub bin: PathBuf,
}

impl Contender {
    /// What to run to do a job in a directory.
    #[must_use]
    pub fn command(&self, job: &Job, home: &Path, programs: &Programs) -> Command {
        match self.kind {
            Kind::Supervisor | Kind::Upkeep => {
                let mut command = Command::new(self.bin.join("supervisord"));
                command.arg("-n").arg("-c").arg(home.join("conf"));
                command
            }
            Kind::Limit => {
                let mut command = Command::new(&programs.limit);
                command.arg(home.join("sock")).arg(answer_bytes(job.processes).to_string());
                command.arg(home.join("logs")).arg(job.processes.to_string());
                command.arg(&programs.worker).args(job.worker_args(home));
                command
            }
        }
    }

    /// What a person runs to see who lives.
    #[must_use]
    pub fn status(&self, home: &Path, programs: &Programs) -> Command {
        match self.kind {
            Kind::Supervisor | Kind::Upkeep => {
                let mut command = Command::new(self.bin.join("supervisorctl"));
                command.arg("-c").arg(home.join("conf")).arg("status");
                command
            }
            Kind::Limit => {
                let mut command = Command::new(&programs.worker);
                command.arg("ask").arg(home.join("sock"));
                command
            }
        }
    }
}

/// As many bytes as Supervisor's answer about so many processes has, nearly.
fn answer_bytes(processes: usize) -> usize {
    300 + 1_400 * processes
}
