//! The stored credentials as this process knows them: notices when they change, publishes them, and changes them.
//!
//! Accounts asks on every request, so a login is found and a logout holds without a restart; login, logout and refresh
//! write. What cannot be read is an error and stays as it is. In a gateway a task of its own looks at what is stored and
//! publishes it, so that no request waits for a file or a keyring. Where it is stored is a [`CredentialStore`]'s affair.

mod backend;
mod file;
mod logins;
mod secrets;
mod write;

use std::convert::Infallible;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use thiserror::Error;

use bitrouter_files::Reserved;

use super::keyring::KeyringError;
use super::token_file::{Entry, Fault, TokenFile};
pub use backend::{AccountLock, CredentialStore, Loaded, Revision};
pub use file::{FileStore, SecretsIn};
pub use logins::Saved;

/// How long an answer stands before it is looked again whether it still holds: too short for a user to notice, long enough that
/// looking costs a busy gateway nothing.
///
/// So a command that has changed the file waits this long before it says so: by then every gateway goes by the change.
pub const NOTICED_WITHIN: Duration = Duration::from_millis(250);

/// How long a keyring that could not be read is left in peace: it may ask for a password each time.
const KEYRING_AGAIN: Duration = Duration::from_secs(60);

/// Why the stored credentials cannot be read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file could not be opened or read.
    #[error("{path}: cannot be read ({error}). Check that it belongs to you: `ls -l {path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path}: {fault}. Nothing was changed: correct it, or move it away and store the credentials anew", path = path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where in it.
        fault: Fault,
    },
    /// The file could not be written.
    #[error("{path}: cannot be written ({error}), and is as it was. {next}", path = path.display(), next = next_of(error))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// Secrets in the keyring cannot be read or changed.
    #[error(
        "the system's keyring {error}. Nothing was changed. Unlock or start it, or set `credentials.store: file` in bitrouter.yaml"
    )]
    Keyring {
        /// What it says.
        error: KeyringError,
    },
    /// The secrets of this account are in the keyring, and cannot be read there.
    #[error("the system's keyring {why}: unlock or start it")]
    OutOfReach {
        /// What it says.
        why: String,
    },
    /// Another process is writing, and does not come to an end.
    #[error("{path}: another program holds this lock for too long. End it, or try again", path = path.display())]
    Held {
        /// The lock's file.
        path: PathBuf,
    },
}

fn next_of(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "Make room on the disk, and try again",
        ErrorKind::ReadOnlyFilesystem => "Set BITROUTER_HOME or XDG_DATA_HOME to a folder that can be written to",
        _ => "Check that its folder is there and belongs to you",
    }
}

/// The stored credentials of one data folder.
#[derive(Debug)]
pub struct Store {
    backend: Box<dyn CredentialStore>,
    /// A folder of ours for what is kept while a file of another program is written.
    copies: PathBuf,
    interval: Duration,
    /// What was last read, for whoever asks.
    last: ArcSwapOption<Last>,
    /// Held by whoever reads.
    reading: Mutex<()>,
    /// Whether [`Store::watch`] looks, so that whoever asks need not.
    watched: AtomicBool,
    /// Whether all is read again whatever the revision is.
    stale: AtomicBool,
}

/// What was last read, and its revision.
#[derive(Clone, Debug)]
struct Last {
    looked: Instant,
    revision: Option<Revision>,
    outcome: Outcome,
    warning: Option<String>,
    /// When the keyring is asked again, where it did not give all.
    ask_keyring: Option<Instant>,
}

impl Last {
    fn asks_again(&self, now: Instant) -> bool {
        self.ask_keyring.is_some_and(|time| time <= now)
    }
}

type Outcome = Result<Arc<TokenFile>, Arc<StoreError>>;

impl From<FileStore> for Store {
    fn from(file: FileStore) -> Self {
        let copies = file.locks();
        Store::over(file, copies)
    }
}

