//! The stored credentials: reads `oauth-tokens.json`, notices when it changes, and changes it.
//!
//! Accounts asks on every request, so a login is found and a logout holds without a restart; login, logout and refresh
//! write. A file that cannot be read is an error and stays as it is. In a gateway a task of its own looks at the file and
//! publishes what it holds, so that no request waits for a file or a keyring.

mod logins;
mod secrets;
mod write;

use std::convert::Infallible;
use std::fmt;
use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use secrecy::zeroize::Zeroizing;
use thiserror::Error;

use super::keyring::{Keyring, KeyringError, SystemKeyring};
use super::token_file::{Entry, Fault, TokenFile};
pub use logins::Saved;

/// How long an answer stands before the file is looked at again: too short for a user to notice, long enough that
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

/// Where secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretsIn {
    /// In the file.
    File,
    /// In the system's keyring; the file has their names.
    Keyring,
}

/// The stored credentials of one data folder.
pub struct Store {
    path: PathBuf,
    interval: Duration,
    secrets_in: Option<SecretsIn>,
    keyring: Arc<dyn Keyring>,
    /// What was last read, for whoever asks.
    last: ArcSwapOption<Last>,
    /// Held by whoever reads.
    reading: Mutex<()>,
    /// Whether [`Store::watch`] looks at the file, so that whoever asks need not.
    watched: AtomicBool,
    /// Whether the file is read again whatever it looks like.
    stale: AtomicBool,
}

/// What was last read, and what the file looked like then.
#[derive(Clone, Debug)]
struct Last {
    looked: Instant,
    stamp: Option<Stamp>,
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

/// What changes whenever a file is replaced or written. A file replaced by renaming has another inode, one written in
/// place another time of change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    #[cfg(unix)]
    inode: (u64, u64),
    #[cfg(unix)]
    changed: (i64, i64),
    #[cfg(unix)]
    mode: u32,
}

impl Store {
    /// The credentials stored in this file, which need not exist. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Store {
            path: path.into(),
            interval: NOTICED_WITHIN,
            secrets_in: None,
            keyring: Arc::new(SystemKeyring),
            last: ArcSwapOption::empty(),
            reading: Mutex::new(()),
            watched: AtomicBool::new(false),
            stale: AtomicBool::new(false),
        }
    }

    /// The same, with secrets kept here. What is stored stays where it is until it changes; with nothing said, it stays
    /// there for good, and what is new goes into the file.
    pub fn keeping(self, secrets_in: Option<SecretsIn>) -> Self {
        Store { secrets_in, ..self }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the file, which a keyring may make take seconds, and hands out what looks again and again for as long as it
    /// is there and polled. Meanwhile whoever asks is told what was last seen, and waits for nothing.
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

    /// What the file holds now, or held at most a quarter of a second ago; the same `Arc` for as long as it has not
    /// changed. No file is as good as an empty one. Where nobody watches, this blocks for a `stat`, or a read of the file
    /// where it has changed.
    pub fn read(&self) -> Result<Arc<TokenFile>, Arc<StoreError>> {
        self.with_last(|last| last.outcome.clone())
    }

    /// A sentence for the user if others can read the file.
    pub fn warning(&self) -> Option<String> {
        self.with_last(|last| last.warning.clone())
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

    /// Looks at the file, unless that was done within so long, and publishes what it holds.
    fn look(&self, within: Duration) -> Arc<Last> {
        // A thread that panicked in here left either the old value or the new one, both whole.
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, last) = (Instant::now(), self.last.load_full());
        let last = match last {
            Some(known) if self.is_fresh(&known, within) => return known,
            // Who changes the file from here on says so again.
            known if self.stale.swap(false, Ordering::AcqRel) => self.load(now, known.as_deref()),
            Some(known) if self.looks_like(&known) && !known.asks_again(now) => {
                Last { looked: now, ..Last::clone(&known) }
            }
            known => self.load(now, known.as_deref()),
        };
        let last = Arc::new(last);
        self.last.store(Some(Arc::clone(&last)));
        last
    }

    fn looks_like(&self, known: &Last) -> bool {
        match std::fs::metadata(&self.path) {
            Ok(metadata) => known.stamp == Some(stamp(&metadata)),
            Err(error) => error.kind() == ErrorKind::NotFound && known.stamp.is_none() && known.outcome.is_ok(),
        }
    }

    fn load(&self, now: Instant, before: Option<&Last>) -> Last {
        let known = before.and_then(|last| last.outcome.as_deref().ok());
        let (stamp, warning, outcome) = match self.load_file() {
            Ok((metadata, text)) => {
                let outcome = self.parsed(&text, known);
                (Some(stamp(&metadata)), warning(&self.path, &metadata), outcome)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => (None, None, Ok(TokenFile::default())),
            Err(error) => (None, None, Err(StoreError::Read { path: self.path.clone(), error })),
        };
        let out_of_reach = |file: &TokenFile| file.entries.iter().any(|entry| Entry::out_of_reach(entry).is_some());
        let ask_keyring = outcome.as_ref().is_ok_and(out_of_reach).then(|| Instant::now() + KEYRING_AGAIN);
        Last { looked: now, stamp, outcome: outcome.map(Arc::new).map_err(Arc::new), warning, ask_keyring }
    }

    /// The text and what its own file looked like, by the same handle: a file put in its place meanwhile is noticed.
    fn load_file(&self) -> std::io::Result<(Metadata, Zeroizing<String>)> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text)?;
        Ok((metadata, text))
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

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, secrets_in) = (&self.path, self.secrets_in);
        f.debug_struct("Store").field("path", path).field("secrets_in", &secrets_in).field("last", &self.last).finish()
    }
}

