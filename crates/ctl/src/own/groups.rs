//! `upkeep reread` and `upkeep update`.

use serde_json::{Value, json};
use upkeep_api::{FaultCode, GroupUpdate, Reread};

use super::link::Link;
use super::options::Options;
use super::plan;
use super::problem::{Problem, status};
use super::rolling;
use super::show;
use crate::screen;

pub(super) fn reread(options: &Options) -> Result<i32, Problem> {
    if options.plan {
        return plan::diff(options);
    }
    options.no_words()?;
    let link = Link::open(options)?;
    let found = link.check("read the configuration", link.client.reload_config())?;
    if options.json {
        show::json(&json!({ "added": found.added, "changed": found.changed, "removed": found.removed }));
        return Ok(status::DONE);
    }
    for (names, what) in [(&found.added, "new"), (&found.changed, "changed"), (&found.removed, "removed")] {
        names.iter().for_each(|name| {
            screen::line(&format!("{name}: {what}"));
        });
    }
    screen::line(if found == Reread::default() {
        "nothing has changed"
    } else {
        "`upkeep update` makes what runs agree with it"
    });
    Ok(status::DONE)
}

/// What has been done to groups, and what could not be.
pub(super) struct Work<'a> {
    link: &'a Link,
    json: bool,
    groups: Vec<Value>,
    problems: Vec<Problem>,
}

pub(super) fn update(options: &Options) -> Result<i32, Problem> {
    if options.dry_run {
        return plan::diff(options);
    }
    let link = Link::open(options)?;
    let found = link.check("read the configuration", link.client.reload_config())?;
    let mut work = Work::new(&link, options.json);
    let all = options.words.is_empty() || options.words.iter().any(|word| word == "all");
    if !all {
        work.check_names(&options.words, &found)?;
    }
    work.apply(&found, |group| all || options.words.contains(group));
    work.finish()
}

impl<'a> Work<'a> {
    pub(super) fn new(link: &'a Link, json: bool) -> Self {
        Self { link, json, groups: Vec::new(), problems: Vec::new() }
    }

    /// Makes what runs agree with what was found.
    pub(super) fn apply(&mut self, found: &Reread, wanted: impl Fn(&String) -> bool) {
        let wanted = |group: &&String| wanted(group);
        found.removed.iter().filter(wanted).for_each(|group| self.removed(group));
        found.changed.iter().filter(wanted).for_each(|group| self.changed(group));
        found.added.iter().filter(wanted).for_each(|group| self.added(group));
    }

    /// Whether something could not be done.
    pub(super) fn has_failed(&self) -> bool {
        !self.problems.is_empty()
    }

    /// All that was done, and what could not be.
    pub(super) fn in_json(&self) -> Value {
        let errors: Vec<_> = self.problems.iter().map(Problem::to_json).collect();
        json!({ "groups": self.groups, "errors": errors })
    }

    fn check_names(&mut self, names: &[String], found: &Reread) -> Result<(), Problem> {
        let active = self.link.processes()?;
        for name in names {
            if !active.iter().any(|info| info.group == *name) && !found.added.contains(name) {
                let problem = Problem::new(&format!("update \"{name}\""), "no such group, active or new");
                self.problem(problem.hint("`upkeep reread` shows what differs"));
            }
        }
        Ok(())
    }

    fn removed(&mut self, group: &str) {
        if let Err(problem) = self.remove(group) {
            self.problem(problem);
            return;
        }
        self.tell(group, "removed", &GroupUpdate::default());
    }

    fn remove(&self, group: &str) -> Result<(), Problem> {
        let what = format!("remove \"{group}\"");
        let outcomes = self.link.check(&what, self.link.client.stop_process_group(group))?;
        if let Some(failed) = outcomes.iter().find(|outcome| outcome.fault() == Some(FaultCode::Failed)) {
            return Err(Problem::new(&what, &failed.description).hint(format!("see `upkeep status {group}`")));
        }
        self.link.check(&what, self.link.client.remove_process_group(group))
    }

    fn changed(&mut self, group: &str) {
        match self.change(group) {
            Ok(update) if update.rolling == 0 => self.tell(group, "updated", &update),
            Ok(update) => self.rolled(group, update),
            Err(problem) => self.problem(problem),
        }
    }

    /// The rest of it is a rolling restart, which is followed to its end.
    fn rolled(&mut self, group: &str, mut update: GroupUpdate) {
        let mut told = rolling::Told::new(self.json);
        match rolling::outcome(self.link, update.rolling, &mut told) {
            Ok(info) => {
                let done = info.members.iter().filter(|member| member.stage == "done");
                update.restarted.extend(done.map(|member| member.name.clone()));
                let problem = rolling::problem(&format!("update all of \"{group}\""), &info);
                self.tell(group, if problem.is_some() { "updated in part" } else { "updated" }, &update);
                problem.into_iter().for_each(|problem| self.problem(problem));
            }
            Err(problem) => self.problem(problem),
        }
    }

    /// A server that cannot change a group in part replaces it as a whole (D-37).
    fn change(&self, group: &str) -> Result<GroupUpdate, Problem> {
        let (link, what) = (self.link, format!("update \"{group}\""));
        if let Some(update) = link.check(&what, link.client.update_process_group(group))? {
            return Ok(update);
        }
        let stopped = link.check(&what, link.client.stop_process_group(group))?;
        link.check(&what, link.client.remove_process_group(group))?;
        link.check(&what, link.client.add_process_group(group))?;
        let restarted = stopped.into_iter().map(|outcome| outcome.name).collect();
        Ok(GroupUpdate { restarted, ..GroupUpdate::default() })
    }

    fn added(&mut self, group: &str) {
        let answer = self.link.client.add_process_group(group);
        match self.link.check(&format!("add \"{group}\""), answer) {
            Ok(()) => self.tell(group, "added", &GroupUpdate::default()),
            Err(problem) => self.problem(problem),
        }
    }

    fn tell(&mut self, group: &str, action: &str, update: &GroupUpdate) {
        self.groups.push(json!({
            "name": group,
            "action": action,
            "stopped": update.stopped,
            "restarted": update.restarted,
            "started": update.started,
            "live": update.live,
        }));
        if !self.json {
            screen::line(&format!("{group}: {action}{}", details(update)));
        }
    }

    fn problem(&mut self, problem: Problem) {
        if !self.json {
            screen::note(&problem.to_string());
        }
        self.problems.push(problem);
    }

    fn finish(self) -> Result<i32, Problem> {
        if self.json {
            show::json(&self.in_json());
        } else if self.groups.is_empty() && self.problems.is_empty() {
            screen::line("nothing to change");
        }
        Ok(if self.has_failed() { status::FAILED } else { status::DONE })
    }
}

/// ` (restarted a, b; without a restart c)`, or nothing.
fn details(update: &GroupUpdate) -> String {
    let kinds = [
        ("stopped", &update.stopped),
        ("restarted", &update.restarted),
        ("started", &update.started),
        ("without a restart", &update.live),
    ];
    let parts: Vec<String> = kinds
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what} {}", names.join(", ")))
        .collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_of_an_update() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let update =
            GroupUpdate { restarted: names(&["a", "b"]), live: names(&["c"]), ..GroupUpdate::default() };
        assert_eq!(details(&update), " (restarted a, b; without a restart c)");
        assert_eq!(details(&GroupUpdate::default()), "");
    }
}
