//! Reading and changing the file: one writer at a time across all processes, and the file is whole at every moment.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use bitrouter_files::{FileLock, Leftovers, Reserved};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::super::token_file::TokenFile;
use super::{AccountLock, CredentialStore, FileStore, Loaded, Revision, StoreError, file};

/// How long another process may hold the lock: it writes a small file, on a disk that may be slow.
const STORE_LOCK_WITHIN: Duration = Duration::from_secs(20);

/// How much a change may add: the tokens of one account, several times over.
const ROOM: usize = 64 << 10;

impl CredentialStore for FileStore {
    fn revision(&self) -> Option<Revision> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => Some(file::revision(Some(&metadata))),
            Err(error) => (error.kind() == ErrorKind::NotFound).then(|| file::revision(None)),
        }
    }

    /// No file is as good as an empty one.
    fn load(&self, known: Option<&TokenFile>) -> Loaded {
        match self.load_file() {
            Ok((metadata, text)) => Loaded {
                revision: Some(file::revision(Some(&metadata))),
                stored: self.parsed(&text, known),
                warning: file::warning(&self.path, &metadata),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Loaded { revision: Some(file::revision(None)), stored: Ok(TokenFile::default()), warning: None }
            }
            Err(error) => {
                let path = self.path.clone();
                Loaded { revision: None, stored: Err(StoreError::Read { path, error }), warning: None }
            }
        }
    }

    fn update(&self, reserved: Option<Reserved>, change: &mut dyn FnMut(&mut TokenFile)) -> Result<(), StoreError> {
        let lock = self.path.with_extension("lock");
        let _lock = FileLock::take(&lock, STORE_LOCK_WITHIN).map_err(|error| self.unlocked(lock, error))?;
        let mut file = self.load(None).stored?;
        let before = file.clone();
        change(&mut file);
        let moved = self.store_secrets(&before, &mut file)?;
        let (before, after) = (before.to_json(), file.to_json());
        let (before, text) = (before.expose_secret(), after.expose_secret());
        if before != text {
            let reserved = match reserved {
                Some(reserved) => Ok(reserved),
                None => Reserved::beside(&self.path, text.len(), Leftovers::Remove),
            };
            if let Err(error) = reserved.and_then(|reserved| reserved.replace(text)) {
                self.erase(moved.written);
                return Err(self.unwritable(error));
            }
        }
        // Only now does no file name them any more.
        self.erase(moved.left);
        Ok(())
    }

    /// Room on the disk.
    fn reserve(&self) -> Result<Option<Reserved>, StoreError> {
        let size = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let size = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(ROOM);
        Reserved::beside(&self.path, size, Leftovers::Remove).map(Some).map_err(|error| self.unwritable(error))
    }

    fn check(&self, provider: &str, label: &str) -> Result<(), StoreError> {
        let file = self.load(None).stored?;
        self.reserve()?;
        self.can_keep_secrets(file.find(provider, label))
    }

    /// A file of its own, whose name says nothing of the account.
    fn lock_account(&self, provider: &str, label: &str) -> Result<Box<dyn AccountLock>, StoreError> {
        let digest = Sha256::digest(format!("{provider}@{label}"));
        let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = self.locks().join(format!("{name}.lock"));
        match FileLock::take(&path, Duration::ZERO) {
            Ok(lock) => Ok(Box::new(lock)),
            Err(error) => Err(self.unlocked(path, error)),
        }
    }
}

impl AccountLock for FileLock {
    fn note(&self) -> String {
        FileLock::note(self)
    }

    fn leave(&self, note: &str) {
        FileLock::leave(self, note);
    }
}

impl FileStore {
    /// The folder of the locks, and of what is kept while a file of another program is written.
    pub(super) fn locks(&self) -> PathBuf {
        self.path.with_file_name("locks")
    }

    /// Why this lock was not had.
    fn unlocked(&self, lock: PathBuf, error: std::io::Error) -> StoreError {
        match error.kind() {
            ErrorKind::TimedOut => StoreError::Held { path: lock },
            _ => self.unwritable(error),
        }
    }

