//! XML-RPC: requests read, answers written, and read again by a client.

use std::hint::black_box;

use upkeep_api::verbs::{ProcessDocument, read_processes};
use upkeep_api::xmlrpc::{ReadLimits, Value, decode_call, decode_response, encode_call};
use upkeep_api::{ProcessInfo, ProcessList, ProcessState};

use crate::{Row, Work};

pub(crate) const ROWS: &[Row] = &[
    Row { name: "codec/request-read", prepare: request_read },
    Row { name: "codec/answer-written/1", prepare: || answer_written(1) },
    Row { name: "codec/answer-written/1000", prepare: || answer_written(1000) },
    Row { name: "codec/answer-read/1000", prepare: || answer_read(1000) },
    Row { name: "codec/processes-read/1000", prepare: || processes_read(1000) },
];

pub(crate) fn info(number: u32) -> ProcessInfo {
    let name = format!("program-{number:05}");
    ProcessInfo {
        group: name.clone(),
        start: 1_700_000_000,
        stop: 0,
        now: 1_700_086_400,
        state: ProcessState::Running,
        spawnerr: String::new(),
        exitstatus: 0,
        stdout_logfile: format!("/var/log/supervisor/{name}-stdout---supervisor-x1y2z3a4.log"),
        stderr_logfile: format!("/var/log/supervisor/{name}-stderr---supervisor-x1y2z3a4.log"),
        pid: 1000 + number,
        description: format!("pid {}, uptime 1 day, 0:00:00", 1000 + number),
        name,
    }
}

fn written(list: ProcessList) -> Vec<u8> {
    ProcessDocument::new(list).flatten().collect()
}

fn request_read() -> Work {
    let call =
        encode_call("supervisor.startProcess", &[Value::from("group:program-00001"), Value::from(true)]);
    Box::new(move || {
        black_box(decode_call(black_box(&call), ReadLimits::REQUEST).expect("a request"));
    })
}

/// From texts and numbers of the processes to the bytes of the answer.
fn answer_written(count: u32) -> Work {
    let infos: Vec<ProcessInfo> = (0..count).map(info).collect();
    Box::new(move || {
        let mut list = ProcessList::with_capacity(infos.len());
        for info in black_box(&infos) {
            list.push(info.into());
        }
        ProcessDocument::new(list).for_each(|piece| drop(black_box(piece)));
    })
}

/// As any answer is read: to a tree of values.
fn answer_read(count: u32) -> Work {
    let bytes = written((0..count).map(info).collect());
    Box::new(move || {
        black_box(decode_response(black_box(&bytes)).expect("an answer"));
    })
}

/// As a client reads it that knows what it asked for.
fn processes_read(count: u32) -> Work {
    let bytes = written((0..count).map(info).collect());
    Box::new(move || {
        black_box(read_processes(black_box(&bytes)).expect("an answer of ours"));
    })
}
