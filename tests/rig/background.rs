//! A daemon that has gone into the background.

use rustix::process::Signal;

use super::home::Home;
use super::procfs;
use super::run::run;
use super::wait::{PATIENCE, until, within};

/// The pid of a daemon in the background, which ends with the test.
pub(crate) struct Background(pub(crate) i32);

impl Background {
    /// Starts the `supervisord` that is installed in `home`, and waits for its pid file.
    pub(crate) fn start(home: &Home, config: &str) -> Background {
        let said = run(&home.join("bin/supervisord"), &["-c", config], home.path());
        assert_eq!(said.status, Some(0), "{said:?}");
        let whole = || Some(home.read("supervisord.pid")).filter(|text| text.ends_with('\n'));
        Background(until("a pid file", whole).trim().parse().expect("a pid"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        procfs::signal(self.0, Signal::TERM);
        within(PATIENCE, || (!procfs::alive(self.0)).then_some(()));
    }
}
