//! Replacing a file so that it is whole at every moment, whatever ends the process or the power.
//!
//! The store and the write-back to a vendor's file call it, under their locks. The room on the disk can be set aside
//! first, so that what must not be lost is not begun where it could not be kept.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::super::lock::make_folder;

/// Room on the disk, in the file that is to take another's place. It is given back when this is dropped.
#[derive(Debug)]
pub(in crate::credential) struct Reserved {
    file: NamedTempFile,
    target: PathBuf,
}

impl Reserved {
    /// Sets this many bytes aside, for this user alone to read, beside the file that is to be replaced. Where that is a
    /// symbolic link, what it leads to is replaced.
    pub(in crate::credential) fn beside(path: &Path, size: usize) -> io::Result<Self> {
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let folder = target.parent().unwrap_or(Path::new("."));
        make_folder(folder)?;
        // A NamedTempFile is made with mode 0600.
        let file = tempfile::Builder::new().prefix(".bitrouter-").tempfile_in(folder)?;
        set_aside(file.as_file(), size)?;
        Ok(Reserved { file, target })
    }

    /// Puts this text in the file's place, and returns once it is on the disk.
    pub(in crate::credential) fn replace(mut self, text: &str) -> io::Result<()> {
        self.file.write_all(text.as_bytes())?;
        self.file.as_file().set_len(text.len() as u64)?;
        self.file.as_file().sync_all()?;
        self.file.persist(&self.target).map_err(|error| error.error)?;
        sync_folder(&self.target)
    }
}

#[cfg(target_os = "linux")]
fn set_aside(file: &File, size: usize) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    match fallocate(file, FallocateFlags::empty(), 0, size.max(1) as u64) {
        // Some file systems cannot: then a full disk is found when it is written to.
        Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(()),
        other => Ok(other?),
    }
}

#[cfg(not(target_os = "linux"))]
fn set_aside(file: &File, size: usize) -> io::Result<()> {
    file.set_len(size as u64)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
