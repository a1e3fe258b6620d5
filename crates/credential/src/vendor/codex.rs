//! The Codex CLI's `auth.json`, as version 0.169.0 was seen to read, lock and write it.
//!
//! It takes the locks `auth.lock` and `auth.json.lock` for the write alone, compares under them, and keeps a pair that
//! changed meanwhile. This does the same, so neither loses what the other wrote.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitrouter_files::FileLock;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::issuer::Tokens;
use super::replacement::{self, Replacement};
use super::{Keyring, Session, VendorError, WrittenBack};

/// Where a session of the Codex CLI may go.
pub(super) const ORIGINS: &[&str] = &["https://auth.openai.com", "https://chatgpt.com/backend-api"];

/// How long each lock is waited for. The CLI holds them for one write.
const CODEX_LOCK_WITHIN: Duration = Duration::from_secs(10);

/// `$CODEX_HOME/auth.json`, else `~/.codex/auth.json`.
pub(super) fn file(env: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Option<PathBuf> {
    let set = env("CODEX_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    set.or_else(|| Some(home?.join(".codex"))).map(|folder| folder.join("auth.json"))
}

pub(super) fn read(file: &Path) -> Result<Session, VendorError> {
    session(&load(file)?).map_err(|why| VendorError::NoSession { path: file.to_owned(), why })
}

/// The session that the CLI keeps in the keyring instead of in this file.
pub(super) fn in_keyring(file: &Path, keyring: &dyn Keyring) -> Option<Session> {
    let home = file.parent()?.canonicalize().ok()?;
    let digest = Sha256::digest(home.to_string_lossy().as_bytes());
    let account: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    let text = keyring.get("Codex Auth", &format!("cli|{account}")).ok()??;
    session(&serde_json::from_str(text.expose_secret()).ok()?).ok()
}

fn session(auth: &Value) -> Result<Session, &'static str> {
    let tokens = auth.get("tokens").filter(|tokens| tokens.is_object());
    let tokens = tokens.ok_or("nobody is logged in with ChatGPT there, or it is kept in the keyring")?;
    let token = |name: &str| tokens.get(name)?.as_str().filter(|token| !token.is_empty()).map(SecretString::from);
    Ok(Session {
        access_token: token("access_token").ok_or("it has no access token")?,
        refresh_token: token("refresh_token"),
        id_token: token("id_token"),
        refreshed_at: auth.get("last_refresh").and_then(Value::as_str).and_then(|time| time.parse().ok()),
    })
}

/// How much longer new tokens may be than those before.
const ROOM: usize = 64 << 10;

/// The file, with what is needed to write it.
#[derive(Debug)]
pub(super) struct Writable {
    file: PathBuf,
    replacement: Replacement,
}

impl Writable {
    pub(super) fn find(file: &Path, used: &SecretString, ours: &Path) -> Result<Option<Self>, VendorError> {
        if !file.exists() {
            return Ok(None);
        }
        let failed = |error: io::Error| VendorError::Io { path: file.to_owned(), error };
        let _locks = lock(file).map_err(failed)?;
        if !load(file).is_ok_and(|auth| holds(&auth, used)) && readable(file).map_err(failed)? {
            return Ok(None);
        }
        let size = std::fs::metadata(file).map_or(0, |found| usize::try_from(found.len()).unwrap_or_default());
        let replacement = Replacement::prepare(file, &copy(file, ours), size.saturating_add(ROOM)).map_err(failed)?;
        Ok(Some(Writable { file: file.to_owned(), replacement }))
    }

    pub(super) fn write_back(self, used: &SecretString, new: &Tokens) -> Result<WrittenBack, VendorError> {
        let failed = |error: io::Error| VendorError::Io { path: self.file.clone(), error };
        if !self.file.exists() {
            return Ok(WrittenBack::ChangedMeanwhile);
        }
        let _locks = lock(&self.file).map_err(failed)?;
        let mut auth = load(&self.file)?;
        if !holds(&auth, used) {
            return Ok(WrittenBack::ChangedMeanwhile);
        }
        let tokens =
            [("access_token", &new.access_token), ("refresh_token", &new.refresh_token), ("id_token", &new.id_token)];
        for (name, token) in tokens {
            if let Some(token) = token {
                auth["tokens"][name] = json!(token.expose_secret());
            }
        }
        auth["last_refresh"] = json!(new.at.to_string());
        let text = Zeroizing::new(format!("{auth:#}"));
        self.replacement.write(&text).map_err(failed)?;
        Ok(WrittenBack::Yes)
    }
}

/// Puts right what a crash left half written.
pub(super) fn mend(file: &Path, ours: &Path) -> Result<(), VendorError> {
    let copy = copy(file, ours);
    if !copy.exists() {
        return Ok(());
    }
    let failed = |error: io::Error| VendorError::Io { path: file.to_owned(), error };
    let _locks = lock(file).map_err(failed)?;
    replacement::mend(file, &copy, |text| serde_json::from_slice::<Value>(text).is_ok()).map_err(failed)
}

/// Where the copy of a file is that is being written over. The name says nothing of the account.
fn copy(file: &Path, ours: &Path) -> PathBuf {
    let digest = Sha256::digest(file.to_string_lossy().as_bytes());
    let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    ours.join(format!("{name}.copy"))
}

/// The CLI's own locks, in its order.
fn lock(file: &Path) -> io::Result<(FileLock, FileLock)> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let first = FileLock::take(&folder.join("auth.lock"), CODEX_LOCK_WITHIN)?;
    Ok((first, FileLock::take(&folder.join("auth.json.lock"), CODEX_LOCK_WITHIN)?))
}

