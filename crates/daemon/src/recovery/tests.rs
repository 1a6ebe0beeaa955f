use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use upkeep_config::{CommandLine, Environment, Sources};
use upkeep_keeper::Link;
use upkeep_keeper::wire::Incoming;

use super::*;
use crate::boot::{Called, boot};
use crate::generations;
use crate::records::DAEMON_KEY;

const PROGRAMS: usize = 3;

/// What the keeper holds of a daemon with this configuration and these groups.
fn inventory(dir: &Path, cli: &CommandLine, text: &str, groups: &[&str]) -> Inventory {
    let text =
        format!("[supervisord]\nnodaemon=true\nlogfile={0}/log\npidfile={0}/pid\n{text}", dir.display());
    std::fs::write(dir.join("conf"), text).unwrap();
    let sources = Sources::read(cli, Environment::of_this_process()).unwrap();
    let config = upkeep_os::memfd_with("config", &sources.to_bytes()).unwrap();
    let groups = groups.iter().map(|&name| (name.to_owned(), 1)).collect();
    let record = DaemonRecord { base: 1, latest: 1, groups, ..DaemonRecord::default() };
    let mut inventory = Inventory { keeper_pid: std::process::id(), ..Inventory::default() };
    inventory.records.insert(DAEMON_KEY, serde_json::to_vec(&record).unwrap());
    inventory.held.insert(generations::held_name(1), config);
    inventory
}

fn command_line(dir: &Path) -> CommandLine {
    let configuration = Some(dir.join("conf").to_string_lossy().into_owned());
    CommandLine { program: "supervisord".to_owned(), configuration, ..CommandLine::default() }
}

/// The next daemon, and the keeper's end of its socket.
async fn successor(cli: CommandLine, inventory: Inventory) -> (Shell, UnixStream) {
    let (keeper, socket) = UnixStream::pair().unwrap();
    keeper.set_nonblocking(true).unwrap();
    let called = Called { program: "supervisord".to_owned(), cli };
    (boot(called, Link::new(socket), inventory).await.unwrap(), keeper)
}

