//! The table of verbs, and calls through it to a stub of the daemon.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use upkeep_api::verbs::{self, dispatch};
use upkeep_api::xmlrpc::{Value, decode_response, encode_response};
use upkeep_api::{
    ActionResult, Channel, ConfigFile, ConfigGeneration, ConfigInfo, DaemonState, Fault, FaultCode,
    GroupUpdate, HealthInfo, KeptReload, Listener, ListenerPool, LogFile, LogLoss, LogTail, Mailbox,
    OutputInfo, PlannedCause, PlannedChange, PlannedDependant, ProcessInfo, ProcessState, Reply, Request,
    Reread, RollingInfo, RollingMember, ScheduleInfo, Setting, mailbox,
};

/// Calls `method` with a daemon that answers each request by `answer`; also tells what it was asked.
fn call_with(
    namespaces: &[&str],
    method: &str,
    params: Vec<Value>,
    answer: fn(&Request) -> Result<Reply, Fault>,
) -> (Result<Value, Fault>, Vec<Request>) {
    let (handle, mut calls) = mailbox(1);
    let namespaces: Vec<String> = namespaces.iter().map(|&name| name.to_owned()).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut call = pin!(dispatch(&handle, &namespaces, method, params));
    loop {
        if let Poll::Ready(result) = call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            let asked = std::mem::take(&mut *asked.lock().expect("no one panicked"));
            return (result.map(Value::from), asked);
        }
        serve_one(&mut calls, answer, &asked);
    }
}

fn serve_one(calls: &mut Mailbox, answer: fn(&Request) -> Result<Reply, Fault>, asked: &Mutex<Vec<Request>>) {
    let call = calls.try_recv().expect("the call waits for the daemon");
    call.reply.send(answer(&call.request)).expect("the asker is there");
    asked.lock().expect("no one panicked").push(call.request);
}

fn ask(method: &str, params: Vec<Value>) -> Result<Value, Fault> {
    call_with(&["supervisor"], method, params, |_| Ok(Reply::Bool(true))).0
}

fn fault(code: FaultCode) -> Result<Value, Fault> {
    Err(Fault::new(code))
}

/// PROC-001…009: the names and numbers that clients compare.
#[test]
fn states_have_their_codes() {
    use upkeep_api::{DaemonState, ProcessState};
    let processes: Vec<_> = ProcessState::ALL.iter().map(|state| (state.name(), state.code())).collect();
    let expected = [
        ("STOPPED", 0),
        ("STARTING", 10),
        ("RUNNING", 20),
        ("BACKOFF", 30),
        ("STOPPING", 40),
        ("EXITED", 100),
        ("FATAL", 200),
        ("UNKNOWN", 1000),
    ];
    assert_eq!(processes, expected);
    let daemon: Vec<_> = DaemonState::ALL.iter().map(|state| (state.name(), state.code())).collect();
    assert_eq!(daemon, [("FATAL", 2), ("RUNNING", 1), ("RESTARTING", 0), ("SHUTDOWN", -1)]);
}

#[test]
fn forty_one_methods_rpc_060() {
    let names = ask("system.listMethods", vec![]).expect("it answers");
    let names: Vec<&str> = names.as_array().expect("an array").iter().filter_map(Value::as_str).collect();
    assert_eq!(names.len(), 41);
    assert!(names.is_sorted());
    for name in ["supervisor.getVersion", "supervisor.clearProcessLog", "system.multicall"] {
        assert!(names.contains(&name), "{name}");
    }
    let (none, _) = call_with(&[], "system.listMethods", vec![], |_| Ok(Reply::Bool(true)));
    assert_eq!(none.expect("it answers").as_array().map(<[Value]>::len), Some(4));
}

