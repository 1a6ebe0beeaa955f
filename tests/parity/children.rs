//! What a child finds when it starts: environment, descriptors, directory, umask, signals, process group.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;

use crate::rig::daemon::member;
use crate::rig::home::Home;
use crate::rig::http::Arg::Text;
use crate::rig::procfs;
use crate::rig::stage::{Stage, compare, compare_prepared};
use crate::rig::wait::until_true;

/// A program that prints `what` and goes on running.
fn printer(name: &str, what: &str, more: &str) -> String {
    format!(
        "[program:{name}]\ncommand=/bin/sh -c '{what}; echo END; exec sleep 600'\n\
         stdout_logfile=%(here)s/{name}.out\nstderr_logfile=%(here)s/{name}.err\n{more}\n"
    )
}

fn note_output(stage: &mut Stage, name: &str) {
    let file = format!("{name}.out");
    stage.daemon.wait_file(&file, "END\n");
    let output = stage.daemon.home.read(&file);
    stage.note(name, &output);
    let errors = stage.daemon.home.read(&format!("{name}.err"));
    stage.note(&format!("{name}, stderr"), &errors);
}

/// PROC-070…074, CFG-096, CFG-167: the environment and which part of it wins.
#[test]
fn proc_070_environment() {
    let config = format!(
        "{}{}{}{}[group:team]\nprograms=member\n",
        printer("automatic", "env", "serverurl=AUTO"),
        printer("plain", "env", ""),
        printer(
            "own",
            "env",
            "environment=A=\"1\",HERE=\"%(here)s\",SUPERVISOR_ENABLED=\"no\",PATH=\"/bin:/usr/bin\""
        ),
        printer("member", "env", "serverurl=http://example.invalid:7"),
    );
    compare(&config, |stage| {
        for name in ["automatic", "plain", "own", "member"] {
            let file = format!("{name}.out");
            stage.daemon.wait_file(&file, "END\n");
            let output = stage.daemon.home.read(&file);
            // CPython adds LC_CTYPE to its own environment in the C locale (PROC-070): not ours to imitate.
            let mut lines: Vec<&str> = output.lines().filter(|line| !line.starts_with("LC_CTYPE=")).collect();
            lines.sort_unstable();
            stage.note(name, &lines.join("\n"));
        }
    });
}

/// PROC-065…067, PROC-075, PROC-076: descriptors, process group, umask, ignored and blocked signals.
#[test]
fn proc_065_descriptors_group_umask_signals() {
    let config = format!(
        "{}{}{}{}{}",
        printer("fds", "exec 9</proc/self/fd; ls /proc/self/fd | grep -vc x; exec 9<&-", ""),
        printer("kinds", "for n in 0 1 2; do readlink /proc/self/fd/$n | cut -d: -f1; done", ""),
        printer("own_group", "read -r a b c d e f < /proc/self/stat; [ $a = $e ] && echo leader", ""),
        printer("umask", "umask", "umask=026"),
        printer("signals", "grep -E \"Sig(Blk|Ign|Cgt)\" /proc/self/status", ""),
    );
    compare(&config, |stage| {
        for name in ["fds", "kinds", "own_group", "umask"] {
            note_output(stage, name);
        }
        stage.daemon.wait_file("signals.out", "END\n");
        let signals = stage.daemon.home.read("signals.out");
        stage.note("signals", &signals.lines().map(standard_signals).collect::<Vec<_>>().join("\n"));
    });
}

/// A mask without the signals beyond 31, which the original passes on as it found them.
fn standard_signals(line: &str) -> String {
    let Some((name, mask)) = line.split_once(":\t") else { return line.to_owned() };
    let mask = u64::from_str_radix(mask.trim(), 16).expect("a mask");
    format!("{name} {:08x}", mask & 0x7fff_ffff)
}

