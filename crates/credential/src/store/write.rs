//! Changing what is stored: one writer at a time across all processes, and the file is whole at every moment.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bitrouter_files::{FileLock, Leftovers, Reserved};
use secrecy::ExposeSecret;
use sha2::{Digest as _, Sha256};

use super::super::token_file::TokenFile;
use super::{Store, StoreError};

/// How long another process may hold the lock: it writes a small file, on a disk that may be slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much a change may add: the tokens of one account, several times over.
const ROOM: usize = 64 << 10;

impl Store {
    /// Changes what is stored, and returns once it is on the disk. The file is read anew under the lock, so nobody's
    /// change is lost; one that cannot be read is an error and stays as it is. Readers of this process see the change at
    /// once. Blocks.
    pub fn update<T>(&self, change: impl FnOnce(&mut TokenFile) -> T) -> Result<T, StoreError> {
        self.change(None, change)
    }

    /// Sets aside the room on the disk that a change will need.
    pub(crate) fn reserve(&self) -> Result<Reserved, StoreError> {
        let size = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        let size = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(ROOM);
        Reserved::beside(&self.path, size, Leftovers::Remove).map_err(|error| self.unwritable(error))
    }

    /// [`Store::update`], into room that was set aside before.
    pub(crate) fn update_into<T>(
        &self,
        reserved: Reserved,
        change: impl FnOnce(&mut TokenFile) -> T,
    ) -> Result<T, StoreError> {
        self.change(Some(reserved), change)
    }

    /// The file that is locked while an account is refreshed. Its name says nothing of the account.
    pub(crate) fn account_lock(&self, provider: &str, label: &str) -> PathBuf {
        let digest = Sha256::digest(format!("{provider}@{label}"));
        let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        self.locks().join(format!("{name}.lock"))
    }

    /// The folder of the locks, and of what is kept while a file of another program is written.
    pub(crate) fn locks(&self) -> PathBuf {
        self.path.with_file_name("locks")
    }

    fn change<T>(&self, reserved: Option<Reserved>, change: impl FnOnce(&mut TokenFile) -> T) -> Result<T, StoreError> {
        let lock = self.path.with_extension("lock");
        let _lock = FileLock::take(&lock, PATIENCE).map_err(|error| self.unlocked(lock, error))?;
        let mut file = self.read_anew()?;
        let before = file.clone();
        let done = change(&mut file);
        let moved = self.place_secrets(&before, &mut file)?;
        let (before, after) = (before.to_json(), file.to_json());
        let (before, text) = (before.expose_secret(), after.expose_secret());
        if before != text {
            let reserved = match reserved {
                Some(reserved) => Ok(reserved),
                None => Reserved::beside(&self.path, text.len(), Leftovers::Remove),
            };
            let written = reserved.and_then(|reserved| reserved.replace(text));
            // Even where the folder could not be synced the file may have been replaced.
            self.look_again();
            if let Err(error) = written {
                self.erase(moved.written);
                return Err(self.unwritable(error));
            }
        }
        // Only now does no file name them any more.
        self.erase(moved.left);
        Ok(done)
    }

    /// Has the next reader look at the file, however recently it was looked at.
    pub(crate) fn look_again(&self) {
        self.stale.store(true, Ordering::Release);
        if self.watched.load(Ordering::Acquire) {
            self.look(Duration::ZERO);
        }
    }

    /// What the file holds at this very moment.
    pub(crate) fn read_anew(&self) -> Result<TokenFile, StoreError> {
        match self.load_file() {
            Ok((_, text)) => self.parsed(&text, None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(TokenFile::default()),
            Err(error) => Err(StoreError::Read { path: self.path.clone(), error }),
        }
    }

    /// Why this lock was not had.
    pub(crate) fn unlocked(&self, lock: PathBuf, error: std::io::Error) -> StoreError {
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
    use super::*;

    fn store() -> (tempfile::TempDir, Arc<Store>) {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::new(folder.path().join("data/oauth-tokens.json")));
        (folder, store)
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
        let (_folder, store) = store();
        assert!(labels(&store).is_empty());
        store.update(|file| file.put(entry("work"))).unwrap();
        assert_eq!(labels(&store), ["work"]);
        assert_eq!(labels(&Store::new(store.path())), ["work"]);
        assert!(store.update(|file| file.remove("p", "work")).unwrap().is_some());
        assert!(labels(&store).is_empty());
    }

    #[test]
    fn changes_of_many_at_a_time_all_last() {
        let (_folder, store) = store();
        let changes = (0..8).map(|at| {
            // A store of its own, as another process has it.
            let store = Store::new(store.path());
            std::thread::spawn(move || store.update(|file| file.put(entry(&format!("a{at}")))).unwrap())
        });
        changes.collect::<Vec<_>>().into_iter().for_each(|change| change.join().unwrap());
        assert_eq!(labels(&Store::new(store.path())).len(), 8);
    }

    #[test]
    fn what_is_not_known_is_kept() {
        let (_folder, store) = store();
        let other = json!({ "provider": "q", "label": "default", "kind": "passkey", "secret": { "a": 1 } });
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        fs::write(store.path(), json!({ "version": 1, "later": true, "credentials": [other] }).to_string()).unwrap();
        store.update(|file| file.put(entry("work"))).unwrap();
        let written: Value = serde_json::from_str(&fs::read_to_string(store.path()).unwrap()).unwrap();
        assert_eq!((&written["later"], &written["credentials"][0]), (&json!(true), &other));
    }

    #[test]
    fn a_broken_file_is_never_overwritten() {
        let (_folder, store) = store();
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        fs::write(store.path(), "{ \"version\": 1, canary").unwrap();
        let error = store.update(|file| file.put(entry("work"))).unwrap_err().to_string();
        assert!(error.contains("oauth-tokens.json") && error.contains("move it away"), "{error}");
        assert_eq!(fs::read_to_string(store.path()).unwrap(), "{ \"version\": 1, canary");
    }

    #[test]
    fn a_change_that_changes_nothing_writes_nothing() {
        let (_folder, store) = store();
        store.update(|_| ()).unwrap();
        assert!(!store.path().exists());
    }

    #[test]
    fn reserved_room_is_used_or_given_back() {
        let (_folder, store) = store();
        store.update_into(store.reserve().unwrap(), |file| file.put(entry("work"))).unwrap();
        drop(store.reserve().unwrap());
        assert_eq!(labels(&store), ["work"]);
        let text = fs::read_to_string(store.path()).unwrap();
        assert!(text.ends_with("}\n"), "{text}");
        let files = fs::read_dir(store.path().parent().unwrap()).unwrap().count();
        assert_eq!(files, 2, "the file and its lock");
    }

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_for_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, store) = store();
        store.update(|file| file.put(entry("work"))).unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.path()), 0o600);
        assert_eq!(mode(store.path().parent().unwrap()), 0o700);
        assert_eq!(mode(&store.path().with_extension("lock")), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let (folder, store) = store();
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        let elsewhere = folder.path().join("elsewhere.json");
        fs::write(&elsewhere, json!({ "version": 1, "credentials": [] }).to_string()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, store.path()).unwrap();
        store.update(|file| file.put(entry("work"))).unwrap();
        assert!(fs::symlink_metadata(store.path()).unwrap().is_symlink());
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