/// The daemon after one with three stopped programs.
async fn recovered(dir: &Path) -> (Shell, UnixStream) {
    let cli = command_line(dir);
    let text = format!(
        "[program:a]\ncommand=cat\nautostart=false\nnumprocs={PROGRAMS}\nprocess_name=%(process_num)d\n"
    );
    let mut inventory = inventory(dir, &cli, &text, &["a"]);
    for (key, name) in Half::default().keys().zip(0..PROGRAMS) {
        let process = format!(r#"{{"group":"a","name":"{name}","state":"Fatal","failures":{name}}}"#);
        inventory.records.insert(key, process.into_bytes());
    }
    successor(cli, inventory).await
}

/// What the keeper hears that has come; it has not read all of that if a part is still on its way.
fn heard(keeper: &UnixStream, incoming: &mut Incoming) -> Vec<ToKeeper> {
    let mut heard = Vec::new();
    loop {
        while let Some((frame, _)) = incoming.take::<ToKeeper>().unwrap() {
            heard.push(frame);
        }
        if !incoming.fill(keeper.as_fd()).is_ok_and(|open| open) || incoming.is_empty() {
            return heard;
        }
    }
}

/// The keys that are put and deleted, in the order the keeper hears of them.
fn told(keeper: &UnixStream) -> Vec<(&'static str, u64)> {
    let of = |frame: ToKeeper| match frame {
        ToKeeper::Put { key, .. } => Some(("put", key)),
        ToKeeper::Delete { key } => Some(("delete", key)),
        _ => None,
    };
    heard(keeper, &mut Incoming::default()).into_iter().filter_map(of).collect()
}

/// The last daemon died when it had read all that a listener said, and had understood the first byte of its result.
#[tokio::test]
async fn what_a_listener_said_to_the_last_daemon_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let text =
        "[eventlistener:ear]\ncommand=cat\nevents=TICK_3600\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    let mut inventory = inventory(dir.path(), &cli, text, &["ear"]);
    let (run, pid) = (RunId(7), std::process::id());
    let event = r#"{"serial":0,"pool_serial":0,"kind":"TICK_3600","payload":"when:0"}"#;
    let record = format!(
        r#"{{"group":"ear","name":"ear","state":{{"Running":{{"run":7,"child":{{"pid":{pid},"since":1}}}}}},
           "listener":{{"state":20,"event":{event},"next":1,"pool_next":1,"heard":10,"result":[1,[79]]}}}}"#
    );
    inventory.records.insert(Half::default().keys().start, record.into_bytes());
    let said = upkeep_os::memfd_with("said", b"RESULT 2\nOKREADY\n").unwrap();
    inventory.held.insert(said::held_name(run), said);
    let gone = upkeep_os::memfd_with("said", b"READY\n").unwrap();
    inventory.held.insert(said::held_name(RunId(3)), gone);
    let (stdout, _silent) = std::io::pipe().unwrap();
    let since = Mono(1);
    let stdout = Some(stdout.into());
    inventory.children.push(HeldChild { run, pid, since, exit: None, stdin: None, stdout, stderr: None });

    let (mut shell, keeper) = successor(cli, inventory).await;
    let mut frames = Vec::new();
    let mut incoming = Incoming::default();
    let is_ready = |frame: &ToKeeper| {
        let ToKeeper::Put { value, .. } = frame else { return false };
        String::from_utf8_lossy(value).contains(
            r#""listener":{"state":10,"event":null,"next":1,"pool_next":1,"discarded":0,"heard":17}"#,
        )
    };
    let seen = async {
        while !frames.iter().any(is_ready) {
            frames.extend(heard(&keeper, &mut incoming));
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        seen = tokio::time::timeout(std::time::Duration::from_secs(30), seen) => seen.expect("a ready listener"),
        end = shell.run() => panic!("it ends: {end:?}"),
    }
    let unheld =
        |frame: &ToKeeper| matches!(frame, ToKeeper::Unhold { name } if *name == said::held_name(RunId(3)));
    assert!(frames.iter().any(unheld), "what a run said that is gone: {frames:?}");
    let held = |frame: &ToKeeper| matches!(frame, ToKeeper::Hold { name } if *name == said::held_name(run));
    assert!(frames.iter().any(held), "for the next daemon: {frames:?}");
}

/// The last daemon wrote down that a listener has an event, and had no descriptor to give the keeper what the listener is told.
#[tokio::test]
async fn an_event_that_the_keeper_was_never_given_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let text =
        "[eventlistener:ear]\ncommand=cat\nevents=TICK_3600\nstdout_logfile=NONE\nstderr_logfile=NONE\n";
    for (untold, expected) in
        [(true, "ver:3.0 server:supervisor serial:4 pool:ear poolserial:2"), (false, "")]
    {
        let mut inventory = inventory(dir.path(), &cli, text, &["ear"]);
        let (run, pid) = (RunId(7), std::process::id());
        let event = r#"{"serial":4,"pool_serial":2,"kind":"TICK_3600","payload":"when:0"}"#;
        let record = format!(
            r#"{{"group":"ear","name":"ear","state":{{"Running":{{"run":7,"child":{{"pid":{pid},"since":1}}}}}},
               "listener":{{"state":20,"event":{event},"next":5,"pool_next":3,"heard":6,"told":90,"untold":{untold}}}}}"#
        );
        inventory.records.insert(Half::default().keys().start, record.into_bytes());
        let said = upkeep_os::memfd_with("said", b"READY\n").unwrap();
        inventory.held.insert(said::held_name(run), said);
        let (stdout, _silent) = std::io::pipe().unwrap();
        let (heard, stdin) = std::io::pipe().unwrap();
        let (since, stdin, stdout) = (Mono(1), Some(stdin.into()), Some(stdout.into()));
        inventory.children.push(HeldChild { run, pid, since, exit: None, stdin, stdout, stderr: None });
        let (mut shell, _keeper) = successor(cli.clone(), inventory).await;
        shell.end = Some(crate::shell::End::Left);
        shell.run().await;
        rustix::io::ioctl_fionbio(&heard, true).unwrap();
        let mut bytes = [0; 200];
        let count = rustix::io::read(&heard, &mut bytes).unwrap_or(0);
        let told = String::from_utf8_lossy(&bytes[..count]);
        assert!(told.starts_with(expected) && told.is_empty() == expected.is_empty(), "{told:?}");
        assert_eq!(told.ends_with("eventname:TICK_3600 len:6\nwhen:0"), untold, "{told:?}");
    }
}

