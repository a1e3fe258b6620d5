//! Which file is the config, its bytes, and what is worth a warning about where it lies.
//!
//! `load` calls it first. It decides where a file was found, and with that whether it must be trusted; it parses nothing.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{ConfigError, FILE_NAME, LoadOptions, Warning};

/// A config is a few KB; a thousand accounts are 100 KB. What is larger is not a config, and would be parsed at start.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where a config came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// No file anywhere: the defaults.
    Defaults,
    /// Named with `-c`.
    Named(PathBuf),
    /// `./bitrouter.yaml`: it may be somebody else's, so what it may say is limited until it is trusted.
    WorkingDirectory(PathBuf),
    /// The user's own, in the config folder.
    ConfigFolder(PathBuf),
}

impl Source {
    /// The file, absolute.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Source::Defaults => None,
            Source::Named(path) | Source::WorkingDirectory(path) | Source::ConfigFolder(path) => Some(path),
        }
    }
}

/// `-c`, else the working directory, else the config folder, else nothing.
pub(super) fn find(options: &LoadOptions) -> Result<Source, ConfigError> {
    if let Some(named) = &options.file {
        return Ok(Source::Named(options.working_dir.join(named)));
    }
    let own = options.paths.config_file();
    let here = options.working_dir.join(FILE_NAME);
    if exists(&here)? && !is_same(&here, &own) {
        return Ok(Source::WorkingDirectory(here));
    }
    match exists(&own)? {
        true => Ok(Source::ConfigFolder(own)),
        false => Ok(Source::Defaults),
    }
}

/// A file that cannot be looked at is an error: to go on with another would be a silent change of config.
fn exists(path: &Path) -> Result<bool, ConfigError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(reason) => Err(ConfigError::Unreadable { file: path.to_owned(), reason }),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The file's bytes. They are read once: what is hashed for trust is what is parsed.
pub(super) fn read(file: &Path) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |reason: std::io::Error| match reason.kind() {
        ErrorKind::NotFound => ConfigError::Missing { file: file.to_owned() },
        _ => ConfigError::Unreadable { file: file.to_owned(), reason },
    };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(ConfigError::TooLarge { file: file.to_owned(), max: MAX_BYTES }),
        false => Ok(bytes),
    }
}

/// The bytes as text.
pub(super) fn text<'a>(file: &Path, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|_| ConfigError::NotText { file: file.to_owned() })
}

/// What is worth saying about where the file lies.
pub(super) fn warnings(source: &Source, options: &LoadOptions, literal_secret: bool) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if let Source::WorkingDirectory(used) = source
        && let own = options.paths.config_file()
        && own.exists()
    {
        warnings.push(Warning::Shadowed { used: used.clone(), unread: own });
    }
    if let Some(file) = source.path()
        && literal_secret
        && others_can_read(file)
    {
        warnings.push(Warning::ReadableByOthers { file: file.to_owned() });
    }
    warnings
}

#[cfg(unix)]
fn others_can_read(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0)
}

#[cfg(not(unix))]
fn others_can_read(_: &Path) -> bool {
    false
}