impl Store {
    /// The credentials stored in this file, which need not exist, their secrets with them. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        FileStore::new(path).into()
    }

    /// The credentials that are stored there. `copies` is a folder of this machine, for copies of other programs' files while
    /// these are written.
    pub fn over(backend: impl CredentialStore + 'static, copies: PathBuf) -> Self {
        Store {
            backend: Box::new(backend),
            copies,
            interval: NOTICED_WITHIN,
            last: ArcSwapOption::empty(),
            reading: Mutex::new(()),
            watched: AtomicBool::new(false),
            stale: AtomicBool::new(false),
        }
    }

    /// Where it is stored.
    pub(crate) fn backend(&self) -> &dyn CredentialStore {
        &*self.backend
    }

    /// The folder of what is kept while a file of another program is written.
    pub(crate) fn copies(&self) -> PathBuf {
        self.copies.clone()
    }

    /// Looks, which a keyring may make take seconds, and hands out what looks again and again for as long as it is there and
    /// polled. Meanwhile whoever asks is told what was last seen, and waits for nothing.
    pub async fn watch(self: Arc<Self>) -> impl Future<Output = Infallible> + Send {
        let watch = Watch(self);
        watch.look().await;
        async move {
            loop {
                // Whoever changed it waits for longer than this.
                tokio::time::sleep(watch.0.interval / 2).await;
                watch.look().await;
            }
        }
    }

    /// What is stored now, or was at most a quarter of a second ago; the same `Arc` for as long as it has not changed. Where
    /// nobody watches, this blocks until the store has said whether it has, and is read where it has.
    pub fn read(&self) -> Result<Arc<TokenFile>, Arc<StoreError>> {
        self.with_last(|last| last.outcome.clone())
    }

    /// A sentence for the user if others can read what is stored.
    pub fn warning(&self) -> Option<String> {
        self.with_last(|last| last.warning.clone())
    }

    /// What is stored at this very moment. Blocks.
    pub(crate) fn read_anew(&self) -> Result<TokenFile, StoreError> {
        self.backend.load(None).stored
    }

    /// Changes what is stored, and returns once that lasts. It is read anew before, while nobody else may change it, so
    /// nobody's change is lost; what cannot be read is an error and stays as it is. Readers of this process see the change at
    /// once. Blocks.
    pub fn update<T>(&self, change: impl FnOnce(&mut TokenFile) -> T) -> Result<T, StoreError> {
        self.update_into(None, change)
    }

    /// [`Store::update`], into room that was set aside before.
    pub(crate) fn update_into<T>(
        &self,
        reserved: Option<Reserved>,
        change: impl FnOnce(&mut TokenFile) -> T,
    ) -> Result<T, StoreError> {
        let (mut change, mut done) = (Some(change), None);
        let updated = self.backend.update(reserved, &mut |file| done = change.take().map(|change| change(file)));
        // An update that failed may have changed something all the same.
        self.look_again();
        updated.map(|()| done.expect("a store has a change made before it says that it is stored"))
    }

    /// Has the next reader read anew, however recently that was done.
    pub(crate) fn look_again(&self) {
        self.stale.store(true, Ordering::Release);
        if self.watched.load(Ordering::Acquire) {
            self.look(Duration::ZERO);
        }
    }

    fn with_last<T>(&self, take: impl FnOnce(&Last) -> T) -> T {
        match &*self.last.load() {
            Some(last) if self.watched.load(Ordering::Acquire) || self.is_fresh(last, self.interval) => take(last),
            _ => take(&self.look(self.interval)),
        }
    }

    fn is_fresh(&self, last: &Last, age: Duration) -> bool {
        !self.stale.load(Ordering::Acquire) && last.looked.elapsed() < age
    }

    /// Looks whether what is stored has changed, unless that was done within so long, and publishes it.
    fn look(&self, within: Duration) -> Arc<Last> {
        // A thread that panicked in here left either the old value or the new one, both whole.
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, last) = (Instant::now(), self.last.load_full());
        let last = match last {
            Some(known) if self.is_fresh(&known, within) => return known,
            // Who changes it from here on says so again.
            known if self.stale.swap(false, Ordering::AcqRel) => self.load(now, known.as_deref()),
            Some(known) if self.is_still(&known) && !known.asks_again(now) => {
                Last { looked: now, ..Last::clone(&known) }
            }
            known => self.load(now, known.as_deref()),
        };
        let last = Arc::new(last);
        self.last.store(Some(Arc::clone(&last)));
        last
    }

    fn is_still(&self, known: &Last) -> bool {
        known.revision.is_some() && known.revision == self.backend.revision()
    }

    fn load(&self, now: Instant, before: Option<&Last>) -> Last {
        let Loaded { revision, stored, warning } =
            self.backend.load(before.and_then(|last| last.outcome.as_deref().ok()));
        let out_of_reach = |file: &TokenFile| file.entries.iter().any(|entry| Entry::out_of_reach(entry).is_some());
        let ask_keyring = stored.as_ref().is_ok_and(out_of_reach).then(|| Instant::now() + KEYRING_AGAIN);
        Last { looked: now, revision, outcome: stored.map(Arc::new).map_err(Arc::new), warning, ask_keyring }
    }
}

