//! Names that the server does not know, read as people mean them (D-41).
//!
//! In this order: a group (all its processes; `G:*` too, where Supervisor takes no groups), a process name that only one group has, a pattern over `group:process`
//! and process names. Only asked after the server has said no, so what works with Supervisor works the same way.

use glob::Pattern;
use upkeep_api::ProcessInfo;

use crate::names::{Target, namespec};

/// What a name may stand for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// These, at least one.
    Found(Vec<Target>),
    /// Nothing.
    Unknown {
        /// What to tell the user, if anything comes close.
        hint: Option<String>,
    },
}

/// Reads `name` against all processes there are.
pub(crate) fn resolve(name: &str, all: &[ProcessInfo]) -> Resolution {
    let group = match Target::parse(name) {
        Target::Group(group) => group,
        Target::Process { .. } => name.to_owned(),
    };
    if let Some(group) = whole_group(&group, all) {
        return Resolution::Found(vec![group]);
    }
    let members: Vec<_> = all.iter().filter(|info| info.name == name).collect();
    match members.as_slice() {
        [] => {}
        [only] => return Resolution::Found(vec![Target::process(&only.group, &only.name)]),
        several => return Resolution::Unknown { hint: Some(ambiguous(name, several)) },
    }
    let found = matching(name, all);
    if found.is_empty() {
        Resolution::Unknown { hint: suggestion(name, all) }
    } else {
        Resolution::Found(found)
    }
}

/// The processes that targets cover, in the order of `all`.
pub(crate) fn members<'a>(targets: &[Target], all: &'a [ProcessInfo]) -> Vec<&'a ProcessInfo> {
    let is_meant = |info: &ProcessInfo| targets.iter().any(|target| target.covers(&info.group, &info.name));
    all.iter().filter(|info| is_meant(info)).collect()
}

/// A group as one, so that its processes stop and start together. One that has a single process is that process:
/// a call for one says more than a call for a group, which passes over what has nothing to do.
fn whole_group(group: &str, all: &[ProcessInfo]) -> Option<Target> {
    let mut members = all.iter().filter(|info| info.group == group);
    match (members.next(), members.next()) {
        (None, _) => None,
        (Some(only), None) => Some(Target::process(&only.group, &only.name)),
        (Some(_), Some(_)) => Some(Target::Group(group.to_owned())),
    }
}

/// What a hint says about a name that means more than one process where only one can be used.
pub(crate) fn ambiguous(name: &str, processes: &[&ProcessInfo]) -> String {
    let names: Vec<_> = processes.iter().map(|info| namespec(&info.group, &info.name)).collect();
    format!("\"{name}\" could be {}", names.join(" or "))
}

fn matching(name: &str, all: &[ProcessInfo]) -> Vec<Target> {
    if !name.contains(['*', '?', '[']) {
        return Vec::new();
    }
    let Ok(pattern) = Pattern::new(name) else { return Vec::new() };
    let matches = |info: &ProcessInfo| {
        pattern.matches(&info.name) || pattern.matches(&format!("{}:{}", info.group, info.name))
    };
    let mut found: Vec<Target> = Vec::new();
    for info in all.iter().filter(|info| matches(info)) {
        if found.iter().any(|target| target.covers(&info.group, &info.name)) {
            continue;
        }
        let is_whole = all.iter().filter(|other| other.group == info.group).all(matches);
        let group = is_whole.then(|| whole_group(&info.group, all)).flatten();
        found.push(group.unwrap_or_else(|| Target::process(&info.group, &info.name)));
    }
    found
}

/// `did you mean "x"?` for the nearest name of a group or process.
fn suggestion(name: &str, all: &[ProcessInfo]) -> Option<String> {
    let specs: Vec<_> = all.iter().map(|info| namespec(&info.group, &info.name)).collect();
    let groups = all.iter().map(|info| info.group.as_str());
    let bare = all.iter().map(|info| info.name.as_str());
    let near = nearest(name, specs.iter().map(String::as_str).chain(groups).chain(bare));
    near.map(|other| format!("did you mean \"{other}\"?"))
}

/// The name that is most like `name`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(name: &str, others: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, other) = others.map(|other| (distance(name, other), other)).min_by_key(|near| near.0)?;
    let most = (name.chars().count() / 3).clamp(1, 4);
    (distance <= most).then_some(other)
}

/// How many characters must be added, dropped, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let change = last[j] + usize::from(a != b);
            let mut best = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from[i - 1] == *b && to[j - 1] == *a {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use upkeep_api::ProcessState;

    fn info(group: &str, name: &str) -> ProcessInfo {
        ProcessInfo {
            name: name.to_owned(),
            group: group.to_owned(),
            start: 0,
            stop: 0,
            now: 0,
            state: ProcessState::Stopped,
            spawnerr: String::new(),
            exitstatus: 0,
            stdout_logfile: String::new(),
            stderr_logfile: String::new(),
            pid: 0,
            description: String::new(),
        }
    }

    fn group(name: &str) -> Target {
        Target::Group(name.to_owned())
    }

    #[test]
    fn order_of_meanings_d_41() {
        let all = [
            info("card", "card_00"),
            info("card", "card_01"),
            info("shop", "checkin"),
            info("shop", "mail"),
            info("blog", "mail"),
            info("solo", "solo"),
        ];
        let p = Target::process;
        let rows: [(&str, Vec<Target>); 12] = [
            ("card", vec![group("card")]),
            ("card:*", vec![group("card")]),
            ("blog:", vec![p("blog", "mail")]),
            ("blog", vec![p("blog", "mail")]),
            ("checkin", vec![p("shop", "checkin")]),
            ("card_0*", vec![group("card")]),
            ("card:*_00", vec![p("card", "card_00")]),
            ("card_0?", vec![group("card")]),
            ("*mail", vec![p("shop", "mail"), p("blog", "mail")]),
            ("s*:*", vec![group("shop"), p("solo", "solo")]),
            ("sol[o]", vec![p("solo", "solo")]),
            ("*", vec![group("card"), group("shop"), p("blog", "mail"), p("solo", "solo")]),
        ];
        for (name, expected) in rows {
            assert_eq!(resolve(name, &all), Resolution::Found(expected), "{name}");
        }
    }

    #[test]
    fn hints_d_41() {
        let all = [info("laravel", "laravel_00"), info("a", "mail"), info("b", "mail"), info("web", "web")];
        let rows = [
            ("larvel", Some("did you mean \"laravel\"?")),
            ("laravel_01", Some("did you mean \"laravel_00\"?")),
            ("wbe", Some("did you mean \"web\"?")),
            ("mail", Some("\"mail\" could be a:mail or b:mail")),
            ("database", None),
            ("x*", None),
            ("***", None),
        ];
        for (name, hint) in rows {
            let hint = hint.map(str::to_owned);
            assert_eq!(resolve(name, &all), Resolution::Unknown { hint }, "{name}");
        }
        assert_eq!(resolve("x", &[]), Resolution::Unknown { hint: None });
    }
}
