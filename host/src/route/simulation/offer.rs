//! The providers of the simulation as the gateway has them: made of a config, a token file and descriptions, and found
//! by its own resolver. Beside the three that are asked there are others that list the same models and must not be.

use std::sync::Arc;
use std::time::Duration;

use bitrouter_credential::Store;
use bitrouter_route::{Candidate, Choice, Conversation, Wanted, Window};
use bitrouter_upstream::Upstream;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::requested::Requested;
use super::upstream::{LABELS, MODELS, PROVIDERS};
use crate::config::{self, LoadOptions, Paths};
use crate::route::query_cache::QueryCache;
use crate::route::test_providers::{plugin, write_private};
use crate::route::{Learned, Names, Provider, Providers, choose};

/// It needs the very dialect.
const WANTED: Wanted<'static> = Wanted { operation: "compact", dialect: "responses" };

/// What is offered.
pub(crate) struct Offer {
    providers: Providers,
    _home: TempDir,
}

impl Offer {
    /// `paid_first`: the config prefers what costs money.
    pub(crate) fn new(paid_first: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = config(&home, paid_first);
        let tokens = home.path().join("oauth-tokens.json");
        write_private(&tokens, &logins());
        let store = Arc::new(Store::new(tokens));
        // A pool of connections wants a runtime to be there.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _inside = runtime.enter();
        let provider = |(id, billing, dialect): (&str, &str, &str)| {
            let plugin = plugin(description(id, billing, dialect));
            let upstream = Arc::new(Upstream::new(Duration::from_secs(1)));
            let (learned, query_cache, store) = (Learned::default(), QueryCache::default(), Arc::clone(&store));
            let provider = Provider::new(plugin, config.provider(id), &|_| None, store, upstream, learned, query_cache);
            (id.to_owned(), Arc::new(provider))
        };
        let by_id = [
            ("team", "subscription", "responses"),
            ("spare", "subscription", "responses"),
            ("paid", "pay-per-token", "responses"),
            // Nobody is logged in there.
            ("empty", "subscription", "responses"),
            // It is switched off.
            ("off", "subscription", "responses"),
            // It does not speak the dialect.
            ("deaf", "subscription", "chat-completions"),
        ];
        let by_id = by_id.into_iter().map(provider).collect();
        let names = Names::new(&config.models);
        Offer { providers: Providers { by_id, names, ..Providers::default() }, _home: home }
    }

    /// Who is asked for a request, in order: the gateway's own choice.
    pub(crate) fn candidates(
        &self,
        requested: &Requested,
        model: usize,
        conversation: Option<Conversation>,
        windows: impl Fn(usize, usize) -> Vec<Window>,
    ) -> Vec<Candidate> {
        let targets = self.providers.targets(&requested.addresses(model, &LABELS), WANTED);
        let targets = targets.unwrap_or_else(|error| panic!("{requested:?}: {error}"));
        let windows = |provider: &str, label: &str| windows(position(&PROVIDERS, provider), position(&LABELS, label));
        let Choice { candidates, unasked } = choose(&targets, windows, || conversation);
        assert_eq!(unasked, [], "{requested:?}: all of them have accounts");
        candidates
    }
}

/// Whatever is not among the three must not be asked.
pub(crate) fn position(known: &[&str], name: &str) -> usize {
    known.iter().position(|known| *known == name).unwrap_or_else(|| panic!("`{name}` is asked"))
}

/// By name alone `paid` would come first, and by priority alone between the plans.
fn config(home: &TempDir, paid_first: bool) -> config::Config {
    let file = home.path().join("bitrouter.yaml");
    let text = format!(
        "providers:\n\
         \x20 team: {{ priority: 10, accounts: failover }}\n\
         \x20 paid: {{ priority: {}, accounts: sticky }}\n\
         \x20 spare: {{ priority: 20, accounts: balance }}\n\
         \x20 empty: {{ priority: 1 }}\n\
         \x20 off: {{ priority: 1, enabled: false }}\n\
         \x20 deaf: {{ priority: 30 }}\n\
         models:\n\
         \x20 all-*: [paid:*, team:*, spare:*]\n\
         \x20 m-then-paid: [m, paid:m]\n\
         \x20 n-then-paid: [n, paid:n]\n",
        if paid_first { 5 } else { 15 }
    );
    std::fs::write(&file, text).unwrap();
    let paths = Paths::under(home.path());
    let options = LoadOptions { file: Some(file), working_dir: home.path().to_owned(), paths };
    config::load(&options, &|_| None).unwrap().config
}

/// Three accounts each, in the file neither in label order nor by name.
fn logins() -> Value {
    let entry = |provider: &str, label: &str, day: u32| {
        json!({
            "provider": provider, "label": label, "kind": "api-key", "created_at": format!("2026-01-{day}T09:00:00Z"),
            "origins": {"api": format!("https://{provider}.example")},
            "secret": {"key": format!("sk-{provider}-{label}-0123456789")},
        })
    };
    let with_accounts = ["team", "spare", "paid", "off", "deaf"];
    let of = |provider| [entry(provider, "work", 13), entry(provider, "default", 14), entry(provider, "home", 12)];
    let entries: Vec<Value> = with_accounts.into_iter().flat_map(of).collect();
    json!({"version": 1, "credentials": entries})
}

fn description(id: &str, billing: &str, dialect: &str) -> Value {
    json!({
        "id": id, "name": id, "version": "1", "billing": billing, "vendor": "acme",
        "models": MODELS.map(|model| json!({"id": model})), "origins": {"api": format!("https://{id}.example")},
        "serves": {"compact": [dialect]},
        "auth": [{"method": "api-key", "env": [format!("{id}_KEY")], "attach": [{"header": "authorization", "format": "Bearer {}"}]}],
    })
}
