//! Logs as they grow: `/logtail` and `/mainlogtail`.

use upkeep_api::Channel;

use crate::answer::Body;
use crate::{Client, ClientError};

/// Which log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Log {
    /// The daemon's own.
    Main,
    /// One of a process, named `P` or `G:P`.
    Process(String, Channel),
}

impl Log {
    /// The path of its stream, readable (not escaped).
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Main => "/mainlogtail".to_owned(),
            Self::Process(name, channel) => format!("/logtail/{name}/{}", channel.name()),
        }
    }
}

/// Where to go on in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// So many bytes of the file are known.
    pub offset: u64,
    /// Which file that is, as the server tells it: the present one may be another when somebody goes on.
    pub file: Option<String>,
}

/// A log being followed. Dropping it hangs up.
pub struct Follow {
    body: Body,
}

impl Follow {
    /// The next bytes; empty when the server has ended it.
    ///
    /// # Errors
    /// The connection broke, or [`ClientError::Interrupted`].
    pub fn piece(&mut self) -> Result<Vec<u8>, ClientError> {
        self.body.piece()
    }
}

impl Client {
    /// Follows a log: its last bytes, then what is added.
    ///
    /// # Errors
    /// [`ClientError::Status`] 404 when there is no such log, and every kind a call has but faults.
    pub fn follow(&self, log: &Log) -> Result<Follow, ClientError> {
        self.follow_with(log, "")
    }

    /// Follows a log from a place on, also if that is in an old file by now; a server of another maker begins with its last bytes.
    ///
    /// # Errors
    /// Those of [`Self::follow`].
    pub fn follow_from(&self, log: &Log, place: &Place) -> Result<Follow, ClientError> {
        let Place { offset, file } = place;
        let file = file.as_ref().map(|file| format!("If-Range: \"{file}\"\r\n"));
        self.follow_with(log, &format!("Range: bytes={offset}-\r\n{}", file.unwrap_or_default()))
    }

    fn follow_with(&self, log: &Log, header: &str) -> Result<Follow, ClientError> {
        let mut request = self.head("GET", &escape(&log.path()));
        request.push_str(header);
        request.push_str("Accept: */*\r\n\r\n");
        Ok(Follow { body: self.exchange(request.as_bytes(), None)? })
    }
}

/// Percent-encodes what may not stand in a request line, or would end the path.
fn escape(path: &str) -> String {
    let mut out = String::new();
    for byte in path.bytes() {
        match byte {
            b'%' | b'?' | b'#' | b';' | b'"' | b'<' | b'>' | 0..=b' ' | 0x7f.. => {
                out.push_str(&format!("%{byte:02X}"));
            }
            _ => out.push(char::from(byte)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let log = Log::Process("g:p".to_owned(), Channel::Stderr);
        assert_eq!(log.path(), "/logtail/g:p/stderr");
        assert_eq!(escape("/logtail/队?列%/x"), "/logtail/%E9%98%9F%3F%E5%88%97%25/x");
    }
}
