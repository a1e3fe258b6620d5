//! Where the secrets of the stored credentials are: in the file or in the keyring, and how they get from one to the other.
//!
//! Reading and changing the file call it. Secrets are written to the keyring before a file names them and erased after no
//! file does, under the file's lock: whatever ends the process leaves a file whose secrets are whole. An entry goes to
//! where the config says when something about it changes; where that cannot be reached, it stays where it is.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::super::keyring::KeyringError;
use super::super::token_file::{Entry, KeyringSlot, Kind, SecretLocation, TokenFile};
use super::{FileStore, SecretsIn, StoreError};

/// What all that we keep in a keyring has as its service.
const SERVICE: &str = "bitrouter";

/// The longest piece, in bytes. A credential of Windows holds 2,560, and two for each character.
const PIECE: usize = 1200;

/// What a change did in the keyring.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// What was written, and is of no use if the file is not.
    pub written: Vec<KeyringSlot>,
    /// What is of no use once the file is written.
    pub left: Vec<KeyringSlot>,
}

impl FileStore {
    /// Whether new secrets of this account can be kept where they are to be: asked before a user goes through a login.
    /// Blocks, for as long as a keyring asks for its password.
    pub(super) fn can_keep_secrets(&self, entry: Option<&Entry>) -> Result<(), StoreError> {
        if self.wanted(entry.map(|entry| &entry.location)) == SecretsIn::File {
            return Ok(());
        }
        let account = format!("{}/probe", self.folder_digest());
        let probe = SecretString::from("probe");
        self.keyring.set(SERVICE, &account, &probe).map_err(refused)?;
        let found = self.keyring.get(SERVICE, &account).map_err(refused)?;
        self.keyring.delete(SERVICE, &account).map_err(refused)?;
        match found.is_some_and(|found| found.expose_secret() == probe.expose_secret()) {
            true => Ok(()),
            false => Err(refused(KeyringError::Changed)),
        }
    }

    /// The file's text, with the secrets that it only names. What is `known` already is not asked for again.
    pub(super) fn parsed(&self, text: &str, known: Option<&TokenFile>) -> Result<TokenFile, StoreError> {
        let fetch = |slot: &KeyringSlot| match known.and_then(|known| of(known, slot)) {
            Some(secrets) => Ok(secrets),
            None => self.fetch(slot).map_err(|error| error.to_string()),
        };
        TokenFile::read(text, &fetch).map_err(|fault| StoreError::Fault { path: self.path.clone(), fault })
    }

    /// Decides where the secrets of each changed entry are to be, and writes those that go to the keyring.
    pub(super) fn store_secrets(&self, before: &TokenFile, after: &mut TokenFile) -> Result<Moved, StoreError> {
        let mut moved = Moved::default();
        for entry in &mut after.entries {
            let old = before.find(&entry.provider, &entry.label);
            match self.store_entry(old, entry) {
                Ok(Some(slot)) => moved.written.push(slot),
                Ok(None) => {}
                Err(error) => {
                    self.erase(moved.written);
                    return Err(refused(error));
                }
            }
        }
        let still = |slot: &KeyringSlot| after.entries.iter().any(|entry| slot_of(entry) == Some(slot));
        moved.left = before.entries.iter().filter_map(slot_of).filter(|slot| !still(slot)).cloned().collect();
        Ok(moved)
    }

    /// Where changed secrets go. A config that says nothing leaves what is in the keyring there: it may be another
    /// folder's config, which knows nothing of it.
    fn wanted(&self, old_location: Option<&SecretLocation>) -> SecretsIn {
        let as_before = match old_location {
            Some(SecretLocation::Keyring { .. }) => SecretsIn::Keyring,
            Some(SecretLocation::File) | None => SecretsIn::File,
        };
        self.secrets_in.unwrap_or(as_before)
    }

    /// Puts one entry where it is to be, and returns what was written to the keyring for it.
    fn store_entry(&self, old: Option<&Entry>, entry: &mut Entry) -> Result<Option<KeyringSlot>, KeyringError> {
        let old_location = old.map(|old| old.location.clone());
        if old.is_some_and(|old| old.whole() == entry.whole()) || matches!(entry.kind, Kind::Other(_)) {
            entry.location = old_location.unwrap_or_default();
            return Ok(None);
        }
        let secrets = entry.secrets();
        let same_secrets = old.is_some_and(|old| old.secrets() == secrets);
        match (self.wanted(old_location.as_ref()), old_location) {
            // They are where they are to be; or nobody can move them now.
            (SecretsIn::Keyring, Some(location @ SecretLocation::Keyring { .. })) if same_secrets => {
                entry.location = location
            }
            (SecretsIn::File, Some(location @ SecretLocation::Keyring { out_of_reach: Some(_), .. }))
                if same_secrets =>
            {
                entry.location = location;
            }
            (SecretsIn::File, _) => entry.location = SecretLocation::File,
            (SecretsIn::Keyring, old_location) => match self.keep(entry, old_location.as_ref(), &secrets) {
                Ok(slot) => {
                    entry.location = SecretLocation::Keyring { slot: slot.clone(), out_of_reach: None };
                    return Ok(Some(slot));
                }
                Err(error) if old_location == Some(SecretLocation::File) => {
                    tracing::warn!(
                        provider = entry.provider, account = entry.label, %error,
                        "its secrets stay in the file: the system's keyring could not take them"
                    );
                    entry.location = SecretLocation::File;
                }
                Err(error) => return Err(error),
            },
        }
        Ok(None)
    }

