//! Which file is the config, its bytes, and what is worth a warning about where it lies.
//!
//! `load` calls it first. It decides which file holds, and with that whether it must be trusted; it parses nothing. A file of
//! the working directory that nobody accepted is not even read where another holds.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::trust::{Accepted, Standing};
use super::{ConfigError, FILE_NAME, HeldConfig, LoadOptions, Warning};

/// A config is a few KB; a thousand accounts are 100 KB. What is larger is not a config, and would be parsed at start.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where a config came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// No file anywhere: the defaults.
    Defaults,
    /// Named with `-c`.
    Named(PathBuf),
    /// `./bitrouter.yaml`: it may be somebody else's, so what it may say is limited until it is trusted.
    WorkingDirectory(PathBuf),
    /// The user's own, in the config folder.
    ConfigFolder(PathBuf),
}

impl ConfigSource {
    /// The file, absolute.
    pub fn path(&self) -> Option<&Path> {
        match self {
            ConfigSource::Defaults => None,
            ConfigSource::Named(path) | ConfigSource::WorkingDirectory(path) | ConfigSource::ConfigFolder(path) => {
                Some(path)
            }
        }
    }
}

/// A config file with what it holds. It is read once: what is hashed for trust is what is parsed and applied.
pub(super) struct FoundConfig {
    pub source: ConfigSource,
    pub bytes: Vec<u8>,
    pub standing: Standing,
    /// What is worth saying of a file that was passed over.
    pub passed_over: Option<Warning>,
}

impl FoundConfig {
    /// No file anywhere.
    fn nothing(passed_over: Option<Warning>) -> Self {
        FoundConfig { source: ConfigSource::Defaults, bytes: Vec::new(), standing: Standing::Trusted, passed_over }
    }

    /// A file that the user named, or keeps in the config folder.
    fn own(
        source: fn(PathBuf) -> ConfigSource,
        file: PathBuf,
        passed_over: Option<Warning>,
    ) -> Result<Self, ConfigError> {
        Ok(FoundConfig { bytes: read(&file)?, source: source(file), standing: Standing::Trusted, passed_over })
    }
}

/// The config of a start: `-c`, else an accepted one of the working directory, else the config folder's, else one of the
/// working directory that nobody accepted, which may say little, else nothing.
pub(super) fn find(options: &LoadOptions) -> Result<FoundConfig, ConfigError> {
    if let Some(named) = &options.file {
        return FoundConfig::own(ConfigSource::Named, options.working_dir.join(named), None);
    }
    let own = options.paths.config_file();
    let own_is_there = exists(&own)?;
    let Some(here) = here(options)? else {
        return if own_is_there {
            FoundConfig::own(ConfigSource::ConfigFolder, own, None)
        } else {
            Ok(FoundConfig::nothing(None))
        };
    };
    let accepted = Accepted::look_up(&here, &options.paths)?;
    if accepted.is_recorded() || !own_is_there {
        let bytes = read_here(&here)?;
        let standing = accepted.standing(&bytes);
        match standing {
            Standing::Trusted => {
                let passed_over = own_is_there.then(|| Warning::Shadowed { used: here.clone(), unread: own });
                return Ok(FoundConfig { source: ConfigSource::WorkingDirectory(here), bytes, standing, passed_over });
            }
            // What it said no longer holds, and what is left of it was accepted by nobody.
            Standing::Changed if !own_is_there => return Err(ConfigError::Changed(here)),
            Standing::Unknown if !own_is_there => {
                return Ok(FoundConfig {
                    source: ConfigSource::WorkingDirectory(here),
                    bytes,
                    standing,
                    passed_over: None,
                });
            }
            Standing::Changed | Standing::Unknown => {}
        }
    }
    let changed = accepted.is_recorded();
    let passed_over = Warning::NotAccepted { unread: here, changed, used: Some(own.clone()) };
    FoundConfig::own(ConfigSource::ConfigFolder, own, Some(passed_over))
}

