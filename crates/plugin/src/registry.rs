//! The set of providers that this gateway has: the built-in components and those of the plugin folder.
//!
//! Loading runs beside the gateway, so that `/health` answers at once; a request that needs a component which is still
//! compiling waits a little. A component that cannot serve is named with its reason, and the rest serve. A reload makes
//! another registry, while this one serves: components that are the same as before are not loaded again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::cache::Digest;
use super::compile::MAX_COMPONENT;
use super::load::Loader;
use super::trust::{self, Grant, Lock};
use super::{Origin, Plugin};

/// How long a request waits for a component that is still compiling.
const LOAD_WAIT: Duration = Duration::from_secs(5);

/// Where components come from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The embedded ones: name and bytes.
    pub built_in: &'static [(&'static str, &'static [u8])],
    /// The plugin folder; it need not exist.
    pub folder: PathBuf,
    /// `plugins.lock`.
    pub lock: PathBuf,
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
}

/// The providers, and the news of them.
#[derive(Clone)]
pub struct Registry {
    loader: Loader,
    current: watch::Receiver<Arc<Snapshot>>,
}

impl Registry {
    /// Starts loading; returns at once.
    pub fn start(loader: Loader, sources: Sources) -> Self {
        let (news, current) = watch::channel(Arc::new(Snapshot { pending: 1, ..Snapshot::default() }));
        tokio::spawn(load_all(loader.clone(), sources, Before::default(), news));
        Registry { loader, current }
    }

    /// What loads its components.
    pub fn loader(&self) -> &Loader {
        &self.loader
    }

    /// The registry of what is in these places by now. Returns once everything is loaded or refused. A component of which
    /// neither the bytes nor the engine changed is the same still. Where a file holds another build that does not serve,
    /// the one before goes on, for as long as the user accepts it.
    pub async fn reloaded(&self, loader: Loader, sources: Sources) -> Self {
        let before = self.complete().await;
        let engine = loader.is_the_same_as(&self.loader);
        let (news, current) = watch::channel(Arc::new(Snapshot { pending: 1, ..Snapshot::default() }));
        load_all(loader.clone(), sources, Before { snapshot: before, same_engine: engine }, news).await;
        Registry { loader, current }
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
struct Candidate {
    file: String,
    bytes: Vec<u8>,
    digest: Digest,
    origin: Origin,
}

/// What serves while its successor is loaded.
#[derive(Default)]
struct Before {
    snapshot: Arc<Snapshot>,
    same_engine: bool,
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

    /// The build that this file had.
    fn of_file(&self, origin: &Origin) -> Vec<Arc<Plugin>> {
        let of_file = |plugin: &&Arc<Plugin>| matches!(origin, Origin::File(_)) && plugin.origin == *origin;
        self.snapshot.plugins.values().filter(of_file).cloned().collect()
    }
}

async fn load_all(loader: Loader, sources: Sources, before: Before, news: watch::Sender<Arc<Snapshot>>) {
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
        snapshot.refused.push(Refused { file: "plugins.lock".into(), id: None, reason: error.to_string() });
        // One that is being written says nothing: nobody's acceptance ends by that, and none begins.
        before.snapshot.lock.clone()
    });
    snapshot.lock = lock.clone();
    let mut candidates = Vec::new();
    for file in files {
        match file {
            Ok(candidate) => candidates.push(candidate),
            Err(refused) => snapshot.refused.push(refused),
        }
    }
    // A file that the user accepted in a built-in provider's place comes first, so that no request sees the built-in.
    let accepts = |digest: &Digest| lock.plugins.iter().any(|grant| grant.sha256 == digest.as_str());
    let first = |candidate: &Candidate| {
        accepts(&candidate.digest) || before.of_file(&candidate.origin).iter().any(|plugin| accepts(&plugin.digest))
    };
    let (accepted, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(first);
    let queue: Vec<Candidate> = accepted.into_iter().chain(built_in).chain(others).collect();

    let ids = LazyLock::new(|| ids_built_in(&sources));
    snapshot.pending = queue.len();
    let _ = news.send(Arc::new(snapshot.clone()));
    for candidate in queue {
        snapshot.pending -= 1;
        let plugins = match before.same(&candidate) {
            same if !same.is_empty() => Ok(same),
            _ => load(&loader, &candidate).await,
        };
        let mut refused = Vec::new();
        for plugin in plugins.unwrap_or_else(|error| {
            refused.push(error);
            Vec::new()
        }) {
            snapshot.loaded.push(Arc::clone(&plugin));
            match admit(plugin, &candidate, &lock, &ids, &snapshot) {
                Ok(Some(plugin)) => drop(snapshot.plugins.insert(plugin.description.id.clone(), plugin)),
                Ok(None) => {}
                Err(error) => refused.push(error),
            }
        }
        if let Some(first) = refused.first_mut() {
            let mut goes_on = false;
            for plugin in before.of_file(&candidate.origin) {
                if snapshot.plugins.contains_key(&*plugin.id) {
                    continue;
                }
                if let Ok(Some(plugin)) = admit(plugin, &candidate, &lock, &ids, &snapshot) {
                    goes_on = true;
                    snapshot.plugins.insert(plugin.description.id.clone(), plugin);
                }
            }
            if goes_on {
                first.reason.push_str(". The build that was there before goes on until the gateway ends");
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
    lock: &Lock,
    built_in: &LazyLock<BTreeSet<String>, impl FnOnce() -> BTreeSet<String>>,
    so_far: &Snapshot,
) -> Result<Option<Arc<Plugin>>, Refused> {
    let says = &plugin.says;
    let id = says.id.as_str();
    let refuse = |reason: String| Refused { file: candidate.file.clone(), id: Some(id.to_owned()), reason };
    let not_trusted = |why: &str| refuse(trust::not_trusted(why, &plugin.to_accept()));
    if let Some(first) = so_far.plugins.get(id) {
        return match (&first.origin, &candidate.origin) {
            (Origin::File(_), Origin::BuiltIn) => Ok(None),
            (Origin::BuiltIn, _) => Err(not_trusted(&format!("it claims the id `{id}`, which is built in"))),
            (Origin::File(path), _) => Err(refuse(format!(
                "it claims the id `{id}`, which {} has already. Remove one of the two",
                path.display()
            ))),
        };
    }
    if candidate.origin == Origin::BuiltIn || lock.accepts(&Grant::of(&plugin.digest, says)) {
        return Ok(Some(plugin.believed(true)));
    }
    if lock.plugins.iter().any(|grant| grant.id == id) {
        return Err(not_trusted(&format!("`{id}` is not the build that you accepted")));
    }
    if built_in.contains(id) {
        return Err(not_trusted(&format!("it claims the id `{id}`, which is built in")));
    }
    match trust::wants(says) {
        Some(why) => Err(not_trusted(&why)),
        None => Ok(Some(plugin.believed(false))),
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

/// The ids of the built-in providers, which takes reading all of their files. A component is named as its id is.
fn ids_built_in(sources: &Sources) -> BTreeSet<String> {
    let ids = |(name, bytes): &(&str, &[u8])| super::load::ids(bytes).unwrap_or_else(|| vec![(*name).to_owned()]);
    sources.built_in.iter().flat_map(ids).collect()
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
