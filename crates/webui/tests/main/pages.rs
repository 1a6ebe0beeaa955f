//! What the pages hold, whatever they look like.

use upkeep_api::{Fault, FaultCode, ProcessState, Reply, Request, RollingProgress, SharedList};
use upkeep_webui::{Language, Status, asset, is_folder, refused, status_json, status_page, unavailable};

use crate::daemon::{Answers, process, with};

const HOSTILE: &str = "<script>\"'&";

fn page_of(state: ProcessState, language: Language) -> String {
    let processes = vec![process("g", "a", state, "pid 7, uptime 0:00:01")];
    status_page(language, &Status { identifier: "host".to_owned(), processes, rolling: Vec::new() }, None)
}

/// RPC-203: which actions each state offers, and RPC-202, in which class its word is.
#[test]
fn every_state_has_its_actions_rpc_202_rpc_203() {
    let rows = [
        (ProcessState::Stopped, "statusnominal", "stopped", vec!["start"]),
        (ProcessState::Starting, "statusnominal", "starting", vec![]),
        (ProcessState::Running, "statusrunning", "running", vec!["restart", "stop"]),
        (ProcessState::Backoff, "statuserror", "backoff", vec![]),
        (ProcessState::Stopping, "statusnominal", "stopping", vec![]),
        (ProcessState::Exited, "statusnominal", "exited", vec!["start"]),
        (ProcessState::Fatal, "statuserror", "fatal", vec!["start"]),
        (ProcessState::Unknown, "statusnominal", "unknown", vec![]),
    ];
    assert_eq!(rows.len(), ProcessState::ALL.len());
    for (state, class, word, mut actions) in rows {
        let page = page_of(state, Language::English);
        assert!(page.contains(&format!("<span class=\"{class}\">{word}</span>")), "{state:?}");
        actions.push("clearlog");
        for action in ["start", "stop", "restart", "clearlog"] {
            let address = format!("formaction=\"index.html?processname=g%3Aa&amp;action={action}\"");
            assert_eq!(page.contains(&address), actions.contains(&action), "{state:?} {action}");
        }
        for address in ["tail.html?processname=g%3Aa\"", "logtail/g%3Aa\"", "logtail/g%3Aa/stderr\""] {
            assert!(page.contains(&format!("href=\"{address}")), "{state:?} {address}");
        }
    }
}

/// Nothing that comes from outside becomes a part of the page, RPC-205.
#[test]
fn everything_is_escaped_rpc_205() {
    let processes = vec![process(HOSTILE, HOSTILE, ProcessState::Running, HOSTILE)];
    let status = Status { identifier: HOSTILE.to_owned(), processes, rolling: Vec::new() };
    for language in Language::ALL {
        let page = status_page(*language, &status, Some(HOSTILE));
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert_eq!(page.matches("&lt;script&gt;&quot;'&amp;").count(), 5, "{page}");
        assert!(page.contains("processname=%3Cscript%3E%22%27%26&amp;action=stop"), "{page}");
    }
}

#[test]
fn a_message_has_its_place_rpc_205() {
    let status = Status { identifier: String::new(), processes: Vec::new(), rolling: Vec::new() };
    let with = status_page(Language::English, &status, Some("told"));
    assert!(with.contains("<p class=\"status_msg\" id=\"message\" role=\"status\">told</p>"), "{with}");
    let without = status_page(Language::English, &status, None);
    assert!(without.contains("id=\"message\" role=\"status\" hidden></p>"), "{without}");
}

#[test]
fn no_programs_rpc_204() {
    let status = Status { identifier: String::new(), processes: Vec::new(), rolling: Vec::new() };
    let page = status_page(Language::English, &status, None);
    assert!(page.contains("No programs to manage") && !page.contains("<table"), "{page}");
    assert!(status_page(Language::Chinese, &status, None).contains("没有需要管理的程序"));
}

