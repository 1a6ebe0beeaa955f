//! Configurations that were read, numbered: the keeper holds what each was read from, so that the next daemon goes on
//! with the options in effect and not with a file somebody is editing.

use std::collections::BTreeMap;
use std::sync::Arc;

use upkeep_config::{CommandLine, Config, LoadError, Sources, World};
use upkeep_core::ordered;
use upkeep_core::spec::GroupSpec;

use crate::launcher::refuse_open_servers;
use crate::reading::Place;

/// What `upkeep run` calls the daemon.
const OWN_NAME: &str = "upkeep";

/// What a configuration is compared with when its files are read.
const NAMED_IN_IT: &str = "the users and directories that it names";

/// One configuration that was read.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    pub(crate) sources: Arc<Sources>,
    pub(crate) config: Arc<Config>,
    /// The places of its groups, in the order of their names.
    by_name: Arc<[u32]>,
}

impl Loaded {
    /// Makes sense of what was read.
    ///
    /// # Errors
    /// The configuration is wrong.
    pub(crate) fn new(sources: Sources, cli: &CommandLine, world: &dyn World) -> Result<Self, LoadError> {
        let config = upkeep_config::load(&sources, cli, world)?;
        let mut by_name: Vec<u32> = (0..).take(config.groups.len()).collect();
        let name = |at: &u32| config.groups.get(*at as usize).map(|group| &group.name);
        ordered::sort_by(&mut by_name, |a, b| name(a).cmp(&name(b)));
        Ok(Self { sources: Arc::new(sources), config: Arc::new(config), by_name: by_name.into() })
    }

    /// Reads the same files again.
    ///
    /// # Errors
    /// They cannot be read, or are wrong.
    pub(crate) fn again(&self, cli: &CommandLine, place: &Place) -> Result<Self, LoadError> {
        let sources = self.sources.reread_telling(&|what| place.set(what))?;
        place.set(NAMED_IN_IT);
        Self::new(sources, cli, &upkeep_config::Host)
    }

    /// Reads the same files again for this daemon: under our own name servers that are open to the world are refused
    /// (D-60).
    ///
    /// # Errors
    /// As [`Self::again`].
    pub(crate) fn again_as(
        &self,
        program: &str,
        cli: &CommandLine,
        place: &Place,
    ) -> Result<Self, LoadError> {
        let loaded = self.again(cli, place)?;
        if program == OWN_NAME {
            refuse_open_servers(&loaded.config)
                .map_err(|message| LoadError { message, diagnostics: Vec::new() })?;
        }
        Ok(loaded)
    }

    /// The options of a group.
    pub(crate) fn group(&self, name: &str) -> Option<&GroupSpec> {
        let group = |at: &u32| self.config.groups.get(*at as usize);
        let first = self.by_name.partition_point(|at| group(at).is_some_and(|group| *group.name < *name));
        self.by_name.get(first).and_then(group).filter(|group| group.name == name)
    }
}

/// The configurations that something in effect still comes from.
#[derive(Debug)]
pub(crate) struct Generations {
    all: BTreeMap<u64, Loaded>,
    /// What `[supervisord]` and the servers come from.
    pub(crate) base: u64,
    /// What was read last.
    pub(crate) latest: u64,
}

/// The number of the first configuration.
pub(crate) const FIRST: u64 = 1;

/// The name under which the keeper holds a configuration.
pub(crate) fn held_name(generation: u64) -> String {
    format!("config/{generation}")
}

impl Generations {
    /// The first configuration.
    pub(crate) fn first(loaded: Loaded) -> Self {
        Self { all: BTreeMap::from([(FIRST, loaded)]), base: FIRST, latest: FIRST }
    }

    /// Those of an earlier daemon; `None` unless `base` and `latest` are among them.
    pub(crate) fn restored(all: BTreeMap<u64, Loaded>, base: u64, latest: u64) -> Option<Self> {
        let complete = all.contains_key(&base) && all.contains_key(&latest);
        complete.then_some(Self { all, base, latest })
    }

    /// The number that the next one gets.
    pub(crate) fn next(&self) -> u64 {
        self.all.keys().next_back().map_or(1, |last| last + 1)
    }

    /// Takes in what was just read; returns its number.
    pub(crate) fn add(&mut self, loaded: Loaded) -> u64 {
        let number = self.next();
        self.all.insert(number, loaded);
        self.latest = number;
        number
    }

    /// The configuration of a number.
    pub(crate) fn get(&self, number: u64) -> Option<&Loaded> {
        self.all.get(&number)
    }

    /// The numbers of all that are kept.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.all.keys().copied().collect()
    }

    /// What `[supervisord]` and the servers come from.
    pub(crate) fn base(&self) -> &Loaded {
        &self.all[&self.base]
    }

    /// What was read last.
    pub(crate) fn latest(&self) -> &Loaded {
        &self.all[&self.latest]
    }

    /// Forgets what is neither base nor latest nor `used`; returns what was forgotten.
    pub(crate) fn prune(&mut self, used: impl Fn(u64) -> bool) -> Vec<(u64, Loaded)> {
        let (base, latest) = (self.base, self.latest);
        self.all.extract_if(.., |&n, _| n != base && n != latest && !used(n)).collect()
    }
}
