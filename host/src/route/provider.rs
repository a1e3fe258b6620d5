//! One provider as routing sees it: a component together with what the user configured for it.

mod catalogue;
mod known;
mod overridden;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bitrouter_contract::described::settings;
use bitrouter_contract::description::{Auth, Billing, Description, Setting, SettingType};
use bitrouter_contract::origin::template::FillError;
use bitrouter_contract::{Forward, Origin, Reserved};
use bitrouter_credential::{Accounts, Given, KeyCommand, Store};
use bitrouter_dialect::Dialect;
use bitrouter_dialect::quirks::Quirks;
use bitrouter_plugin::Plugin;
use bitrouter_route::choice::Terms;
use bitrouter_route::nearest::nearest;
use bitrouter_route::{Strategy, Wanted};
use bitrouter_upstream::{Deadlines, Upstream};

use super::{Learned, UnreadReports};
use crate::config::{self, Position};
use crate::route::query_cache::QueryCache;
pub use catalogue::Listed;
pub use known::{FactSource, Known};

/// The name of the origin that most requests go to.
const API: &str = "api";

/// A component, its origins, its accounts and its limits.
pub struct Provider {
    /// The component.
    pub plugin: Arc<Plugin>,
    /// Where its requests may go, by name: the component's own origins, or those that the config put in their place.
    pub origins: BTreeMap<String, Origin>,
    /// Who pays.
    pub accounts: Accounts,
    /// Whether the config has a block for it.
    pub is_configured: bool,
    /// Whether the config leaves it on.
    pub enabled: bool,
    /// Lower first.
    pub priority: u64,
    /// How its accounts share the work.
    pub strategy: Strategy,
    /// `settings` of the config as JSON text.
    pub settings: String,
    /// What it takes differently: the description's words and those of the config, and the description's edits of bodies.
    pub quirks: Quirks,
    /// Which client headers go up.
    pub forward: Forward,
    /// Which headers only the host sets.
    pub reserved: Reserved,
    /// How long an exchange may take.
    pub deadlines: Deadlines,
    /// What sends its requests.
    pub upstream: Arc<Upstream>,
    /// The types of events that the component reads limits from.
    pub observed_events: Arc<[String]>,
    /// What its answers said of limits and is not read yet.
    pub unread_reports: UnreadReports,
    /// What is known of every account: its limits, and what cools down.
    pub learned: Learned,
    /// What its side requests brought.
    pub query_cache: QueryCache,
    /// What its component was told of models.
    infos: known::Infos,
    /// Whether a server on this machine was found when it was last looked for.
    found: AtomicBool,
    /// Why it cannot serve, if the config is at odds with the component.
    pub fault: Option<String>,
}

