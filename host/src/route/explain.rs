//! The routing decision in words, without sending anything: what `bitrouter route` prints.
//!
//! The decision is the one that requests get, and so is the look ahead at what they would try; only the words are made here.

use std::time::SystemTime;

use bitrouter_files::Timestamp;
use bitrouter_route::choice::Unasked;
use bitrouter_route::nearest::nearest_of_all;
use bitrouter_route::{Candidate, Conversation, Cooldowns, Plan, Skipped, Wanted, Why, Window, billing};
use serde::Serialize;

use super::{Providers, Target, choose};

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
    /// What a request would try now, one after the other while all fail, as `PROVIDER@LABEL:MODEL`: without what cools down,
    /// and with what is asked after all others at the end.
    pub order: Vec<String>,
    /// Whether that is another order than the one of the targets and their accounts.
    #[serde(skip)]
    pub is_rearranged: bool,
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
    /// Why in this order, where it is not that of their labels.
    pub choice: Option<String>,
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
    /// Until when accounts of it are not tried, and why, if any cools down.
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
    /// The decision for a request's addresses; without an endpoint, for any that serves them, and without a conversation, for
    /// one that belongs to none.
    pub fn explain(
        &self,
        addresses: &[String],
        wanted: Option<Wanted<'_>>,
        conversation: Option<Conversation>,
    ) -> Explanation {
        let mut explanation =
            Explanation { address: addresses.join(", "), addresses: addresses.to_vec(), ..Explanation::default() };
        let mut skipped = Vec::new();
        match self.decide(addresses, wanted, &mut skipped) {
            Ok((targets, error)) => {
                explanation.targets(&targets, wanted, conversation, &mut skipped);
                explanation.problem = error.map(|error| error.to_string()).or(explanation.problem.take());
            }
            Err(error) => explanation.problem = Some(error.to_string()),
        }
        explanation.skipped = skipped.into_iter().map(explain_skip).collect();
        explanation
    }
}

impl Explanation {
    fn targets(
        &mut self,
        targets: &[Target],
        wanted: Option<Wanted<'_>>,
        conversation: Option<Conversation>,
        skipped: &mut Vec<Skipped>,
    ) {
        let windows = |id: &str, label: &str| windows(targets, id, label);
        let choice = choose(targets, windows, || conversation);
        let cooldowns =
            targets.first().map_or_else(Cooldowns::default, |target| target.provider.learned.cooldowns.clone());
        let (candidates, now) = (&choice.candidates, SystemTime::now());
        let order = Plan::ahead(&cooldowns, candidates, now);
        self.is_rearranged = !order.iter().copied().eq(0..candidates.len());
        self.order = order.into_iter().map(|index| candidates[index].to_string()).collect();
        let mut unasked = choice.unasked.iter().peekable();
        let mut lacking = Vec::new();
        for (index, target) in targets.iter().enumerate() {
            let mut explained = explain_target(target, wanted);
            match unasked.next_if(|(unasked, _)| *unasked == index).map(|(_, why)| why) {
                Some(Unasked::Behind(unpaid)) => {
                    let before = &targets[*unpaid];
                    skipped.push(Skipped {
                        provider: explained.provider,
                        model: explained.model,
                        why: Why::Behind(format!("{}:{}", before.provider.id(), before.model)),
                    });
                    continue;
                }
                Some(Unasked::Unpaid(sentence)) => {
                    lacking.push(sentence.clone());
                    explained.missing = Some(sentence.clone());
                }
                None => {
                    let labels: Vec<&str> = choice.accounts(index).filter_map(Candidate::label).collect();
                    let of_account = |label: &str| windows(target.provider.id(), label);
                    if labels.is_empty() && !target.provider.accounts.goes_without() {
                        let (provider, model) = (&explained.provider, &explained.model);
                        self.notes.push(format!("{provider}:{model}: its accounts are asked in an earlier target"));
                    }
                    explained.choice = target.provider.strategy.said(&labels, of_account, conversation.is_some());
                    explained.account = labels.first().map(|label| (*label).to_owned());
                    explained.accounts = labels.into_iter().map(str::to_owned).collect();
                    explained.cooling = cooling(choice.accounts(index), &cooldowns, now);
                }
            }
            if !target.provider.plugin.trusted {
                self.notes.push(untrusted(target));
            } else if !explained.known {
                self.notes.extend(unlisted(target));
            }
            self.targets.push(explained);
        }
        match choice.candidates.is_empty() {
            true => self.problem = Some(lacking.join(". ")),
            false => self.notes.extend(lacking),
        }
    }
}

/// What is known of an account's limits. All providers know the same.
fn windows(targets: &[Target], provider: &str, label: &str) -> Vec<Window> {
    targets.first().map(|target| target.provider.learned.windows.get(provider, label)).unwrap_or_default()
}

/// Why candidates are left alone, and until when: limits are known without a running gateway, too.
fn cooling<'a>(
    candidates: impl Iterator<Item = &'a Candidate>,
    cooldowns: &Cooldowns,
    now: SystemTime,
) -> Option<String> {
    let said = candidates.filter_map(|candidate| {
        let (until, reason) = cooldowns.peek(candidate, now)?;
        let label = candidate.label().map(|label| format!(" ({label})")).unwrap_or_default();
        Some(format!("{reason}, until {}{label}", Timestamp::from(until)))
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| said.join("; "))
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

fn explain_target(target: &Target, wanted: Option<Wanted<'_>>) -> ExplainedTarget {
    let provider = &target.provider;
    let listed = provider.entry(&target.model);
    let usual = listed.as_ref().and_then(|model| model.operations.first()).map_or("generate", String::as_str);
    let operation = wanted.map_or(usual, |wanted| wanted.operation);
    ExplainedTarget {
        provider: provider.id().to_owned(),
        model: target.model.clone(),
        account: None,
        accounts: Vec::new(),
        choice: None,
        missing: None,
        billing: billing::in_words(provider.billing()),
        origin: provider.origins.get("api").map(ToString::to_string).unwrap_or_default(),
        dialects: provider.plugin.dialects(operation, &target.model).to_vec(),
        dialect: wanted.map(|wanted| provider.dialect_for(wanted, &target.model).unwrap_or(wanted.dialect).to_owned()),
        translated: wanted.is_some_and(|wanted| provider.dialect_for(wanted, &target.model) != Some(wanted.dialect)),
        known: listed.is_some(),
        cooling: None,
    }
}

fn explain_skip(skipped: Skipped) -> ExplainedSkip {
    ExplainedSkip { why: skipped.why.to_string(), provider: skipped.provider, model: skipped.model }
}
