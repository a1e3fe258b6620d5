//! Which component files the user has accepted: `plugins.lock`.
//!
//! An entry pins the file's digest, the origins it may reach and the credentials it may be attached. A component that
//! declares a credential, or claims the id of a built-in one, serves only with an entry that matches it in all of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cache::Digest;
use super::description::{Auth, Description};

/// What the user accepted of one component.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Grant {
    /// The provider's id.
    pub id: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// The origins that it may send to, by name.
    pub origins: BTreeMap<String, String>,
    /// The credentials that are attached to its requests.
    pub credentials: Vec<Source>,
    /// The claims of the credential that it is shown.
    #[serde(default)]
    pub claims: Vec<String>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One credential that a component is attached.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Source {
    /// `api-key` or `oauth`.
    pub method: String,
    /// The environment variables that it is read from.
    pub env: Vec<String>,
    /// The names of the origins that it goes to.
    pub origins: Vec<String>,
    /// Of a login: the name of the origin at which it is made, which gets the refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

impl Grant {
    /// What accepting this component would mean.
    pub fn of(digest: &Digest, description: &Description) -> Self {
        let credentials = description.auth.iter().map(|auth| {
            let (method, issuer) = match auth {
                Auth::ApiKey(_) => ("api-key", None),
                Auth::Oauth(oauth) => ("oauth", Some(oauth.origin.clone())),
            };
            Source { method: method.into(), env: auth.env().to_vec(), origins: auth.origins().to_vec(), issuer }
        });
        Grant {
            id: description.id.clone(),
            sha256: digest.as_str().to_owned(),
            origins: description.origins.clone(),
            credentials: credentials.collect(),
            claims: description.claims.clone(),
            rest: Map::new(),
        }
    }

    fn covers(&self, wanted: &Grant) -> bool {
        self.id == wanted.id
            && self.sha256 == wanted.sha256
            && self.origins == wanted.origins
            && self.credentials == wanted.credentials
            && self.claims == wanted.claims
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
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Lock {
    version: u32,
    /// Every accepted component.
    pub plugins: Vec<Grant>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Lock {
    /// Reads the file; an absent one is empty.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        match fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| LockError::Damaged { path: path.to_owned(), source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock { version: 1, ..Lock::default() }),
            Err(source) => Err(LockError::Io { path: path.to_owned(), source }),
        }
    }

    /// True if the user accepted exactly this.
    pub fn accepts(&self, wanted: &Grant) -> bool {
        self.plugins.iter().any(|grant| grant.covers(wanted))
    }

    /// Adds a grant in the place of an older one for the same id, and writes the file.
    pub fn accept(mut self, grant: Grant, path: &Path) -> Result<(), LockError> {
        self.plugins.retain(|known| known.id != grant.id);
        self.plugins.push(grant);
        let write = || -> io::Result<()> {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            serde_json::to_writer_pretty(&mut file, &self)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(path).map_err(|error| error.error)?;
            Ok(())
        };
        write().map_err(|source| LockError::Io { path: path.to_owned(), source })
    }
}
