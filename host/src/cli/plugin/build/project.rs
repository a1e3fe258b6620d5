//! A project's folder, as recipes look at it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of a provider's project.
#[derive(Debug)]
pub(in crate::cli::plugin) struct Project {
    folder: PathBuf,
}

impl Project {
    /// Takes a folder, which must be there.
    pub(in crate::cli::plugin) fn open(folder: &Path) -> Result<Self, Box<dyn Error>> {
        let named = folder.display();
        let absolute = folder.canonicalize().map_err(|error| format!("{named}: {error}"))?;
        match absolute.is_dir() {
            true => Ok(Project { folder: absolute }),
            false => Err(format!("{named}: it is no folder. Name the project's folder").into()),
        }
    }

    /// Where it is, in full.
    pub(in crate::cli::plugin) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file or folder of it.
    pub(super) fn at(&self, place: &str) -> PathBuf {
        self.folder.join(place)
    }

    /// Whether it has this file.
    pub(super) fn has(&self, place: &str) -> bool {
        self.at(place).is_file()
    }

    /// The text of a file of it.
    pub(super) fn read(&self, place: &str) -> Result<String, Box<dyn Error>> {
        let file = self.at(place);
        fs::read_to_string(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()).into())
    }

    /// The files right in the folder that end so, in order of their names.
    pub(super) fn ending_in(&self, extension: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.is_file() && path.extension().is_some_and(|it| it == extension)).collect();
        files.sort();
        files
    }

    /// Where the component goes: beside the project's own files, as `NAME.wasm`.
    pub(super) fn output(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{}.wasm", name.replace('_', "-")))
    }
}
