//! Logs on the screen as they grow (CTL-074, CTL-075).

use upkeep_client::{Client, ClientError, Log};

use crate::screen;
use crate::trouble::class_and_text;

/// How following a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The server, or whoever reads our output, went away; or there is no such log.
    Over,
    /// The client's descriptor became readable.
    Interrupted,
}

/// Prints a log until somebody ends it. What goes wrong is told on stderr, as `URL/PATH MESSAGE`.
pub(crate) fn show(client: &Client, url: &str, log: &Log) -> End {
    match pump(client, log) {
        Ok(()) => End::Over,
        Err(ClientError::Interrupted) => End::Interrupted,
        Err(error) => {
            screen::note(&format!("{url}{} {}", log.path(), complaint(&error)));
            End::Over
        }
    }
}

fn pump(client: &Client, log: &Log) -> Result<(), ClientError> {
    let mut follow = client.follow(log)?;
    loop {
        let piece = follow.piece()?;
        if piece.is_empty() || !screen::bytes(&piece) {
            return Ok(());
        }
    }
}

fn complaint(error: &ClientError) -> String {
    if let ClientError::Status { code, .. } = error {
        return format!("Cannot read, status code {code}");
    }
    if let ClientError::Unauthorized { .. } = error {
        return "Cannot read, status code 401".to_owned();
    }
    let (class, text) = class_and_text(error);
    format!("Cannot connect, error: <class '{class}'> ({text})")
}
