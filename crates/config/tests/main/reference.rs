//! Supervisor itself, asked through `tests/configs/dump_reference.py`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};
use upkeep_config::Environment;

/// The folder of the corpus.
pub(crate) fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/configs")
        .canonicalize()
        .expect("the corpus is there")
}

/// The same surroundings for both.
pub(crate) fn environment(cwd: &Path) -> Environment {
    let vars = [("HOME", "/tmp"), ("LC_ALL", "C.UTF-8"), ("PATH", "/usr/bin:/bin"), ("SOMEBODY", "me")];
    Environment {
        vars: vars
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        cwd: cwd.to_owned(),
        hostname: Environment::of_this_process().hostname,
    }
}

/// One Python that answers requests, in the folder of the corpus.
pub(crate) struct Reference {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

static SHARED: LazyLock<Mutex<Reference>> = LazyLock::new(|| Mutex::new(Reference::start()));

/// The Python that all tests share.
pub(crate) fn reference() -> MutexGuard<'static, Reference> {
    SHARED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reference {
    fn start() -> Self {
        let Ok(python) = std::env::var("UPKEEP_REFERENCE_PYTHON") else {
            panic!(
                "these tests compare with Supervisor 4.3.0. Set it up with\n  \
                 python3 -m venv reference && reference/bin/pip install supervisor==4.3.0 setuptools\n  \
                 export UPKEEP_REFERENCE_PYTHON=$PWD/reference/bin/python"
            )
        };
        let mut child = Command::new(&python)
            .args(["dump_reference.py", "--serve"])
            .current_dir(corpus())
            .env_clear()
            .envs(environment(Path::new("/")).vars)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {python}: {error}"));
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdin, stdout }
    }

    /// Asks one question.
    pub(crate) fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.stdin, "{request}").expect("the reference takes requests");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the reference answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{request}: {error}: {line:?}"))
    }

    /// What it makes of a file, named relative to the corpus or absolutely.
    pub(crate) fn load(&mut self, file: &str) -> Value {
        self.ask(&json!({ "file": file }))
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // Fails only if it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
