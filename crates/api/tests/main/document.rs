//! The document of all processes is written without a tree of values: byte by byte what the tree would have given.

use proptest::collection::vec;
use proptest::prelude::*;
use upkeep_api::verbs::ProcessDocument;
use upkeep_api::xmlrpc::{Value, encode_response};
use upkeep_api::{ProcessInfo, ProcessList, ProcessState, Reply};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9_/.]{0,12}",
        "[ -~]{0,12}",
        any::<String>(),
        "[&<>\u{0}-\u{1f}\u{fffe}\u{ffff}，中]{0,6}"
    ]
}

prop_compose! {
    fn process()(
        texts in [text(), text(), text(), text(), text(), text()],
        (start, stop, now) in (any::<i64>(), any::<i64>(), 0..5_000_000_000_i64),
        state in 0..ProcessState::ALL.len(),
        exitstatus in any::<i32>(),
        pid in any::<u32>(),
    ) -> ProcessInfo {
        let [name, group, spawnerr, stdout_logfile, stderr_logfile, description] = texts;
        let state = ProcessState::ALL[state];
        ProcessInfo {
            name, group, start, stop, now, state, spawnerr, exitstatus, stdout_logfile, stderr_logfile, pid, description,
        }
    }
}

/// The document, after a look at its pieces.
fn document(list: ProcessList) -> Vec<u8> {
    let mut pieces = ProcessDocument::new(list);
    let (length, mut whole) = (pieces.left(), Vec::new());
    while let Some(piece) = pieces.next() {
        assert!(!piece.is_empty());
        whole.extend(piece);
        assert_eq!(whole.len() + pieces.left(), length, "what is left is told beforehand");
    }
    assert_eq!(pieces.left(), 0);
    whole
}

fn generic(list: ProcessList) -> Vec<u8> {
    encode_response(&Value::from(Reply::Processes(list)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_document_is_that_of_the_values_rpc_022(infos in vec(process(), 0..6)) {
        let list: ProcessList = infos.iter().cloned().collect();
        let again: Vec<ProcessInfo> = list.iter().map(Into::into).collect();
        prop_assert_eq!(&again, &infos, "the list holds what was put in");
        prop_assert_eq!(document(list.clone()), generic(list));
    }
}

#[test]
fn a_long_document_is_the_same_in_pieces_rpc_022() {
    let info = |number: usize| ProcessInfo {
        name: format!("p{number}"),
        group: if number.is_multiple_of(7) { "a&b".to_owned() } else { "g".to_owned() },
        start: 1,
        stop: 2,
        now: 3,
        state: ProcessState::Running,
        spawnerr: "x".repeat(if number == 100 { 200_000 } else { 0 }),
        exitstatus: -1,
        stdout_logfile: format!("/var/log/{number}.log"),
        stderr_logfile: String::new(),
        pid: 7,
        description: "pid 7, uptime 0:00:00".to_owned(),
    };
    let list: ProcessList = (0..400).map(info).collect();
    assert!(ProcessDocument::new(list.clone()).count() > 5);
    assert_eq!(document(list.clone()), generic(list));
}
