//! The same bytes to the original and to us: the same bytes back.
//!
//! Behind our server stands a stub that asks the original for what it does not know, so that decoding and encoding are
//! compared too. What moves is made equal first: dates, `now`, uptimes.

use std::sync::Arc;

use upkeep_api::xmlrpc::{ResponseError, Value};
use upkeep_api::{ActionResult, ConfigInfo, Fault, LogTail, ProcessInfo, Reply, Request, Reread};
use upkeep_http::Auth;

use crate::client::{Address, Answer, call, post};
use crate::reference::{self, Reference};
use crate::stub::{Setup, Up};

/// Turns our request back into the original's call, and its answer into our reply.
fn relay(original: &Address, log: &std::path::Path, request: &Request) -> Result<Reply, Fault> {
    let ask = |method: &str, params: &[Value]| {
        reference::call(original, &format!("supervisor.{method}"), params).map_err(|error| match error {
            ResponseError::Fault(fault) => Fault::from_wire(fault.code, &fault.text),
            ResponseError::Malformed(text) => panic!("{text}"),
        })
    };
    let name = |name: &String| [Value::from(name.clone())];
    Ok(match request {
        Request::GetPid => Reply::Int(ask("getPID", &[])?.as_int().expect("an int")),
        Request::GetState => Reply::State(upkeep_api::DaemonState::Running),
        Request::GetApiVersion => Reply::Text(upkeep_api::API_VERSION.to_owned()),
        Request::GetSupervisorVersion => Reply::Text(upkeep_api::SUPERVISOR_VERSION.to_owned()),
        Request::GetProcessInfo { name: process } => {
            let info = ask("getProcessInfo", &name(process))?;
            Reply::Process(Box::new(ProcessInfo::from_value(&info).expect("its shape")))
        }
        Request::GetAllProcessInfo => Reply::Processes(
            ProcessInfo::list_from_value(&ask("getAllProcessInfo", &[])?)
                .expect("its shape")
                .into_iter()
                .collect(),
        ),
        Request::GetAllConfigInfo => {
            Reply::Configs(ConfigInfo::list_from_value(&ask("getAllConfigInfo", &[])?).expect("its shape"))
        }
        Request::ReloadConfig => {
            Reply::Reread(Reread::from_value(&ask("reloadConfig", &[])?).expect("its shape"))
        }
        Request::ClearAllProcessLogs => {
            let results = ask("clearAllProcessLogs", &[])?;
            Reply::Results(ActionResult::list_from_value(&results).expect("its shape"))
        }
        Request::TailProcessLog { name, offset, length, .. } => {
            let tail = ask("tailProcessLog", &[name.clone().into(), (*offset).into(), (*length).into()])?;
            Reply::Tail(LogTail::from_value(&tail).expect("its shape"))
        }
        Request::ReadLog { .. } => {
            Reply::Bytes(ask("readLog", &[0.into(), 4.into()])?.as_str().expect("text").into())
        }
        Request::StopProcess { name: process, .. } => {
            Reply::Bool(ask("stopProcess", &name(process))?.as_bool().expect("a truth"))
        }
        Request::LogPath { process: Some((process, _)) } if process == "off" => {
            Reply::Path(log.join("off.log"))
        }
        Request::LogPath { process: None } => Reply::Path(log.join("log")),
        _ => return Err(Fault::about(upkeep_api::FaultCode::BadName, "nope")),
    })
}

struct Both {
    original: Reference,
    unix: Up,
    tcp: Up,
}

impl Both {
    fn start() -> Self {
        let original = Reference::start();
        let setup = |auth, tcp| {
            let (address, log) = (original.unix.clone(), original.folder.path().to_owned());
            Setup {
                daemon: Arc::new(move |request| Some(relay(&address, &log, request))),
                auth,
                tcp,
                ..Setup::default()
            }
        };
        let unix = Up::start(setup(None, false));
        let tcp = Up::start(setup(Some(Auth::new("u".into(), "p:w".into())), true));
        Self { original, unix, tcp }
    }
}

fn normal(mut answer: Answer) -> Answer {
    answer.head = answer.head.replace("Www-Authenticate", "WWW-Authenticate");
    // Ours alone, on log streams: for browsers.
    answer.head = answer.head.replace("X-Content-Type-Options: nosniff\r\n", "");
    for name in ["Date: ", "Last-Modified: "] {
        answer.head = blank(&answer.head, name, "GMT");
    }
    answer.body = blank(&answer.body, "<name>now</name>\n<value><int>", "</int>");
    answer.body = blank(&answer.body, ", uptime ", "</string>");
    // Newer releases tell it too, and so do we (RPC-137).
    answer.body = without(&answer.body, "<member>\n<name>autorestart</name>\n", "</member>\n");
    if answer.header("content-length").is_some() {
        answer.head = blank(&answer.head, "Content-Length: ", "\r\n");
    }
    answer
}