#[test]
fn signatures_and_help_rpc_061_062() {
    let rows: [(&str, &[&str]); 6] = [
        ("supervisor.startProcess", &["boolean", "string", "boolean"]),
        ("supervisor.tailProcessLog", &["array", "string", "int", "int"]),
        ("supervisor.getState", &["struct"]),
        ("supervisor.sendRemoteCommEvent", &["boolean", "string", "string"]),
        ("system.multicall", &["array", "array"]),
        ("system.listMethods", &["array"]),
    ];
    for (name, types) in rows {
        let signature = ask("system.methodSignature", vec![name.into()]);
        assert_eq!(signature, Ok(Value::strings(types.iter().copied())), "{name}");
        let help = ask("system.methodHelp", vec![name.into()]).expect("it answers");
        let help = help.as_str().expect("a text");
        assert_eq!(help.matches("\n@param ").count(), types.len() - 1, "{help}");
        assert!(help.contains(&format!("\n@return {} ", types[0])), "{help}");
    }
    for name in ["supervisor.nope", "startProcess", "other.getState", "", "upkeep.updateProcessGroup"] {
        let unsupported = fault(FaultCode::SignatureUnsupported);
        assert_eq!(ask("system.methodSignature", vec![name.into()]), unsupported, "{name}");
        assert_eq!(ask("system.methodHelp", vec![name.into()]), unsupported, "{name}");
    }
    assert_eq!(ask("system.methodHelp", vec![5.into()]), fault(FaultCode::SignatureUnsupported));
}

#[test]
fn every_row_is_described() {
    for verb in verbs::STANDARD.iter().chain(verbs::OWN) {
        assert!(!verb.summary.is_empty() && !verb.result.is_empty(), "{}", verb.name);
        assert!(verb.params.iter().all(|param| !param.help.is_empty()), "{}", verb.name);
    }
}

#[test]
fn unknown_methods_rpc_012() {
    for name in [
        "",
        "x",
        "supervisor",
        "supervisor.",
        ".getState",
        "supervisor.getState.x",
        "supervisor._update",
        "supervisor.supervisord",
        "nope.getState",
        " supervisor.getState",
        "system.x",
        "system.multicall.x",
    ] {
        assert_eq!(ask(name, vec![]), fault(FaultCode::UnknownMethod), "{name}");
    }
    let (other, _) = call_with(&["a", "b"], "b.getState", vec![], |_| Ok(Reply::State(DaemonState::Running)));
    assert!(other.is_ok());
    let (none, _) = call_with(&[], "upkeep.updateProcessGroup", vec!["x".into()], |_| Ok(Reply::Bool(true)));
    assert_eq!(none, fault(FaultCode::UnknownMethod));
}

