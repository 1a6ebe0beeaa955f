//! `check`: everything at once.

use std::path::Path;

use upkeep_config::{Environment, Host, Severity, check};

fn report(text: &str) -> (upkeep_config::Report, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    std::fs::write(&path, text).expect("written");
    let name = path.to_string_lossy().into_owned();
    let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
    (check(Some(&name), "supervisord", env, &Host), name)
}

const MANY: &str = "\
[supervisord]
minfds=x
loglevel=warning
[program:web]
command=web 'open
stopsignal=TREM
numprocs=3
autostrat=false
[program:none]
[inet_http_server]
port=*:9001
[supervisorctl]
strict_names=perhaps
";

#[test]
fn all_problems_come_at_once() {
    let (report, name) = report(MANY);
    let expected = format!(
        "\
error: invalid literal for int() with base 10: 'x'
  --> {name}:2

error: bad logging level name 'warning'
  --> {name}:3
hint: did you mean \"warn\"?

error: value 'TREM' is not a valid signal name in section 'program:web' (file: '{name}')
  --> {name}:6
hint: did you mean \"TERM\"?

error: %(process_num) must be present within process_name when numprocs > 1 in section 'program:web' (file: '{name}')
  --> {name}:4
hint: write process_name=%(program_name)s_%(process_num)02d

error: program section program:none does not specify a command in section 'program:none' (file: '{name}')
  --> {name}:9
hint: add command=PROGRAM ARGUMENTS

error: [program:web] autostrat is not a known option and ignored
  --> {name}:8
hint: did you mean \"autostart\"?

error: [program:web] command cannot be split: No closing quotation
  --> {name}:5
hint: close every quote; \" ;\" and \" #\" begin a comment even inside quotes

warning: [inet_http_server] lets everybody in who can reach it: there is no password
  --> {name}:10
hint: set username and password, or bind 127.0.0.1:9001, or say allow_unauthenticated=true

error: not a valid boolean value: 'perhaps'
  --> {name}:13
hint: write true or false

8 errors, 1 warning
"
    );
    assert_eq!(report.render(), expected);
    assert!(report.has_errors());
}

#[test]
fn json_tells_the_same() {
    let (report, name) = report(MANY);
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    assert_eq!((&json["errors"], &json["warnings"]), (&8.into(), &1.into()));
    let signal = &json["problems"][2];
    assert_eq!(signal["section"], "program:web");
    assert_eq!(signal["key"], "stopsignal");
    assert_eq!(signal["line"], 6);
    assert_eq!(signal["file"], name.as_str());
    assert_eq!(signal["hint"], "did you mean \"TERM\"?");
}

#[test]
fn a_broken_line_does_not_hide_the_rest() {
    let (report, _) = report("[supervisord]\nnonsense\n[program:x]\ncommand=x\npriority=y\n");
    let messages: Vec<&str> = report.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages.len(), 2);
    assert!(messages[0].starts_with("Source contains parsing errors"));
    assert!(messages[1].starts_with("invalid literal for int()"));
    assert!(report.problems.iter().all(|problem| problem.severity == Severity::Error));
}

#[test]
fn limits_of_servers_are_at_least_one() {
    for line in ["max_connections=0", "request_maxbytes=8TB", "request_maxbytes=-1", "idle_timeout=soon"] {
        let (report, _) = report(&format!("[supervisord]\n[unix_http_server]\nfile=/tmp/x.sock\n{line}\n"));
        let problem = &report.problems[0];
        let (key, _) = line.split_once('=').expect("a key");
        assert_eq!((problem.severity, problem.line), (Severity::Error, Some(4)), "{line}: {problem:?}");
        assert_eq!(problem.key.as_deref(), Some(key));
    }
    let (report, _) = report(
        "[supervisord]\n[inet_http_server]\nport=127.0.0.1:9001\nmax_connections=1\nrequest_maxbytes=1KB\nidle_timeout=1\n",
    );
    assert!(report.problems.is_empty(), "{:?}", report.problems);
}

#[test]
fn without_a_file_it_says_where_it_looked() {
    let folder = tempfile::tempdir().expect("a folder");
    let env = Environment { cwd: folder.path().to_owned(), ..Environment::default() };
    if Path::new("/etc/supervisord.conf").exists() || Path::new("/etc/supervisor/supervisord.conf").exists() {
        return;
    }
    let report = check(None, "/nowhere/bin/supervisord", env, &Host);
    let hint = report.problems[0].hint.as_deref().unwrap_or_default();
    assert!(hint.contains("/nowhere/etc/supervisord.conf"), "{hint}");
}

