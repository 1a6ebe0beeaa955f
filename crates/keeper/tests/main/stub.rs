//! Roles for the tests: a launcher, the keeper it becomes, and a daemon that hands its end of the link to the test.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use upkeep_keeper::wire::ToKeeper;
use upkeep_keeper::{Boot, Heritage, Link};

/// What a daemon ends with when its test is gone.
const ABANDONED: u8 = 99;

fn main() -> ExitCode {
    if let Some(status) = misbehave() {
        return ExitCode::from(status);
    }
    if let Some(boot) = upkeep_keeper::boot_from_env() {
        return exit(upkeep_keeper::run(boot));
    }
    let args: Vec<OsString> = std::env::args_os().collect();
    let role = args.get(1).and_then(|role| role.to_str());
    match (role, args.get(2)) {
        (Some("foreground"), Some(control)) => start(&args, control, false),
        (Some("background"), Some(control)) => start(&args, control, true),
        (Some("daemon"), Some(control)) => ExitCode::from(daemon(control).unwrap_or(ABANDONED)),
        _ => ExitCode::FAILURE,
    }
}

/// What a bad program does, by the file beside it: a word for what it does when it is to read what a keeper holds, one for
/// when it is to be the daemon, each `good`, `hang` or the status it ends with; then what it says.
fn misbehave() -> Option<u8> {
    let beside = std::env::current_exe().ok()?.with_extension("does");
    let text = std::fs::read_to_string(beside).ok()?;
    let mut words = text.splitn(3, ' ');
    let (reads, serves) = (words.next()?, words.next()?);
    let does = match std::env::args().nth(1)?.as_str() {
        "keeper" => reads,
        "daemon" => serves,
        _ => return None,
    };
    if does == "good" {
        return None;
    }
    let _ = io::Write::write_all(&mut io::stderr(), words.next().unwrap_or_default().as_bytes());
    if does == "hang" {
        loop {
            std::thread::park();
        }
    }
    does.parse().ok()
}

fn exit(status: i32) -> ExitCode {
    ExitCode::from(u8::try_from(status).unwrap_or(u8::MAX))
}

fn start(args: &[OsString], control: &OsString, daemonize: bool) -> ExitCode {
    let boot = Boot {
        program: args.to_vec(),
        daemon_args: vec!["stub".into(), "daemon".into(), control.clone()],
        env: std::env::vars_os().collect(),
        held: Vec::new(),
        daemonize,
    };
    upkeep_keeper::launch(boot).map_or(ExitCode::FAILURE, exit)
}

/// Hands the link to the test, then ends as the test says. Without a test the keeper is told to end. One that has no
/// keeper starts one.
fn daemon(control: &OsString) -> io::Result<u8> {
    upkeep_os::set_process_name("stub-daemon");
    let Ok(mut link) = Link::from_env() else { return heir(control) };
    let code = hand_over(&link, control);
    if code.is_err() {
        link.send(&ToKeeper::Quit { code: ABANDONED }, &[])?;
        link.flush()?;
    }
    code
}

fn heir(control: &OsString) -> io::Result<u8> {
    let program = vec!["keeper-stub".into(), "foreground".into(), control.clone()];
    let link = Link::new(Heritage { program, detached: false }.start_keeper()?);
    let mut control = introduce(&link, control)?;
    // The test has it: when that lets go of it, nobody speaks with this keeper any more.
    drop(link);
    told_code(&mut control)
}

fn hand_over(link: &Link, control: &OsString) -> io::Result<u8> {
    told_code(&mut introduce(link, control)?)
}

fn introduce(link: &Link, control: &OsString) -> io::Result<UnixStream> {
    let control = UnixStream::connect(control)?;
    let socket = link.duplicate_socket()?;
    upkeep_os::send_with_fds(control.as_fd(), &std::process::id().to_le_bytes(), &[socket.as_fd()])?;
    Ok(control)
}

fn told_code(control: &mut UnixStream) -> io::Result<u8> {
    let mut code = [0];
    control.read_exact(&mut code)?;
    Ok(code[0])
}
