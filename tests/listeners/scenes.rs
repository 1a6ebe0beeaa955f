//! The same happenings with both makers: which events are sent, with which words.

use super::{LISTENER, Recorded, recorded, section};
use crate::rig::http::Arg::{Bool, Text};
use crate::rig::stage::{Stage, compare_prepared};
use crate::rig::wait::{until, until_true};

fn compare(config: &str, scene: impl Fn(&mut Stage) + Sync) {
    compare_prepared(config, &|home| home.write("listen.py", LISTENER), scene);
}

/// Waits until an event whose data holds `text` was recorded.
fn wait_for(stage: &Stage, listener: &str, name: &str, text: &str) -> Recorded {
    until(
        &format!("{name} {text} in {listener}\n{}", stage.daemon.home.read(&format!("{listener}.err"))),
        || {
            let events = recorded(&stage.daemon.home, listener);
            events.into_iter().find(|event| event.name() == name && event.data.contains(text))
        },
    )
}

/// Notes the events about one process or group, in order, or all that are about none of these.
fn note_about(stage: &mut Stage, listener: &str, what: &str) {
    let about = |event: &Recorded| event.data.starts_with(what);
    let events = recorded(&stage.daemon.home, listener);
    // What still reaches a listener once everything is told to stop is a matter of the original's second.
    let stops = |event: &&Recorded| event.name() == "SUPERVISOR_STATE_CHANGE_STOPPING";
    let text: Vec<String> = events
        .iter()
        .take_while(|event| !stops(event))
        .filter(|event| about(event))
        .map(|event| format!("{}\n{:?}", event.head, event.data))
        .collect();
    stage.note(&format!("{listener}: {what}"), &text.join("\n"));
}

/// Every number once, in order: an event is sent once, and nothing is left out.
fn assert_counted(events: &[Recorded]) {
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event.pool_serial, i64::try_from(at).expect("few"), "{events:#?}");
    }
    assert!(events.windows(2).all(|pair| pair[0].serial < pair[1].serial), "{events:#?}");
}

/// EVT-001 … EVT-009, EVT-015 … EVT-018, EVT-021, EVT-031, EVT-033, EVT-022, EVT-030 … EVT-034, EVT-039, EVT-041, EVT-050, EVT-051,
/// EVT-052, EVT-054, EVT-061, EVT-064, EVT-070, EVT-077, EVT-099: one life of a daemon, seen by a listener to everything.
#[test]
fn evt_001_everything_that_happens() {
    let config = format!(
        "{}\
         [program:steady]\ncommand=/bin/cat\n\
         [program:quick]\ncommand=/bin/sh -c 'exit 3'\nstartsecs=0\nautorestart=false\n\
         [program:hasty]\ncommand=/bin/sh -c 'exit 1'\nstartretries=1\n\
         [program:waiting]\ncommand=/no/such/program\nstartretries=9\n\
         [program:m1]\ncommand=/bin/cat\nautostart=false\n[program:m2]\ncommand=/bin/cat\nautostart=false\n\
         [group:team]\nprograms=m1,m2\n",
        section("all", "events=EVENT\nbuffer_size=1000")
    );
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &["steady", "all"]);
        stage.daemon.wait("EXITED", &["quick"]);
        stage.daemon.wait("FATAL", &["hasty"]);
        wait_for(stage, "all", "PROCESS_STATE_BACKOFF", "processname:waiting");
        stage.call("supervisor.stopProcess", &[Text("waiting"), Bool(true)]);
        stage.call("supervisor.stopProcess", &[Text("steady"), Bool(true)]);
        stage.call("supervisor.startProcess", &[Text("team:m2"), Bool(true)]);
        stage.call("supervisor.stopProcessGroup", &[Text("team"), Bool(true)]);
        stage.call("supervisor.removeProcessGroup", &[Text("team")]);
        stage.call("supervisor.addProcessGroup", &[Text("team")]);
        stage.call("supervisor.sendRemoteCommEvent", &[Text("type"), Text("dätä & <tags>\nline")]);
        wait_for(stage, "all", "REMOTE_COMMUNICATION", "type:type");
        stage.call("supervisor.startProcess", &[Text("steady"), Bool(true)]);
        stage.call("supervisor.shutdown", &[]);
        stage.note_end();
        // TICKs come when they come.
        let events = recorded(&stage.daemon.home, "all");
        assert_counted(&events);
        let first: Vec<String> =
            events.iter().take(7).map(|event| format!("{} {:?}", event.head, event.data)).collect();
        stage.note("the beginning", &first.join("\n"));
        for name in ["steady", "quick", "hasty", "m1", "m2", "all"] {
            note_about(stage, "all", &format!("processname:{name} "));
        }
        note_about(stage, "all", "groupname:");
        note_about(stage, "all", "type:");
        let waiting = recorded(&stage.daemon.home, "all");
        let waiting = waiting.iter().filter(|event| event.data.starts_with("processname:waiting "));
        // How many tries fit in until the stop is a matter of time.
        let waiting: Vec<String> = waiting.map(|event| format!("{} {}", event.name(), event.data)).collect();
        stage.note("its first tries", &waiting[..3].join("\n"));
        let (last, pid) = waiting.last().expect("events").rsplit_once(' ').expect("words");
        assert_eq!((last.split(' ').next(), pid), (Some("PROCESS_STATE_STOPPED"), "pid:0"));
        let stopping = events.iter().filter(|event| event.name() == "SUPERVISOR_STATE_CHANGE_STOPPING");
        stage.note("told to stop", &stopping.map(|event| format!("{event:?}")).count().to_string());
    });
}

