//! The state that every gateway begins with: `cooldowns.json` in the data folder, which one gateway has for itself, and
//! `windows.json` in the cache folder, which commands write as well, so that they know what a gateway heard and it knows what
//! they did.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use bitrouter_files::{PrivateFile, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{AllWindows, Limit, Persisted, RouteState};
use crate::Window;

/// The version of both formats that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The longest file of limits that is read, in bytes. A full table of one provider has less than a tenth.
const LONGEST_FILE: u64 = 1 << 20;
/// A window that says no end of its own is forgotten after this many seconds: a day.
const FORGET_AFTER: u64 = 24 * 3600;

/// Limits and windows in two files, each for this user alone.
#[derive(Debug)]
pub struct FileState {
    cooldowns: PathBuf,
    windows: PathBuf,
    /// The limits that the file holds; none where it holds something else.
    limits: Mutex<Option<Vec<Limit>>>,
}

#[derive(Serialize, Deserialize)]
struct Limits {
    version: u32,
    cooldowns: Vec<Limit>,
}

#[derive(Serialize, Deserialize)]
struct Accounts {
    version: u32,
    accounts: Vec<Account>,
}

#[derive(Serialize, Deserialize)]
struct Account {
    provider: String,
    label: String,
    windows: Vec<Window>,
}

impl FileState {
    /// These files, which need not exist.
    pub fn new(cooldowns: PathBuf, windows: PathBuf) -> Self {
        FileState { cooldowns, windows, limits: Mutex::new(Some(Vec::new())) }
    }
}

impl RouteState for FileState {
    fn load(&self) -> Persisted {
        let ignored = |why: &String| {
            warn!("{}: {why}. It is ignored: limits are found out anew", self.cooldowns.display());
        };
        let limits = read_limits(&self.cooldowns).inspect_err(ignored).ok();
        self.limits.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&limits);
        Persisted { limits: limits.unwrap_or_default(), windows: read_windows(&self.windows) }
    }

    fn exchange_limits(&self, exchange: &mut dyn FnMut(&[Limit]) -> Vec<Limit>) -> io::Result<()> {
        // A panic while it is held leaves what the file holds.
        let mut kept = self.limits.lock().unwrap_or_else(PoisonError::into_inner);
        let limits = exchange(kept.as_deref().unwrap_or_default());
        // A file that cannot be read, such as a later version's, is replaced once there is something to write.
        if kept.as_deref().unwrap_or_default() == limits {
            return Ok(());
        }
        let file = Limits { version: VERSION, cooldowns: limits };
        let mut text = serde_json::to_vec_pretty(&file)?;
        text.push(b'\n');
        PrivateFile::replace(&self.cooldowns, text).map_err(|error| unwritable(&self.cooldowns, error))?;
        *kept = Some(file.cooldowns);
        Ok(())
    }

    fn exchange_windows(&self, news: bool, exchange: &mut dyn FnMut(&mut AllWindows)) -> io::Result<()> {
        if !news {
            return Ok(());
        }
        let mut write = || {
            let _lock = PrivateFile::lock(&self.windows)?;
            let mut windows = read_windows(&self.windows);
            exchange(&mut windows);
            write_windows(&self.windows, windows)
        };
        write().map_err(|error| unwritable(&self.windows, error))
    }
}

fn unwritable(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: cannot be written ({error})", path.display()))
}

/// What the file holds; nothing where it is not there.
fn read_limits(path: &Path) -> Result<Vec<Limit>, String> {
    let mut text = String::new();
    match std::fs::File::open(path).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot be read ({error})")),
    }
    // The version first: what else a file of another version holds is not for this one to judge.
    let value: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("is not valid JSON ({error})"))?;
    match value.get("version").and_then(serde_json::Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => {}
        _ => return Err(format!("is not of version {VERSION}")),
    }
    let file: Limits = serde_json::from_value(value).map_err(|error| format!("is not as it was written ({error})"))?;
    Ok(file.cooldowns)
}

/// What the file holds; nothing where it is not there or cannot be read: it is only a memory.
fn read_windows(path: &Path) -> AllWindows {
    let file = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<Accounts>(&text).ok());
    let mut all = AllWindows::new();
    for Account { provider, label, windows } in
        file.filter(|file| file.version == VERSION).into_iter().flat_map(|file| file.accounts)
    {
        let of_account = windows.into_iter().map(|window| (window.name.clone(), window));
        all.entry(provider).or_default().entry(label).or_default().extend(of_account);
    }
    all
}

/// Writes all windows that say something still.
fn write_windows(path: &Path, all: AllWindows) -> io::Result<()> {
    let now = u64::try_from(Timestamp::from(SystemTime::now()).unix()).unwrap_or_default();
    let lasts = |window: &Window| match window.resets_at {
        Some(at) => at > now,
        None => window.told_at.saturating_add(FORGET_AFTER) > now,
    };
    let of_provider = |(provider, accounts): (String, BTreeMap<String, BTreeMap<String, Window>>)| {
        accounts.into_iter().map(move |(label, windows)| {
            let windows = windows.into_values().filter(lasts).collect();
            Account { provider: provider.clone(), label, windows }
        })
    };
    let accounts = all.into_iter().flat_map(of_provider).filter(|account| !account.windows.is_empty()).collect();
    PrivateFile::replace(path, serde_json::to_vec_pretty(&Accounts { version: VERSION, accounts })?)
}
