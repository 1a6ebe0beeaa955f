//! `update` with a server that can change groups in part (D-37), played by the test.

use tempfile::TempDir;
use upkeep_api::xmlrpc::{Value, encode_fault, encode_response};

use crate::reference::{Side, run_in};
use crate::server::serve;

fn lists(lists: [(&str, &[&str]); 4]) -> Value {
    Value::record(lists.map(|(name, items)| (name, Value::strings(items.iter().copied()))))
}

fn answer(method: &str, group: &str) -> Vec<u8> {
    let value = match (method, group) {
        ("supervisor.reloadConfig", _) => {
            let changed = Value::strings(["live", "fewer", "again", "broken"]);
            let none = || Value::Array(Vec::new());
            Value::Array(vec![Value::Array(vec![none(), changed, none()])])
        }
        ("upkeep.updateProcessGroup", "live") => {
            lists([("stopped", &[]), ("restarted", &[]), ("started", &["c"]), ("live", &["a", "b"])])
        }
        ("upkeep.updateProcessGroup", "fewer") => {
            lists([("stopped", &["b"]), ("restarted", &[]), ("started", &[]), ("live", &[])])
        }
        ("upkeep.updateProcessGroup", "again") => {
            lists([("stopped", &[]), ("restarted", &["a"]), ("started", &[]), ("live", &["b"])])
        }
        ("upkeep.updateProcessGroup", "broken") => return encode_fault(30, "FAILED: broken"),
        other => panic!("nobody should ask for {other:?}"),
    };
    encode_response(&value)
}

#[test]
fn stopped_is_said_only_where_something_was_d_37() {
    let dir = TempDir::new().expect("tempdir");
    let url = serve(&dir, answer);
    let outcome = run_in(dir.path(), Side::Ours, &["-s", &url, "update"], "");
    assert_eq!(
        outcome.stdout,
        "live: updated process group\n\
         fewer: stopped\nfewer: updated process group\n\
         again: stopped\nagain: updated process group\n\
         error: <class 'xmlrpc.client.Fault'>, <Fault 30: 'FAILED: broken'>\n"
    );
    assert_eq!(outcome.status, Some(1));
}

#[test]
fn our_own_words_tell_which_d_37() {
    let dir = TempDir::new().expect("tempdir");
    let url = serve(&dir, answer);
    let outcome = run_in(dir.path(), Side::Upkeep, &["-s", &url, "update"], "");
    assert_eq!(
        outcome.stdout,
        "live: updated (started c; without a restart a, b)\n\
         fewer: updated (stopped b)\n\
         again: updated (restarted a; without a restart b)\n"
    );
    assert_eq!(outcome.stderr, "error: cannot update \"broken\": broken\n");
    assert_eq!(outcome.status, Some(1));
}
