//! Whose programs are run: the original's or ours.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Names the python of a virtual environment that has supervisor 4.3.0; `.cargo/config.toml` gives the usual one.
const REFERENCE: &str = "UPKEEP_REFERENCE_PYTHON";

/// Names a directory with `supervisord` and `supervisorctl` to be tested instead of this build. With the
/// reference's own directory the suite compares the reference with itself: a check of the suite.
pub(super) const SUBJECT: &str = "UPKEEP_TEST_BIN";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Maker {
    /// Supervisor 4.3.0.
    Reference,
    /// This build.
    Upkeep,
}

impl Maker {
    /// Puts the programs into `bin` under their usual names, so that both makers have the same argv[0].
    pub(crate) fn install(self, bin: &Path) {
        std::fs::create_dir_all(bin).expect("a directory");
        for name in ["supervisord", "supervisorctl", "echo_supervisord_conf", "pidproxy"] {
            let link = bin.join(name);
            if !link.exists() {
                symlink(self.program(name), link).expect("a link");
            }
        }
        if self == Maker::Upkeep && !bin.join("upkeep").exists() {
            symlink(env!("CARGO_BIN_EXE_upkeep"), bin.join("upkeep")).expect("a link");
        }
    }

    pub(super) fn program(self, name: &str) -> PathBuf {
        match self {
            Maker::Reference => reference_bin().join(name),
            Maker::Upkeep => match std::env::var_os(SUBJECT) {
                Some(dir) => PathBuf::from(dir).join(name),
                None => PathBuf::from(env!("CARGO_BIN_EXE_upkeep")),
            },
        }
    }
}

/// Where the original's programs are, and those of what is installed beside it.
pub(crate) fn reference_bin() -> PathBuf {
    reference_python().parent().expect("python lies in a directory").to_owned()
}

/// The Python that has the original.
pub(crate) fn reference_python() -> PathBuf {
    let python = std::env::var_os(REFERENCE).map(PathBuf::from).filter(|python| python.exists());
    python.unwrap_or_else(|| {
        panic!("{REFERENCE} names no python with supervisor 4.3.0: `cargo xtask setup` makes one")
    })
}