/// A program that does one step for each line it is sent.
fn stepper(name: &str, steps: &[&str], more: &str) -> String {
    let steps = steps.iter().map(|step| format!("read go; {step}; ")).collect::<String>();
    let steps = steps.replace('%', "%%");
    format!(
        "[program:{name}]\ncommand=/bin/sh -c '{steps}read go'\nstdout_events_enabled=true\n\
         stderr_events_enabled=true\nstdout_logfile=%(here)s/{name}.out\nstderr_logfile=%(here)s/{name}.err\n{more}\n"
    )
}

/// Sends a line for each step, and waits after each until the pool has one event more.
fn walk(stage: &Stage, name: &str, listener: &str, steps: usize) {
    for _ in 0..steps {
        let before = recorded(&stage.daemon.home, listener).len();
        stage.daemon.call("supervisor.sendProcessStdin", &[Text(name), Text("go\n")]);
        until_true("an event more", || recorded(&stage.daemon.home, listener).len() > before);
    }
}

/// EVT-013, EVT-014, EVT-036, EVT-038, EVT-053, PROC-151: output as events, one for each chunk, without its escape sequences;
/// characters that are more than a byte, and bytes that are no characters.
#[test]
fn evt_014_output_as_events() {
    let steps = [
        r#"printf one"#,
        r#"printf "two \\303\\251 \\342\\234\\223\\n" >&2"#,
        r#"printf "\\377\\376x\\n""#,
        r#"printf "it is \\047quoted\\047 \\377""#,
        r#"printf "\\033[31mred\\033[0m\\n""#,
    ];
    let config = format!(
        "{}{}[program:quiet]\ncommand=/bin/cat\n[supervisord]\nstrip_ansi=true\n",
        section("out", "events=PROCESS_LOG\nbuffer_size=100"),
        stepper("speaker", &steps, "")
    );
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &["speaker", "quiet", "out"]);
        stage.daemon.call("supervisor.sendProcessStdin", &[Text("quiet"), Text("nobody listens\n")]);
        walk(stage, "speaker", "out", steps.len());
        let events = recorded(&stage.daemon.home, "out");
        assert_counted(&events);
        note_about(stage, "out", "processname:");
        let log = stage.daemon.home.read("speaker.out");
        stage.note("log", &log);
    });
}

/// EVT-011, EVT-012, EVT-037, EVT-091, PROC-155, PROC-156, PROC-159, PROC-160: what stands between tags is sent, not logged,
/// and is output as well; what does not fit is lost from its beginning.
#[test]
fn evt_012_communication() {
    let steps = [
        r#"printf "a<!--XSUPERVISOR:BEGIN-->inside<!--XSUPERVISOR:END-->b""#,
        r#"printf "<!--XSUPERVISOR:BEGIN-->0123456789\\303\\251abcdef<!--XSUPERVISOR:END-->" >&2"#,
        r#"printf "<!--XSUPERVISOR:BEGIN-->\\377<!--XSUPERVISOR:END-->""#,
        r#"printf "<!--XSUPERVISOR:BEGIN-->cut"; sleep 0.3; printf " in two<!--XSUPERVISOR:"; sleep 0.3; printf "END-->.""#,
    ];
    let more = "stdout_capture_maxbytes=1KB\nstderr_capture_maxbytes=10";
    let config = format!(
        "{}{}{}{}",
        section("comm", "events=PROCESS_COMMUNICATION\nbuffer_size=100"),
        section("errors", "events=PROCESS_COMMUNICATION_STDERR\nbuffer_size=100"),
        section("out", "events=PROCESS_LOG_STDOUT\nbuffer_size=100"),
        stepper(
            "speaker",
            &[&steps[..], &[r#"printf "long enough to bring out what was held back\\n""#]].concat(),
            more
        )
    );
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &["speaker", "comm", "errors", "out"]);
        walk(stage, "speaker", "comm", steps.len());
        walk(stage, "speaker", "out", 1);
        wait_for(stage, "out", "PROCESS_LOG_STDOUT", "held back\n");
        for listener in ["comm", "errors"] {
            assert_counted(&recorded(&stage.daemon.home, listener));
            note_about(stage, listener, "processname:");
        }
        // Where the original cuts what it held back is a matter of its buffer (PROC-157).
        let events = recorded(&stage.daemon.home, "out");
        let pieces = events.iter().filter_map(|event| event.data.split_once('\n')).map(|(_, data)| data);
        stage.note("output", &pieces.collect::<String>());
        stage.daemon.wait_file("speaker.out", "held back\n");
        for file in ["speaker.out", "speaker.err"] {
            let log = stage.daemon.home.read(file);
            stage.note(file, &log);
        }
    });
}

/// EVT-019, EVT-020, EVT-035: a slice of five seconds begins, is told once, and nobody else hears of it.
#[test]
fn evt_020_ticks() {
    let config = format!(
        "{}{}",
        section("tick", "events=TICK_5"),
        section("slow", "events=TICK_3600,SUPERVISOR_STATE_CHANGE")
    );
    compare(&config, |stage| {
        until_true("two ticks", || recorded(&stage.daemon.home, "tick").len() >= 2);
        let events = recorded(&stage.daemon.home, "tick");
        assert_counted(&events);
        let when = |event: &Recorded| event.data["when:".len()..].parse::<i64>().expect("a second");
        let whens: Vec<i64> = events.iter().map(when).collect();
        assert!(whens.iter().all(|when| when % 5 == 0), "{whens:?}");
        assert!(whens[0] < whens[1], "{whens:?}");
        stage.note("tick", &events[0].head);
        let slow = recorded(&stage.daemon.home, "slow");
        stage.note(
            "the other pool",
            &slow.iter().map(|event| event.head.clone()).collect::<Vec<_>>().join("\n"),
        );
    });
}
