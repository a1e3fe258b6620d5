//! The providers at one moment: the components that are loaded, each with its configuration.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use bitrouter_contract::description::{Auth, Facts};
use bitrouter_credential::Store;
use bitrouter_plugin::{Plugin, Refused, Registry, Snapshot, trust};
use bitrouter_route::nearest::nearest;
use bitrouter_route::state::Persisted;
use bitrouter_route::{Cooldowns, RouteState, Wanted, Windows, billing};
use bitrouter_upstream::Upstream;
use serde::Serialize;

use super::{Names, Provider, Target};
use crate::config::{self, Config, Paths};
use crate::route::query_cache::QueryCache;

/// Turns what the registry has into providers, once for each change.
pub struct Directory {
    registry: Registry,
    config: Config,
    current: ArcSwap<Providers>,
    /// Held by whoever makes providers. Of two that were made of the same component at the same moment, one would serve
    /// whoever made it and then be forgotten, with what it learned of its accounts.
    making: Mutex<()>,
    lasting: Arc<Lasting>,
}

/// What no reload takes away.
struct Lasting {
    /// As it was at the start.
    env: HashMap<String, String>,
    store: Arc<Store>,
    /// One pool of connections for each connect timeout that the config names; most have one.
    upstreams: Mutex<BTreeMap<Duration, Arc<Upstream>>>,
    learned: Learned,
    /// Where what side requests bring is kept.
    query_cache_dir: PathBuf,
    /// Providers that the config makes of others, by id: of which, and with what change, so that they are made once.
    derived: Mutex<BTreeMap<String, Derived>>,
}

/// A provider that the config makes of another.
struct Derived {
    of: Arc<Plugin>,
    change: Change,
    plugin: Arc<Plugin>,
}

/// What the config changes of a provider.
#[derive(Clone, PartialEq)]
struct Change {
    dialects: Vec<String>,
    /// Whether it is another's server, to which no variable of the environment has the key.
    is_elsewhere: bool,
}

impl Change {
    fn of(block: &config::Provider) -> Self {
        Change { dialects: block.dialects.clone(), is_elsewhere: block.base.is_some() && !block.origins.is_empty() }
    }
}

/// What is known of all accounts. A clone is the same one.
#[derive(Clone, Default)]
pub struct Learned {
    /// Their limits.
    pub windows: Arc<Windows>,
    /// What is not to be asked for a while.
    pub cooldowns: Cooldowns,
}

impl Learned {
    /// What this state has kept, and keeps from now on.
    pub fn persisted_in(state: Arc<dyn RouteState>) -> Self {
        let Persisted { limits, windows } = state.load();
        let cooldowns = Cooldowns::persisted_in(Arc::clone(&state), &limits, SystemTime::now());
        Learned { windows: Arc::new(Windows::persisted_in(state, windows)), cooldowns }
    }
}

/// The providers at one moment.
#[derive(Default)]
pub struct Providers {
    /// By id.
    pub by_id: BTreeMap<String, Arc<Provider>>,
    /// Components that do not serve, and why.
    pub refused: Vec<Refused>,
    /// How many components are still being loaded.
    pub pending: usize,
    /// The user's own names for lists of addresses.
    pub names: Names,
    pub(super) snapshot: Arc<Snapshot>,
}

/// One model of one provider.
#[derive(Clone, Debug, Serialize)]
pub struct ModelEntry {
    /// The provider's own name of it.
    pub id: String,
    /// The provider's id.
    pub provider: String,
    /// What it serves; everything that the provider does where nothing is said.
    pub operations: Vec<String>,
    /// Seconds since 1970 at which the provider told it; none for what only the component lists.
    pub told_at: Option<u64>,
    /// Whether the component is trusted. One that is not answers to `PROVIDER:ID` and to no bare name.
    pub trusted: bool,
}

impl ModelEntry {
    /// What a request names to get it.
    pub fn name(&self) -> String {
        if self.trusted { self.id.clone() } else { format!("{}:{}", self.provider, self.id) }
    }
}