#[test]
fn arguments_make_requests_rpc_014_147() {
    let list = || Value::Array(vec![]);
    let tail = |offset, length| {
        Some(Request::TailProcessLog { name: "a".into(), channel: Channel::Stderr, offset, length })
    };
    let start = |wait| Some(Request::StartProcess { name: "a".into(), wait });
    let stdin = |chars: &str| Some(Request::SendProcessStdin { name: "a".into(), chars: chars.into() });
    let event =
        |kind: &str, data: &str| Some(Request::SendRemoteCommEvent { kind: kind.into(), data: data.into() });
    let signal = |signal: &str| Some(Request::SignalProcess { name: "a".into(), signal: signal.into() });
    let rows: Vec<(&str, Vec<Value>, Option<Request>)> = vec![
        ("supervisor.getPID", vec![], Some(Request::GetPid)),
        ("supervisor.getPID", vec![1.into()], None),
        ("supervisor.startProcess", vec![], None),
        ("supervisor.startProcess", vec!["a".into()], start(true)),
        ("supervisor.startProcess", vec!["a".into(), false.into()], start(false)),
        ("supervisor.startProcess", vec!["a".into(), "".into()], start(false)),
        ("supervisor.startProcess", vec!["a".into(), "no".into()], start(true)),
        ("supervisor.startProcess", vec!["a".into(), true.into(), 1.into()], None),
        ("supervisor.startProcess", vec![5.into()], None),
        ("supervisor.startProcess", vec![Value::Nil], None),
        ("supervisor.tailProcessStderrLog", vec!["a".into(), 1.into(), 2.into()], tail(1, 2)),
        ("supervisor.tailProcessStderrLog", vec!["a".into(), " -1".into(), Value::Double(1.9)], tail(-1, 1)),
        ("supervisor.tailProcessStderrLog", vec!["a".into(), true.into(), Value::Double(-1.9)], tail(1, -1)),
        ("supervisor.tailProcessStderrLog", vec!["a".into(), "x".into(), 2.into()], None),
        ("supervisor.tailProcessStderrLog", vec!["a".into(), Value::Double(f64::NAN), 2.into()], None),
        ("supervisor.tailProcessStderrLog", vec!["a".into(), list(), 2.into()], None),
        ("supervisor.signalProcess", vec!["a".into(), "HUP".into()], signal("HUP")),
        ("supervisor.signalProcess", vec!["a".into(), 1.into()], signal("1")),
        ("supervisor.sendProcessStdin", vec!["a".into(), "x".into()], stdin("x")),
        ("supervisor.sendRemoteCommEvent", vec![1.into(), Value::Nil], event("1", "None")),
        ("supervisor.addProcessGroup", vec![5.into()], Some(Request::AddProcessGroup { name: "5".into() })),
        (
            "upkeep.updateProcessGroup",
            vec!["g".into()],
            Some(Request::UpdateProcessGroup { name: "g".into() }),
        ),
        ("upkeep.reloadKeep", vec![], Some(Request::ReloadKeep)),
        ("upkeep.getPlan", vec![], Some(Request::GetPlan)),
        ("upkeep.getConfigGenerations", vec![], Some(Request::GetConfigGenerations)),
        ("upkeep.getConfigGeneration", vec![0.into()], Some(Request::GetConfigGeneration { number: 0 })),
        ("upkeep.getRollbackPlan", vec![2.into()], Some(Request::GetRollbackPlan { number: 2 })),
        ("upkeep.rollbackConfig", vec![2.into()], Some(Request::RollbackConfig { number: 2 })),
        ("upkeep.rollbackConfig", vec![], None),
        ("upkeep.writeConfigGeneration", vec![2.into()], Some(Request::WriteConfigGeneration { number: 2 })),
        ("upkeep.getListenerPools", vec![], Some(Request::GetListenerPools)),
        ("upkeep.reloadProcess", vec!["a".into()], Some(Request::ReloadProcess { name: "a".into() })),
        ("upkeep.reloadProcess", vec![], None),
        (
            "upkeep.reloadProcessGroup",
            vec!["g".into()],
            Some(Request::ReloadProcessGroup { name: "g".into() }),
        ),
        ("upkeep.reloadAllProcesses", vec![], Some(Request::ReloadAllProcesses)),
        ("upkeep.upgrade", vec!["/b".into()], Some(Request::Upgrade { binary: "/b".into() })),
        ("upkeep.upgrade", vec![], None),
        ("upkeep.getUpgrade", vec![], Some(Request::GetUpgrade)),
        ("upkeep.getLogLosses", vec![], Some(Request::GetLogLosses)),
        ("upkeep.getSchedules", vec![], Some(Request::GetSchedules)),
        ("upkeep.getHealth", vec![], Some(Request::GetHealth)),
        (
            "upkeep.readProcessLogSince",
            vec!["a".into(), "stderr".into(), 5.into(), 10.into()],
            Some(Request::ReadLogSince {
                process: Some(("a".to_owned(), Channel::Stderr)),
                since: 5,
                length: 10,
                file: false,
            }),
        ),
        ("upkeep.readProcessLogSince", vec!["a".into(), "both".into(), 5.into(), 10.into()], None),
        (
            "upkeep.readLogSince",
            vec![5.into(), 10.into()],
            Some(Request::ReadLogSince { process: None, since: 5, length: 10, file: false }),
        ),
    ];
    for (method, params, request) in rows {
        let context = format!("{method} {params:?}");
        let (result, asked) = call_with(&["supervisor"], method, params, |_| Ok(Reply::Bool(true)));
        let expected =
            if request.is_some() { Ok(true.into()) } else { fault(FaultCode::IncorrectParameters) };
        assert_eq!(result, expected, "{context}");
        assert_eq!(asked, Vec::from_iter(request), "{context}");
    }
    let shown = ask("supervisor.sendProcessStdin", vec!["a".into(), Value::record([("a", true.into())])]);
    assert_eq!(shown, Err(Fault::about(FaultCode::IncorrectParameters, "{'a': True}")));
}

