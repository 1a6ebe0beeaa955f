//! What is run: our two C programs, compiled when a run begins, and the contenders' executables under their names.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, because};

/// The name of the supervised program, as the kernel shows it.
pub const WORKER: &str = "bench-worker";

/// Our own programs.
#[derive(Debug)]
pub struct Programs {
    /// What everybody supervises.
    pub worker: PathBuf,
    /// The kernel's part of the job.
    pub limit: PathBuf,
}

/// Compiles the worker and the limit program into a directory.
///
/// # Errors
/// There is no C compiler, or it refuses them.
pub fn compile(into: &Path) -> Outcome<Programs> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("limit");
    let programs = Programs { worker: into.join(WORKER), limit: into.join("limit") };
    cc(&sources.join("worker.c"), &programs.worker)?;
    cc(&sources.join("limit.c"), &programs.limit)?;
    Ok(programs)
}

fn cc(source: &Path, program: &Path) -> Outcome<()> {
    let mut cc = Command::new("cc");
    cc.args(["-O2", "-static", "-o"]).arg(program).arg(source);
    let done = cc.output().map_err(because("cannot run cc, the C compiler"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("cc {}: {}", source.display(), String::from_utf8_lossy(&done.stderr)))
}

/// A directory in which a copy of one executable of Upkeep has the names that it is called by. A copy of its own, since memory
/// that others use who run the same file would be shared out among them.
///
/// # Errors
/// It is not there, or the directory cannot be written.
pub fn name_upkeep(executable: &Path, names: &Path) -> Outcome<()> {
    std::fs::create_dir_all(names).map_err(because("cannot make a directory"))?;
    let copy = names.join("upkeep");
    std::fs::copy(executable, &copy).map_err(because(&executable.display().to_string()))?;
    for name in ["supervisord", "supervisorctl"] {
        symlink(&copy, names.join(name)).map_err(because("cannot link"))?;
    }
    Ok(())
}
