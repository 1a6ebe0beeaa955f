//! What a child finds when it starts (process ledger, sections 3 and 4).

use std::fs;
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;

use rustix::process::{Resource, Rlimit, getrlimit, getuid, prlimit};
use upkeep_keeper::wire::{SpawnPlan, SpawnStep, StdinPlan, ToDaemon, ToKeeper, UserPlan};

use crate::rig::{Rig, field_of, is_gone, pid_of, read_all, read_line, sh, status_field, until};

/// Bit of a signal in the masks of `/proc/PID/status`.
fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

#[test]
fn a_child_is_the_keepers_and_leads_its_own_group_in_its_session_proc_067() {
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, pipes) = daemon.spawn(1, sh("read line; exit 3"));
    rig.adopt(pid);
    assert_eq!(pipes.len(), 3);
    // State, parent, process group, session; the last is 0 for a leader outside this pid namespace.
    let family = |pid: u32| -> Vec<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().map(str::to_owned).collect()
    };
    let (child, keeper) = (family(pid), family(rig.pid()));
    assert_eq!(child[1], rig.pid().to_string(), "parent");
    assert_eq!(child[2], pid.to_string(), "process group");
    assert_eq!(child[3], keeper[3], "session");
    drop(pipes);
    daemon.say(&ToKeeper::CloseStdin { run: 1 });
    assert_eq!(daemon.exit_of(1), 3 << 8);
}

#[test]
fn no_descriptor_but_the_three_is_open_proc_065_proc_066() {
    // One that the launcher inherited and that is not close-on-exec either.
    let rig = Rig::start_after("exec 7</dev/null");
    let mut daemon = rig.ready_daemon();
    let (_, pipes) = daemon.spawn(1, sh("ls /proc/self/fd; readlink /proc/self/fd/0"));
    let [_, stdout, _] = pipes.try_into().unwrap();
    let listed = read_all(stdout);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines[..4], ["0", "1", "2", "3"], "3 is how ls reads the directory");
    assert!(lines[4].starts_with("pipe:"), "{listed}");
}

/// As under Supervisor (D-35).
#[test]
fn only_pipe_and_xfsz_are_ignored_and_nothing_is_blocked_proc_076() {
    let rig = Rig::start_after("trap '' HUP USR1 ALRM CHLD TSTP");
    let mut daemon = rig.ready_daemon();
    let plan = SpawnPlan {
        path: b"/bin/cat".to_vec(),
        argv: vec![b"cat".to_vec(), b"/proc/self/status".to_vec()],
        ..sh("")
    };
    let (_, pipes) = daemon.spawn(1, plan);
    let [_, stdout, _] = pipes.try_into().unwrap();
    let status = read_all(stdout);
    let mask = |field| u64::from_str_radix(&field_of(&status, field).unwrap(), 16).unwrap();
    assert_eq!(mask("SigIgn"), bit(13) | bit(25));
    assert_eq!(mask("SigBlk"), 0);
    assert_eq!(mask("SigCgt"), 0);
}

#[test]
fn environment_directory_mask_and_arguments_are_the_plans_proc_064_proc_075_proc_079() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let directory = rig.dir.path().canonicalize().unwrap();
    let directory = directory.to_str().unwrap();
    let plan = SpawnPlan {
        argv: [b"name".as_slice(), b"-c", b"/usr/bin/env; pwd; umask; echo \"$0 $1\"", b"~", b"a b"]
            .map(<[u8]>::to_vec)
            .to_vec(),
        env: ["B=2", "A=1=x"].iter().collect(),
        cwd: Some(directory.as_bytes().to_vec()),
        umask: Some(0o27),
        ..sh("")
    };
    let (_, pipes) = daemon.spawn(1, plan);
    let [_, stdout, _] = pipes.try_into().unwrap();
    let said = read_all(stdout);
    // The shell adds PWD by itself, and may add more.
    let (env, rest) = said.split_at(said.find(&format!("\n{directory}\n")).unwrap() + 1);
    let mut env: Vec<&str> = env
        .lines()
        .filter(|line| !["PWD=", "OLDPWD=", "_=", "SHLVL="].iter().any(|own| line.starts_with(own)))
        .collect();
    env.sort_unstable();
    assert_eq!(env, ["A=1=x", "B=2"]);
    assert_eq!(rest, format!("{directory}\n0027\n~ a b\n"));
}

