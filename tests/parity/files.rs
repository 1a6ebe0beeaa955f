//! The files of the children's logs: names, modes, contents, rotation, clearing.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::rig::home::Home;
use crate::rig::http::Arg::{Int, Text};
use crate::rig::maker::Maker;
use crate::rig::run::run;
use crate::rig::stage::{Stage, compare, compare_prepared};
use crate::rig::wait::PATIENCE;

/// Every file of the daemon's directory whose name contains `part`: name, mode, contents.
fn note_files(stage: &mut Stage, part: &str) {
    let mut files: Vec<String> = std::fs::read_dir(stage.daemon.home.path())
        .expect("a directory")
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok().filter(|name| name.contains(part))?;
            let metadata = entry.metadata().ok()?;
            let text = stage.daemon.home.read(&name);
            Some(format!("{name} {:o} {text:?}", metadata.mode() & 0o7777))
        })
        .collect();
    files.sort_unstable();
    stage.note(part, &files.join("\n"));
}

/// Sends `text` to a `cat` and waits until it has gone through to `file`.
fn feed(stage: &Stage, name: &str, file: &str, text: &str) {
    stage.daemon.call("supervisor.sendProcessStdin", &[Text(name), Text(text)]);
    stage.daemon.wait_file(file, text.trim_end());
}

/// PROC-131, PROC-134, PROC-143, CFG-158: AUTO names, named files, NONE, redirect_stderr; their modes.
#[test]
fn proc_131_names_and_modes() {
    let config = "\
[program:auto]
command=/bin/sh -c 'echo out; echo err >&2; exec cat'
[program:idle]
command=/bin/cat
autostart=false
[program:named]
command=/bin/sh -c 'echo out; echo err >&2; exec cat'
stdout_logfile=%(here)s/child-named.out
stderr_logfile=%(here)s/child-named.err
[program:both]
command=/bin/sh -c 'echo out; echo err >&2; echo out; exec cat'
redirect_stderr=true
stdout_logfile=%(here)s/child-both.out
[program:none]
command=/bin/sh -c 'echo out; exec cat'
stdout_logfile=NONE
stderr_logfile=off
";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["auto", "named", "both", "none"]);
        stage.daemon.wait_file("child-both.out", "out\nerr\nout\n");
        stage.daemon.wait_file("child-named.err", "err");
        note_files(stage, "---");
        note_files(stage, "child-");
    });
}

/// PROC-135, PROC-136: rotation after the write that reaches the limit, with and without backups.
#[test]
fn proc_135_rotation() {
    let config = "\
[program:kept]
command=/bin/cat
stdout_logfile=%(here)s/child-kept
stdout_logfile_maxbytes=50
stdout_logfile_backups=2
[program:cut]
command=/bin/cat
stdout_logfile=%(here)s/child-cut
stdout_logfile_maxbytes=50
stdout_logfile_backups=0
[program:unlimited]
command=/bin/cat
stdout_logfile=%(here)s/child-unlimited
stdout_logfile_maxbytes=0
";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["kept", "cut", "unlimited"]);
        for round in 0..4 {
            for name in ["kept", "cut", "unlimited"] {
                let file = format!("child-{name}");
                feed(stage, name, &file, &format!("{round}: short\n"));
                let long = format!("{round}: {}\n", "long ".repeat(12));
                stage.daemon.call("supervisor.sendProcessStdin", &[Text(name), Text(&long)]);
                let landed = match name {
                    "kept" => "child-kept.1".to_owned(),
                    _ => file.clone(),
                };
                match name {
                    "cut" => crate::rig::wait::until_true("a cut file", || {
                        stage.daemon.home.read(&file).is_empty()
                    }),
                    _ => stage.daemon.wait_file(&landed, long.trim_end()),
                }
            }
        }
        note_files(stage, "child-");
    });
}

/// PROC-141, RPC-157, RPC-158, RPC-140…143, RPC-150…154, RPC-156: clear and read; every example of the ledger for tail.
#[test]
fn rpc_140_read_and_tail() {
    let config = "[program:cat]\ncommand=/bin/cat\nstdout_logfile=%(here)s/child-cat\n\
                  [program:later]\ncommand=/bin/cat\n\
                  [program:first]\ncommand=/bin/cat\npriority=1\nautostart=false\n";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        feed(stage, "cat", "child-cat", "0123456789abcdef");
        let reads = [(0, 0), (3, 0), (3, 4), (14, 9), (99, 4), (-4, 0), (-99, 0), (0, 16)];
        for (offset, length) in reads {
            stage.call("supervisor.readProcessStdoutLog", &[Text("cat"), Int(offset), Int(length)]);
        }
        let tails = [(0, 0), (0, 4), (0, 16), (12, 4), (12, 10), (16, 4), (99, 1), (-4, 30), (0, -1)];
        for (offset, length) in tails {
            stage.call("supervisor.tailProcessStdoutLog", &[Text("cat"), Int(offset), Int(length)]);
        }
        stage.call("supervisor.clearProcessLogs", &[Text("cat")]);
        stage.call("supervisor.readProcessStdoutLog", &[Text("cat"), Int(0), Int(0)]);
        feed(stage, "cat", "child-cat", "after");
        stage.call("supervisor.clearAllProcessLogs", &[]);
        feed(stage, "cat", "child-cat", "again");
        note_files(stage, "child-");
    });
}

