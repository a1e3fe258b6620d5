//! Providers for the tests of this room: made of descriptions, with keys from an environment and a store of the test's
//! own. Nothing of them runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bitrouter_credential::Store;
use bitrouter_plugin::{Plugin, Refused};
use bitrouter_upstream::Upstream;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Learned, Names, Provider, Providers};
use crate::config::{self, Named, Position};
use crate::route::query_cache::QueryCache;

/// A gateway's providers before they are put together:
///
/// | provider | billing | vendor | generate in | models |
/// |---|---|---|---|---|
/// | `plan` | subscription | acme | responses | big, small |
/// | `paid` | pay-per-token | acme | responses, chat-completions | big, small, huge, embed |
/// | `resale` | pay-per-token | | responses, chat-completions | acme/big, big, qwen3:8b |
/// | `local` | free, no credential | | chat-completions | tiny, qwen3:8b |
pub(super) struct TestProviders {
    home: TempDir,
    /// A pool of connections wants one to be there.
    runtime: tokio::runtime::Runtime,
    keys: BTreeSet<&'static str>,
    configured: BTreeMap<&'static str, config::Provider>,
    models: Vec<Named>,
    refused: Vec<Refused>,
    foreign: Vec<Value>,
    pending: usize,
}

/// A component that says this of itself.
pub(super) fn plugin(description: Value) -> Arc<Plugin> {
    Plugin::described(serde_json::from_value(description).unwrap())
}

impl TestProviders {
    /// These providers have a key.
    pub(crate) fn with_keys(providers: &[&'static str]) -> Self {
        TestProviders {
            home: tempfile::tempdir().unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            keys: providers.iter().copied().collect(),
            configured: BTreeMap::new(),
            models: Vec::new(),
            refused: Vec::new(),
            foreign: Vec::new(),
            pending: 0,
        }
    }

    pub(crate) fn priority(mut self, provider: &'static str, priority: u64) -> Self {
        self.configured.entry(provider).or_default().priority = priority;
        self
    }

    pub(crate) fn disabled(mut self, provider: &'static str) -> Self {
        self.configured.entry(provider).or_default().enabled = false;
        self
    }

    /// The provider's block says something that its component does not take.
    pub(crate) fn misconfigured(mut self, provider: &'static str) -> Self {
        self.configured.entry(provider).or_default().settings.insert("no_such_setting".into(), json!(1));
        self
    }

    pub(crate) fn named(mut self, name: &str, addresses: &[&str]) -> Self {
        let position = Position { line: 7, column: 3 };
        let addresses = addresses.iter().map(|address| (position, (*address).to_owned())).collect();
        self.models.push(Named { position, name: name.into(), addresses });
        self
    }

    pub(crate) fn refused(mut self, id: &str, reason: &str) -> Self {
        self.refused.push(Refused { file: format!("{id}.wasm"), id: Some(id.into()), reason: reason.into() });
        self
    }

    /// A component that nobody accepted says this of itself, besides where it is.
    pub(crate) fn foreign(mut self, id: &str, says: Value) -> Self {
        let mut description = json!({
            "id": id, "name": id, "version": "1", "origins": {"api": format!("https://{id}.example")},
            "serves": {"generate": ["responses", "chat-completions"], "compact": ["responses", "chat-completions"]},
        });
        if let (Value::Object(description), Value::Object(says)) = (&mut description, says) {
            description.extend(says);
        }
        self.foreign.push(description);
        self
    }

    /// Some components are still being compiled.
    pub(crate) fn compiling(mut self) -> Self {
        self.pending = 1;
        self
    }

    /// The provider's login is there and cannot be used.
    pub(crate) fn with_a_login_that_is_over(self, provider: &str) -> Self {
        let entry = json!({
            "provider": provider, "label": "default", "kind": "passkey", "secret": {}, "origins": {},
            "created_at": "2026-01-31T09:00:00Z",
        });
        write_private(&self.store(), &json!({"version": 1, "credentials": [entry]}));
        self
    }

    fn store(&self) -> std::path::PathBuf {
        self.home.path().join("oauth-tokens.json")
    }

    pub(crate) fn models(&self) -> &[Named] {
        &self.models
    }

    pub(crate) fn providers(&self) -> Providers {
        let _inside = self.runtime.enter();
        let store = Arc::new(Store::new(self.store()));
        let both = json!(["responses", "chat-completions"]);
        let providers = [
            ("plan", "subscription", Some("acme"), json!(["responses"]), ["big", "small"].as_slice()),
            ("paid", "pay-per-token", Some("acme"), both.clone(), &["big", "small", "huge", "embed"]),
            ("resale", "pay-per-token", None, both, &["acme/big", "big", "qwen3:8b"]),
            ("local", "free", None, json!(["chat-completions"]), &["tiny", "qwen3:8b"]),
        ];
        let env = |variable: &str| {
            let provider = variable.strip_suffix("_KEY")?;
            self.keys.contains(provider).then(|| format!("sk-{provider}-0123456789"))
        };
        let described = |(id, billing, vendor, dialects, models): (&str, &str, Option<&str>, Value, &[&str])| {
            let model = |model: &&str| match *model {
                "embed" => json!({ "id": model, "operations": ["embeddings"] }),
                model => json!({ "id": model }),
            };
            let models: Vec<Value> = models.iter().map(model).collect();
            let attach = json!([{"header": "authorization", "format": "Bearer {}"}]);
            let auth = json!([{"method": "api-key", "env": [format!("{id}_KEY")], "attach": attach}]);
            let description = json!({
                "id": id, "name": id, "version": "1", "billing": billing, "vendor": vendor, "models": models,
                "origins": {"api": format!("https://{id}.example")}, "serves": {"generate": dialects, "compact": dialects},
                "auth": if billing == "free" { json!([]) } else { auth },
            });
            plugin(description)
        };
        let foreign = self.foreign.iter().map(|description| plugin(description.clone()).believed(false, None));
        let provider = |plugin: Arc<Plugin>| {
            let id = plugin.id.to_string();
            let configured = self.configured.get(&*id).cloned().unwrap_or_default();
            let upstream = Arc::new(Upstream::new(Duration::from_secs(1)));
            let provider = Provider::new(
                plugin,
                &configured,
                &env,
                Arc::clone(&store),
                upstream,
                Learned::default(),
                QueryCache::default(),
            );
            (id, Arc::new(provider))
        };
        Providers {
            by_id: providers.into_iter().map(described).chain(foreign).map(provider).collect(),
            refused: self.refused.clone(),
            pending: self.pending,
            names: Names::new(&self.models),
            ..Providers::default()
        }
    }
}

/// The store takes no file that others can read.
pub(super) fn write_private(file: &Path, content: &Value) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(file).unwrap(), content.to_string().as_bytes()).unwrap();
}