#[test]
fn without_a_wish_directory_and_mask_are_the_keepers_proc_075() {
    let rig = Rig::start_after("umask 031; cd /");
    let mut daemon = rig.ready_daemon();
    let (_, pipes) = daemon.spawn(1, sh("pwd; umask"));
    let [_, stdout, _] = pipes.try_into().unwrap();
    assert_eq!(read_all(stdout), "/\n0031\n");
}

#[test]
fn another_user_has_its_groups_in_order_proc_060_proc_068() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let user = UserPlan::Switch { uid: 65534, gid: 65534, groups: vec![65534, 100, 4242] };
    let (_, pipes) = daemon.spawn(1, SpawnPlan { user, ..sh("cat /proc/self/status") });
    let [_, stdout, stderr] = pipes.try_into().unwrap();
    let (status, complaint) = (read_all(stdout), read_all(stderr));
    if getuid().is_root() {
        let ids = |field| field_of(&status, field).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(ids("Uid"), "65534 65534 65534 65534");
        assert_eq!(ids("Gid"), "65534 65534 65534 65534");
        assert_eq!(ids("Groups"), "100 4242 65534", "the kernel sorts them");
        assert_eq!(complaint, "");
    } else {
        assert_eq!(status, "");
        assert_eq!(
            complaint,
            "supervisor: couldn't setuid to 65534: Could not set groups of effective user\n\
             supervisor: child process was not spawned\n"
        );
    }
}

#[test]
fn what_fails_before_exec_is_said_by_the_child_proc_060_to_proc_063() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let text_file = rig.dir.path().join("text");
    fs::write(&text_file, "no program\n").unwrap();
    fs::set_permissions(&text_file, fs::Permissions::from_mode(0o755)).unwrap();
    let text_file = text_file.to_str().unwrap().as_bytes().to_vec();
    let refused = UserPlan::Refuse { uid: 1234, reason: b"Can't find uid 1234".to_vec() };
    let named = |path: &[u8]| SpawnPlan { path: path.to_vec(), argv: vec![b"~/x y".to_vec()], ..sh("") };
    let rows = [
        (SpawnPlan { user: refused, ..sh("echo no") }, "couldn't setuid to 1234: Can't find uid 1234"),
        (
            SpawnPlan { cwd: Some(b"/nonexistent/a".to_vec()), ..sh("echo no") },
            "couldn't chdir to /nonexistent/a: ENOENT",
        ),
        (
            SpawnPlan { cwd: Some(b"/dev/null".to_vec()), ..sh("echo no") },
            "couldn't chdir to /dev/null: ENOTDIR",
        ),
        (named(b"/nonexistent/b"), "couldn't exec ~/x y: ENOENT"),
        (named(b"/etc/passwd"), "couldn't exec ~/x y: EACCES"),
        (named(&text_file), "couldn't exec ~/x y: ENOEXEC"),
        (
            SpawnPlan { path: b"/bin/true".to_vec(), env: [[b'x'; 200_000]].iter().collect(), ..sh("") },
            "couldn't exec sh: E2BIG",
        ),
    ];
    for (run, (plan, complaint)) in (1..).zip(rows) {
        for merged in [false, true] {
            let run = run * 2 + u64::from(merged);
            let (_, mut pipes) = daemon.spawn(run, SpawnPlan { stderr_to_stdout: merged, ..plan.clone() });
            let expected = format!("supervisor: {complaint}\nsupervisor: child process was not spawned\n");
            assert_eq!(pipes.len(), if merged { 2 } else { 3 });
            assert_eq!(read_all(pipes.pop().unwrap()), expected);
            assert_eq!(daemon.exit_of(run), 127 << 8);
        }
    }
}

