//! Which configs from a working directory the user has accepted.
//!
//! A cloned repository may bring a `bitrouter.yaml`. Until the user accepted that very file, it may set nothing but what is
//! harmless, and is not read at all where another config holds. The list of accepted ones is JSON, readable by the user
//! alone; what is in it that we do not know stays in it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bitrouter_files::PrivateFile;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Config, ConfigError, Fault, Guarded, Paths, Position, Problem, find, read};

/// Whether a config may do what is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may: it is the user's own, or accepted as it stands.
    Trusted,
    /// It was accepted, and has changed since.
    Changed,
    /// It was never accepted.
    Unknown,
}

/// Refuses what an untrusted config may not do.
#[derive(Clone, Copy)]
pub(super) struct Guard<'a> {
    pub file: &'a Path,
    pub standing: Standing,
}

impl Guard<'_> {
    pub(crate) fn check(&self, key: &str, guarded: Guarded) -> Result<(), Fault> {
        let changed = match self.standing {
            Standing::Trusted => return Ok(()),
            Standing::Changed => true,
            Standing::Unknown => false,
        };
        Err(Fault::Untrusted { key: key.to_owned(), guarded, changed, file: self.file.to_owned() })
    }
}

/// What `config trust` accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// The file, with symbolic links resolved.
    pub file: PathBuf,
    /// Its SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// The guarded things that it may do from now on, in the order of the file: to be shown to the user.
    pub accepted: Vec<(Position, String, Guarded)>,
}

/// Records that the user accepts a config as it stands. A later change asks again.
pub fn trust(file: &Path, paths: &Paths) -> Result<Trusted, ConfigError> {
    let bytes = find::read_here(file)?;
    let accepted = guarded_keys(file, &bytes, paths)?;
    let name = recorded_name(file)?;
    let sha256 = sha256(&bytes);
    change_list(&paths.trusted_configs(), |configs| {
        let entry = configs.entry(name.clone()).or_insert_with(|| json!({}));
        let entry = entry.as_object_mut().ok_or("an entry is no object")?;
        entry.insert("sha256".to_owned(), Value::from(sha256.clone()));
        Ok(())
    })?;
    Ok(Trusted { file: PathBuf::from(name), sha256, accepted })
}

/// Takes the acceptance of a config back, whether the file is still there or not. Nothing where it was not accepted, else
/// the file as it was recorded.
pub fn untrust(file: &Path, paths: &Paths) -> Result<Option<PathBuf>, ConfigError> {
    let names = [recorded_name(file).ok(), recorded_name_of_gone(file), file.to_str().map(str::to_owned)];
    let name = change_list(&paths.trusted_configs(), |configs| {
        Ok(names.into_iter().flatten().find(|name| configs.remove(name).is_some()))
    })?;
    Ok(name.map(PathBuf::from))
}

/// What the file would do that needs trust. A file that is not YAML is refused: nobody can have read it.
fn guarded_keys(file: &Path, bytes: &[u8], paths: &Paths) -> Result<Vec<(Position, String, Guarded)>, ConfigError> {
    let text = find::text(file, bytes)?;
    let unset = |_: &str| None;
    let problems = match read::read(file, text, Standing::Unknown, &unset, Config::defaults(paths)) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid { problems, .. }) => problems,
        Err(other) => return Err(other),
    };
    let (guarded, other): (Vec<Problem>, Vec<Problem>) =
        problems.into_iter().partition(|problem| matches!(problem.fault, Fault::Untrusted { .. }));
    if other.iter().any(|problem| problem.fault.is_of_yaml()) {
        return Err(ConfigError::Invalid { file: file.to_owned(), problems: other });
    }
    let accepted = guarded.into_iter().filter_map(|Problem { position, fault }| match fault {
        Fault::Untrusted { key, guarded, .. } => Some((position, key, guarded)),
        _ => None,
    });
    Ok(accepted.collect())
}

/// What the user accepted of one file, by its name.
pub(super) struct Accepted {
    sha256: Option<String>,
}

impl Accepted {
    /// Reads the list, not the file: one that is not in it need not be read.
    pub(crate) fn look_up(file: &Path, paths: &Paths) -> Result<Self, ConfigError> {
        let list = read_list(&paths.trusted_configs())?;
        // What has no name to be recorded by was never recorded.
        let recorded = recorded_name(file).ok();
        let recorded = recorded.and_then(|name| list.get("configs")?.get(&name)?.get("sha256")?.as_str());
        Ok(Accepted { sha256: recorded.map(str::to_owned) })
    }

    /// Whether it was accepted once, as it is or as it was.
    pub(crate) fn is_recorded(&self) -> bool {
        self.sha256.is_some()
    }

    /// How the file stands with these bytes.
    pub(crate) fn standing(&self, bytes: &[u8]) -> Standing {
        match &self.sha256 {
            None => Standing::Unknown,
            Some(recorded) if *recorded == sha256(bytes) => Standing::Trusted,
            Some(_) => Standing::Changed,
        }
    }
}

/// Symbolic links are resolved, so that what is trusted is a file and not whatever a link will point at.
fn recorded_name(file: &Path) -> Result<String, ConfigError> {
    let resolved = fs::canonicalize(file).map_err(|reason| ConfigError::Unreadable(file.to_owned(), reason))?;
    match resolved.to_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(ConfigError::PathNotText(resolved)),
    }
}

/// The name under which a file was recorded that is not there any more: its folder may be.
fn recorded_name_of_gone(file: &Path) -> Option<String> {
    let folder = fs::canonicalize(file.parent()?).ok()?;
    folder.join(file.file_name()?).to_str().map(str::to_owned)
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_list(list: &Path) -> Result<Map<String, Value>, ConfigError> {
    let bytes = match fs::read(list) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Map::new()),
        Err(reason) => {
            return Err(ConfigError::TrustListUnreadable(list.to_owned(), reason));
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| ConfigError::TrustListCorrupt(list.to_owned(), error.to_string()))
}

/// Reads the list, changes its configs and writes it, under the lock of the list: of two that accept something at once, both
/// have accepted it.
fn change_list<T>(
    list: &Path,
    change: impl FnOnce(&mut Map<String, Value>) -> Result<T, &'static str>,
) -> Result<T, ConfigError> {
    let unwritable = |reason: std::io::Error| ConfigError::TrustListUnwritable(list.to_owned(), reason);
    let corrupt = |reason: &str| ConfigError::TrustListCorrupt(list.to_owned(), reason.to_owned());
    let _lock = PrivateFile::lock(list).map_err(unwritable)?;
    let mut content = read_list(list)?;
    let configs = content.entry("configs").or_insert_with(|| json!({}));
    let configs = configs.as_object_mut().ok_or_else(|| corrupt("`configs` is no object"))?;
    let before = configs.clone();
    let done = change(configs).map_err(corrupt)?;
    if *configs != before {
        let text = format!("{:#}\n", Value::Object(content));
        PrivateFile::replace(list, &text).map_err(unwritable)?;
    }
    Ok(done)
}
