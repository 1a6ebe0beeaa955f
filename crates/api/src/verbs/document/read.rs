//! The way back, for documents that are written exactly like ours: a comparison instead of a parser.

use std::str::FromStr;

use super::shape;
use crate::xmlrpc;
use crate::{ProcessInfo, ProcessState};

/// Reads the answer to `getAllProcessInfo` if it is byte by byte what we and the original write and no text of it needs a
/// look. `None` says nothing about it: then the generic reader tells. Where both can read a document they read the
/// same, but of 1,000 processes this takes 7 million instructions and the generic one 140.
#[must_use]
pub fn read_processes(document: &[u8]) -> Option<Vec<ProcessInfo>> {
    let mut rest = Rest(std::str::from_utf8(document).ok()?);
    rest.pass(shape::DOCUMENT_BEGIN)?;
    rest.pass(shape::LIST_BEGIN)?;
    let mut processes = Vec::new();
    while !rest.0.starts_with(shape::LIST_END) {
        processes.push(rest.process()?);
    }
    rest.pass(shape::LIST_END)?;
    rest.pass(shape::DOCUMENT_END)?;
    rest.0.is_empty().then_some(processes)
}

/// Bytes that end a plain text, or are in none.
const ENDS: [bool; 256] = {
    let mut bytes = [false; 256];
    let mut byte = 0;
    while byte < u8::MAX {
        bytes[byte as usize] = xmlrpc::may_need_care(byte);
        byte += 1;
    }
    bytes
};

/// What has not been read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn pass(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// The value behind `before`.
    fn text(&mut self, before: &str) -> Option<&'a str> {
        self.pass(before)?;
        let end = self.0.bytes().position(|byte| ENDS[usize::from(byte)])?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest;
        rest.starts_with('<').then_some(text)
    }

    fn owned(&mut self, before: &str) -> Option<String> {
        self.text(before).map(str::to_owned)
    }

    fn int<T: FromStr>(&mut self, before: &str) -> Option<T> {
        self.text(before)?.parse().ok()
    }

    fn process(&mut self) -> Option<ProcessInfo> {
        let name = self.owned(shape::NAME)?;
        let group = self.owned(shape::GROUP)?;
        let start = self.int(shape::START)?;
        let stop = self.int(shape::STOP)?;
        let now = self.int(shape::NOW)?;
        let state = ProcessState::from_code(self.int(shape::STATE)?)?;
        self.text(shape::STATENAME)?;
        let spawnerr = self.owned(shape::SPAWNERR)?;
        let exitstatus = self.int(shape::EXITSTATUS)?;
        self.text(shape::LOGFILE)?;
        let stdout_logfile = self.owned(shape::STDOUT_LOGFILE)?;
        let stderr_logfile = self.owned(shape::STDERR_LOGFILE)?;
        let pid = self.int(shape::PID)?;
        let description = self.owned(shape::DESCRIPTION)?;
        self.pass(shape::END)?;
        Some(ProcessInfo {
            name,
            group,
            start,
            stop,
            now,
            state,
            spawnerr,
            exitstatus,
            stdout_logfile,
            stderr_logfile,
            pid,
            description,
        })
    }
}
