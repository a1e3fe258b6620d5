//! The set of providers that this gateway has: the built-in components and those of the plugin folder.
//!
//! Loading runs beside the gateway, so that `/health` answers at once; a request that needs a component which is still
//! compiling waits a little. A component that cannot serve is named with its reason, and the rest serve. A reload makes
//! another registry, while this one serves: components that are the same as before are not loaded again.

mod admit;
mod aside;
#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bitrouter_contract::Description;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::Instant;

use super::cache::Digest;
use super::compile::MAX_COMPONENT;
use super::load::Loader;
use super::trust::{self, Grant, Lock, Signers};
use super::{Origin, Plugin};
use admit::{Rules, Standing};
use aside::Aside;

/// How long a request waits for a component that is still compiling.
const LOAD_WAIT: Duration = Duration::from_secs(5);

/// How long a reload waits for components that are compiled, all together: what takes longer is taken by the next one.
const RELOAD_WAIT: Duration = Duration::from_secs(30);

/// Where components come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The embedded ones: name and bytes.
    pub built_in: &'static [(&'static str, &'static [u8])],
    /// The plugin folder; it need not exist.
    pub folder: PathBuf,
    /// `plugins.lock`.
    pub lock: PathBuf,
    /// Whether that is one which somebody prepared: it holds for the very builds that it names, and no others.
    pub pinned: bool,
    /// Whose signatures have a name here.
    pub signers: Signers,
}

/// A component that does not serve; commands and a gateway's status say it as JSON.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// The file, or the built-in component's name.
    pub file: String,
    /// The id that it claims, where it came far enough to say so.
    pub id: Option<String>,
    /// Why, as a sentence with the next step.
    pub reason: String,
}

impl Refused {
    /// The provider's id, as far as that is known: a component that did not load has not said it, so the file's name
    /// stands for it.
    pub fn called(&self) -> Option<&str> {
        self.id.as_deref().or_else(|| Path::new(&self.file).file_stem()?.to_str())
    }

    /// What to call it.
    pub fn name(&self) -> &str {
        self.id.as_deref().unwrap_or(&self.file)
    }
}

/// The providers at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Those that serve, by id.
    pub plugins: BTreeMap<String, Arc<Plugin>>,
    /// Those that do not.
    pub refused: Vec<Refused>,
    /// How many are still being loaded.
    pub pending: usize,
    /// All that were loaded, whether they serve or not.
    loaded: Vec<Arc<Plugin>>,
    /// What the user had accepted.
    lock: Lock,
    /// Whether it held for the very builds that it names.
    pinned: bool,
}

/// The providers, and the news of them.
#[derive(Clone)]
pub struct Registry {
    loader: Loader,
    current: watch::Receiver<Arc<Snapshot>>,
    aside: Aside,
}

impl Registry {
    /// Starts loading; returns at once.
    pub fn start(loader: Loader, sources: Sources) -> Self {
        let (news, current) = watch::channel(Arc::new(Snapshot { pending: 1, ..Snapshot::default() }));
        tokio::spawn(load_all(loader.clone(), sources, Before::default(), news));
        Registry { loader, current, aside: Aside::default() }
    }

    /// What loads its components.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// Whether a component was compiled that a reload did not wait for, so that another one is due.
    pub fn has_news(&self) -> bool {
        self.aside.has_news()
    }

    /// The registry of what is in these places by now. Returns once everything is loaded or refused, or after 30 s: what is
    /// still being compiled then is refused as such, and [`Registry::has_news`] tells when it is not any more. A component of which
    /// neither the bytes nor the engine changed is the same still. Where a file holds another build that does not serve,
    /// the one before goes on, for as long as the user accepts it.
    pub async fn reloaded(&self, loader: Loader, sources: Sources) -> Self {
        let before = self.complete().await;
        let engine = loader.is_the_same_as(&self.loader);
        let (news, current) = watch::channel(Arc::new(Snapshot { pending: 1, ..Snapshot::default() }));
        let aside = if engine { self.aside.clone() } else { Aside::default() };
        let before = Before { snapshot: before, same_engine: engine, aside: Some(aside.clone()) };
        load_all(loader.clone(), sources, before, news).await;
        aside.forget_done();
        Registry { loader, current, aside }
    }

    /// What is there now.
    pub fn now(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.borrow())
    }

    /// What is there once everything is loaded, or after 5 s whatever is there then.
    pub async fn settled(&self) -> Arc<Snapshot> {
        self.wait(LOAD_WAIT).await
    }

    /// What is there once everything is loaded, however long that takes: for commands, not for requests.
    pub async fn complete(&self) -> Arc<Snapshot> {
        self.wait(Duration::from_secs(3600)).await
    }

    async fn wait(&self, at_most: Duration) -> Arc<Snapshot> {
        let mut current = self.current.clone();
        let _ = tokio::time::timeout(at_most, current.wait_for(|snapshot| snapshot.pending == 0)).await;
        self.now()
    }
}

/// One component on its way in.
#[derive(Clone)]
struct Candidate {
    file: String,
    bytes: Vec<u8>,
    digest: Digest,
    origin: Origin,
}

