//! What an update would do is told before, and then it does that.

use crate::rig::daemon::{Daemon, HEAD};
use crate::rig::maker::Maker;
use crate::rig::wait::until_true;

const OLD: &str = "\
[program:web]
command=/bin/cat
stopwaitsecs=7
[program:queue]
command=/bin/cat
process_name=%(process_num)d
numprocs=2
[program:api]
command=/bin/cat
[program:off]
command=/bin/cat
autostart=false
[program:old]
command=/bin/cat
";

const NEW: &str = "\
[program:web]
command=/bin/cat -
stopwaitsecs=3
[program:queue]
command=/bin/cat
process_name=%(process_num)d
numprocs=3
[program:api]
command=/bin/cat
startsecs=2
[program:off]
command=/bin/cat -
autostart=false
[program:fresh]
command=/bin/cat
";

/// What does not run, or will not by itself: nothing has to stop for it, and nothing may start.
#[test]
fn diff_tells_no_times_of_what_does_not_run() {
    let old = "[program:done]\ncommand=/bin/true\nstartsecs=0\nautorestart=false\n\
        [program:gone]\ncommand=/bin/cat\nautostart=false\n";
    let new = "[program:done]\ncommand=/bin/cat\nstartsecs=0\nautorestart=false\n\
        [program:hush]\ncommand=/bin/cat\nautostart=false\n";
    let daemon = Daemon::start(Maker::Upkeep, old);
    daemon.wait("EXITED", &["done"]);
    daemon.home.write("supervisord.conf", &format!("{HEAD}{new}"));
    let lines = HEAD.lines().count();
    let at = |line: usize| format!("({}:{})", daemon.home.join("supervisord.conf").display(), lines + line);
    let expected = [
        format!("done start command {}", at(2)),
        format!("hush new [program:hush] {}", at(5)),
        "gone removed".to_owned(),
    ];
    let told = daemon.upkeep(&["diff"]);
    assert_eq!(words(&told.stdout), expected, "{told:?}");
    assert_eq!(daemon.upkeep(&["update"]).status, Some(0));
    daemon.wait("RUNNING", &["done"]);
    daemon.wait("STOPPED", &["hush"]);
}

fn words(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Who restarts because of it is told, with the time that this takes, and then does so.
#[test]
fn diff_tells_who_goes_along() {
    let body = |command: &str| {
        format!(
            "[program:db]\ncommand={command}\nstopwaitsecs=5\n[program:api]\ncommand=/bin/cat\ndepends_on=db\n\
             on_dependency_stop=restart\nstopwaitsecs=3\n[program:web]\ncommand=/bin/cat\ndepends_on=db\n"
        )
    };
    let daemon = Daemon::start(Maker::Upkeep, &body("/bin/cat"));
    daemon.wait("RUNNING", &["db", "api", "web"]);
    let (api, web) = (daemon.pid_of("api"), daemon.pid_of("web"));
    daemon.home.write("supervisord.conf", &format!("{HEAD}{}", body("/bin/cat -")));
    let told = daemon.upkeep(&["diff"]);
    assert!(
        told.stdout.ends_with(", stopping may take 8 s, starting 2 s, restarts api with it\n"),
        "{told:?}"
    );
    assert_eq!(daemon.upkeep(&["update"]).status, Some(0));
    until_true("api is another one", || ![0, api].contains(&daemon.pid_of("api")));
    assert_eq!(daemon.pid_of("web"), web);
}

#[test]
fn diff_tells_what_update_does_and_changes_nothing() {
    let daemon = Daemon::start(Maker::Upkeep, OLD);
    daemon.wait("RUNNING", &["web", "api", "old", "queue:1"]);
    let pid = daemon.pid_of("web");
    assert_eq!(daemon.upkeep(&["diff"]).stdout, "nothing would change\n");
    daemon.home.write("supervisord.conf", &format!("{HEAD}{NEW}"));
    let lines = HEAD.lines().count();
    let file = daemon.home.join("supervisord.conf").display().to_string();
    let at = |line: usize| format!("({file}:{})", lines + line);
    let expected = vec![
        format!("api next start startsecs {}", at(10)),
        format!("fresh new [program:fresh] {}, starting 1 s", at(14)),
        format!("off next start command {}", at(12)),
        format!("queue:2 new numprocs {}, starting 1 s", at(7)),
        format!("web restart command {}, stopwaitsecs {}, stopping may take 7 s, starting 1 s", at(2), at(3)),
        "old removed stopping may take 10 s".to_owned(),
    ];
    let told = daemon.upkeep(&["diff"]);
    assert_eq!(words(&told.stdout), expected, "{told:?}");
    for same in [&["update", "--dry-run"][..], &["reread", "--plan"]] {
        assert_eq!(daemon.upkeep(same).stdout, told.stdout, "{same:?}");
    }
    let one = daemon.upkeep(&["update", "--dry-run", "api"]);
    assert_eq!(words(&one.stdout), expected[..1], "{one:?}");
    let json = daemon.upkeep(&["diff", "web", "--json"]);
    assert!(
        json.stdout.contains("\"change\": \"restart\"") && json.stdout.contains("\"seconds\": 7"),
        "{json:?}"
    );
    assert_eq!((daemon.pid_of("web"), daemon.state("fresh")), (pid, None));
    daemon.ctl(&["update"]);
    daemon.wait("RUNNING", &["web", "queue:2", "fresh"]);
    assert_ne!(daemon.pid_of("web"), pid);
    until_true("it is gone", || daemon.state("old").is_none());
    assert_eq!(daemon.upkeep(&["diff"]).stdout, "nothing would change\n");
    daemon
        .home
        .write("supervisord.conf", &format!("{HEAD}[program:web]\ncommand=/bin/cat\nautostart=mayby\n"));
    let refused = daemon.upkeep(&["diff"]);
    assert!(refused.stderr.contains("mayby") && refused.status != Some(0), "{refused:?}");
}
