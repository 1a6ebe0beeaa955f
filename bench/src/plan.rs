//! What a run does, and how long it looks.

use std::path::PathBuf;
use std::time::Duration;

use crate::Outcome;

/// How to call it.
pub const USAGE: &str = "\
usage: cargo xtask bench [--quick] [OPTION...]

  --quick            at most two minutes: small sizes, few repetitions
  --sizes N,N        numbers of processes (default 0,19,200,1000,3000,10000; with --quick 0,19,200)
  --only ROW,ROW     only these measures: life, memory, idle, info, clients, status, death, storm, restarts, groups,
                     recovery, log
  --turns N          turns that each contender gets at each size (default 3; with --quick 1); for log twice as
                     many less one
  --supervisor-to N  the largest size for Supervisor, which takes minutes there (default 3000)
  --skip NAME,NAME   leave out contenders: supervisor, upkeep, limit
  --binary PATH      measure this executable of Upkeep, and build none
  --against PATH     another executable of Upkeep, measured beside the first
  --home DIR         where everything is written (default /dev/shm if there is one, else the system's place)
  --json FILE        also write the results as JSON
  --docs DIR         also write them into benchmarks.md of DIR and of DIR/zh-CN
";

/// What a run does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Numbers of processes.
    pub sizes: Vec<usize>,
    /// Only these measures; empty: all.
    pub only: Vec<String>,
    /// The largest size at which Supervisor is measured.
    pub supervisor_to: usize,
    /// Contenders that are left out.
    pub skip: Vec<String>,
    /// Upkeep.
    pub binary: PathBuf,
    /// Another Upkeep.
    pub against: Option<PathBuf>,
    /// Where Supervisor's programs are.
    pub supervisor: PathBuf,
    /// Where everything is written.
    pub home: Option<PathBuf>,
    /// Where to write JSON.
    pub json: Option<PathBuf>,
    /// The manual, if the results are to be written into it.
    pub docs: Option<PathBuf>,
    /// How much is done.
    pub effort: Effort,
}

/// How often and how long everything is done.
#[derive(Debug, Clone)]
pub struct Effort {
    /// Turns that each contender gets at each size.
    pub turns: usize,
    /// Single kills.
    pub kills: usize,
    /// Restarts over which CPU and memory are measured.
    pub restarts: usize,
    /// Readings of memory before and after those, of which the middle one counts.
    pub readings: usize,
    /// Storms.
    pub storms: usize,
    /// Time in which nothing happens.
    pub idle: Duration,
    /// Single calls.
    pub calls: usize,
    /// Time for which fifty clients ask.
    pub crowd: Duration,
    /// Calls of the status command.
    pub statuses: usize,
    /// Deaths of the daemon.
    pub recoveries: usize,
    /// Bytes that all writers write together.
    pub output: u64,
    /// How long anything may take before it is given up.
    pub patience: Duration,
}

impl Effort {
    /// For figures.
    #[must_use]
    pub fn full() -> Self {
        Self {
            turns: 3,
            kills: 60,
            restarts: 2_000,
            readings: 3,
            storms: 3,
            idle: Duration::from_secs(10),
            calls: 51,
            crowd: Duration::from_secs(2),
            statuses: 7,
            recoveries: 3,
            output: 1 << 30,
            patience: Duration::from_secs(75),
        }
    }

    /// For a look, and for the benchmark's own test.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            turns: 1,
            kills: 2,
            restarts: 20,
            readings: 1,
            storms: 1,
            idle: Duration::from_secs(1),
            calls: 3,
            crowd: Duration::from_millis(300),
            statuses: 2,
            recoveries: 1,
            output: 64 << 20,
            patience: Duration::from_secs(60),
        }
    }
}

impl Plan {
    /// Reads the words of a command line.
    ///
    /// # Errors
    /// They are not understood; the text says how to call it.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Outcome<Self> {
        let mut words = words.into_iter();
        let mut plan = Self::new(PathBuf::new(), PathBuf::new());
        while let Some(word) = words.next() {
            if word == "--quick" {
                plan.make_quick();
                continue;
            }
            if word == "--help" {
                return Err(USAGE.to_owned());
            }
            let value = words.next().ok_or_else(|| format!("{word}?\n{USAGE}"))?;
            plan.set(&word, &value)?;
        }
        Ok(plan)
    }

    /// Everything, with these executables.
    #[must_use]
    pub fn new(binary: PathBuf, supervisor: PathBuf) -> Self {
        Self {
            sizes: vec![0, 19, 200, 1000, 3000, 10_000],
            only: Vec::new(),
            supervisor_to: 3000,
            skip: Vec::new(),
            binary,
            against: None,
            supervisor,
            home: None,
            json: None,
            docs: None,
            effort: Effort::full(),
        }
    }

    /// Small sizes and few repetitions.
    pub fn make_quick(&mut self) {
        self.sizes = vec![0, 19, 200];
        self.effort = Effort::quick();
    }

    /// Whether a measure is wanted.
    #[must_use]
    pub fn wants(&self, measure: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == measure)
    }

    fn set(&mut self, word: &str, value: &str) -> Outcome<()> {
        let list = || value.split(',').map(str::to_owned).collect::<Vec<_>>();
        match word {
            "--sizes" => {
                let sizes = value.split(',').map(str::parse).collect::<Result<_, _>>();
                self.sizes = sizes.map_err(|_| format!("not numbers: {value}"))?;
            }
            "--turns" => self.effort.turns = value.parse().map_err(|_| format!("not a number: {value}"))?,
            "--supervisor-to" => {
                self.supervisor_to = value.parse().map_err(|_| format!("not a number: {value}"))?;
            }
            "--only" => self.only = list(),
            "--skip" => self.skip = list(),
            "--binary" => self.binary = value.into(),
            "--against" => self.against = Some(value.into()),
            "--supervisor" => self.supervisor = value.into(),
            "--home" => self.home = Some(value.into()),
            "--docs" => self.docs = Some(value.into()),
            "--json" => self.json = Some(value.into()),
            _ => return Err(format!("not an option: {word}\n{USAGE}")),
        }
        Ok(())
    }
}
