//! The web pages: addresses, status codes, redirects and messages, and what a page says, however it looks.

use std::sync::LazyLock;

use regex_lite::Regex;

use crate::rig::daemon::Daemon;
use crate::rig::http::{Answer, exchange, header};
use crate::rig::maker::Maker;
use crate::rig::stage::{Stage, compare};

const CONFIG: &str = r#"
[program:cat]
command=/bin/sh -c 'echo "<first> line"; exec cat'
startsecs=0
[program:bad]
command=/nonexistent
autostart=false
[program:plain]
command=/bin/cat
process_name=a<b>&c
autostart=false
stdout_logfile=NONE
[program:quick]
command=/bin/false
autostart=false
startretries=0
[group:g]
programs=one
[program:one]
command=/bin/cat
startsecs=0
"#;

/// One request without a body, as a program that is no browser sends it.
fn bare(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: h:9001\r\n\r\n")
}

fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: h:9001\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn ask(daemon: &Daemon, request: &str) -> Answer {
    exchange(&daemon.socket(), request).unwrap_or_else(|error| panic!("{request}: {error}"))
}

fn get(daemon: &Daemon, path: &str) -> Answer {
    ask(daemon, &bare(&format!("GET {path}")))
}

/// Status line and the headers of this name.
fn head(answer: &Answer, names: &[&str]) -> String {
    let status = answer.head.lines().next().unwrap_or_default();
    let line = |name: &&str| format!("{name}: {}\n", header(&answer.head, name).unwrap_or_default());
    format!("{status}\n{}", names.iter().map(line).collect::<String>())
}

/// The text between tags, in words.
fn words(html: &str) -> String {
    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^>]*>").expect("a pattern"));
    plain_characters(&TAG.replace_all(html, " ")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Undoes what need not be escaped: there the two differ, and mean the same.
fn plain_characters(html: &str) -> String {
    html.replace("&gt;", ">").replace("&quot;", "\"")
}

/// Where links lead and forms go.
fn addresses(html: &str) -> Vec<&str> {
    static ADDRESS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("(?:href|formaction)=\"([^\"#]+)\"").expect("a pattern"));
    ADDRESS.captures_iter(html).map(|found| found.get(1).expect("a group").as_str()).collect()
}

/// What stands between two marks.
fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let rest = html.split_once(start).map_or("", |(_, rest)| rest);
    rest.split_once(end).map_or(rest, |(inner, _)| inner)
}

/// What a status page says.
fn status_facts(html: &str) -> String {
    static HIDDEN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("<a[^>]*class=\"hidden\"[^>]*>Action</a>").expect("a pattern"));
    static STATE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("class=\"(status(?:running|error|nominal))\"").expect("a pattern"));
    let html = HIDDEN.replace_all(html, "");
    let html = html.as_ref();
    let mut facts = vec![words(between(html, "<title>", "</title>"))];
    let all: Vec<&str> =
        addresses(html).into_iter().filter(|link| link.starts_with("index.html?action=")).collect();
    facts.push(format!("{all:?} {}", words(between(html, "<thead>", "</thead>"))));
    facts.push(format!(
        "message {:?}",
        words(between(between(html, "class=\"status_msg\"", "</"), ">", "\0"))
    ));
    for row in between(html, "<tbody>", "</tbody>").split("<tr").skip(1) {
        let class = STATE.captures(row).map(|found| found[1].to_owned());
        let cells: Vec<String> = row.split("<td").skip(1).map(|cell| words(&format!("<{cell}"))).collect();
        facts.push(format!("{class:?} {cells:?} {:?}", addresses(row)));
    }
    facts.push(format!("none: {}", html.contains("No programs to manage")));
    facts.push(format!("version: {}", html.contains("4.3.0")));
    facts.join("\n")
}

fn note_status(stage: &mut Stage, path: &str) {
    let answer = get(&stage.daemon, path);
    let names = ["content-type", "pragma", "cache-control", "expires"];
    let text = head(&answer, &names) + &status_facts(&answer.body);
    stage.note(path, &text);
}