/// PROC-061…063, PROC-079, CFG-156: directory, and what a child says that cannot be executed. PROC-078: where a command is
/// looked for, and where it is found when it runs.
#[test]
fn proc_061_directory_and_exec() {
    let config = format!(
        "{}{}\
         [program:noexec]\ncommand=%(here)s/garbage\nstartretries=0\nstderr_logfile=%(here)s/noexec.err\n\
         [program:nodir]\ncommand=/bin/cat\ndirectory=/no/such/dir\nstartretries=0\n\
         stderr_logfile=%(here)s/nodir.err\n\
         [program:nouser]\ncommand=/bin/cat\nredirect_stderr=true\nstartretries=0\ndirectory=/no/such/dir\n\
         stdout_logfile=%(here)s/nouser.out\n\
         [program:here]\ncommand=sub/tool\nstdout_logfile=%(here)s/here.out\n\
         [program:elsewhere]\ncommand=sub/tool\ndirectory=/usr\nstartretries=0\n\
         stderr_logfile=%(here)s/elsewhere.err\n\
         [program:own_path]\ncommand=tool\nenvironment=PATH=\"%(here)s/none:%(here)s/sub:/bin\"\n\
         stdout_logfile=%(here)s/own_path.out\n\
         [program:first]\ncommand=tool\nenvironment=PATH=\"%(here)s/plain:%(here)s/sub:/bin\"\nstartretries=0\n",
        printer("dir", "pwd", "directory=/usr"),
        printer("argv", "tr \"\\\\000\" \" \" < /proc/self/cmdline", ""),
    );
    compare_with_garbage(&config, |stage| {
        note_output(stage, "dir");
        for name in ["here", "own_path"] {
            note_output(stage, name);
        }
        stage.daemon.wait("FATAL", &["noexec", "nodir", "nouser", "elsewhere", "first"]);
        for file in ["noexec.err", "nodir.err", "nouser.out", "elsewhere.err"] {
            let text = stage.daemon.home.read(file);
            stage.note(file, &text);
        }
        let names = ["noexec", "nodir", "nouser", "dir", "argv", "here", "elsewhere", "own_path", "first"];
        stage.note_log(&names);
    });
}

/// A file that is executable and no program has to be there before the daemon starts.
fn compare_with_garbage(config: &str, scene: impl Fn(&mut Stage) + Sync) {
    let prepare = |home: &Home| {
        use std::os::unix::fs::PermissionsExt;
        home.write("garbage", "\u{1}no program\n");
        home.write("plain/tool", "not to be executed\n");
        home.write("sub/tool", "#!/bin/sh\necho \"$PWD\"; echo END; exec cat\n");
        for name in ["garbage", "sub/tool"] {
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(home.join(name), mode).expect("a mode");
        }
    };
    crate::rig::stage::compare_prepared(config, &prepare, scene);
}

type Change<'a> = &'a (dyn Fn(&Home) + Sync);

/// PROC-040…042, PROC-045: whatever was found at the start before, each looks for itself.
#[test]
fn proc_040_what_has_changed_since_the_start_before() {
    const CONFIG: &str = "\
[program:worker]
command=%(here)s/worker
stdout_logfile=%(here)s/logs/out
stderr_logfile=%(here)s/logs/err
startsecs=0
startretries=0
autorestart=true
";
    let set_mode = |path: &Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("a mode");
    };
    let prepare = |home: &Home| {
        home.write("worker", "#!/bin/sh\nexec sleep 600\n");
        set_mode(&home.join("worker"), 0o755);
        home.write("logs/kept", "");
    };
    let changes: [(&str, Change<'_>); 4] = [
        ("removed", &|home| std::fs::remove_file(home.join("worker")).expect("removed")),
        ("a directory", &|home| {
            std::fs::remove_file(home.join("worker")).expect("removed");
            std::fs::create_dir(home.join("worker")).expect("a directory");
        }),
        ("not executable", &|home| set_mode(&home.join("worker"), 0o644)),
        ("without a place for logs", &|home| {
            std::fs::remove_dir_all(home.join("logs")).expect("removed");
        }),
    ];
    compare_prepared(CONFIG, &prepare, |stage| {
        for (what, change) in changes {
            for _ in 0..3 {
                stage.daemon.wait("RUNNING", &["worker"]);
                let pid = stage.daemon.pid_of("worker");
                procfs::signal(pid, Signal::KILL);
                until_true("another process", || ![0, pid].contains(&stage.daemon.pid_of("worker")));
            }
            change(&stage.daemon.home);
            procfs::signal(stage.daemon.pid_of("worker"), Signal::KILL);
            stage.daemon.wait("FATAL", &["worker"]);
            let info = stage.daemon.call("supervisor.getProcessInfo", &[Text("worker")]);
            stage.note(what, &member(&info, "spawnerr").expect("an error"));
            // A file may not become a directory.
            let _ = std::fs::remove_dir(stage.daemon.home.join("worker"));
            prepare(&stage.daemon.home);
            stage.ctl(&["start", "worker"]);
        }
    });
}
