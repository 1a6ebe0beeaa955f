//! `upkeep logs`.

use serde_json::{Value, json};
use upkeep_api::Channel;
use upkeep_client::Log;

use super::parse::Asked;
use super::{Desk, FAILED, Meant, Stop};
use crate::names::namespec;
use crate::resolve::members;
use crate::screen;

/// Bytes shown when nothing else is asked for.
const USUAL: i64 = 1600;

impl Desk {
    pub(super) fn logs(&self, asked: &Asked) -> Result<i32, Stop> {
        let channel = if asked.stderr { Channel::Stderr } else { Channel::Stdout };
        let Meant { targets, all, unknown } = self.meant(&asked.names)?;
        let names: Vec<String> =
            members(&targets, &all).iter().map(|info| namespec(&info.group, &info.name)).collect();
        unknown.iter().for_each(|message| screen::note(message));
        if asked.follow {
            return self.follow(asked, &names, channel);
        }
        let offset = -asked.bytes.unwrap_or(USUAL).max(1);
        let mut list: Vec<Value> = Vec::new();
        if asked.names.is_empty() {
            self.show(&mut list, None, &self.client.read_log(offset, 0)?, false);
        }
        for name in &names {
            let text = self.client.read_process_log(name, channel, offset, 0)?;
            self.show(&mut list, Some(name), &text, names.len() > 1);
        }
        if self.json {
            screen::line(&Value::from(list).to_string());
        }
        Ok(if unknown.is_empty() { 0 } else { FAILED })
    }

    fn show(&self, list: &mut Vec<Value>, name: Option<&String>, text: &str, heading: bool) {
        if self.json {
            list.push(json!({ "name": name, "log": text }));
            return;
        }
        if let Some(name) = name.filter(|_| heading) {
            screen::line(&format!("==> {name} <=="));
        }
        screen::bytes(text.as_bytes());
    }

    /// One log at a time can be followed.
    fn follow(&self, asked: &Asked, names: &[String], channel: Channel) -> Result<i32, Stop> {
        let log = match names {
            [] if asked.names.is_empty() => Log::Main,
            [name] => Log::Process(name.clone(), channel),
            [] => return Ok(FAILED),
            _ => return Err(Stop::Usage("error: upkeep logs -f follows one process; name one".to_owned())),
        };
        let mut follow = self.client.follow(&log)?;
        loop {
            let piece = follow.piece()?;
            if piece.is_empty() || !screen::bytes(&piece) {
                return Ok(0);
            }
        }
    }
}