/// The page, its rows in several states, its message.
#[test]
fn status_page_rpc_200_rpc_201_rpc_202_rpc_203_rpc_205_rpc_220() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["cat", "g:one"]);
        for path in ["/", "/index.html", "//", "///index.html", "/index%2Ehtml", "/?action=", "/?action"] {
            note_status(stage, path);
        }
        note_status(stage, "/?message=%3Cb%3E+%26+%E4%B8%AD&message=second");
        get(&stage.daemon, "/?action=start&processname=quick");
        get(&stage.daemon, "/?action=stop&processname=g:one");
        stage.daemon.wait("FATAL", &["quick"]);
        note_status(stage, "/");
        let posted = ask(&stage.daemon, &post("/index.html?message=query", "message=body+%3C"));
        stage.note("POST", &(head(&posted, &["content-type"]) + &status_facts(&posted.body)));
    });
}

#[test]
fn no_programs_rpc_204() {
    compare("", |stage| note_status(stage, "/"));
}

/// What is the same however it was done: status, headers and body of an action's answer. Times differ.
fn note_action(stage: &mut Stage, request: &str) {
    static DATE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("[A-Z][a-z]{2}%20[A-Z][a-z]{2}%20(?:%20)?\\d+%20\\d\\d%3A\\d\\d%3A\\d\\d%20\\d{4}")
            .expect("a pattern")
    });
    let answer = ask(&stage.daemon, request);
    let names = ["location", "content-type", "content-length", "pragma", "cache-control", "expires"];
    let text = DATE.replace_all(&head(&answer, &names), "DATE").into_owned() + &answer.body;
    stage.note(request, &text);
}

/// Actions on one process, and what cannot be done.
#[test]
fn actions_rpc_206_rpc_207_rpc_208_rpc_210_rpc_211_rpc_212_rpc_213() {
    compare(CONFIG, |stage| {
        stage.daemon.wait("RUNNING", &["cat", "g:one"]);
        let rows = [
            ("stop", "cat"),
            ("stop", "cat"),
            ("start", "cat:cat"),
            ("start", "cat"),
            ("restart", "g:one"),
            ("restart", "g%3Aone"),
            ("clearlog", "cat"),
            ("clearlog", "plain:a%3Cb%3E%26c"),
            ("start", "bad"),
            ("start", "quick"),
            ("start", "nobody"),
            ("stop", "g:*"),
            ("stop", "g:"),
            ("stop", "g"),
            ("clearlog", "%3Cb%3E%20%E4%B8%AD/~'"),
            ("nothing", "nobody"),
            ("nothing", "cat"),
        ];
        for (action, name) in rows {
            note_action(stage, &bare(&format!("GET /index.html?action={action}&processname={name}")));
        }
        let requests = [
            bare("GET /?action=nothing"),
            bare("GET /index.html?action=start"),
            bare("GET /index.html?action=stop&processname="),
            post("/index.html", "action=stop&processname=g%3Aone"),
            post("/?action=start", "processname=nobody&processname=g%3Aone"),
            post("/", "action=stop&action=refresh&processname=g%3Aone"),
            "POST /index.html HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(),
            "GET /?action=refresh HTTP/1.1\r\nHost: h:80\r\n\r\n".to_owned(),
            "GET /?action=refresh HTTP/1.0\r\nHost: h\r\n\r\n".to_owned(),
        ];
        for request in &requests {
            note_action(stage, request);
        }
        let errors = stage.daemon.log().matches("ERRO Web interface error:").count();
        stage.note("web errors in the log", &errors.to_string());
    });
}

/// Actions on all, answered when they are done.
#[test]
fn actions_on_all_rpc_209_rpc_207() {
    let config =
        "[program:cat]\ncommand=/bin/cat\nstartsecs=0\n[program:dog]\ncommand=/bin/cat\nstartsecs=0\n";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["cat", "dog"]);
        for action in ["refresh", "stopall", "restartall"] {
            note_action(stage, &bare(&format!("GET /index.html?action={action}&processname=cat")));
            let states = [stage.daemon.state("cat"), stage.daemon.state("dog")];
            stage.note("states", &format!("{states:?}"));
        }
    });
}

