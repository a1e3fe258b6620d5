//! Applying what has changed on disk: the config, the components, and what the user accepted of both.
//!
//! A signal, the control socket and the watch call it; one reload runs at a time. The next gateway is made in full beside
//! the one that serves, then takes its place. If anything of the config is wrong, nothing is applied.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bitrouter_plugin::Snapshot;
use serde::{Deserialize, Serialize};

use super::watch::{self, Fingerprint};
use crate::app::{App, Live};
use crate::config::{self, ConfigError, HeldConfig, LoadOptions, Loaded};
use crate::route::Providers;

/// How often a reload waits for files that are being written, before it reads them as they are.
const STILL_TRIES: u32 = 5;

/// Where a gateway's config comes from, and what a reload reports to.
pub struct ReloadSource {
    /// Where the config is looked for.
    pub options: LoadOptions,
    /// Reads again what is held, with the command line's flags applied as at the start.
    pub read: Box<Read>,
    /// How everything looked before it was read for the start: what has changed since is news.
    pub seen: Fingerprint,
    /// What only the components know to be wrong with it.
    pub problems: fn(&Loaded, &Providers) -> Vec<String>,
    /// Reports how a reload ended, on the gateway's standard error.
    pub on_reloaded: Box<OnReloaded>,
}

/// What reads a config again.
pub type Read = dyn Fn(&HeldConfig) -> Result<Loaded, ConfigError> + Send + Sync;

/// What a reload reports its outcome to.
pub type OnReloaded = dyn Fn(&Result<Reloaded, NotReloaded>) + Send + Sync;

/// A reload that was applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reloaded {
    /// The config in force; none where the defaults hold.
    pub config: Option<PathBuf>,
    /// What became of components, a sentence each.
    pub changes: Vec<String>,
    /// What is worth saying, a sentence each.
    pub warnings: Vec<String>,
}

/// A reload that was refused: all is as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NotReloaded {
    /// Every problem, a line each.
    pub problems: Vec<String>,
}

/// What is in force.
#[derive(Clone, Debug)]
pub(super) struct InForce {
    pub file: Option<PathBuf>,
    pub held: HeldConfig,
    pub since: SystemTime,
    pub reloads: u32,
    pub warnings: Vec<String>,
    /// The last reload, if it was refused.
    pub refused: Option<(SystemTime, NotReloaded)>,
}

/// Reloads one gateway.
pub struct Reloader {
    live: Arc<Live>,
    source: ReloadSource,
    turn: tokio::sync::Mutex<()>,
    in_force: Mutex<InForce>,
    seen: Mutex<Fingerprint>,
}

impl Reloader {
    /// For a gateway that was started with this config.
    pub fn new(live: Arc<Live>, mut source: ReloadSource, loaded: &Loaded) -> Arc<Self> {
        let in_force = InForce {
            file: loaded.source.path().map(PathBuf::from),
            held: loaded.held(),
            since: SystemTime::now(),
            reloads: 0,
            warnings: loaded.warnings.iter().map(ToString::to_string).collect(),
            refused: None,
        };
        let seen = Mutex::new(std::mem::take(&mut source.seen));
        let turn = tokio::sync::Mutex::default();
        Arc::new(Reloader { live, source, turn, in_force: Mutex::new(in_force), seen })
    }

