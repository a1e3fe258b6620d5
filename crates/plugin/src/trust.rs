//! Which component files the user has accepted: `plugins.lock`.
//!
//! An entry pins the file's digest and all that the user was shown: the origins it may reach, the credentials it may be
//! attached, what it is believed and what it is handed. A component that declares a credential, claims the id of a built-in
//! one, or sends into this machine or its network, serves only with an entry that matches it in all of them. Any other
//! answers to its own id without one, and is believed nothing else.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_contract::description::{Auth, Billing, Description, Setting, SideRequest};
use bitrouter_contract::origin::template;
use bitrouter_files::PrivateFile;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cache::Digest;

/// What the user accepted of one component.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Grant {
    /// The provider's id.
    pub id: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// The origins that it may send to, by name.
    pub origins: BTreeMap<String, String>,
    /// The credentials that are attached to its requests.
    pub credentials: Vec<AttachedCredential>,
    /// The claims of the credential that it is shown.
    #[serde(default)]
    pub claims: Vec<String>,
    /// What it asks by itself, beside clients' calls: name, origin and path.
    #[serde(default)]
    pub side_requests: BTreeMap<String, String>,
    /// The clients' headers that it is handed.
    #[serde(default)]
    pub headers: Vec<String>,
    /// The clients' query parameters that it is shown.
    #[serde(default)]
    pub query: Vec<String>,
    /// The vendor whose models it says that it serves.
    #[serde(default)]
    pub vendor: Option<String>,
    /// How it says that calls are paid for. None in an entry of a version that did not ask.
    #[serde(default)]
    pub billing: Option<Billing>,
    /// The bare names that it answers to.
    #[serde(default)]
    pub models: Vec<String>,
    /// The variables of the environment that it is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// Members that a newer version wrote.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// One credential that a component is attached.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct AttachedCredential {
    /// As the description names it, such as `api-key` or `oauth`.
    pub method: String,
    /// The environment variables that it is read from.
    pub env: Vec<String>,
    /// The names of the origins that it goes to.
    pub origins: Vec<String>,
    /// Of a login, and of what a token is made of: the name of the origin at which that is done, which gets the secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

impl Grant {
    /// What accepting this component would mean.
    pub fn of(digest: &Digest, description: &Description) -> Self {
        let credentials = description.auth.iter().map(|auth| AttachedCredential {
            method: auth.method().to_owned(),
            env: auth.env().into_iter().map(str::to_owned).collect(),
            origins: auth.origins().to_vec(),
            issuer: auth.issuer().map(str::to_owned),
        });
        Grant {
            id: description.id.clone(),
            sha256: digest.as_str().to_owned(),
            origins: description.origins.clone(),
            credentials: credentials.collect(),
            claims: description.claims.clone(),
            side_requests: description.side_requests.iter().map(|(name, side)| (name.clone(), asked(side))).collect(),
            headers: description.forward.clone(),
            query: description.forward_query.clone(),
            vendor: description.vendor.clone(),
            billing: Some(description.billing),
            models: description.models.iter().map(|model| model.id.clone()).collect(),
            variables: description.settings.values().flat_map(Setting::variables).map(str::to_owned).collect(),
            rest: Map::new(),
        }
    }

    /// Whether all that is wanted was accepted. Members that a newer version wrote stand for nothing here.
    fn covers(&self, wanted: &Grant) -> bool {
        Grant { rest: Map::new(), ..self.clone() } == Grant { rest: Map::new(), ..wanted.clone() }
    }
}

/// A side request in one line.
fn asked(side: &SideRequest) -> String {
    format!("{}{}", side.origin, side.path)
}

/// Why a component serves nothing before the user accepts it: what it asks for, as a sentence has it.
pub(super) fn wants(description: &Description) -> Option<String> {
    let wanted: Vec<&str> = description.auth.iter().flat_map(Auth::env).collect();
    let wanted = if wanted.is_empty() { "a credential".into() } else { wanted.join(", ") };
    let to = description.origins.get("api").map_or("where your config says", String::as_str);
    (!description.auth.is_empty()).then(|| format!("it asks for {wanted} to be sent to {to}"))
}

