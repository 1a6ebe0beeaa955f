//! How configurations are read, kept and brought back.

use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::home::Home;
use crate::rig::http::Arg;
use crate::rig::maker::Maker;
use crate::rig::port::free_port;
use crate::rig::run::{plain_environment, run};
use crate::rig::wait::until;

/// One of our own commands, under way, that does not read the daemon's configuration itself.
fn begin(daemon: &Daemon, words: &[&str]) -> Child {
    let mut command = Command::new(daemon.home.join("bin/upkeep"));
    plain_environment(&mut command);
    let client = format!("[supervisorctl]\nserverurl=unix://{}\n", daemon.socket().display());
    daemon.home.write("client.conf", &client);
    command.args(words).arg("-c").arg(daemon.home.join("client.conf"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("upkeep")
}

/// Six clients let a configuration be read whose end does not come: the file has become a fifo. Nothing else is held up by that, not even
/// another keeper, and none of them is forgotten.
#[test]
fn a_configuration_that_does_not_end_holds_up_nobody_else() {
    let body = "[program:web]\ncommand=/bin/cat\n";
    let mut daemon = Daemon::start(Maker::Upkeep, body);
    daemon.wait("RUNNING", &["web"]);
    let more = format!("{HEAD}{body}[program:extra]\ncommand=/bin/cat\n");
    daemon.home.write("supervisord.conf", &more);
    assert_eq!(daemon.upkeep(&["reread"]).status, Some(0));
    let fifo = daemon.home.join("supervisord.conf");
    std::fs::remove_file(&fifo).expect("removed");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    let commands: [&[&str]; 6] =
        [&["diff"], &["reread"], &["diff"], &["reread"], &["reload", "--keep"], &["diff"]];
    let mut waiting: Vec<Child> = commands.iter().map(|words| begin(&daemon, words)).collect();
    // Somebody reads it, and nobody has written.
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let writer = until("a reader", || rustix::fs::open(&fifo, flags, Mode::empty()).ok());
    let restart = |daemon: &Daemon| {
        let mut child = begin(daemon, &["restart", "web"]);
        assert!(until("a restart", || child.try_wait().expect("wait")).success());
    };
    restart(&daemon);
    daemon.kill_keeper();
    restart(&daemon);
    // What was read before is there.
    daemon.call("supervisor.addProcessGroup", &[Arg::Text("extra")]);
    daemon.wait("RUNNING", &["web", "extra"]);
    drop(writer);
    // One after the other comes to read the fifo, which is empty.
    until("all to be answered", || {
        drop(rustix::fs::open(&fifo, flags, Mode::empty()));
        waiting.retain_mut(|child| child.try_wait().expect("wait").is_none());
        waiting.is_empty().then_some(())
    });
}

/// A fifo that `[include]` matches is an error and nothing to wait for: more of them than readings may hang are told of one after the other,
/// and the next reading works.
#[test]
fn a_fifo_that_is_included_keeps_no_reading() {
    let home = Home::new();
    home.write("conf.d/web.conf", "[program:web]\ncommand=/bin/cat\n");
    let daemon = Daemon::start_in(home, Maker::Upkeep, "[include]\nfiles=conf.d/*.conf\n");
    let fifo = daemon.home.join("conf.d/x.conf");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo").success());
    for words in [&["reread"][..], &["diff"], &["update"], &["reload", "--keep"], &["reread"]] {
        let said = daemon.upkeep(words);
        assert!(said.stderr.contains("/conf.d/x.conf', which [include] matches, is a fifo"), "{said:?}");
        assert_eq!(said.status, Some(1), "{said:?}");
    }
    std::fs::remove_file(&fifo).expect("removed");
    assert_eq!(daemon.upkeep(&["diff"]).stdout, "nothing would change\n");
}

const OLD: &str = "[program:web]\ncommand=/bin/cat\n[program:api]\ncommand=/bin/cat\n";
const NEW: &str =
    "[program:web]\ncommand=/bin/cat -\n[program:api]\ncommand=/bin/cat\n[program:extra]\ncommand=/bin/cat\n";

/// Another configuration, and what an update says of it.
fn update(daemon: &Daemon, body: &str) {
    daemon.home.write("supervisord.conf", &format!("{HEAD}{body}"));
    let said = daemon.upkeep(&["update"]);
    assert_eq!(said.status, Some(0), "{said:?}");
}

/// What `upkeep config list` tells, without the times.
fn list(daemon: &Daemon) -> Vec<String> {
    let said = daemon.upkeep(&["config", "list"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        [&words[..1], &words[3..]].concat().join(" ")
    };
    said.stdout.lines().map(line).collect()
}

#[test]
fn a_configuration_that_was_applied_is_brought_back() {
    let mut daemon = Daemon::start(Maker::Upkeep, OLD);
    daemon.wait("RUNNING", &["web", "api"]);
    assert_eq!(list(&daemon), ["1 start running"]);
    let (web, api) = (daemon.pid_of("web"), daemon.pid_of("api"));
    update(&daemon, NEW);
    update(&daemon, NEW);
    let two = ["1 start", "2 update 2 groups changed running"];
    assert_eq!(list(&daemon), two);
    let shown = daemon.upkeep(&["config", "show", "1"]).stdout;
    assert!(shown.ends_with(&format!("{HEAD}{OLD}")) && shown.starts_with("==> /"), "{shown}");
    let differs = daemon.upkeep(&["config", "show", "1", "--diff"]).stdout;
    assert!(differs.contains("\n-command=/bin/cat\n+command=/bin/cat -\n"), "{differs}");
    let told = daemon.upkeep(&["config", "rollback", "1", "--dry-run"]).stdout;
    assert!(told.contains("web    restart     command (") && told.contains("extra  removed"), "{told}");
    let changed = daemon.pid_of("web");
    assert_ne!(changed, web);
    let said = daemon.upkeep(&["config", "rollback", "1"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(
        said.stdout.starts_with(&told) && said.stdout.contains("\nweb: updated (restarted web)"),
        "{said:?}"
    );
    assert!(said.stderr.contains("the files on disk still say something else"), "{said:?}");
    assert!(said.stderr.contains("  extra  new  ") && said.stderr.contains("--write"), "{said:?}");
    daemon.wait("RUNNING", &["web", "api"]);
    assert_ne!(daemon.pid_of("web"), changed);
    assert_eq!((daemon.pid_of("api"), daemon.state("extra")), (api, None));
    let three = ["1 start", "2 update 2 groups changed", "3 rollback 1 2 groups changed running"];
    assert_eq!(list(&daemon), three);
    // What nothing comes from any more outlives daemon and keeper.
    daemon.kill_brain();
    daemon.kill_keeper();
    daemon.kill_brain();
    assert_eq!(list(&daemon), three);
    assert!(daemon.upkeep(&["config", "show", "2"]).stdout.contains("[program:extra]"));
    let said = daemon.upkeep(&["config", "rollback", "1", "--write"]);
    assert_eq!((said.status, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    assert!(
        said.stdout.contains("nothing would change\n") && said.stdout.contains("conf: written\n"),
        "{said:?}"
    );
    assert_eq!(daemon.home.read("supervisord.conf"), format!("{HEAD}{OLD}"));
    assert_eq!(daemon.upkeep(&["diff"]).stdout, "nothing would change\n");
    assert_eq!(list(&daemon), three);
    daemon.home.write("supervisord.conf", &format!("{HEAD}[program:web]\ncomand=x\n"));
    let said = daemon.upkeep(&["config", "rollback", "2"]);
    let wrong =
        "note: the files on disk are wrong, and nothing can be updated before they are put right:\nerror: ";
    assert!(said.stderr.starts_with(wrong) && said.status == Some(0), "{said:?}");
    let unknown = daemon.upkeep(&["config", "rollback", "9"]);
    assert!(
        unknown.stderr.contains("there is no configuration 9") && unknown.status == Some(1),
        "{unknown:?}"
    );
}

/// A file that was not there then is read again by the next update, unless somebody removes it: that is said, not done.
#[test]
fn a_file_that_was_added_is_named_and_left() {
    let home = Home::new();
    home.write("conf.d/a.conf", "[program:a]\ncommand=/bin/cat\n");
    let daemon = Daemon::start_in(home, Maker::Upkeep, "[include]\nfiles=conf.d/*.conf\n");
    daemon.wait("RUNNING", &["a"]);
    daemon.home.write("conf.d/a.conf", "[program:a]\ncommand=/bin/cat -\n");
    daemon.home.write("conf.d/b.conf", "[program:b]\ncommand=/bin/cat\n");
    assert_eq!(daemon.upkeep(&["update"]).status, Some(0));
    let said = daemon.upkeep(&["config", "rollback", "1", "--write"]);
    assert_eq!(said.status, Some(1), "{said:?}");
    assert!(said.stdout.contains("/conf.d/a.conf: written\n"), "{said:?}");
    assert!(said.stdout.contains("/conf.d/b.conf: was not there in 1, and still is"), "{said:?}");
    assert!(said.stderr.contains("  b  new "), "{said:?}");
    assert_eq!(daemon.home.read("conf.d/a.conf"), "[program:a]\ncommand=/bin/cat\n");
    assert!(daemon.state("b").is_none() && daemon.home.join("conf.d/b.conf").exists());
}

/// In a directory they outlive everything, for nobody else's eyes, and only so many of them.
#[test]
fn a_directory_keeps_them_beyond_the_end() {
    let head = "[supervisord]\nconfig_history=2\nconfig_history_dir=%(here)s/history\n";
    let body = |command: &str| format!("[program:web]\ncommand={command}\n{head}");
    let mut daemon = Daemon::start(Maker::Upkeep, &body("/bin/cat"));
    update(&daemon, &body("/bin/cat -"));
    update(&daemon, &body("/bin/cat - -"));
    let two = ["2 update 1 group changed", "3 update 1 group changed running"];
    assert_eq!(list(&daemon), two);
    daemon.ctl(&["shutdown"]);
    daemon.wait_for_end();
    let mode = |name: &str| {
        let about = std::fs::metadata(daemon.home.join(name)).expect(name);
        std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777
    };
    assert_eq!((mode("history"), mode("history/2.files"), mode("history/list.json")), (0o700, 0o600, 0o600));
    assert!(!daemon.home.join("history/1.files").exists());
    daemon.start_again();
    daemon.wait("RUNNING", &["web"]);
    assert_eq!(list(&daemon), two);
    let said = daemon.upkeep(&["config", "rollback", "2", "--write"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert_eq!(list(&daemon), ["3 update 1 group changed", "4 rollback 2 1 group changed running"]);
    assert_eq!(daemon.home.read("supervisord.conf"), format!("{HEAD}{}", body("/bin/cat -")));
}

const KEPT: &str = "[supervisord]\nconfig_history_dir=%(here)s/history\n";

/// The names of what is in the directory, when there is something else than a lock.
fn kept(daemon: &Daemon) -> Vec<String> {
    let names = std::fs::read_dir(daemon.home.join("history")).expect("a directory");
    let mut names: Vec<String> =
        names.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

/// What an earlier daemon kept comes before what this one applied; so does what a daemon of another version, or one that was to keep
/// none, has left there.
#[test]
fn what_a_directory_has_is_taken_in() {
    let body = |command: &str| format!("[program:web]\ncommand={command}\n{KEPT}");
    let mut daemon = Daemon::start(Maker::Upkeep, &body("/bin/cat"));
    update(&daemon, &body("/bin/cat -"));
    daemon.ctl(&["shutdown"]);
    daemon.wait_for_end();
    daemon.home.write("supervisord.conf", &format!("{HEAD}{}", body("/bin/cat - -")));
    daemon.start_again();
    daemon.wait("RUNNING", &["web"]);
    daemon.wait_log("found in config_history_dir: number 1 of this daemon is 3 now");
    let three = ["1 start", "2 update 1 group changed", "3 start running"];
    assert_eq!(list(&daemon), three);
    let files = ["1.files", "2.files", "3.files", "list.json", "lock"];
    until("all to be on disk", || (kept(&daemon) == files).then_some(()));
    daemon.kill_brain();
    daemon.kill_keeper();
    daemon.kill_brain();
    assert_eq!(list(&daemon), three);
    let said = daemon.upkeep(&["config", "rollback", "1"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    let four = [&three[..2], &["3 start", "4 rollback 1 1 group changed running"]].concat();
    assert_eq!(list(&daemon), four);
    let on_disk = || daemon.home.read("history/list.json");
    until("the fourth to be on disk", || on_disk().contains("\"number\": 4").then_some(()));
    // Somebody has removed it.
    std::fs::remove_dir_all(daemon.home.join("history")).expect("removed");
    update(&daemon, &body("/bin/cat - - -"));
    until("all to be on disk again", || daemon.home.join("history/list.json").exists().then_some(()));
    assert_eq!(kept(&daemon).len(), 7);
}

/// By the number 0 none stays on disk, and what is kept afterwards is.
#[test]
fn a_directory_is_emptied_and_filled_again() {
    let body = |most: u64| format!("[program:web]\ncommand=/bin/cat\n{KEPT}config_history={most}\n");
    let daemon = Daemon::start(Maker::Upkeep, &body(10));
    let files = ["1.files", "list.json", "lock"];
    until("one to be on disk", || {
        (daemon.home.join("history").exists() && kept(&daemon) == files).then_some(())
    });
    for (most, left) in [(0, &["lock"][..]), (10, &["2.files", "list.json", "lock"])] {
        daemon.home.write("supervisord.conf", &format!("{HEAD}{}", body(most)));
        assert_eq!(daemon.upkeep(&["reload", "--keep"]).status, Some(0));
        until("that to be so on disk", || (kept(&daemon) == left).then_some(()));
    }
    assert_eq!(list(&daemon), ["2 reload running"]);
    assert!(!daemon.log().contains("config_history_dir: "));
}

/// What programs run with is what runs, also when `reload --keep` has applied the rest of another configuration.
#[test]
fn what_runs_is_what_groups_are_made_of() {
    let daemon = Daemon::start(Maker::Upkeep, OLD);
    update(&daemon, NEW);
    assert_eq!(daemon.upkeep(&["config", "rollback", "1"]).status, Some(0));
    daemon.upkeep(&["reload", "--keep"]);
    let four = ["1 start", "2 update 2 groups changed", "3 rollback 1 2 groups changed running", "4 reload"];
    assert_eq!(list(&daemon), four);
    assert!(!daemon.upkeep(&["config", "show"]).stdout.contains("[program:extra]"));
    update(&daemon, NEW);
    assert_eq!(list(&daemon)[2..], ["3 rollback 1 2 groups changed", "4 reload 2 groups changed running"]);
    // Nothing but the daemon's own options: all of it is in effect.
    daemon.home.write("supervisord.conf", &format!("{HEAD}{NEW}[supervisord]\nloglevel=debug\n"));
    assert_eq!(daemon.upkeep(&["reload", "--keep"]).status, Some(0));
    assert_eq!(list(&daemon)[4..], ["5 reload running"]);
}

/// A disk that takes nothing hinders nothing, and is complained of once.
#[test]
fn a_directory_that_cannot_be_had_hinders_no_update() {
    let body = |command: &str| {
        format!("[program:web]\ncommand={command}\n[supervisord]\nconfig_history_dir=/proc/no/history\n")
    };
    let daemon = Daemon::start(Maker::Upkeep, &body("/bin/cat"));
    daemon.wait_log("config_history_dir: configurations cannot be kept in '/proc/no/history'");
    update(&daemon, &body("/bin/cat -"));
    assert_eq!(list(&daemon), ["1 start", "2 update 1 group changed running"]);
    assert_eq!(daemon.log().matches("config_history_dir: ").count(), 1);
}

/// Who may control processes over TCP need not see every password.
#[test]
fn configurations_are_shown_over_the_unix_socket_alone() {
    let port = free_port();
    let daemon = Daemon::start(Maker::Upkeep, &format!("[inet_http_server]\nport=127.0.0.1:{port}\n"));
    let url = format!("http://127.0.0.1:{port}");
    let listed = daemon.upkeep(&["config", "list", "-s", &url]);
    assert!(listed.stdout.contains("  start"), "{listed:?}");
    for words in
        [&["config", "show", "1", "-s", &url][..], &["config", "rollback", "1", "--write", "-s", &url]]
    {
        let said = daemon.upkeep(words);
        assert!(said.stderr.contains("configurations hold passwords") && said.status == Some(1), "{said:?}");
    }
    let all = daemon.upkeep(&["config", "show"]);
    assert!(all.stdout.contains("[inet_http_server]"), "{all:?}");
}

/// By the number 0 nothing is kept, and a `reload --keep` applies that at once.
#[test]
fn nothing_is_kept_if_so_wanted() {
    let daemon = Daemon::start(Maker::Upkeep, OLD);
    update(&daemon, NEW);
    let none = format!("{HEAD}{NEW}[supervisord]\nconfig_history=0\n");
    daemon.home.write("supervisord.conf", &none);
    let said = daemon.upkeep(&["reload", "--keep"]);
    assert!(said.stdout.contains("config_history"), "{said:?}");
    assert_eq!(
        daemon.upkeep(&["config", "list"]).stdout,
        "none is kept ([supervisord] config_history = 0)\n"
    );
    daemon.home.write("supervisord.conf", &format!("{HEAD}{NEW}[supervisord]\nconfig_history=101\n"));
    let refused = daemon.upkeep(&["check"]);
    assert!(
        refused.stdout.contains("not a valid value for config_history: '101'")
            && refused.stdout.contains("write how many to keep, 0 to 100"),
        "{refused:?}"
    );
}

/// The version of the executable is told where there is no daemon, and no configuration.
#[test]
fn the_executable_tells_its_version_alone() {
    let home = Home::new();
    Maker::Upkeep.install(&home.join("bin"));
    for option in ["--version", "-V"] {
        let said = run(&home.join("bin/upkeep"), &[option], home.path());
        let version = concat!("upkeep ", env!("CARGO_PKG_VERSION"), "\n");
        assert_eq!((said.stdout.as_str(), said.status), (version, Some(0)));
    }
}
