//! Small files of this user's that are read, changed and written by several processes: the lists of what was accepted.
//!
//! Config and plugin call it. They are locked and replaced as the token store is.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use super::lock::FileLock;
use super::store::replace::Reserved;

/// How long another process may hold the lock: it writes a small file, on a disk that may be slow.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file that only this user reads.
pub struct PrivateFile;

impl PrivateFile {
    /// Waits for the turn to change this file, blocking. The lock is a file beside it, in the folder `locks`.
    pub fn lock(file: &Path) -> io::Result<FileLock> {
        let mut name = file.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let lock = file.with_file_name("locks").join(name);
        FileLock::take(&lock, PATIENCE).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => {
                io::Error::new(error.kind(), format!("another program holds {}", lock.display()))
            }
            _ => error,
        })
    }

    /// Puts this text in its place, whole at every moment, and returns once it is on the disk.
    pub fn replace(file: &Path, text: &str) -> io::Result<()> {
        Reserved::beside(file, text.len())?.replace(text)
    }
}

/// Replaces a file as a whole, readable by this user alone, in a folder that is made if need be: for what may be lost.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.exists() {
        fs::create_dir_all(folder)?;
        #[cfg(unix)]
        fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    }
    // tempfile makes it 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
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
