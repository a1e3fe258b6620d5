//! From the addresses of a request to its targets, in the order in which they are tried.
//!
//! The pipeline calls `targets` for each request, `bitrouter route` the same with its reasons. A bare name stays with one
//! way of paying: nothing here may move a request to another that was not named.

use std::sync::Arc;

use bitrouter_route::address::{Address, AddressError};
use bitrouter_route::choice::{self, Named};
use bitrouter_route::nearest::nearest;
use bitrouter_route::{Skipped, Wanted, Why, billing};

use super::{Provider, Providers, choose};
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
    /// The targets of a call: ordered, each once, at least one. Those without a credential stay, so that trying them says
    /// what is missing.
    pub fn targets(&self, addresses: &[String], wanted: Wanted<'_>) -> Result<Vec<Target>, Error> {
        match self.decide(addresses, Some(wanted), &mut Vec::new())? {
            (_, Some(error)) => Err(error),
            (targets, None) => Ok(targets),
        }
    }

    /// The same, and why others are passed over; the error where nobody pays for any of the targets. Without an endpoint
    /// nothing is passed over for its dialect.
    pub(super) fn decide(
        &self,
        addresses: &[String],
        wanted: Option<Wanted<'_>>,
        skipped: &mut Vec<Skipped>,
    ) -> Result<(Vec<Target>, Option<Error>), Error> {
        let targets = Vec::with_capacity(1);
        let mut decision = Decision { providers: self, wanted, targets, skipped, usable: false, missing: Vec::new() };
        match addresses {
            [address] => decision.address(address)?,
            several => {
                for (at, address) in several.iter().enumerate() {
                    decision.address(address).map_err(|error| within(error, &format!("models[{at}]"), "models"))?;
                }
            }
        }
        decision.end()
    }

    /// The providers that a bare name stands for, each with its own name of the model; none where nobody who is on lists it.
    pub(super) fn named<'a, 'n>(&'a self, name: &'n str) -> Option<Named<(&'a Arc<Provider>, &'n str)>> {
        let listing = self.on().filter_map(|provider| Some(((provider, provider.listed(name)?), provider.terms())));
        choice::by_name(listing.collect())
    }

    /// Whom a request for a bare name would go to, if somebody pays.
    pub(crate) fn answering(&self, name: &str) -> Option<&Arc<Provider>> {
        let mut chosen = self.named(name)?.chosen;
        chosen.retain(|(provider, _)| provider.fault.is_none());
        let target = |(provider, model): &(&Arc<Provider>, &str)| Target {
            provider: Arc::clone(provider),
            model: (*model).to_owned(),
            label: None,
        };
        let targets: Vec<Target> = chosen.iter().map(target).collect();
        let first = choose(&targets, |_, _| Vec::new(), || None).candidates.into_iter().next()?;
        Some(chosen[first.target].0)
    }

    /// Reads an address with the providers that are there, serving or not: of one that is switched off this is said, and a name
    /// that it lists becomes nobody else's. An id that nobody accepted does not take a name away that others list, or that the
    /// user has given: with a component `qwen3` in the folder, `qwen3:8b` is whose it was.
    pub(crate) fn parse(&self, address: &str) -> Result<Address, AddressError> {
        let read = Address::parse(address, |id| self.by_id.contains_key(id) || self.refused(id).is_some())?;
        let Address::Provider { provider, .. } = &read else { return Ok(read) };
        let believed = self.by_id.get(provider).is_some_and(|provider| provider.plugin.trusted);
        let is_a_name = || {
            self.names.exact().any(|(name, _)| name == address)
                || self.by_id.values().any(|provider| provider.listed(address).is_some())
        };
        Ok(if !believed && is_a_name() { Address::Model(address.to_owned()) } else { read })
    }

    /// The sentence for a name that nothing lists.
    pub(crate) fn unknown(&self, name: &str) -> String {
        let before = name.split([':', '@']).next().unwrap_or_default();
        if !name.contains(':') && (self.by_id.contains_key(before) || self.refused(before).is_some()) {
            let provider = self.on().find(|provider| provider.id() == before);
            let model = provider.and_then(|provider| Some(provider.catalogue().into_iter().next()?.id));
            let model = model.as_deref().unwrap_or("MODEL");
            return format!(
                "`{name}` names a provider and no model: write one behind it, as in {name}:{model}. `bitrouter models` \
                 lists them"
            );
        }
        if name.contains(':') {
            let near = nearest(before, self.on().map(|provider| provider.id()), 3);
            if !near.is_empty() {
                return format!(
                    "there is no provider `{before}`, nor a model `{name}`. Nearest providers: {}",
                    near.join(", ")
                );
            }
        }
        if let Some(sentence) = self.only_by_address(name) {
            return sentence;
        }
        let models: Vec<_> = self.on().flat_map(|provider| provider.catalogue()).collect();
        let models = models.iter().map(|model| model.id.as_str()).chain(self.names.exact().map(|(name, _)| name));
        let near = nearest(name, models, 3);
        let near = if near.is_empty() { String::new() } else { format!(" Nearest: {}.", near.join(", ")) };
        if self.by_id.is_empty() {
            return format!("nothing lists the model `{name}`: {}", self.not_loaded());
        }
        format!(
            "no active provider lists the model `{name}`.{near} An id that is not listed passes through when it is \
             addressed as PROVIDER:{name}; {}",
            self.that_serve()
        )
    }

    /// The sentence for a name that nobody lists but a component that is not trusted.
    fn only_by_address(&self, name: &str) -> Option<String> {
        let lists = |provider: &&Arc<Provider>| {
            !provider.plugin.trusted && provider.plugin.says.models.iter().any(|model| model.id == name)
        };
        let provider = self.on().find(lists)?;
        let id = provider.id();
        Some(format!(
            "no trusted provider lists the model `{name}`. The component `{id}` says that it has it, and is reached as \
             {id}:{name} only. To accept it: {}",
            provider.plugin.to_accept()
        ))
    }

    /// The providers that would serve such an address, or why there is none.
    fn that_serve(&self) -> String {
        let active: Vec<&str> =
            self.on().filter(|provider| provider.is_active()).map(|provider| provider.id()).collect();
        match active.is_empty() {
            false => format!("providers are {}", active.join(", ")),
            true => "no provider is active yet. What each lacks: bitrouter providers".to_owned(),
        }
    }

    /// Why a component that claims this id does not serve.
    pub(super) fn refused(&self, id: &str) -> Option<&str> {
        self.refused.iter().find(|refused| refused.called() == Some(id)).map(|refused| refused.reason.as_str())
    }

    /// Why there is no provider at all, for a sentence.
    pub(crate) fn not_loaded(&self) -> String {
        let why: Vec<String> =
            self.refused.iter().map(|refused| format!("{}: {}", refused.name(), refused.reason)).collect();
        match why.is_empty() {
            true => "no provider is loaded".into(),
            false => format!("no provider is loaded. {}", why.join(". ")),
        }
    }
}