/// The config of a gateway that runs: the file that it holds already, whatever else has come or gone. One that was started
/// without any takes up the user's own.
pub(super) fn find_again(options: &LoadOptions, held: &HeldConfig) -> Result<FoundConfig, ConfigError> {
    let gone = |error| match error {
        ConfigError::Missing(file) => ConfigError::Gone(file),
        other => other,
    };
    match &held.source {
        ConfigSource::Named(file) => FoundConfig::own(ConfigSource::Named, file.clone(), None).map_err(gone),
        ConfigSource::ConfigFolder(own) => {
            let beside = beside(options, Some(own));
            FoundConfig::own(ConfigSource::ConfigFolder, own.clone(), beside).map_err(gone)
        }
        ConfigSource::Defaults => {
            let own = options.paths.config_file();
            match options.file.is_none() && exists(&own)? {
                true => FoundConfig::own(ConfigSource::ConfigFolder, own.clone(), beside(options, Some(&own))),
                false => Ok(FoundConfig::nothing(beside(options, None))),
            }
        }
        ConfigSource::WorkingDirectory(here) => {
            let bytes = read_here(here).map_err(gone)?;
            let standing = Accepted::look_up(here, &options.paths)?.standing(&bytes);
            match standing {
                Standing::Changed if held.accepted => return Err(ConfigError::Changed(here.clone())),
                Standing::Unknown if held.accepted => return Err(ConfigError::Withdrawn(here.clone())),
                _ => {}
            }
            let own = options.paths.config_file();
            let passed_over = own.exists().then(|| Warning::Shadowed { used: here.clone(), unread: own });
            Ok(FoundConfig { source: ConfigSource::WorkingDirectory(here.clone()), bytes, standing, passed_over })
        }
    }
}

/// The working directory's config, where there is one that is not the user's own.
fn here(options: &LoadOptions) -> Result<Option<PathBuf>, ConfigError> {
    let here = options.working_dir.join(FILE_NAME);
    Ok((exists(&here)? && !is_same(&here, &options.paths.config_file())).then_some(here))
}

/// What is to be said of the working directory's config beside a gateway that holds another. It is not read for that, but
/// where the user has accepted it: then its bytes are compared with what was accepted.
fn beside(options: &LoadOptions, used: Option<&Path>) -> Option<Warning> {
    let unread = here(options).ok().flatten()?;
    let accepted = Accepted::look_up(&unread, &options.paths).ok()?;
    let bytes = accepted.is_recorded().then(|| read_here(&unread).ok()).flatten();
    Some(match bytes.map(|bytes| accepted.standing(&bytes)) {
        Some(Standing::Trusted) => Warning::FromNextStart { unread },
        _ => Warning::NotAccepted { unread, changed: accepted.is_recorded(), used: used.map(Path::to_owned) },
    })
}

/// A file that cannot be looked at is an error: to go on with another would be a silent change of config.
fn exists(path: &Path) -> Result<bool, ConfigError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(false),
        Err(reason) => Err(ConfigError::Unreadable(path.to_owned(), reason)),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// The file's bytes.
fn read(file: &Path) -> Result<Vec<u8>, ConfigError> {
    let unreadable = |reason: std::io::Error| match reason.kind() {
        ErrorKind::NotFound => ConfigError::Missing(file.to_owned()),
        _ => ConfigError::Unreadable(file.to_owned(), reason),
    };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(unreadable)?;
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 > MAX_BYTES {
        true => Err(ConfigError::TooLarge(file.to_owned(), MAX_BYTES)),
        false => Ok(bytes),
    }
}

/// The same in a folder that may be somebody else's: a pipe in the file's place would never end.
pub(super) fn read_here(file: &Path) -> Result<Vec<u8>, ConfigError> {
    match fs::metadata(file) {
        Ok(metadata) if !metadata.is_file() => {
            let reason = std::io::Error::new(ErrorKind::InvalidInput, "it is no regular file");
            Err(ConfigError::Unreadable(file.to_owned(), reason))
        }
        _ => read(file),
    }
}

/// The bytes as text.
pub(super) fn text<'a>(file: &Path, bytes: &'a [u8]) -> Result<&'a str, ConfigError> {
    std::str::from_utf8(bytes).map_err(|_| ConfigError::NotText(file.to_owned()))
}

/// Whether the keys in a file are there for others to read.
pub(super) fn exposed(file: &Path, literal_secret: bool) -> Option<Warning> {
    (literal_secret && others_can_read(file)).then(|| Warning::ReadableByOthers { file: file.to_owned() })
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