/// What is written down of a listener that the keeper cannot be given the words for.
#[tokio::test]
async fn what_the_keeper_is_not_given_is_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let text = "[eventlistener:ear]\ncommand=cat\nevents=TICK_3600\n";
    let mut inventory = inventory(dir.path(), &cli, text, &["ear"]);
    let (run, pid) = (RunId(7), std::process::id());
    let record = format!(
        r#"{{"group":"ear","name":"ear","state":{{"Running":{{"run":7,"child":{{"pid":{pid},"since":1}}}}}},
           "listener":{{"state":10,"next":1,"pool_next":1,"heard":6}}}}"#
    );
    inventory.records.insert(Half::default().keys().start, record.into_bytes());
    let (stdout, _silent) = std::io::pipe().unwrap();
    let (_heard, stdin) = std::io::pipe().unwrap();
    let (since, stdin, stdout) = (Mono(1), Some(stdin.into()), Some(stdout.into()));
    inventory.children.push(HeldChild { run, pid, since, exit: None, stdin, stdout, stderr: None });
    let (mut shell, keeper) = successor(cli, inventory).await;
    let (name, file) = (telling::held_name(run), upkeep_os::memfd_with("told", b"").unwrap());
    shell.unsent.0.insert(name, std::sync::Arc::new(file));
    let process = shell.core.process_of(run).unwrap();
    shell.save_process(process);
    let asked = upkeep_api::Request::SendProcessStdin { name: "ear".to_owned(), chars: "x".to_owned() };
    let (reply, answer) = upkeep_api::Responder::new();
    shell.answer(asked, reply);
    shell.give_answers();
    assert!(answer.await.unwrap().unwrap_err().to_string().contains("no descriptor is left"));
    shell.flush_link();
    let frames = heard(&keeper, &mut Incoming::default());
    let untold = |frame: &&ToKeeper| match frame {
        ToKeeper::Put { value, .. } => String::from_utf8_lossy(value).contains(r#""untold":true"#),
        _ => false,
    };
    assert_eq!(frames.iter().filter(untold).count(), 1, "{frames:?}");
}

/// Whoever hears that an event is accepted may kill the daemon: the keeper has it by then, however much it has to read first.
#[tokio::test]
async fn an_answer_comes_when_the_keeper_has_what_belongs_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let text = "[eventlistener:ear]\ncommand=cat\nevents=REMOTE_COMMUNICATION\n";
    let mut inventory = inventory(dir.path(), &cli, text, &["ear"]);
    let record = r#"{"group":"ear","name":"ear","state":"Fatal"}"#;
    inventory.records.insert(Half::default().keys().start, record.into());
    let (mut shell, keeper) = successor(cli, inventory).await;
    shell.flush_link();
    while !shell.link.has_waiting() {
        shell.send(&ToKeeper::Unhold { name: "x".repeat(60_000) });
        shell.flush_link();
    }
    let (mut frames, mut incoming) = (Vec::new(), Incoming::default());
    let handle = shell.handle.clone();
    let (kind, data) = ("kind".to_owned(), "accepted".to_owned());
    let asked = handle.call(upkeep_api::Request::SendRemoteCommEvent { kind, data });
    let reads = async {
        // More turns than an answer takes.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        loop {
            frames.extend(heard(&keeper, &mut incoming));
            tokio::task::yield_now().await;
        }
    };
    let answered = tokio::time::timeout(Duration::from_secs(30), async {
        tokio::select! {
            answer = asked => answer,
            () = reads => unreachable!("it reads on"),
            end = shell.run() => panic!("it ends: {end:?}"),
        }
    });
    answered.await.expect("an answer").unwrap();
    // The daemon is not asked any more.
    frames.extend(heard(&keeper, &mut incoming));
    let is_it = |frame: &ToKeeper| match frame {
        ToKeeper::Put { value, .. } => String::from_utf8_lossy(value).contains("accepted"),
        _ => false,
    };
    assert_eq!(frames.iter().filter(|frame| is_it(frame)).count(), 1, "{frames:?}");
}

