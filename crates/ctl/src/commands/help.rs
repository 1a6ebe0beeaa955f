//! `help`, and the help of every command (CTL-110 … CTL-130).

use super::{COMMANDS, Next, find};
use crate::columns::columns;
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

const HEADER: &str = "default commands (type help <topic>):";
/// The list is laid out for a terminal of 80 columns, whatever the real one is.
const WIDTH: usize = 79;

pub(super) fn help(_session: &mut Session, topic: &str) -> Result<Next, Trouble> {
    if topic.is_empty() {
        screen::bytes(list().as_bytes());
        return Ok(Next::Prompt);
    }
    match find(topic).map(|command| command.help) {
        None | Some("") => screen::line(&format!("*** No help on {topic}")),
        Some(help) => screen::bytes(help.as_bytes()),
    };
    Ok(Next::Prompt)
}

fn list() -> String {
    let names: Vec<_> = COMMANDS.iter().map(|command| command.name).collect();
    let mut text = format!("\n{HEADER}\n{}\n", "=".repeat(HEADER.len()));
    for line in columns(&names, WIDTH) {
        text.push_str(&line);
        text.push('\n');
    }
    text.push('\n');
    text
}

pub(super) const HELP: &str = "help\t\tPrint a list of available actions
help <action>\tPrint help for <action>
";
pub(super) const ADD: &str = "add <name> [...]\tActivates any updates in config for process/group\n";
pub(super) const AVAIL: &str = "avail\t\t\tDisplay all configured processes\n";
pub(super) const CLEAR: &str = "clear <name>\t\tClear a process' log files.
clear <name> <name>\tClear multiple process' log files
clear all\t\tClear all process' log files
";
pub(super) const EXIT: &str = "exit\tExit the supervisor shell.\n";
pub(super) const QUIT: &str = "quit\tExit the supervisor shell.\n";
pub(super) const FG: &str = "fg <process>\tConnect to a process in foreground mode
\t\tCtrl-C to exit
";
pub(super) const MAINTAIL: &str = "maintail -f \tContinuous tail of supervisor main log file (Ctrl-C to exit)
maintail -100\tlast 100 *bytes* of supervisord main log file
maintail\tlast 1600 *bytes* of supervisor main log file

";
pub(super) const OPEN: &str = "open <url>\tConnect to a remote supervisord process.
\t\t(for UNIX domain socket, use unix:///socket/path)
";
pub(super) const PID: &str = "pid\t\t\tGet the PID of supervisord.
pid <name>\t\tGet the PID of a single child process by name.
pid all\t\t\tGet the PID of every child process, one per line.
";
pub(super) const RELOAD: &str = "reload \t\tRestart the remote supervisord.\n";
pub(super) const REMOVE: &str = "remove <name> [...]\tRemoves process/group from active config\n";
pub(super) const REREAD: &str = "reread \t\t\tReload the daemon's configuration files without add/remove\n";
pub(super) const RESTART: &str = "restart <name>\t\tRestart a process
restart <gname>:*\tRestart all processes in a group
restart <name> <name>\tRestart multiple processes or groups
restart all\t\tRestart all processes
Note: restart does not reread config files. For that, see reread and update.
";
pub(super) const SHUTDOWN: &str = "shutdown \tShut the remote supervisord down.\n";
pub(super) const SIGNAL: &str = "signal <signal name> <name>\t\tSignal a process
signal <signal name> <gname>:*\t\tSignal all processes in a group
signal <signal name> <name> <name>\tSignal multiple processes or groups
signal <signal name> all\t\tSignal all processes
";
pub(super) const START: &str = "start <name>\t\tStart a process
start <gname>:*\t\tStart all processes in a group
start <name> <name>\tStart multiple processes or groups
start all\t\tStart all processes
";
pub(super) const STATUS: &str = "status <name>\t\tGet status for a single process
status <gname>:*\tGet status for all processes in a group
status <name> <name>\tGet status for multiple named processes
status\t\t\tGet all process status info
";
pub(super) const STOP: &str = "stop <name>\t\tStop a process
stop <gname>:*\t\tStop all processes in a group
stop <name> <name>\tStop multiple processes or groups
stop all\t\tStop all processes
";
pub(super) const TAIL: &str = "tail [-f] <name> [stdout|stderr] (default stdout)
Ex:
tail -f <name>\t\tContinuous tail of named process stdout
\t\t\tCtrl-C to exit.
tail -100 <name>\tlast 100 *bytes* of process stdout
tail <name> stderr\tlast 1600 *bytes* of process stderr
";
pub(super) const UPDATE: &str =
    "update\t\t\tReload config and add/remove as necessary, and will restart affected programs
update all\t\tReload config and add/remove as necessary, and will restart affected programs
update <gname> [...]\tUpdate specific groups
";
pub(super) const VERSION: &str = "version\t\t\tShow the version of the remote supervisord process\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_ctl_110() {
        let expected = "\ndefault commands (type help <topic>):\n=====================================\n\
            add    exit      open  reload  restart   start   tail   \n\
            avail  fg        pid   remove  shutdown  status  update \n\
            clear  maintail  quit  reread  signal    stop    version\n\n";
        assert_eq!(list(), expected);
    }
}
