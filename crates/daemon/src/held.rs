//! The configurations an earlier daemon went by, as the keeper holds them. What is missing there is read again, from the file
//! as it is now: a daemon with options that somebody may have edited is better than none.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::Path;

use upkeep_config::{CommandLine, Environment, Lenient, Sources};
use upkeep_logs::Level;

use crate::boot::StartError;
use crate::generations::{self, FIRST, Generations, Loaded};
use crate::inventory::Inventory;
use crate::records::DaemonRecord;
use crate::shell::Shell;

/// What memory files with a configuration are called.
pub(crate) const MEMORY: &str = "upkeep-config";

/// What an earlier daemon went by.
pub(crate) struct Found {
    pub(crate) generations: Generations,
    /// What was not to be had.
    pub(crate) lost: Option<Lost>,
}

/// Configurations that the keeper does not hold, or that nobody can make sense of.
pub(crate) struct Lost {
    numbers: Vec<u64>,
    why: String,
    /// What stands for them.
    instead: String,
}

/// The configurations an earlier daemon went by.
///
/// # Errors
/// One is missing, nothing else can stand for it, or one is wrong.
pub(crate) fn read(
    cli: &CommandLine,
    record: &DaemonRecord,
    inventory: &Inventory,
) -> Result<Found, StartError> {
    let mut all = BTreeMap::new();
    let mut lost: Option<Lost> = None;
    for number in record.generations() {
        match sources(number, inventory) {
            Ok(sources) => {
                all.insert(number, Loaded::new(sources, cli, &Lenient)?);
            }
            Err(why) => {
                let new = || Lost { numbers: Vec::new(), why, instead: String::new() };
                lost.get_or_insert_with(new).numbers.push(number);
            }
        }
    }
    if let Some(lost) = &mut lost {
        let (loaded, instead) = stand_in(cli, record, &all, &lost.why)?;
        lost.instead = instead;
        all.extend(lost.numbers.iter().map(|number| (*number, loaded.clone())));
    }
    let generations = Generations::restored(all, record.base, record.latest).ok_or_else(|| {
        StartError::Recovery("its record names configurations that are not there".to_owned())
    })?;
    Ok(Found { generations, lost })
}

/// The first configuration, for the keeper to hold. If there is no room for it the daemon reads it again.
pub(crate) fn by_the_first(sources: &Sources) -> Option<(String, OwnedFd)> {
    let held = upkeep_os::memfd_with(MEMORY, &sources.to_bytes()).ok()?;
    Some((generations::held_name(FIRST), held))
}

/// What a configuration was read from, or why that cannot be told.
pub(crate) fn sources(number: u64, inventory: &Inventory) -> Result<Sources, String> {
    let held = inventory.held.get(&generations::held_name(number));
    let fd = held.ok_or_else(|| "the keeper process does not hold it".to_owned())?;
    let bytes = upkeep_os::read_memfd(fd).map_err(|error| format!("it cannot be read: {error}"))?;
    Sources::from_bytes(&bytes).map_err(|error| format!("it cannot be understood: {error}"))
}

/// What the file says now; if that is no good, what is held of another time. Also in words.
fn stand_in(
    cli: &CommandLine,
    record: &DaemonRecord,
    held: &BTreeMap<u64, Loaded>,
    why: &str,
) -> Result<(Loaded, String), StartError> {
    let other = held.values().next_back();
    let again = match other {
        Some(other) => other.sources.reread(),
        None => {
            let recorded = Some(&record.file).filter(|file| !file.is_empty());
            let configuration = recorded.or(cli.configuration.as_ref()).cloned();
            let cli = CommandLine { configuration, ..cli.clone() };
            Sources::read_soon(&cli, Environment::of_this_process())
        }
    };
    let shown = |path: &Path| format!("'{}' was read again as it is now", path.display());
    match (again.and_then(|sources| Loaded::new(sources, cli, &Lenient)), other) {
        (Ok(loaded), _) => {
            let instead = shown(loaded.sources.path());
            Ok((loaded, instead))
        }
        (Err(error), Some(other)) => {
            let instead =
                format!("the file cannot be read again ({error}), and what else was read stands for it");
            Ok((other.clone(), instead))
        }
        (Err(error), None) => Err(StartError::Recovery(format!(
            "the configuration in effect is not known ({why}), and {error}"
        ))),
    }
}

impl Shell {
    /// Says what was lost, and holds what stands for it.
    pub(crate) fn make_good(&mut self, lost: Lost) {
        let Lost { numbers, why, instead } = lost;
        self.log(
            Level::Critical,
            format!("the configuration in effect is not known any more ({why}): {instead}"),
        );
        self.note_lost(&numbers);
        numbers.into_iter().for_each(|number| self.hold_generation(number));
    }
}
