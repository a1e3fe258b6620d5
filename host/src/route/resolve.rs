//! From an address to a target.

use std::sync::Arc;

use super::address::Address;
use super::nearest::nearest;
use super::{Provider, Providers};
use crate::error::Error;

/// Who serves a request, with which of its models and accounts.
#[derive(Clone)]
pub struct Target {
    /// The provider.
    pub provider: Arc<Provider>,
    /// The provider's own name of the model.
    pub model: String,
    /// The account's label, if the address names one.
    pub label: Option<String>,
}

impl Providers {
    /// Finds the target of an address.
    pub fn resolve(&self, address: &str) -> Result<Target, Error> {
        let known = |id: &str| self.by_id.contains_key(id) || self.refused(id).is_some();
        let parsed = Address::parse(address, known).map_err(|error| Error::Address { message: error.to_string() })?;
        match parsed {
            Address::Provider { provider, label, model } => self.named(&provider, label, model),
            Address::Model(model) => self.bare(&model),
        }
    }

    fn named(&self, id: &str, label: Option<String>, model: String) -> Result<Target, Error> {
        let not_serving = |reason: String| Error::NotServing { provider: id.to_owned(), reason };
        let Some(provider) = self.by_id.get(id) else {
            return Err(not_serving(self.refused(id).unwrap_or_default().to_owned()));
        };
        if !provider.enabled {
            return Err(not_serving(format!("it is switched off by providers.{id}.enabled in bitrouter.yaml")));
        }
        if let Some(fault) = &provider.fault {
            return Err(not_serving(format!("providers.{id} in bitrouter.yaml: {fault}")));
        }
        Ok(Target { provider: Arc::clone(provider), model, label })
    }

    fn bare(&self, model: &str) -> Result<Target, Error> {
        let active = self.active();
        if let Some(provider) = active.iter().find(|provider| provider.lists(model)) {
            return Ok(Target { provider: Arc::clone(provider), model: model.to_owned(), label: None });
        }
        Err(Error::Address { message: self.unknown(model) })
    }

    /// The sentence for a name that nothing serves.
    fn unknown(&self, name: &str) -> String {
        let before = name.split([':', '@']).next().unwrap_or_default();
        if name.contains(':') {
            let near = nearest(before, self.by_id.keys().map(String::as_str), 3);
            if !near.is_empty() {
                return format!(
                    "there is no provider `{before}`, nor a model `{name}`. Nearest providers: {}",
                    near.join(", ")
                );
            }
        }
        // A provider that is there but has no credential may be the one that was meant.
        let idle = self.by_id.values().find(|provider| !provider.is_active() && provider.lists(name));
        if let Some(provider) = idle {
            let why = provider
                .accounts
                .select(None)
                .err()
                .map_or_else(|| "it is not active".into(), |error| error.to_string());
            return format!("no active provider serves `{name}`, but one would. {why}");
        }
        let models: Vec<_> = self.by_id.values().flat_map(|provider| provider.catalogue()).collect();
        let near = nearest(name, models.iter().map(|model| model.id.as_str()), 3);
        let near = if near.is_empty() { String::new() } else { format!(" Nearest: {}.", near.join(", ")) };
        let ids: Vec<&str> = self.by_id.keys().map(String::as_str).collect();
        format!(
            "no active provider lists the model `{name}`.{near} An id that is not listed passes through when it is \
             addressed as PROVIDER:{name}; providers are {}",
            ids.join(", ")
        )
    }

    /// Why a component that claims this id does not serve.
    pub(super) fn refused(&self, id: &str) -> Option<&str> {
        self.refused.iter().find(|refused| refused.id.as_deref() == Some(id)).map(|refused| refused.reason.as_str())
    }
}
