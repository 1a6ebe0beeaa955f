//! Lets the other rooms write to the daemon's log through the `log` crate.

use log::{LevelFilter, Log, Metadata, Record};
use upkeep_logs::{Engine, Journal, Level};

/// Records of this target are CRIT, whatever their level.
const CRITICAL: &str = "critical";

/// Passes records on to the log thread.
struct Facade(Engine);

/// Makes `engine` the sink of all records. Done once in the life of the process.
pub(crate) fn install(engine: &Engine) {
    if log::set_boxed_logger(Box::new(Facade(engine.clone()))).is_ok() {
        log::set_max_level(LevelFilter::Trace);
    }
}

/// Says where the lines go. What nobody will see is not even put into words.
pub(crate) fn set_journal(engine: &Engine, journal: Journal) {
    log::set_max_level(filter_of(journal.level));
    engine.set_journal(journal);
}

/// What the `log` crate has to let through for lines of this level and above: to it, CRIT is an error.
fn filter_of(level: Level) -> LevelFilter {
    match level {
        Level::Critical | Level::Error => LevelFilter::Error,
        Level::Warn => LevelFilter::Warn,
        Level::Info => LevelFilter::Info,
        Level::Debug => LevelFilter::Debug,
        Level::Trace | Level::Blather => LevelFilter::Trace,
    }
}

fn level_of(metadata: &Metadata<'_>) -> Level {
    if metadata.target() == CRITICAL {
        return Level::Critical;
    }
    match metadata.level() {
        log::Level::Error => Level::Error,
        log::Level::Warn => Level::Warn,
        log::Level::Info => Level::Info,
        log::Level::Debug => Level::Debug,
        log::Level::Trace => Level::Trace,
    }
}

/// Our own rooms only: libraries talk to their developers, not to the reader of this log.
fn is_ours(metadata: &Metadata<'_>) -> bool {
    metadata.target() == CRITICAL || metadata.target().starts_with("upkeep")
}

impl Log for Facade {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata) && self.0.wants(level_of(metadata))
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.journal(level_of(record.metadata()), record.args().to_string());
        }
    }

    fn flush(&self) {}
}
