//! Where a configuration file is looked for (CFG-001).

use std::path::PathBuf;

use crate::environment::Environment;

/// The first existing file of the search path of `program`; else every place that was looked at.
///
/// # Errors
/// The places, in order.
pub fn find_config(program: &str, env: &Environment) -> Result<PathBuf, Vec<PathBuf>> {
    let _ = (program, env);
    Err(Vec::new())
}
