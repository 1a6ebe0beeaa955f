//! Commands beside a process, with real processes: each runs once, whoever dies meanwhile, and none for ever.

use crate::rig::daemon::Daemon;
use crate::rig::home::{Home, repository};
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;
use crate::rig::procfs;
use crate::rig::wait::until;

/// Says that it runs, and waits until it may end.
const HOOK: &str = "\
echo \"$UPKEEP_HOOK $$\" >> order
while [ ! -e go ] && [ ! -e \"go.$UPKEEP_HOOK\" ]; do sleep 0.02; done
[ \"$UPKEEP_HOOK\" != stop_command ] || kill -TERM $UPKEEP_MAINPID
";

const HOOKS: [&str; 5] = ["pre_start", "post_start", "pre_stop", "stop_command", "post_stop"];

/// `web` with all its hooks.
fn config() -> String {
    let hooks = HOOKS.map(|hook| format!("{hook}=/bin/sh hook.sh\n")).concat();
    format!(
        "[program:web]\ncommand=/bin/sh -c 'trap \"exit 0\" TERM; while :; do sleep 0.02; done'\n{hooks}\
         reload_command=/bin/sh hook.sh\nhook_timeout=60\nstopwaitsecs=60\n"
    )
}

fn started(config: &str) -> Daemon {
    let home = Home::new();
    home.write("hook.sh", HOOK);
    Daemon::start_in(home, Maker::Upkeep, config)
}

/// The line of `supervisorctl status` about `web`, with single blanks.
fn shown(daemon: &Daemon) -> String {
    daemon.ctl(&["status", "web"]).stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn may_end(daemon: &Daemon, hook: &str) {
    daemon.home.write(&format!("go.{hook}"), "");
}

/// The hooks that have begun.
fn order(daemon: &Daemon) -> Vec<String> {
    daemon.home.read("order").lines().filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect()
}

fn pid_of_hook(daemon: &Daemon, hook: &str) -> i32 {
    until("the hook", || {
        let order = daemon.home.read("order");
        let line = order.lines().rfind(|line| line.starts_with(&format!("{hook} ")))?;
        line.split_once(' ')?.1.parse().ok()
    })
}

#[test]
fn each_hook_goes_on_when_the_daemon_dies() {
    let mut daemon = started(&config());
    let in_the_middle = |daemon: &mut Daemon, hook: &str, line: Option<&str>| {
        let pid = pid_of_hook(daemon, hook);
        assert!(line.is_none_or(|line| shown(daemon) == line), "{}", shown(daemon));
        daemon.kill_brain();
        assert!(line.is_none_or(|line| shown(daemon) == line), "{}", shown(daemon));
        assert!(procfs::alive(pid), "{hook}");
        may_end(daemon, hook);
        until("the hook to end", || (!procfs::alive(pid)).then_some(()));
    };
    in_the_middle(&mut daemon, "pre_start", Some("web STARTING pre_start is running"));
    daemon.wait("RUNNING", &["web"]);
    let pid = daemon.pid_of("web");
    in_the_middle(&mut daemon, "post_start", None);
    std::thread::scope(|scope| {
        let socket = daemon.socket();
        let reload = move || crate::rig::http::call(&socket, "upkeep.reloadProcess", &[Text("web")]).is_ok();
        let reload = scope.spawn(reload);
        in_the_middle(&mut daemon, "reload_command", None);
        assert!(reload.join().expect("a client"), "who asked for it is answered by the next daemon");
    });
    assert_eq!(daemon.pid_of("web"), pid);
    daemon.call("supervisor.stopProcess", &[Text("web"), crate::rig::http::Arg::Bool(false)]);
    in_the_middle(&mut daemon, "pre_stop", Some("web STOPPING pre_stop is running"));
    in_the_middle(&mut daemon, "stop_command", Some("web STOPPING stop_command is running"));
    in_the_middle(&mut daemon, "post_stop", Some("web STOPPING post_stop is running"));
    daemon.wait("STOPPED", &["web"]);
    let expected = ["pre_start", "post_start", "reload_command", "pre_stop", "stop_command", "post_stop"];
    assert_eq!(order(&daemon), expected);
    let log = daemon.log();
    assert!(!log.contains("failed"), "{log}");
}

/// What clients of Supervisor see is what they know.
#[test]
fn the_original_client_understands_what_it_is_told() {
    let daemon = started(&config());
    let ctl = |words: &[&str]| daemon.ctl_of(Maker::Reference, words).stdout;
    pid_of_hook(&daemon, "pre_start");
    assert!(ctl(&["status"]).contains("STARTING"), "{}", ctl(&["status"]));
    assert_eq!(ctl(&["start", "web"]), "web: ERROR (already started)\n");
    assert_eq!(ctl(&["signal", "HUP", "web"]), "web: ERROR (not running)\n");
    assert_eq!(ctl(&["stop", "web"]), "web: stopped\n");
    daemon.home.write("go", "");
    assert_eq!(ctl(&["start", "web"]), "web: started\n");
    assert_eq!(ctl(&["restart", "web"]), "web: stopped\nweb: started\n");
}

#[test]
fn hooks_go_on_when_the_keeper_dies_or_is_replaced() {
    let mut daemon = started(&config());
    let pid = pid_of_hook(&daemon, "pre_start");
    let said = daemon.upkeep(&["upgrade"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(procfs::alive(pid));
    daemon.kill_keeper();
    assert!(procfs::alive(pid));
    daemon.home.write("go", "");
    daemon.wait("RUNNING", &["web"]);
    assert_eq!(daemon.ctl(&["stop", "web"]).stdout, "web: stopped\n");
    let order = order(&daemon);
    assert_eq!(order.iter().filter(|hook| *hook == "pre_start").count(), 1, "{order:?}");
}

#[test]
fn a_hook_of_a_killed_supervisord_is_ended_before_the_next_one_begins() {
    let mut daemon = started(&config());
    let pid = pid_of_hook(&daemon, "pre_start");
    daemon.wait_file("supervisord.pid.children", "web (pre_start)");
    daemon.kill_both();
    daemon.start_again();
    assert!(!procfs::alive(pid), "{}", daemon.log());
    daemon.home.write("go", "");
    daemon.wait("RUNNING", &["web"]);
    assert_eq!(order(&daemon)[..2], ["pre_start", "pre_start"]);
}

#[test]
fn a_hook_that_hangs_is_killed_with_all_it_started() {
    let daemon = started(
        "[program:web]\ncommand=/bin/cat\nstartretries=0\nhook_timeout=0.3\n\
         pre_start=/bin/sh -c 'sleep 1000 & echo \"child $!\" > order; wait'\n",
    );
    daemon.wait("FATAL", &["web"]);
    let child = pid_of_hook(&daemon, "child");
    until("what it started to end", || (!procfs::alive(child)).then_some(()));
    assert_eq!(shown(&daemon), "web FATAL pre_start failed: it took longer than 0.3 s");
}

#[test]
fn a_start_whose_hook_fails_is_a_spawn_error_and_tells_why() {
    for (command, why) in
        [("/bin/sh -c 'exit 3'", "exit status 3"), ("/no/hook", "can't find command '/no/hook'")]
    {
        let text = format!(
            "[program:web]\ncommand=/bin/cat\nautostart=false\nstartretries=0\npre_start={command}\n"
        );
        let daemon = started(&text);
        assert_eq!(daemon.ctl(&["start", "web"]).stdout, "web: ERROR (spawn error)\n");
        daemon.wait("FATAL", &["web"]);
        assert_eq!(shown(&daemon), format!("web FATAL pre_start failed: {why}"));
        let log = daemon.log();
        assert!(log.contains(&format!("WARN pre_start of web failed: {why}\n")), "{log}");
    }
}

#[test]
fn a_hook_has_what_the_program_has_and_a_group_of_its_own() {
    let daemon = started(
        "[program:web]\ncommand=/bin/sh -c 'echo program; exec cat'\ndirectory=%(here)s/bin\numask=027\n\
         environment=COLOUR=\"blue\"\nstdout_logfile=%(here)s/web.log\nredirect_stderr=true\n\
         post_start=/bin/sh -c 'pwd; umask; echo $COLOUR $SUPERVISOR_PROCESS_NAME; cat; echo $$ $UPKEEP_MAINPID >&2; \
         echo \"post_start $$\" > ../order; while [ ! -e ../go ]; do sleep 0.02; done'\n",
    );
    let pid = pid_of_hook(&daemon, "post_start");
    assert_eq!(procfs::process_group(pid), Some(pid));
    let here = daemon.home.join("bin").display().to_string();
    let said = format!("{here}\n0027\nblue web\n{pid} {}\n", daemon.pid_of("web"));
    daemon.wait_file("web.log", &said);
    daemon.home.write("go", "");
}

#[test]
fn the_end_waits_for_hooks_and_ends_a_start() {
    let mut daemon =
        started(&format!("{}[program:late]\ncommand=/bin/cat\npre_start=sleep 1000\n", config()));
    daemon.home.write("go.pre_start", "");
    daemon.wait("RUNNING", &["web"]);
    daemon.home.write("go", "");
    daemon.wait("STARTING", &["late"]);
    daemon.ctl(&["shutdown"]);
    assert_eq!(daemon.wait_for_end(), Some(0));
    assert_eq!(order(&daemon).last().map(String::as_str), Some("post_stop"));
    assert!(daemon.log().contains("pre_start of late was ended"), "{}", daemon.log());
}

#[test]
fn an_update_ends_a_start_and_gives_new_hooks_to_what_runs() {
    let slow = "[program:slow]\ncommand=/bin/cat\npre_start=/bin/sh hook.sh\n";
    let daemon = started(&format!("{slow}[program:web]\ncommand=/bin/cat\n"));
    let pid = pid_of_hook(&daemon, "pre_start");
    daemon.wait("RUNNING", &["web"]);
    let web = daemon.pid_of("web");
    let config =
        daemon.home.read("supervisord.conf").replace("command=/bin/cat\npre_start", "command=cat\npre_start");
    let config = config.replace("[program:web]\n", "[program:web]\npost_stop=/bin/sh hook.sh\n");
    daemon.home.write("supervisord.conf", &config);
    let said = daemon.upkeep(&["update"]);
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(!procfs::alive(pid), "the first pre_start");
    assert_eq!(daemon.pid_of("web"), web, "new hooks need no restart");
    daemon.home.write("go", "");
    daemon.wait("RUNNING", &["slow"]);
    daemon.ctl(&["stop", "web"]);
    assert_eq!(order(&daemon), ["pre_start", "pre_start", "post_stop"]);
}

#[test]
fn reload_with_a_name_is_about_the_program() {
    let daemon = started(
        "[program:web]\ncommand=/bin/sh -c 'trap \"echo again\" HUP; echo up; while :; do sleep 0.02; done'\n\
         stdout_logfile=%(here)s/web.log\nreload_signal=HUP\n\
         [program:api]\ncommand=/bin/cat\nreload_command=/bin/sh -c 'test -e good'\n\
         [program:plain]\ncommand=/bin/cat\n",
    );
    daemon.wait("RUNNING", &["web", "api", "plain"]);
    daemon.wait_file("web.log", "up\n");
    let (keeper, pid) = (daemon.keeper(), daemon.pid_of("web"));
    let said = daemon.upkeep(&["reload", "web"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(0), "web: reloaded\n"), "{said:?}");
    daemon.wait_file("web.log", "again\n");
    let said = daemon.upkeep(&["reload", "api", "plain"]);
    assert_eq!(said.status, Some(1));
    assert!(said.stderr.contains("reload_command of api failed: exit status 1"), "{said:?}");
    assert!(said.stderr.contains("plain has neither reload_command nor reload_signal"), "{said:?}");
    daemon.home.write("good", "");
    let said = daemon.upkeep(&["reload", "all"]);
    assert_eq!((said.status, said.stdout.as_str()), (Some(0), "web: reloaded\napi: reloaded\n"), "{said:?}");
    let said = daemon.upkeep(&["reload", "--keep", "web"]);
    assert_eq!(said.status, Some(2), "{said:?}");
    daemon.ctl(&["stop", "api"]);
    let said = daemon.upkeep(&["reload", "api"]);
    assert!(said.status == Some(1) && said.stderr.contains("not running"), "{said:?}");
    assert_eq!((daemon.keeper(), daemon.pid_of("web")), (keeper, pid));
}

#[test]
fn the_example_holds_what_it_says() {
    let home = Home::new();
    home.copy_in(&repository("examples"));
    let daemon =
        Daemon::start_with(home, Maker::Upkeep, "examples/hooks.conf", "examples/run/hooks.sock", &[]);
    daemon.wait("RUNNING", &["app"]);
    let pid = daemon.pid_of("app");
    let log = "examples/run/hooks-app.log";
    daemon.wait_file(log, &format!("warming the cache of {pid}\n"));
    assert_eq!(daemon.upkeep(&["reload", "app"]).stdout, "app: reloaded\n");
    daemon.wait_file(log, "reading the configuration again\n");
    assert_eq!(daemon.upkeep(&["stop", "app"]).stdout, "app: stopped\n");
    let said = daemon.home.read(log);
    let steps = ["migrating", "serving", "warming", "taking it out", "asking", "cleaning up"];
    let at: Vec<_> = steps.iter().map(|step| said.find(step)).collect();
    assert!(at.is_sorted() && at.iter().all(Option::is_some), "{said}");
    let checked = daemon.upkeep(&["check"]);
    assert_eq!((checked.status, checked.stderr.as_str()), (Some(0), ""), "{}", checked.stdout);
}