/// The records of processes that the keeper is given, in order.
fn records(frames: &[ToKeeper]) -> Vec<ProcessRecord> {
    let record = |frame: &ToKeeper| match frame {
        ToKeeper::Put { value, .. } => serde_json::from_slice(value).ok(),
        _ => None,
    };
    frames.iter().filter_map(record).collect()
}

#[tokio::test]
async fn a_time_zone_that_has_gone_is_told() {
    for (zone, told) in [("Gone/Away", true), ("Asia/Shanghai", false), ("local", false)] {
        let dir = tempfile::tempdir().unwrap();
        let cli = command_line(dir.path());
        let text = format!("[program:x]\ncommand=true\nschedule=@daily\nschedule_timezone={zone}\n");
        let inventory = inventory(dir.path(), &cli, &text, &["x"]);
        let (shell, _keeper) = successor(cli, inventory).await;
        assert!(shell.core.processes().all(|(_, process)| process.spec().schedule.is_some()));
        shell.log(Level::Warn, "that is all");
        await_line(dir.path(), "that is all").await;
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert_eq!(log.contains(&format!("the time zone {zone} is not known")), told, "{log}");
    }
}

/// What the keeper holds of a daemon whose program `x` runs as run 7, of which this is written down besides; and the other ends
/// of its pipes.
fn running(dir: &Path, cli: &CommandLine, besides: &str) -> (Inventory, [OwnedFd; 2]) {
    let text = "[program:x]\ncommand=cat\nstdout_logfile=NONE\nredirect_stderr=true\nstopwaitsecs=3600\n";
    let mut inventory = inventory(dir, cli, text, &["x"]);
    let (run, pid) = (RunId(7), std::process::id());
    let state = format!(r#"{{"Running":{{"run":7,"child":{{"pid":{pid},"since":1}}}}}}"#);
    let record = format!(r#"{{"group":"x","name":"x","state":{state}{besides}}}"#);
    inventory.records.insert(Half::default().keys().start, record.into_bytes());
    let (stdout, said) = std::io::pipe().unwrap();
    let (heard, stdin) = std::io::pipe().unwrap();
    let (since, stdin, stdout) = (Mono(1), Some(stdin.into()), Some(stdout.into()));
    inventory.children.push(HeldChild { run, pid, since, exit: None, stdin, stdout, stderr: None });
    (inventory, [heard.into(), said.into()])
}

/// What names a child's pipes is looked at once, whoever comes then.
#[tokio::test]
async fn the_pipes_of_a_child_are_known_from_its_record() {
    for known in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let cli = command_line(dir.path());
        let besides = if known { r#","pipes":[5,6,0]"# } else { "" };
        let (inventory, ends) = running(dir.path(), &cli, besides);
        let [stdin, stdout] = ends.each_ref().map(|end| rustix::fs::fstat(end).unwrap().st_ino);
        let (mut shell, keeper) = successor(cli, inventory).await;
        shell.flush_link();
        let frames = heard(&keeper, &mut Incoming::default());
        let told: Vec<[u64; 3]> = records(&frames).iter().map(|record| record.pipes).collect();
        assert_eq!(told, [if known { [5, 6, 0] } else { [stdin, stdout, 0] }], "{frames:?}");
    }
}

/// Nothing else happens meanwhile.
#[tokio::test]
async fn who_only_asks_while_everything_stops_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let (inventory, _ends) = running(dir.path(), &cli, "");
    let (mut shell, _keeper) = successor(cli, inventory).await;
    shell.tell(Input::Shutdown);
    let handle = shell.handle.clone();
    let asks = async {
        for _ in 0..20 {
            // Until the daemon waits.
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            let fault = handle.call(upkeep_api::Request::GetState).await.unwrap_err();
            assert_eq!(fault.code, upkeep_api::FaultCode::ShutdownState);
        }
    };
    tokio::select! {
        asked = tokio::time::timeout(Duration::from_secs(30), asks) => asked.expect("answers"),
        end = shell.run() => panic!("it ends: {end:?}"),
    }
}

/// What is left to do is not put off until something happens.
#[tokio::test]
async fn a_daemon_that_has_to_catch_up_has_its_turns() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let (inventory, _ends) = running(dir.path(), &cli, "");
    let (mut shell, _keeper) = successor(cli, inventory).await;
    shell.flush_link();
    assert_eq!(shell.unheld, [RunId(7)]);
    let turns = async {
        // More than there are messages of the log thread.
        for _ in 0..50 {
            shell.wait().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), turns).await.expect("turns");
    shell.catch_up();
    assert!(shell.unheld.is_empty() && shell.run_file.is_some());
}

