//! The windows on disk: `windows.json` in the cache folder, so that a command knows what a running gateway heard, and a
//! restarted gateway what it heard before. Several processes write it; the newer of two windows wins.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bitrouter_files::PrivateFile;
use serde::{Deserialize, Serialize};

use super::{All, Window};

/// The format's version.
const VERSION: u32 = 1;
/// A window that says no end of its own is forgotten after this many seconds: a day.
const FORGET_AFTER: u64 = 24 * 3600;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    accounts: Vec<Account>,
}

#[derive(Serialize, Deserialize)]
struct Account {
    provider: String,
    label: String,
    windows: Vec<Window>,
}

/// What the file holds; nothing where it is not there or cannot be read: it is only a memory.
pub(super) fn load(path: &Path) -> All {
    let file = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<File>(&text).ok());
    let mut all = All::new();
    for Account { provider, label, windows } in
        file.filter(|file| file.version == VERSION).into_iter().flat_map(|file| file.accounts)
    {
        let of_account = windows.into_iter().map(|window| (window.name.clone(), window));
        all.entry(provider).or_default().entry(label).or_default().extend(of_account);
    }
    all
}

/// Writes all windows that say something still.
pub(super) fn store(path: &Path, all: &All, now: u64) -> io::Result<()> {
    let lasts = |window: &&Window| match window.resets_at {
        Some(at) => at > now,
        None => window.told_at.saturating_add(FORGET_AFTER) > now,
    };
    let of_provider = |(provider, accounts): (&String, &BTreeMap<String, BTreeMap<String, Window>>)| {
        let of_account = |(label, windows): (&String, &BTreeMap<String, Window>)| Account {
            provider: provider.clone(),
            label: label.clone(),
            windows: windows.values().filter(lasts).cloned().collect(),
        };
        accounts.iter().map(of_account).filter(|account| !account.windows.is_empty()).collect::<Vec<_>>()
    };
    let file = File { version: VERSION, accounts: all.iter().flat_map(of_provider).collect() };
    PrivateFile::replace(path, serde_json::to_vec_pretty(&file)?)
}
