//! Reading a file that somebody else put there: what it is and how long is known before a byte is read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// The bytes of a regular file that has no more than `most`. A pipe, a device or a folder is refused without waiting for
/// it, whatever links lead there.
///
/// # Errors
///
/// It is not one, is longer, or cannot be read.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let found = file.metadata()?;
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    if !found.is_file() {
        return refused("it is not a regular file".into());
    }
    if found.len() > most {
        return refused(format!("it has {} bytes; the limit is {most}", found.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    // It may grow while it is read.
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return refused(format!("it has more than {most} bytes"));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // A pipe without a writer would otherwise hold the loader for ever.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_or_too_long_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        std::fs::write(place("fine"), b"12345").unwrap();
        File::create(place("huge")).unwrap().set_len(1 << 40).unwrap();
        std::fs::create_dir(place("folder")).unwrap();
        let pipe = std::process::Command::new("mkfifo").arg(place("pipe")).status().unwrap();
        assert!(pipe.success());
        for (link, to) in [("zero", "/dev/zero"), ("link", "fine"), ("to-pipe", "pipe"), ("nowhere", "not-there")] {
            std::os::unix::fs::symlink(to, place(link)).unwrap();
        }
        for name in ["fine", "link"] {
            assert_eq!(read(&place(name), 5).unwrap(), b"12345");
        }
        for (name, why) in [
            ("huge", "1099511627776 bytes; the limit is 5"),
            ("folder", "not a regular file"),
            ("pipe", "not a regular file"),
            ("to-pipe", "not a regular file"),
            ("zero", "not a regular file"),
            ("nowhere", "No such file"),
        ] {
            let error = read(&place(name), 5).unwrap_err().to_string();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert!(read(&place("fine"), 4).is_err());
    }
}
