//! Files that only this user reads: replaced whole, on the disk when that is said, and by one process at a time.
//!
//! Whatever keeps something between runs calls it: the lists of what was accepted, cooldowns, windows, answers of side
//! requests. The token store, which sets room aside first, and a vendor's file are written by the same parts.

use std::fs::OpenOptions;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::time::Duration;

use super::lock::FileLock;
use super::replace::{Leftovers, Reserved};

/// How long another process may hold the lock: it writes a small file, on a disk that may be slow.
const FILE_LOCK_WITHIN: Duration = Duration::from_secs(20);

/// A file that only this user reads.
pub struct PrivateFile;

impl PrivateFile {
    /// Waits for the turn to change this file, blocking. The lock is a file beside it, in the folder `locks`.
    pub fn lock(file: &Path) -> io::Result<FileLock> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let lock = file.with_file_name("locks").join(name);
        FileLock::take(&lock, FILE_LOCK_WITHIN).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => {
                io::Error::new(error.kind(), format!("another program holds {}", lock.display()))
            }
            _ => error,
        })
    }

    /// Puts these bytes in its place, whole at every moment, and returns once they are on the disk. Makes the folder, for
    /// this user alone, where it is missing.
    pub fn replace(file: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        Reserved::beside(file, bytes.len(), Leftovers::Remove)?.replace(bytes)
    }

    /// The same for a file that is another program's: it keeps the permissions that it has.
    pub fn replace_as_it_is(file: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        // The sentence that comes with it names a file that is gone by then.
        let reserved =
            Reserved::beside(file, bytes.len(), Leftovers::Stay).map_err(|error| io::Error::from(error.kind()))?;
        reserved.with_permissions_of(file)?.replace(bytes)
    }

    /// Puts these bytes behind what a file of ours has up to there; what followed is cut off. Not whole at every moment, and not
    /// on the disk when it returns: for what can be read up to where it is whole.
    pub fn append_at(file: &Path, end: u64, bytes: &[u8]) -> io::Result<()> {
        let mut open = OpenOptions::new().write(true).open(file)?;
        open.set_len(end)?;
        open.seek(SeekFrom::End(0))?;
        open.write_all(bytes)
    }

    /// Writes over a file that nothing can take the place of, such as one that is mounted alone into a container. Not whole
    /// at every moment: the caller has a way back.
    pub fn overwrite(file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut open = OpenOptions::new().write(true).open(file)?;
        open.write_all(bytes)?;
        // Not before: what is there keeps its room on the disk until then.
        open.set_len(bytes.len() as u64)?;
        open.sync_all()
    }
}

/// A path as a POSIX shell takes it, for the commands that sentences give.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@:,=".contains(&byte));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_command_is_quoted_when_a_shell_would_split_it() {
        assert_eq!(shell_word(Path::new("/a/b.yaml")), "/a/b.yaml");
        assert_eq!(shell_word(Path::new("/it's/b c")), r"'/it'\''s/b c'");
    }
}