/// RPC-063…066; what is no list of calls is a fault (D-12).
#[test]
fn multicall_rpc_063_to_066() {
    let call = |name: &str, params: Vec<Value>| {
        Value::record([("methodName", name.into()), ("params", params.into())])
    };
    let calls = Value::Array(vec![
        Value::record([("methodName", "supervisor.getPID".into())]),
        call("supervisor.getProcessInfo", vec!["x".into()]),
        call("x", vec![]),
        Value::record([]),
        call("system.multicall", vec![Value::Array(vec![])]),
        call("upkeep.waitForChange", vec!["rolling".into(), "".into()]),
        Value::record([("methodName", "supervisor.getPID".into()), ("params", 5.into())]),
    ]);
    let (result, asked) =
        call_with(&["supervisor"], "system.multicall", vec![calls], |request| match request {
            Request::GetPid => Ok(Reply::Int(7)),
            _ => Err(Fault::about(FaultCode::BadName, "x")),
        });
    let failed =
        |code: i32, text: &str| Value::record([("faultCode", code.into()), ("faultString", text.into())]);
    let expected = Value::Array(vec![
        7.into(),
        failed(10, "BAD_NAME: x"),
        failed(1, "UNKNOWN_METHOD"),
        failed(2, "INCORRECT_PARAMETERS: No methodName"),
        failed(2, "INCORRECT_PARAMETERS: Recursive system.multicall forbidden"),
        failed(2, "INCORRECT_PARAMETERS: upkeep.waitForChange within system.multicall forbidden"),
        failed(2, "INCORRECT_PARAMETERS"),
    ]);
    assert_eq!(result, Ok(expected));
    assert_eq!(asked, [Request::GetPid, Request::GetProcessInfo { name: "x".into() }]);
    for wrong in [5.into(), "abc".into(), Value::record([]), Value::Array(vec![5.into()])] {
        assert_eq!(ask("system.multicall", vec![wrong]), fault(FaultCode::IncorrectParameters));
    }
}

/// Whoever asks for many long logs at once gets as much as one answer may hold; what was called is done.
#[test]
fn answers_of_one_multicall_have_a_limit() {
    let read = Value::record([
        ("methodName", "supervisor.readLog".into()),
        ("params", vec![0.into(), 0.into()].into()),
    ]);
    let short = Value::record([("methodName", "supervisor.getPID".into())]);
    let calls = Value::Array(vec![read.clone(), read.clone(), short, read]);
    let (result, asked) =
        call_with(&["supervisor"], "system.multicall", vec![calls], |request| match request {
            Request::GetPid => Ok(Reply::Int(7)),
            _ => Ok(Reply::Bytes(vec![b'x'; 40 << 20])),
        });
    let Ok(Value::Array(results)) = result else { panic!("a list") };
    let lengths: Vec<usize> = results.iter().map(Value::text_length).collect();
    let refused = "FAILED: the answers are too long together";
    assert_eq!(lengths, [40 << 20, refused.len(), 0, refused.len()]);
    assert_eq!(results[1].get("faultString").and_then(Value::as_str), Some(refused));
    assert_eq!(asked.len(), 4);
}

fn process() -> ProcessInfo {
    ProcessInfo {
        name: "a".into(),
        group: "g".into(),
        start: 1,
        stop: 0,
        now: 3,
        state: ProcessState::Running,
        spawnerr: String::new(),
        exitstatus: -1,
        stdout_logfile: "/o".into(),
        stderr_logfile: String::new(),
        pid: 9,
        description: "pid 9, uptime 0:00:02".into(),
    }
}

