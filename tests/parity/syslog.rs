//! What reaches syslog: lines of children, lines of the daemon. Each daemon has a `/dev` of its own, in which `/dev/log` is a
//! socket of the test.

use std::os::unix::net::UnixDatagram;

use regex_lite::Regex;

use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::maker::Maker;
use crate::rig::plain::plain;
use crate::rig::stage::same_story;
use crate::rig::wait::PATIENCE;

/// Lays a small `/dev` over that of the machine, for this process and its children only.
const INSIDE: &str = "\
set -e
mkdir dev
mount -t tmpfs none dev
for name in null zero full random urandom tty; do
  touch dev/$name
  mount --bind /dev/$name dev/$name
done
ln -s /proc/self/fd dev/fd
for number in 0:stdin 1:stdout 2:stderr; do ln -s /proc/self/fd/${number%:*} dev/${number#*:}; done
ln -s \"$PWD/syslog\" dev/log
mount --bind dev /dev
exec bin/supervisord -n -c supervisord.conf
";

/// A daemon, and what comes to its `/dev/log`.
fn start(maker: Maker, config: &str) -> (Daemon, UnixDatagram) {
    let home = Home::new();
    home.write("inside", INSIDE);
    let socket = UnixDatagram::bind(home.join("syslog")).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let prelude = "exec unshare --mount --propagation private /bin/sh ./inside";
    (Daemon::start_after(prelude, home, maker, config), socket)
}

/// The messages up to one that holds `last`, without the times of their sending.
fn messages(socket: &UnixDatagram, last: &str) -> Vec<String> {
    let date = Regex::new(r"^(<\d+>)[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d ").expect("a pattern");
    let mut all = Vec::new();
    let mut buffer = vec![0; 65536];
    while !all.last().is_some_and(|message: &String| message.contains(last)) {
        let length =
            socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no {last:?} in {all:#?}: {error}"));
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        all.push(date.replace(&text, "$1DATE ").into_owned());
    }
    all
}

/// PROC-152: each line of each chunk is a message with the name of the process, beside the file; an event listener's words
/// are none (PROC-153).
#[test]
fn proc_152_lines_of_children() {
    let config = "\
[program:talk]
command=/bin/sh -c 'read go; printf \"one\\ntwo with é\\n\"; read go; echo three >&2; read go; printf cut; read go; echo last'
stdout_syslog=true
stderr_syslog=true
stdout_logfile=%(here)s/talk.out
[program:quiet]
command=/bin/sh -c 'read go; echo not this'
[eventlistener:words]
command=/bin/sh -c 'printf \"READY\\n\"; exec cat'
events=TICK_3600
stdout_syslog=true
";
    same_story(|maker| {
        let (daemon, socket) = start(maker, config);
        daemon.wait("RUNNING", &["talk", "quiet", "words"]);
        daemon.call("supervisor.sendProcessStdin", &[Text("quiet"), Text("go\n")]);
        let mut story = Vec::new();
        for last in ["two with", "three", "cut", "last"] {
            daemon.call("supervisor.sendProcessStdin", &[Text("talk"), Text("go\n")]);
            story.extend(messages(&socket, last));
        }
        daemon.wait_file("talk.out", "cutlast\n");
        story.push(daemon.home.read("talk.out"));
        story.join("\n")
    });
}

/// PROC-171: with `logfile=syslog` every line of the daemon's log is a message.
#[test]
fn proc_171_the_daemons_own_log() {
    let config = "[program:cat]\ncommand=/bin/cat\n[supervisord]\nlogfile=syslog\n";
    same_story(|maker| {
        let (mut daemon, socket) = start(maker, config);
        daemon.wait("RUNNING", &["cat"]);
        daemon.call("supervisor.stopProcess", &[Text("cat"), Bool(true)]);
        daemon.call("supervisor.shutdown", &[]);
        let messages = messages(&socket, "stopped: cat");
        daemon.wait_for_end();
        let waits = |line: &&String| !line.contains("waiting for cat to stop");
        // The original's end with a line end, which syslog daemons take away.
        let lines: Vec<&str> = messages.iter().filter(waits).map(|message| message.trim_end()).collect();
        plain(&lines.join("\n"), daemon.home.path())
    });
}