impl Candidate {
    fn refused(&self, id: &str, reason: String) -> Refused {
        Refused { file: self.file.clone(), id: Some(id.to_owned()), reason }
    }

    fn not_trusted(&self, id: &str, why: &str) -> Refused {
        self.refused(id, trust::not_trusted(why, &self.origin.to_accept(id)))
    }
}

/// What serves while its successor is loaded.
#[derive(Default)]
struct Before {
    snapshot: Arc<Snapshot>,
    same_engine: bool,
    /// At a reload, where that is loaded which it does not wait for.
    aside: Option<Aside>,
}

impl Before {
    /// The providers of these bytes in this place, if they were there.
    fn same(&self, candidate: &Candidate) -> Vec<Arc<Plugin>> {
        let same = |plugin: &&Arc<Plugin>| plugin.digest == candidate.digest && plugin.origin == candidate.origin;
        // Whoever serves is meant, as it is believed or not.
        let serving =
            |plugin: &Arc<Plugin>| Arc::clone(self.snapshot.plugins.get(&*plugin.id).filter(same).unwrap_or(plugin));
        self.snapshot.loaded.iter().filter(|_| self.same_engine).filter(same).map(serving).collect()
    }

    /// Whether the build before may go on as it was believed: nothing that was accepted of it has changed since.
    fn still_holds(&self, plugin: &Plugin, rules: &Rules<'_>) -> bool {
        let (was, is) = (self.snapshot.lock.entry_of(&plugin.id), rules.lock.entry_of(&plugin.id));
        was == is && (plugin.notice.is_none() || (self.snapshot.pinned, rules.pinned) == (false, false))
    }

    /// The build that this file had.
    fn of_file(&self, origin: &Origin) -> Vec<Arc<Plugin>> {
        let of_file = |plugin: &&Arc<Plugin>| matches!(origin, Origin::File(_)) && plugin.origin == *origin;
        self.snapshot.plugins.values().filter(of_file).cloned().collect()
    }
}

async fn load_all(loader: Loader, sources: Sources, before: Before, news: watch::Sender<Arc<Snapshot>>) {
    load_until(loader, sources, before, news, Instant::now() + RELOAD_WAIT).await;
}

/// Loads everything; at a reload, until this moment.
async fn load_until(
    loader: Loader,
    sources: Sources,
    before: Before,
    news: watch::Sender<Arc<Snapshot>>,
    until: Instant,
) {
    let mut snapshot = Snapshot::default();
    let (lock, built_in, files) = {
        let sources = sources.clone();
        let read = move || (Lock::read(&sources.lock), read_built_in(&sources), read_folder(&sources.folder));
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| {
            let refused = Refused { file: "plugins".into(), id: None, reason: error.to_string() };
            (Ok(Lock::default()), Vec::new(), vec![Err(refused)])
        })
    };
    let lock = lock.unwrap_or_else(|error| {
        let file = sources.lock.file_name().unwrap_or_default().to_string_lossy().into_owned();
        snapshot.refused.push(Refused { file, id: None, reason: error.to_string() });
        // One that is being written says nothing: nobody's acceptance ends by that, and none begins.
        before.snapshot.lock.clone()
    });
    snapshot.lock = lock.clone();
    snapshot.pinned = sources.pinned;
    let mut candidates = Vec::new();
    for file in files {
        match file {
            Ok(candidate) => candidates.push(candidate),
            Err(refused) => snapshot.refused.push(refused),
        }
    }
    // A file that the user accepted in a built-in provider's place comes first, so that no request sees the built-in.
    let first = |candidate: &Candidate| {
        let had = before.of_file(&candidate.origin);
        lock.entry_with(&candidate.digest).is_some()
            || had.iter().any(|plugin| lock.entry_with(&plugin.digest).is_some())
    };
    let (accepted, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(first);
    let queue: Vec<Candidate> = accepted.into_iter().chain(built_in).chain(others).collect();

    let rules = Rules::new(&sources, lock);
    snapshot.pending = queue.len();
    let _ = news.send(Arc::new(snapshot.clone()));
    for candidate in queue {
        snapshot.pending -= 1;
        let (loaded, mut refused) = match before.same(&candidate) {
            same if !same.is_empty() => (same, Vec::new()),
            // What nobody accepted is not compiled to be refused.
            _ => match rules.refused_unread(&candidate) {
                Some(why) => (Vec::new(), why.into_iter().map(|(id, why)| candidate.not_trusted(&id, &why)).collect()),
                None => {
                    let loaded = match &before.aside {
                        Some(aside) => aside.load(&loader, &candidate, until).await,
                        None => load(&loader, &candidate).await,
                    };
                    loaded.map_or_else(|error| (Vec::new(), vec![error]), |plugins| (plugins, Vec::new()))
                }
            },
        };
        let beside: Vec<_> = loaded.iter().map(|plugin| Arc::clone(&plugin.says)).collect();
        let beside: Vec<&Description> = beside.iter().map(|says| &**says).collect();
        for plugin in loaded {
            snapshot.loaded.push(Arc::clone(&plugin));
            let standing = rules.standing(&candidate, &plugin.says, &beside);
            match admit(plugin, &candidate, standing, &snapshot) {
                Ok(Some(plugin)) => drop(snapshot.plugins.insert(plugin.description.id.clone(), plugin)),
                Ok(None) => {}
                Err(error) => refused.push(error),
            }
        }
        if let Some(first) = refused.first_mut() {
            let goes_on = go_on(before.of_file(&candidate.origin), &before, &rules, &mut snapshot);
            if let Some(digest) = goes_on {
                first.reason.push_str(&format!(
                    ". The build that was there before ({}) goes on until the gateway ends",
                    trust::short(digest.as_str())
                ));
            }
        }
        snapshot.refused.extend(refused);
        if news.send(Arc::new(snapshot.clone())).is_err() {
            return;
        }
    }
    // With nothing to load the loop above told nobody.
    let _ = news.send(Arc::new(snapshot));
    // Listeners live as long as the registry; so does the last value.
}

