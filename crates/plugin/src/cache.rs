//! What is kept of components between starts: machine code and descriptions, under the component's digest.
//!
//! Loading code runs it, and a description says where a credential goes. So both are only ever read from here, never
//! accepted from a user: each file carries a MAC under a key of this user's data folder, and the folder and all above it
//! are ones that nobody else may change. Everything in it can be deleted at any time, and a gateway without a cache
//! compiles into memory.

pub(crate) mod folder;
mod key;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

pub use key::CacheKey;

/// Bytes of a MAC: HMAC-SHA-256.
const MAC: usize = 32;
/// The largest file that is read: a Python guest's code has 60 MB.
const LARGEST: u64 = 1 << 30;

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

/// The private cache folder, or none at all.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: Option<PathBuf>,
    compatibility: String,
    key: CacheKey,
}

/// Machine code that this program made: it came from its own compiler, or from a file with a right MAC.
pub(super) struct Code(Vec<u8>);

impl Code {
    /// What the compiler's child process answered.
    pub(super) fn compiled(code: Vec<u8>) -> Self {
        Code(code)
    }

    /// The code itself, to be kept.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The component, ready to link.
    #[allow(unsafe_code)]
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: deserializing runs whatever code the bytes hold, so they must be ones that this program made, and a
        // `Code` is made in two places only. `compiled` has them from a child process that is this program. `Cache::code`
        // has them from a file whose MAC was checked over these very bytes, under a key that only this user can read, and
        // which says for which component and which settings of the engine they were compiled.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}

impl Cache {
    /// Opens the cache below `folder`, for an engine with this compatibility. What it holds is good for this process; see
    /// [`Cache::keyed`].
    ///
    /// # Errors
    ///
    /// The folder cannot be made, or others may change it.
    pub fn open(folder: &Path, compatibility: String) -> io::Result<Self> {
        let folder = folder.join("components");
        folder::make_private(&folder)?;
        Ok(Cache { folder: Some(folder), compatibility, key: CacheKey::of_this_process() })
    }

    /// A cache that keeps nothing.
    pub fn nowhere(compatibility: String) -> Self {
        Cache { folder: None, compatibility, key: CacheKey::of_this_process() }
    }

    /// The same with a key that lasts, so that what is kept is good for the next start.
    pub fn keyed(self, key: CacheKey) -> Self {
        Cache { key, ..self }
    }

    fn code_name(&self, digest: &Digest) -> String {
        format!("{}-{}.cwasm", digest.0, self.compatibility)
    }

    /// The description that the component gave when it was first loaded.
    pub fn description(&self, digest: &Digest) -> Option<String> {
        String::from_utf8(self.read(&format!("{}.json", digest.0))?).ok()
    }

    /// Keeps a description.
    pub fn keep_description(&self, digest: &Digest, json: &str) -> io::Result<()> {
        self.write(&format!("{}.json", digest.0), json.as_bytes())
    }

    /// Keeps machine code.
    pub fn keep_code(&self, digest: &Digest, code: &[u8]) -> io::Result<()> {
        self.write(&self.code_name(digest), code)
    }

    /// The machine code, ready to link; none if it was never compiled for this engine, or does not load any more.
    pub fn code(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let code = Code(self.read(&self.code_name(digest))?);
        match code.load(engine) {
            Ok(component) => Some(component),
            Err(error) => {
                tracing::warn!(digest = digest.as_str(), %error, "compiled code does not load: it is compiled again");
                None
            }
        }
    }

    /// A file's content, if its MAC is right.
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let path = self.folder.as_ref()?.join(name);
        let mut bytes = match super::file::read(&path, LARGEST) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the cache does not give a file: it is made again");
                return None;
            }
        };
        let content = bytes.len().checked_sub(MAC);
        let right =
            content.is_some_and(|content| self.mac(name, &bytes[..content]).verify_slice(&bytes[content..]).is_ok());
        if !right {
            tracing::warn!(path = %path.display(), "a file of the cache is not as this gateway wrote it: it is made again");
            return None;
        }
        bytes.truncate(content.unwrap_or_default());
        Some(bytes)
    }

    /// Writes a file with its MAC, so that it is either there in whole or not at all.
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        // tempfile makes it 0600.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(content)?;
        file.write_all(&self.mac(name, content).finalize().into_bytes())?;
        file.persist(folder.join(name)).map_err(|error| error.error)?;
        Ok(())
    }

    /// Over the name as well, so that no file stands for another.
    fn mac(&self, name: &str, content: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(self.key.bytes().into());
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(content);
        mac
    }

    #[cfg(test)]
    fn files(&self) -> Vec<PathBuf> {
        let folder = self.folder.as_ref().unwrap();
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn open(folder: &Path) -> Cache {
        Cache::open(folder, "engine".into()).unwrap()
    }

    #[test]
    fn what_was_kept_is_read_again_and_what_was_changed_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = open(folder.path());
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        cache.keep_description(&one, "{\"id\":\"one\"}").unwrap();
        assert_eq!(open(folder.path()).description(&one).as_deref(), Some("{\"id\":\"one\"}"));
        let path = cache.files().remove(0);
        let kept = fs::read(&path).unwrap();
        // Each byte counts, those of the MAC too; and the name does.
        for at in 0..kept.len() {
            let mut changed = kept.clone();
            changed[at] ^= 1;
            fs::write(&path, changed).unwrap();
            assert_eq!(cache.description(&one), None, "byte {at}");
        }
        for changed in [&kept[..MAC - 1], b"", b"{\"id\":\"one\"}"] {
            fs::write(&path, changed).unwrap();
            assert_eq!(cache.description(&one), None);
        }
        fs::write(path.with_file_name(format!("{}.json", other.as_str())), &kept).unwrap();
        assert_eq!(cache.description(&other), None, "one component's file in the place of another's");
        fs::write(&path, &kept).unwrap();
        assert!(cache.description(&one).is_some());
        // Who writes there without the key is not believed.
        let foreign = open(folder.path()).keyed(CacheKey::new([7; 64]));
        assert_eq!(foreign.description(&one), None);
        foreign.keep_description(&one, "{\"id\":\"foreign\"}").unwrap();
        assert_eq!(cache.description(&one), None);
    }

    #[test]
    fn a_cache_that_is_nowhere_keeps_nothing_and_says_nothing() {
        let cache = Cache::nowhere("engine".into());
        let digest = Digest::of(b"one");
        cache.keep_description(&digest, "{}").unwrap();
        assert_eq!(cache.description(&digest), None);
    }
}
