//! The system's keyring, in which a vendor's program may keep its session instead of in a file.

use secrecy::SecretString;

/// Where secrets are looked up. Tests have one of their own.
pub trait Keyring {
    /// The secret of this service and account; nothing where there is none, or no keyring that can be asked.
    fn get(&self, service: &str, account: &str) -> Option<SecretString>;
}

/// This machine's own: the Keychain of macOS, the Credential Manager of Windows. Elsewhere there is none.
#[derive(Clone, Copy, Debug)]
pub struct SystemKeyring;

#[cfg(any(target_os = "macos", windows))]
impl Keyring for SystemKeyring {
    fn get(&self, service: &str, account: &str) -> Option<SecretString> {
        let entry = keyring::Entry::new(service, account).ok()?;
        entry.get_password().ok().map(SecretString::from)
    }
}

#[cfg(not(any(target_os = "macos", windows)))]
impl Keyring for SystemKeyring {
    fn get(&self, _: &str, _: &str) -> Option<SecretString> {
        None
    }
}