/// A page has no word of the other language but the names of things.
#[test]
fn pages_in_both_languages_rpc_201() {
    let english = page_of(ProcessState::Running, Language::English);
    assert!(english.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{english}");
    assert!(english.contains("<title>Supervisor Status</title>"));
    assert!(english.is_ascii() || !english.chars().any(is_chinese), "{english}");
    let chinese = page_of(ProcessState::Running, Language::Chinese);
    assert!(chinese.contains("<html lang=\"zh-CN\">"));
    for word in [
        "运行中",
        "重启",
        "停止",
        "清空日志",
        "pid 7，已运行 0:00:01",
        "全部停止",
        "按名称筛选",
        "兼容 Supervisor 4.3.0",
    ] {
        assert!(chinese.contains(word), "{word}");
    }
    for word in ["Restart", "Clear Log", "running", "uptime"] {
        assert!(!chinese.contains(&format!(">{word}<")), "{word}");
    }
    assert!(refused(Language::Chinese).contains("已拒绝"));
    assert!(unavailable(Language::English).contains("shutting down"));
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// No style, handler or script stands in a page: the policy would stop it.
#[test]
fn pages_obey_their_policy() {
    for page in [page_of(ProcessState::Running, Language::English), refused(Language::English)] {
        for no in [" style=", "<style", "onclick=", "onsubmit=", "onload=", "<script>", "javascript:"] {
            assert!(!page.contains(no), "{no}: {page}");
        }
        assert!(!page.contains("http:") && !page.contains("https:"), "{page}");
    }
}

#[test]
fn the_daemon_is_asked_and_rows_are_sorted_rpc_202() {
    let answers: Answers = |request| match request {
        Request::GetIdentification => Ok(Reply::Text("host".to_owned())),
        Request::GetAllProcessInfo => Ok(Reply::Processes(SharedList::from_iter([
            process("g", "b", ProcessState::Running, "x"),
            process("z", "z", ProcessState::Fatal, "\"y\""),
            process("g", "a", ProcessState::Running, ""),
        ]))),
        _ => Err(Fault::new(FaultCode::Failed)),
    };
    let (status, _) = with(answers, async |handle| Status::ask(&handle).await);
    let status = status.expect("it answers");
    let json = status_json(Language::English, &status);
    let rows = [
        r#"{"description":"","name":"g:a","state":"RUNNING"}"#,
        r#"{"description":"x","name":"g:b","state":"RUNNING"}"#,
        r#"{"description":"\"y\"","name":"z","state":"FATAL"}"#,
    ];
    assert_eq!(json, format!(r#"{{"processes":[{}],"summary":"2 running · 1 fatal"}}"#, rows.join(",")));
    let page = status_page(Language::English, &status, None);
    let order: Vec<_> =
        ["g:a", "g:b", "z"].iter().map(|name| page.find(&format!("data-name=\"{name}\""))).collect();
    assert!(order.is_sorted() && order[0].is_some(), "{order:?}");
}

#[test]
fn an_ending_daemon_is_told() {
    let ending: Answers = |_| Err(Fault::new(FaultCode::ShutdownState));
    let (status, _) = with(ending, async |handle| Status::ask(&handle).await);
    assert_eq!(status, Err(Fault::new(FaultCode::ShutdownState)));
}

/// RPC-217: every file that a page or another file names is there.
#[test]
fn files_are_there_rpc_217_rpc_218() {
    let page = page_of(ProcessState::Running, Language::English);
    for path in ["stylesheets/supervisor.css", "images/icon.png", "images/icon.svg", "scripts/status.js"] {
        assert!(page.contains(&format!("\"{path}\"")), "{path}");
        assert!(asset(path).is_some_and(|asset| !asset.bytes.is_empty()), "{path}");
    }
    for path in ["scripts/watch.js", "scripts/tail.js"] {
        assert!(asset(path).is_some(), "{path}");
    }
    for path in ["", "images", "images/", "images/../images/icon.png", "../Cargo.toml", "/images/icon.png"] {
        assert_eq!(asset(path), None, "{path}");
    }
    assert!(is_folder("images") && is_folder("images/") && is_folder("stylesheets"));
    assert!(!is_folder("") && !is_folder("images//") && !is_folder("images/icon.png"));
}

/// A group of one process has nothing that it could be restarted bit by bit for, and no page is longer for it.
#[test]
fn groups_of_several_can_be_restarted_bit_by_bit() {
    let of = |names: [&str; 3]| {
        let all = names.map(|group| process(group, "a", ProcessState::Running, "x"));
        Status { identifier: String::new(), processes: all.to_vec(), rolling: Vec::new() }
    };
    let page = status_page(Language::English, &of(["g", "g", "z"]), None);
    let address = "formaction=\"index.html?processname=g%3A%2A&amp;action=rolling\"";
    assert!(page.contains(address) && page.matches("action=rolling").count() == 1, "{page}");
    assert!(page.contains("Restart the processes of g:* bit by bit?"), "{page}");
    let alone = status_page(Language::English, &of(["a", "b", "c"]), None);
    assert!(!alone.contains("olling"), "{alone}");
}

/// The names of thousands of processes are not asked for to tell numbers.
#[test]
fn how_far_rolling_restarts_are_is_told() {
    fn told(all: Answers, language: Language) -> String {
        let (status, asked) = with(all, async |handle| Status::ask(&handle).await);
        assert!(!asked.iter().any(|request| matches!(request, Request::GetRollingRestarts { .. })));
        status_json(language, &status.expect("it answers"))
    }
    let answers: Answers = |request| match request {
        Request::GetIdentification => Ok(Reply::Text("host".to_owned())),
        Request::GetAllProcessInfo => Ok(Reply::Processes(SharedList::from_iter([]))),
        Request::GetRollingProgress => Ok(Reply::RollingProgress(vec![
            RollingProgress { number: 2, failure: None, done: 1, wanted: 3 },
            RollingProgress { number: 3, failure: Some("g:a: no".to_owned()), done: 0, wanted: 1 },
        ])),
        _ => Err(Fault::new(FaultCode::Failed)),
    };
    let english = told(answers, Language::English);
    assert!(
        english.contains("\"rolling restart 2: 1 of 3 · rolling restart 3 failed: g:a: no\""),
        "{english}"
    );
    assert!(told(answers, Language::Chinese).contains("滚动重启 2：1/3 · 滚动重启 3 失败：g:a: no"));
}