fn config() -> ConfigInfo {
    let output = |logfile| OutputInfo {
        logfile,
        logfile_maxbytes: 1,
        logfile_backups: 2,
        capture_maxbytes: 3,
        events_enabled: true,
        syslog: false,
    };
    ConfigInfo {
        name: "a".into(),
        group: "g".into(),
        inuse: true,
        autostart: false,
        autorestart: None,
        command: "/bin/cat".into(),
        directory: None,
        exitcodes: vec![0, 255],
        group_prio: 4,
        process_prio: 5,
        killasgroup: true,
        redirect_stderr: false,
        serverurl: Some("unix:///s".into()),
        startretries: 6,
        startsecs: 7,
        stopsignal: 15,
        stopwaitsecs: 8,
        uid: Some(1000),
        stdout: output(LogFile::Auto),
        stderr: output(LogFile::Path("/e".into())),
    }
}

#[test]
fn what_clients_decode_is_what_was_encoded() {
    let info = process();
    assert_eq!(ProcessInfo::from_value(&Reply::Process(Box::new(info.clone())).into()), Ok(info.clone()));
    assert_eq!(
        ProcessInfo::list_from_value(&Reply::Processes([info.clone()].into_iter().collect()).into()),
        Ok(vec![info])
    );
    let info = config();
    assert_eq!(ConfigInfo::list_from_value(&Reply::Configs(vec![info.clone()]).into()), Ok(vec![info]));
    let result = |fault| ActionResult { name: "a".into(), group: "g".into(), fault };
    let results = vec![result(None), result(Some(Fault::about(FaultCode::SpawnError, "a")))];
    assert_eq!(ActionResult::list_from_value(&Reply::Results(results.clone()).into()), Ok(results));
    let names = |name: &str| vec![name.to_owned()];
    let reread = Reread { added: names("a"), changed: vec![], removed: names("r") };
    assert_eq!(Reread::from_value(&Reply::Reread(reread.clone()).into()), Ok(reread));
    let update = GroupUpdate {
        stopped: names("s"),
        restarted: names("r"),
        started: names("t"),
        live: names("l"),
        whole: true,
        rolling: 3,
    };
    assert_eq!(GroupUpdate::from_value(&Reply::Update(update.clone()).into()), Ok(update));
    let member =
        RollingMember { name: "p".into(), group: "g".into(), stage: "failed".into(), reason: "why".into() };
    let rolling = RollingInfo {
        number: 3,
        state: "failed".into(),
        reason: "g:p: why".into(),
        update: true,
        members: vec![member],
    };
    assert_eq!(
        RollingInfo::list_from_value(&Reply::Rolling(vec![rolling.clone()]).into()),
        Ok(vec![rolling])
    );
    let listeners = vec![Listener { name: "l_0".into(), state: "BUSY".into() }];
    let pool = ListenerPool {
        name: "l".into(),
        events: names("TICK_5"),
        waiting: 3,
        buffer_size: 10,
        durable: true,
        discarded: 1 << 40,
        listeners,
    };
    assert_eq!(ListenerPool::list_from_value(&Reply::Pools(vec![pool.clone()]).into()), Ok(vec![pool]));
    let setting = |section: &str, option: &str, note: &str| Setting {
        section: section.into(),
        option: option.into(),
        note: note.into(),
    };
    let kept = KeptReload {
        applied: vec![setting("supervisord", "loglevel", ""), setting("inet_http_server", "", "closed")],
        not_applied: vec![setting("supervisord", "user", "why")],
        groups: Reread { added: names("a"), changed: names("b"), removed: names("c") },
    };
    assert_eq!(KeptReload::from_value(&Reply::Kept(kept.clone()).into()), Ok(kept));
    let planned = PlannedChange {
        group: "g".into(),
        name: "a".into(),
        change: "restart".into(),
        seconds: 10,
        starting: 3,
        dependants: vec![PlannedDependant { group: "g".into(), name: "b".into(), change: "stop".into() }],
        causes: vec![PlannedCause {
            section: "program:a".into(),
            option: "command".into(),
            file: "/x.conf".into(),
            line: 7,
        }],
    };
    assert_eq!(PlannedChange::list_from_value(&Reply::Plan(vec![planned.clone()]).into()), Ok(vec![planned]));
    let generation =
        ConfigGeneration { number: 3, time: 1000, cause: "rollback 1".into(), changed: 2, running: true };
    let told = Reply::ConfigGenerations(vec![generation.clone()]).into();
    assert_eq!(ConfigGeneration::list_from_value(&told), Ok(vec![generation]));
    // Through XML as well, which would make one end of a line of another.
    for text in ["[supervisord]\n", "[supervisord]\r\n", "\u{1b}\u{ffff}\t"] {
        let file = ConfigFile { path: "/x.conf".into(), text: text.into() };
        let told = Reply::ConfigFiles(vec![file.clone()]).into();
        assert_eq!(ConfigFile::list_from_value(&told), Ok(vec![file.clone()]));
        let told = decode_response(&encode_response(&told)).expect("an answer");
        assert_eq!(ConfigFile::list_from_value(&told), Ok(vec![file]));
    }
    let loss = LogLoss {
        name: "a".into(),
        group: "g".into(),
        channel: "stderr".into(),
        path: "/e".into(),
        dropped: 1 << 40,
        reason: "No space left on device".into(),
        dropping: true,
    };
    assert_eq!(LogLoss::list_from_value(&Reply::Losses(vec![loss.clone()]).into()), Ok(vec![loss]));
    let schedule = ScheduleInfo {
        name: "a".into(),
        group: "g".into(),
        schedule: "@daily".into(),
        timezone: "UTC".into(),
        on: true,
        next: 1 << 40,
        queued: false,
        last_start: 1,
        last_milliseconds: 2,
        last_result: "exit status 0".into(),
    };
    let told = Reply::Schedules(vec![schedule.clone()]).into();
    assert_eq!(ScheduleInfo::list_from_value(&told), Ok(vec![schedule]));
    let health = HealthInfo {
        name: "a".into(),
        group: "g".into(),
        check: "tcp://h:1".into(),
        state: "unhealthy".into(),
        since: 1 << 40,
        reason: "why".into(),
        ready: true,
        checking: false,
        next_check: 1,
        last_check: 2,
        last_result: "ok".into(),
        failures: 3,
        successes: 4,
        status: "up".into(),
        watchdog: 5,
        mainpid: 6,
    };
    let told = Reply::Health(vec![health.clone()]).into();
    assert_eq!(HealthInfo::list_from_value(&told), Ok(vec![health]));
    let tail = LogTail { data: b"xyz".to_vec(), offset: 3, overflow: true };
    assert_eq!(LogTail::from_value(&Reply::Tail(tail.clone()).into()), Ok(tail));
}

