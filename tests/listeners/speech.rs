//! What listeners say, right and wrong: what the daemon's log says of it, and what becomes of the event.

use super::{LISTENER, recorded, section_answering};
use crate::rig::http::Arg::Text;
use crate::rig::stage::{Stage, compare_prepared};
use crate::rig::wait::until_true;

fn compare(config: &str, scene: impl Fn(&mut Stage) + Sync) {
    compare_prepared(config, &|home| home.write("listen.py", LISTENER), scene);
}

/// A listener that is a shell script: it says `words`, and then what stdin brings is thrown away.
fn shell(name: &str, words: &str) -> String {
    format!(
        "[eventlistener:{name}]\ncommand=/bin/sh -c '{words}; exec cat >/dev/null'\nevents=REMOTE_COMMUNICATION\n\
         startsecs=0\nautorestart=false\n"
    )
}

/// The same with a priority of its own: in the original, pools of one priority get each other's rejected events (EVT-097).
fn apart(at: usize, name: &str, words: &str) -> String {
    format!("{}priority={}\n", shell(name, words), at + 1)
}

/// Notes the lines about listeners, without those that only tell of another try or of raw output.
fn note_speech(stage: &mut Stage, names: &[&str]) {
    let log = stage.daemon.log();
    for name in names {
        let about = |line: &&str| {
            line.contains(&format!(" {name}: ")) || line.contains(&format!("sent to listener {name}"))
        };
        let lines: Vec<&str> = log.lines().filter(about).collect();
        stage.note(name, &lines.join("\n"));
    }
}

/// EVT-060 … EVT-063, EVT-065, EVT-066, EVT-069 … EVT-071, EVT-073, EVT-074, EVT-098: levels and words of the log.
#[test]
fn evt_060_words_right_and_wrong() {
    let rows = [
        ("good", "printf \"READY\\n\"; read head; printf \"RESULT 2\\nOK\""),
        (
            "pieces",
            "printf REA; sleep 0.2; printf \"DY\\n\"; read head; printf RESU; sleep 0.2; printf \"LT 2\\nO\"; sleep 0.2; printf K",
        ),
        ("windows", "printf \"READY\\r\\n\""),
        ("wrong", "printf READYx"),
        ("short", "printf abc"),
        ("chatty", "printf \"READY\\n\"; sleep 1; printf chatter; sleep 1; printf \"READY\\n\""),
        ("fails", "printf \"READY\\n\"; read head; printf \"RESULT 4\\nFAIL\""),
        ("odd", "printf \"READY\\n\"; read head; printf \"RESULT 5\\nHELLO\""),
        ("lineless", "printf \"READY\\n\"; read head; printf \"RESULT two\\n\""),
        ("binary", "printf \"READY\\n\"; read head; printf \"\\377 two\\n\""),
        ("anyword", "printf \"READY\\n\"; read head; printf \"whatev 2\\nOK\""),
        (
            "again",
            "printf \"READY\\n\"; read head; read type; read data; printf \"RESULT 2\\nOKREADY\\n\"; read head; printf \"RESULT 2\\nOK\"",
        ),
    ];
    let section = |(at, (name, words)): (usize, &(&str, &str))| apart(at, name, &words.replace('\\', "\\\\"));
    let sections: String = rows.iter().enumerate().map(section).collect();
    let names = rows.map(|(name, _)| name);
    let config = format!("{sections}[supervisord]\nloglevel=debug\n");
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &names);
        for name in ["good", "pieces", "fails", "odd", "lineless", "binary", "anyword", "again", "chatty"] {
            stage.daemon.wait_log(&format!(" {name}: ACKNOWLEDGED -> READY"));
        }
        for name in ["windows", "wrong", "chatty"] {
            stage.daemon.wait_log(&format!(" {name}: has entered the UNKNOWN state"));
        }
        stage.call("supervisor.sendRemoteCommEvent", &[Text("a"), Text("b\n")]);
        stage.daemon.wait_log(" again: BUSY -> ACKNOWLEDGED");
        stage.daemon.wait_log(" again: ACKNOWLEDGED -> READY");
        stage.call("supervisor.sendRemoteCommEvent", &[Text("a"), Text("c\n")]);
        until_true("the second answer", || {
            stage.daemon.log().matches(" again: event was processed").count() == 2
        });
        for name in ["good", "pieces", "fails", "odd", "anyword"] {
            stage.daemon.wait_log(&format!(" {name}: BUSY -> ACKNOWLEDGED"));
        }
        for name in ["lineless", "binary"] {
            stage.daemon.wait_log(&format!(" {name}: BUSY -> UNKNOWN"));
        }
        // All of them live on.
        stage.daemon.wait("RUNNING", &names);
        note_speech(stage, &names);
    });
}

/// EVT-071, EVT-075, EVT-078, EVT-096, EVT-052: a rejected event comes again with its numbers, also after a death.
#[test]
fn evt_096_rejected_events_come_again() {
    let config =
        section_answering("picky", "FAIL die HELLO", "events=REMOTE_COMMUNICATION\nautorestart=true");
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &["picky"]);
        stage.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text("first")]);
        // Twice before the death; then the script begins anew, with the same answers: twice more, and so on.
        until_true("four tries", || recorded(&stage.daemon.home, "picky").len() >= 4);
        let events = recorded(&stage.daemon.home, "picky");
        for event in &events {
            assert_eq!((event.serial, event.pool_serial, event.data.as_str()), (0, 0, "type:t\nfirst"));
        }
        stage.note("head", &events[0].head);
    });
}

/// EVT-094, EVT-095: a full buffer loses its oldest events, with a line for each.
#[test]
fn evt_094_overflow() {
    let config = format!("{}buffer_size=2\n", shell("deaf", "true"));
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &["deaf"]);
        for number in ["0", "1", "2", "3", "4"] {
            stage.call("supervisor.sendRemoteCommEvent", &[Text("t"), Text(number)]);
        }
        stage.daemon.wait_log("discarding event 2");
        let log = stage.daemon.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("overflowed")).collect();
        stage.note("lines", &lines.join("\n"));
    });
}
