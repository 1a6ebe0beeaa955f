//! From sources to a typed configuration.

use crate::command_line::CommandLine;
use crate::diagnostic::{Diagnostic, LoadError};
use crate::settings::Config;
use crate::sources::Sources;
use crate::world::World;

/// Makes sense of what was read.
///
/// # Errors
/// [`LoadError`] with every problem; the first is Supervisor's.
pub fn load(sources: &Sources, cli: &CommandLine, world: &dyn World) -> Result<Config, LoadError> {
    let _ = (sources, cli, world);
    Err(LoadError::one(Diagnostic::error("not yet")))
}