/// A store that is looked at by a task of its own, until this is dropped.
struct Watch(Arc<Store>);

impl Watch {
    async fn look(&self) {
        let store = Arc::clone(&self.0);
        let looked = tokio::task::spawn_blocking(move || store.look(Duration::ZERO)).await;
        // A look that panicked is made by whoever asks.
        self.0.watched.store(looked.is_ok(), Ordering::Release);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.watched.store(false, Ordering::Release);
    }
}

#[cfg(test)]
impl Store {
    /// One that looks every time.
    pub(super) fn always_looking(file: FileStore) -> Self {
        Store { interval: Duration::ZERO, ..Store::from(file) }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::keyring::Keyring;
    use super::*;

    fn text(labels: &[&str]) -> String {
        let entry = |label: &&str| {
            serde_json::json!({
                "provider": "openai", "label": label, "kind": "api-key",
                "origins": { "api": "https://api.example" }, "secret": { "key": format!("sk-canary-{label}") },
            })
        };
        serde_json::json!({ "version": 1, "credentials": labels.iter().map(entry).collect::<Vec<_>>() }).to_string()
    }

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("oauth-tokens.json");
        (folder, path)
    }

    fn labels(store: &Store) -> Vec<String> {
        store.read().unwrap().entries.iter().map(|entry| entry.label.clone()).collect()
    }

    #[test]
    fn no_file_is_as_good_as_an_empty_one() {
        let (_folder, path) = folder();
        let store = Store::always_looking(FileStore::new(&path));
        assert!(labels(&store).is_empty());
        assert_eq!(store.warning(), None);
    }

    #[test]
    fn a_login_is_found_and_a_logout_holds_without_a_restart() {
        let (_folder, path) = folder();
        let store = Store::always_looking(FileStore::new(&path));
        for expected in [&["default"][..], &["default", "work"], &["home"], &[]] {
            let new = path.with_extension("new");
            fs::write(&new, text(expected)).unwrap();
            fs::rename(&new, &path).unwrap();
            assert_eq!(labels(&store), expected);
        }
        fs::remove_file(&path).unwrap();
        assert!(labels(&store).is_empty());
    }

    #[test]
    fn an_unchanged_file_is_not_read_again() {
        let (_folder, path) = folder();
        fs::write(&path, text(&["default"])).unwrap();
        for path in [path.clone(), path.with_extension("none")] {
            let store = Store::always_looking(FileStore::new(&path));
            assert!(Arc::ptr_eq(&store.read().unwrap(), &store.read().unwrap()));
        }
    }