    /// Writes secrets to the keyring, under names that no file has yet.
    fn keep(
        &self,
        entry: &Entry,
        old_location: Option<&SecretLocation>,
        secrets: &Map<String, Value>,
    ) -> Result<KeyringSlot, KeyringError> {
        let name = format!("{}/{}@{}", self.folder_digest(), entry.provider, entry.label);
        let revision = match old_location {
            Some(SecretLocation::Keyring { slot, .. }) if slot.name == name => slot.revision + 1,
            _ => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64),
        };
        let mut slot = KeyringSlot { name, revision, pieces: Vec::new() };
        for (secret, value) in secrets {
            let text = Zeroizing::new(value.to_string());
            let pieces = pieces(&text);
            slot.pieces.push((secret.clone(), pieces.len() as u64));
            for (at, piece) in (0..).zip(pieces) {
                let written = self.keyring.set(SERVICE, &slot.account(secret, at), &piece.into());
                if let Err(error) = written {
                    self.erase([slot]);
                    return Err(error);
                }
            }
        }
        Ok(slot)
    }

    /// Reads secrets from the keyring.
    fn fetch(&self, slot: &KeyringSlot) -> Result<Map<String, Value>, KeyringError> {
        let mut secrets = Map::new();
        for (secret, accounts) in slot.accounts() {
            let mut text = Zeroizing::new(String::new());
            for account in accounts {
                let piece = self.keyring.get(SERVICE, &account)?.ok_or(KeyringError::Missing)?;
                text.push_str(piece.expose_secret());
            }
            let value = serde_json::from_str(&text).map_err(|_| KeyringError::Changed)?;
            secrets.insert(secret.to_owned(), value);
        }
        Ok(secrets)
    }

    /// Takes secrets out of the keyring that no file names. What cannot be taken out now stays there, of no use to anybody
    /// who cannot read the rest. A folder that was copied may share names with another, whose secrets are left alone.
    pub(super) fn erase(&self, slot: impl IntoIterator<Item = KeyringSlot>) {
        let own = format!("{}/", self.folder_digest());
        for slot in slot.into_iter().filter(|slot| slot.name.starts_with(&own)) {
            for account in slot.accounts().flat_map(|(_, accounts)| accounts) {
                if let Err(error) = self.keyring.delete(SERVICE, &account) {
                    tracing::warn!(name = slot.name, %error, "secrets of no use any more are left in the system's keyring");
                    break;
                }
            }
        }
    }

    /// What tells this folder's secrets from those of another.
    fn folder_digest(&self) -> String {
        let path = fs::canonicalize(&self.path);
        let folder = self.path.parent().and_then(|folder| fs::canonicalize(folder).ok());
        let path = path.ok().or_else(|| Some(folder?.join(self.path.file_name()?)));
        let path = path.unwrap_or_else(|| self.path.clone());
        let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn refused(error: KeyringError) -> StoreError {
    StoreError::Keyring { error }
}

fn slot_of(entry: &Entry) -> Option<&KeyringSlot> {
    match &entry.location {
        SecretLocation::Keyring { slot, .. } => Some(slot),
        SecretLocation::File => None,
    }
}

/// The secrets that a file already has of these names.
fn of(known: &TokenFile, slot: &KeyringSlot) -> Option<Map<String, Value>> {
    let has = |entry: &&Entry| slot_of(entry) == Some(slot) && entry.out_of_reach().is_none();
    known.entries.iter().find(has).map(Entry::secrets)
}

/// A text in pieces that every keyring takes.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for letter in text.chars() {
        if pieces.last().is_some_and(|piece| piece.len() + letter.len_utf8() > PIECE) {
            pieces.push(String::with_capacity(PIECE));
        }
        pieces.last_mut().expect("there is one from the beginning").push(letter);
    }
    pieces
}

#[cfg(test)]
mod tests;
