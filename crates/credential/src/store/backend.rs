//! The seam between what is stored and where: a store keeps logins and keys, and says when they have changed.

use std::fmt;

use bitrouter_files::Reserved;

use super::super::token_file::TokenFile;
use super::StoreError;

/// Where logins and keys are stored. [`FileStore`](super::FileStore) is a file with the system's keyring; another may be a
/// database.
///
/// When a login is refreshed, who may use it and how long an answer stands is decided above it. Every method blocks, and
/// none is called on the way of a request:
///
/// - [`revision`](Self::revision) by a gateway's background reader, eight times a second, and [`load`](Self::load) after it
///   where that is another, at the start, and after each change that this process makes;
/// - for a login [`check`](Self::check), before the user goes through it, then [`update`](Self::update);
/// - for a refresh [`lock_account`](Self::lock_account), `load`, [`reserve`](Self::reserve), `update` with the intent, the
///   exchange with the issuer, and `update` with what it gave; then the lock is dropped. One that finds nothing left to do,
///   or fails, ends sooner.
pub trait CredentialStore: fmt::Debug + Send + Sync {
    /// Something that differs whenever what is stored does, whoever changed it. None where that cannot be told: then all is
    /// read again.
    fn revision(&self) -> Option<Revision>;

    /// All that is stored; where nothing ever was, an empty list. `known` is what an earlier call gave: secrets that cannot
    /// have changed since are taken from there.
    fn load(&self, known: Option<&TokenFile>) -> Loaded;

    /// Makes a change, exactly once, of what is stored at this moment, and returns once that lasts. Between processes one
    /// changes at a time. After an error everything is as it was, as far as that can be said. What `reserve` gave is used.
    fn update(&self, reserved: Option<Reserved>, change: &mut dyn FnMut(&mut TokenFile)) -> Result<(), StoreError>;

    /// Sets aside what an update may need, so that a refresh token is not used up where its successor could not be kept. None
    /// where there is nothing to set aside.
    fn reserve(&self) -> Result<Option<Reserved>, StoreError>;

    /// Whether a login of this account could be stored now. A keyring may ask for its password.
    fn check(&self, provider: &str, label: &str) -> Result<(), StoreError>;

    /// Keeps other processes from refreshing this account until the lock is dropped or this process ends;
    /// [`StoreError::Held`] where one does so already, and then it is asked again after some milliseconds. Nobody's `update`
    /// is held up by it.
    fn lock_account(&self, provider: &str, label: &str) -> Result<Box<dyn AccountLock>, StoreError>;
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// The revision of exactly this.
    pub revision: Option<Revision>,
    /// The credentials.
    pub stored: Result<TokenFile, StoreError>,
    /// A sentence for the user if others can read what is stored.
    pub warning: Option<String>,
}

/// What differs whenever what is stored does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revision(pub u64);

/// The lock of one account. Its holder leaves a note there for the next, in whichever process: how long the issuer is to be
/// left alone. A note may get lost.
pub trait AccountLock: Send + Sync {
    /// The note; empty where there is none. Read once for each refresh.
    fn note(&self) -> String;

    /// Leaves a note in the place of the one before, after an exchange with the issuer.
    fn leave(&self, note: &str);
}
