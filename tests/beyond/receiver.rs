//! A server that takes in lines, written in Python.

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::rig::home::{Home, repository};
use crate::rig::maker::reference_python;
use crate::rig::wait::until_true;

/// It tells its port in the file `port` of its home, and ends with the test.
pub(crate) struct Receiver(Child);

impl Receiver {
    /// Runs this script, at a port of its own choice without one.
    pub(crate) fn start(script: &str, home: &Home, port: Option<&str>) -> Self {
        fs::remove_file(home.join("port")).ok();
        let mut command = Command::new(reference_python());
        command.arg(repository(&format!("tests/beyond/{script}"))).arg(home.path()).args(port);
        let receiver = Self(command.stdin(Stdio::null()).spawn().expect("python"));
        until_true("the receiver", || home.join("port").exists());
        receiver
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
