//! Following a rolling restart until it is over. It goes on without this client, and under the next daemon.

use std::time::{Duration, Instant};

use upkeep_api::RollingInfo;
use upkeep_client::{Client, ClientError};

use crate::names::namespec;

/// Time between two looks, at least, where the daemon does not say when there is something new, or nobody answers.
const LOOK: Duration = Duration::from_millis(200);
/// How many times as long as an answer takes: who follows one of thousands of processes does not keep the daemon busy.
const REST: u32 = 10;
/// Time between two looks, at most.
const LONGEST_LOOK: Duration = Duration::from_secs(5);
/// How long nobody may answer: another daemon comes up in far less.
const PATIENCE: Duration = Duration::from_secs(60);

/// Tells each look, and returns the last one; `None` if the daemon does not know of this one any more.
pub(crate) fn follow(
    client: &Client,
    number: i64,
    mut tell: impl FnMut(&RollingInfo),
) -> Result<Option<RollingInfo>, ClientError> {
    let mut answered = Instant::now();
    let mut seen = String::new();
    loop {
        let asked = Instant::now();
        match client.rolling_restart(number) {
            Ok(info) => {
                answered = Instant::now();
                let Some(info) = info else { return Ok(None) };
                tell(&info);
                if info.state != "under way" {
                    return Ok(Some(info));
                }
            }
            // An answer under way is cut when one daemon follows on the other.
            Err(error) if is_passing(&error) && answered.elapsed() < PATIENCE => {}
            Err(error) => return Err(error),
        }
        std::thread::sleep((asked.elapsed() * REST).min(LONGEST_LOOK));
        match client.wait_for_change("rolling", &seen) {
            Ok(Some(news)) => seen = news,
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) if is_passing(&error) => std::thread::sleep(LOOK),
            Err(error) => return Err(error),
        }
    }
}

fn is_passing(error: &ClientError) -> bool {
    !matches!(error, ClientError::Fault(_) | ClientError::Interrupted | ClientError::Unauthorized { .. })
}

/// The names of those that are as far as this.
pub(crate) fn names(info: &RollingInfo, stage: &str) -> Vec<String> {
    let members = info.members.iter().filter(|member| member.stage == stage);
    members.map(|member| namespec(&member.group, &member.name)).collect()
}

/// `restarted: a, b; not restarted: c`.
pub(crate) fn summary(info: &RollingInfo) -> String {
    let parts = [("restarted", names(info, "done")), ("not restarted", names(info, "pending"))];
    let parts = parts.into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts.map(|(what, names)| format!("{what}: {}", names.join(", "))).collect();
    parts.join("; ")
}
