//! Memory: whatever was started and asked, the keeper and the daemon are as large as before.

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::rig::daemon::Daemon;
use crate::rig::http::{Answer, Arg, call_xml, converse, post_request};
use crate::rig::maker::Maker;
use crate::rig::wait::{until, until_true};

const RESTARTS: &str = "UPKEEP_GROWTH_RESTARTS";
const CALLS: &str = "UPKEEP_GROWTH_CALLS";

/// How many ask at once, each about a process of its own, by a connection that stays.
const CLIENTS: usize = 4;

/// What may be added after the warm-up.
const ALLOWED_KIB: u64 = 1024;

const PROGRAMS: &str = "\
[program:brief]
command=/bin/echo this is all
process_name=%(program_name)s_%(process_num)02d
numprocs=4
autostart=false
autorestart=false
startsecs=0
stdout_logfile=%(here)s/%(program_name)s_%(process_num)02d
stdout_logfile_maxbytes=16KB
stdout_logfile_backups=1
[program:steady]
command=/bin/sleep 100000
";

/// What the keeper and the daemon occupy, in KiB.
#[derive(Clone, Copy, Debug)]
struct Size {
    /// Their share of everything.
    pss: u64,
    /// Without what is in files: the share of the program's own text depends on who else runs it at the moment.
    own: u64,
}

fn size(daemon: &Daemon) -> Size {
    let brain = until("the deciding process", || daemon.brain());
    let mut size = Size { pss: 0, own: 0 };
    for pid in [daemon.pid(), brain] {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("a size");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse::<u64>().ok()).expect("a number")
        };
        size.pss += field("Pss:");
        size.own += field("Pss_Anon:") + field("Pss_Shmem:");
    }
    size
}

fn given(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
}

/// `cargo xtask growth` does a hundred thousand restarts and a million calls.
#[test]
fn restarts_and_calls_take_no_memory() {
    let (restarts, calls) = (given(RESTARTS, 1500), given(CALLS, 12_000));
    let daemon = Daemon::start(Maker::Upkeep, PROGRAMS);
    daemon.wait("RUNNING", &["steady"]);
    work(&daemon, (restarts / 5).max(500), (calls / 5).max(3000));
    let (before, begun) = (size(&daemon), Instant::now());
    work(&daemon, restarts, calls);
    let (after, taken) = (size(&daemon), begun.elapsed());
    say(&table(restarts, calls, before, after, taken));
    assert!(after.own <= before.own + ALLOWED_KIB, "{before:?} became {after:?}");
}

/// What a process may add when all is quiet, in KiB: its options, where it stands, its log, its record at the keeper.
const OF_A_PROCESS_KIB: u64 = 6;

#[test]
fn a_process_takes_a_few_kib() {
    const PROCESSES: u64 = 200;
    let alone = Daemon::start(Maker::Upkeep, "[program:steady]\ncommand=/bin/sleep 100000\n");
    alone.wait("RUNNING", &["steady"]);
    let many = format!(
        "[program:steady]\ncommand=/bin/sleep 100000\nstartsecs=0\nnumprocs={PROCESSES}\n\
         process_name=%(program_name)s_%(process_num)03d\nstdout_logfile=%(here)s/%(program_name)s_%(process_num)03d\n\
         redirect_stderr=true\n"
    );
    let crowd = Daemon::start(Maker::Upkeep, &many);
    crowd.wait("RUNNING", &[&format!("steady:steady_{:03}", PROCESSES - 1)]);
    let allowed = PROCESSES * OF_A_PROCESS_KIB;
    // What the start needed for a moment is given back soon after.
    until_true("a daemon that is no larger than its processes", || {
        let added = size(&crowd).own.saturating_sub(size(&alone).own);
        say(&format!("{added} KiB for {PROCESSES} processes, {allowed} allowed"));
        added <= allowed
    });
}

fn table(restarts: usize, calls: usize, before: Size, after: Size, taken: Duration) -> String {
    format!(
        "growth: {restarts} restarts, {calls} calls, {:.0} s\n  \
         keeper and daemon, PSS                 {:>6} KiB before, {:>6} KiB after\n  \
         without what is shared in files        {:>6} KiB before, {:>6} KiB after\n",
        taken.as_secs_f64(),
        before.pss,
        after.pss,
        before.own,
        after.own
    )
}

/// So many starts of a program that ends at once, and so many calls in all.
fn work(daemon: &Daemon, restarts: usize, calls: usize) {
    let (started, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let socket = daemon.socket();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (socket, started, asked) = (&socket, &started, &asked);
            scope.spawn(move || client(socket, number, (started, restarts), (asked, calls)));
        }
    });
    // What was started last has ended, too.
    until_true("the last end", || {
        (0..CLIENTS).all(|number| daemon.state(&brief(number)).as_deref() == Some("EXITED"))
    });
}

fn brief(number: usize) -> String {
    format!("brief:brief_{number:02}")
}

/// One connection: starts its process whenever it can, and asks about it, until all have done enough.
fn client(socket: &Path, number: usize, starts: (&AtomicUsize, usize), calls: (&AtomicUsize, usize)) {
    let mut stream = UnixStream::connect(socket).expect("the daemon");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let name = brief(number);
    let start = request("supervisor.startProcess", &name);
    let info = request("supervisor.getProcessInfo", &name);
    let mut ask = |request: &str| -> Answer { converse(&mut stream, request).expect("an answer") };
    loop {
        let enough = starts.0.load(Ordering::Relaxed) >= starts.1;
        if enough && calls.0.load(Ordering::Relaxed) >= calls.1 {
            return;
        }
        if !enough && ask(&start).body.contains("<boolean>1</boolean>") {
            starts.0.fetch_add(1, Ordering::Relaxed);
            calls.0.fetch_add(1, Ordering::Relaxed);
        }
        for _ in 0..8 {
            assert!(ask(&info).body.contains("<name>statename</name>"));
        }
        calls.0.fetch_add(8, Ordering::Relaxed);
    }
}

fn request(method: &str, name: &str) -> String {
    post_request(&call_xml(method, &[Arg::Text(name)]))
}

#[expect(clippy::print_stdout, reason = "the figures are what somebody runs this for")]
fn say(text: &str) {
    println!("{text}");
}