/// What a wrong value of the restart policy or of a stop sequence says, and what merely makes no sense.
#[test]
fn restarts_and_stops_are_looked_at_closely() {
    let rows: &[(&str, Severity, &str, &str)] = &[
        (
            "restart_delay=soon",
            Severity::Error,
            "not a valid time for restart_delay: 'soon'",
            "write seconds, or a number with ms, s, m, h or d",
        ),
        (
            "restart_delay=5\nrestart_delay_max=1",
            Severity::Error,
            "restart_delay_max (1 s) is less than restart_delay (5 s)",
            "write a longer one, or none if the wait is not to grow",
        ),
        (
            "restart_delay=5\nrestart_delay_max=9\nrestart_backoff=0.5",
            Severity::Error,
            "not a valid value for restart_backoff: '0.5'",
            "write a number from 1 to 100, such as 2 or 1.5",
        ),
        (
            "restart_delay=5\nrestart_jitter=200%%",
            Severity::Error,
            "not a valid value for restart_jitter: '200%'",
            "write a percentage from 0 to 100, such as 20",
        ),
        (
            "restart_limit=0",
            Severity::Error,
            "not a valid value for restart_limit: '0'",
            "write none for no limit; autorestart=false restarts nothing",
        ),
        (
            "restart_limit=3\nrestart_window=0",
            Severity::Error,
            "restart_window is 0",
            "write the time in which restart_limit counts, such as 60",
        ),
        (
            "on_giveup=retry_evry 5m",
            Severity::Error,
            "not a valid value for on_giveup: 'retry_evry 5m'",
            "did you mean \"retry_every\"?",
        ),
        (
            "on_giveup=retry_every",
            Severity::Error,
            "not a valid value for on_giveup: 'retry_every'",
            "say how often, such as retry_every 5m",
        ),
        ("restart_jitter=20", Severity::Warning, "restart_jitter has no effect without restart_delay", ""),
        (
            "restart_delay=5\nrestart_backoff=3",
            Severity::Warning,
            "restart_backoff has no effect without restart_delay_max",
            "",
        ),
        ("restart_window=20", Severity::Warning, "restart_window has no effect without restart_limit", ""),
        (
            "restart_limit=5\nstartretries=9",
            Severity::Warning,
            "startretries has no effect beside restart_limit, which counts failed starts, too",
            "",
        ),
        (
            "restart_limit=5\nrestart_delay=10\nrestart_delay_max=60",
            Severity::Warning,
            "restart_limit is never reached: 5 restarts take 3 min 10 s at least, and restart_window is 60 s",
            "write a longer restart_window",
        ),
        (
            "health_check=https://x/",
            Severity::Error,
            "not a valid health_check: 'https://x/'",
            "TLS is not spoken: write an http:// address",
        ),
        (
            "health_check=127.0.0.1:80",
            Severity::Error,
            "not a valid health_check: '127.0.0.1:80'",
            "write http://HOST:PORT/PATH, tcp://HOST:PORT or exec:COMMAND",
        ),
        ("health_check=exec:", Severity::Error, "the command of health_check is empty", "write exec:COMMAND"),
        (
            "health_check=exec:sh 'a",
            Severity::Error,
            "not a valid command for health_check: \"sh 'a\" (No closing quotation)",
            "close the quotation marks",
        ),
        (
            "health_check=exec://bin/true",
            Severity::Error,
            "not a valid health_check: 'exec://bin/true'",
            "write the command right behind the colon: exec:/usr/bin/true",
        ),
        (
            "health_check=tcp://127.0.0.1",
            Severity::Error,
            "not a valid health_check: 'tcp://127.0.0.1'",
            "write a port from 1 to 65535 after the host",
        ),
        (
            "health_check=tcp://h:1\nhealth_interval=0",
            Severity::Error,
            "not a valid time for health_interval: '0'",
            "write 100ms at least",
        ),
        (
            "health_check=tcp://h:1\nhealth_timeout=2h",
            Severity::Error,
            "not a valid time for health_timeout: '2h'",
            "write 1h at most",
        ),
        (
            "health_check=tcp://h:1\nhealth_start_period=soon",
            Severity::Error,
            "not a valid time for health_start_period: 'soon'",
            "write seconds, or a number with ms, s, m, h or d",
        ),
        (
            "health_check=tcp://h:1\nhealth_failures=0",
            Severity::Error,
            "not a valid value for health_failures: '0'",
            "write a whole number from 1 to 1000",
        ),
        (
            "health_check=tcp://h:1\nhealth_successes=many",
            Severity::Error,
            "not a valid value for health_successes: 'many'",
            "write a whole number from 1 to 1000",
        ),
        (
            "health_check=tcp://h:1\nhealth_action=restrat",
            Severity::Error,
            "not a valid value for health_action: 'restrat'",
            "did you mean \"restart\"?",
        ),
        (
            "health_watchdog=1ms",
            Severity::Error,
            "not a valid time for health_watchdog: '1ms'",
            "write 100ms at least",
        ),
        ("ready=notfy", Severity::Error, "not a valid value for ready: 'notfy'", "did you mean \"notify\"?"),
        (
            "ready=fd:2",
            Severity::Error,
            "not a valid value for ready: 'fd:2'",
            "write a descriptor from 3 to 255, such as fd:3",
        ),
        (
            "ready=check",
            Severity::Error,
            "ready is check, and there is no health_check",
            "add health_check=http://127.0.0.1:PORT/PATH, or write ready=notify",
        ),
        (
            "ready=notify\nready_timeout=0",
            Severity::Error,
            "not a valid time for ready_timeout: '0'",
            "write 100ms at least",
        ),
        (
            "ready=notify\nnotify_user=nobdy",
            Severity::Error,
            "not a user for notify_user: 'nobdy'",
            "write the name or the number of a user of this machine",
        ),
        (
            "ready=fd:3\nnotify_user=nobody",
            Severity::Warning,
            "notify_user has no effect without ready=notify or health_watchdog",
            "",
        ),
        (
            "ready=fd:3\nhealth_interval=5",
            Severity::Warning,
            "health_interval has no effect without health_check",
            "",
        ),
        (
            "health_action=stop",
            Severity::Warning,
            "health_action has no effect without health_check, ready or health_watchdog",
            "",
        ),
        (
            "health_check=tcp://h:1\nready=check\nready_timeout=9",
            Severity::Warning,
            "ready_timeout has no effect beside ready=check: write health_start_period",
            "",
        ),
        (
            "stop_sequence=TERM 10, INTT 5",
            Severity::Error,
            "value 'INTT' is not a valid signal name",
            "did you mean \"INT\"?",
        ),
        (
            "stop_sequence=KILL, TERM",
            Severity::Error,
            "stop_sequence goes on after KILL",
            "make KILL the last step: nothing survives it",
        ),
        (
            "stop_sequence=TERM after 5",
            Severity::Error,
            "not a valid step of stop_sequence: 'TERM after 5'",
            "write signals with times between, such as TERM 10, INT 5, KILL",
        ),
        (
            "stop_sequence=TERM 5\nstopsignal=QUIT",
            Severity::Warning,
            "stopsignal has no effect beside stop_sequence",
            "",
        ),
        (
            "pre_start=/bin/sh -c 'exit 1",
            Severity::Error,
            "not a valid command for pre_start: \"/bin/sh -c 'exit 1\" (No closing quotation)",
            "close the quotation marks",
        ),
        (
            "post_stop=",
            Severity::Error,
            "post_stop is empty",
            "write a program and its arguments, or remove the key",
        ),
        (
            "hook_timeout=0",
            Severity::Error,
            "not a valid time for hook_timeout: '0'",
            "write more than 0, and 24h at most",
        ),
        (
            "hook_timeout=2d",
            Severity::Error,
            "not a valid time for hook_timeout: '2d'",
            "write more than 0, and 24h at most",
        ),
        (
            "reload_signal=HUPP",
            Severity::Error,
            "value 'HUPP' is not a valid signal name",
            "did you mean \"HUP\"?",
        ),
        (
            "reload_signal=KILL",
            Severity::Error,
            "reload_signal 'KILL' reloads nothing",
            "write a signal that the program reads its configuration at, such as HUP",
        ),
        (
            "reload_command=/bin/true\nreload_signal=HUP",
            Severity::Warning,
            "reload_signal has no effect beside reload_command",
            "",
        ),
        (
            "restart_dealy=5",
            Severity::Error,
            "restart_dealy is not a known",
            "did you mean \"restart_delay\"?",
        ),
    ];
    for (lines, severity, message, hint) in rows {
        let (report, _) = report(&format!(
            "[supervisord]\n[program:x]\ncommand=x\nnumprocs=2\nprocess_name=x%(process_num)d\n{lines}\n"
        ));
        let problems = &report.problems;
        assert_eq!(problems.len(), 1, "{lines}: {problems:?}");
        assert!(problems[0].severity == *severity && problems[0].message.contains(message), "{problems:?}");
        assert!(problems[0].line > Some(5), "{lines}: {problems:?}");
        assert_eq!(problems[0].hint.as_deref().unwrap_or_default(), *hint, "{lines}");
    }
    let fine = "[supervisord]\n[program:x]\ncommand=x\nrestart_delay=500ms\nrestart_delay_max=1m\nrestart_jitter=20\nrestart_limit=5\n\
                restart_window=10m\nrestart_reset_after=2m\non_giveup=retry_every 5m\n";
    assert_eq!(report(fine).0.problems, []);
}

