//! One provider as routing sees it: a component together with what the user configured for it.

mod catalogue;
mod overridden;

use std::collections::BTreeMap;
use std::sync::Arc;

use bitrouter_contract::description::{Auth, Billing, Setting, SettingType};
use bitrouter_contract::{Forward, Origin, Reserved};
use bitrouter_credential::{Accounts, Store};
use bitrouter_dialect::Dialect;
use bitrouter_dialect::quirks::Quirks;
use bitrouter_plugin::Plugin;
use bitrouter_route::choice::Terms;
use bitrouter_route::nearest::nearest;
use bitrouter_route::{Strategy, Wanted};
use bitrouter_upstream::{Deadlines, Upstream};

use super::{Learned, UnreadReports};
use crate::config;
use crate::route::query_cache::QueryCache;
pub use catalogue::Listed;

/// The dialects into which calls are translated, the one that can say most first.
const TRANSLATED_INTO: [Dialect; 4] =
    [Dialect::Responses, Dialect::Messages, Dialect::GenerateContent, Dialect::ChatCompletions];

/// A component, its origins, its accounts and its limits.
pub struct Provider {
    /// The component.
    pub plugin: Arc<Plugin>,
    /// Where its requests may go, by name: the component's own origins, or those that the config put in their place.
    pub origins: BTreeMap<String, Origin>,
    /// Who pays.
    pub accounts: Accounts,
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
        let mut origins = BTreeMap::new();
        for (name, url) in &description.origins {
            match url.parse::<Origin>() {
                Ok(origin) => drop(origins.insert(name.clone(), origin)),
                Err(error) => fault = Some(error.to_string()),
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
            if origins.insert(name.clone(), origin.clone()).is_none() {
                let known: Vec<&str> = description.origins.keys().map(String::as_str).collect();
                fault = Some(format!("`origins.{name}` names no origin of this provider: it has {}", known.join(", ")));
            }
        }
        let auth = match overridden::auth(description, &configured.auth) {
            Ok(auth) => auth,
            Err(why) => {
                fault = Some(why);
                description.auth.clone()
            }
        };
        if configured.api_key.is_some() && !auth.iter().any(|auth| matches!(auth, Auth::ApiKey(_))) {
            fault = Some("`api_key`: this provider takes no API key. Take it out".into());
        }
        let reserved = Reserved::new(&auth);
        let forward = Forward::new(&description.forward, reserved.clone()).unwrap_or_else(|error| {
            fault = Some(error.to_string());
            Forward::default()
        });
        let accounts =
            Accounts::for_provider(&description.id, &auth, &origins, configured.api_key.as_deref(), env, store);
        let settings = if configured.settings.is_empty() {
            "{}".to_owned()
        } else {
            serde_json::Value::Object(configured.settings.clone()).to_string()
        };
        let words = description.quirks.iter().chain(&configured.quirks).copied();
        let quirks = Quirks::new(words, description.body.clone());
        let provider = Provider {
            origins,
            accounts,
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
            && (!self.accounts.needs_credential() || self.accounts.list().accounts().next().is_some())
    }

    /// Whether there is a credential, or none is needed. One that is there and cannot be used counts: who has it means it.
    fn has_credential(&self) -> bool {
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

    /// Whether it does what an endpoint wants, in whatever dialect.
    pub fn serves(&self, wanted: Wanted<'_>) -> bool {
        self.dialect_for(wanted).is_some()
    }

    /// The dialect in which a call of an endpoint goes up: the client's own where that is served, else the first into which it
    /// can be translated.
    pub fn dialect_for<'a>(&self, wanted: Wanted<'a>) -> Option<&'a str> {
        let served = self.plugin.dialects(wanted.operation);
        let serves = |dialect: &str| served.iter().any(|served| served == dialect);
        if serves(wanted.dialect) {
            return Some(wanted.dialect);
        }
        let translates = wanted.operation == "generate" && wanted.dialect.parse::<Dialect>().is_ok();
        TRANSLATED_INTO.into_iter().map(Dialect::as_str).find(|dialect| translates && serves(dialect))
    }

    /// Its own name of the model that a bare name stands for, if it lists that: the very name, or what stands
    /// behind its vendor's name and a `/`.
    pub fn listed<'m>(&self, name: &'m str) -> Option<&'m str> {
        if self.lists(name) {
            return Some(name);
        }
        let (vendor, model) = name.split_once('/')?;
        (self.plugin.description.vendor.as_deref() == Some(vendor) && self.lists(model)).then_some(model)
    }
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