fn holds(auth: &Value, refresh_token: &SecretString) -> bool {
    auth.pointer("/tokens/refresh_token").and_then(Value::as_str) == Some(refresh_token.expose_secret())
}

/// Whether the file can be read; an error where it is there and cannot.
fn readable(file: &Path) -> io::Result<bool> {
    match std::fs::File::open(file) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn load(file: &Path) -> Result<Value, VendorError> {
    let text = std::fs::read(file).map(Zeroizing::new);
    let text = text.map_err(|error| VendorError::Io { path: file.to_owned(), error })?;
    serde_json::from_slice(&text).map_err(|_| VendorError::NoSession { path: file.to_owned(), why: "it is not JSON" })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bitrouter_contract::description::CODEX_CLI;

    use super::super::super::keyring::KeyringError;
    use super::*;
    use bitrouter_files::Timestamp;

    fn auth() -> Value {
        json!({
            "auth_mode": "chatgpt", "OPENAI_API_KEY": null,
            "tokens": {
                "id_token": "canary-id", "access_token": "canary-access", "refresh_token": "canary-refresh",
                "account_id": "acct-1", "oauth_provenance": { "issuer": "https://auth.openai.com" },
            },
            "last_refresh": "2026-01-31T09:00:00.123456789Z", "later": [1, 2],
        })
    }

    fn tokens() -> Tokens {
        Tokens {
            access_token: Some("canary-access-2".into()),
            refresh_token: Some("canary-refresh-2".into()),
            id_token: None,
            expires_in: None,
            at: "2026-02-01T09:00:00Z".parse::<Timestamp>().unwrap(),
        }
    }

    #[test]
    fn a_session_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        fs::write(&file, auth().to_string()).unwrap();
        let session = read(&file).unwrap();
        assert_eq!(session.access_token.expose_secret(), "canary-access");
        assert_eq!(session.refreshed_at.unwrap().to_string(), "2026-01-31T09:00:00Z");
        assert!(!format!("{session:?}").contains("canary"));
    }

    /// A keyring with one secret, under this service and account.
    struct OneSecret(String);

    impl Keyring for OneSecret {
        fn get(&self, service: &str, account: &str) -> Result<Option<SecretString>, KeyringError> {
            Ok((format!("{service} {account}") == self.0).then(|| auth().to_string().into()))
        }

        fn set(&self, _: &str, _: &str, _: &SecretString) -> Result<(), KeyringError> {
            unreachable!("a vendor's keyring is only read")
        }

        fn delete(&self, _: &str, _: &str) -> Result<(), KeyringError> {
            unreachable!("a vendor's keyring is only read")
        }
    }

    #[test]
    fn a_session_in_the_keyring_is_found_by_the_folders_digest() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        let home = folder.path().canonicalize().unwrap();
        let digest = Sha256::digest(home.to_str().unwrap().as_bytes());
        let account: String = digest.iter().map(|byte| format!("{byte:02x}")).take(8).collect();
        let session = in_keyring(&file, &OneSecret(format!("Codex Auth cli|{account}"))).unwrap();
        assert_eq!(session.access_token.expose_secret(), "canary-access");
        assert!(in_keyring(&file, &OneSecret("Codex Auth cli|".into())).is_none());
    }

    #[test]
    fn a_file_without_a_session_says_so_and_shows_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        let key = json!({ "OPENAI_API_KEY": "canary", "tokens": null });
        for text in [key.to_string(), "canary".into(), json!({ "tokens": { "id_token": "canary" } }).to_string()] {
            fs::write(&file, &text).unwrap();
            let error = read(&file).unwrap_err().to_string();
            assert!(error.contains("auth.json holds no session") && !error.contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_new_pair_takes_the_place_of_the_used_one_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        fs::write(&file, auth().to_string()).unwrap();
        let ours = folder.path().join("ours");
        let writable = Writable::find(&file, &"canary-refresh".into(), &ours).unwrap().unwrap();
        assert_eq!(writable.write_back(&"canary-refresh".into(), &tokens()).unwrap(), WrittenBack::Yes);
        let mut expected = auth();
        expected["tokens"]["access_token"] = json!("canary-access-2");
        expected["tokens"]["refresh_token"] = json!("canary-refresh-2");
        expected["last_refresh"] = json!("2026-02-01T09:00:00Z");
        let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!(written, expected);
    }

    #[test]
    fn a_pair_that_changed_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.json");
        let (used, ours) = ("canary-refresh".into(), folder.path().join("ours"));
        let find = |used: &SecretString| Writable::find(&file, used, &ours).unwrap();
        assert!(find(&used).is_none(), "there is no file");
        fs::write(&file, auth().to_string()).unwrap();
        assert!(find(&"other".into()).is_none());
        let writable = find(&used).unwrap();
        let other = auth().to_string().replace("canary-refresh", "canary-other");
        fs::write(&file, &other).unwrap();
        assert_eq!(writable.write_back(&used, &tokens()).unwrap(), WrittenBack::ChangedMeanwhile);
        assert_eq!(fs::read_to_string(&file).unwrap(), other);
    }

    #[test]
    fn a_session_is_bound_to_its_vendor() {
        let may = |url: &str| super::super::may_go_to(CODEX_CLI, &url.parse().unwrap());
        assert!(may("https://auth.openai.com") && may("https://chatgpt.com/backend-api/codex"));
        assert!(may("http://127.0.0.1:1455"));
        assert!(!may("https://chatgpt.com") && !may("https://evil.example"));
        assert!(!super::super::may_go_to("other", &"https://auth.openai.com".parse().unwrap()));
    }

    #[test]
    fn the_file_is_where_the_cli_has_it() {
        let home = Some(Path::new("/home/me"));
        assert_eq!(file(&|_| None, home), Some("/home/me/.codex/auth.json".into()));
        assert_eq!(file(&|_| Some("/codex".into()), home), Some("/codex/auth.json".into()));
        assert_eq!(file(&|_| None, None), None);
    }
}