/// What a page with the end of a log says: its title, the log, and where `Refresh` leads.
fn note_tail(stage: &mut Stage, query: &str) {
    let answer = get(&stage.daemon, &format!("/tail.html{query}"));
    let log = between(between(&answer.body, "<pre", "</pre>"), ">", "\0");
    let log = plain_characters(log);
    let title = words(between(&answer.body, "<title>", "</title>"));
    // Supervisor takes the name that is missing for one that is `None`.
    let title = title.strip_suffix(" None").unwrap_or(&title);
    let refresh = addresses(&answer.body).into_iter().find(|link| link.starts_with("tail.html"));
    let names = ["content-type", "pragma", "cache-control", "expires"];
    stage.note(query, &format!("{}{title}\n{log}\n{refresh:?}", head(&answer, &names)));
}

#[test]
fn tails_rpc_214_rpc_215() {
    let config =
        format!("{CONFIG}[program:long]\ncommand=/bin/sh -c 'seq 1000 2000; exec cat'\nstartsecs=0\n");
    compare(&config, |stage| {
        stage.daemon.wait("RUNNING", &["cat", "long"]);
        for (name, text) in [("cat", "line"), ("long", "2000")] {
            let log = between(
                &stage.daemon.call("supervisor.getProcessInfo", &[crate::rig::http::Arg::Text(name)]),
                "<name>stdout_logfile</name>\n<value><string>",
                "<",
            )
            .to_owned();
            let log = log.rsplit('/').next().expect("a name").to_owned();
            stage.daemon.wait_file(&log, text);
        }
        let queries = [
            "",
            "?processname=",
            "?processname=cat",
            "?processname=cat:cat&limit=7",
            "?processname=long",
            "?processname=long&limit=3000",
            "?processname=long&limit=x",
            "?processname=nobody&limit=3000",
            "?processname=g:*",
            "?processname=plain:a%3Cb%3E%26c",
            "?processname=%3Cb%3E",
        ];
        for query in queries {
            note_tail(stage, query);
        }
    });
}

/// Other pages, files, methods and paths.
#[test]
fn files_rpc_216_rpc_217_rpc_218_rpc_219() {
    compare("", |stage| {
        let lines = [
            "GET /ok.html",
            "HEAD /ok.html",
            "HEAD /",
            "HEAD /index.html",
            "PUT /",
            "PUT /index.html",
            "DELETE /stylesheets/supervisor.css",
            "POST /stylesheets/supervisor.css",
            "GET /stylesheets/",
            "GET /images/",
            "GET /images/nothing.png",
            "GET /../web.py",
            "GET /%2e%2e/web.py",
            "GET /images/../../web.py",
            "GET /images/%2e%2e/%2e%2e/web.py",
            "GET /index.html/",
            "GET /favicon.ico",
        ];
        for line in lines {
            let answer = ask(&stage.daemon, &bare(line));
            let text = head(&answer, &["content-type", "content-length"]) + &answer.body;
            stage.note(line, &text);
        }
        let ok = ask(&stage.daemon, &post("/ok.html", "x"));
        stage.note("POST /ok.html", &(head(&ok, &["content-type", "content-length"]) + &ok.body));
        for method in ["GET", "HEAD"] {
            for path in ["/stylesheets/supervisor.css", "/images/icon.png", "//stylesheets/supervisor.css"] {
                note_file(stage, method, path);
            }
        }
        for path in ["/stylesheets", "/images"] {
            let answer = get(&stage.daemon, path);
            let leads = header(&answer.head, "location").is_some_and(|to| to.ends_with(&format!("{path}/")));
            stage.note(path, &format!("{}{leads}", head(&answer, &["content-type"])));
        }
    });
}

/// The files are others, but they are there, and told the same way.
fn note_file(stage: &mut Stage, method: &str, path: &str) {
    let answer = ask(&stage.daemon, &bare(&format!("{method} {path}")));
    let length = header(&answer.head, "content-length").and_then(|length| length.parse::<usize>().ok());
    let has_length = length.is_some_and(|length| length > 0);
    let modified = header(&answer.head, "last-modified").expect("a time");
    let mut text = format!("{}length {has_length}\n", head(&answer, &["content-type"]));
    for since in [modified.as_str(), "Thu, 01 Jan 2037 00:00:00 GMT", "Thu, 01 Jan 1998 00:00:00 GMT"] {
        let conditional = format!("If-Modified-Since: {since}\r\n\r\n");
        let request = bare(&format!("{method} {path}")).replace("\r\n\r\n", &format!("\r\n{conditional}"));
        text += &format!("{}\n", ask(&stage.daemon, &request).status);
    }
    stage.note(&format!("{method} {path}"), &text);
}

