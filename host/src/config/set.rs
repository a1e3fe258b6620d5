//! One key's value into its place in the typed config.
//!
//! The reader's walk calls [`Reader::set`] for each key that the table has landed. What is refused comes back with its
//! place; nothing here ends the walk.

use std::path::Path;
use std::time::Duration;

use bitrouter_contract::Origin;
use bitrouter_credential::SecretsIn;
use secrecy::SecretString;

use super::keys::{self, Field, Kind};
use super::read::Reader;
use super::tree::{Node, Value};
use super::typed::Provider;
use super::{Fault, Place, allowed_origin, value};
use crate::route::Strategy;

/// The shortest client key. 16 random letters and digits are 95 bits, out of reach of guessing over HTTP.
const MIN_KEY: usize = 16;

/// A key with its value, ready to be set.
pub(super) struct Entry<'a> {
    /// The key's whole path, with the provider's id in it.
    pub path: &'a str,
    /// The provider's id, for keys below `providers`.
    pub id: &'a str,
    pub kind: &'static Kind,
    /// Where the key stands.
    pub place: Place,
    pub node: &'a Node,
}

pub(super) type Placed<T> = Result<T, (Place, Fault)>;

impl Reader<'_> {
    /// One arm for each value that a config can set.
    pub(super) fn set(&mut self, field: Field, entry: &Entry<'_>) -> Placed<()> {
        match field {
            Field::Listen => self.listen(entry)?,
            Field::Keys => self.keys(entry)?,
            Field::AllowedOrigins => self.allowed_origins(entry)?,
            Field::AllowedHosts => self.allowed_hosts(entry)?,
            Field::Connections => self.config.server.connections = self.integer(entry)?,
            Field::BodiesLimit => self.config.server.bodies_limit = self.size(entry)?,
            Field::BodyTimeout => self.config.server.body_timeout = self.millis(entry)?,
            Field::BodyLimit => self.config.server.body_limit = self.size(entry)?,
            Field::Drain => self.config.server.drain = self.millis(entry)?,
            Field::PluginDir => self.plugin_dir(entry)?,
            Field::Budget => self.config.plugins.budget = self.millis(entry)?,
            Field::Memory => self.config.plugins.memory = self.integer(entry)? * 1024 * 1024,
            Field::ApiKey => {
                let secret = self.secret(entry, entry.node)?;
                self.provider(entry).api_key = Some(secret);
            }
            Field::ApiBase => self.api_base(entry)?,
            Field::Origins => self.origins(entry)?,
            Field::Enabled => {
                let enabled = self.expander.bool(entry.path, entry.node).map_err(|fault| (entry.node.place, fault))?;
                self.provider(entry).enabled = enabled;
            }
            Field::Priority => {
                let priority = self.integer(entry)?;
                self.provider(entry).priority = u32::try_from(priority).unwrap_or(u32::MAX);
            }
            Field::Accounts => {
                let word = self.choice(entry)?;
                self.provider(entry).strategy = Strategy::of_word(&word).unwrap_or_default();
            }
            Field::Connect => self.provider(entry).timeouts.connect = self.millis(entry)?,
            Field::FirstByte => self.provider(entry).timeouts.first_byte = self.millis(entry)?,
            Field::Idle => self.provider(entry).timeouts.idle = self.millis(entry)?,
            Field::Total => self.provider(entry).timeouts.total = Some(self.millis(entry)?),
            Field::Settings => {
                let settings = self.object(entry, "keys of the component's own")?;
                self.provider(entry).settings = settings;
            }
            Field::Auth => {
                let auth = self.object(entry, "members of the component's login, such as `client_id`")?;
                self.provider(entry).auth = auth;
            }
            Field::Models => self.models(entry)?,
            Field::HedgeAfter => {
                self.config.hedge_after = Some(self.millis(entry)?);
            }
            Field::SideRequests => {
                let made = self.expander.bool(entry.path, entry.node).map_err(|fault| (entry.node.place, fault))?;
                self.config.side_requests = made;
            }
            Field::CredentialStore => self.credential_store(entry)?,
        }
        Ok(())
    }

    fn listen(&mut self, entry: &Entry<'_>) -> Placed<()> {
        let mut addresses = Vec::new();
        for item in items(entry.node) {
            let text = self.text(entry, item)?;
            let Some(found) = value::listen(&text) else {
                return Err((item.place, Fault::Listen { key: entry.path.to_owned(), text }));
            };
            if let Some(open) = found.iter().find(|address| !address.ip().is_loopback()) {
                self.open.get_or_insert((item.place, *open));
            }
            addresses.extend(found);
        }
        if addresses.is_empty() {
            return Err((entry.place, Fault::NowhereToListen { key: entry.path.to_owned() }));
        }
        self.config.server.listen = addresses;
        self.config.server.listen_named = true;
        Ok(())
    }

    fn keys(&mut self, entry: &Entry<'_>) -> Placed<()> {
        let Value::List(items) = &entry.node.value else {
            return Err((entry.node.place, wrong_type(entry, "a list of keys, each on a line of its own after `- `")));
        };
        for item in items {
            // A key with a problem is reported as such, not as a missing one.
            self.keys_written = true;
            let key = self.secret(entry, item)?;
            self.config.server.keys.push(key);
        }
        Ok(())
    }

    fn allowed_origins(&mut self, entry: &Entry<'_>) -> Placed<()> {
        for item in items(entry.node) {
            let text = self.text(entry, item)?;
            match allowed_origin::parse(&text) {
                Some(origin) => self.config.server.allowed_origins.push(origin),
                None => {
                    return Err((item.place, Fault::AllowedOrigin { key: entry.path.to_owned(), text }));
                }
            }
        }
        Ok(())
    }

    fn allowed_hosts(&mut self, entry: &Entry<'_>) -> Placed<()> {
        for item in items(entry.node) {
            let text = self.text(entry, item)?;
            let name = text.trim_start_matches('[').trim_end_matches(']');
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
            if name.is_empty() || !(is_name || name.parse::<std::net::Ipv6Addr>().is_ok()) {
                return Err((
                    item.place,
                    wrong_type(entry, "names without a port or a `*`, such as `host.docker.internal`"),
                ));
            }
            self.config.server.allowed_hosts.push(name.to_ascii_lowercase());
        }
        Ok(())
    }

    fn plugin_dir(&mut self, entry: &Entry<'_>) -> Placed<()> {
        let text = self.text(entry, entry.node)?;
        if text == "~" || text.starts_with("~/") {
            return Err((entry.node.place, Fault::Tilde { key: entry.path.to_owned() }));
        }
        let folder = self.guard.file.parent().unwrap_or(Path::new("."));
        self.config.plugins.dir = folder.join(text);
        Ok(())
    }

    fn api_base(&mut self, entry: &Entry<'_>) -> Placed<()> {
        let origin = self.origin(entry, entry.path, entry.node)?;
        self.put_origin(entry, "api", origin)
    }

    fn origins(&mut self, entry: &Entry<'_>) -> Placed<()> {
        let Value::Map(pairs) = &entry.node.value else {
            return Err((
                entry.node.place,
                wrong_type(entry, "URLs by name, such as `api: https://api.example.com/v1`"),
            ));
        };
        for (name, node) in pairs {
            let origin = self.origin(entry, &keys::join(entry.path, &name.text), node)?;
            self.put_origin(entry, &name.text, origin)?;
        }
        Ok(())
    }

    /// `api_base` and `origins.api` come in the order of the file: the second must say what the first did.
    fn put_origin(&mut self, entry: &Entry<'_>, name: &str, origin: Origin) -> Placed<()> {
        let origins = &mut self.provider(entry).origins;
        match origins.get(name) {
            Some(other) if *other != origin => {
                let base = entry.path.rsplit_once('.').map_or("", |(block, _)| block);
                Err((entry.place, Fault::OriginsDiffer { key: keys::join(base, "api_base") }))
            }
            _ => {
                origins.insert(name.to_owned(), origin);
                Ok(())
            }
        }
    }

    fn origin(&self, entry: &Entry<'_>, key: &str, node: &Node) -> Placed<Origin> {
        let text = self.text(entry, node)?;
        text.parse().map_err(|reason| (node.place, Fault::Origin { key: key.to_owned(), reason }))
    }

    fn object(&self, entry: &Entry<'_>, takes: &str) -> Placed<serde_json::Map<String, serde_json::Value>> {
        match self.expander.json(entry.path, entry.node)? {
            serde_json::Value::Object(object) => Ok(object),
            _ => Err((entry.node.place, wrong_type(entry, takes))),
        }
    }

    fn credential_store(&mut self, entry: &Entry<'_>) -> Placed<()> {
        let secrets_in = match self.choice(entry)?.as_str() {
            "keyring" => SecretsIn::Keyring,
            _ => SecretsIn::File,
        };
        self.config.secrets_in = Some(secrets_in);
        Ok(())
    }

    /// One of the words that the key takes.
    fn choice(&self, entry: &Entry<'_>) -> Placed<String> {
        let text = self.text(entry, entry.node)?;
        match entry.kind {
            Kind::Choice(words) if !words.contains(&text.as_str()) => {
                Err((entry.node.place, wrong_type(entry, &format!("`{}`", words.join("` or `")))))
            }
            _ => Ok(text),
        }
    }

    fn secret(&mut self, entry: &Entry<'_>, node: &Node) -> Placed<SecretString> {
        let placed = |fault| (node.place, fault);
        let key = || entry.path.to_owned();
        let text = self.expander.text(entry.path, node, takes(entry.kind)).map_err(placed)?;
        // It becomes part of a header: RFC 9110, section 5.5, without the spaces nobody has in a key.
        if !text.text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(placed(Fault::SecretCharacter { key: key() }));
        }
        if matches!(entry.kind, Kind::Secrets) && text.text.len() < MIN_KEY {
            return Err(placed(Fault::ShortKey { key: key(), min: MIN_KEY }));
        }
        self.literal_secret |= !text.expanded;
        Ok(SecretString::from(text.text))
    }

    pub(super) fn text(&self, entry: &Entry<'_>, node: &Node) -> Placed<String> {
        let text = self.expander.text(entry.path, node, takes(entry.kind));
        text.map(|text| text.text).map_err(|fault| (node.place, fault))
    }

    fn integer(&self, entry: &Entry<'_>) -> Placed<u64> {
        let number = self.expander.integer(entry.path, entry.node, bounds(entry.kind));
        number.map_err(|fault| (entry.node.place, fault))
    }

    fn millis(&self, entry: &Entry<'_>) -> Placed<Duration> {
        self.integer(entry).map(Duration::from_millis)
    }

    fn size(&self, entry: &Entry<'_>) -> Placed<u64> {
        let bytes = self.expander.size(entry.path, entry.node, bounds(entry.kind));
        bytes.map_err(|fault| (entry.node.place, fault))
    }

    fn provider(&mut self, entry: &Entry<'_>) -> &mut Provider {
        self.config.providers.entry(entry.id.to_owned()).or_default()
    }
}

/// A list's items; one value is a list of one.
pub(super) fn items(node: &Node) -> &[Node] {
    match &node.value {
        Value::List(items) => items,
        _ => std::slice::from_ref(node),
    }
}

pub(super) fn wrong_type(entry: &Entry<'_>, takes: &str) -> Fault {
    Fault::WrongType { key: entry.path.to_owned(), takes: takes.to_owned() }
}

fn takes(kind: &Kind) -> &'static str {
    match kind {
        Kind::Secret | Kind::Secrets => "text: put the key in quotes",
        Kind::Texts(what) => what,
        Kind::Url | Kind::Urls => "a URL such as `https://api.example.com/v1`",
        Kind::Folder => "the path of a folder",
        Kind::Choice(_) => "a word",
        Kind::Lists => "an address, such as `openai:gpt-5`, or a list of them",
        Kind::Bool | Kind::Integer { .. } | Kind::Size { .. } | Kind::Open => "a value",
    }
}

fn bounds(kind: &Kind) -> (u64, u64, &'static str) {
    match kind {
        Kind::Integer { min, max, why } | Kind::Size { min, max, why } => (*min, *max, why),
        _ => (0, u64::MAX, ""),
    }
}