/// The first of its origins that is in this machine or its network, or may be. `replaced` knows those that the user's own
/// config has put in the place of the component's.
pub fn reaches_in(description: &Description, replaced: impl Fn(&str) -> bool) -> Option<&str> {
    let public = |url: &str| template::sample(url).is_ok_and(|origin| origin.is_public());
    let mut own = description.origins.iter().filter(|(name, _)| !replaced(name));
    own.find(|(_, url)| !public(url)).map(|(_, url)| url.as_str())
}

/// The sentence of a component that is not trusted.
pub fn not_trusted(why: &str, to_accept: &str) -> String {
    format!("not trusted: {why}. To accept it: {to_accept}")
}

/// What went wrong with `plugins.lock`.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It does not hold what it should.
    #[error(
        "{} is damaged ({source}). It was left as it is. Move it away, then accept each component again: bitrouter plugin trust FILE",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where and how.
        source: serde_json::Error,
    },
}

/// `plugins.lock`, read.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Lock {
    version: u32,
    /// Every accepted component.
    pub plugins: Vec<Grant>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Lock {
    /// Reads the file; an absent one is empty.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        match fs::read(path) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|source| LockError::Damaged { path: path.to_owned(), source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Lock { version: 1, ..Lock::default() }),
            Err(source) => Err(LockError::Io { path: path.to_owned(), source }),
        }
    }

    /// True if the user accepted exactly this.
    pub fn accepts(&self, wanted: &Grant) -> bool {
        self.plugins.iter().any(|grant| grant.covers(wanted))
    }

    /// Adds grants, each in the place of an older one for the same id.
    pub fn accept(grants: Vec<Grant>, path: &Path) -> Result<(), LockError> {
        Self::change(path, |lock| {
            lock.plugins.retain(|known| grants.iter().all(|grant| known.id != grant.id));
            lock.plugins.extend(grants);
        })
    }

    /// Takes back what was accepted of these ids; answers those of which something was.
    pub fn withdraw(ids: &[String], path: &Path) -> Result<Vec<String>, LockError> {
        Self::change(path, |lock| {
            let taken = lock.plugins.extract_if(.., |known| ids.contains(&known.id));
            taken.map(|grant| grant.id).collect()
        })
    }

    /// Reads the file, changes it and writes it, under its lock: of two that accept something at once, both have accepted it.
    fn change<T>(path: &Path, change: impl FnOnce(&mut Lock) -> T) -> Result<T, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let _lock = PrivateFile::lock(path).map_err(failed)?;
        let mut lock = Self::read(path)?;
        let before = lock.plugins.clone();
        let done = change(&mut lock);
        if lock.plugins != before {
            let text = serde_json::to_string_pretty(&lock).map_err(|error| failed(error.into()))?;
            PrivateFile::replace(path, format!("{text}\n")).map_err(failed)?;
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn description(change: Value) -> Description {
        let mut description = json!({
            "id": "p", "name": "P", "version": "1", "serves": { "generate": ["responses"] },
            "origins": { "api": "https://api.example" }, "models": [{ "id": "m" }],
            "side_requests": { "models": { "kind": "models", "path": "/models" } },
        });
        let (Value::Object(into), Value::Object(change)) = (&mut description, change) else { panic!() };
        into.extend(change);
        serde_json::from_value(description).unwrap()
    }

    fn grant(change: Value) -> Grant {
        Grant::of(&Digest::of(b"x"), &description(change))
    }

    #[test]
    fn what_was_accepted_is_all_that_was_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins.lock");
        Lock::accept(vec![grant(json!({}))], &file).unwrap();
        let lock = Lock::read(&file).unwrap();
        assert!(lock.accepts(&grant(json!({}))));
        // A component whose description is not the same each time gets nothing by it.
        for change in [
            json!({ "id": "q" }),
            json!({ "origins": { "api": "https://elsewhere.example" } }),
            json!({ "origins": { "api": "https://api.example", "other": "http://127.0.0.1:1" } }),
            json!({ "vendor": "openai" }),
            json!({ "billing": "subscription" }),
            json!({ "models": [{ "id": "m" }, { "id": "gpt-5" }] }),
            json!({ "forward": ["*"] }),
            json!({ "forward_query": ["*"] }),
            json!({ "claims": ["email"] }),
            json!({ "side_requests": { "models": { "kind": "models", "path": "/elsewhere" } } }),
            json!({ "auth": [{ "method": "api-key", "attach": [{ "header": "authorization" }] }] }),
        ] {
            assert!(!lock.accepts(&grant(change.clone())), "{change}");
        }
        assert!(!lock.accepts(&Grant::of(&Digest::of(b"y"), &description(json!({})))), "another build");
    }

    #[test]
    fn an_entry_of_a_version_that_asked_for_less_is_asked_for_again() {
        let mut old = serde_json::to_value(grant(json!({}))).unwrap();
        for member in ["side_requests", "headers", "query", "vendor", "billing", "models"] {
            old.as_object_mut().unwrap().remove(member);
        }
        let lock: Lock = serde_json::from_value(json!({ "version": 1, "plugins": [old] })).unwrap();
        assert!(!lock.accepts(&grant(json!({}))));
    }

    #[test]
    fn of_many_that_accept_at_once_all_have_accepted_and_what_is_not_known_stays() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins.lock");
        fs::write(&file, r#"{"version": 1, "later": true, "plugins": []}"#).unwrap();
        std::thread::scope(|scope| {
            for at in 0..8 {
                let file = &file;
                scope.spawn(move || Lock::accept(vec![grant(json!({ "id": format!("p{at}") }))], file).unwrap());
            }
        });
        assert_eq!(Lock::read(&file).unwrap().plugins.len(), 8);
        let p3 = ["p3".to_owned()];
        assert_eq!(Lock::withdraw(&p3, &file).unwrap(), p3);
        assert!(Lock::withdraw(&p3, &file).unwrap().is_empty());
        assert_eq!(Lock::read(&file).unwrap().plugins.len(), 7);
        assert!(fs::read_to_string(&file).unwrap().contains("\"later\": true"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn an_origin_of_this_machine_or_its_network_is_found_unless_the_config_replaced_it() {
        let near = description(json!({ "origins": { "api": "https://api.example", "other": "http://127.0.0.1:1" } }));
        assert_eq!(reaches_in(&near, |_| false), Some("http://127.0.0.1:1"));
        assert_eq!(reaches_in(&near, |name| name == "api"), Some("http://127.0.0.1:1"));
        assert_eq!(reaches_in(&near, |name| name == "other"), None);
    }

    #[test]
    fn little_is_left_of_what_an_unaccepted_component_says() {
        let all = description(json!({
            "vendor": "openai", "billing": "subscription", "forward": ["*"], "forward_query": ["*"], "claims": ["email"],
            "serves": { "generate": ["responses"], "models": ["responses"] },
            "auth": [{ "method": "api-key", "attach": [{ "header": "authorization" }] }],
        }));
        let left = serde_json::to_value(all.unaccepted()).unwrap();
        assert_eq!(
            left,
            json!({
                "id": "p", "name": "P", "version": "1", "vendor": null, "explicit": false, "local": null, "use_only": false,
                "origins": { "api": "https://api.example" }, "origin_parts": {}, "by_model": [], "quirks": [], "body": {},
                "websocket": { "dialects": [], "headers": {} },
                "auth": [], "serves": { "generate": ["responses"] }, "paths": {}, "headers": {},
                "owner": {}, "exchanges": { "most": 3, "wait_ms": 0 },
                "errors": { "rules": [], "inside": null, "unknown_event": null }, "limits": { "headers": [] }, "forward": [], "forward_query": [], "claims": [],
                "models": [], "side_requests": {}, "observe": { "headers": [], "events": [] }, "settings": {},
                "billing": "pay-per-token",
            })
        );
    }
}