fn location(answer: &Answer) -> String {
    header(&answer.head, "location").unwrap_or_default()
}

/// Where we differ on purpose, D-17: pages from elsewhere change nothing, and only what was restarted is called so. An
/// empty form is a form, RPC-006.
#[test]
fn other_sites_and_failed_restarts_rpc_206_rpc_210() {
    let daemon = Daemon::start(Maker::Upkeep, CONFIG);
    daemon.wait("RUNNING", &["cat", "g:one"]);
    let pid = daemon.pid_of("cat");
    let stop = "/index.html?action=stop&processname=cat";
    let with = |line: &str, headers: &str| {
        ask(&daemon, &format!("{line} HTTP/1.1\r\nHost: h:9001\r\nContent-Length: 0\r\n{headers}\r\n\r\n"))
    };
    let foreign = [
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "Origin: http://evil",
        "Origin: null",
        "Origin: http://h:9002",
        "Referer: http://evil/http://h:9001/",
    ];
    for headers in foreign {
        for method in ["GET", "POST"] {
            let answer = with(&format!("{method} {stop}"), headers);
            assert_eq!(answer.status, 403, "{method} {headers}");
            assert!(answer.body.contains("page of another site"), "{}", answer.body);
        }
        assert_eq!(with("GET /?action=refresh", headers).status, 301, "{headers}");
    }
    assert_eq!(daemon.pid_of("cat"), pid, "a page from elsewhere stopped it");
    let ours = [
        ("", "http://h:9001/?message="),
        ("Sec-Fetch-Site: none\r\n", "http://h:9001/?message="),
        ("Sec-Fetch-Site: same-origin\r\nOrigin: https://proxy\r\n", "./?message="),
        ("Origin: http://h:9001\r\n", "./?message="),
        ("Referer: http://h:9001/index.html\r\n", "./?message="),
        ("X-Forwarded-Host: proxy\r\nOrigin: https://proxy\r\n", "./?message="),
    ];
    for (headers, server) in ours {
        let answer = with("POST /index.html?action=restart&processname=cat", &format!("{headers}X: y"));
        assert_eq!(location(&answer), format!("{server}Process%20cat%20restarted"), "{headers}");
    }
    assert_ne!(daemon.pid_of("cat"), pid);
    failed_restarts(&daemon);
}

fn failed_restarts(daemon: &Daemon) {
    let answer = get(daemon, "/?action=restart&processname=bad");
    assert_eq!(location(&answer), "http://h:9001/?message=ERROR%3A%20Process%20bad%3A%20no%20such%20file");
    let answer = get(daemon, "/?action=restartall");
    let message = location(&answer);
    assert!(message.starts_with("http://h:9001/?message=ERROR%3A%20not%20restarted%3A%20"), "{message}");
    assert!(message.contains("bad%20%28no%20such%20file%29"), "{message}");
    assert!(message.contains("quick%20%28spawn%20error%29"), "{message}");
    assert!(!message.contains("cat"), "{message}");
    daemon.wait("RUNNING", &["cat", "g:one"]);
}

/// RPC-219: of the pages that can only be asked for whole, the original has a file by the name of one, which is no page.
/// RPC-200, RPC-031: a page keeps scripts, styles and forms of others out, and a password keeps everybody out.
#[test]
fn pages_are_guarded_rpc_200_rpc_219_rpc_031() {
    let daemon = Daemon::start(Maker::Upkeep, "");
    for path in ["/", "/tail.html"] {
        let answer = get(&daemon, path);
        let policy = header(&answer.head, "content-security-policy").expect("a policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&answer.head, "x-content-type-options").as_deref(), Some("nosniff"));
        assert_eq!(header(&answer.head, "referrer-policy").as_deref(), Some("same-origin"));
        assert_eq!(ask(&daemon, &bare(&format!("HEAD {path}"))).status, 404, "{path}");
    }
    drop(daemon);
    let daemon = Daemon::start(Maker::Upkeep, "[unix_http_server]\nusername=user\npassword=pass\n");
    let paths = ["/", "/?action=stopall", "/tail.html", "/ok.html", "/status.json", "/scripts/status.js"];
    for path in paths {
        assert_eq!(get(&daemon, path).status, 401, "{path}");
    }
}