/// Waits until the daemon's log says this.
async fn await_line(dir: &Path, text: &str) {
    let log = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
    let seen = async {
        while !log().contains(text) {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    let patience = std::time::Duration::from_secs(30);
    tokio::time::timeout(patience, seen).await.unwrap_or_else(|_| panic!("no {text:?}:\n{}", log()));
}

/// Whether the keeper is told to hold this.
fn holds(keeper: &UnixStream, name: &str) -> bool {
    let is_it = |frame: &ToKeeper| matches!(frame, ToKeeper::Hold { name: held } if held == name);
    heard(keeper, &mut Incoming::default()).iter().any(is_it)
}

/// Then the next daemon would not find what is in there.
#[tokio::test]
async fn a_passage_for_which_the_keeper_has_no_room_is_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let inventory = inventory(dir.path(), &cli, "", &[]);
    let (mut shell, keeper) = successor(cli, inventory).await;
    shell.make_passage();
    shell.flush_link();
    assert!(shell.passage.is_some());
    heard(&keeper, &mut Incoming::default());
    for name in ["client/1", "passage/in", "passage/note"] {
        shell.not_held(name);
        assert_eq!(shell.passage.is_some(), name == "client/1");
    }
    shell.flush_link();
    let unheld = |frame| match frame {
        ToKeeper::Unhold { name } => Some(name),
        _ => None,
    };
    let unheld: Vec<String> =
        heard(&keeper, &mut Incoming::default()).into_iter().filter_map(unheld).collect();
    assert_eq!(unheld, ["passage/out", "passage/in", "passage/note"]);
    await_line(dir.path(), "has no descriptor left to hold 'client/1'").await;
    shell.hold_passage();
    shell.flush_link();
    assert!(!holds(&keeper, "passage/out"));
}

#[tokio::test]
async fn a_configuration_that_is_not_held_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let mut inventory = inventory(dir.path(), &cli, "[program:a]\ncommand=cat\n", &["a"]);
    inventory.held.clear();
    let record = r#"{"group":"a","name":"a","state":"Fatal"}"#;
    inventory.records.insert(Half::default().keys().start, record.into());
    let (mut shell, keeper) = successor(cli, inventory).await;
    let process = shell.core.processes().next().map(|(_, process)| process.state().name());
    assert_eq!(process, Some(upkeep_core::StateName::Fatal));
    shell.flush_link();
    assert!(holds(&keeper, &generations::held_name(1)), "the next daemon has it");
    let said = format!(
        "the configuration in effect is not known any more (the keeper process does not hold it): '{}' was read again as it \
         is now",
        dir.path().join("conf").display()
    );
    await_line(dir.path(), &said).await;
}

/// What stands for a configuration that was lost is not shown as if it were that one.
#[tokio::test]
async fn a_configuration_that_is_not_held_is_not_one_that_was_applied() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let mut inventory = inventory(dir.path(), &cli, "[program:a]\ncommand=cat\n", &["a"]);
    let record = serde_json::json!({
        "base": 1, "latest": 2, "groups": [["a", 2]], "ending": "No",
        "applied": {
            "list": [
                {"number": 4, "time": 50, "cause": "start", "generation": 1},
                {"number": 5, "time": 60, "cause": "update", "generation": 2},
            ],
            "seen": 2, "running": 5, "counted": 5,
        },
    });
    let record: DaemonRecord = serde_json::from_value(record)
        .map(|record| DaemonRecord { half: Half::default(), ..record })
        .unwrap();
    inventory.records.insert(DAEMON_KEY, serde_json::to_vec(&record).unwrap());
    std::fs::write(dir.path().join("conf"), "[supervisord]\n[program:a]\ncommand=tac\n").unwrap();
    let (mut shell, _keeper) = successor(cli, inventory).await;
    let (reply, answer) = upkeep_api::Responder::new();
    shell.applied_asked(crate::applied::Asked::List, reply);
    let Ok(Ok(upkeep_api::Reply::ConfigGenerations(all))) = answer.await else { panic!("no list") };
    let told: Vec<_> = all.iter().map(|one| (one.number, one.cause.as_str(), one.running)).collect();
    assert_eq!(told, [(4, "start", false), (6, "restart", true)]);
}

