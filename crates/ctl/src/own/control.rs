//! `upkeep start`, `stop`, `restart`, `signal`.

use serde_json::{Value, json};
use upkeep_api::{FaultCode, ProcessInfo};
use upkeep_client::{ClientError, Outcome};

use super::link::{Link, no_such_process};
use super::options::Options;
use super::problem::{Problem, status, without_name};
use super::show;
use crate::names::{Target, namespec};
use crate::outcome::{Attempt, Verb};
use crate::screen;

pub(super) fn start(options: &Options) -> Result<i32, Problem> {
    run(options, &[Verb::Start], &options.words)
}

pub(super) fn stop(options: &Options) -> Result<i32, Problem> {
    run(options, &[Verb::Stop], &options.words)
}

pub(super) fn restart(options: &Options) -> Result<i32, Problem> {
    if options.rolling {
        return super::rolling::restart(options);
    }
    run(options, &[Verb::Stop, Verb::Start], &options.words)
}

/// `upkeep reload NAME …`.
pub(super) fn reload(options: &Options) -> Result<i32, Problem> {
    run(options, &[Verb::Reload], &options.words)
}

pub(super) fn signal(options: &Options) -> Result<i32, Problem> {
    let Some((signal, names)) = options.words.split_first() else {
        return Err(
            Problem::usage("`upkeep signal` needs a signal and a name").hint("upkeep signal HUP NAME")
        );
    };
    run(options, &[Verb::Signal(signal)], names)
}

/// What has been done, and what could not be.
struct Work<'a> {
    link: &'a Link,
    json: bool,
    results: Vec<Value>,
    problems: Vec<Problem>,
}

fn run(options: &Options, verbs: &[Verb<'_>], names: &[String]) -> Result<i32, Problem> {
    if names.is_empty() {
        let why = format!("`upkeep {}` needs the name of a process or group", options.command);
        return Err(
            Problem::usage(&why).hint(format!("`upkeep {} all` means every process", options.command))
        );
    }
    let link = Link::open(options)?;
    let mut work = Work { link: &link, json: options.json, results: Vec::new(), problems: Vec::new() };
    let targets = work.targets(&options.command, names)?;
    for verb in verbs {
        work.act(*verb, targets.as_deref())?;
    }
    if options.json {
        let errors: Vec<_> = work.problems.iter().map(Problem::to_json).collect();
        show::json(&json!({ "results": work.results, "errors": errors }));
    }
    Ok(if work.problems.is_empty() { status::DONE } else { status::FAILED })
}

impl Work<'_> {
    /// What the names stand for; `None` is everything.
    fn targets(&mut self, command: &str, names: &[String]) -> Result<Option<Vec<Target>>, Problem> {
        if names.iter().any(|name| name == "all") {
            return Ok(None);
        }
        let all: Vec<ProcessInfo> = self.link.processes()?;
        let mut targets = Vec::new();
        for name in names {
            match self.link.targets(name, &all) {
                Ok(found) => targets.extend(found),
                Err(hint) => self.problem(no_such_process(&format!("{command} \"{name}\""), hint)),
            }
        }
        Ok(Some(targets))
    }

    fn act(&mut self, verb: Verb<'_>, targets: Option<&[Target]>) -> Result<(), Problem> {
        let what = format!("{} processes", infinitive(verb));
        let Some(targets) = targets else {
            let outcomes = self.link.check(&what, verb.all(&self.link.client))?;
            self.tell_all(verb, "everything", &outcomes);
            return Ok(());
        };
        for target in targets {
            match self.link.check(&what, verb.one(&self.link.client, target))? {
                Attempt::Done(outcomes) => self.tell_all(verb, &shown(target), &outcomes),
                Attempt::Unknown => {
                    let what = format!("{} \"{}\"", infinitive(verb), shown(target));
                    self.problem(no_such_process(&what, None));
                }
            }
        }
        Ok(())
    }

    fn tell_all(&mut self, verb: Verb<'_>, whole: &str, outcomes: &[Outcome]) {
        if outcomes.is_empty() && !self.json {
            screen::line(&format!("{whole}: nothing to {}", infinitive(verb)));
        }
        for outcome in outcomes {
            self.tell(verb, outcome);
        }
    }

    fn tell(&mut self, verb: Verb<'_>, outcome: &Outcome) {
        let name = namespec(&outcome.group, &outcome.name);
        let message = if outcome.is_success() { Some(verb.done()) } else { harmless(verb, outcome) };
        self.results.push(json!({
            "name": name,
            "group": outcome.group,
            "process": outcome.name,
            "action": infinitive(verb),
            "ok": message.is_some(),
            "code": outcome.status,
            "message": message.unwrap_or(&outcome.description),
        }));
        match message {
            Some(message) if !self.json => {
                screen::line(&format!("{name}: {message}"));
            }
            Some(_) => {}
            None => {
                let problem = self.explain(verb, outcome, &name);
                self.problem(problem);
            }
        }
    }

    fn problem(&mut self, problem: Problem) {
        if !self.json {
            screen::note(&problem.to_string());
        }
        self.problems.push(problem);
    }

    /// Why it failed, as far as the daemon knows, and where to look.
    fn explain(&self, verb: Verb<'_>, outcome: &Outcome, name: &str) -> Problem {
        let problem = |why: &str| Problem::new(&format!("{} \"{name}\"", infinitive(verb)), why);
        let reason = verb.reason(outcome).unwrap_or_default();
        match outcome.fault() {
            Some(FaultCode::SpawnError | FaultCode::AbnormalTermination) => {
                let info: Result<ProcessInfo, ClientError> =
                    self.link.client.process_info(&format!("{}:{}", outcome.group, outcome.name));
                let why = info.ok().map(|info| info.spawnerr).filter(|why| !why.is_empty());
                problem(why.as_deref().unwrap_or("it did not stay up"))
                    .hint(format!("see what it said: `upkeep logs {name} --stderr`"))
            }
            Some(FaultCode::NoFile | FaultCode::NotExecutable) => problem(without_name(&outcome.description))
                .hint("check `command` in its section, then `upkeep update`"),
            Some(FaultCode::BadSignal) => problem("there is no such signal").hint("such as HUP, USR1 or 15"),
            Some(_) | None if reason.is_empty() => problem(without_name(&outcome.description)),
            Some(_) | None => problem(reason),
        }
    }
}

/// Words for a fault that means: it is already as you want it.
fn harmless(verb: Verb<'_>, outcome: &Outcome) -> Option<&'static str> {
    match (verb, outcome.fault()) {
        (Verb::Start, Some(FaultCode::AlreadyStarted)) => Some("already runs"),
        (Verb::Stop, Some(FaultCode::NotRunning)) => Some("did not run"),
        (Verb::Start | Verb::Stop | Verb::Signal(_) | Verb::Clear | Verb::Reload, _) => None,
    }
}

fn infinitive(verb: Verb<'_>) -> &'static str {
    match verb {
        Verb::Start => "start",
        Verb::Stop => "stop",
        Verb::Signal(_) => "signal",
        Verb::Clear => "clear",
        Verb::Reload => "reload",
    }
}

fn shown(target: &Target) -> String {
    match target {
        Target::Group(group) => group.clone(),
        Target::Process { group, name } => namespec(group, name),
    }
}
