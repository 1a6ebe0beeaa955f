//! `reread` and `update` while configurations change (CTL-095 … CTL-104).

use upkeep_api::ProcessState;

use crate::reference::{Outcome, Pair};

fn program(name: &str, more: &str) -> String {
    format!("[program:{name}]\ncommand=/bin/cat\nstartsecs=0\n{more}\n")
}

fn started() -> Pair {
    let pair = Pair::start(&(program("a", "") + &program("b", "") + &program("c", "")));
    for name in ["a", "b", "c"] {
        pair.wait_state(name, ProcessState::Running);
    }
    pair
}

fn configure(pair: &Pair, sections: &str) {
    pair.both().iter().for_each(|daemon| daemon.configure(sections));
}

fn ended(outcome: &Outcome, stdout: &str, status: i32) {
    assert_eq!((outcome.stdout.as_str(), outcome.status), (stdout, Some(status)));
}

#[test]
fn added_changed_removed_ctl_095_099_100() {
    let pair = started();
    ended(&pair.same(&["reread"]), "No config updates to processes\n", 0);
    ended(&pair.same(&["update"]), "", 0);
    configure(&pair, &(program("b", "stopwaitsecs=9") + &program("c", "") + &program("d", "")));
    ended(&pair.same(&["reread"]), "a: disappeared\nb: changed\nd: available\n", 0);
    ended(&pair.same(&["reread"]), "a: disappeared\nb: changed\nd: available\n", 0);
    pair.same(&["avail"]);
    ended(
        &pair.same(&["update"]),
        "a: stopped\na: removed process group\nb: stopped\nb: updated process group\nd: added process group\n",
        0,
    );
    pair.wait_state("d", ProcessState::Running);
    pair.same_lines("status\nupdate\nreread\navail");
}

#[test]
fn only_some_groups_ctl_101() {
    let pair = started();
    configure(&pair, &(program("b", "stopwaitsecs=9") + &program("c", "stopwaitsecs=9") + &program("d", "")));
    ended(
        &pair.same(&["update", "c", "zzz"]),
        "ERROR: no such group: zzz\nc: stopped\nc: updated process group\n",
        1,
    );
    ended(&pair.same(&["update", "d"]), "d: added process group\n", 0);
    ended(&pair.same(&["update", "a"]), "a: stopped\na: removed process group\n", 0);
    ended(&pair.same(&["update", "zzz", "all"]), "b: stopped\nb: updated process group\n", 0);
}

#[test]
fn a_broken_file_ctl_096_103() {
    let pair = started();
    configure(&pair, "[program:a]\ncommand=/bin/cat\nstopsignal=NOPE\n");
    let outcome = pair.same(&["reread"]);
    assert!(outcome.stdout.starts_with("ERROR: CANT_REREAD: "), "{outcome:?}");
    let outcome = pair.same(&["update"]);
    assert!(outcome.stdout.starts_with("error: <class 'xmlrpc.client.Fault'>, <Fault 92: "), "{outcome:?}");
}
