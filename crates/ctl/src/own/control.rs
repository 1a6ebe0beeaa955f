//! `upkeep start`, `stop`, `restart`, `signal`, `update`.

use serde_json::{Value, json};
use upkeep_api::FaultCode;
use upkeep_client::{ClientError, Outcome};

use super::parse::Asked;
use super::{Desk, FAILED, Meant, Stop};
use crate::names::{Target, namespec};
use crate::outcome::{Attempt, Verb};
use crate::screen;

/// What became of one process, in words.
struct Line {
    name: String,
    done: &'static str,
    error: Option<String>,
}

impl Desk {
    pub(super) fn control(&self, asked: &Asked) -> Result<i32, Stop> {
        let (signal, names) = match asked.command.as_str() {
            "signal" => match asked.names.split_first() {
                Some((signal, names)) => (Some(signal.as_str()), names),
                None => (None, asked.names.as_slice()),
            },
            _ => (None, asked.names.as_slice()),
        };
        if names.is_empty() {
            return Err(Stop::Usage(format!(
                "error: upkeep {} what? Name processes, groups, or all",
                asked.command
            )));
        }
        let steps: &[(Verb<'_>, &'static str)] = match asked.command.as_str() {
            "start" => &[(Verb::Start, "started")],
            "stop" => &[(Verb::Stop, "stopped")],
            "restart" => &[(Verb::Stop, "stopped"), (Verb::Start, "started")],
            _ => &[(Verb::Signal(signal.unwrap_or_default()), "signalled")],
        };
        let everything = is_all(names);
        let Meant { targets, unknown, .. } = self.meant(if everything { &[] } else { names })?;
        let mut lines = Vec::new();
        for &(verb, done) in steps {
            let outcomes = if everything { verb.all(&self.client)? } else { self.each(verb, &targets)? };
            let passing = asked.command == "restart" && verb == Verb::Stop;
            lines.extend(outcomes.iter().filter_map(|outcome| line(outcome, done, passing)));
        }
        Ok(self.report(&lines, &unknown))
    }

    fn each(&self, verb: Verb<'_>, targets: &[Target]) -> Result<Vec<Outcome>, ClientError> {
        let mut outcomes = Vec::new();
        for target in targets {
            match verb.one(&self.client, target)? {
                Attempt::Done(done) => outcomes.extend(done),
                Attempt::Unknown => {}
            }
        }
        Ok(outcomes)
    }

    fn report(&self, lines: &[Line], unknown: &[String]) -> i32 {
        if self.json {
            let list: Vec<Value> = lines
                .iter()
                .map(|line| json!({ "name": line.name, "done": line.error.is_none().then_some(line.done), "error": line.error }))
                .collect();
            screen::line(&Value::from(list).to_string());
        } else {
            for line in lines {
                match &line.error {
                    None => screen::line(&format!("{}: {}", line.name, line.done)),
                    Some(error) => screen::line(&format!("{}: not {}: {error}", line.name, line.done)),
                };
            }
        }
        unknown.iter().for_each(|message| screen::note(message));
        let failed = !unknown.is_empty() || lines.iter().any(|line| line.error.is_some());
        if failed { FAILED } else { 0 }
    }

    pub(super) fn update(&self, asked: &Asked) -> Result<i32, Stop> {
        let found = self.client.reload_config()?;
        let wanted =
            |group: &String| asked.names.is_empty() || is_all(&asked.names) || asked.names.contains(group);
        let mut done = Vec::new();
        for group in found.removed.iter().filter(|group| wanted(group)) {
            self.client.stop_process_group(group)?;
            self.client.remove_process_group(group)?;
            done.push((group, "removed"));
        }
        for group in found.changed.iter().filter(|group| wanted(group)) {
            if self.client.update_process_group(group)?.is_none() {
                self.client.stop_process_group(group)?;
                self.client.remove_process_group(group)?;
                self.client.add_process_group(group)?;
            }
            done.push((group, "updated"));
        }
        for group in found.added.iter().filter(|group| wanted(group)) {
            self.client.add_process_group(group)?;
            done.push((group, "added"));
        }
        if self.json {
            let list: Vec<Value> =
                done.iter().map(|(group, what)| json!({ "group": group, "done": what })).collect();
            screen::line(&Value::from(list).to_string());
        } else if done.is_empty() {
            screen::line("nothing to do");
        } else {
            for (group, what) in done {
                screen::line(&format!("{group}: {what}"));
            }
        }
        Ok(0)
    }
}

fn is_all(names: &[String]) -> bool {
    names.iter().any(|name| name == "all")
}

/// The words for a result; `passing` leaves out that something did not run before it was to be started.
fn line(outcome: &Outcome, done: &'static str, passing: bool) -> Option<Line> {
    let fault = outcome.fault();
    if passing && fault == Some(FaultCode::NotRunning) {
        return None;
    }
    let error = (!outcome.is_success()).then(|| match fault {
        Some(FaultCode::AlreadyStarted) => "it runs already".to_owned(),
        Some(FaultCode::NotRunning) => "it does not run".to_owned(),
        Some(FaultCode::SpawnError) => {
            "it ended too soon or could not be started; see upkeep logs".to_owned()
        }
        Some(_) | None => outcome.description.clone(),
    });
    Some(Line { name: namespec(&outcome.group, &outcome.name), done, error })
}