#[test]
fn merged_output_is_one_pipe_proc_065() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (_, pipes) =
        daemon.spawn(1, SpawnPlan { stderr_to_stdout: true, ..sh("echo out; echo err >&2; echo out") });
    let [_, stdout] = pipes.try_into().unwrap();
    assert_eq!(read_all(stdout), "out\nerr\nout\n");
}

#[test]
fn standard_input_is_a_pipe_nothing_or_what_came_with_the_request_proc_260() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();

    let (_, pipes) = daemon.spawn(1, sh("cat; echo end"));
    let [stdin, stdout, _] = pipes.try_into().unwrap();
    assert_eq!(rustix::io::write(&stdin, b"one\n").unwrap(), 4);
    assert_eq!(read_line(&stdout), "one");
    drop(stdin);
    daemon.say(&ToKeeper::CloseStdin { run: 1 });
    assert_eq!(read_all(stdout), "end\n", "both ends of the pipe were closed");
    assert_eq!(daemon.exit_of(1), 0);

    let (_, pipes) =
        daemon.spawn(2, SpawnPlan { stdin: StdinPlan::Null, ..sh("cat; readlink /proc/self/fd/0") });
    let [stdout, _] = pipes.try_into().unwrap();
    assert_eq!(read_all(stdout), "/dev/null\n");
    assert_eq!(daemon.exit_of(2), 0);

    let file = rig.dir.path().join("input");
    fs::write(&file, "from a file").unwrap();
    let plan = SpawnPlan { stdin: StdinPlan::Attached, ..sh("cat") };
    let file = fs::File::open(&file).unwrap();
    daemon.say_with(&ToKeeper::Spawn { run: 3, plan: plan.clone() }, &[file.as_fd()]);
    let (frame, pipes) = daemon.hear();
    assert!(matches!(frame, ToDaemon::Spawned { run: 3, .. }), "{frame:?}");
    let [stdout, _] = pipes.try_into().unwrap();
    assert_eq!(read_all(stdout), "from a file");
    assert_eq!(daemon.exit_of(3), 0);

    daemon.say(&ToKeeper::Spawn { run: 4, plan });
    let frame = daemon.hear().0;
    assert!(matches!(frame, ToDaemon::SpawnFailed { run: 4, step: SpawnStep::Pipe, .. }), "{frame:?}");
}

#[test]
fn a_plan_that_cannot_be_is_refused_with_its_reason_proc_045_proc_049() {
    const EINVAL: i32 = 22;
    const EEXIST: i32 = 17;
    const EMFILE: i32 = 24;
    let mut rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let (pid, _pipes) = daemon.spawn(7, sh("read line"));
    rig.adopt(pid);
    let nul = SpawnPlan { argv: vec![b"a\0b".to_vec()], ..sh("") };
    for (run, plan, errno) in [(1, nul, EINVAL), (7, sh("exit 0"), EEXIST)] {
        daemon.say(&ToKeeper::Spawn { run, plan });
        assert_eq!(daemon.hear().0, ToDaemon::SpawnFailed { run, errno, step: SpawnStep::Fork });
    }
    let few = Rlimit { current: Some(12), maximum: Some(4096) };
    prlimit(Some(pid_of(rig.pid())), Resource::Nofile, few).unwrap();
    daemon.say(&ToKeeper::Spawn { run: 2, plan: sh("") });
    assert_eq!(daemon.hear().0, ToDaemon::SpawnFailed { run: 2, errno: EMFILE, step: SpawnStep::Pipe });
    assert_eq!(status_field(pid, "PPid"), Some(rig.pid().to_string()), "the other child lives on");
}

