//! `stdin = null`.

use crate::rig::daemon::Daemon;
use crate::rig::home::Home;
use crate::rig::http::Arg::Text;
use crate::rig::maker::Maker;

/// Such a process reads the end at once, takes nothing from clients, and lives on as any other.
#[test]
fn a_process_may_have_nothing_to_read() {
    let config = "[program:a]\ncommand=/bin/sh -c 'cat; echo ended; exec sleep 1000'\nstdin=null\nredirect_stderr=true\n\
                  stdout_logfile=%(here)s/a.log\n";
    let daemon = Daemon::start_in(Home::new(), Maker::Upkeep, config);
    daemon.wait("RUNNING", &["a"]);
    daemon.wait_file("a.log", "ended\n");
    let pid = daemon.pid_of("a");
    assert_eq!(
        std::fs::read_link(format!("/proc/{pid}/fd/0")).expect("a descriptor").as_os_str(),
        "/dev/null"
    );
    let refused = |daemon: &Daemon| {
        let answer = daemon.call("supervisor.sendProcessStdin", &[Text("a"), Text("words")]);
        assert!(answer.contains("NO_FILE: a"), "{answer}");
    };
    refused(&daemon);
    daemon.kill_brain();
    refused(&daemon);
    assert_eq!(daemon.pid_of("a"), pid);
}