/// What a wrong value of our log options says, and what merely makes no sense.
#[test]
fn log_options_are_looked_at_closely() {
    let rows: &[(&str, Severity, &str, &str)] = &[
        (
            "stdout_logfile_rotate=dayly",
            Severity::Error,
            "not a valid value for stdout_logfile_rotate: 'dayly'",
            "did you mean \"daily\"?",
        ),
        (
            "stderr_logfile_compress=lzma",
            Severity::Error,
            "not a valid value for stderr_logfile_compress: 'lzma'",
            "write one of none, gzip",
        ),
        (
            "stdout_logfile_maxage=long",
            Severity::Error,
            "not a valid time for stdout_logfile_maxage: 'long'",
            "write seconds, or a number with ms, s, m, h or d",
        ),
        (
            "stdout_logfile_maxtotal=-5",
            Severity::Error,
            "not a valid value for stdout_logfile_maxtotal: '-5'",
            "write bytes, or a number with KB, MB or GB; 0 is no limit",
        ),
        (
            "stdout_logfile_names=date",
            Severity::Error,
            "not a valid value for stdout_logfile_names: 'date'",
            "did you mean \"dates\"?",
        ),
        (
            "stderr_logfile_format=jason",
            Severity::Error,
            "not a valid value for stderr_logfile_format: 'jason'",
            "did you mean \"json\"?",
        ),
        (
            "stdout_rate_limit=100",
            Severity::Error,
            "not a valid value for stdout_rate_limit: '100'",
            "write lines or bytes a second, such as 1000/s, or 1MB/s burst 5MB, or none",
        ),
        (
            "stdout_forward=udp://logs.example, ssl://logs.example",
            Severity::Error,
            "not a valid destination for stdout_forward: 'ssl://logs.example'",
            "write udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT or journald, with commas between",
        ),
        (
            "stdout_forward=tls://logs.example\nforward_tls_ca=ca.pem",
            Severity::Error,
            "not a valid value for forward_tls_ca: 'ca.pem'",
            "write the absolute path of a file in PEM format",
        ),
        (
            "stderr_forward=tls://logs.example\nforward_tls_name=not a name",
            Severity::Error,
            "not a valid value for forward_tls_name: 'not a name'",
            "write the host name or the address that the server's certificate is for",
        ),
        (
            "stdout_forward=tls://logs.example\nforward_tls_cert=/etc/own.pem",
            Severity::Error,
            "forward_tls_cert needs forward_tls_key",
            "write the files of the certificate and of its private key, in PEM format",
        ),
        (
            "stdout_forward=tls://logs.example\nforward_tls_key=/etc/own.key",
            Severity::Error,
            "forward_tls_key needs forward_tls_cert",
            "write the files of the certificate and of its private key, in PEM format",
        ),
        (
            "stdout_forward=tcp://logs.example\nforward_tls_ca=/etc/ca.pem",
            Severity::Warning,
            "forward_tls_ca has no effect without a tls:// destination in stdout_forward or stderr_forward",
            "",
        ),
        (
            "stdout_logfile_backups=0\nstdout_logfile_compress=gzip",
            Severity::Warning,
            "stdout_logfile_compress has no effect with stdout_logfile_backups=0: there are no old files",
            "",
        ),
    ];
    for (lines, severity, message, hint) in rows {
        let (report, _) = report(&format!(
            "[supervisord]\n[program:x]\ncommand=x\nnumprocs=2\nprocess_name=x%(process_num)d\n{lines}\n"
        ));
        let problems = &report.problems;
        assert_eq!(problems.len(), 1, "{lines}: {problems:?}");
        assert!(problems[0].severity == *severity && problems[0].message.contains(message), "{problems:?}");
        assert!(problems[0].line > Some(5), "{lines}: {problems:?}");
        assert_eq!(problems[0].hint.as_deref().unwrap_or_default(), *hint, "{lines}");
    }
}

