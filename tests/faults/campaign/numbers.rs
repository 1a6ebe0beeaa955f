//! The numbers in the workers' logs against what the workers say that they wrote.

use std::collections::BTreeMap;
use std::path::Path;

/// How far each run of a process says that it is: run to number.
fn seen(home: &Path, name: &str) -> BTreeMap<String, u64> {
    let prefix = format!("{name}.");
    let files = std::fs::read_dir(home.join("seen")).expect("a directory").flatten();
    files
        .filter_map(|file| {
            let run = file.file_name().to_str()?.strip_prefix(&prefix)?.to_owned();
            let text = std::fs::read_to_string(file.path()).ok()?;
            Some((run, text.trim().parse().unwrap_or(0)))
        })
        .collect()
}

/// A log and what it was turned into, oldest first.
fn whole(home: &Path, name: &str, backups: usize) -> String {
    let old = (1..=backups).rev().map(|number| format!("{name}.{number}"));
    let files = old.chain([name.to_owned()]);
    files.filter_map(|file| std::fs::read_to_string(home.join(file)).ok()).collect()
}

/// The number that each run ends with; each run's numbers come without a gap, once, and together.
fn unbroken(text: &str) -> Result<BTreeMap<String, u64>, String> {
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    let mut running = "";
    for (at, line) in text.lines().enumerate() {
        let near = || format!("line {}: {line:?} after {:?}", at + 1, text.lines().nth(at.saturating_sub(1)));
        let (run, number) = line.split_once(' ').ok_or_else(near)?;
        let number: u64 = number.parse().map_err(|_| near())?;
        let before = last.get(run).copied();
        if before.unwrap_or(0) + 1 != number || (before.is_some() && running != run) {
            return Err(near());
        }
        last.insert(run.to_owned(), number);
        running = run;
    }
    Ok(last)
}

/// Every number of every run, after all have ended; returns how many there are.
pub(super) fn complete(home: &Path, name: &str, backups: usize) -> Result<u64, String> {
    let last = unbroken(&whole(home, name, backups)).map_err(|error| format!("{name}: {error}"))?;
    for (run, told) in seen(home, name) {
        let logged = last.get(&run).copied().unwrap_or(0);
        // It was ended between the two writes.
        if logged != told && logged != told + 1 {
            return Err(format!("{name}: run {run} wrote {told} numbers, {logged} are in its log"));
        }
    }
    Ok(last.values().sum())
}

/// What is there while it is written: whole lines only, no old files.
pub(super) fn so_far(home: &Path, name: &str) -> Result<(), String> {
    let text = whole(home, name, 0);
    let end = text.rfind('\n').map_or(0, |at| at + 1);
    unbroken(&text[..end]).map(|_| ()).map_err(|error| format!("{name}: {error}"))
}

/// A log that may lack what a full disk cost: the numbers rise.
pub(super) fn rising(text: &str, name: &str) -> Result<u64, String> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    // The first line and one that was cut by the end of the disk may be parts.
    for line in text.lines().skip(1) {
        let Some((run, Ok(number))) = line.split_once(' ').map(|(run, number)| (run, number.parse::<u64>()))
        else {
            continue;
        };
        if last.insert(run, number).is_some_and(|before| before >= number) {
            return Err(format!("{name}: {line:?} comes twice or too late"));
        }
    }
    Ok(last.len() as u64)
}
