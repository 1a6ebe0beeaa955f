//! Random configurations made of sections and keys that are sometimes right.

use crate::corpus::difference;
use crate::dice::every_case;
use crate::dump::{dump, load_in};
use crate::reference::{corpus, reference};

const HEADERS: &[&str] = &[
    "[program:a]",
    "[program:b]",
    "[program:a b]",
    "[group:g]",
    "[group:a]",
    "[eventlistener:e]",
    "[eventlistener:a]",
    "[fcgi-program:f]",
    "[fcgi-program:a]",
    "[unix_http_server]",
    "[inet_http_server]",
    "[inet_http_server:2]",
    "[rpcinterface:supervisor]",
    "[DEFAULT]",
    "[supervisord]",
    "[supervisorctl]",
    "[include]",
    "[other]",
];

const KEYS: &[&str] = &[
    "command=cat",
    "command=",
    "process_name=%(program_name)s_%(process_num)d",
    "process_name=x",
    "numprocs=2",
    "numprocs=x",
    "numprocs=0",
    "numprocs_start=5",
    "priority=1",
    "priority=-7",
    "priority=1.5",
    "autostart=false",
    "autostart=?",
    "autorestart=true",
    "autorestart=never",
    "startsecs=",
    "startretries=5",
    "exitcodes=0,2",
    "exitcodes=a",
    "stopsignal=INT",
    "stopsignal=SIGX",
    "stopwaitsecs=3",
    "stopasgroup=true",
    "killasgroup=false",
    "killasgroup=true",
    "user=root",
    "user=nouser",
    "redirect_stderr=true",
    "stdout_logfile=/tmp/x",
    "stdout_logfile=NONE",
    "stdout_logfile=syslog",
    "stdout_logfile=/no/x",
    "stderr_logfile=/tmp/y",
    "stderr_logfile=%(process_num)s.log",
    "stdout_logfile_maxbytes=0",
    "stdout_logfile_maxbytes=1MB",
    "stdout_capture_maxbytes=1KB",
    "stdout_events_enabled=yes",
    "stderr_syslog=1",
    "directory=/tmp",
    "directory=%(here)s",
    "umask=022",
    "umask=9",
    "environment=A=\"1\"",
    "environment=A",
    "environment=B=%(process_num)s",
    "serverurl=auto",
    "serverurl=x",
    "programs=a",
    "programs=a,b",
    "programs=b,f",
    "programs=",
    "programs=a,,b",
    "events=TICK_5",
    "events=EVENT,TICK",
    "events=NO",
    "buffer_size=0",
    "buffer_size=50",
    "socket=unix:///tmp/s",
    "socket=tcp://h:1",
    "socket=x",
    "socket_mode=0700",
    "socket_owner=root",
    "socket_backlog=0",
    "socket_backlog=9",
    "file=/tmp/s",
    "chmod=0700",
    "chmod=x",
    "chown=root:root",
    "chown=nouser",
    "port=9001",
    "port=*:1",
    "port=h:",
    "username=u",
    "password=p",
    "username=",
    "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    "minfds=10",
    "minfds=x",
    "loglevel=debug",
    "loglevel=loud",
    "logfile=/tmp/l",
    "logfile=/no/l",
    "pidfile=syslog",
    "logfile=syslog",
    "nodaemon=true",
    "identifier=%(here)s",
    "identifier=%(nope)s",
    "childlogdir=/tmp",
    "childlogdir=/no",
    "logfile_maxbytes=5x",
    "logfile_backups=1",
    "silent=on",
    "nocleanup=on",
    "strip_ansi=on",
    "minprocs=7",
    "files=nothing/*.conf",
];

/// Whatever sections and keys come together, both come to the same end, and errors in the same order.
#[test]
fn whole_configurations_are_the_same_cfg_013() {
    let mut reference = reference();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("x.conf");
    let name = path.to_string_lossy().into_owned();
    let mut good = 0;
    every_case(5, |dice| {
        let mut text = String::from("[supervisord]\n");
        for _ in 0..dice.below(5) {
            let header = dice.pick(HEADERS);
            text.push_str(header);
            text.push('\n');
            if header.contains("program:") || header.contains("listener:") {
                text.push_str(["command=a\n", "command=a\n", "command=a\n", ""][dice.below(4)]);
            }
            for _ in 0..dice.below(4) {
                text.push_str(dice.pick(KEYS));
                text.push('\n');
            }
        }
        std::fs::write(&path, &text).expect("written");
        let theirs = reference.load(&name);
        let ours = dump(&load_in(&corpus(), &name));
        good += usize::from(theirs.get("error").is_none());
        difference(&ours, &theirs, "").map(|found| format!("{text}: {found}"))
    });
    assert!(good > 0, "no case was good");
}
