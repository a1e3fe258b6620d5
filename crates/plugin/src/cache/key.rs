//! The key under which the cache's files carry a MAC: 64 random bytes in a file of the data folder, made at the first
//! start. Whoever deletes it has all components compiled again, and no more.

use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use super::super::file;

/// Bytes of the key: a block of SHA-256.
const LENGTH: usize = 64;

/// The key.
#[derive(Clone, Copy)]
pub struct CacheKey([u8; LENGTH]);

impl std::fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CacheKey")
    }
}

impl CacheKey {
    #[cfg(test)]
    pub(super) fn new(bytes: [u8; LENGTH]) -> Self {
        CacheKey(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// One that no other process has, and no later one.
    pub(super) fn of_this_process() -> Self {
        static KEY: OnceLock<CacheKey> = OnceLock::new();
        *KEY.get_or_init(Self::random)
    }

    fn random() -> Self {
        let mut bytes = [0; LENGTH];
        let filled = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
        filled.expect("a system without random bytes has no TLS either");
        CacheKey(bytes)
    }

    /// The key in this file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// The file cannot be made, or is not one that only this user may change.
    pub fn in_file(path: &Path) -> io::Result<Self> {
        match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().unwrap_or(Path::new("."));
                std::fs::create_dir_all(folder)?;
                let mut file = tempfile::NamedTempFile::new_in(folder)?;
                let key = Self::random();
                file.write_all(&key.0)?;
                match file.persist_noclobber(path) {
                    Ok(_) => Ok(key),
                    // Another process was first.
                    Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => read(path),
                    Err(error) => Err(error.error),
                }
            }
            read => read,
        }
    }
}

fn read(path: &Path) -> io::Result<CacheKey> {
    let bytes = file::read(path, LENGTH as u64)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = path.metadata()?;
        if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o077 != 0 {
            let why = "others may read or change it. Delete it: the next start makes another";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        }
        super::folder::check(path.parent().unwrap_or(Path::new(".")))?;
    }
    let key = bytes.try_into().map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it has not 64 bytes"))?;
    Ok(CacheKey(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_this_users_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/cache.key");
        let made = CacheKey::in_file(&path).unwrap();
        assert_eq!(CacheKey::in_file(&path).unwrap().0, made.0);
        assert_ne!(CacheKey::in_file(&folder.path().join("other.key")).unwrap().0, made.0);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            mode(0o640);
            assert!(CacheKey::in_file(&path).is_err());
            mode(0o600);
        }
        std::fs::write(&path, "short").unwrap();
        assert!(CacheKey::in_file(&path).is_err());
    }
}
