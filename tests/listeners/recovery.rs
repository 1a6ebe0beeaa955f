//! The daemon dies while listeners work.

use super::{LISTENER, recorded, section, section_answering};
use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::{Int, Text};
use crate::rig::maker::Maker;
use crate::rig::wait::until_true;

/// A listener that has an event when the daemon dies gives its answer to the next one, and goes on: same pid, no event
/// twice, numbers go on, nothing of the start is told again.
#[test]
fn a_busy_and_a_ready_listener_go_on() {
    let home = Home::new();
    home.write("listen.py", LISTENER);
    let config = format!(
        "{}{}",
        section_answering("busy", "'hold %(here)s/go'", "events=REMOTE_COMMUNICATION,PROCESS_GROUP"),
        section("ready", "events=REMOTE_COMMUNICATION,SUPERVISOR_STATE_CHANGE"),
    );
    // The first event of "busy" is its own group's: it has that when the daemon dies.
    let daemon = Daemon::start_in(home, Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["busy", "ready"]);
    until_true("an event", || recorded(&daemon.home, "busy").len() == 1);
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("before")]);
    until_true("the start and the event", || recorded(&daemon.home, "ready").len() == 2);
    let pids = ["busy", "ready"].map(|name| daemon.pid_of(name));
    // Its RESULT must have been taken in, else it would only come with the next daemon: that is well, but not looked for.
    daemon.kill_brain();
    // The next one too: what it took back is still the keeper's.
    daemon.kill_brain();
    daemon.home.write("go", "");
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("after")]);
    until_true("what was sent after", || recorded(&daemon.home, "ready").len() == 3);
    until_true("an event for the busy one", || {
        recorded(&daemon.home, "busy").last().is_some_and(|event| event.data == "type:t\nafter")
    });
    assert_eq!(["busy", "ready"].map(|name| daemon.pid_of(name)), pids);
    let busy = recorded(&daemon.home, "busy");
    let data: Vec<&str> = busy.iter().map(|event| event.data.as_str()).collect();
    assert_eq!(data[data.len() - 2..], ["type:t\nbefore", "type:t\nafter"], "what waited is there: {data:?}");
    assert_eq!(data.iter().filter(|data| data.starts_with("groupname:")).count(), 2, "{data:?}");
    let ready = recorded(&daemon.home, "ready");
    let data: Vec<&str> = ready.iter().map(|event| event.data.as_str()).collect();
    assert_eq!(data, ["", "type:t\nbefore", "type:t\nafter"]);
    for events in [&ready, &recorded(&daemon.home, "busy")] {
        assert!(events.windows(2).all(|pair| pair[0].serial < pair[1].serial), "{events:#?}");
        assert!(events.windows(2).all(|pair| pair[0].pool_serial < pair[1].pool_serial), "{events:#?}");
    }
}

/// What stands between two tags is one event, whoever dies before the second comes; and half a tag is no line of the log.
#[test]
fn a_capture_under_way_goes_on() {
    let home = Home::new();
    home.write("listen.py", LISTENER);
    let speaker = r#"
begin() { printf 'log<!--XSUPERVISOR:BEGIN-->first '; }
trap 'begin; echo > one' USR1
trap 'printf "second <!--XSUPER"; echo > two' USR2
trap 'printf "VISOR:END-->line\n<!--XSUPER"; echo > three' HUP
trap 'printf "VISOR:BEGIN-->x<!--XSUPERVISOR:END-->.\n"' INT
while :; do sleep 0.05; done
"#;
    home.write("speaker.sh", speaker);
    let config = format!(
        "{}{}",
        section("ear", "events=PROCESS_COMMUNICATION"),
        "[program:speaker]\ncommand=/bin/sh speaker.sh\ndirectory=%(here)s\nstdout_capture_maxbytes=1KB\n\
         stdout_logfile=%(here)s/speaker.log\n",
    );
    let mut daemon = Daemon::start_in(home, Maker::Upkeep, &config);
    daemon.wait("RUNNING", &["ear", "speaker"]);
    let say = |daemon: &Daemon, signal: &str, sign: &str| {
        daemon.call("supervisor.signalProcess", &[Text("speaker"), Text(signal)]);
        // What was written is read before a question about the log is answered.
        until_true("its word", || daemon.home.join(sign).exists());
        daemon.call("supervisor.readProcessStdoutLog", &[Text("speaker"), Int(0), Int(0)]);
    };
    say(&daemon, "USR1", "one");
    daemon.kill_brain();
    daemon.kill_brain();
    say(&daemon, "USR2", "two");
    daemon.kill_keeper();
    daemon.kill_brain();
    say(&daemon, "HUP", "three");
    daemon.kill_brain();
    daemon.call("supervisor.signalProcess", &[Text("speaker"), Text("INT")]);
    until_true("both events", || recorded(&daemon.home, "ear").len() == 2);
    let events = recorded(&daemon.home, "ear");
    let captured: Vec<&str> =
        events.iter().filter_map(|event| Some(event.data.split_once('\n')?.1)).collect();
    assert_eq!(captured, ["first second ", "x"]);
    daemon.wait_file("speaker.log", ".\n");
    assert_eq!(daemon.home.read("speaker.log"), "logline\n.\n");
}

