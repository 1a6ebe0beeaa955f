//! What a form asks for, what the daemon is asked then, and the message about it.

use upkeep_api::{ActionResult, Fault, FaultCode, Reply, Request, RollingInfo, RollingMember};
use upkeep_webui::{Action, Form, Language, Outcome, Step, WrongAction, outcome_json};

use crate::daemon::{Answers, fault, process, with};

fn form(query: &str) -> Form {
    Form::read(query, b"")
}

#[test]
fn forms_ask_for_actions_rpc_206_rpc_213() {
    let one = |name: &str, step| Ok(Some(Action::One { name: name.to_owned(), step }));
    let rows = [
        ("", Ok(None)),
        ("processname=a", Ok(None)),
        ("action=", Ok(None)),
        ("action=refresh&processname=a", Ok(Some(Action::Refresh))),
        ("action=stopall", Ok(Some(Action::StopAll))),
        ("action=restartall", Ok(Some(Action::RestartAll))),
        ("action=rolling&processname=g%3A%2A", Ok(Some(Action::Rolling { name: "g:*".to_owned() }))),
        ("action=rolling", Err(WrongAction("rolling".to_owned()))),
        ("action=start&processname=g%3Aa", one("g:a", Step::Start)),
        ("action=stop&processname=a", one("a", Step::Stop)),
        ("action=restart&processname=a", one("a", Step::Restart)),
        ("action=clearlog&processname=a", one("a", Step::ClearLog)),
        ("action=start", Err(WrongAction("start".to_owned()))),
        ("action=startall", Err(WrongAction("startall".to_owned()))),
        (
            "action=x&processname=a",
            Ok(Some(Action::Unknown { name: "a".to_owned(), action: "x".to_owned() })),
        ),
    ];
    for (query, action) in rows {
        assert_eq!(Action::of(&form(query)), action, "{query}");
    }
}

/// Carries out what the query asks for; returns the English message and what the daemon was asked, after whether the
/// process exists.
fn carry_out(query: &str, answers: Answers) -> (String, Vec<Request>) {
    let action = Action::of(&form(query)).expect("it exists").expect("it is one");
    let (outcome, mut asked) = with(answers, async |handle| action.carry_out(&handle).await);
    if matches!(asked.first(), Some(Request::GetProcessInfo { .. })) {
        asked.remove(0);
    }
    (outcome.expect("it exists").message(Language::English, "NOW"), asked)
}

fn works(request: &Request) -> Result<Reply, Fault> {
    match request {
        Request::GetProcessInfo { name } => {
            let info = process(name, name, upkeep_api::ProcessState::Running, "");
            Ok(Reply::Process(Box::new(info)))
        }
        Request::StopAllProcesses { .. } | Request::StartAllProcesses { .. } => {
            let one = |name: &str| ActionResult { name: name.to_owned(), group: "g".to_owned(), fault: None };
            Ok(Reply::Results(vec![one("a"), one("b")]))
        }
        _ => Ok(Reply::Bool(true)),
    }
}

/// RPC-207: each verb is asked to answer when it is done.
#[test]
fn what_works_rpc_207_rpc_209_rpc_210() {
    let name = || "a".to_owned();
    let start = || Request::StartProcess { name: name(), wait: true };
    let stop = || Request::StopProcess { name: name(), wait: true };
    let all = || vec![Request::StopAllProcesses { wait: true }, Request::StartAllProcesses { wait: true }];
    let rows = [
        ("action=refresh", "Page refreshed at NOW", vec![]),
        ("action=stopall", "All stopped at NOW", vec![Request::StopAllProcesses { wait: true }]),
        ("action=restartall", "All restarted at NOW", all()),
        ("action=start&processname=a", "Process a started", vec![start()]),
        ("action=stop&processname=a", "Process a stopped", vec![stop()]),
        ("action=restart&processname=a", "Process a restarted", vec![stop(), start()]),
        (
            "action=clearlog&processname=a",
            "Log for a cleared",
            vec![Request::ClearProcessLogs { name: name() }],
        ),
    ];
    for (query, message, asked) in rows {
        assert_eq!(carry_out(query, works), (message.to_owned(), asked), "{query}");
    }
}

#[test]
fn no_such_process_rpc_210_rpc_213() {
    let nobody: Answers = |_| fault(FaultCode::BadName, "a");
    for action in ["start", "stop", "restart", "clearlog", "nonsense"] {
        let (message, asked) = carry_out(&format!("action={action}&processname=a:*"), nobody);
        assert_eq!((message.as_str(), asked.len()), ("No such process named a:*", 0), "{action}");
    }
}

#[test]
fn an_action_that_does_not_exist_rpc_213() {
    let action = Action::of(&form("action=nonsense&processname=a")).expect("perhaps").expect("one");
    let (outcome, asked) = with(works, async |handle| action.carry_out(&handle).await);
    assert_eq!(outcome, Err(WrongAction("nonsense".to_owned())));
    assert_eq!(asked.len(), 1);
}

#[test]
fn failed_starts_rpc_211() {
    let rows = [
        (FaultCode::NoFile, "no such file"),
        (FaultCode::NotExecutable, "file not executable"),
        (FaultCode::AlreadyStarted, "already started"),
        (FaultCode::SpawnError, "spawn error"),
        (FaultCode::AbnormalTermination, "abnormal termination"),
        (FaultCode::ShutdownState, "unexpected rpc fault [6] SHUTDOWN_STATE: x"),
    ];
    for (code, reason) in rows {
        let outcome = Outcome::NotStarted("g:a".to_owned(), Fault::about(code, "x"));
        let message = outcome.message(Language::English, "");
        assert_eq!(message, format!("ERROR: Process g:a: {reason}"));
        assert!(!outcome.is_good());
    }
}

