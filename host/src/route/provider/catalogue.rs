//! Which models a provider lists: those of its accounts' live lists, and the component's own where there is none.

use bitrouter_contract::description::{Facts, Model};

use super::Provider;
use super::known::FactSource;
use crate::route::query_cache::Catalogue;

/// One model that a provider lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The provider's own name of it.
    pub id: String,
    /// What it serves; everything that the provider does where nothing is said.
    pub operations: Vec<String>,
    /// Seconds since 1970 at which the provider told it; none for what only the component lists.
    pub told_at: Option<u64>,
}

impl Provider {
    /// Whether the provider lists this model: for any account that can be used.
    pub fn lists(&self, model: &str) -> bool {
        self.any_list(|list| match list {
            Some(live) => live.get(model).is_some(),
            None => self.own(model).is_some(),
        })
    }

    /// What is known of this model, if it is listed.
    pub fn entry(&self, model: &str) -> Option<Listed> {
        let mut found = None;
        self.any_list(|list| {
            found = match list {
                Some(live) => live.get(model).map(|known| self.of_account(known, live)),
                None => self.own(model).map(of_component),
            };
            found.is_some()
        });
        found
    }

    /// Every model that it lists, once, in the order of its accounts.
    pub fn catalogue(&self) -> Vec<Listed> {
        let mut models: Vec<Listed> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        self.any_list(|list| {
            let of_list: Vec<Listed> = match list {
                Some(live) => live.models().iter().map(|model| self.of_account(model, live)).collect(),
                None => self.plugin.description.models.iter().map(of_component).collect(),
            };
            models.extend(of_list.into_iter().filter(|model| seen.insert(model.id.clone())));
            false
        });
        models
    }

    /// What its component says that it lists, whether that is believed or not.
    pub fn said(&self) -> Vec<Listed> {
        self.plugin.says.models.iter().map(of_component).collect()
    }

    /// What its lists say of this model, the one that is believed first. Of a component that is not accepted it is what that
    /// says.
    pub(super) fn said_of(&self, model: &str) -> Vec<(FactSource, Facts)> {
        let mut said = Vec::new();
        self.any_list(|list| {
            let live = list.and_then(|live| Some((live, live.get(model)?)));
            said.extend(
                live.map(|(live, model)| (FactSource::LiveList { told_at: live.told_at.unix() }, model.facts.clone())),
            );
            !said.is_empty()
        });
        let own = self.plugin.says.models.iter().find(|known| known.id == model);
        said.extend(own.map(|own| (FactSource::Description, own.facts.clone())));
        said
    }

    /// Goes through the lists of the accounts that can be used, none standing for the component's own, until one is what
    /// is looked for. Where nobody is logged in, it is what there would be.
    fn any_list(&self, mut is_it: impl FnMut(Option<&Catalogue>) -> bool) -> bool {
        let live = self.query_cache.live();
        if live.is_empty() {
            return is_it(None);
        }
        let mut of = |account: &str| is_it(live.get(account).map(AsRef::as_ref));
        if self.accounts.goes_without() {
            return of("");
        }
        let listing = self.accounts.list();
        let mut nobody = true;
        for account in listing.accounts() {
            nobody = false;
            if of(&account.label) {
                return true;
            }
        }
        nobody && is_it(None)
    }

    fn own(&self, model: &str) -> Option<&Model> {
        self.plugin.description.models.iter().find(|known| known.id == model)
    }

    /// A model of a live list, with what only the component knows of it.
    fn of_account(&self, model: &Model, live: &Catalogue) -> Listed {
        let own = self.own(&model.id);
        let operations = match model.operations.as_slice() {
            [] => own.map(|own| own.operations.clone()).unwrap_or_default(),
            some => some.to_vec(),
        };
        let told_at = u64::try_from(live.told_at.unix()).ok();
        Listed { id: model.id.clone(), operations, told_at }
    }
}

fn of_component(model: &Model) -> Listed {
    let Model { id, operations, .. } = model.clone();
    Listed { id, operations, told_at: None }
}
