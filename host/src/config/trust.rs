//! Which configs from a working directory the user has accepted.
//!
//! A cloned repository may bring a `bitrouter.yaml`. Until the user accepted that very file, it may not do what
//! [`Guarded`] lists. The list is JSON, readable by the user alone; what is in it that we do not know stays in it.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{Config, ConfigError, Fault, Guarded, Paths, Place, Problem, find, read};

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
    pub fn check(&self, key: &str, guarded: Guarded) -> Result<(), Fault> {
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
    pub accepted: Vec<(Place, String, Guarded)>,
}

/// Records that the user accepts a config as it stands. A later change asks again.
pub fn trust(file: &Path, paths: &Paths) -> Result<Trusted, ConfigError> {
    let bytes = find::read(file)?;
    let accepted = guarded_keys(file, &bytes, paths)?;
    let name = recorded_name(file)?;
    let sha256 = sha256(&bytes);

    let list = paths.trusted_configs();
    let mut content = read_list(&list)?;
    let corrupt = |reason: &str| ConfigError::TrustListCorrupt { list: list.clone(), reason: reason.to_owned() };
    let configs = content.entry("configs").or_insert_with(|| json!({}));
    let configs = configs.as_object_mut().ok_or_else(|| corrupt("`configs` is no object"))?;
    let entry = configs.entry(name.clone()).or_insert_with(|| json!({}));
    let entry = entry.as_object_mut().ok_or_else(|| corrupt("an entry is no object"))?;
    entry.insert("sha256".to_owned(), Value::from(sha256.clone()));
    write_list(&list, &content)?;
    Ok(Trusted { file: PathBuf::from(name), sha256, accepted })
}

/// What the file would do that needs trust. A file that is not YAML is refused: nobody can have read it.
fn guarded_keys(file: &Path, bytes: &[u8], paths: &Paths) -> Result<Vec<(Place, String, Guarded)>, ConfigError> {
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
    let accepted = guarded.into_iter().filter_map(|Problem { place, fault }| match fault {
        Fault::Untrusted { key, guarded, .. } => Some((place, key, guarded)),
        _ => None,
    });
    Ok(accepted.collect())
}

/// How a config found in the working directory stands.
pub(super) fn standing(file: &Path, bytes: &[u8], paths: &Paths) -> Result<Standing, ConfigError> {
    let list = read_list(&paths.trusted_configs())?;
    let name = recorded_name(file)?;
    let recorded = list.get("configs").and_then(|configs| configs.get(&name)?.get("sha256"));
    Ok(match recorded.and_then(Value::as_str) {
        None => Standing::Unknown,
        Some(recorded) if recorded == sha256(bytes) => Standing::Trusted,
        Some(_) => Standing::Changed,
    })
}

/// Symbolic links are resolved, so that what is trusted is a file and not whatever a link will point at.
fn recorded_name(file: &Path) -> Result<String, ConfigError> {
    let resolved =
        fs::canonicalize(file).map_err(|reason| ConfigError::Unreadable { file: file.to_owned(), reason })?;
    match resolved.to_str() {
        Some(name) => Ok(name.to_owned()),
        None => Err(ConfigError::PathNotText { file: resolved }),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_list(list: &Path) -> Result<Map<String, Value>, ConfigError> {
    let bytes = match fs::read(list) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Map::new()),
        Err(reason) => {
            return Err(ConfigError::TrustListUnreadable { list: list.to_owned(), reason });
        }
    };
    serde_json::from_slice(&bytes)
        .map_err(|error| ConfigError::TrustListCorrupt { list: list.to_owned(), reason: error.to_string() })
}

/// Written to a temporary file and renamed, so that a crash leaves the old list or the new one.
fn write_list(list: &Path, content: &Map<String, Value>) -> Result<(), ConfigError> {
    let unwritable = |reason: std::io::Error| ConfigError::TrustListUnwritable { list: list.to_owned(), reason };
    let folder = list.parent().unwrap_or(Path::new("."));
    create_private(folder).map_err(unwritable)?;
    let text = format!("{:#}\n", Value::Object(content.clone()));
    // A temporary file is readable by its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
    file.write_all(text.as_bytes()).map_err(unwritable)?;
    file.as_file().sync_all().map_err(unwritable)?;
    file.persist(list).map_err(|error| unwritable(error.error))?;
    Ok(())
}

fn create_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}
