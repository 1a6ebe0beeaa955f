//! The environment children inherit.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::sync::Arc;

use upkeep_config::Level as ConfigLevel;

use crate::generations::Generations;
use crate::prepare::ChildContext;
use crate::records::Standing;
use crate::shell::Shell;

/// Names that start so are between our own roles, and no child's business.
const INTERNAL: &[u8] = b"UPKEEP_INTERNAL_";

/// The daemon's environment without what its roles tell each other.
pub(crate) fn inherited() -> Vec<(OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !name.as_bytes().starts_with(INTERNAL)).collect()
}

/// What all children have in common under the configuration in effect.
pub(crate) fn context(
    generations: &Generations,
    environment: &[(OsString, OsString)],
    program: &str,
    standing: &Standing,
) -> Arc<ChildContext> {
    let config = &generations.base().config;
    let foreground = standing.foreground.unwrap_or(config.settings.nodaemon);
    Arc::new(ChildContext {
        environment: environment.to_vec(),
        server_url: upkeep_config::server_url(&config.servers),
        strip_ansi: config.settings.strip_ansi,
        echo: config.settings.loglevel >= ConfigLevel::Debug,
        log_prefix: crate::console::is_wanted(&config.settings, foreground),
        ident: program.rsplit('/').next().unwrap_or(program).to_owned(),
        owner: config.settings.pidfile.clone().into_os_string().into_vec(),
        umask: standing.umask,
        directory: standing.directory.clone(),
    })
}

impl Shell {
    /// From now on children are started under the configuration in effect.
    pub(crate) fn renew_context(&mut self) {
        self.context = context(&self.generations, &self.environment, &self.program, &self.standing);
    }
}