#[test]
fn the_originals_configs_have_no_autorestart_rpc_137() {
    let Value::Array(mut list) = Reply::Configs(vec![config()]).into() else { panic!("an array") };
    let Value::Struct(mut members) = list.remove(0) else { panic!("a struct") };
    members.retain(|(name, _)| name != "autorestart");
    assert_eq!(ConfigInfo::from_value(&Value::Struct(members.clone())), Ok(config()));
    members.retain(|(name, _)| name != "uid");
    let error = ConfigInfo::from_value(&Value::Struct(members)).expect_err("a member is missing");
    assert_eq!(error.to_string(), "the answer has no usable uid");
}

#[test]
fn times_beyond_an_int_are_capped_rpc_085() {
    let late = ProcessInfo { start: i64::MAX, stop: 1 << 31, now: (1 << 31) - 1, ..process() };
    let value = Value::from(Reply::Process(Box::new(late)));
    for member in ["start", "stop", "now"] {
        assert_eq!(value.get(member), Some(&i32::MAX.into()), "{member}");
    }
}

#[test]
fn logs_are_bytes_until_here_d_03_rpc_146() {
    assert_eq!(Value::from(Reply::Bytes(b"a\xc3".to_vec())), "a\u{fffd}".into());
    assert_eq!(Value::from(Reply::Bytes("é".into())), "é".into());
}

#[test]
fn faults_survive_the_wire() {
    for fault in
        [Fault::new(FaultCode::ShutdownState), Fault::about(FaultCode::NoFile, "can't find command 'x'")]
    {
        assert_eq!(Fault::from_wire(fault.code.code(), &fault.to_string()), fault);
    }
    assert_eq!(Fault::from_wire(999, "NEW: x"), Fault::about(FaultCode::Failed, "NEW: x"));
}
