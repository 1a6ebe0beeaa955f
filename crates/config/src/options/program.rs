//! `[program:x]`; event listeners and FastCGI programs have these too.

use super::{Effect, Kind, OptionRow};

/// Options that make a program what it is: `[defaults]` cannot have them.
pub(super) const OF_ONE: [&str; 6] =
    ["command", "process_name", "numprocs", "numprocs_start", "depends_on", "extends"];

pub(super) const PROGRAM: &[OptionRow] = &[
    OptionRow::without_default("extends", Kind::Text, "worker", "the template whose options it has, too")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("command", Kind::Command, "/bin/cat", "the program and its arguments")
        .effect(Effect::Restart),
    OptionRow::new("process_name", Kind::Text, "%(program_name)s", "name of each process; see numprocs")
        .effect(Effect::Restart),
    OptionRow::new("numprocs", Kind::Integer, "1", "copies; above 1, process_name must hold %(process_num)s")
        .effect(Effect::Live),
    OptionRow::new("numprocs_start", Kind::Integer, "0", "process_num of the first copy")
        .effect(Effect::Live),
    OptionRow::new("priority", Kind::Integer, "999", "lower starts first and stops last")
        .effect(Effect::Live),
    OptionRow::new("autostart", Kind::Boolean, "true", "start together with the daemon").effect(Effect::Live),
    OptionRow::new(
        "autorestart",
        Kind::Autorestart,
        "unexpected",
        "start again after an exit: true, false, unexpected",
    )
    .effect(Effect::Live),
    OptionRow::new("startsecs", Kind::Seconds, "1", "seconds it must stay up to count as started")
        .effect(Effect::NextStart),
    OptionRow::new("startretries", Kind::Integer, "3", "failed starts in a row before it is given up")
        .effect(Effect::Live),
    OptionRow::new("restart_delay", Kind::Time, "0", "wait before it is started again: 0.5, 5, 2m")
        .effect(Effect::Live)
        .ours(),
    OptionRow::without_default(
        "restart_delay_max",
        Kind::Time,
        "60",
        "what the wait grows to; it does not grow if not set",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new("restart_backoff", Kind::Factor, "2", "each wait is so many times the last one")
        .effect(Effect::Live)
        .ours(),
    OptionRow::new(
        "restart_jitter",
        Kind::Percent,
        "0",
        "percent by which chance shortens each wait at most",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new("restart_limit", Kind::Limit, "none", "restarts in restart_window before it is given up")
        .effect(Effect::Live)
        .ours(),
    OptionRow::new("max_restarts_per_day", Kind::Limit, "none", "restarts in 24 hours before it is given up")
        .effect(Effect::Live)
        .ours(),
    OptionRow::new("restart_window", Kind::Time, "60", "the time in which restart_limit counts")
        .effect(Effect::Live)
        .ours(),
    OptionRow::new(
        "restart_reset_after",
        Kind::Time,
        "60",
        "who ran so long begins again with the first wait",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "on_giveup",
        Kind::Giveup,
        "fatal",
        "what follows when it is given up: fatal, retry_every TIME, shutdown",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "schedule",
        Kind::Schedule,
        "*/5 * * * *",
        "when it runs: minute, hour, day of month, month, day of week; or @daily and the like; several lines",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new("schedule_timezone", Kind::Text, "local", "time zone of schedule: UTC, Asia/Shanghai")
        .effect(Effect::Live)
        .ours(),
    OptionRow::new(
        "schedule_overlap",
        Kind::Choice(&["skip", "queue", "kill"]),
        "skip",
        "when it is due and still runs: leave that run out, let it follow, or end the one that runs",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "schedule_missed",
        Kind::Choice(&["skip", "run_once"]),
        "skip",
        "when it could not be started in time: leave that out, or run once for all of them",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "schedule_jitter",
        Kind::Time,
        "0",
        "each run comes by chance up to so much later: 30, 5m",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "max_runtime",
        Kind::Time,
        "1h",
        "it is stopped after so long, and starts again as its policy says",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "memory_limit",
        Kind::Bytes,
        "500MB",
        "memory that it and all that it starts may use",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "memory_limit_action",
        Kind::Choice(&["restart", "kill"]),
        "restart",
        "beyond memory_limit: stop it as by hand and start it again, or SIGKILL",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new("memory_limit_interval", Kind::Time, "10", "how often its memory is measured")
        .effect(Effect::Live)
        .ours(),
    OptionRow::without_default(
        "rlimit_nofile",
        Kind::Rlimit,
        "1024:65536",
        "open files: soft:hard, or one number for both",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default("rlimit_nproc", Kind::Rlimit, "200", "processes and threads of its user")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("rlimit_core", Kind::Rlimit, "unlimited", "size of core files")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("rlimit_fsize", Kind::Rlimit, "1GB", "size of each file that it writes")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("rlimit_stack", Kind::Rlimit, "8MB", "size of the stack")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("rlimit_memlock", Kind::Rlimit, "64MB", "memory that it may lock")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("rlimit_as", Kind::Rlimit, "2GB", "address space of each of its processes")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("rlimit_cpu", Kind::Rlimit, "10m", "processor time of each of its processes")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default("nice", Kind::Integer, "10", "-20 first, 19 last")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default(
        "ionice",
        Kind::Text,
        "idle",
        "the disk: idle, best-effort[:0-7], realtime[:0-7]",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "oom_score_adj",
        Kind::Integer,
        "500",
        "when memory runs out: -1000 is never killed, 1000 first",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::new(
        "no_new_privileges",
        Kind::Boolean,
        "false",
        "nothing that it executes has more privileges",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "capability_bounding_set",
        Kind::List,
        "CHOWN,NET_BIND_SERVICE",
        "capabilities that it may have at most; none for none",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "ambient_capabilities",
        Kind::List,
        "NET_BIND_SERVICE",
        "capabilities that it has although its user has not",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "cgroup",
        Kind::Text,
        "/sys/fs/cgroup/upkeep/app",
        "folder of the control group (cgroup v2) that all its processes join",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "cpu_limit",
        Kind::Percent,
        "150",
        "percent of one processor that its control group may use",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "pids_limit",
        Kind::Integer,
        "100",
        "processes and threads that its control group may have",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::new("private_tmp", Kind::Boolean, "false", "/tmp and /var/tmp of its own, in memory")
        .effect(Effect::Restart)
        .ours(),
    OptionRow::without_default(
        "writable_paths",
        Kind::List,
        "/srv/app/storage,/tmp",
        "it may write beneath these alone",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::new("exitcodes", Kind::ExitCodes, "0", "exit codes that are expected").effect(Effect::Live),
    OptionRow::new("stopsignal", Kind::Signal, "TERM", "the signal that asks it to stop")
        .effect(Effect::Live),
    OptionRow::new("stopwaitsecs", Kind::Seconds, "10", "seconds between the stop signal and SIGKILL")
        .effect(Effect::Live),
    OptionRow::without_default(
        "stop_sequence",
        Kind::List,
        "TERM 10, INT 5, KILL",
        "signals, each with the time until the next; instead of stopsignal and stopwaitsecs",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "pre_start",
        Kind::Command,
        "/bin/true",
        "a command before each start, which fails if it does",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default("post_start", Kind::Command, "/bin/true", "a command when it is RUNNING")
        .effect(Effect::Live)
        .ours(),
    OptionRow::without_default(
        "pre_stop",
        Kind::Command,
        "/bin/true",
        "a command before it is asked to stop",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "stop_command",
        Kind::Command,
        "/bin/true",
        "a command that asks it to stop, instead of the first signal",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default("post_stop", Kind::Command, "/bin/true", "a command when it has ended")
        .effect(Effect::Live)
        .ours(),
    OptionRow::new("hook_timeout", Kind::Time, "30", "how long each of these commands may take")
        .effect(Effect::Live)
        .ours(),
    OptionRow::without_default(
        "reload_command",
        Kind::Command,
        "/bin/true",
        "a command that lets it read its configuration again: upkeep reload NAME",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "reload_signal",
        Kind::Signal,
        "HUP",
        "the signal for the same, if there is no command",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new("stopasgroup", Kind::Boolean, "false", "send the stop signal to its whole process group")
        .effect(Effect::Live),
    OptionRow::without_default(
        "killasgroup",
        Kind::Boolean,
        "false",
        "send SIGKILL to its whole process group",
    )
    .effect(Effect::Live),
    OptionRow::without_default("user", Kind::User, "nobody", "user to run it as").effect(Effect::Restart),
    OptionRow::new(
        "stdin",
        Kind::Choice(&["pipe", "null"]),
        "pipe",
        "where its standard input comes from: a pipe that fg and sendProcessStdin write to, or nowhere",
    )
    .ours()
    .effect(Effect::Restart),
    OptionRow::new("redirect_stderr", Kind::Boolean, "false", "send stderr where stdout goes")
        .effect(Effect::Restart),
    OptionRow::new("stdout_logfile", Kind::LogTarget, "AUTO", "file for stdout; NONE for no log")
        .sample("/tmp/app.log")
        .effect(Effect::Live),
    OptionRow::new("stdout_logfile_maxbytes", Kind::Bytes, "50MB", "rotate at this size; 0 never")
        .effect(Effect::Live),
    OptionRow::new("stdout_logfile_backups", Kind::Integer, "10", "rotated files that are kept")
        .effect(Effect::Live),
    OptionRow::new(
        "stdout_logfile_rotate",
        Kind::Choice(&["never", "hourly", "daily", "weekly", "monthly"]),
        "never",
        "rotate by time, too: never, hourly, daily, weekly, monthly",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stdout_logfile_compress",
        Kind::Choice(&["none", "gzip"]),
        "none",
        "what rotated files are compressed with: none, gzip",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stdout_logfile_maxage",
        Kind::Time,
        "0",
        "rotated files are removed after this time; 0 never",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stdout_logfile_maxtotal",
        Kind::Bytes,
        "0",
        "size of all rotated files together; 0 is no limit",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stdout_logfile_names",
        Kind::Choice(&["numbers", "dates"]),
        "numbers",
        "names of rotated files: numbers (.1 is the newest) or dates",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stdout_logfile_format",
        Kind::Choice(&["raw", "timestamps", "json"]),
        "raw",
        "what each line looks like in the file: raw, timestamps, json",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stdout_rate_limit",
        Kind::Text,
        "none",
        "lines or bytes a second, what is over it is dropped and counted: 1000/s, 1MB/s burst 5MB",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "stdout_forward",
        Kind::List,
        "udp://logs.example:514,journald",
        "also send every line there: udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT (RFC 5424), journald",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stdout_capture_maxbytes",
        Kind::Bytes,
        "0",
        "bytes kept between communication tags; 0 is off",
    )
    .effect(Effect::Live),
    OptionRow::new("stdout_events_enabled", Kind::Boolean, "false", "send an event for what is written")
        .effect(Effect::Live),
    OptionRow::new("stdout_syslog", Kind::Boolean, "false", "also send every line to the system's log")
        .effect(Effect::Live),
    OptionRow::new("stderr_logfile", Kind::LogTarget, "AUTO", "file for stderr; NONE for no log")
        .sample("/tmp/app.err")
        .effect(Effect::Live),
    OptionRow::new("stderr_logfile_maxbytes", Kind::Bytes, "50MB", "rotate at this size; 0 never")
        .effect(Effect::Live),
    OptionRow::new("stderr_logfile_backups", Kind::Integer, "10", "rotated files that are kept")
        .effect(Effect::Live),
    OptionRow::new(
        "stderr_logfile_rotate",
        Kind::Choice(&["never", "hourly", "daily", "weekly", "monthly"]),
        "never",
        "rotate by time, too: never, hourly, daily, weekly, monthly",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stderr_logfile_compress",
        Kind::Choice(&["none", "gzip"]),
        "none",
        "what rotated files are compressed with: none, gzip",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stderr_logfile_maxage",
        Kind::Time,
        "0",
        "rotated files are removed after this time; 0 never",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stderr_logfile_maxtotal",
        Kind::Bytes,
        "0",
        "size of all rotated files together; 0 is no limit",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stderr_logfile_names",
        Kind::Choice(&["numbers", "dates"]),
        "numbers",
        "names of rotated files: numbers (.1 is the newest) or dates",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stderr_logfile_format",
        Kind::Choice(&["raw", "timestamps", "json"]),
        "raw",
        "what each line looks like in the file: raw, timestamps, json",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stderr_rate_limit",
        Kind::Text,
        "none",
        "lines or bytes a second, what is over it is dropped and counted: 1000/s, 1MB/s burst 5MB",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "stderr_forward",
        Kind::List,
        "udp://logs.example:514,journald",
        "also send every line there: udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT (RFC 5424), journald",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "stderr_capture_maxbytes",
        Kind::Bytes,
        "0",
        "bytes kept between communication tags; 0 is off",
    )
    .effect(Effect::Live),
    OptionRow::new("stderr_events_enabled", Kind::Boolean, "false", "send an event for what is written")
        .effect(Effect::Live),
    OptionRow::new("stderr_syslog", Kind::Boolean, "false", "also send every line to the system's log")
        .effect(Effect::Live),
    OptionRow::without_default(
        "forward_tls_ca",
        Kind::Text,
        "/etc/ssl/logs-ca.pem",
        "authorities that tls:// destinations are checked with, in PEM; without it those of the machine",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "forward_tls_cert",
        Kind::Text,
        "/etc/ssl/app.pem",
        "certificate that tls:// destinations are shown, in PEM",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "forward_tls_key",
        Kind::Text,
        "/etc/ssl/private/app.key",
        "private key of forward_tls_cert, in PEM",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "forward_tls_name",
        Kind::Text,
        "logs.example",
        "name in the certificate of tls:// destinations, if it is not their host",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default("directory", Kind::Text, "/tmp", "working directory").effect(Effect::Restart),
    OptionRow::without_default("umask", Kind::Octal, "022", "file mode mask").effect(Effect::Restart),
    OptionRow::new("environment", Kind::Pairs, "", "variables, over those of [supervisord]")
        .sample("A=\"1\",B=\"2\"")
        .effect(Effect::Restart),
    OptionRow::without_default(
        "env_files",
        Kind::List,
        ".env, ?.env.local",
        "files of variables, under those of environment; one behind ? need not be there",
    )
    .effect(Effect::Restart)
    .ours(),
    OptionRow::without_default(
        "depends_on",
        Kind::List,
        "db:healthy,migrate:completed,cache",
        "programs or groups that must be there before it starts: NAME[:started|running|healthy|completed]",
    )
    .ours()
    .effect(Effect::NextStart),
    OptionRow::new(
        "on_dependency_stop",
        Kind::Choice(&["ignore", "restart", "stop"]),
        "ignore",
        "when something it depends on stops: run on, start again with it, or stop first",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::new(
        "update_strategy",
        Kind::Choice(&["restart", "rolling"]),
        "restart",
        "how an update restarts its processes: all at once, or bit by bit as `upkeep restart --rolling` does",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::new(
        "rolling_batch",
        Kind::Share,
        "1",
        "processes that a rolling restart takes at a time; or such as 25%, of all of the program",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::without_default(
        "rolling_wait",
        Kind::Time,
        "1m",
        "how long each may take to be RUNNING and healthy again before a rolling restart is given up",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::without_default(
        "watch",
        Kind::List,
        "src/**/*.py, .env",
        "files whose change starts it again: names, patterns, directories",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::without_default(
        "watch_ignore",
        Kind::List,
        "cache, src/gen",
        "files and directories that watch does not look at",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new(
        "watch_action",
        Kind::Choice(&["restart", "reload"]),
        "restart",
        "what follows a change: start again, or what upkeep reload NAME does",
    )
    .effect(Effect::Live)
    .ours(),
    OptionRow::new("watch_debounce", Kind::Time, "0.5", "how long all must have been quiet after a change")
        .effect(Effect::Live)
        .ours(),
    OptionRow::without_default(
        "health_check",
        Kind::Text,
        "http://127.0.0.1:9421/health",
        "what it is asked to see whether it is well: http://HOST:PORT/PATH, tcp://HOST:PORT or exec:COMMAND",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::new("health_interval", Kind::Time, "10", "time between two health checks")
        .ours()
        .effect(Effect::Live),
    OptionRow::new("health_timeout", Kind::Time, "5", "how long a health check may take")
        .ours()
        .effect(Effect::Live),
    OptionRow::new(
        "health_start_period",
        Kind::Time,
        "30",
        "failed checks do not count until then, or until the first one that succeeds",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::new("health_failures", Kind::Integer, "3", "failed checks in a row that make it unhealthy")
        .ours()
        .effect(Effect::Live),
    OptionRow::new("health_successes", Kind::Integer, "1", "good checks in a row that make it healthy")
        .ours()
        .effect(Effect::Live),
    OptionRow::new(
        "health_action",
        Kind::Choice(&["restart", "stop", "none"]),
        "restart",
        "what is done when it is unhealthy: start it again, stop it, or only show it",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::without_default(
        "health_watchdog",
        Kind::Time,
        "30",
        "it is unhealthy if it does not say WATCHDOG=1 (sd_notify) at least so often",
    )
    .ours()
    .effect(Effect::NextStart),
    OptionRow::without_default(
        "ready",
        Kind::Text,
        "notify",
        "how it says that it is ready: notify (sd_notify), fd:N (a newline on descriptor N), check (its health_check)",
    )
    .ours()
    .effect(Effect::NextStart),
    OptionRow::without_default(
        "ready_timeout",
        Kind::Time,
        "60",
        "it is unhealthy if it has not said so by then; without it, it may take for ever",
    )
    .ours()
    .effect(Effect::Live),
    OptionRow::without_default(
        "notify_user",
        Kind::User,
        "nobody",
        "user that it says things as (sd_notify), if it is not the one that it is started as",
    )
    .ours()
    .effect(Effect::NextStart),
    OptionRow::without_default("serverurl", Kind::Url, "AUTO", "SUPERVISOR_SERVER_URL of the process")
        .effect(Effect::Restart),
];
