//! What is kept of components between starts: machine code and descriptions, under the component's digest.
//!
//! The folder is the user's own and private: loading code runs it. Compiled code is only ever read from here, never
//! accepted from a user. Everything in it can be deleted at any time.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

/// A component's SHA-256 in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Digest(String);

impl Digest {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Digest(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The private cache folder.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
    compatibility: String,
}

impl Cache {
    /// Opens the cache below `folder`, for an engine with this compatibility.
    pub fn open(folder: &Path, compatibility: String) -> io::Result<Self> {
        let folder = folder.join("components");
        fs::create_dir_all(&folder)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        }
        Ok(Cache { folder, compatibility })
    }

    fn code_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}-{}.cwasm", digest.0, self.compatibility))
    }

    fn description_path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.json", digest.0))
    }

    /// The description that the component gave when it was first loaded.
    pub fn description(&self, digest: &Digest) -> Option<String> {
        fs::read_to_string(self.description_path(digest)).ok()
    }

    /// Keeps a description.
    pub fn keep_description(&self, digest: &Digest, json: &str) -> io::Result<()> {
        write(&self.folder, &self.description_path(digest), json.as_bytes())
    }

    /// Keeps machine code.
    pub fn keep_code(&self, digest: &Digest, code: &[u8]) -> io::Result<()> {
        write(&self.folder, &self.code_path(digest), code)
    }

    /// The machine code, ready to link; none if it was never compiled for this engine, or does not load any more.
    pub fn code(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let path = self.code_path(digest);
        if !path.exists() {
            return None;
        }
        match load(engine, &path) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled code does not load: it is compiled again");
                None
            }
        }
    }
}

/// Loads machine code from the cache: the one place where this crate vouches for something that it cannot check.
#[allow(unsafe_code)]
fn load(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: deserializing runs whatever code the file holds, so the file must be one that this program wrote. It lies
    // in a folder that only this user may enter (0700, set at each start), is written under a temporary name and
    // renamed (never half there), and its name holds the digest of the component and a hash of every engine setting
    // that code depends on. Whoever can write there can already run code as this user.
    unsafe { Component::deserialize_file(engine, path) }
}

/// Writes a file so that it is either there in whole or not at all.
fn write(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // tempfile makes it 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
