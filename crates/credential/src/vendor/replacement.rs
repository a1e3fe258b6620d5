//! New text for a file of another program. Whether it can be put there is found out before anything is done that cannot
//! be undone; then it is put there whole, or mended after a crash.
//!
//! The write-back of a shared session calls it, under the other program's locks.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bitrouter_files::{Leftovers, PrivateFile, Reserved};
use secrecy::zeroize::Zeroizing;

/// A way to put new text into a file, with room on the disk for it.
#[derive(Debug)]
pub(super) enum Replacement {
    /// A new file takes the place of the old one.
    Rename(Reserved),
    /// The file is a mount of its own (`docker run -v …/auth.json:…/auth.json`), which nothing can take the place of: it is
    /// written over, and a copy of what is to stand there is kept until it does.
    Overwrite {
        /// The file.
        file: PathBuf,
        /// Where the copy goes, and its room.
        copy: (PathBuf, Reserved),
    },
}

impl Replacement {
    /// Finds a way to put up to `size` bytes into a file; an error where there is none. `copy` is where the copy goes.
    pub(super) fn prepare(file: &Path, copy: &Path, size: usize) -> io::Result<Self> {
        let target = fs::canonicalize(file)?;
        // A program that may not write the file should not replace it either, though its folder would let it.
        OpenOptions::new().write(true).open(&target)?;
        if !is_mount(&target) {
            match Reserved::beside(&target, size, Leftovers::Remove) {
                Ok(reserved) => return Ok(Replacement::Rename(reserved)),
                // Nothing can be made in the folder: the file itself can be written all the same.
                Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {}
                Err(error) => return Err(error),
            }
        }
        let reserved = Reserved::beside(copy, size, Leftovers::Remove)?;
        Ok(Replacement::Overwrite { file: target, copy: (copy.to_owned(), reserved) })
    }

    /// Puts this text in the file's place, and returns once it is on the disk.
    pub(super) fn write(self, text: &str) -> io::Result<()> {
        match self {
            Replacement::Rename(reserved) => reserved.replace(text),
            Replacement::Overwrite { file, copy: (copy, reserved) } => {
                reserved.replace(text)?;
                PrivateFile::overwrite(&file, text.as_bytes())?;
                fs::remove_file(copy)
            }
        }
    }
}

/// Ends what a crash cut off between the copy and the file. A file that `is_whole` was written, by us or since by its
/// program, and stays.
pub(super) fn mend(file: &Path, copy: &Path, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<()> {
    let text = match fs::read(copy) {
        Ok(text) => Zeroizing::new(text),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if is_whole(&text) && !is_whole(&Zeroizing::new(fs::read(file)?)) {
        PrivateFile::overwrite(file, &text)?;
    }
    fs::remove_file(copy)
}

/// Whether something is mounted on this very path, so that a rename onto it fails.
#[cfg(target_os = "linux")]
fn is_mount(path: &Path) -> bool {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS)
        .is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mount(_: &Path) -> bool {
    false
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    struct TestFiles {
        folder: tempfile::TempDir,
        file: PathBuf,
        copy: PathBuf,
    }

    impl TestFiles {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (file, copy) = (folder.path().join("auth.json"), folder.path().join("ours/auth.copy"));
            fs::write(&file, "{\"a\":\"old, and longer than what comes\"}").unwrap();
            TestFiles { folder, file, copy }
        }

        fn in_place(&self) -> Replacement {
            let reserved = Reserved::beside(&self.copy, 100, Leftovers::Remove).unwrap();
            Replacement::Overwrite { file: self.file.clone(), copy: (self.copy.clone(), reserved) }
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.file).unwrap()
        }
    }

    #[test]
    fn a_file_is_replaced_where_its_folder_lets_us() {
        let setup = TestFiles::new();
        let replacement = Replacement::prepare(&setup.file, &setup.copy, 100).unwrap();
        assert!(matches!(replacement, Replacement::Rename(_)));
        replacement.write("{}").unwrap();
        assert_eq!(setup.text(), "{}");
        assert_eq!(fs::read_dir(setup.folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_file_that_nothing_can_take_the_place_of_is_written_over() {
        let setup = TestFiles::new();
        let before = fs::metadata(&setup.file).unwrap().ino();
        setup.in_place().write("{}").unwrap();
        assert_eq!((setup.text().as_str(), fs::metadata(&setup.file).unwrap().ino()), ("{}", before));
        assert!(!setup.copy.exists());
    }

    #[test]
    fn a_write_that_was_cut_off_is_mended_from_the_copy() {
        let whole = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).is_ok();
        for (torn, mended) in [("{\"a\":\"ne", "{\"a\":\"new\"}"), ("", "{\"a\":\"new\"}"), ("{}", "{}")] {
            let setup = TestFiles::new();
            mend(&setup.file, &setup.copy, whole).unwrap();
            fs::create_dir_all(setup.copy.parent().unwrap()).unwrap();
            fs::write(&setup.copy, "{\"a\":\"new\"}").unwrap();
            fs::write(&setup.file, torn).unwrap();
            mend(&setup.file, &setup.copy, whole).unwrap();
            assert_eq!(setup.text(), mended);
            assert!(!setup.copy.exists());
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_has_no_way() {
        let setup = TestFiles::new();
        fs::remove_file(&setup.file).unwrap();
        // Root may write everything, but no folder.
        fs::create_dir(&setup.file).unwrap();
        assert!(Replacement::prepare(&setup.file, &setup.copy, 100).is_err());
        assert!(Replacement::prepare(&setup.folder.path().join("none.json"), &setup.copy, 100).is_err());
    }
}
