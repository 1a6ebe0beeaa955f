//! The document of all processes is written without a tree of values: byte by byte what the tree would have given.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use upkeep_api::verbs::{ProcessDocument, read_processes};
use upkeep_api::xmlrpc::{Value, encode_response};
use upkeep_api::{ProcessInfo, ProcessList, ProcessState, Reply, SharedList};

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
    encode_response(&Value::from(Reply::Processes(list.into())))
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// With any byte replaced, and cut off anywhere.
    #[test]
    fn a_document_is_read_as_ever_or_not_at_all(
        infos in vec(process(), 0..3),
        place in any::<prop::sample::Index>(),
        byte in prop_oneof![any::<u8>(), prop::sample::select(b"<>&0-+ \n\r".to_vec())],
    ) {
        let mut document = document(infos.iter().cloned().collect());
        crate::properties::answer(&document);
        let place = place.index(document.len());
        document[place] = byte;
        crate::properties::answer(&document);
        crate::properties::answer(&document[..place]);
        prop_assert_eq!(read_processes(&document[..place]), None);
    }
}

#[test]
fn what_needs_no_care_is_read_quickly() {
    let info = ProcessInfo {
        name: "中 文".to_owned(),
        group: "g".to_owned(),
        start: 1,
        stop: -2,
        now: i64::from(i32::MAX),
        state: ProcessState::Unknown,
        spawnerr: "can't find command '/x'".to_owned(),
        exitstatus: -1,
        stdout_logfile: "/var/log/a.log".to_owned(),
        stderr_logfile: String::new(),
        pid: u32::MAX,
        description: "unknown error (try \"tail x\")".to_owned(),
    };
    for infos in [vec![], vec![info.clone()], vec![info.clone(), info]] {
        assert_eq!(read_processes(&document(infos.iter().cloned().collect())), Some(infos));
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

/// As many as ask for it while it is kept are given the same bytes; who is late has them written for itself.
#[test]
fn what_is_kept_is_written_once_for_all_who_ask_rpc_022() {
    let info = |number: usize| ProcessInfo {
        name: format!("p{number}"),
        group: "g".repeat(1000),
        start: 1,
        stop: 2,
        now: 3,
        state: ProcessState::Running,
        spawnerr: String::new(),
        exitstatus: 0,
        stdout_logfile: String::new(),
        stderr_logfile: String::new(),
        pid: 7,
        description: String::new(),
    };
    let list: ProcessList = (0..200).map(info).collect();
    let shared = SharedList::from(list.clone());
    let places = |pieces: &[Bytes]| -> Vec<*const u8> { pieces.iter().map(|piece| piece.as_ptr()).collect() };
    let all = || -> Vec<Bytes> { ProcessDocument::new(shared.clone()).collect() };
    let [first, second] = [(); 2].map(|()| all());
    assert!(places(&first).iter().zip(places(&second)).all(|(&a, b)| a != b), "nobody said that it is kept");

    shared.keep();
    let mut late = ProcessDocument::new(shared.clone());
    let begun = late.next().unwrap();
    let [first, second] = [(); 2].map(|()| all());
    assert!(first.len() > 3);
    assert_eq!(places(&first), places(&second));
    assert_eq!(begun.as_ptr(), first[0].as_ptr());

    shared.forget();
    let rest: Vec<Bytes> = late.collect();
    assert!(places(&rest).iter().zip(places(&first[1..])).all(|(&a, b)| a != b), "it is let go");
    assert_eq!([&[begun][..], &rest].concat().concat(), generic(list));
    assert_eq!(first.concat(), all().concat());
}