/// What a number stands for is not known before the disk has told what it has; a list is not held up by that.
#[tokio::test]
async fn a_number_means_nothing_before_the_disk_has_answered() {
    use crate::applied::{Asked, FromDisk};
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let text = format!("config_history_dir={}/history\n[program:a]\ncommand=cat\n", dir.path().display());
    let (mut shell, _keeper) = successor(cli.clone(), inventory(dir.path(), &cli, &text, &["a"])).await;
    let mut ask = |asked: Asked, told: FromDisk| {
        let (mut reply, answer) = upkeep_api::Responder::new();
        if asked.number() > 0 {
            reply.hold(9);
        }
        shell.applied_asked(asked, reply);
        shell.history_told(told);
        shell.give_answers();
        answer
    };
    let listed = ask(Asked::List, FromDisk::Late).await.unwrap();
    assert!(matches!(listed, Ok(upkeep_api::Reply::ConfigGenerations(all)) if all.len() == 1));
    for (told, expected) in
        [(FromDisk::Late, "is not known yet"), (FromDisk::Opened, "there is no configuration 7")]
    {
        let fault = ask(Asked::RollBack(7), told).await.unwrap().unwrap_err();
        assert!(fault.to_string().contains(expected), "{fault:?}");
    }
}

/// The file is no good any more: what was read last stands for what was read first.
#[tokio::test]
async fn another_configuration_stands_for_one_that_is_not_held_if_the_file_is_broken() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let mut inventory = inventory(dir.path(), &cli, "[program:a]\ncommand=cat\n", &["a"]);
    let config = inventory.held.remove(&generations::held_name(1)).unwrap();
    inventory.held.insert(generations::held_name(2), config);
    let record =
        DaemonRecord { base: 1, latest: 2, groups: vec![("a".to_owned(), 1)], ..DaemonRecord::default() };
    inventory.records.insert(DAEMON_KEY, serde_json::to_vec(&record).unwrap());
    std::fs::write(dir.path().join("conf"), "[program:a]\n").unwrap();
    let (shell, _keeper) = successor(cli, inventory).await;
    assert_eq!(shell.core.processes().count(), 1);
    await_line(dir.path(), "and what else was read stands for it").await;
}

/// Its answer was known, and the last daemon died before it was given: this one gives it, and nobody else.
#[tokio::test]
async fn an_answer_that_was_known_is_given() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let mut inventory = inventory(dir.path(), &cli, "[program:a]\ncommand=cat\nautostart=false\n", &["a"]);
    let (mut client, held) = UnixStream::pair().unwrap();
    inventory.records.insert(crate::records::CLIENT_KEY | 5, br#"{"answer":"<known/>"}"#.to_vec());
    inventory.held.insert("client/5".to_owned(), held.into());
    let (shell, keeper) = successor(cli, inventory).await;
    let read = move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut client, &mut text).map(|_| text)
    };
    let text = tokio::task::spawn_blocking(read).await.unwrap().unwrap();
    assert!(text.ends_with("\r\n\r\n<known/>"), "{text}");
    let heard = heard(&keeper, &mut Incoming::default());
    let unheld = |frame: &ToKeeper| matches!(frame, ToKeeper::Unhold { name } if name == "client/5");
    assert!(heard.iter().any(unheld), "{heard:?}");
    drop(shell);
}

/// The records of clients among what the keeper has been told.
fn clients_told(keeper: &UnixStream) -> Vec<String> {
    let of = |frame| match frame {
        ToKeeper::Put { key, value } if key > crate::records::CLIENT_KEY => String::from_utf8(value).ok(),
        _ => None,
    };
    heard(keeper, &mut Incoming::default()).into_iter().filter_map(of).collect()
}

