//! Everything that was read to make a configuration.

use crate::command_line::CommandLine;
use crate::diagnostic::{Diagnostic, LoadError};
use crate::environment::Environment;

/// The files of a configuration and the surroundings they were read in. Making sense of them is [`crate::load`]'s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources {
    env: Environment,
}

/// Why a snapshot cannot be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It was written by a newer version.
    #[error("the snapshot has version {0}, which is newer than this program")]
    Version(u32),
    /// It ends early or has a length that cannot be.
    #[error("the snapshot is damaged")]
    Damaged,
}

impl Sources {
    /// Finds and reads the configuration file and all it includes.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn read(cli: &CommandLine, env: Environment) -> Result<Self, LoadError> {
        let _ = cli;
        Ok(Self { env })
    }

    /// Reads the same main file and what it includes now.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn reread(&self) -> Result<Self, LoadError> {
        Err(LoadError::one(Diagnostic::error("not yet")))
    }

    /// A snapshot for [`Sources::from_bytes`].
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Reads a snapshot back.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let _ = bytes;
        Err(SnapshotError::Damaged)
    }
}