/// A listener that was stopped with an event in hand is not taken for busy when the daemon has died since: started again, it gets
/// that event.
#[test]
fn a_listener_that_was_stopped_busy_begins_anew() {
    let home = Home::new();
    home.write("listen.py", LISTENER);
    let section =
        section_answering("busy", "'hold %(here)s/go'", "events=REMOTE_COMMUNICATION\nstopsignal=KILL");
    let daemon = Daemon::start_in(home, Maker::Upkeep, &section);
    daemon.wait("RUNNING", &["busy"]);
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("one")]);
    until_true("the event", || recorded(&daemon.home, "busy").len() == 1);
    assert_eq!(daemon.ctl(&["stop", "busy"]).stdout, "busy: stopped\n");
    daemon.kill_brain();
    daemon.home.write("go", "");
    assert_eq!(daemon.ctl(&["start", "busy"]).stdout, "busy: started\n");
    until_true("the event again", || recorded(&daemon.home, "busy").len() == 2);
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("two")]);
    until_true("the next one", || recorded(&daemon.home, "busy").len() == 3);
    let told: Vec<String> = recorded(&daemon.home, "busy").into_iter().map(|event| event.data).collect();
    assert_eq!(told, ["type:t\none", "type:t\none", "type:t\ntwo"]);
}

/// An event that is longer than a pipe holds, of which the listener has read a part when the daemon dies: it gets the rest, then
/// what else was sent to it, each once.
#[test]
fn a_long_event_comes_whole_and_once() {
    let listener = r#"
import sys, time, os
out, inp = sys.stdout, sys.stdin.buffer
def head():
    out.write('READY\n'); out.flush()
    return dict(word.split(':') for word in inp.readline().decode().split())
def done():
    out.write('RESULT 2\nOK'); out.flush()
while True:
    header = head()
    left, data = int(header['len']), b''
    data = inp.read(1000 if left > 1000 else left)
    if left > 1000:
        open('begun', 'w').close()
        while not os.path.exists('go'):
            time.sleep(0.01)
        data += inp.read(left - 1000)
    with open('told', 'a') as told:
        told.write('%d %d %s\n' % (len(data), data.count(b'x'), data[-5:].decode()))
    done()
"#;
    let home = Home::new();
    home.write("long.py", listener);
    let config = "[eventlistener:long]\ncommand=/usr/bin/python3 long.py\nevents=REMOTE_COMMUNICATION\n\
                  buffer_size=100\n";
    let daemon = Daemon::start_in(home, Maker::Upkeep, config);
    daemon.wait("RUNNING", &["long"]);
    let text = format!("{}whole", "x".repeat(300_000));
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text(&text)]);
    until_true("the beginning", || daemon.home.join("begun").exists());
    daemon.kill_brain();
    daemon.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("after")]);
    daemon.kill_brain();
    daemon.home.write("go", "");
    // `type:t`, a newline, and the text.
    daemon.wait_file("told", "300012 300000 whole\n12 0 after\n");
    assert_eq!(daemon.home.read("told").lines().count(), 2, "{}", daemon.home.read("told"));
}