/// A decision on its way.
struct Decision<'a, 's> {
    providers: &'a Providers,
    wanted: Option<Wanted<'a>>,
    targets: Vec<Target>,
    skipped: &'s mut Vec<Skipped>,
    /// Whether one of the targets was named, or has a credential.
    usable: bool,
    /// Of the names for which no provider has a credential: what each of these lacks.
    missing: Vec<String>,
}

impl<'a> Decision<'a, '_> {
    fn address(&mut self, address: &str) -> Result<(), Error> {
        match self.parse(address)? {
            Address::Provider { provider, label, model } => {
                self.named(&provider, label, model);
                Ok(())
            }
            Address::Model(name) => match self.providers.names.find(&name) {
                Some(found) => {
                    let place = |error| within(error, &format!("models.{} in bitrouter.yaml", found.name), "model");
                    found.addresses.iter().try_for_each(|address| self.entry(address)).map_err(place)
                }
                None => self.bare(&name),
            },
        }
    }

    /// An entry of a list in the config: its names are those of the catalogue.
    fn entry(&mut self, address: &str) -> Result<(), Error> {
        match self.parse(address)? {
            Address::Provider { provider, label, model } => {
                self.named(&provider, label, model);
                Ok(())
            }
            Address::Model(name) => self.bare(&name),
        }
    }

    fn parse(&self, address: &str) -> Result<Address, Error> {
        self.providers.parse(address).map_err(|error| Error::address(error.to_string()))
    }

    /// A provider by its id: any of its models, whatever it costs.
    fn named(&mut self, id: &str, label: Option<String>, model: String) {
        let Some(provider) = self.providers.by_id.get(id) else {
            let reason = self.providers.refused(id).unwrap_or("it is not loaded").to_owned();
            return self.skip(id, &model, Why::Refused(reason));
        };
        if !provider.enabled {
            return self.skip(id, &model, Why::Disabled);
        }
        if self.fits(provider, &model) {
            self.usable = true;
            self.push(Target { provider: Arc::clone(provider), model, label });
        }
    }

    /// Whoever is chosen of those that list a model.
    fn bare(&mut self, name: &str) -> Result<(), Error> {
        let off = self.providers.by_id.values().filter(|provider| !provider.enabled);
        let off: Vec<_> = off.filter_map(|provider| Some((provider.id(), provider.listed(name)?))).collect();
        off.iter().for_each(|(id, model)| self.skip(id, model, Why::Disabled));
        self.pass_over_untrusted(name);
        let Some(Named { chosen, billing, have_credentials, passed_over }) = self.providers.named(name) else {
            return if off.is_empty() { Err(Error::address(self.providers.unknown(name))) } else { Ok(()) };
        };
        if have_credentials {
            self.usable = true;
        } else {
            let all = chosen.iter().chain(passed_over.iter().map(|(listing, _)| listing));
            self.missing
                .extend(all.filter_map(|(provider, _)| Some(provider.accounts.select(None).err()?.to_string())));
        }
        passed_over.into_iter().for_each(|((provider, model), why)| self.skip(provider.id(), model, why));
        if self.providers.pending > 0 && !billing::takes_from_a_plan(billing) {
            // A plan may be among those that are still being compiled.
            return Err(Error::Compiling);
        }
        for (provider, model) in chosen {
            if self.fits(provider, model) {
                self.push(Target { provider: Arc::clone(provider), model: model.to_owned(), label: None });
            }
        }
        Ok(())
    }

    /// Notes who says that it lists a model and is not believed.
    fn pass_over_untrusted(&mut self, name: &str) {
        let providers = self.providers;
        for provider in providers.on().filter(|provider| !provider.plugin.trusted) {
            let says = &provider.plugin.says;
            let with_vendor = says.vendor.as_deref().and_then(|vendor| name.strip_prefix(vendor)?.strip_prefix('/'));
            if says.models.iter().any(|model| model.id == name || Some(&*model.id) == with_vendor) {
                self.skip(provider.id(), with_vendor.unwrap_or(name), Why::NotTrusted(provider.plugin.to_accept()));
            }
        }
    }

    /// Whether a provider that is on can serve this call.
    fn fits(&mut self, provider: &Provider, model: &str) -> bool {
        if let Some(fault) = &provider.fault {
            self.skip(provider.id(), model, Why::Misconfigured(fault.clone()));
            return false;
        }
        let Some(wanted) = self.wanted.filter(|wanted| !provider.serves(*wanted, model)) else { return true };
        self.skip(provider.id(), model, Why::NotServed(wanted.words()));
        false
    }

    fn push(&mut self, target: Target) {
        let same = |known: &Target| {
            Arc::ptr_eq(&known.provider, &target.provider) && known.model == target.model && known.label == target.label
        };
        if !self.targets.iter().any(same) {
            self.targets.push(target);
        }
    }

    fn skip(&mut self, provider: &str, model: &str, why: Why) {
        self.skipped.push(Skipped { provider: provider.to_owned(), model: model.to_owned(), why });
    }

    fn end(self) -> Result<(Vec<Target>, Option<Error>), Error> {
        if !self.usable && !self.missing.is_empty() {
            return Ok((self.targets, Some(Error::NoCredential(self.missing.join(". ")))));
        }
        if !self.targets.is_empty() {
            return Ok((self.targets, None));
        }
        let told = self.skipped.iter().find(|skipped| skipped.why.is_the_error());
        let served_by = || self.wanted.map_or_else(Vec::new, |wanted| self.providers.serving(wanted));
        Err(match told.cloned() {
            Some(skipped) => error_of(skipped, served_by()),
            None => Error::Internal("no target was found and nothing says why".to_owned()),
        })
    }
}

/// The sentence where this is all there is to say of an address. `served_by` are those that serve what is wanted.
fn error_of(skipped: Skipped, served_by: Vec<String>) -> Error {
    let provider = skipped.provider;
    match skipped.why {
        Why::NotServed(wanted) => Error::NotServed { provider, wanted, served_by },
        Why::Disabled => {
            let reason = format!("it is switched off by providers.{provider}.enabled in bitrouter.yaml");
            Error::NotServing { provider, reason }
        }
        Why::Misconfigured(fault) => {
            let reason = format!("providers.{provider} in bitrouter.yaml: {fault}");
            Error::NotServing { provider, reason }
        }
        why @ (Why::Refused(_) | Why::NoCredential | Why::NotTrusted(_) | Why::Money { .. } | Why::Behind(_)) => {
            Error::NotServing { provider, reason: why.to_string() }
        }
    }
}

/// Says in which entry or list a wrong address stands.
fn within(error: Error, place: &str, param: &'static str) -> Error {
    let Error::Address { message, .. } = error else { return error };
    Error::Address { message: format!("{place}: {message}"), param }
}

#[cfg(test)]
mod tests;
