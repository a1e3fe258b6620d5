//! Limits over a restart: `cooldowns.json` in the data folder. The one file of this room that does I/O, off the path of
//! requests. What cannot be read is ignored with a warning: at worst a limit is found out once more.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitrouter_files::{PrivateFile, Timestamp};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::Cooldowns;
use super::cooling::{Cooldown, Failure};
use super::reason::Reason;
use super::subject::Subject;

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// How often the file is written at most.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest file that is read, in bytes. A full table of one provider has less than a tenth.
const LONGEST: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct File {
    version: u32,
    cooldowns: Vec<Entry>,
}

/// One limit. Times are RFC 3339.
#[derive(Serialize, Deserialize)]
struct Entry {
    provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    reason: Reason,
    since: String,
    until: String,
    next_probe: String,
    probes: u32,
}

impl Cooldowns {
    /// What an earlier gateway knew of limits. An end that lies unreasonably far away is bounded, one that has passed is
    /// left out.
    pub fn load(path: &Path, now: SystemTime) -> Self {
        let cooldowns = Cooldowns::default();
        let entries = match read(path) {
            Ok(entries) => entries,
            Err(why) => {
                warn!("{}: {why}. It is ignored: limits are found out anew", path.display());
                return cooldowns;
            }
        };
        cooldowns.0.with(now, |table| {
            for entry in entries {
                match entry.cooldown(now) {
                    Some(cooldown) if cooldown.until > now => table.put(cooldown),
                    Some(_) => {}
                    None => warn!("{}: an entry of {} is no limit with its times", path.display(), entry.provider),
                }
            }
        });
        cooldowns
    }

    /// Writes what a later gateway should know. Blocks; [`Cooldowns::keep`] calls it, and the end of the gateway.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let limits = self.0.table.lock().unwrap_or_else(PoisonError::into_inner).limits();
        let file = File { version: VERSION, cooldowns: limits.iter().map(Entry::of).collect() };
        let mut text = serde_json::to_vec_pretty(&file)?;
        text.push(b'\n');
        PrivateFile::replace(path, text)
    }

    /// Writes the file whenever something changed, at most once a second, for as long as it is polled.
    pub async fn keep(&self, path: &Path) -> Infallible {
        self.keep_pausing(path, async || tokio::time::sleep(PAUSE).await).await
    }

    /// The same, with the pause between two writes given.
    async fn keep_pausing(&self, path: &Path, pause: impl AsyncFn()) -> Infallible {
        let mut failed = false;
        loop {
            self.0.changed.notified().await;
            let (cooldowns, file) = (self.clone(), path.to_owned());
            let saved = tokio::task::spawn_blocking(move || cooldowns.save(&file)).await;
            match saved.map_err(io::Error::other).flatten() {
                Ok(()) => failed = false,
                // Said once, not each second.
                Err(error) if !failed => {
                    failed = true;
                    warn!("{}: cannot be written ({error}). Limits are not kept over a restart", path.display());
                }
                Err(_) => {}
            }
            pause().await;
        }
    }
}

fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let mut text = String::new();
    match std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text)) {
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
    let file: File = serde_json::from_value(value).map_err(|error| format!("is not as it was written ({error})"))?;
    Ok(file.cooldowns)
}

impl Entry {
    fn of(cooldown: &Cooldown) -> Self {
        let Subject { provider, label, model, own: _ } = cooldown.subject.clone();
        let text = |time| Timestamp::from(time).to_string();
        Entry {
            provider,
            account: label,
            model,
            reason: cooldown.reason,
            since: text(cooldown.since),
            until: text(cooldown.until),
            next_probe: text(cooldown.next_probe),
            probes: cooldown.probes,
        }
    }

    /// None if it is no limit, or a time is none.
    fn cooldown(&self, now: SystemTime) -> Option<Cooldown> {
        let (since, until, next_probe) = (time(&self.since)?, time(&self.until)?, time(&self.next_probe)?);
        let (provider, label, model) = (self.provider.clone(), self.account.clone(), self.model.clone());
        let subject = Subject { provider, label, model, own: None };
        let mut cooldown =
            Cooldown::begin(subject, Failure { reason: self.reason, told: None, by: None, sent: now }, now);
        (cooldown.since, cooldown.until, cooldown.next_probe) = (since, until, next_probe);
        cooldown.probes = self.probes;
        cooldown.bound(now);
        self.reason.is_limit().then_some(cooldown)
    }
}

fn time(text: &str) -> Option<SystemTime> {
    let seconds = text.parse::<Timestamp>().ok()?.unix();
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests;