#[cfg(unix)]
fn stamp(metadata: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt;
    Stamp {
        modified: metadata.modified().ok(),
        size: metadata.len(),
        inode: (metadata.dev(), metadata.ino()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        mode: metadata.mode(),
    }
}

#[cfg(not(unix))]
fn stamp(metadata: &Metadata) -> Stamp {
    Stamp { modified: metadata.modified().ok(), size: metadata.len() }
}

#[cfg(unix)]
fn warning(path: &Path, metadata: &Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let mode = metadata.mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        let path = path.display();
        format!("{path}: other users of this machine can open it (mode {mode:03o}). Run: chmod 600 {path}")
    })
}

#[cfg(not(unix))]
fn warning(_: &Path, _: &Metadata) -> Option<String> {
    None
}

#[cfg(test)]
impl Store {
    /// A store that looks at its file every time.
    pub(super) fn always_looking(path: impl Into<PathBuf>) -> Self {
        Store { interval: Duration::ZERO, ..Store::new(path) }
    }

    /// The same, with this keyring.
    pub(super) fn with_keyring(self, keyring: Arc<dyn Keyring>) -> Self {
        Store { keyring, ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        let store = Store::always_looking(&path);
        assert!(labels(&store).is_empty());
        assert_eq!(store.warning(), None);
    }

    #[test]
    fn a_login_is_found_and_a_logout_holds_without_a_restart() {
        let (_folder, path) = folder();
        let store = Store::always_looking(&path);
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
            let store = Store::always_looking(&path);
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
        let store = Store { interval: Duration::from_millis(20), ..Store::new(&path) };
        let store = Arc::new(store.with_keyring(Arc::<Hanging>::clone(&keyring)));
        let watching = tokio::spawn(Arc::clone(&store).watch().await);
        // From now on the keyring hangs, and the file names a secret in it.
        let silence = keyring.0.lock().unwrap();
        let kept = r#"{"in":"keyring","name":"3fa9/openai@work","revision":1,"pieces":{"key":1}}"#;
        let named = text(&["default", "work"]).replace(r#"{"key":"sk-canary-work"}"#, kept);
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
        let store = Store::always_looking(&path);
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
        let error = Store::always_looking(folder.path()).read().unwrap_err();
        assert!(matches!(&*error, StoreError::Read { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_open_to_others_is_warned_of_until_it_is_closed() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, path) = folder();
        fs::write(&path, text(&[])).unwrap();
        let store = Store::always_looking(&path);
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
        let store = Store::always_looking(&path);
        let debug = format!("{:?} {store:?}", store.read());
        assert!(debug.contains("default") && !debug.contains("canary"), "{debug}");
    }
}
