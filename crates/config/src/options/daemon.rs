//! `[supervisord]`, `[include]` and `[rpcinterface:x]`.

use super::{Kind, OptionRow};

pub(super) const SUPERVISORD: &[OptionRow] = &[
    OptionRow::new(
        "logfile",
        Kind::Path,
        "supervisord.log",
        "the daemon's own log; \"syslog\" for the system's",
    )
    .sample("/tmp/supervisord.log")
    .flag('l', "logfile", "FILENAME"),
    OptionRow::new("logfile_maxbytes", Kind::Bytes, "50MB", "rotate the log at this size; 0 never").flag(
        'y',
        "logfile_maxbytes",
        "BYTES",
    ),
    OptionRow::new("logfile_backups", Kind::Integer, "10", "rotated logs that are kept").flag(
        'z',
        "logfile_backups",
        "NUM",
    ),
    OptionRow::new("loglevel", Kind::Level, "info", "critical, error, warn, info, debug, trace or blather")
        .flag('e', "loglevel", "LEVEL"),
    OptionRow::new("pidfile", Kind::Path, "supervisord.pid", "where the daemon's process id is written")
        .sample("/tmp/supervisord.pid")
        .flag('j', "pidfile", "FILENAME"),
    OptionRow::new("nodaemon", Kind::Boolean, "false", "stay in the foreground").switch('n', "nodaemon"),
    OptionRow::new("silent", Kind::Boolean, "false", "in the foreground: keep the log off stdout")
        .switch('s', "silent"),
    OptionRow::new("minfds", Kind::Integer, "1024", "file descriptors without which the start is refused")
        .flag('a', "minfds", "NUM"),
    OptionRow::new("minprocs", Kind::Integer, "200", "processes without which the start is refused")
        .long_flag("minprocs", "NUM"),
    OptionRow::new("umask", Kind::Octal, "022", "file mode mask of the daemon and its children")
        .flag('m', "umask", "UMASK"),
    OptionRow::without_default("user", Kind::User, "nobody", "user that the daemon becomes at start")
        .flag('u', "user", "USER"),
    OptionRow::new(
        "identifier",
        Kind::Text,
        "supervisor",
        "name of this daemon in events and automatic log names",
    )
    .flag('i', "identifier", "STR"),
    OptionRow::without_default(
        "directory",
        Kind::Directory,
        "/tmp",
        "working directory when in the background",
    )
    .flag('d', "directory", "DIRECTORY"),
    OptionRow::new("nocleanup", Kind::Boolean, "false", "keep automatic child logs of earlier runs")
        .switch('k', "nocleanup"),
    OptionRow::without_default(
        "childlogdir",
        Kind::Directory,
        "/tmp",
        "where automatic child logs are written",
    )
    .flag('q', "childlogdir", "DIRECTORY"),
    OptionRow::new("environment", Kind::Pairs, "", "variables for all children").sample("KEY=\"value\""),
    OptionRow::new("strip_ansi", Kind::Boolean, "false", "take terminal escape sequences out of child logs")
        .switch('t', "strip_ansi"),
    OptionRow::new(
        "strict_update",
        Kind::Boolean,
        "false",
        "update restarts whole groups, as Supervisor does",
    )
    .ours(),
    OptionRow::new(
        "orphans",
        Kind::Choice(&["stop", "adopt", "ignore"]),
        "stop",
        "processes that a daemon and its keeper left behind when both were killed: stop them, adopt them or ignore them",
    )
    .ours(),
    OptionRow::new(
        "log_prefix",
        Kind::Boolean,
        "false",
        "in the foreground, copy each line of the children to standard output as NAME | LINE",
    )
    .ours(),
    OptionRow::without_default(
        "exit_when",
        Kind::Text,
        "fatal",
        "end the daemon by itself: fatal[:NAME], any-exited[:NAME] or all-exited",
    )
    .ours(),
    OptionRow::new(
        "config_history",
        Kind::Integer,
        "10",
        "configurations that were applied and are kept for upkeep config; 0 to 100",
    )
    .ours(),
    OptionRow::without_default(
        "config_history_dir",
        Kind::Path,
        "/var/lib/upkeep/history",
        "keep them in this directory, too, so that they outlive a restart of the machine",
    )
    .ours(),
];

pub(super) const INCLUDE: &[OptionRow] = &[OptionRow::without_default(
    "files",
    Kind::Globs,
    "conf.d/*.conf",
    "file name patterns with blanks between",
)];

pub(super) const RPC_INTERFACE: &[OptionRow] = &[OptionRow::without_default(
    "supervisor.rpcinterface_factory",
    Kind::Factory,
    "supervisor.rpcinterface:make_main_rpcinterface",
    "publishes the methods that clients call",
)];