impl Directory {
    /// The environment is copied: credentials in it are those of the start.
    pub fn new(
        registry: Registry,
        config: Config,
        paths: &Paths,
        env: &dyn Fn(&str) -> Option<String>,
        store: Arc<Store>,
        learned: Learned,
    ) -> Self {
        // Which variables matter is only known when a component is loaded.
        let env = std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter_map(|name| env(&name).map(|value| (name, value)))
            .collect();
        let lasting = Lasting {
            env,
            store,
            upstreams: Mutex::default(),
            learned,
            query_cache_dir: paths.query_cache_dir(),
            derived: Mutex::default(),
        };
        let lasting = Arc::new(lasting);
        Directory { registry, config, current: ArcSwap::default(), making: Mutex::default(), lasting }
    }

    /// The directory under another configuration, with these components. A provider of which neither changed is the same
    /// still, so that what it knows of its accounts goes on.
    pub fn reloaded(&self, registry: Registry, config: Config) -> Self {
        let lasting = Arc::clone(&self.lasting);
        let next = Directory { registry, config, current: ArcSwap::default(), making: Mutex::default(), lasting };
        let (before, snapshot) = (self.now(), next.registry.now());
        let same = |id: &str| self.config.provider(id).says_the_same_as(next.config.provider(id));
        let (by_id, refused) = next.serving(&snapshot, |id, plugin| {
            let known = before.by_id.get(id);
            let unchanged = known.filter(|known| Arc::ptr_eq(&known.plugin, plugin) && same(id));
            unchanged.cloned().unwrap_or_else(|| {
                let mut provider = next.provider(id, plugin);
                if let Some(known) = known {
                    provider.accounts.carry_on(&known.accounts);
                }
                Arc::new(provider)
            })
        });
        let names = Names::new(&next.config.models);
        next.current.store(Arc::new(Providers::of(by_id, refused, &snapshot, names)));
        next.lasting.forget_unused();
        next
    }

    /// Where logins and keys are stored.
    pub fn store(&self) -> &Arc<Store> {
        &self.lasting.store
    }

    /// What is known of the accounts' limits.
    pub fn windows(&self) -> &Arc<Windows> {
        &self.lasting.learned.windows
    }

    /// What cools down.
    pub fn cooldowns(&self) -> &Cooldowns {
        &self.lasting.learned.cooldowns
    }

    /// What is there now.
    pub fn now(&self) -> Arc<Providers> {
        self.of(&self.registry.now())
    }

    /// What is there once everything is loaded, or after 5 s.
    pub async fn settled(&self) -> Arc<Providers> {
        self.of(&self.registry.settled().await)
    }

    /// What is there once everything is loaded, however long that takes.
    pub async fn complete(&self) -> Arc<Providers> {
        self.of(&self.registry.complete().await)
    }

    fn of(&self, snapshot: &Arc<Snapshot>) -> Arc<Providers> {
        let current = self.current.load();
        if Arc::ptr_eq(&current.snapshot, snapshot) {
            return Arc::clone(&current);
        }
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        if Arc::ptr_eq(&current.snapshot, snapshot) {
            return Arc::clone(&current);
        }
        let provider = |id: &str, plugin: &Arc<Plugin>| {
            // A provider that was there already keeps its accounts and connections.
            let known = current.by_id.get(id).filter(|known| Arc::ptr_eq(&known.plugin, plugin));
            known.cloned().unwrap_or_else(|| Arc::new(self.provider(id, plugin)))
        };
        let (by_id, refused) = self.serving(snapshot, provider);
        let providers = Arc::new(Providers::of(by_id, refused, snapshot, Names::new(&self.config.models)));
        self.current.store(Arc::clone(&providers));
        providers
    }

