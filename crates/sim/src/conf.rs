//! Worlds from configuration text, as users write it.

use upkeep_config::{CommandLine, Environment, Invocation, Lenient, Sources, invocation, load};
use upkeep_core::spec::GroupSpec;

use crate::sim::Sim;

impl Sim {
    /// A supervisor with the groups of this text, as [`groups`] reads them.
    ///
    /// # Panics
    /// As [`groups`].
    #[must_use]
    pub fn from_conf(text: &str) -> Self {
        Self::new(groups(text))
    }
}

/// The groups of a configuration text; `[supervisord]` may be left out.
///
/// # Panics
/// The text is no configuration, or there is no disk to put it on.
#[must_use]
pub fn groups(text: &str) -> Vec<GroupSpec> {
    match read(text) {
        Ok(groups) => groups,
        Err(message) => panic!("{message}\n{text}"),
    }
}

fn read(text: &str) -> Result<Vec<GroupSpec>, String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let path = directory.path().join("supervisord.conf");
    let section = if text.contains("[supervisord]") { "" } else { "[supervisord]\n" };
    std::fs::write(&path, format!("{section}{text}")).map_err(|error| error.to_string())?;
    let cli = command_line(&path.display().to_string())?;
    let sources = Sources::read(&cli, Environment::default()).map_err(|error| error.to_string())?;
    let config = load(&sources, &cli, &Lenient).map_err(|error| error.to_string())?;
    Ok(config.groups)
}

fn command_line(path: &str) -> Result<CommandLine, String> {
    match invocation("supervisord", &["-c".to_owned(), path.to_owned()]) {
        Ok(Invocation::Run(cli)) => Ok(cli),
        Ok(Invocation::Print(text)) => Err(text),
        Err(error) => Err(error.to_string()),
    }
}
