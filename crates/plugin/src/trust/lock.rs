//! `plugins.lock`: one entry for each component that was accepted, in a stable order, with nothing of this machine in it, so that
//! it can be reviewed and committed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_files::PrivateFile;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Grant;
use crate::cache::Digest;

/// The version that is written.
const VERSION: u32 = 2;
/// What a source begins with that is a file which somebody put into the plugin folder.
const FILE: &str = "file:";

/// What was accepted of one component, or of one description without one.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub struct Entry {
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Where it came from: `https://…`, `oci://…@sha256:…`, or `file:NAME` for a file that was put into the plugin folder
    /// under this name. Empty in an entry of a version that did not say.
    #[serde(default)]
    pub source: String,
    /// The minisign key whose signature it had when it was accepted: another build must have one, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// What was accepted of each of its providers.
    pub providers: Vec<Grant>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

impl Entry {
    /// The source of a file that was put into the plugin folder.
    pub fn source_of(file: &Path) -> String {
        format!("{FILE}{}", file.file_name().unwrap_or_default().to_string_lossy())
    }

    /// Whether this file of the plugin folder is where the accepted one came from.
    pub fn came_from(&self, file: &Path) -> bool {
        self.source == Self::source_of(file)
    }

    /// Whether it was put into the plugin folder, rather than fetched from somewhere.
    pub fn is_of_a_file(&self) -> bool {
        self.source.starts_with(FILE)
    }

    /// The ids of its providers.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|grant| grant.id.as_str())
    }

    /// What was accepted of a provider.
    pub fn grant(&self, id: &str) -> Option<&Grant> {
        self.providers.iter().find(|grant| grant.id == id)
    }

    /// What these want beyond what was accepted, a phrase each.
    pub fn lacks(&self, wanted: &[Grant]) -> Vec<String> {
        let lacks = |wanted: &Grant| match self.grant(&wanted.id) {
            Some(known) => known.lacks(wanted),
            None => vec![format!("the provider {}", wanted.id)],
        };
        wanted.iter().flat_map(lacks).collect()
    }
}

/// What went wrong with `plugins.lock`.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error(
        "{} is damaged ({source}). It was left as it is. Move it away, then accept each component again: bitrouter plugin trust FILE",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        source: serde_json::Error,
    },
}

/// `plugins.lock`, read.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct Lock {
    version: u32,
    /// Every accepted component, by the id of its first provider.
    #[serde(default)]
    pub components: Vec<Entry>,
    /// Entries of version 1, one for each provider.
    #[serde(default, skip_serializing)]
    plugins: Vec<Old>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What version 1 kept of a provider: less than is asked for by now.
#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Old {
    sha256: String,
    #[serde(flatten)]
    grant: Grant,
}

impl Lock {
    /// Reads the file; an absent one is empty.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Lock::default()),
            Err(source) => return Err(LockError::Io { path: path.to_owned(), source }),
        };
        let mut lock: Lock =
            serde_json::from_slice(&bytes).map_err(|source| LockError::Damaged { path: path.to_owned(), source })?;
        for Old { sha256, grant } in std::mem::take(&mut lock.plugins) {
            lock.components.push(Entry { sha256, providers: vec![grant], ..Entry::default() });
        }
        Ok(lock)
    }

    /// Whether the user accepted exactly this of these very bytes.
    pub fn accepts(&self, digest: &Digest, wanted: &Grant) -> bool {
        let entries = self.components.iter().filter(|entry| entry.sha256 == digest.as_str());
        entries.flat_map(|entry| &entry.providers).any(|grant| grant.is_exactly(wanted))
    }

    /// The entry that says of this id what was accepted.
    pub fn entry_of(&self, id: &str) -> Option<&Entry> {
        self.components.iter().find(|entry| entry.grant(id).is_some())
    }

    /// The entry of these bytes.
    pub fn entry_with(&self, digest: &Digest) -> Option<&Entry> {
        self.components.iter().find(|entry| entry.sha256 == digest.as_str())
    }

    /// Adds an entry, in the place of all that was accepted of the same ids.
    pub fn accept(entry: Entry, path: &Path) -> Result<(), LockError> {
        Self::change(path, |lock| {
            let ids: Vec<String> = entry.ids().map(str::to_owned).collect();
            lock.take(&ids);
            lock.components.push(entry);
        })
    }

    /// Takes back what was accepted of these ids; answers those of which something was.
    pub fn withdraw(ids: &[String], path: &Path) -> Result<Vec<String>, LockError> {
        Self::change(path, |lock| lock.take(ids))
    }

    fn take(&mut self, ids: &[String]) -> Vec<String> {
        let mut taken = Vec::new();
        for entry in &mut self.components {
            taken.extend(entry.providers.extract_if(.., |known| ids.contains(&known.id)).map(|grant| grant.id));
        }
        self.components.retain(|entry| !entry.providers.is_empty());
        taken
    }

    /// Reads the file, changes it and writes it, under its lock: of two that accept something at once, both have accepted it.
    fn change<T>(path: &Path, change: impl FnOnce(&mut Lock) -> T) -> Result<T, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let _lock = PrivateFile::lock(path).map_err(failed)?;
        let mut lock = Self::read(path)?;
        let before = lock.clone();
        let done = change(&mut lock);
        lock.version = VERSION;
        lock.components.sort_by(|one, other| one.ids().next().cmp(&other.ids().next()));
        if lock.components != before.components {
            let text = serde_json::to_string_pretty(&lock).map_err(|error| failed(error.into()))?;
            PrivateFile::replace(path, format!("{text}\n")).map_err(failed)?;
        }
        Ok(done)
    }
}
