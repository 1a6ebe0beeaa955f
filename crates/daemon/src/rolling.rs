//! Rolling restarts, as far as they are the shell's: they are asked for, told of and written down, and the options that an update
//! has not given to a process yet are kept for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use upkeep_api::{Fault, FaultCode, RollingInfo, RollingMember, RollingProgress};
use upkeep_core::event::EventKind;
use upkeep_core::spec::GroupSpec;
use upkeep_core::{Batch, Input, LeftBehind, ProcId, Rolling, RollingEnd, Stage};
use upkeep_keeper::wire::ToKeeper;

use crate::calls::respond;
use crate::names::{Target, resolve};
use crate::records::{ROLLING_KEY, RollingChange, RollingRecord, rolling};
use crate::shell::{Active, Purpose, Responder, Shell};

/// Processes that run with the options of an older generation than their group's, by group and name.
pub(crate) type Behind = BTreeMap<(String, String), u64>;

/// Longer than anybody waits: 1000 days.
const LONGEST: u64 = 1000 * 86_400;

/// A number on the wire.
pub(crate) fn shown(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Shell {
    pub(crate) fn restart_rolling(&mut self, names: &[String], batch: &str, wait: i64, reply: Responder) {
        match self.rolling_request(names, batch, wait) {
            Ok(request) => self.ask(request, Purpose::Control, reply),
            Err(fault) => respond(reply, Err(fault)),
        }
    }

    fn rolling_request(
        &self,
        names: &[String],
        batch: &str,
        wait: i64,
    ) -> Result<upkeep_core::Request, Fault> {
        let wrong = |text: &str| Fault::about(FaultCode::IncorrectParameters, text);
        let batch = match batch {
            "" => None,
            text => Some(
                Batch::parse(text).ok_or_else(|| wrong("batch is a number from 1 on, or a percentage"))?,
            ),
        };
        let seconds = u64::try_from(wait).ok().filter(|seconds| *seconds <= LONGEST);
        let seconds = seconds.ok_or_else(|| wrong("wait is a number of seconds, 1000 days at most"))?;
        let wait = (seconds > 0).then(|| Duration::from_secs(seconds));
        let mut targets: Vec<ProcId> = Vec::new();
        // A long list of one name costs no more than the name.
        let mut known = BTreeSet::new();
        for name in names.iter().filter(|name| known.insert(name.as_str())) {
            if name == "all" {
                targets.extend(self.core.all_by_priority());
                continue;
            }
            match resolve(&self.core, name)? {
                Target::Process(id) => targets.push(id),
                Target::Group(group) => targets.extend(self.group_members(&group)?),
            }
        }
        Ok(upkeep_core::Request::RestartRolling { targets, batch, wait })
    }

    /// One rolling restart, or all that are told of.
    pub(crate) fn rolling_infos(&self, number: Option<i64>) -> Vec<RollingInfo> {
        match number {
            None => self.core.rollings().map(info).collect(),
            Some(number) => {
                let number = u64::try_from(number).unwrap_or(0);
                self.core.rolling(number).map(info).into_iter().collect()
            }
        }
    }

    /// How far those under way are, and the latest if it has failed: nothing is copied that names a process.
    pub(crate) fn rolling_progress(&self) -> Vec<RollingProgress> {
        let latest = self.core.rollings().last().map(|rolling| rolling.number);
        let told = self.core.rollings().filter_map(|rolling| match rolling.end {
            None => Some((rolling, None)),
            Some(RollingEnd::Failed) if Some(rolling.number) == latest => {
                Some((rolling, Some(failure(rolling))))
            }
            Some(RollingEnd::Failed | RollingEnd::Done | RollingEnd::CalledOff(_)) => None,
        });
        let progress = |(rolling, failure): (&Rolling, Option<String>)| RollingProgress {
            number: shown(rolling.number),
            failure,
            done: rolling.done(),
            wanted: rolling.wanted(),
        };
        told.map(progress).collect()
    }

    /// What the description of a process says about rolling restarts.
    pub(crate) fn rolling_note(&self, id: ProcId) -> Option<&'static str> {
        if !self.core.has_rolling() {
            return None;
        }
        match self.core.rolling_stage(id) {
            Some(Stage::Pending) => Some("waits for its turn in a rolling restart"),
            Some(Stage::Ending { .. } | Stage::Starting { .. }) => Some("is restarted in a rolling restart"),
            Some(Stage::Done | Stage::Failed(_) | Stage::Left(_)) | None => {
                self.core.is_behind(id).then_some("has its old options, since the rolling restart has failed")
            }
        }
    }

    /// The event that a rolling restart is over.
    pub(crate) fn rolling_event(&self, number: u64) -> Option<(EventKind, String)> {
        let rolling = self.core.rolling(number)?;
        let info = info(rolling);
        let kind = match rolling.end.as_ref()? {
            RollingEnd::Done => EventKind::RollingRestartDone,
            RollingEnd::Failed | RollingEnd::CalledOff(_) => EventKind::RollingRestartFailed,
        };
        let (done, of) = (rolling.done(), rolling.wanted());
        let state = info.state.replace(' ', "_");
        Some((kind, format!("number:{number} result:{state} restarted:{done} of:{of}\n{}", info.reason)))
    }

    /// Writes down what has changed of one, and then who is behind: these members, or all of it if there are none.
    pub(crate) fn rolling_changed(&mut self, number: u64, members: &[usize]) {
        let changed = self.core.rolling(number).map(|rolling| RollingChange::of(rolling, members));
        let change = changed.and_then(|change| serde_json::to_vec(&change).ok());
        match change.map(|change| self.rolling_record.change(ROLLING_KEY, change)) {
            Some(Some(frame)) => self.send(&frame),
            Some(None) => self.save_rolling(),
            // It is over, and so many are since that it is forgotten.
            None => {}
        }
        self.changes.of_rolling();
        self.follow_behind(number, members);
    }

    /// Writes all of them down.
    pub(crate) fn save_rolling(&mut self) {
        let records: Vec<RollingRecord> = self.core.rollings().map(RollingRecord::from).collect();
        if records.is_empty() {
            return;
        }
        if let Ok(value) = serde_json::to_vec(&records) {
            let frame = self.rolling_record.whole(ROLLING_KEY, value);
            self.send(&frame);
        }
    }

    /// Another version of the daemon may follow, which understands only a record that is whole.
    pub(crate) fn leave_rolling(&mut self) {
        if !self.rolling_record.is_whole() {
            self.save_rolling();
        }
    }

    /// Goes on with those of an earlier daemon.
    pub(crate) fn restore_rolling(&mut self, record: Option<Vec<u8>>) {
        for record in record.map(|value| rolling::read(&value)).unwrap_or_default() {
            self.tell(Input::RestoreRolling(Box::new(record.into())));
        }
    }

    /// Everything is down, and nothing goes on.
    pub(crate) fn forget_rolling(&mut self) {
        self.behind.clear();
        self.rolling_record.forget();
        self.changes.of_rolling();
        self.send(&ToKeeper::Delete { key: ROLLING_KEY });
    }

    /// A group was updated: who has not got its new options yet has those of the generation before.
    pub(crate) fn note_behind(&mut self, group: &str, before: u64) {
        let members = self.core.group(group).map(|group| group.members().to_vec()).unwrap_or_default();
        for id in members.into_iter().filter(|id| self.core.is_behind(*id)) {
            if let Some(process) = self.core.process(id) {
                let key = (process.group().to_owned(), process.name().to_owned());
                let old = *self.behind.entry(key.clone()).or_insert(before);
                self.unsaved.behind.insert(key, Some(old));
            }
        }
        let core = &self.core;
        let is_not = |name: &str| core.member(group, name).is_none_or(|id| !core.is_behind(id));
        let gone = self.behind_of(group, is_not);
        gone.into_iter().for_each(|key| self.is_behind_no_more(key));
    }

    /// Some of a rolling restart may have got their new options: these, or any if there are none.
    fn follow_behind(&mut self, number: u64, members: &[usize]) {
        let Some(rolling) = self.core.rolling(number).filter(|_| !self.behind.is_empty()) else { return };
        let changed = members.iter().filter_map(|at| rolling.members.get(*at));
        let all = rolling.members.iter().filter(|_| members.is_empty());
        let keys = changed.chain(all).map(|member| (member.group.clone(), member.process.clone()));
        let is_not = |(group, name): &(String, String)| {
            self.behind.contains_key(&(group.clone(), name.clone()))
                && self.core.member(group, name).is_none_or(|id| !self.core.is_behind(id))
        };
        let gone: Vec<_> = keys.filter(is_not).collect();
        if !gone.is_empty() {
            gone.into_iter().for_each(|key| self.is_behind_no_more(key));
            self.prune_after_change();
        }
    }

    fn is_behind_no_more(&mut self, key: (String, String)) {
        self.behind.remove(&key);
        self.unsaved.behind.insert(key, None);
    }

    /// Nobody of a group that is gone is behind.
    pub(crate) fn leave_behind_none(&mut self, group: &str) {
        self.behind_of(group, |_| true).into_iter().for_each(|key| self.is_behind_no_more(key));
    }

    /// Those of a group that are behind, as far as they are among these.
    fn behind_of(&self, group: &str, are: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let of_group = self.behind.range((group.to_owned(), String::new())..).map(|(key, _)| key);
        let of_group = of_group.take_while(|(other, _)| other == group);
        of_group.filter(|(_, name)| are(name)).cloned().collect()
    }

    pub(crate) fn behind_record(&self) -> Vec<(String, String, u64)> {
        self.behind.iter().map(|((group, name), old)| (group.clone(), name.clone(), *old)).collect()
    }

    /// The options that an earlier daemon had left a process.
    pub(crate) fn options_behind(&mut self, old: u64, group: &str, name: &str) -> Option<LeftBehind> {
        let spec = self.generations.get(old)?.group(group)?;
        let spec = spec.processes.iter().find(|process| process.name == name)?.clone();
        self.behind.insert((group.to_owned(), name.to_owned()), old);
        Some(LeftBehind { group: group.to_owned(), process: name.to_owned(), options: spec })
    }

    /// The active groups with the options that their processes really have.
    pub(crate) fn running_groups(&self) -> Vec<GroupSpec> {
        self.active.iter().map(|group| self.running_group(group)).collect()
    }

    pub(crate) fn running_group(&self, group: &Active) -> GroupSpec {
        let mut spec = group.spec.clone();
        if self.behind.is_empty() {
            return spec;
        }
        for process in &mut spec.processes {
            let id = self.core.member(&spec.name, &process.name).filter(|id| self.core.is_behind(*id));
            if let Some(behind) = id.and_then(|id| self.core.process(id)) {
                process.clone_from(behind.spec());
            }
        }
        spec
    }
}