    /// Reads everything again and applies it, or says why not.
    pub async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let _turn = self.turn.lock().await;
        self.still().await;
        // Before anything is read: what changes while it is read is news again.
        let seen = tokio::task::block_in_place(|| self.fingerprint());
        *lock(&self.seen) = seen;
        let outcome = self.apply().await;
        if let Err(refused) = &outcome {
            lock(&self.in_force).refused = Some((SystemTime::now(), refused.clone()));
        }
        (self.source.on_reloaded)(&outcome);
        outcome
    }

    /// The same, for callers that do not wait for the outcome.
    pub async fn reload_aloud(self: Arc<Self>) {
        let _ = self.reload().await;
    }

    /// What is in force.
    pub(super) fn in_force(&self) -> InForce {
        lock(&self.in_force).clone()
    }

    /// Whether something on disk is not as it was when it was last read.
    pub(super) fn has_news(&self) -> bool {
        self.live.now().registry.has_news() || self.fingerprint() != *lock(&self.seen)
    }

    /// How everything looks that a reload reads.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let app = self.live.now();
        let plugins = &app.config.plugins;
        Fingerprint::of(watched(&self.source.options), plugins.lock.as_deref(), &plugins.dir)
    }

    /// Waits until no config was written to for a moment, but not for ever: a reload right after a file was written would
    /// else read half of it.
    async fn still(&self) {
        for _ in 0..STILL_TRIES {
            let wait = tokio::task::block_in_place(|| watch::still_in(&watched(&self.source.options)));
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return,
            }
        }
    }

    async fn apply(&self) -> Result<Reloaded, NotReloaded> {
        let before = self.live.now();
        let (mut loaded, mut warnings) = self.read(&before)?;
        let config = std::mem::replace(&mut loaded.config, before.config.clone());
        let next = before.reloaded(config, &self.source.options.paths).await;
        let next = next.map_err(|error| NotReloaded { problems: vec![error.to_string()] })?;
        loaded.config = next.config.clone();
        let providers = next.directory.now();
        warnings.extend((self.source.problems)(&loaded, &providers));
        warnings.extend(providers.refused.iter().map(|refused| format!("{}: {}", refused.file, refused.reason)));
        let changes = changes(&before.registry.now(), &next.registry.now());
        let (now, then) = (&next.config.plugins, &before.config.plugins);
        let other_folder = (&now.dir, &now.lock) != (&then.dir, &then.lock);
        self.live.replace(next);
        if other_folder {
            // What was seen is the folder before.
            let seen = tokio::task::block_in_place(|| self.fingerprint());
            *lock(&self.seen) = seen;
        }

        let file = loaded.source.path().map(PathBuf::from);
        let mut in_force = lock(&self.in_force);
        in_force.file.clone_from(&file);
        in_force.held = loaded.held();
        in_force.since = SystemTime::now();
        in_force.reloads += 1;
        in_force.warnings.clone_from(&warnings);
        in_force.refused = None;
        Ok(Reloaded { config: file, changes, warnings })
    }

    /// The config by now, and what of it has to wait for the next start.
    fn read(&self, before: &App) -> Result<(Loaded, Vec<String>), NotReloaded> {
        let refuse = |error: ConfigError| NotReloaded { problems: error.lines() };
        let held = lock(&self.in_force).held.clone();
        let mut loaded = tokio::task::block_in_place(|| (self.source.read)(&held)).map_err(refuse)?;
        let mut warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        let (wanted, running) = (&loaded.config.server.listen, &before.config.server.listen);
        if wanted != running {
            let list = |addresses: &[std::net::SocketAddr]| {
                addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            };
            warnings.push(format!(
                "`server.listen` is {} by now, which holds from the next start on: this gateway goes on listening on {}",
                list(wanted),
                list(running)
            ));
        }
        loaded.config.listen_still(&before.config.server).map_err(refuse)?;
        Ok((loaded, warnings))
    }
}

/// The files that a reload reads besides the components.
pub(super) fn watched(options: &LoadOptions) -> Vec<PathBuf> {
    let mut files = config::watched(options);
    files.push(options.paths.plugins_lock());
    files
}

/// What became of the components.
fn changes(before: &Snapshot, now: &Snapshot) -> Vec<String> {
    let mut changes = Vec::new();
    for (id, plugin) in &now.plugins {
        match before.plugins.get(id) {
            None if plugin.trusted => changes.push(format!("{id}: a component that was not there before")),
            None => changes.push(format!(
                "{id}: a component that was not there before. It is not trusted, so it answers to {id}:MODEL alone. To accept it: {}",
                plugin.to_accept()
            )),
            Some(old) if old.digest != plugin.digest => changes.push(match &plugin.notice {
                None => format!("{id}: another build of its component"),
                Some(notice) => format!("{id}: {notice}. To accept it: {}", plugin.to_accept()),
            }),
            Some(old) if old.trusted != plugin.trusted => changes.push(match plugin.trusted {
                true => format!("{id}: its component is trusted now"),
                false => format!("{id}: its component is not trusted any more"),
            }),
            Some(_) => {}
        }
    }
    let gone = before.plugins.keys().filter(|id| !now.plugins.contains_key(*id));
    changes.extend(gone.map(|id| format!("{id}: its component is gone")));
    changes
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while the lock is held leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