    fn unwritable(&self, error: std::io::Error) -> StoreError {
        StoreError::Write { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::super::super::token_file::{Entry, Kind, StoredLogin};
    use super::super::Store;
    use super::*;

    fn store() -> (tempfile::TempDir, Arc<Store>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::new(path(&folder)));
        (folder, store)
    }

    fn path(folder: &tempfile::TempDir) -> PathBuf {
        folder.path().join("data/oauth-tokens.json")
    }

    fn entry(label: &str) -> Entry {
        let origins = vec![("api".to_owned(), "https://api.example".parse().unwrap())];
        Entry::new("p", label, Kind::Oauth(Box::new(StoredLogin::new("canary-access".into(), origins))))
    }

    fn labels(store: &Store) -> Vec<String> {
        store.read().unwrap().entries.iter().map(|entry| entry.label.clone()).collect()
    }

    #[test]
    fn a_change_is_seen_at_once_and_by_a_store_that_reads_later() {
        let (folder, store) = store();
        assert!(labels(&store).is_empty());
        store.update(|file| file.put(entry("work"))).unwrap();
        assert_eq!(labels(&store), ["work"]);
        assert_eq!(labels(&Store::new(path(&folder))), ["work"]);
        assert!(store.update(|file| file.remove("p", "work")).unwrap().is_some());
        assert!(labels(&store).is_empty());
    }

    #[test]
    fn changes_of_many_at_a_time_all_last() {
        let folder = tempfile::tempdir().unwrap();
        let changes = (0..8).map(|at| {
            // A store of its own, as another process has it.
            let store = Store::new(path(&folder));
            std::thread::spawn(move || store.update(|file| file.put(entry(&format!("a{at}")))).unwrap())
        });
        changes.collect::<Vec<_>>().into_iter().for_each(|change| change.join().unwrap());
        assert_eq!(labels(&Store::new(path(&folder))).len(), 8);
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let (folder, store) = store();
        let other = json!({ "provider": "q", "label": "default", "kind": "passkey", "secret": { "a": 1 } });
        fs::create_dir_all(path(&folder).parent().unwrap()).unwrap();
        fs::write(path(&folder), json!({ "version": 1, "later": true, "credentials": [other] }).to_string()).unwrap();
        store.update(|file| file.put(entry("work"))).unwrap();
        let written: Value = serde_json::from_str(&fs::read_to_string(path(&folder)).unwrap()).unwrap();
        assert_eq!((&written["later"], &written["credentials"][0]), (&json!(true), &other));
    }

    #[test]
    fn a_broken_file_is_never_overwritten() {
        let (folder, store) = store();
        fs::create_dir_all(path(&folder).parent().unwrap()).unwrap();
        fs::write(path(&folder), "{ \"version\": 1, canary").unwrap();
        let error = store.update(|file| file.put(entry("work"))).unwrap_err().to_string();
        assert!(error.contains("oauth-tokens.json") && error.contains("move it away"), "{error}");
        assert_eq!(fs::read_to_string(path(&folder)).unwrap(), "{ \"version\": 1, canary");
    }

    #[test]
    fn a_change_that_changes_nothing_writes_nothing() {
        let (folder, store) = store();
        store.update(|_| ()).unwrap();
        assert!(!path(&folder).exists());
    }

    #[test]
    fn reserved_room_is_used_or_given_back() {
        let (folder, store) = store();
        store.update_into(store.backend().reserve().unwrap(), |file| file.put(entry("work"))).unwrap();
        drop(store.backend().reserve().unwrap());
        assert_eq!(labels(&store), ["work"]);
        let text = fs::read_to_string(path(&folder)).unwrap();
        assert!(text.ends_with("}\n"), "{text}");
        let files = fs::read_dir(path(&folder).parent().unwrap()).unwrap().count();
        assert_eq!(files, 2, "the file and its lock");
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (folder, store) = store();
        store.update(|file| file.put(entry("work"))).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path(&folder)), 0o600);
        assert_eq!(mode(path(&folder).parent().unwrap()), 0o700);
        assert_eq!(mode(&path(&folder).with_extension("lock")), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let (folder, store) = store();
        fs::create_dir_all(path(&folder).parent().unwrap()).unwrap();
        let elsewhere = folder.path().join("elsewhere.json");
        fs::write(&elsewhere, json!({ "version": 1, "credentials": [] }).to_string()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, path(&folder)).unwrap();
        store.update(|file| file.put(entry("work"))).unwrap();
        assert!(fs::symlink_metadata(path(&folder)).unwrap().is_symlink());
        assert!(fs::read_to_string(&elsewhere).unwrap().contains("work"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("data"), "a file where a folder should be").unwrap();
        let store = Store::new(folder.path().join("data/oauth-tokens.json"));
        let error = store.update(|file| file.put(entry("work"))).unwrap_err();
        assert!(matches!(error, StoreError::Write { .. } | StoreError::Read { .. }), "{error}");
        assert!(error.to_string().contains("oauth-tokens.json"), "{error}");
    }
}
