//! What was read, apart from the surroundings in which that was: to keep it, to show it, and to go back to it.

use crate::envfiles::EnvFile;
use crate::environment::Environment;
use crate::sources::{Parsed, Sources};

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// Its absolute path.
    pub path: String,
    /// `None` if it was there and could not be read.
    pub text: Option<Vec<u8>>,
    /// A file of variables (`env_files`).
    pub variables: bool,
}

impl Sources {
    /// Everything that was read: the main file, those it includes in their order, files of variables.
    #[must_use]
    pub fn files(&self) -> Vec<SourceFile> {
        let path = self.path.to_string_lossy().into_owned();
        let mut files = vec![SourceFile { path, text: Some(self.main.clone()), variables: false }];
        for file in self.includes.iter().flat_map(|include| &include.files) {
            files.push(SourceFile { path: file.path.clone(), text: file.text.clone(), variables: false });
        }
        for (path, file) in &self.env_files {
            let text = match file {
                EnvFile::Text(text, _) => Some(text.clone()),
                EnvFile::Missing => continue,
                EnvFile::Unreadable(_) => None,
            };
            files.push(SourceFile { path: path.clone(), text, variables: true });
        }
        files
    }

    /// Bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        let included = self.includes.iter().flat_map(|include| &include.files);
        let included = included.map(|file| file.text.as_ref().map_or(0, Vec::len));
        let variables = self.env_files.values().map(|file| match file {
            EnvFile::Text(text, _) => text.len(),
            EnvFile::Missing | EnvFile::Unreadable(_) => 0,
        });
        (self.main.len() + included.chain(variables).sum::<usize>()) as u64
    }

    /// Whether the same files said the same, whatever the surroundings.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        (&self.path, &self.main, &self.includes, &self.env_files)
            == (&other.path, &other.main, &other.includes, &other.env_files)
    }

    /// A snapshot without the daemon's own environment, which may hold secrets; for [`Sources::from_bytes`] and then
    /// [`Sources::in_surroundings_of`].
    #[must_use]
    pub fn files_to_bytes(&self) -> Vec<u8> {
        Self { env: Environment::default(), ..self.clone() }.to_bytes()
    }

    /// The same files, read in the surroundings of others.
    #[must_use]
    pub fn in_surroundings_of(&self, other: &Self) -> Self {
        Self {
            env: other.env.clone(),
            name: other.name.clone(),
            searched: other.searched,
            parsed: Parsed::default(),
            ..self.clone()
        }
    }
}
