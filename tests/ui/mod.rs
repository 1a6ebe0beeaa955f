//! The web pages in a real browser: what a reader sees and presses, on a desktop and on a phone.
//!
//! One daemon and one browser play all scenes, which stand in `pages.mjs`: a browser takes its time to start.

use std::path::Path;
use std::time::Duration;

use crate::rig::daemon::Daemon;
use crate::rig::home::repository;
use crate::rig::maker::Maker;
use crate::rig::run::run_within;

/// For all scenes together on a busy machine; on an idle one they take twenty seconds.
const LIMIT: Duration = Duration::from_secs(240);

const CONFIG: &str = r#"
[program:web]
command=/bin/sh -c 'echo "<b>hello</b>"; echo complaint >&2; exec cat'
startsecs=0
[program:flaky]
command=/bin/sh -c 'test ! -e %(here)s/broken && exec cat'
startretries=0
[program:pair]
command=/bin/sh -c 'test ! -e %(here)s/broken && exec cat'
process_name=%(process_num)d
numprocs=2
startretries=0
[program:odd]
command=/bin/cat
process_name=<s>&x
startsecs=0
[program:many]
command=/bin/cat
numprocs=200
process_name=%(program_name)s_%(process_num)03d
autostart=false
"#;

/// Buttons with a script and without, rolling restarts, pages of other sites (D-17), live rows and
/// tails, the filter, 200 processes, two languages, a phone's width.
#[test]
fn pages_in_a_browser_rpc_201_rpc_203_rpc_206_rpc_210_rpc_214_rpc_240() {
    let daemon = Daemon::start(Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["web", "flaky", "pair:0", "pair:1"]);
    let modules = repository("target/node/node_modules");
    assert!(modules.join("playwright-core").is_dir(), "`cargo xtask setup` installs it");
    let home = format!("HOME={}", daemon.home.path().display());
    let script = repository("tests/ui/pages.mjs").display().to_string();
    let words = [modules, daemon.socket()].map(|path| path.display().to_string());
    let args = [home.as_str(), "node", &script, &words[0], &words[1]];
    let said = run_within(LIMIT, Path::new("/usr/bin/env"), &args, daemon.home.path());
    assert_eq!(said.status, Some(0), "{}{}\n{}", said.stdout, said.stderr, daemon.log());
}
