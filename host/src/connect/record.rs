//! What was written into a client's files and what they were before, so that it can be taken back.
//!
//! A folder for each client below `connected` in the data folder: the files as they were, under their names, and
//! `record.json`. They may hold keys of the user's, so they are this user's alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_files::PrivateFile;
use serde::{Deserialize, Serialize};

use super::ConnectError;
use super::edit::{Format, Place};

const NAME: &str = "record.json";

/// What was written for one client.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) files: Vec<Written>,
}

/// What was written into one file.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) path: PathBuf,
    pub(super) format: Format,
    /// The file as it was; `None` where it was not there.
    pub(super) before: Option<String>,
    /// The file as it was left.
    pub(super) after: String,
    /// The settings that are ours.
    pub(super) places: Vec<Place>,
    /// Those of them that the client says anew by itself.
    pub(super) restless: Vec<Place>,
}

/// The record on the disk; the files as they were are beside it.
#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    files: Vec<StoredFile>,
}

#[derive(Serialize, Deserialize)]
struct StoredFile {
    path: PathBuf,
    format: Format,
    /// The name of the copy.
    before: Option<String>,
    after: String,
    places: Vec<Place>,
    #[serde(default)]
    restless: Vec<Place>,
}

impl Record {
    /// What was written into this file.
    pub(super) fn of(&self, path: &Path) -> Option<&Written> {
        self.files.iter().find(|written| written.path == path)
    }

    /// What was written, if anything was.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, ConnectError> {
        let file = folder.join(NAME);
        let bytes = match fs::read(&file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(super::files::file_error(&file)(error)),
        };
        let stored: Stored = serde_json::from_slice(&bytes)
            .map_err(|error| super::files::file_error(&file)(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        let mut files = Vec::new();
        for StoredFile { path, format, before, after, places, restless } in stored.files {
            let copy = before.map(|name| folder.join(name));
            let before =
                copy.map(|copy| fs::read_to_string(&copy).map_err(super::files::file_error(&copy))).transpose()?;
            files.push(Written { path, format, before, after, places, restless });
        }
        Ok(Some(Record { files }))
    }

    /// Keeps it in the place of what was kept.
    pub(super) fn keep(&self, folder: &Path) -> Result<(), ConnectError> {
        let mut files = Vec::new();
        for Written { path, format, before, after, places, restless } in &self.files {
            let copy = copy_of(path);
            if let Some(before) = before {
                let copy = folder.join(&copy);
                PrivateFile::replace(&copy, before).map_err(super::files::file_error(&copy))?;
            }
            files.push(StoredFile {
                path: path.clone(),
                format: *format,
                before: before.is_some().then_some(copy),
                after: after.clone(),
                places: places.clone(),
                restless: restless.clone(),
            });
        }
        let stored = serde_json::to_vec_pretty(&Stored { version: 1, files }).unwrap_or_default();
        let file = folder.join(NAME);
        PrivateFile::replace(&file, stored).map_err(super::files::file_error(&file))
    }

    /// Keeps nothing any more.
    pub(super) fn forget(folder: &Path) -> Result<(), ConnectError> {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(super::files::file_error(folder)(error)),
            _ => Ok(()),
        }
    }
}

/// What the copy of a file is called: a client has no two of the same name.
pub(super) fn copy_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
