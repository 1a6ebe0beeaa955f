//! Changing the configuration of a running daemon: reread, add, remove, update.

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::maker::Maker;
use crate::rig::stage::{Stage, compare_crossed};

const BEFORE: &str = "\
[program:same]
command=/bin/cat
[program:changes]
command=/bin/cat
[program:goes]
command=/bin/cat
[program:gone_idle]
command=/bin/cat
autostart=false
";

const AFTER: &str = "\
[program:same]
command=/bin/cat
[program:changes]
command=/bin/cat -u
[program:comes]
command=/bin/cat
[program:comes_idle]
command=/bin/cat
autostart=false
";

fn rewrite(daemon: &Daemon, body: &str) {
    daemon.home.write("supervisord.conf", &format!("{HEAD}{body}"));
}

fn begin(stage: &Stage) {
    stage.daemon.wait("RUNNING", &["same", "changes", "goes"]);
    rewrite(&stage.daemon, AFTER);
}

/// CTL-095, CTL-099, CTL-100: reread tells, update does; the untouched process keeps its pid.
#[test]
fn ctl_099_update() {
    compare_crossed(BEFORE, |stage| {
        begin(stage);
        let pid = stage.daemon.pid_of("same");
        stage.ctl(&["reread"]);
        stage.ctl(&["avail"]);
        stage.ctl(&["update"]);
        stage.daemon.wait("RUNNING", &["same", "changes", "comes"]);
        stage.ctl(&["status"]);
        stage.ctl(&["reread"]);
        stage.ctl(&["update"]);
        stage.note("same pid", &(stage.daemon.pid_of("same") == pid).to_string());
        stage.note_log(&["same", "changes", "goes", "comes"]);
    });
}

/// CTL-101: update with names.
#[test]
fn ctl_101_update_with_names() {
    compare_crossed(BEFORE, |stage| {
        begin(stage);
        for words in [["update", "goes"], ["update", "comes"], ["update", "nobody"], ["update", "same"]] {
            stage.ctl(&words);
        }
        stage.daemon.wait("RUNNING", &["same", "changes", "comes"]);
        stage.ctl(&["status"]);
        stage.ctl(&["update", "all"]);
        stage.daemon.wait("RUNNING", &["changes"]);
        stage.ctl(&["status"]);
    });
}

/// CTL-097, CTL-098: add and remove by hand.
#[test]
fn ctl_097_add_remove() {
    compare_crossed(BEFORE, |stage| {
        begin(stage);
        stage.ctl(&["add", "comes"]);
        stage.ctl(&["reread"]);
        let commands: [&[&str]; 7] = [
            &["add", "comes", "comes_idle"],
            &["add", "comes"],
            &["remove", "goes"],
            &["stop", "goes"],
            &["remove", "goes", "gone_idle"],
            &["remove", "goes"],
            &["status", "goes"],
        ];
        commands.iter().for_each(|words| stage.ctl(words));
        stage.daemon.wait("RUNNING", &["comes"]);
        stage.ctl(&["status"]);
    });
}

/// CTL-096, CTL-103: a broken configuration is told and changes nothing.
#[test]
fn ctl_096_broken_configuration() {
    compare_crossed(BEFORE, |stage| {
        stage.daemon.wait("RUNNING", &["same", "changes", "goes"]);
        rewrite(&stage.daemon, "[program:same]\n");
        let said = stage.daemon.ctl_of(stage.client(), &["reread"]);
        let first = said.stdout.lines().next().unwrap_or_default().to_owned();
        stage.note("reread", &format!("{first}\n{:?}", said.status));
        stage.ctl(&["status"]);
        rewrite(&stage.daemon, BEFORE);
        stage.ctl(&["reread"]);
    });
}

/// D-37: a member that changed does not restart its group; more or fewer processes start or stop only those.
#[test]
fn d_037_only_what_changed() {
    let daemon = Daemon::start(Maker::Upkeep, &team("cat", 2, 10));
    daemon.wait("RUNNING", &["team:a_00", "team:a_01", "team:b"]);
    let pids = || ["team:a_00", "team:a_01", "team:b"].map(|name| daemon.pid_of(name));
    let first = pids();

    rewrite(&daemon, &team("cat", 3, 10));
    assert_eq!(daemon.ctl(&["update"]).stdout, "team: updated process group\n");
    daemon.wait("RUNNING", &["team:a_02"]);
    assert_eq!(pids(), first, "one more process leaves the others alone");

    rewrite(&daemon, &team("cat", 2, 20));
    daemon.ctl(&["update"]);
    assert_eq!(daemon.state("team:a_02"), None);
    assert_eq!(pids(), first, "stopwaitsecs is applied without a restart");

    rewrite(&daemon, &team("cat -u", 2, 20));
    assert_eq!(daemon.ctl(&["update"]).stdout, "team: stopped\nteam: updated process group\n");
    daemon.wait("RUNNING", &["team:a_00", "team:a_01", "team:b"]);
    let last = pids();
    assert_eq!(last[..2], first[..2], "the members that did not change go on");
    assert_ne!(last[2], first[2], "a new command needs a restart");
}

fn team(command: &str, numprocs: u32, stopwaitsecs: u32) -> String {
    format!(
        "[program:a]\ncommand=/bin/cat\nprocess_name=%(program_name)s_%(process_num)02d\nnumprocs={numprocs}\n\
         stopwaitsecs={stopwaitsecs}\n[program:b]\ncommand=/bin/{command}\n[group:team]\nprograms=a,b\n"
    )
}

/// D-37, CTL-104: `strict_update = true` is the original's way, a restart of the whole group.
#[test]
fn d_037_strict_update() {
    let strict = |body: String| format!("[supervisord]\nstrict_update=true\n{body}");
    let daemon = Daemon::start(Maker::Upkeep, &strict(team("cat", 2, 10)));
    daemon.wait("RUNNING", &["team:a_00", "team:a_01", "team:b"]);
    let first = daemon.pid_of("team:a_00");
    rewrite(&daemon, &strict(team("cat -u", 2, 10)));
    assert_eq!(daemon.ctl(&["update"]).stdout, "team: stopped\nteam: updated process group\n");
    daemon.wait("RUNNING", &["team:a_00"]);
    assert_ne!(daemon.pid_of("team:a_00"), first);
}

/// D-41: a bare name is a process, else a group, else the only member of that name; CTL-060.
#[test]
fn d_041_names() {
    let daemon = Daemon::start(Maker::Upkeep, &team("cat", 2, 10));
    daemon.wait("RUNNING", &["team:a_00", "team:a_01", "team:b"]);
    assert!(daemon.ctl(&["status", "b"]).stdout.starts_with("team:b "), "{:?}", daemon.ctl(&["status", "b"]));
    let pids = ["team:a_00", "team:a_01", "team:b"].map(|name| daemon.pid_of(name));
    let said = daemon.ctl(&["restart", "team"]);
    assert_eq!((said.status, said.stdout.matches(": started").count()), (Some(0), 3), "{said:?}");
    for (name, pid) in ["team:a_00", "team:a_01", "team:b"].iter().zip(pids) {
        assert_ne!(daemon.pid_of(name), pid);
    }
    let said = daemon.ctl(&["stop", "a_*"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    daemon.wait("STOPPED", &["team:a_00", "team:a_01"]);
    daemon.wait("RUNNING", &["team:b"]);
    let said = daemon.ctl(&["start", "nobody"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(1), "nobody: ERROR (no such process)\n"));
}