/// What a wrong value of a bound or of what isolates a program says, and what merely makes no sense.
#[test]
fn limits_are_looked_at_closely() {
    let error = Severity::Error;
    let rows: &[(&str, Severity, &str, &str)] = &[
        (
            "rlimit_nofile=many",
            error,
            "not a valid value for rlimit_nofile: 'many'",
            "write a number, unlimited, or soft:hard, such as 1024:65536",
        ),
        (
            "rlimit_core=4MB:1MB",
            error,
            "the soft limit of rlimit_core is above the hard one: '4MB:1MB'",
            "write soft:hard, the smaller one first",
        ),
        (
            "rlimit_as=2 TB",
            error,
            "not a valid value for rlimit_as: '2 TB'",
            "write bytes, a number with KB, MB or GB, unlimited, or soft:hard",
        ),
        (
            "rlimit_cpu=soon",
            error,
            "not a valid value for rlimit_cpu: 'soon'",
            "write seconds, a number with s, m, h or d, unlimited, or soft:hard",
        ),
        ("nice=20", error, "not a valid value for nice: '20'", "write -20 to 19"),
        ("oom_score_adj=never", error, "not a valid value for oom_score_adj: 'never'", "write -1000 to 1000"),
        ("ionice=idel", error, "not a valid value for ionice: 'idel'", "did you mean \"idle\"?"),
        ("ionice=realtime:9", error, "not a valid value for ionice: '9'", "write 0 to 7"),
        ("no_new_privileges=maybe", error, "not a valid boolean value: 'maybe'", "write true or false"),
        ("private_tmp=2", error, "not a valid boolean value: '2'", "write true or false"),
        (
            "capability_bounding_set=CHWON",
            error,
            "not a capability in capability_bounding_set: 'CHWON'",
            "did you mean \"CHOWN\"?",
        ),
        (
            "ambient_capabilities=,",
            error,
            "not a capability in ambient_capabilities: ''",
            "write names with commas between, such as NET_BIND_SERVICE, or none",
        ),
        (
            "capability_bounding_set=CHOWN\nambient_capabilities=KILL",
            error,
            "ambient_capabilities has more than capability_bounding_set",
            "write them into capability_bounding_set, too",
        ),
        (
            "writable_paths=/tmp, var",
            error,
            "not a valid path in writable_paths: 'var'",
            "write absolute paths with commas between",
        ),
        (
            "max_runtime=long",
            error,
            "not a valid time for max_runtime: 'long'",
            "write seconds, or a number with ms, s, m, h or d",
        ),
        (
            "max_runtime=900ms",
            error,
            "max_runtime is less than a second",
            "write how long it may run, such as 1h",
        ),
        (
            "cpu_limit=50",
            error,
            "cpu_limit needs cgroup",
            "write cgroup=/sys/fs/cgroup/…, the folder of a control group that the daemon may write to",
        ),
        (
            "cgroup=/c\ncpu_limit=0",
            error,
            "not a valid value for cpu_limit: '0'",
            "write percent of one processor, such as 50 or 150",
        ),
        ("cgroup=/c\npids_limit=all", error, "not a valid value for pids_limit: 'all'", "write 1 to 4194304"),
        ("cgroup=web", error, "not a valid path for cgroup: 'web'", "write an absolute path"),
        (
            "max_restarts_per_day=2000",
            error,
            "not a valid value for max_restarts_per_day: '2000'",
            "write 1 to 1000, or none",
        ),
        (
            "memory_limit=0",
            error,
            "not a valid value for memory_limit: '0'",
            "write bytes, or a whole number with KB, MB or GB",
        ),
        (
            "memory_limit=1GB\nmemory_limit_action=kil",
            error,
            "not a valid value for memory_limit_action: 'kil'",
            "did you mean \"kill\"?",
        ),
        (
            "memory_limit=1GB\nmemory_limit_interval=500ms",
            error,
            "memory_limit_interval is less than a second",
            "write 1 or more",
        ),
        (
            "memory_limit_action=kill",
            Severity::Warning,
            "memory_limit_action has no effect without memory_limit",
            "",
        ),
    ];
    for (lines, severity, message, hint) in rows {
        let (report, _) = report(&format!("[supervisord]\n[program:x]\ncommand=x\n{lines}\n"));
        let problems = &report.problems;
        assert_eq!(problems.len(), 1, "{lines}: {problems:?}");
        assert!(problems[0].severity == *severity && problems[0].message.contains(message), "{problems:?}");
        assert!(problems[0].line > Some(3), "{lines}: {problems:?}");
        assert_eq!(problems[0].hint.as_deref().unwrap_or_default(), *hint, "{lines}");
    }
}
