//! Pointing a client at the gateway: edits the client's own config, and takes that back.
//!
//! `bitrouter connect` calls it. A backup is kept beside the file, and nothing is written that could not be read.

mod codex;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_files::PrivateFile;

pub use codex::{Codex, GatewayAddress};

/// The environment variable from which a connected client takes the gateway's key, where the gateway asks for one.
pub const KEY_VARIABLE: &str = "BITROUTER_API_KEY";

/// What was done to a client's config.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// It was written; the backup of what it was before, if it was there.
    Written {
        /// The backup.
        backup: Option<PathBuf>,
    },
    /// It says so already.
    AlreadySo,
    /// It is again what it was.
    Restored,
    /// The gateway was taken out; what its user changed since is kept.
    TakenOut,
}

/// Why a client's config was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// There is nowhere to look.
    #[error("there is no home folder, so the config of {client} cannot be found. Set {variable}")]
    NoHome {
        /// The client.
        client: &'static str,
        /// What names its folder.
        variable: &'static str,
    },
    /// A file cannot be used.
    #[error("{path}: {source}. Nothing was changed")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The client's config is broken already.
    #[error("{path} is not valid: {reason}. Nothing was changed: mend it first")]
    Broken {
        /// The file.
        path: String,
        /// What its parser said.
        reason: String,
    },
    /// Something of the user's is in the way.
    #[error("{path} has `{key}`, which is not a table. Nothing was changed: take it out first")]
    InTheWay {
        /// The file.
        path: String,
        /// The key.
        key: String,
    },
    /// There is nothing to undo.
    #[error("{path} does not point at BitRouter: there is nothing to undo")]
    NotConnected {
        /// The file.
        path: String,
    },
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ConnectError {
    let path = path.display().to_string();
    move |source| ConnectError::File { path, source }
}

/// A file's text; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<String>, ConnectError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}

/// Replaces a file in one step, with the permissions that it had. A link stays a link: its target is replaced. Where a
/// rename is refused and writing is not, as for a file that is mounted alone into a container, it is written in place.
fn replace(path: &Path, text: &str) -> Result<(), ConnectError> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    match PrivateFile::replace_as_it_is(&real, text) {
        Err(error) if real.exists() => match in_place(&real, text) {
            Ok(()) => Ok(()),
            // What refused the rename is the reason that helps, unless the disk is full.
            Err(full) if full.kind() == io::ErrorKind::StorageFull => Err(file_error(path)(full)),
            Err(_) => Err(file_error(path)(error)),
        },
        done => done.map_err(file_error(path)),
    }
}

/// Writes over what is there; where that fails halfway, what was there is put back.
fn in_place(real: &Path, text: &str) -> io::Result<()> {
    let before = fs::read(real)?;
    PrivateFile::overwrite(real, text.as_bytes()).inspect_err(|_| {
        // It had room a moment ago.
        let _ = PrivateFile::overwrite(real, &before);
    })
}