    /// The components that serve under this config, each as a provider, and those that do not. One that nobody accepted and
    /// that would send into this machine or its network does so only where the config itself says so.
    fn serving(
        &self,
        snapshot: &Snapshot,
        make: impl Fn(&str, &Arc<Plugin>) -> Arc<Provider>,
    ) -> (BTreeMap<String, Arc<Provider>>, Vec<Refused>) {
        let (mut by_id, mut refused) = (BTreeMap::new(), snapshot.refused.clone());
        let (plugins, not_made) = self.configured(snapshot);
        // While components are loaded, the one that is meant may be among them.
        refused.extend(not_made.into_iter().filter(|_| snapshot.pending == 0));
        for (id, plugin) in &plugins {
            let configured = &self.config.provider(id).origins;
            let near = trust::reaches_in(&plugin.description, |name| configured.contains_key(name));
            match near.filter(|_| !plugin.trusted) {
                Some(url) => refused.push(Refused {
                    file: plugin.file(),
                    id: Some(id.clone()),
                    reason: trust::not_trusted(
                        &format!("it sends to {url}, which is no server of the open internet"),
                        &plugin.to_accept(),
                    ),
                }),
                None => drop(by_id.insert(id.clone(), make(id, plugin))),
            }
        }
        (by_id, refused)
    }

    /// The plugins of all providers: those that were loaded, and those that the config makes of them with `use`. With the
    /// blocks of which none can be made, and why.
    fn configured(&self, snapshot: &Snapshot) -> (BTreeMap<String, Arc<Plugin>>, Vec<Refused>) {
        let mut plugins = BTreeMap::new();
        for (id, plugin) in snapshot.plugins.iter().filter(|(_, plugin)| !plugin.description.use_only) {
            let block = self.config.provider(id);
            let plugin = match block.dialects.is_empty() {
                true => Arc::clone(plugin),
                false => self.lasting.derived(id, plugin, Change::of(block)),
            };
            plugins.insert(id.clone(), plugin);
        }
        let mut refused = Vec::new();
        for (id, block) in &self.config.providers {
            let Some(base) = &block.base else { continue };
            let why = match snapshot.plugins.get(base) {
                Some(_) if snapshot.plugins.contains_key(id) => {
                    format!("`use`: {id} is a provider by itself. Give the block another id")
                }
                Some(of) => {
                    plugins.insert(id.clone(), self.lasting.derived(id, of, Change::of(block)));
                    continue;
                }
                None => {
                    let near = nearest(base, snapshot.plugins.keys().map(String::as_str), 1);
                    let near = near.first().map_or_else(String::new, |near| format!(": did you mean `{near}`?"));
                    format!("`use`: there is no provider `{base}`{near}")
                }
            };
            refused.push(Refused { file: format!("providers.{id}"), id: Some(id.clone()), reason: why });
        }
        (plugins, refused)
    }

    fn provider(&self, id: &str, plugin: &Arc<Plugin>) -> Provider {
        let (configured, lasting) = (self.config.provider(id), &self.lasting);
        let env = |name: &str| lasting.env.get(name).cloned();
        let upstream = lasting.upstream(configured.timeouts.connect);
        let (store, learned) = (Arc::clone(&lasting.store), lasting.learned.clone());
        let query_cache = QueryCache::persisted_in(self.config.side_requests.then(|| lasting.query_cache_dir.clone()));
        Provider::new(Arc::clone(plugin), configured, &env, store, upstream, learned, query_cache)
    }
}

impl Lasting {
    /// The provider that a block of the config makes of another, or of its own with other dialects: the same as long as
    /// neither changes.
    fn derived(&self, id: &str, of: &Arc<Plugin>, change: Change) -> Arc<Plugin> {
        let mut derived = self.derived.lock().unwrap_or_else(PoisonError::into_inner);
        let known = derived.get(id).filter(|known| Arc::ptr_eq(&known.of, of) && known.change == change);
        if let Some(known) = known {
            return Arc::clone(&known.plugin);
        }
        let plugin = of.under(id, |description| {
            if !change.dialects.is_empty() {
                description.serves.insert("generate".into(), change.dialects.clone());
            }
            if change.is_elsewhere {
                description.auth.iter_mut().for_each(Auth::forget_env);
            }
        });
        let new = Derived { of: Arc::clone(of), change, plugin: Arc::clone(&plugin) };
        derived.insert(id.to_owned(), new);
        plugin
    }