/// RPC-023, RPC-022: characters that XML has to escape, and text beyond ASCII, come back as they are.
#[test]
fn rpc_022_text_of_logs() {
    let config = "[program:cat]\ncommand=/bin/cat\nstdout_logfile=%(here)s/child-cat\n";
    compare(config, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        feed(stage, "cat", "child-cat", "<a href=\"x\">&amp; 'quoted' ]]> 订单 ü €\n");
        stage.call("supervisor.readProcessStdoutLog", &[Text("cat"), Int(0), Int(0)]);
        stage.ctl(&["tail", "cat"]);
    });
}

/// PROC-150, CFG-095: strip_ansi.
#[test]
fn proc_150_strip_ansi() {
    let config = "\
[program:colours]
command=/usr/bin/printf 'plain \\033[31mred\\033[0m \\033[1;42mbold\\033[m end\\n'
stdout_logfile=%(here)s/child-colours
startsecs=0
autorestart=false
[supervisord]
strip_ansi=true
";
    compare(config, |stage| {
        stage.daemon.wait("EXITED", &["colours"]);
        stage.daemon.wait_file("child-colours", "end");
        note_files(stage, "child-");
    });
}

/// PROC-132, CFG-094: AUTO logs of an earlier daemon are removed at the start, other files are not.
#[test]
fn proc_132_clean_up() {
    let config = "[program:cat]\ncommand=/bin/cat\n";
    let prepare = |home: &crate::rig::home::Home| {
        for name in [
            "old-stdout---supervisor-abcdefgh.log",
            "old-stderr---supervisor-12345678.log.3",
            "keep---other-a.log",
        ] {
            home.write(name, "old");
        }
    };
    crate::rig::stage::compare_prepared(config, &prepare, |stage| {
        stage.daemon.wait("RUNNING", &["cat"]);
        note_files(stage, "---");
    });
}

/// PROC-133: a changed group that is taken away and added again, as the original's `update` does it, has new AUTO names, and
/// the old files stay.
/// PROC-139, PROC-138, D-10: a fifo is a log like any other, with a limit too, which ours ignores and says so.
/// RPC-161: what does not fit into the pipe is kept and written later (D-12: ours says so, where the original fails).
#[test]
fn proc_133_files_and_fifos() {
    let config = "\
[program:cat]
command=/bin/cat
[program:fifo]
command=/bin/cat
startsecs=0
stdout_logfile=%(here)s/fifo
stdout_logfile_maxbytes=0
autostart=false
[program:limited]
command=/bin/cat
startsecs=0
stdout_logfile=%(here)s/limited
autostart=false
[program:slow]
command=/bin/sh -c 'until test -e %(here)s/go; do sleep 0.05; done; exec cat'
startsecs=0
stdout_logfile=%(here)s/slow
stdout_logfile_maxbytes=0
";
    let prepare = |home: &Home| {
        for name in ["fifo", "limited"] {
            run(Path::new("/usr/bin/mkfifo"), &[name], home.path());
        }
    };
    compare_prepared(config, &prepare, |stage| {
        stage.daemon.wait("RUNNING", &["cat", "slow"]);
        let long = "0123456789abcde\n".repeat(6000);
        stage.call("supervisor.sendProcessStdin", &[Text("slow"), Text(&long)]);
        let again = stage.daemon.call("supervisor.sendProcessStdin", &[Text("slow"), Text("the end")]);
        let ours = stage.daemon.maker == Maker::Upkeep;
        assert_eq!(again.contains("<boolean>1</boolean>"), ours, "{again}");
        stage.daemon.home.write("go", "");
        stage.daemon.wait_file("slow", "the end");
        let whole = stage.daemon.home.read("slow") == format!("{long}the end");
        stage.note("nothing is lost", &whole.to_string());
        echo_through(stage, "fifo", &["first", "second"]);
        // The original reads no second line from a process whose log is a fifo with a limit.
        echo_through(stage, "limited", if ours { &["first", "second"] } else { &["first"] });
        let warned =
            stage.daemon.log().lines().any(|line| line.contains(" WARN ") && line.contains("limited"));
        assert_eq!(warned, ours);
        let changed = stage.daemon.home.read("supervisord.conf").replacen("/bin/cat", "/bin/cat -u", 1);
        stage.daemon.home.write("supervisord.conf", &changed);
        stage.call("supervisor.reloadConfig", &[]);
        for method in ["stopProcess", "removeProcessGroup", "addProcessGroup"] {
            stage.call(&format!("supervisor.{method}"), &[Text("cat")]);
        }
        stage.daemon.wait("RUNNING", &["cat"]);
        let now = stage.daemon.call("supervisor.getProcessInfo", &[Text("cat")]);
        stage.note("getProcessInfo", &now);
        note_files(stage, "cat-std");
    });
}

/// Starts a `cat` whose log is a fifo, and reads at the other end what it is sent.
fn echo_through(stage: &mut Stage, name: &str, lines: &[&str]) {
    let path = stage.daemon.home.join(name);
    // For writing too: it never ends then, and nobody waits for anybody when it is opened.
    let fifo = std::fs::OpenOptions::new().read(true).write(true).open(path).expect("a fifo");
    let (sender, echoed) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        BufReader::new(fifo)
            .lines()
            .map_while(Result::ok)
            .take_while(|line| sender.send(line.clone()).is_ok())
            .last()
    });
    stage.daemon.call("supervisor.startProcess", &[Text(name)]);
    for line in lines {
        stage.daemon.call("supervisor.sendProcessStdin", &[Text(name), Text(&format!("{line}\n"))]);
        let read = echoed.recv_timeout(PATIENCE);
        assert_eq!(read.as_deref(), Ok(*line), "{:?}, {name}: {}", stage.daemon.maker, stage.daemon.log());
    }
}
