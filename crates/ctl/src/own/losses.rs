//! What logs have lost, as `upkeep status` shows it.

use serde_json::{Value, json};
use upkeep_api::{LogLoss, ProcessInfo};

use super::link::Link;
use super::problem::Problem;

/// The logs that have lost bytes.
pub(super) struct Losses(Vec<LogLoss>);

impl Losses {
    /// Asks the daemon.
    pub(super) fn ask(link: &Link) -> Result<Self, Problem> {
        link.check("ask what logs have lost", link.client.log_losses()).map(Self)
    }

    /// What stands behind the description of a process, or nothing.
    pub(super) fn mark(&self, info: &ProcessInfo) -> String {
        let texts: Vec<String> = self.of(info).map(of_process).collect();
        if texts.is_empty() { String::new() } else { format!("  {}", texts.join(", ")) }
    }

    /// A line for each log that is no process's.
    pub(super) fn others(&self) -> impl Iterator<Item = String> {
        let others = self.0.iter().filter(|loss| loss.name.is_empty());
        others.map(|loss| format!("warning: {}: {}", loss.path, text(loss)))
    }

    /// The losses of a process.
    pub(super) fn in_json(&self, info: &ProcessInfo) -> Value {
        self.of(info).map(one_in_json).collect()
    }

    /// The losses of no process.
    pub(super) fn others_in_json(&self) -> Value {
        self.0.iter().filter(|loss| loss.name.is_empty()).map(one_in_json).collect()
    }

    fn of(&self, info: &ProcessInfo) -> impl Iterator<Item = &LogLoss> {
        self.0.iter().filter(|loss| loss.name == info.name && loss.group == info.group)
    }
}

fn of_process(loss: &LogLoss) -> String {
    let log = if loss.channel == "stderr" { "stderr log" } else { "log" };
    format!("{log}: {}", text(loss))
}

/// `12.3 kB dropped (No space left on device)`; without the reason once the log works again.
fn text(loss: &LogLoss) -> String {
    let reason = if loss.dropping { format!(" ({})", loss.reason) } else { String::new() };
    format!("{} dropped{reason}", amount(loss.dropped))
}

fn one_in_json(loss: &LogLoss) -> Value {
    json!({
        "channel": loss.channel,
        "path": loss.path,
        "dropped": loss.dropped,
        "reason": loss.reason,
        "dropping": loss.dropping,
    })
}

/// Bytes for people: `999 bytes`, `12.3 kB`, `4.0 GB`.
fn amount(bytes: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (12_345, "12.3 kB"),
            (999_999, "999.9 kB"),
            (4_000_000_000, "4.0 GB"),
        ] {
            assert_eq!(amount(bytes), text);
        }
    }

    #[test]
    fn the_reason_is_told_while_it_holds() {
        let loss = LogLoss {
            name: "a".into(),
            group: "g".into(),
            channel: "stderr".into(),
            path: "/e".into(),
            dropped: 1_200,
            reason: "No space left on device".into(),
            dropping: true,
        };
        assert_eq!(of_process(&loss), "stderr log: 1.2 kB dropped (No space left on device)");
        let later = LogLoss { dropping: false, channel: "stdout".into(), ..loss };
        assert_eq!(of_process(&later), "log: 1.2 kB dropped");
    }
}