    fn upstream(&self, connect: Duration) -> Arc<Upstream> {
        Arc::clone(self.lock().entry(connect).or_insert_with(|| Arc::new(Upstream::new(connect))))
    }

    /// Closes the connections that no provider uses any more.
    fn forget_unused(&self) {
        self.lock().retain(|_, upstream| Arc::strong_count(upstream) > 1);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Duration, Arc<Upstream>>> {
        self.upstreams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Providers {
    fn of(
        by_id: BTreeMap<String, Arc<Provider>>,
        refused: Vec<Refused>,
        snapshot: &Arc<Snapshot>,
        names: Names,
    ) -> Self {
        Providers { by_id, refused, pending: snapshot.pending, names, snapshot: Arc::clone(snapshot) }
    }

    /// Those that the config leaves on, in the order of their ids. Who is asked for something is among them; one that is
    /// switched off is only ever named as that.
    pub fn on(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.by_id.values().filter(|provider| provider.enabled)
    }

    /// Those that a bare name may find, in the order in which they are asked.
    pub fn active(&self) -> Vec<&Arc<Provider>> {
        let mut active: Vec<_> = self.on().filter(|provider| provider.is_active()).collect();
        // Stable: where neither says it, they stay in the order of their ids.
        active.sort_by_key(|provider| billing::rank(provider.priority, provider.billing()));
        active
    }

    /// Refreshes the logins that will soon be over, of all providers that are on.
    pub async fn refresh_due(&self) {
        futures_util::future::join_all(self.on().map(|provider| provider.accounts.refresh_due())).await;
    }

    /// Waits until no refresh is under way.
    pub async fn finish_refreshes(&self) {
        futures_util::future::join_all(self.by_id.values().map(|provider| provider.accounts.finish_refreshes())).await;
    }

    /// Every model that an active provider lists. Those of components that are not trusted come last.
    pub fn models(&self) -> Vec<ModelEntry> {
        let of = |provider: &Arc<Provider>| {
            let trusted = provider.plugin.trusted;
            let entry = |model: super::Listed| ModelEntry {
                id: model.id,
                provider: provider.id().to_owned(),
                operations: model.operations,
                told_at: model.told_at,
                trusted,
            };
            let listed = if trusted { provider.catalogue() } else { provider.said() };
            listed.into_iter().map(entry).collect::<Vec<_>>()
        };
        let (trusted, others): (Vec<_>, Vec<_>) =
            self.active().into_iter().partition(|provider| provider.plugin.trusted);
        trusted.into_iter().chain(others).flat_map(of).collect()
    }

    /// The operations that the model of an address is listed with, by the first provider that would be asked for it; none
    /// where nothing is said.
    pub fn operations(&self, address: &str) -> Vec<String> {
        let listed = self.first_target(address).and_then(|target| target.provider.entry(&target.model));
        listed.map(|listed| listed.operations).unwrap_or_default()
    }

    /// What is known of the model of an address, of the first target that would be asked for it.
    pub fn facts(&self, address: &str) -> Facts {
        let target = self.first_target(address);
        target.map(|target| target.provider.known(&target.model).facts()).unwrap_or_default()
    }

    fn first_target(&self, address: &str) -> Option<Target> {
        let decided = self.decide(&[address.to_owned()], None, &mut Vec::new());
        decided.ok().and_then(|(targets, _)| targets.into_iter().next())
    }

    /// The active providers that do what an endpoint wants.
    pub fn serving(&self, wanted: Wanted<'_>) -> Vec<String> {
        let active = self.active().into_iter().filter(|provider| provider.serves_some(wanted));
        active.map(|provider| provider.id().to_owned()).collect()
    }
}
