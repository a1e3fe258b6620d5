//! The store that every gateway begins with: a file in the data folder for each kind of text, such as `call-states.jsonl`, for this
//! user alone. A text is a line, and what is new is put behind the others, so that a long file is not written for a short text. A
//! file that has grown to its limit is made anew of its newer half.
//!
//! Several gateways may share it: each reads what others have put behind what it has seen.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bitrouter_files::PrivateFile;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{KeptText, Terms, TextStore, is_over, now};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The longest first line.
const LONGEST_HEAD: u64 = 256;

/// Texts of one kind in a file.
#[derive(Debug)]
pub struct FileTexts {
    path: PathBuf,
    terms: &'static Terms,
    /// The longest that the file grows, in bytes.
    limit: usize,
    seen: Mutex<Seen>,
}

/// How much of which file this process knows.
#[derive(Debug, Default)]
struct Seen {
    file: String,
    to: u64,
}

/// The first line.
#[derive(Serialize, Deserialize)]
struct Head {
    bitrouter: String,
    version: u32,
    /// Tells this file from the one whose place it took.
    file: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    key: String,
    used: u64,
    #[serde(rename = "state")]
    text: String,
}

/// What there is in a file.
struct Found {
    texts: Vec<KeptText>,
    /// Up to where it was read: the end of the last whole line.
    to: u64,
    /// Lines that are none of ours.
    damaged: usize,
}

impl FileTexts {
    /// This file, which need not exist.
    pub fn new(path: PathBuf, terms: &'static Terms) -> Self {
        FileTexts { path, terms, limit: terms.limit, seen: Mutex::default() }
    }

    /// The same with another limit.
    #[cfg(test)]
    pub(super) fn within(self, limit: usize) -> Self {
        FileTexts { limit, ..self }
    }
}

impl TextStore for FileTexts {
    fn exchange(&self, news: &[KeptText], theirs: &mut dyn FnMut(KeptText)) -> io::Result<()> {
        // A panic while it is held leaves what was seen.
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let length = match std::fs::metadata(&self.path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => return Err(unusable(&self.path, self.terms, error)),
        };
        if news.is_empty() && length == seen.to {
            return Ok(());
        }
        let mut exchange = || {
            let _lock = PrivateFile::lock(&self.path)?;
            self.exchange_locked(&mut seen, news, theirs)
        };
        exchange().map_err(|error| unusable(&self.path, self.terms, error))
    }
}

impl FileTexts {
    fn exchange_locked(&self, seen: &mut Seen, news: &[KeptText], theirs: &mut dyn FnMut(KeptText)) -> io::Result<()> {
        let found = match open(&self.path, self.terms)? {
            None => None,
            Some((head, mut file)) => {
                let from = if head.file == seen.file { seen.to } else { head.length };
                let found = read(&mut file, from)?;
                seen.file = head.file;
                Some(found)
            }
        };
        let to = found.as_ref().map_or(0, |found| found.to);
        let damaged = found.as_ref().is_some_and(|found| found.damaged > 0);
        found.into_iter().flat_map(|found| found.texts).for_each(theirs);
        seen.to = to;
        if damaged {
            return self.renew(seen, news, true);
        }
        if news.is_empty() {
            return Ok(());
        }
        let added = lines(news)?;
        if to == 0 || to as usize + added.len() > self.limit {
            return self.renew(seen, news, false);
        }
        // Half a line that a killed process left ends here.
        PrivateFile::append_at(&self.path, to, &added)?;
        seen.to = to + added.len() as u64;
        Ok(())
    }

    /// Writes the file anew, with the newer half of what it may hold. One that is damaged is moved aside.
    fn renew(&self, seen: &mut Seen, news: &[KeptText], damaged: bool) -> io::Result<()> {
        let mut texts = match open(&self.path, self.terms)? {
            Some((head, mut file)) => read(&mut file, head.length)?.texts,
            None => Vec::new(),
        };
        if damaged {
            set_aside(&self.path, "some of its lines are damaged; the others are kept")?;
        }
        texts.extend_from_slice(news);
        let (now, mut known, mut bytes) = (now(), HashSet::new(), 0);
        texts.reverse();
        texts.retain(|kept| !is_over(kept.used, now, self.terms.lasts) && known.insert(Arc::clone(&kept.key)));
        let newest = texts.iter().take_while(|kept| {
            bytes += kept.key.len() + kept.text.len();
            bytes <= self.limit / 2
        });
        let newest = newest.count();
        texts.truncate(newest);
        texts.reverse();
        let file = format!("{:016x}", RandomState::new().hash_one(now));
        let head = Head { bitrouter: self.terms.what.to_owned(), version: VERSION, file };
        let mut text = serde_json::to_vec(&head)?;
        text.push(b'\n');
        text.extend(lines(&texts)?);
        PrivateFile::replace(&self.path, &text)?;
        *seen = Seen { file: head.file, to: text.len() as u64 };
        Ok(())
    }
}

/// What a file's first line says, and how long it is.
struct Opened {
    file: String,
    length: u64,
}

/// Opens a file of ours, for texts of this kind. Any other is moved aside.
fn open(path: &Path, terms: &Terms) -> io::Result<Option<(Opened, File)>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    // A file that is longer was not written here.
    if file.metadata()?.len() > 4 * terms.limit as u64 {
        drop(file);
        set_aside(path, "it is longer than any that was written")?;
        return Ok(None);
    }
    let mut begin = Vec::new();
    (&mut file).take(LONGEST_HEAD).read_to_end(&mut begin)?;
    let line = begin.iter().position(|byte| *byte == b'\n');
    let head = line.and_then(|end| serde_json::from_slice::<Head>(&begin[..end]).ok());
    let ours = head.filter(|head| head.bitrouter == terms.what && head.version == VERSION);
    match (ours, line) {
        (Some(head), Some(end)) => Ok(Some((Opened { file: head.file, length: end as u64 + 1 }, file))),
        _ => {
            drop(file);
            set_aside(path, &format!("it is no file of {} of version {VERSION}", terms.what))?;
            Ok(None)
        }
    }
}

fn read(file: &mut File, from: u64) -> io::Result<Found> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(from))?;
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let (mut texts, mut damaged) = (Vec::new(), 0);
    for line in text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Line { key, used, text: kept }) => texts.push(KeptText { key: key.into(), text: kept.into(), used }),
            Err(_) => damaged += 1,
        }
    }
    Ok(Found { texts, to: from + whole as u64, damaged })
}

fn lines(texts: &[KeptText]) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    for kept in texts {
        let line = Line { key: kept.key.to_string(), used: kept.used, text: kept.text.to_string() };
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// Moves a file out of the way, for a person to look at.
fn set_aside(path: &Path, why: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".damaged");
    let aside = path.with_file_name(name);
    std::fs::rename(path, &aside)?;
    warn!("{}: {why}. It was moved to {}", path.display(), aside.display());
    Ok(())
}

fn unusable(path: &Path, terms: &Terms, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {} cannot be kept there ({error})", path.display(), terms.what))
}