fn blank(text: &str, start: &str, end: &str) -> String {
    replace(text, start, end, &format!("{start}…{end}"))
}

fn without(text: &str, start: &str, end: &str) -> String {
    replace(text, start, end, "")
}

/// Replaces everything from each `start` through the next `end`.
fn replace(text: &str, start: &str, end: &str, by: &str) -> String {
    let mut parts = text.split(start);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once(end).expect("it ends");
        out.push_str(by);
        out.push_str(rest);
    }
    out
}

/// RPC-002…005, RPC-008…012, RPC-014, RPC-016, RPC-018, RPC-022, RPC-028.
#[test]
fn answers_are_the_same_bytes_rpc_246() {
    let both = Both::start();
    let raw = |text: &str| text.as_bytes().to_vec();
    let old = |headers: &str| {
        let request = String::from_utf8(post(b"<methodName>supervisor.getState</methodName>", headers));
        request.expect("text").replace("HTTP/1.1", "HTTP/1.0").into_bytes()
    };
    let at = |path: &str| {
        let request = String::from_utf8(call("supervisor.getState", &[])).expect("text");
        request.replace("/RPC2", path).into_bytes()
    };
    let rows = [
        call("supervisor.getState", &[]),
        call("supervisor.getPID", &[]),
        call("supervisor.getAPIVersion", &[]),
        call("supervisor.getSupervisorVersion", &[]),
        call("supervisor.getProcessInfo", &["on"]),
        call("supervisor.getProcessInfo", &["off"]),
        call("supervisor.getProcessInfo", &["<nope> & 中文"]),
        call("supervisor.getProcessInfo", &[]),
        call("supervisor.getAllProcessInfo", &[]),
        call("supervisor.getAllConfigInfo", &[]),
        call("supervisor.reloadConfig", &[]),
        call("supervisor.clearAllProcessLogs", &[]),
        call("supervisor.tailProcessLog", &["off", "0", "30"]),
        call("supervisor.readLog", &["0", "4"]),
        call("supervisor.stopProcess", &["off"]),
        call("supervisor.nope", &[]),
        call("supervisor._update", &[]),
        call(" supervisor.getState", &[]),
        call("system.listMethods", &[]),
        call("system.methodSignature", &["supervisor.nope"]),
        call("system.multicall", &["x", "y"]),
        call("supervisor.getPID", &["x"]),
        post(multicall().as_bytes(), ""),
        post(b"<methodCall><methodName>supervisor.getState</methodName></methodCall>", ""),
        post(b"<a>", ""),
        post(b"<a/>", ""),
        post(b"<methodName>x</methodName>", "Content-Type: text/plain\r\nX: y\r\n"),
        old(""),
        old("Connection: keep-alive\r\n"),
        at("/RPC2/"),
        at("/RPC2foo?x"),
        at("/%52PC2"),
        at("/rpc2"),
        raw("GET /RPC2 HTTP/1.1\r\n\r\n"),
        raw("PUT /RPC2 HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
        raw("POST /RPC2 HTTP/1.1\r\n\r\n"),
        raw("POST /RPC2 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        raw("GET /nosuch HTTP/1.1\r\nHost: x\r\n\r\n"),
        raw("GET /nosuch HTTP/1.0\r\n\r\n"),
        raw("DELETE /nosuch HTTP/1.1\r\n\r\n"),
        raw("POST /logtail/off HTTP/1.1\r\n\r\n"),
        raw("POST /mainlogtail HTTP/1.1\r\n\r\n"),
        raw("GET /logtail/nope HTTP/1.1\r\n\r\n"),
        raw("GET /logtail/off/nope HTTP/1.1\r\n\r\n"),
        raw("GET /logtail/off:* HTTP/1.1\r\n\r\n"),
        raw("GET /logtail/off HTTP/1.1\r\n\r\n"),
        raw("GET /logtailx/off/stdout HTTP/1.1\r\n\r\n"),
        raw("GET /mainlogtail HTTP/1.1\r\n\r\n"),
        raw("GET /mainlogtail/x HTTP/1.1\r\n\r\n"),
    ];
    for request in rows {
        let shown = String::from_utf8_lossy(&request);
        let (theirs, ours) = (both.original.unix.ask(&request), both.unix.address.ask(&request));
        assert_eq!(normal(ours), normal(theirs), "{shown}");
    }
}

/// Bodies are the same to the last byte where nothing in them moves: then so is the length that is told.
#[test]
fn lengths_are_the_same_too() {
    let both = Both::start();
    for method in ["supervisor.getState", "system.listMethods", "supervisor.nope"] {
        let request = call(method, &[]);
        let (theirs, ours) = (both.original.unix.ask(&request), both.unix.address.ask(&request));
        assert_eq!(ours.header("Content-Length"), theirs.header("Content-Length"), "{method}");
        assert_eq!(ours.body, theirs.body, "{method}");
    }
}

#[test]
fn every_method_has_the_originals_signature_rpc_060_to_062() {
    let both = Both::start();
    let names = both.original.call("system.listMethods", &[]).expect("it answers");
    for name in names.as_array().expect("an array") {
        let arguments = std::slice::from_ref(name);
        let ours = reference::call(&both.unix.address, "system.methodSignature", arguments);
        let theirs = both.original.call("system.methodSignature", arguments);
        assert_eq!(ours, theirs, "{name:?}");
    }
}

/// What a value is read as shows in the fault about a process of that name: RPC-024…026.
#[test]
fn values_are_read_the_same_rpc_024_to_026() {
    let both = Both::start();
    let values = [
        "<value/>",
        "<value>nope</value>",
        "<value> nope\n</value>",
        "<value>a\r\nb</value>",
        "<value><string/></value>",
        "<value><string> n&#111;pe &lt;&amp;&gt; </string></value>",
        "<value> <string>nope</string> </value>",
        "<value><string>a</string><string>b</string></value>",
        "<value><![CDATA[<nope>]]></value>",
        "<value>no<!-- -->pe</value>",
        "<value><i8>5</i8></value>",
        "<value><foo>nope</foo></value>",
        "<value><base64>bm9wZQ==</base64></value>",
        "<value><base64>\nbm9w\nZQ==\n</base64></value>",
        "<value><base64>bm9wZQ</base64></value>",
        "<value><base64>/w==</base64></value>",
        "<value><int>x</int></value>",
        "<value><int/></value>",
        "<value><double>x</double></value>",
        "<value><array/></value>",
        "<value><struct><member><name>a</name></member></struct></value>",
        "<value>&nope;</value>",
        "<value>&</value>",
        "<value a>nope</value>",
        "<value a=\"1\">nope</value>",
        "<value>nope",
        "",
    ];
    for value in values {
        let body = format!(
            "<?xml version='1.0' encoding='latin-1'?><!-- x --><methodCall>\n<methodName>supervisor.getProcessInfo\
             </methodName><params><param>{value}</param></params></methodCall>\n"
        );
        let request = post(body.as_bytes(), "");
        let (theirs, ours) = (both.original.unix.ask(&request), both.unix.address.ask(&request));
        assert_eq!(normal(ours), normal(theirs), "{value}");
    }
}

fn multicall() -> String {
    let call = |inner: &str| format!("<value><struct>{inner}</struct></value>");
    let name = |name: &str| format!("<member><name>methodName</name><value>{name}</value></member>");
    let params =
        "<member><name>params</name><value><array><data><value>off</value></data></array></value></member>";
    let calls = [
        call(&name("supervisor.getPID")),
        call(&(name("supervisor.getProcessInfo") + params)),
        call(&(name("supervisor.getState") + params)),
        call(&name("x")),
        call(""),
        call(&name("system.multicall")),
        call(&(name("system.methodSignature") + params)),
    ];
    format!(
        "<methodCall><methodName>system.multicall</methodName><params><param><value><array><data>{}\
         </data></array></value></param></params></methodCall>",
        calls.concat()
    )
}

/// RPC-031…033.
#[test]
fn passwords_rpc_031_to_033() {
    let both = Both::start();
    let with = |header: &str, path: &str| format!("GET {path} HTTP/1.1\r\n{header}\r\n").into_bytes();
    let rows = [
        with("", "/RPC2"),
        with("", "/logtail/off"),
        with("", "/nosuch"),
        with("Authorization: Basic dTpwOnc=\r\n", "/nosuch"),
        with("aUTHORIZATION: bASIC dTpwOnc=\r\n", "/nosuch"),
        with("Authorization: Basic dTpwOng=\r\n", "/nosuch"),
        with("Authorization: Basic\r\n", "/nosuch"),
        with("Authorization: Digest dTpwOnc=\r\n", "/nosuch"),
        post(b"<methodName>system.nope</methodName>", "Authorization: Basic dTpwOnc=\r\n"),
    ];
    for request in rows {
        let shown = String::from_utf8_lossy(&request);
        let (theirs, ours) = (both.original.tcp.ask(&request), both.tcp.address.ask(&request));
        assert_eq!(normal(ours), normal(theirs), "{shown}");
    }
}
