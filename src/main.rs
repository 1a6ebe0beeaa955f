//! Picks the role by the name it was called by, or by its first argument; nothing else.

#![forbid(unsafe_code)]

use std::process::ExitCode;

const USAGE: &str = "\
usage: upkeep COMMAND [options]

  run [-c FILE] [--exit-when RULE] [--log-prefix]
                         run the daemon in the foreground
  status [NAME ...]      what runs, and how
  start | stop | restart [--rolling] | signal NAME ...
  logs [-f] [NAME ...]   output of processes, or the daemon's own log
  listeners [POOL ...]   event listeners, and what waits for them
  graph [dot | mermaid]  in which order programs start
  check [-c FILE]        every problem of a configuration at once
  diff [GROUP ...]       what `update` would do
  config list | show [N] | rollback N
                         configurations that were applied, and back to one
  convert FILE [--to DIALECT] [-o OUT]
                         a configuration in YAML, TOML, JSON or Supervisor's dialect
  upgrade [--binary PATH]
                         replace the daemon; every process runs on
  reread | update | reload [NAME ...] | shutdown | pid | version

  supervisord | supervisorctl | echo_supervisord_conf | pidproxy [options]
                         Supervisor's own tools, as when called by those names

upkeep COMMAND --help tells more; upkeep --version is of this executable alone.
";

/// Of this executable; `upkeep version` asks the daemon for its own, too.
const VERSION: &str = concat!("upkeep ", env!("CARGO_PKG_VERSION"), "\n");

fn main() -> ExitCode {
    if let Some(boot) = upkeep_keeper::boot_from_env() {
        return exit(upkeep_keeper::run(boot));
    }
    let mut args = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let program = args.next().unwrap_or_default();
    let args: Vec<String> = args.collect();
    let name = program.rsplit('/').next().unwrap_or_default().to_owned();
    exit(role(&program, &name, &args))
}

/// Plays the role of `name`; for our own name, that of the first argument.
fn role(program: &str, name: &str, args: &[String]) -> i32 {
    match (name, args.split_first()) {
        ("supervisord", _) => upkeep_daemon::supervisord(program, args),
        ("supervisorctl", _) => upkeep_ctl::supervisorctl(program, args),
        ("echo_supervisord_conf", _) => upkeep_ctl::echo_supervisord_conf(),
        ("pidproxy", _) => upkeep_daemon::pidproxy(program, args),
        (_, Some((first, rest))) => own(first, rest, args),
        (_, None) => upkeep_ctl::print(USAGE, 2),
    }
}

fn own(first: &str, rest: &[String], args: &[String]) -> i32 {
    match first {
        "supervisord" | "supervisorctl" | "echo_supervisord_conf" | "pidproxy" => role(first, first, rest),
        "run" => upkeep_daemon::run(rest),
        "daemon" => upkeep_daemon::daemon(rest),
        "help" | "-h" | "--help" => upkeep_ctl::print(USAGE, 0),
        "-V" | "--version" => upkeep_ctl::print(VERSION, 0),
        _ => upkeep_ctl::upkeep(args),
    }
}

fn exit(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(1))
}
