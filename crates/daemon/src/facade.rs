//! Lets the other rooms write to the daemon's log through the `log` crate.

use log::{Log, Metadata, Record};
use upkeep_logs::{Engine, Level};

/// Records of this target are CRIT, whatever their level.
const CRITICAL: &str = "critical";

/// Passes records on to the log thread.
struct Facade(Engine);

/// Makes `engine` the sink of all records. Done once in the life of the process.
pub(crate) fn install(engine: &Engine) {
    if log::set_boxed_logger(Box::new(Facade(engine.clone()))).is_ok() {
        log::set_max_level(log::LevelFilter::Trace);
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
