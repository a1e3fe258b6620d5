//! A client's files as they are: whether they point here, writing a plan into them, and taking it back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_files::PrivateFile;
use serde_json::Value;

use super::edit::{self, Fault, Place};
use super::plan::{FilePlan, Plan, Setting};
use super::record::{Record, Written, copy_of};
use super::{Client, ConnectError};

/// What was done to a client's files.
#[derive(Debug, PartialEq, Eq)]
pub enum Change {
    /// They were written.
    Written(Vec<Done>),
    /// They say so already.
    AlreadySo,
    /// They are again what they were, byte for byte.
    Restored(Vec<PathBuf>),
    /// The gateway was taken out; what their user changed since is kept.
    TakenOut(Vec<PathBuf>),
}

/// A file that was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Done {
    /// The file.
    pub path: PathBuf,
    /// The copy of what it was, if it was there.
    pub copy: Option<PathBuf>,
    /// The variable that has to say the gateway's key, as this file must not.
    pub key_by: Option<&'static str>,
}

/// Where a client's requests go, by its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointing {
    /// To this gateway.
    Here,
    /// To another address, by a setting of the same name.
    Elsewhere(String),
    /// Wherever its makers have them go.
    Unset,
}

/// What would be written, a setting a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Preview {
    /// The file.
    pub path: PathBuf,
    /// Whether it is there.
    pub is_there: bool,
    /// The setting, what it is to be (nothing where it is to be taken out), and whether something stands there now.
    pub lines: Vec<(String, Option<String>, bool)>,
}

/// A client's files and what is known of them.
pub struct Connection<'a> {
    client: &'a Client,
    /// Where the record is.
    folder: PathBuf,
}

/// A file that is to be changed.
struct Edit {
    written: Written,
    now: Option<String>,
    key_by: Option<&'static str>,
}

impl<'a> Connection<'a> {
    /// The connection of a client; `records` is the folder of what was written for all of them.
    pub fn of(client: &'a Client, records: &Path) -> Self {
        Connection { client, folder: records.join(client.id) }
    }

    /// Whether something was written for it, and not taken back.
    pub fn is_recorded(&self) -> bool {
        self.folder.is_dir()
    }

    /// Where its requests go, as its files have it; those of a plan for the gateway at this origin.
    pub fn pointing(&self, plan: &Plan, origin: &str) -> Result<Pointing, ConnectError> {
        let Some(file) = plan.files.first() else { return Ok(Pointing::Unset) };
        let Some(text) = read(&file.path)? else { return Ok(Pointing::Unset) };
        for setting in file.settings.iter().filter(|setting| !setting.unless_there) {
            let there = file.format.get(&text, &setting.place).map_err(unfit(&file.path))?;
            match there.as_ref().and_then(address) {
                Some(address) if address.strip_prefix(origin).is_some_and(ends) => return Ok(Pointing::Here),
                Some(address) => return Ok(Pointing::Elsewhere(address.to_owned())),
                None => {}
            }
        }
        Ok(Pointing::Unset)
    }

    /// Shows what would be written, and writes nothing.
    pub fn preview(&self, plan: &Plan) -> Result<Vec<Preview>, ConnectError> {
        let mut previews = Vec::new();
        let record = Record::read(&self.folder)?.unwrap_or_default();
        for file in &plan.files {
            let (now, before) = states(file, record.of(&file.path))?;
            let text = before.as_deref().unwrap_or_default();
            let mut lines = Vec::new();
            for setting in &file.settings {
                let there = file.format.get(text, &setting.place).map_err(unfit(&file.path))?;
                let is_wanted = !setting.unless_there && (there.is_some() || setting.value.is_some());
                if there.is_none() && setting.unless_there || is_wanted {
                    let value = setting.value.as_ref().map(|value| match setting.secret {
                        Some(_) => "the gateway's key".to_owned(),
                        None => value.to_string(),
                    });
                    lines.push((edit::dotted(&setting.place), value, there.is_some()));
                }
            }
            previews.push(Preview { path: file.path.clone(), is_there: now.is_some(), lines });
        }
        Ok(previews)
    }

    /// Writes a plan into the client's files. Where one of them cannot be written, all are what they were.
    pub fn connect(&self, plan: &Plan) -> Result<Change, ConnectError> {
        let _turn = self.lock()?;
        let edits = self.edits(plan)?;
        if edits.iter().all(|edit| edit.now.as_ref() == Some(&edit.written.after)) && self.is_recorded() {
            return Ok(Change::AlreadySo);
        }
        let older = Record::read(&self.folder)?;
        let record = Record { files: edits.iter().map(|edit| edit.written.clone()).collect() };
        // Before any file is changed: what is written and not known could not be taken back.
        let kept = record.keep(&self.folder);
        let mut done = 0;
        let written = kept.and_then(|()| {
            edits.iter().try_for_each(|edit| {
                replace(&edit.written.path, &edit.written.after)?;
                done += 1;
                Ok(())
            })
        });
        if let Err(error) = written {
            for edit in &edits[..done] {
                // What cannot be put back is no reason to say anything else than what went wrong first.
                let _ = put_back(&edit.written.path, edit.now.as_deref());
            }
            let _ = match older {
                Some(older) => older.keep(&self.folder),
                None => Record::forget(&self.folder),
            };
            return Err(error);
        }
        let files = edits.into_iter().map(|edit| Done {
            copy: edit.written.before.is_some().then(|| self.folder.join(copy_of(&edit.written.path))),
            path: edit.written.path,
            key_by: edit.key_by,
        });
        Ok(Change::Written(files.collect()))
    }