/// While its command is looked at, and while it is prepared.
#[tokio::test]
async fn who_asks_for_a_start_is_held_from_the_first_moment() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let inventory = inventory(dir.path(), &cli, "[program:a]\ncommand=cat\nautostart=false\n", &["a"]);
    let (mut shell, keeper) = successor(cli, inventory).await;
    shell.flush_link();
    clients_told(&keeper);
    let (client, _peer) = UnixStream::pair().unwrap();
    let (handle, mut mailbox) = upkeep_api::mailbox(1);
    let handle = handle.of_client(std::sync::Arc::new(client));
    let request = upkeep_api::Request::StartProcess { name: "a".to_owned(), wait: false };
    tokio::spawn(async move { handle.call(request).await });
    shell.take_call(mailbox.recv().await.unwrap());
    shell.flush_link();
    assert_eq!(clients_told(&keeper), [r#"{"question":{"Start":["a",false]},"again":0}"#]);
    while shell.askers.is_empty() {
        let message = shell.inbox.recv().await.unwrap();
        shell.take(message);
    }
    shell.flush_link();
    let waits =
        r#"{"asked":"a","to_run":true,"open":[["a","a"]],"runs":[1],"done":[],"begun_is_enough":true}"#;
    assert_eq!(clients_told(&keeper), [waits]);
}

/// The last daemon died while it looked at commands.
#[tokio::test]
async fn a_start_that_was_still_looked_at_is_asked_for_again() {
    for (question, expected) in [
        (r#"{"Start":["a",true]}"#, "NO_FILE"),
        (r#"{"Start":["gone",true]}"#, "BAD_NAME"),
        (r#"{"StartGroup":["a",false]}"#, "NO_FILE"),
        (r#"{"StartAll":true}"#, "NO_FILE"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let cli = command_line(dir.path());
        let text = "[program:a]\ncommand=/no/such/program\nautostart=false\n";
        let mut inventory = inventory(dir.path(), &cli, text, &["a"]);
        let record = format!(r#"{{"question":{question}}}"#);
        inventory.records.insert(crate::records::CLIENT_KEY | 5, record.into_bytes());
        let (told, _) = told_to_client(cli, inventory).await;
        assert!(told.contains(expected), "{question}: {told}");
    }
}

/// What the client with the number 5 hears from the next daemon, and what that tells the keeper.
async fn told_to_client(cli: CommandLine, mut inventory: Inventory) -> (String, Vec<ToKeeper>) {
    let (mut client, held) = UnixStream::pair().unwrap();
    inventory.held.insert("client/5".to_owned(), held.into());
    let (mut shell, keeper) = successor(cli, inventory).await;
    let read = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut client, &mut text).map(|_| text)
    });
    let told = tokio::select! {
        told = read => told.unwrap().unwrap(),
        end = shell.run() => panic!("it ends: {end:?}"),
    };
    (told, heard(&keeper, &mut Incoming::default()))
}

/// The last daemon had begun a restart, and died before its client had the answer.
#[tokio::test]
async fn who_asked_for_a_restart_that_goes_on_is_told_so() {
    for (ending, alive, expected) in [
        (Ending::Restart, true, "<boolean>1</boolean>"),
        (Ending::Restart, false, "<boolean>1</boolean>"),
        (Ending::Shutdown, true, "SHUTDOWN_STATE"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let cli = command_line(dir.path());
        let mut inventory = inventory(dir.path(), &cli, "[program:a]\ncommand=cat\n", &["a"]);
        let groups = vec![("a".to_owned(), 1)];
        let record = DaemonRecord { base: 1, latest: 1, groups, ending, ..DaemonRecord::default() };
        inventory.records.insert(DAEMON_KEY, serde_json::to_vec(&record).unwrap());
        if alive {
            let (run, pid) = (RunId(7), std::process::id());
            let process = format!(
                r#"{{"group":"a","name":"a","state":{{"Stopping":{{"run":7,"child":{{"pid":{pid},"since":1}},"kill_at":{}}}}}}}"#,
                u64::MAX
            );
            inventory.records.insert(Half::default().keys().start, process.into_bytes());
            inventory.children.push(HeldChild {
                run,
                pid,
                since: Mono(1),
                exit: None,
                stdin: None,
                stdout: None,
                stderr: None,
            });
        }
        inventory.records.insert(crate::records::CLIENT_KEY | 5, br#"{"question":"Restart"}"#.to_vec());
        let (told, frames) = told_to_client(cli, inventory).await;
        assert!(told.contains(expected), "{ending:?} {alive}: {told}");
        let unheld = |frame: &ToKeeper| matches!(frame, ToKeeper::Unhold { name } if name == "client/5");
        assert!(frames.iter().any(unheld), "{frames:?}");
        let another =
            |frame: &ToKeeper| matches!(frame, ToKeeper::Hold { name } if *name == generations::held_name(2));
        assert!(!frames.iter().any(another), "nothing is read for another restart");
    }
}

/// Nothing has to end. Whenever it dies, the next one comes up again, and with what was read for that.
#[tokio::test]
async fn a_restart_of_nothing_is_not_written_down_as_an_end() {
    let dir = tempfile::tempdir().unwrap();
    let cli = command_line(dir.path());
    let inventory = inventory(dir.path(), &cli, "", &[]);
    let (mut shell, keeper) = successor(cli, inventory).await;
    shell.flush_link();
    heard(&keeper, &mut Incoming::default());
    let loaded = shell.generations.latest().clone();
    shell.restart_checked(Ok(loaded), None);
    shell.carry_out().await;
    shell.flush_link();
    let (mut held, mut written) = (false, Vec::new());
    for frame in heard(&keeper, &mut Incoming::default()) {
        match frame {
            ToKeeper::Hold { name } => held |= name == generations::held_name(2),
            ToKeeper::Put { key: DAEMON_KEY, value } => {
                let record = DaemonRecord::read(&value).unwrap();
                assert!(held, "it is held before it is named");
                written.push((record.ending, record.latest));
            }
            _ => {}
        }
    }
    assert_eq!(written.pop(), Some((Ending::No, 2)), "it is up");
    assert!(!written.is_empty() && written.iter().all(|one| *one == (Ending::Restart, 2)), "{written:?}");
}

/// The configuration was being read for a restart when somebody wanted everything to end.
#[tokio::test]
async fn who_asks_for_a_restart_is_told_of_an_end_that_came_first() {
    let dir = tempfile::tempdir().unwrap();
    let (mut shell, _keeper) = recovered(dir.path()).await;
    let loaded = shell.generations.latest().clone();
    shell.tell(Input::Shutdown);
    let (reply, answer) = upkeep_api::Responder::new();
    shell.restart_checked(Ok(loaded), Some(reply));
    shell.give_answers();
    assert_eq!(answer.await.unwrap().unwrap_err().code, upkeep_api::FaultCode::ShutdownState);
    assert_eq!(shell.generations.latest, 1);
}

#[tokio::test]
async fn who_had_to_wait_is_answered_by_a_daemon_that_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let (mut shell, _keeper) = recovered(dir.path()).await;
    let (reply, answer) = upkeep_api::Responder::new();
    let request = upkeep_api::Request::SignalProcess { name: "a:0".to_owned(), signal: "HUP".to_owned() };
    shell.breath.postponed.push(upkeep_api::Call { request, reply });
    shell.end = Some(crate::shell::End::Left);
    assert_eq!(shell.run().await, crate::shell::End::Left);
    drop(shell);
    let fault = answer.await.unwrap().unwrap_err();
    assert_eq!(fault.code, upkeep_api::FaultCode::NotRunning);
}

#[tokio::test]
async fn the_last_daemons_records_are_let_go_of_when_all_of_the_new_ones_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let (mut shell, keeper) = recovered(dir.path()).await;
    shell.flush_link();
    let told = told(&keeper);
    let at = |what: (&str, u64)| told.iter().position(|other| *other == what);
    let switched = at(("put", DAEMON_KEY)).unwrap();
    for (old, new) in Half::default().keys().zip(Half::default().other().keys()).take(PROGRAMS) {
        assert!(at(("put", new)).is_some_and(|put| put < switched), "{new} is not there before: {told:?}");
        assert!(at(("delete", old)).is_some_and(|delete| delete > switched), "{old}: {told:?}");
    }
}