impl Provider {
    /// Puts a component and its configuration together.
    pub(super) fn new(
        plugin: Arc<Plugin>,
        configured: &config::Provider,
        env: &dyn Fn(&str) -> Option<String>,
        store: Arc<Store>,
        upstream: Arc<Upstream>,
        learned: Learned,
        query_cache: QueryCache,
    ) -> Self {
        let description = &plugin.description;
        let mut fault = check_settings(&description.settings, &configured.settings);
        let settings = settings::effective(&description.settings, &configured.settings, env);
        let mut origins = BTreeMap::new();
        for name in description.origins.keys() {
            match description.origin_under(name, &settings) {
                Ok(origin) => drop(origins.insert(name.clone(), origin)),
                // The config puts another in its place.
                Err(_) if configured.origins.contains_key(name) => {}
                Err(FillError::Missing(hole)) => fault = Some(description.how_to_set(&hole)),
                Err(error) => fault = Some(error.to_string()),
            }
        }
        if let Some(local) = &description.local {
            match local.origin(env) {
                Ok(Some(origin)) => drop(origins.insert(API.into(), origin)),
                Ok(None) => {}
                Err(why) => fault = fault.or(Some(why)),
            }
        }
        let own = origins.clone();
        for (name, origin) in &configured.origins {
            // Its neighbours go where it goes: a token of another issuer's must not be sent to the server before.
            let Some(before) = own.get(name) else { continue };
            for (other, at) in origins.iter_mut().filter(|(other, _)| !configured.origins.contains_key(*other)) {
                *at = own[other].beside(before, origin).unwrap_or_else(|| at.clone());
            }
        }
        for (name, origin) in &configured.origins {
            origins.insert(name.clone(), origin.clone());
            if !description.origins.contains_key(name) && name != API {
                let known: Vec<&str> = description.origins.keys().map(String::as_str).collect();
                fault = Some(format!("`origins.{name}` names no origin of this provider: it has {}", known.join(", ")));
            }
        }
        if !origins.contains_key(API) && fault.is_none() {
            fault = Some(format!(
                "it is nowhere yet: say `providers.{}.api_base: https://…` in the config",
                description.id
            ));
        }
        // What leaves unencrypted is read on its way, and another's server is not the vendor's: no key that was made for
        // the vendor goes there.
        let is_elsewhere = origins.values().any(Origin::is_in_the_clear)
            || (configured.base.is_some() && !configured.origins.is_empty());
        let env_of_keys = |name: &str| if is_elsewhere { None } else { env(name) };
        let auth = match overridden::auth(description, &configured.auth) {
            Ok(auth) => auth,
            Err(why) => {
                fault = Some(why);
                description.auth.clone()
            }
        };
        for (name, is_there) in
            [("api_key", configured.api_key.is_some()), ("key_command", configured.key_command.is_some())]
        {
            if is_there && !auth.iter().any(|auth| matches!(auth, Auth::ApiKey(_))) {
                fault = Some(format!("`{name}`: this provider takes no API key. Take it out"));
            }
        }
        if configured.api_key.is_some() && configured.key_command.is_some() {
            fault = Some("`key_command`: there is an `api_key` too. Take one of them out".into());
        }
        let reserved = Reserved::new(&auth);
        let forward = Forward::new(&description.forward, reserved.clone()).unwrap_or_else(|error| {
            fault = Some(error.to_string());
            Forward::default()
        });
        let command = configured.key_command.clone().map(|argv| KeyCommand { argv, lasts: configured.key_command_ttl });
        let setting = |name: &str| settings.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let key = configured.api_key.as_deref();
        let given = Given { key, command: command.as_ref(), env: &env_of_keys, setting: &setting };
        let accounts = Accounts::for_provider(&description.id, &auth, &origins, &given, store);
        let settings = serde_json::Value::Object(settings).to_string();
        let words = description.quirks.iter().chain(&configured.quirks).copied();
        let quirks = Quirks::new(words, description.body.clone());
        let provider = Provider {
            origins,
            accounts,
            is_configured: configured.position != Position::default(),
            enabled: configured.enabled,
            priority: configured.priority,
            strategy: configured.strategy,
            settings,
            quirks,
            forward,
            reserved,
            deadlines: Deadlines {
                first_byte: configured.timeouts.first_byte,
                idle: configured.timeouts.idle,
                total: configured.timeouts.total,
            },
            upstream,
            observed_events: description.observe.events.as_slice().into(),
            unread_reports: UnreadReports::default(),
            learned,
            query_cache,
            infos: known::Infos::default(),
            found: AtomicBool::new(false),
            fault,
            plugin,
        };
        provider.follow_accounts();
        provider
    }

    /// The provider's id.
    pub fn id(&self) -> &str {
        &self.plugin.id
    }

    /// Whether a bare model name may find it: it is on, sound, and has a credential or needs none.
    pub fn is_active(&self) -> bool {
        self.enabled
            && self.fault.is_none()
            && self.is_there()
            && (!self.accounts.needs_credential() || self.accounts.list().accounts().next().is_some())
    }

    /// Whether it runs, as far as is known: what is not on this machine is taken to.
    pub fn is_there(&self) -> bool {
        self.plugin.description.local.is_none() || self.found.load(Ordering::Relaxed)
    }