/// Lets the build before serve where the one that took its file's place does not; answers which that is.
fn go_on(had: Vec<Arc<Plugin>>, before: &Before, rules: &Rules<'_>, snapshot: &mut Snapshot) -> Option<Digest> {
    let mut goes_on = None;
    for plugin in had {
        if snapshot.plugins.contains_key(&*plugin.id) {
            continue;
        }
        let accepted = rules.lock.accepts(&plugin.digest, &Grant::of(&plugin.says));
        let plugin = match (accepted, before.still_holds(&plugin, rules)) {
            (true, _) => plugin.believed(true, None),
            (false, true) => plugin,
            (false, false) => continue,
        };
        goes_on = Some(plugin.digest.clone());
        snapshot.plugins.insert(plugin.description.id.clone(), plugin);
    }
    goes_on
}

async fn load(loader: &Loader, candidate: &Candidate) -> Result<Vec<Arc<Plugin>>, Refused> {
    let loaded = loader.load(&candidate.bytes, candidate.digest.clone(), candidate.origin.clone()).await;
    // A built-in one is named as its id is.
    let id = (candidate.origin == Origin::BuiltIn).then(|| candidate.file.clone());
    let shared = |plugins: Vec<Plugin>| plugins.into_iter().map(Arc::new).collect();
    loaded.map(shared).map_err(|error| Refused { file: candidate.file.clone(), id, reason: error.to_string() })
}

/// The component as far as it is believed, if it may serve. `None`: a built-in one whose place is taken by a file that the
/// user accepted.
fn admit(
    plugin: Arc<Plugin>,
    candidate: &Candidate,
    standing: Result<Standing, String>,
    so_far: &Snapshot,
) -> Result<Option<Arc<Plugin>>, Refused> {
    let id = plugin.says.id.as_str();
    if let Some(first) = so_far.plugins.get(id) {
        return match (&first.origin, &candidate.origin) {
            (Origin::File(_), Origin::BuiltIn) => Ok(None),
            (Origin::BuiltIn, _) => {
                Err(candidate.not_trusted(id, &format!("it claims the id `{id}`, which is built in")))
            }
            (Origin::File(path), _) => Err(candidate.refused(
                id,
                format!("it claims the id `{id}`, which {} has already. Remove one of the two", path.display()),
            )),
        };
    }
    match standing {
        Ok(Standing::Accepted) => Ok(Some(plugin.believed(true, None))),
        Ok(Standing::Rebuilt(notice)) => {
            if plugin.notice.as_deref() != Some(&notice) {
                tracing::warn!(provider = id, file = candidate.file, notice, "component changed");
            }
            Ok(Some(plugin.believed(true, Some(notice))))
        }
        Ok(Standing::Alone) => Ok(Some(plugin.believed(false, None))),
        Err(why) => Err(candidate.not_trusted(id, &why)),
    }
}

fn read_built_in(sources: &Sources) -> Vec<Candidate> {
    let candidate = |(name, bytes): &(&str, &[u8])| Candidate {
        file: (*name).to_owned(),
        bytes: bytes.to_vec(),
        digest: Digest::of(bytes),
        origin: Origin::BuiltIn,
    };
    sources.built_in.iter().map(candidate).collect()
}

/// Every component of the folder, and every description without one, in order of name.
fn read_folder(folder: &Path) -> Vec<Result<Candidate, Refused>> {
    let refuse = |file: &Path, reason: String| Refused { file: file.display().to_string(), id: None, reason };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return vec![Err(refuse(folder, format!("the plugin folder cannot be read: {error}")))],
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("wasm" | "json") => files.push(match super::file::read(&path, MAX_COMPONENT as u64) {
                Ok(bytes) => Ok(Candidate {
                    file: path.display().to_string(),
                    digest: Digest::of(&bytes),
                    bytes,
                    origin: Origin::File(path),
                }),
                Err(error) => Err(refuse(&path, format!("it cannot be read: {error}"))),
            }),
            Some("cwasm") => {
                files.push(Err(refuse(&path, "compiled code is not accepted: put the .wasm component here".into())))
            }
            _ => {}
        }
    }
    files
}