#[test]
fn failed_stops_and_clears_rpc_212() {
    let fails: Answers = |request| match request {
        Request::GetProcessInfo { .. } => works(request),
        _ => fault(FaultCode::Failed, "a"),
    };
    for action in ["stop", "clearlog", "restart"] {
        let (message, asked) = carry_out(&format!("action={action}&processname=a"), fails);
        assert_eq!((message.as_str(), asked.len()), ("unexpected rpc fault [30] FAILED: a", 1), "{action}");
    }
}

/// A restart of what does not run is a start; one whose start fails is no restart.
#[test]
fn restarts_tell_the_truth_rpc_210() {
    let stopped: Answers = |request| match request {
        Request::StopProcess { .. } => fault(FaultCode::NotRunning, "a"),
        _ => works(request),
    };
    assert_eq!(carry_out("action=restart&processname=a", stopped).0, "Process a restarted");
    let broken: Answers = |request| match request {
        Request::StartProcess { .. } => fault(FaultCode::SpawnError, "a"),
        _ => works(request),
    };
    assert_eq!(carry_out("action=restart&processname=a", broken).0, "ERROR: Process a: spawn error");
}

#[test]
fn failures_of_many_are_named_rpc_209() {
    let seven: Answers = |request| match request {
        Request::StartAllProcesses { .. } | Request::StopAllProcesses { .. } => {
            let result = |number: u8| ActionResult {
                name: format!("p{number}"),
                group: if number == 0 { "p0".to_owned() } else { "g".to_owned() },
                fault: (number != 3).then(|| Fault::new(FaultCode::SpawnError)),
            };
            let from = if matches!(request, Request::StopAllProcesses { .. }) { 3 } else { 0 };
            Ok(Reply::Results((from..8).filter(|number| from == 0 || *number < 5).map(result).collect()))
        }
        _ => works(request),
    };
    let (message, _) = carry_out("action=stopall", seven);
    assert_eq!(message, "ERROR: not stopped: g:p4 (spawn error)");
    let (message, _) = carry_out("action=restartall", seven);
    let named =
        "g:p4 (spawn error), p0 (spawn error), g:p1 (spawn error), g:p2 (spawn error), g:p4 (spawn error)";
    assert_eq!(message, format!("ERROR: not restarted: {named} and 3 more"));
    let ending: Answers = |_| Err(Fault::new(FaultCode::ShutdownState));
    assert_eq!(carry_out("action=restartall", ending).0, "unexpected rpc fault [6] SHUTDOWN_STATE");
}

#[test]
fn messages_in_chinese() {
    let chinese = |outcome: &Outcome| outcome.message(Language::Chinese, "NOW");
    assert_eq!(chinese(&Outcome::Started("g:a".to_owned())), "进程 g:a 已启动");
    assert_eq!(chinese(&Outcome::Stopped(Vec::new())), "已于 NOW 全部停止");
    let failed = Outcome::NotStarted("a".to_owned(), Fault::new(FaultCode::SpawnError));
    assert_eq!(chinese(&failed), "错误：进程 a：启动失败");
}

#[test]
fn outcomes_for_the_script() {
    let outcome = Outcome::Started("a".to_owned());
    assert_eq!(outcome_json(&outcome, "\"<b>\""), r#"{"good":true,"message":"\"<b>\""}"#);
    let outcome = Outcome::Stopped(vec![("a".to_owned(), Fault::new(FaultCode::Failed))]);
    assert!(outcome_json(&outcome, "").contains("\"good\":false"));
}

fn rolling(stage: &str) -> RollingInfo {
    let member = |name: &str, stage: &str| RollingMember {
        name: name.to_owned(),
        group: "g".to_owned(),
        stage: stage.to_owned(),
        reason: String::new(),
    };
    RollingInfo {
        number: 7,
        state: "under way".to_owned(),
        reason: String::new(),
        update: false,
        members: vec![member("a", stage), member("b", "left")],
    }
}

#[test]
fn a_rolling_restart_is_begun_and_not_waited_for() {
    let rolls: Answers = |request| match request {
        Request::RestartRolling { .. } => Ok(Reply::Int(7)),
        Request::GetRollingRestarts { number: Some(7) } => Ok(Reply::Rolling(vec![rolling("pending")])),
        _ => fault(FaultCode::Failed, "not asked for"),
    };
    let (message, asked) = carry_out("action=rolling&processname=g%3A%2A", rolls);
    assert_eq!(message, "Rolling restart of g:* has begun, one batch after another");
    let names = vec!["g:*".to_owned()];
    assert_eq!(asked[0], Request::RestartRolling { names, batch: String::new(), wait: 0 });
    let idle: Answers = |request| match request {
        Request::RestartRolling { .. } => Ok(Reply::Int(7)),
        _ => Ok(Reply::Rolling(vec![rolling("left")])),
    };
    let (message, _) = carry_out("action=rolling&processname=g%3A%2A", idle);
    assert_eq!(message, "Nothing to restart: no process of g:* runs");
    let gone: Answers = |_| fault(FaultCode::BadName, "g:*");
    assert_eq!(carry_out("action=rolling&processname=g%3A%2A", gone).0, "No such process named g:*");
    let taken: Answers = |_| fault(FaultCode::Failed, "rolling restart 6 is under way");
    let (message, _) = carry_out("action=rolling&processname=g%3A%2A", taken);
    assert!(message.contains("rolling restart 6 is under way"), "{message}");
}