    /// Notes whether a server on this machine was found. True if that is news.
    pub fn note_found(&self, found: bool) -> bool {
        self.found.swap(found, Ordering::Relaxed) != found
    }

    /// Whether there is a credential, or none is needed. One that is there and cannot be used counts: who has it means it.
    pub fn has_credential(&self) -> bool {
        !self.accounts.needs_credential() || !self.accounts.list().is_empty()
    }

    /// How a call is paid for.
    pub fn billing(&self) -> Billing {
        self.plugin.description.billing
    }

    /// What matters of it among others that list the same name.
    pub(super) fn terms(&self) -> Terms {
        Terms { priority: self.priority, billing: self.billing(), has_credential: self.has_credential() }
    }

    /// Whether it does what an endpoint wants with this model, in whatever dialect.
    pub fn serves(&self, wanted: Wanted<'_>, model: &str) -> bool {
        self.dialect_for(wanted, model).is_some()
    }

    /// Whether it does what an endpoint wants with any of its models.
    pub fn serves_some(&self, wanted: Wanted<'_>) -> bool {
        let Description { serves, by_model, .. } = &*self.plugin.description;
        let mut all = std::iter::once(serves).chain(by_model.iter().map(|rule| &rule.serves));
        all.any(|serves| serves.get(wanted.operation).is_some_and(|served| dialect_among(served, wanted).is_some()))
    }

    /// The dialect in which a call of an endpoint goes up: the client's own where that is served, else the
    /// provider's best into which it can be translated.
    pub fn dialect_for<'a>(&self, wanted: Wanted<'a>, model: &str) -> Option<&'a str> {
        dialect_among(self.plugin.dialects(wanted.operation, model), wanted)
    }

    /// Its own name of the model that a bare name stands for, if it lists that: the very name, or what stands
    /// behind its vendor's name and a `/`.
    pub fn listed<'m>(&self, name: &'m str) -> Option<&'m str> {
        if self.plugin.description.explicit {
            return None;
        }
        if self.lists(name) {
            return Some(name);
        }
        let (vendor, model) = name.split_once('/')?;
        (self.plugin.description.vendor.as_deref() == Some(vendor) && self.lists(model)).then_some(model)
    }
}

fn dialect_among<'a>(served: &[String], wanted: Wanted<'a>) -> Option<&'a str> {
    let serves = |dialect: &str| served.iter().any(|served| served == dialect);
    if serves(wanted.dialect) {
        return Some(wanted.dialect);
    }
    let translates = wanted.operation == "generate" && wanted.dialect.parse::<Dialect>().is_ok();
    let mut into = served.iter().filter_map(|served| served.parse::<Dialect>().ok());
    into.find(|_| translates).map(Dialect::as_str)
}

/// Compares `settings` with what the component takes.
fn check_settings(
    taken: &BTreeMap<String, Setting>,
    given: &serde_json::Map<String, serde_json::Value>,
) -> Option<String> {
    given.iter().find_map(|(name, value)| {
        let Some(setting) = taken.get(name) else {
            let near = nearest(name, taken.keys().map(String::as_str), 1);
            let hint = near.first().map_or(String::new(), |near| format!(": did you mean `{near}`?"));
            return Some(format!("`settings.{name}` is not a setting of this provider{hint}"));
        };
        let (fits, wanted) = match setting.kind {
            SettingType::String => (value.is_string(), "a text"),
            SettingType::Number => (value.is_number(), "a number"),
            SettingType::Boolean => (value.is_boolean(), "true or false"),
            SettingType::Json => (true, "anything"),
        };
        if !fits {
            return Some(format!("`settings.{name}` must be {wanted}"));
        }
        let sent = setting.header.as_ref().and(value.as_str());
        sent.filter(|text| http::HeaderValue::from_str(text).is_err())
            .map(|_| format!("`settings.{name}` is sent as a header, which takes no line ends and no such characters"))
    })
}
