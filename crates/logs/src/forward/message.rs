//! A line as others want it: RFC 5424, and journald's fields.

use std::sync::Arc;
use std::time::SystemTime;

use jiff::Timestamp;

use crate::engine::Origin;

/// `user`, the facility of programs.
const FACILITY: u8 = 1;
/// `err` and `info`.
const SEVERITIES: [u8; 2] = [6, 3];
/// How long a host's name may be there, and a program's.
const LONGEST_HOST: usize = 255;
const LONGEST_NAME: usize = 48;

/// A line.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) at: SystemTime,
    pub(crate) origin: Arc<Origin>,
    /// Without its end.
    pub(crate) text: Box<[u8]>,
}

impl Message {
    fn severity(&self) -> u8 {
        SEVERITIES[usize::from(self.origin.is_stderr)]
    }

    /// As syslog servers want it, at most `longest` bytes.
    pub(super) fn rfc5424(&self, host: &str, longest: usize) -> Vec<u8> {
        let at = Timestamp::try_from(self.at).unwrap_or(Timestamp::UNIX_EPOCH);
        let priority = FACILITY << 3 | self.severity();
        let time = at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ");
        let Origin { pid, .. } = *self.origin;
        let (host, name) = (printable(host, LONGEST_HOST), printable(&self.name(), LONGEST_NAME));
        let channel = self.origin.channel();
        let mut message = format!("<{priority}>1 {time} {host} {name} {pid} {channel} - ").into_bytes();
        let room = longest.saturating_sub(message.len());
        message.extend_from_slice(cut(&self.text, room));
        message
    }

    /// As journald wants it. Every value that is not ours may hold anything, so its length is told.
    pub(super) fn journald(&self) -> Vec<u8> {
        let Origin { group, process, pid, .. } = &*self.origin;
        let mut fields = format!(
            "PRIORITY={}\nSYSLOG_FACILITY={FACILITY}\nSYSLOG_PID={pid}\nUPKEEP_CHANNEL={}\n",
            self.severity(),
            self.origin.channel()
        )
        .into_bytes();
        field("SYSLOG_IDENTIFIER", self.name().as_bytes(), &mut fields);
        field("UPKEEP_GROUP", group.as_bytes(), &mut fields);
        field("UPKEEP_PROCESS", process.as_bytes(), &mut fields);
        field("MESSAGE", &self.text, &mut fields);
        fields
    }

    /// As `status` shows it: the group only where it has another name.
    fn name(&self) -> String {
        let Origin { group, process, .. } = &*self.origin;
        if group == process { process.clone() } else { format!("{group}:{process}") }
    }
}

fn field(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A word of a header: printable ASCII, and not nothing.
fn printable(text: &str, longest: usize) -> String {
    let plain = |c: char| if c.is_ascii_graphic() { c } else { '?' };
    let text: String = text.chars().map(plain).take(longest).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

/// The beginning of a text, in whole characters.
fn cut(text: &[u8], longest: usize) -> &[u8] {
    if text.len() <= longest {
        return text;
    }
    let mut end = longest;
    while end > 0 && longest - end < 4 && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str, is_stderr: bool) -> Message {
        let origin = Origin { group: "g".into(), process: "队 1".into(), is_stderr, pid: 42 };
        let at = "2026-11-21T17:55:43.123456Z".parse::<Timestamp>().unwrap().into();
        Message { at, origin: Arc::new(origin), text: text.as_bytes().into() }
    }

    #[test]
    fn headers_of_rfc_5424() {
        let rows = [(false, "a [b] \u{4e2d}", "<14>1"), (true, "", "<11>1")];
        for (is_stderr, text, begin) in rows {
            let found = String::from_utf8(message(text, is_stderr).rfc5424("my host", 1000)).unwrap();
            let channel = if is_stderr { "stderr" } else { "stdout" };
            assert_eq!(
                found,
                format!("{begin} 2026-11-21T17:55:43.123456Z my?host g:??1 42 {channel} - {text}")
            );
        }
        let header = message("", false).rfc5424("", 1000).len();
        for room in 0..8 {
            let found = message("\u{4e2d}\u{4e2d}", false).rfc5424("", header + room);
            assert_eq!(found.len() - header, room.min(6) / 3 * 3, "whole characters");
        }
    }

    #[test]
    fn fields_of_journald() {
        let found = message("a\nb", true).journald();
        let begin = b"PRIORITY=3\nSYSLOG_FACILITY=1\nSYSLOG_PID=42\nUPKEEP_CHANNEL=stderr\nSYSLOG_IDENTIFIER\n\x07\0\0\0\0\0\0\0g:";
        assert!(found.starts_with(begin), "{}", found.escape_ascii());
        assert!(found.ends_with(b"\nMESSAGE\n\x03\0\0\0\0\0\0\0a\nb\n"), "{}", found.escape_ascii());
    }
}