    /// Takes out again what was written.
    pub fn undo(&self) -> Result<Change, ConnectError> {
        let _turn = self.lock()?;
        let record = Record::read(&self.folder)?.ok_or(ConnectError::NotConnected { client: self.client.name })?;
        let (mut paths, mut is_restored) = (Vec::new(), true);
        let mut backs = Vec::new();
        for file in &record.files {
            let now = read(&file.path)?;
            // A file that is gone has nothing of ours.
            let Some(text) = &now else { continue };
            let back = edit::taken_back(file, text);
            backs.push((file, back.map_err(unfit(&file.path))?));
        }
        for (file, back) in backs {
            is_restored &= back == file.before;
            put_back(&file.path, back.as_deref())?;
            paths.push(file.path.clone());
        }
        Record::forget(&self.folder)?;
        Ok(if is_restored { Change::Restored(paths) } else { Change::TakenOut(paths) })
    }

    /// What a plan makes of the files, as they would be without what was written before.
    fn edits(&self, plan: &Plan) -> Result<Vec<Edit>, ConnectError> {
        let record = Record::read(&self.folder)?.unwrap_or_default();
        plan.files.iter().map(|file| edit(file, record.of(&file.path))).collect()
    }

    fn lock(&self) -> Result<bitrouter_files::FileLock, ConnectError> {
        PrivateFile::lock(&self.folder).map_err(file_error(&self.folder))
    }
}

/// A file as it is, and as it is without what was written before.
fn states(file: &FilePlan, known: Option<&Written>) -> Result<(Option<String>, Option<String>), ConnectError> {
    let now = read(&file.path)?;
    let before = match (&now, known) {
        (Some(now), Some(known)) => edit::taken_back(known, now).map_err(unfit(&file.path))?,
        _ => now.clone(),
    };
    Ok((now, before))
}

fn edit(file: &FilePlan, known: Option<&Written>) -> Result<Edit, ConnectError> {
    let (now, before) = states(file, known)?;
    let settings = &file.settings;
    let key_by = settings.iter().find_map(|setting| setting.secret).filter(|_| is_in_a_repository(&file.path));
    let settings: Vec<&Setting> =
        settings.iter().filter(|setting| key_by.is_none() || setting.secret.is_none()).collect();
    let mut after = before.clone().unwrap_or_default();
    for setting in &settings {
        let is_there = || file.format.get(&after, &setting.place).map(|there| there.is_some());
        if setting.unless_there && is_there().map_err(unfit(&file.path))? {
            continue;
        }
        after = file.format.set(&after, &setting.place, setting.value.as_ref()).map_err(unfit(&file.path))?;
    }
    let places: Vec<Place> = settings.iter().map(|setting| setting.place.clone()).collect();
    let restless = settings.iter().filter(|setting| setting.restless).map(|setting| setting.place.clone()).collect();
    let written = Written { path: file.path.clone(), format: file.format, before, after, places, restless };
    Ok(Edit { written, now, key_by })
}

/// The first address in a value.
fn address(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => (text.starts_with("http://") || text.starts_with("https://")).then_some(text),
        Value::Array(items) => items.iter().find_map(address),
        Value::Object(members) => members.values().find_map(address),
        _ => None,
    }
}

/// Whether an address ends here, or goes on with a path.
fn ends(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with('/')
}

/// Whether a file is in a folder that Git keeps. What is ignored there is not known to be.
fn is_in_a_repository(path: &Path) -> bool {
    let real = fs::canonicalize(path).or_else(|_| fs::canonicalize(path.parent().unwrap_or(Path::new("."))));
    let real = real.unwrap_or_else(|_| path.to_owned());
    real.ancestors().any(|folder| folder.join(".git").exists())
}

fn unfit(path: &Path) -> impl FnOnce(Fault) -> ConnectError {
    let path = path.display().to_string();
    move |fault| {
        let next = match fault {
            Fault::Broken(_) => "mend it first",
            Fault::InTheWay(_) => "take it out first",
            Fault::NotHere(_) => "see what to write with --print, and write it by hand",
        };
        ConnectError::Unfit { path, fault, next }
    }
}

pub(super) fn file_error(path: &Path) -> impl FnOnce(io::Error) -> ConnectError {
    let path = path.display().to_string();
    move |source| ConnectError::File { path, source }
}

/// A file's text; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<String>, ConnectError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}

/// Makes a file what it was, or gone.
fn put_back(path: &Path, text: Option<&str>) -> Result<(), ConnectError> {
    match text {
        Some(text) => replace(path, text),
        None => match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file_error(path)(error)),
            _ => Ok(()),
        },
    }
}

/// Replaces a file in one step, with the permissions that it had. A link stays a link: its target is replaced. Where a
/// rename is refused and writing is not, as for a file that is mounted alone into a container, it is written in place.
fn replace(path: &Path, text: &str) -> Result<(), ConnectError> {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&real).is_ok_and(|metadata| metadata.permissions().readonly()) {
        // A rename would get round what its owner meant.
        let refused = io::Error::new(io::ErrorKind::PermissionDenied, "it may not be written");
        return Err(file_error(path)(refused));
    }
    match PrivateFile::replace_as_it_is(&real, text) {
        Err(error) if real.exists() => match in_place(&real, text) {
            Ok(()) => Ok(()),
            // What refused the rename is the reason that helps, unless the disk is full.
            Err(full) if full.kind() == io::ErrorKind::StorageFull => Err(file_error(path)(full)),
            Err(_) => Err(file_error(path)(error)),
        },
        done => done.map_err(file_error(path)),
    }
}

/// Writes over what is there; where that fails halfway, what was there is put back.
fn in_place(real: &Path, text: &str) -> io::Result<()> {
    let before = fs::read(real)?;
    PrivateFile::overwrite(real, text.as_bytes()).inspect_err(|_| {
        // It had room a moment ago.
        let _ = PrivateFile::overwrite(real, &before);
    })
}
