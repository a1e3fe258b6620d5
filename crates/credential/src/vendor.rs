//! The sessions of vendors' own programs that an account may be taken from: a closed list, each bound to its vendor.
//!
//! `login` reads one at the user's wish, and the refresh keeps a session that is shared with such a program in step with
//! it. Which files there are is fixed here, so that no component can name one that it would like to have.

mod codex;
mod replacement;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_contract::Origin;
use bitrouter_contract::description::{CODEX_CLI, IMPORT_SOURCES};
use bitrouter_files::Timestamp;
use secrecy::SecretString;
use thiserror::Error;

use super::issuer::Tokens;
use super::keyring::Keyring;

/// A session as a vendor's file holds it.
#[derive(Clone, Debug)]
pub struct Session {
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token.
    pub refresh_token: Option<SecretString>,
    /// The id token.
    pub id_token: Option<SecretString>,
    /// When the vendor's program got them.
    pub refreshed_at: Option<Timestamp>,
}

/// What became of a new pair of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WrittenBack {
    /// It is in the vendor's file.
    Yes,
    /// The file holds another session by now, and was left as it is.
    ChangedMeanwhile,
}

/// Why a vendor's file cannot be used.
#[derive(Debug, Error)]
pub enum VendorError {
    /// There is no such source.
    #[error("sessions are not imported from `{0}`: known are {known}", known = IMPORT_SOURCES.join(", "))]
    UnknownSource(String),
    /// It could not be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It holds no session.
    #[error("{} holds no session: {why}", path.display())]
    NoSession {
        /// The file.
        path: PathBuf,
        /// What is missing.
        why: &'static str,
    },
}

/// The program that a source is, as its users call it.
pub fn program(source: &str) -> &str {
    match source {
        CODEX_CLI => "the Codex CLI",
        unknown => unknown,
    }
}

/// Whether a session of this source may be bound to this origin: one of the vendor's own, or this machine.
pub fn may_go_to(source: &str, origin: &Origin) -> bool {
    let own = match source {
        CODEX_CLI => codex::ORIGINS,
        _ => return false,
    };
    let covers = |url: &&str| url.parse::<Origin>().is_ok_and(|own| own.covers(origin));
    origin.is_loopback() || own.iter().any(covers)
}

/// A session of a vendor's program, and where it was found.
#[derive(Clone, Debug)]
pub struct FoundSession {
    /// The session.
    pub session: Session,
    /// The file that holds it, absolute; nothing where it is in the keyring.
    pub file: Option<PathBuf>,
}

/// Looks for a source's session: in its file, else in the keyring. Blocks briefly.
pub fn find(
    source: &str,
    env: &dyn Fn(&str) -> Option<OsString>,
    home: Option<&Path>,
    keyring: &dyn Keyring,
) -> Result<FoundSession, VendorError> {
    let file = file(source, env, home).ok_or_else(|| VendorError::UnknownSource(source.to_owned()))?;
    let file = std::path::absolute(&file).unwrap_or(file);
    let why = match read(source, &file) {
        Ok(session) => return Ok(FoundSession { session, file: Some(file) }),
        Err(why) => why,
    };
    match codex::in_keyring(&file, keyring) {
        Some(session) => Ok(FoundSession { session, file: None }),
        None => Err(why),
    }
}

/// Where a source's file is, as the environment says. `home` is the user's home folder.
pub fn file(source: &str, env: &dyn Fn(&str) -> Option<OsString>, home: Option<&Path>) -> Option<PathBuf> {
    match source {
        CODEX_CLI => codex::file(env, home),
        _ => None,
    }
}

/// Reads the session that a vendor's file holds. Blocks briefly.
pub fn read(source: &str, file: &Path) -> Result<Session, VendorError> {
    match source {
        CODEX_CLI => codex::read(file),
        _ => Err(VendorError::UnknownSource(source.to_owned())),
    }
}

/// A vendor's file into which new tokens can be put, and how: found before the issuer is asked for them.
#[derive(Debug)]
pub struct Writable(codex::Writable);

impl Writable {
    /// Finds out whether new tokens can be put in the place of the pair with the refresh token that is to be `used`. None
    /// where the file is gone or holds another pair: then there is nothing to be put. In `ours`, a folder of ours, a copy is
    /// kept where a file cannot be replaced in one step. Blocks, for as long as the vendor's program holds its locks.
    pub fn find(source: &str, file: &Path, used: &SecretString, ours: &Path) -> Result<Option<Self>, VendorError> {
        match source {
            CODEX_CLI => Ok(codex::Writable::find(file, used, ours)?.map(Writable)),
            _ => Err(VendorError::UnknownSource(source.to_owned())),
        }
    }

    /// Puts new tokens into the file, under the vendor's own locks. A file that holds another pair by now stays as it is,
    /// and so does all else in it. Blocks likewise.
    pub fn write_back(self, used: &SecretString, tokens: &Tokens) -> Result<WrittenBack, VendorError> {
        self.0.write_back(used, tokens)
    }
}

/// Ends a write-back that a crash cut off. Blocks likewise.
pub fn mend(source: &str, file: &Path, ours: &Path) -> Result<(), VendorError> {
    match source {
        CODEX_CLI => codex::mend(file, ours),
        _ => Err(VendorError::UnknownSource(source.to_owned())),
    }
}
