//! The store that every BitRouter begins with: `oauth-tokens.json`, and the system's keyring for secrets where the config
//! says so. What it looks like is here; `write` reads and changes it, `secrets` moves what is in the keyring.

use std::fmt;
use std::fs::{File, Metadata};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;

use super::super::keyring::{Keyring, SystemKeyring};
use super::Revision;

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretsIn {
    /// In the file.
    File,
    /// In the system's keyring; the file has their names.
    Keyring,
}

/// Credentials in a file, their secrets there or in a keyring.
pub struct FileStore {
    pub(super) path: PathBuf,
    pub(super) secrets_in: Option<SecretsIn>,
    pub(super) keyring: Arc<dyn Keyring>,
}

impl FileStore {
    /// This file, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileStore { path: path.into(), secrets_in: None, keyring: Arc::new(SystemKeyring) }
    }

    /// The same, with secrets kept here. What is stored stays where it is until it changes; with nothing said, it stays
    /// there for good, and what is new goes into the file.
    pub fn keeping(self, secrets_in: Option<SecretsIn>) -> Self {
        FileStore { secrets_in, ..self }
    }

    /// The same, with this keyring.
    #[cfg(test)]
    pub(crate) fn with_keyring(self, keyring: Arc<dyn Keyring>) -> Self {
        FileStore { keyring, ..self }
    }

    /// The text and what its own file looked like, by the same handle: a file put in its place meanwhile is noticed.
    pub(super) fn load_file(&self) -> io::Result<(Metadata, Zeroizing<String>)> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text)?;
        Ok((metadata, text))
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, secrets_in) = (&self.path, self.secrets_in);
        f.debug_struct("FileStore").field("path", path).field("secrets_in", &secrets_in).finish_non_exhaustive()
    }
}

/// The revision of a file that looks like this, or is not there. A file that was replaced by renaming has another inode, one
/// written in place another time of change.
pub(super) fn revision(metadata: Option<&Metadata>) -> Revision {
    let mut hasher = DefaultHasher::new();
    metadata.map(|metadata| (metadata.modified().ok(), metadata.len())).hash(&mut hasher);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let of_inode = |file: &Metadata| (file.dev(), file.ino(), file.ctime(), file.ctime_nsec(), file.mode());
        metadata.map(of_inode).hash(&mut hasher);
    }
    Revision(hasher.finish())
}

#[cfg(unix)]
pub(super) fn warning(path: &Path, metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        let path = path.display();
        format!("{path}: other users of this machine can open it (mode {mode:03o}). Run: chmod 600 {path}")
    })
}

#[cfg(not(unix))]
pub(super) fn warning(_: &Path, _: &Metadata) -> Option<String> {
    None
}
