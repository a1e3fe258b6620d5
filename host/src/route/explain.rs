//! The routing decision in words, without sending anything: what `bitrouter route` prints.
//!
//! The decision is the one that requests get; only the words are made here.

use std::time::SystemTime;

use bitrouter_files::Timestamp;
use bitrouter_route::cooldown::Candidate;
use bitrouter_route::nearest::nearest_of_all;
use bitrouter_route::{Skipped, Wanted};
use serde::Serialize;

use super::{Providers, Target};

/// What addresses lead to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Explanation {
    /// As it was asked; several in one line.
    pub address: String,
    /// The same, one by one.
    pub addresses: Vec<String>,
    /// The path of the endpoint that is asked; none where nothing says which.
    pub endpoint: Option<String>,
    /// Where requests would go, in order.
    pub targets: Vec<ExplainedTarget>,
    /// What is passed over, and why.
    pub skipped: Vec<ExplainedSkip>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// Why nothing serves it.
    pub problem: Option<String>,
}

/// One target in words.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedTarget {
    /// The provider's id.
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    /// The label of the account that is used first; none if there is no credential.
    pub account: Option<String>,
    /// The labels of all accounts that may be used, in order.
    pub accounts: Vec<String>,
    /// Why no account can be used.
    pub missing: Option<String>,
    /// How a call is paid for.
    pub billing: &'static str,
    /// The origin that requests go to.
    pub origin: String,
    /// The dialects that it serves without translation.
    pub dialects: Vec<String>,
    /// The dialect in which the request goes up, where the endpoint is known.
    pub dialect: Option<String>,
    /// Whether that is another than the client's.
    pub translated: bool,
    /// Whether the catalogue lists the model.
    pub known: bool,
    /// Until when it is not tried, and why, if it cools down.
    pub cooling: Option<String>,
}

/// One provider that is passed over, in words.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedSkip {
    /// The provider's id.
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    /// Why.
    pub why: String,
}

impl Providers {
    /// The decision for a request's addresses; without an endpoint, for any that serves them.
    pub fn explain(&self, addresses: &[String], wanted: Option<Wanted<'_>>) -> Explanation {
        let mut explanation =
            Explanation { address: addresses.join(", "), addresses: addresses.to_vec(), ..Explanation::default() };
        let mut skipped = Vec::new();
        match self.decide(addresses, wanted, &mut skipped) {
            Ok((targets, error)) => {
                explanation.targets(&targets, wanted);
                explanation.problem = error.map(|error| error.to_string()).or(explanation.problem.take());
            }
            Err(error) => explanation.problem = Some(error.to_string()),
        }
        explanation.skipped = skipped.into_iter().map(explain_skip).collect();
        explanation
    }
}

impl Explanation {
    fn targets(&mut self, targets: &[Target], wanted: Option<Wanted<'_>>) {
        let mut answers = false;
        let mut lacking = Vec::new();
        for target in targets {
            let (accounts, missing) = accounts(target);
            let mut explained = explain_target(target, wanted, accounts);
            match missing {
                None => answers = true,
                Some(sentence) => {
                    lacking.push(sentence.clone());
                    explained.missing = Some(sentence);
                }
            }
            if !target.provider.plugin.trusted {
                self.notes.push(untrusted(target));
            } else if !explained.known {
                self.notes.extend(unlisted(target));
            }
            self.targets.push(explained);
        }
        match answers {
            true => self.notes.extend(lacking),
            false => self.problem = Some(lacking.join(". ")),
        }
    }
}

/// What is worth knowing of a component that nobody accepted.
fn untrusted(target: &Target) -> String {
    let plugin = &target.provider.plugin;
    format!(
        "{} is not trusted: it answers to {}:MODEL alone, and no header of a client's goes up. To accept it: {}",
        plugin.id,
        plugin.id,
        plugin.to_accept()
    )
}

/// What is worth knowing of a model that the catalogue does not list.
fn unlisted(target: &Target) -> Vec<String> {
    let catalogue = target.provider.catalogue();
    let near = nearest_of_all(&target.model, catalogue.iter().map(|model| model.id.as_str()), 3);
    let mut notes = vec![format!("`{}` is not in the catalogue: passes through", target.model)];
    if !near.is_empty() {
        notes.push(format!("nearest in the catalogue: {}", near.join(", ")));
    }
    notes
}

/// Why the target's first account is left alone, and until when: limits are known without a running gateway, too.
fn cooling(target: &Target, label: Option<&str>) -> Option<String> {
    let candidate = Candidate { provider: target.provider.id(), label, model: &target.model, own: None };
    let (until, reason) = target.provider.learned.cooldowns.peek(&candidate, SystemTime::now())?;
    Some(format!("{reason}, until {}", Timestamp::from(until)))
}

fn explain_target(target: &Target, wanted: Option<Wanted<'_>>, accounts: Vec<String>) -> ExplainedTarget {
    let provider = &target.provider;
    let listed = provider.entry(&target.model);
    let usual = listed.as_ref().and_then(|model| model.operations.first()).map_or("generate", String::as_str);
    let operation = wanted.map_or(usual, |wanted| wanted.operation);
    let label = accounts.first().map(String::as_str);
    ExplainedTarget {
        cooling: cooling(target, label),
        provider: provider.id().to_owned(),
        model: target.model.clone(),
        account: accounts.first().cloned(),
        accounts,
        missing: None,
        billing: bitrouter_route::billing_in_words(provider.billing()),
        origin: provider.origins.get("api").map(ToString::to_string).unwrap_or_default(),
        dialects: provider.plugin.dialects(operation).to_vec(),
        // Every request goes up in the client's own dialect.
        dialect: wanted.map(|wanted| wanted.dialect.to_owned()),
        translated: false,
        known: listed.is_some(),
    }
}

/// The labels of the accounts that a target may use, or what it lacks.
fn accounts(target: &Target) -> (Vec<String>, Option<String>) {
    let accounts = &target.provider.accounts;
    let id = target.provider.id();
    if !accounts.needs_credential() {
        let named = target.label.as_ref().map(|label| {
            format!("{id}: it needs no credential, so there is no account `{label}`. Use {id}:{}", target.model)
        });
        return (Vec::new(), named);
    }
    match accounts.select(target.label.as_deref()) {
        Ok(credential) if target.label.is_some() => (vec![credential.label.clone()], None),
        Ok(_) => (accounts.list().accounts().map(|credential| credential.label.clone()).collect(), None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    }
}

fn explain_skip(skipped: Skipped) -> ExplainedSkip {
    ExplainedSkip { why: skipped.why.to_string(), provider: skipped.provider, model: skipped.model }
}