    #[test]
    fn within_the_interval_the_file_is_not_looked_at() {
        let (_folder, path) = folder();
        fs::write(&path, text(&["default"])).unwrap();
        let store = Store { interval: Duration::from_secs(3600), ..Store::new(&path) };
        let first = store.read().unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &store.read().unwrap()));
    }

    /// A keyring that does not answer.
    #[derive(Debug, Default)]
    struct Hanging(Mutex<()>);

    impl Keyring for Hanging {
        fn get(&self, _: &str, _: &str) -> Result<Option<secrecy::SecretString>, KeyringError> {
            drop(self.0.lock().unwrap());
            Err(KeyringError::Silent)
        }

        fn set(&self, _: &str, _: &str, _: &secrecy::SecretString) -> Result<(), KeyringError> {
            Err(KeyringError::Silent)
        }

        fn delete(&self, _: &str, _: &str) -> Result<(), KeyringError> {
            Err(KeyringError::Silent)
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn whoever_asks_a_store_that_is_watched_waits_for_no_keyring() {
        let (_folder, path) = folder();
        fs::write(&path, text(&["default"])).unwrap();
        let keyring = Arc::new(Hanging::default());
        let file = FileStore::new(&path).with_keyring(Arc::<Hanging>::clone(&keyring));
        let store = Arc::new(Store { interval: Duration::from_millis(20), ..Store::from(file) });
        let watching = tokio::spawn(Arc::clone(&store).watch().await);
        // From now on the keyring hangs, and the file names a secret in it.
        let silence = keyring.0.lock().unwrap();
        let slot = r#"{"in":"keyring","name":"3fa9/openai@work","revision":1,"pieces":{"key":1}}"#;
        let named = text(&["default", "work"]).replace(r#"{"key":"sk-canary-work"}"#, slot);
        fs::write(&path, named).unwrap();
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            assert_eq!(labels(&store), ["default"], "what was last seen is what whoever asks is told");
        }
        drop(silence);
        while labels(&store) == ["default"] {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        watching.abort();
    }

    #[tokio::test]
    async fn a_change_of_this_process_is_seen_at_once_though_the_store_is_watched() {
        let (_folder, path) = folder();
        let store = Arc::new(Store { interval: Duration::from_secs(3600), ..Store::new(&path) });
        let watching = tokio::spawn(Arc::clone(&store).watch().await);
        fs::write(&path, text(&["default"])).unwrap();
        assert!(labels(&store).is_empty(), "nobody has looked");
        store.look_again();
        assert_eq!(labels(&store), ["default"]);
        watching.abort();
        while store.watched.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        fs::write(&path, text(&["home"])).unwrap();
        store.look_again();
        assert_eq!(labels(&store), ["home"], "and by whoever asks once nobody watches");
    }

    #[test]
    fn a_broken_file_is_an_error_that_names_it_and_is_left_alone() {
        let (_folder, path) = folder();
        let broken = text(&["default"]).replace("\"label\"", "\"lable\"");
        fs::write(&path, &broken).unwrap();
        let store = Store::always_looking(FileStore::new(&path));
        let error = store.read().unwrap_err().to_string();
        assert!(error.contains("oauth-tokens.json") && error.contains("`credentials[0].label`"), "{error}");
        assert!(!error.contains("canary"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), broken);
        fs::write(&path, text(&["default"])).unwrap();
        assert_eq!(labels(&store), ["default"]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error() {
        let (folder, _) = folder();
        let error = Store::always_looking(FileStore::new(folder.path())).read().unwrap_err();
        assert!(matches!(&*error, StoreError::Read { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_open_to_others_is_warned_of_until_it_is_closed() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = folder();
        fs::write(&path, text(&[])).unwrap();
        let store = Store::always_looking(FileStore::new(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let warning = store.warning().unwrap();
        assert!(warning.contains("mode 640") && warning.contains("chmod 600"), "{warning}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(store.warning(), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let (_folder, path) = folder();
        fs::write(&path, text(&["default"])).unwrap();
        let store = Store::always_looking(FileStore::new(&path));
        let debug = format!("{:?} {store:?}", store.read());
        assert!(debug.contains("default") && !debug.contains("canary"), "{debug}");
    }
}