/// The first that failed, and why.
fn failure(rolling: &Rolling) -> String {
    rolling.failure().map(|(name, why)| format!("{name}: {why}")).unwrap_or_default()
}

fn info(rolling: &Rolling) -> RollingInfo {
    let (state, reason) = match &rolling.end {
        None => ("under way", String::new()),
        Some(RollingEnd::Done) => ("done", String::new()),
        Some(RollingEnd::Failed) => ("failed", failure(rolling)),
        Some(RollingEnd::CalledOff(why)) => ("called off", why.clone()),
    };
    let members = rolling.members.iter().map(|member| {
        let (stage, reason) = match &member.stage {
            Stage::Pending => ("pending", ""),
            Stage::Ending { .. } => ("stopping", ""),
            Stage::Starting { .. } => ("starting", ""),
            Stage::Done => ("done", ""),
            Stage::Failed(why) => ("failed", why.as_str()),
            Stage::Left(why) => ("left", why.as_str()),
        };
        RollingMember {
            name: member.process.clone(),
            group: member.group.clone(),
            stage: stage.to_owned(),
            reason: reason.to_owned(),
        }
    });
    RollingInfo {
        number: shown(rolling.number),
        state: state.to_owned(),
        reason,
        update: rolling.update,
        members: members.collect(),
    }
}