#[test]
fn limits_are_the_keepers_while_the_daemon_takes_what_it_can_proc_077() {
    let rig = Rig::start_after("ulimit -Sn 100; ulimit -Hn 200");
    let mut daemon = rig.ready_daemon();
    let (_, pipes) = daemon.spawn(1, sh("ulimit -Sn; ulimit -Hn"));
    let [_, stdout, _] = pipes.try_into().unwrap();
    assert_eq!(read_all(stdout), "100\n200\n");
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.pid)).unwrap();
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(open_files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["200", "200"]);
}

/// What is only lent or held is refused; who asked for it goes on.
#[test]
fn a_keeper_without_descriptors_says_what_it_did_not_get() {
    const EMFILE: i32 = 24;
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let file = fs::File::open("/dev/null").unwrap();
    let hold = |name: &str| ToKeeper::Hold { name: name.to_owned() };
    daemon.say_with(&hold("first"), &[file.as_fd()]);
    daemon.sync();

    let free = |number: &u64| fs::symlink_metadata(format!("/proc/{}/fd/{number}", rig.pid())).is_err();
    let none = Rlimit { current: (0..).find(free), ..getrlimit(Resource::Nofile) };
    let usual = prlimit(Some(pid_of(rig.pid())), Resource::Nofile, none).unwrap();
    daemon.say_with(&hold("second"), &[file.as_fd()]);
    daemon.say_with(&hold("third"), &[file.as_fd()]);
    for name in ["second", "third"] {
        assert_eq!(daemon.hear().0, ToDaemon::NotHeld { name: name.to_owned() });
    }
    daemon.say_with(&ToKeeper::Lend { run: 5, number: 7 }, &[file.as_fd()]);
    daemon.sync();
    prlimit(Some(pid_of(rig.pid())), Resource::Nofile, usual).unwrap();

    daemon.say(&ToKeeper::Spawn { run: 5, plan: sh("exit 0") });
    assert_eq!(daemon.hear().0, ToDaemon::SpawnFailed { run: 5, errno: EMFILE, step: SpawnStep::Pipe });
    daemon.spawn(6, sh("exit 3"));
    assert_eq!(daemon.exit_of(6), 3 << 8);
    daemon.say_with(&hold("third"), &[file.as_fd()]);
    daemon.sync();
    daemon.crash();
    let held: Vec<(String, usize)> = rig
        .daemon()
        .inventory()
        .into_iter()
        .filter_map(|(frame, fds)| match frame {
            ToDaemon::Held { name } => Some((name, fds.len())),
            _ => None,
        })
        .collect();
    assert_eq!(held, [("first".to_owned(), 1), ("third".to_owned(), 1)]);
}

/// A child that lives must not be taken for one that has ended.
#[test]
fn a_daemon_whose_child_cannot_be_adopted_for_want_of_descriptors_is_replaced() {
    let rig = Rig::foreground();
    let mut daemon = rig.ready_daemon();
    let pid = rig.pid();
    let pidfd = rustix::process::pidfd_open(pid_of(pid), rustix::process::PidfdFlags::empty()).unwrap();
    let free = |number: &u64| fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_err();
    let few = Rlimit { current: (0..).find(free).map(|number| number + 1), ..getrlimit(Resource::Nofile) };
    let usual = prlimit(Some(pid_of(pid)), Resource::Nofile, few).unwrap();
    let (has_pidfd, has_stdin, has_stdout, has_stderr) = (true, false, true, false);
    let adopt = ToKeeper::Adopt {
        run: 1,
        pid,
        start_ns: 1,
        exited: None,
        has_pidfd,
        has_stdin,
        has_stdout,
        has_stderr,
    };
    daemon.say_with(&adopt, &[pidfd.as_fd(), pidfd.as_fd()]);
    until("the end of the daemon", || is_gone(daemon.pid).then_some(()));
    prlimit(Some(pid_of(pid)), Resource::Nofile, usual).unwrap();
    let inventory = rig.daemon().inventory();
    assert!(!inventory.iter().any(|(frame, _)| matches!(frame, ToDaemon::Child { .. })), "{inventory:?}");
    assert!(rig.stderr().contains("no descriptors are left to take care of"), "{}", rig.stderr());
}
