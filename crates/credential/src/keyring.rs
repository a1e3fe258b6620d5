//! The system's keyring: the Keychain of macOS, the Credential Manager of Windows, the Secret Service of other desktops.
//!
//! The store keeps secrets in it where the config says so, and an import looks for a vendor's session there. It may ask its
//! user for a password, so no call waits for it longer than it says; none of its errors holds a secret.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// How long a question may take. On a desktop it is milliseconds; a service that is only starting takes a second.
const READ_WITHIN: Duration = Duration::from_secs(5);
/// How long a change may take: a user who stores something sits in front of it, and may have to type a password.
const WRITE_WITHIN: Duration = Duration::from_secs(60);

/// Why the keyring did not do it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyringError {
    /// There is none, or it refuses.
    #[error("cannot be used: {0}")]
    Refused(String),
    /// It did not answer in time.
    #[error("does not answer; it may be waiting for its password on the desktop")]
    Silent,
    /// What should be in it is not.
    #[error("does not have them any more")]
    Missing,
    /// What is in it is not what was put there.
    #[error("holds something else in their place")]
    Changed,
}

/// Where secrets are kept by service and account. Tests have one of their own.
pub trait Keyring: Send + Sync {
    /// The secret of this service and account; nothing where there is none. Blocks.
    fn get(&self, service: &str, account: &str) -> Result<Option<SecretString>, KeyringError>;

    /// Keeps a secret, in the place of the one before. Blocks.
    fn set(&self, service: &str, account: &str, secret: &SecretString) -> Result<(), KeyringError>;

    /// Forgets a secret; that there is none is no error. Blocks.
    fn delete(&self, service: &str, account: &str) -> Result<(), KeyringError>;
}

/// This machine's own.
#[derive(Clone, Copy, Debug)]
pub struct SystemKeyring;

impl Keyring for SystemKeyring {
    fn get(&self, service: &str, account: &str) -> Result<Option<SecretString>, KeyringError> {
        let (service, account) = (service.to_owned(), account.to_owned());
        within(READ_WITHIN, move || {
            let secret = system::with(&service, &account, |entry| entry.get_password())?;
            Ok(secret.map(SecretString::from))
        })
    }

    fn set(&self, service: &str, account: &str, secret: &SecretString) -> Result<(), KeyringError> {
        let (service, account, secret) = (service.to_owned(), account.to_owned(), secret.clone());
        within(WRITE_WITHIN, move || {
            match system::with(&service, &account, |entry| entry.set_password(secret.expose_secret()))? {
                Some(()) => Ok(()),
                None => Err(KeyringError::Missing),
            }
        })
    }

    fn delete(&self, service: &str, account: &str) -> Result<(), KeyringError> {
        let (service, account) = (service.to_owned(), account.to_owned());
        within(WRITE_WITHIN, move || system::with(&service, &account, |entry| entry.delete_credential()).map(drop))
    }
}

/// How many were given up on and wait still. While one does, nobody else waits in vain.
static STUCK: AtomicUsize = AtomicUsize::new(0);

/// Does this on a thread of its own, and gives up on it after a while.
fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, KeyringError> + Send + 'static,
) -> Result<T, KeyringError> {
    if STUCK.load(Ordering::SeqCst) > 0 {
        return Err(KeyringError::Silent);
    }
    let (sender, done) = channel();
    let (leave, left) = channel::<()>();
    let spawned = std::thread::Builder::new().name("keyring".into()).spawn(move || {
        let _ = sender.send(work());
        // Whoever asked has the answer, or says that it went away.
        if left.recv().is_ok() {
            STUCK.fetch_sub(1, Ordering::SeqCst);
        }
    });
    spawned.map_err(|error| KeyringError::Refused(error.to_string()))?;
    match done.recv_timeout(limit) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            STUCK.fetch_add(1, Ordering::SeqCst);
            // It is received: the thread ends only after that.
            let _ = leave.send(());
            Err(KeyringError::Silent)
        }
        Err(RecvTimeoutError::Disconnected) => Err(KeyringError::Refused("it was cut off".into())),
    }
}

/// The platform's store.
#[cfg(any(target_os = "macos", windows))]
mod system {
    use keyring::{Entry, Error};

    use super::KeyringError;

    /// Asks for one entry; nothing where it is not there.
    pub(super) fn with<T>(
        service: &str,
        account: &str,
        work: impl Fn(&Entry) -> Result<T, Error>,
    ) -> Result<Option<T>, KeyringError> {
        match Entry::new(service, account).and_then(|entry| work(&entry)) {
            Ok(done) => Ok(Some(done)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(KeyringError::Refused(error.to_string())),
        }
    }
}

/// The Secret Service. The crate `keyring` connects once and never again; a service that starts later, or anew, would be
/// out of reach until this process ends. So the connection is ours, and made anew after a failure.
#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use std::sync::{Arc, Mutex, PoisonError};

    use keyring_core::api::CredentialStoreApi as _;
    use keyring_core::{Entry, Error};
    use zbus_secret_service_keyring_store::Store;

    use super::KeyringError;

    static CONNECTION: Mutex<Option<Arc<Store>>> = Mutex::new(None);

    /// Asks for one entry; nothing where it is not there.
    pub(super) fn with<T>(
        service: &str,
        account: &str,
        work: impl Fn(&Entry) -> Result<T, Error>,
    ) -> Result<Option<T>, KeyringError> {
        let mut connection = CONNECTION.lock().unwrap_or_else(PoisonError::into_inner);
        let ask = |store: &Arc<Store>| store.build(service, account, None).and_then(|entry| work(&entry));
        let known = connection.take().map(|store| (ask(&store), store));
        let (asked, store) = match known {
            Some((asked @ (Ok(_) | Err(Error::NoEntry)), store)) => (asked, store),
            _ => {
                let store = Store::new().map_err(|error| KeyringError::Refused(sentence(&error)))?;
                (ask(&store), store)
            }
        };
        match asked {
            Ok(done) => {
                *connection = Some(store);
                Ok(Some(done))
            }
            Err(Error::NoEntry) => {
                *connection = Some(store);
                Ok(None)
            }
            Err(error) => Err(KeyringError::Refused(sentence(&error))),
        }
    }

    /// What is wrong, for a person.
    fn sentence(error: &Error) -> String {
        match error {
            Error::PlatformFailure(why) => format!("no secret service was reached ({why})"),
            Error::NoStorageAccess(why) => format!("it stayed locked ({why})"),
            other => other.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_that_waits_for_its_password_holds_nobody_up() {
        let (unlock, locked) = channel::<()>();
        let waits = move || {
            let _ = locked.recv();
            Ok(())
        };
        assert_eq!(within(Duration::from_millis(1), waits), Err(KeyringError::Silent));
        // Not even one who would wait for long.
        let asked = within(WRITE_WITHIN, || -> Result<(), _> { unreachable!("it waits still") });
        assert_eq!(asked, Err(KeyringError::Silent));
        drop(unlock);
        while STUCK.load(Ordering::SeqCst) > 0 {
            std::thread::yield_now();
        }
        assert_eq!(within(WRITE_WITHIN, || Ok(1)), Ok(1));
    }
}
