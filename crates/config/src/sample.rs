//! `echo_supervisord_conf`: a configuration to start from, made of the option rows.

use crate::options::{OptionRow, SectionKind};

const HEAD: &str = "\
; A configuration to start from. Lines that begin with ; are comments; take the ; away to use them.
;
; - Values are taken as they stand: no quotes, no ~ or $VAR. %(ENV_HOME)s is the environment variable HOME,
;   %(here)s this file's directory, and %% a percent sign.
; - A ; or # after a blank begins a comment, even inside quotes: the command  sh -c 'a ; b'  is cut before the ;.
; - Files in /tmp may be removed by the system: choose better places for the socket, the pid file and the logs.

";

/// A commented sample configuration that shows every option and loads as it is, here and in Supervisor (CFG-411).
#[must_use]
pub fn sample() -> String {
    let mut text = HEAD.to_owned();
    for kind in SectionKind::ALL {
        section(&mut text, kind);
    }
    text
}

/// Options that are in effect in the sample: those without which a daemon and a client do not find each other, and
/// those that most people change.
fn active(kind: SectionKind) -> &'static [&'static str] {
    match kind {
        SectionKind::Unix => &["file"],
        SectionKind::Supervisord => &[
            "logfile",
            "logfile_maxbytes",
            "logfile_backups",
            "loglevel",
            "pidfile",
            "nodaemon",
            "silent",
            "minfds",
            "minprocs",
        ],
        SectionKind::RpcInterface => &["supervisor.rpcinterface_factory"],
        SectionKind::Supervisorctl => &["serverurl"],
        SectionKind::Inet
        | SectionKind::Include
        | SectionKind::Defaults
        | SectionKind::Template
        | SectionKind::Program
        | SectionKind::Group
        | SectionKind::Listener
        | SectionKind::Fcgi
        | SectionKind::CtlPlugin => &[],
    }
}

fn header(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Unix => "[unix_http_server]",
        SectionKind::Inet => ";[inet_http_server]",
        SectionKind::Supervisord => "[supervisord]",
        SectionKind::RpcInterface => "[rpcinterface:supervisor]",
        SectionKind::Supervisorctl => "[supervisorctl]",
        SectionKind::CtlPlugin => ";[ctlplugin:name]",
        SectionKind::Defaults => ";[defaults]",
        SectionKind::Template => ";[template:name]",
        SectionKind::Program => ";[program:name]",
        SectionKind::Listener => ";[eventlistener:name]",
        SectionKind::Fcgi => ";[fcgi-program:name]",
        SectionKind::Group => ";[group:name]",
        SectionKind::Include => ";[include]",
    }
}

fn introduction(kind: SectionKind) -> &'static str {
    match kind {
        SectionKind::Unix => "The socket that supervisorctl talks to.",
        SectionKind::Inet => {
            "The same over TCP, with a web page. Whoever reaches it controls every process: set a password, and\n\
             ; never open it to the internet."
        }
        SectionKind::Supervisord => "The daemon itself.",
        SectionKind::RpcInterface => "supervisorctl and the web page need this section.",
        SectionKind::Supervisorctl => "The client. serverurl says where the daemon listens.",
        SectionKind::CtlPlugin => "A plugin of the client.",
        SectionKind::Defaults => {
            "Options for all programs that do not have them themselves, event listeners apart. Supervisor ignores this\n\
             ; section and the next one."
        }
        SectionKind::Template => "Options for the programs that say extends=name.",
        SectionKind::Program => "A program to run: as many of these sections as there are programs.",
        SectionKind::Listener => {
            "A program that is told of events on its stdin. It has every option of a program as well."
        }
        SectionKind::Fcgi => {
            "A FastCGI program: its processes share a socket. It has every option of a program as well."
        }
        SectionKind::Group => "Programs under one name: started, stopped and shown together.",
        SectionKind::Include => "More files, relative to this one. They cannot include others.",
    }
}

fn section(text: &mut String, kind: SectionKind) {
    text.push_str(&format!("; {}\n{}\n", introduction(kind), header(kind)));
    let shown = |row: &&OptionRow| match kind {
        SectionKind::Listener | SectionKind::Fcgi => {
            row.name == "command" || SectionKind::Program.row(row.name) != Some(*row)
        }
        SectionKind::Defaults => matches!(row.name, "autorestart" | "environment"),
        SectionKind::Template => matches!(row.name, "command" | "autorestart" | "environment"),
        SectionKind::Unix
        | SectionKind::Inet
        | SectionKind::Supervisord
        | SectionKind::RpcInterface
        | SectionKind::Supervisorctl
        | SectionKind::CtlPlugin
        | SectionKind::Program
        | SectionKind::Group
        | SectionKind::Include => true,
    };
    for row in kind.rows().filter(shown) {
        let comment = if active(kind).contains(&row.name) { "" } else { ";" };
        let setting = format!("{comment}{}={}", row.name, row.sample);
        text.push_str(&format!("{setting:<33} ; {}\n", help(row)));
    }
    text.push('\n');
}

fn help(row: &OptionRow) -> String {
    match row.default {
        Some(default) if !default.is_empty() && default != row.sample => {
            format!("{} (default {default})", row.help)
        }
        Some(_) | None => row.help.to_owned(),
    }
}
