//! The plan of a request's journey: its targets, and for each the accounts that may pay, in order.
//!
//! Made once for a request, before anything is sent. What is missing becomes a failure here: loud, and never a reason to
//! move on to something that costs money.

use std::sync::Arc;
use std::time::SystemTime;

use bitrouter_contract::description::Billing;
use bitrouter_credential::{AccountError, Credential};
use bitrouter_route::cooldown::{Candidate, Reason};
use bitrouter_route::{Account, Conversation, Own, Passed, Place};

use super::failed::Failed;
use crate::app::App;
use crate::call::{Call, CallBody};
use crate::error::Error;
use crate::route::Target;

/// The credential of an account, as a journey knows it.
#[derive(Clone)]
pub(super) struct Payer(pub Arc<Credential>);

impl Account for Payer {
    fn label(&self) -> &str {
        &self.0.label
    }

    fn since(&self) -> SystemTime {
        self.0.since
    }
}

/// The targets of a call; waits a little for components that are still being compiled.
pub(super) async fn targets(app: &App, call: &Call) -> Result<Vec<Target>, Error> {
    let wanted = call.endpoint.wanted();
    let providers = app.directory.now();
    match providers.targets(&call.addresses, wanted) {
        Err(_) if providers.pending > 0 => {}
        found => return found,
    }
    let providers = app.directory.settled().await;
    match providers.targets(&call.addresses, wanted) {
        Err(_) if providers.pending > 0 => Err(Error::Compiling),
        found => found,
    }
}

/// The places of a journey to these targets, and the failure of those where nobody can pay.
pub(super) fn places(app: &App, call: &mut Call, targets: &[Target]) -> (Vec<Place<Payer>>, Option<Failed>) {
    let mut conversation = None;
    let mut failed: Option<Failed> = None;
    let mut places: Vec<Place<Payer>> = Vec::with_capacity(targets.len());
    for (at, target) in targets.iter().enumerate() {
        let provider = &target.provider;
        let mut accounts = Vec::new();
        match payers(target) {
            Ok(payers) if payers.len() > 1 => {
                if provider.strategy.needs_conversation() && conversation.is_none() {
                    conversation = Conversation::of(&call.headers, document(&mut call.body));
                }
                let labels: Vec<&str> = payers.iter().map(Payer::label).collect();
                let windows = |label: &str| app.directory.windows().get(provider.id(), label);
                let order = provider.strategy.order(&labels, windows, conversation.as_ref());
                accounts.extend(order.into_iter().map(|index| Some(payers[index].clone())));
            }
            Ok(payers) => accounts.extend(payers.into_iter().map(Some)),
            Err(Unpaid::NotNeeded) => accounts.push(None),
            Err(Unpaid::Fault { sentence, missing }) => {
                tracing::warn!(provider = provider.id(), model = target.model, reason = sentence, "target passed over");
                let new = Failed::from(Error::NoCredential(sentence));
                failed = Some(match failed.take() {
                    Some(other) if !new.is_more_useful_than(&other) => other,
                    _ => new,
                });
                if missing && moves_to_money(target, &targets[at + 1..]) {
                    break;
                }
            }
        }
        // Where nothing cools down nobody asks for it.
        let own = match app.directory.cooldowns().is_empty() {
            true => None,
            false => Own::of(&provider.forward, &call.headers),
        };
        places.push(Place { provider: provider.id().to_owned(), model: target.model.clone(), accounts, own });
    }
    (places, failed)
}

/// Why nobody pays for a target.
enum Unpaid {
    /// The provider needs no credential.
    NotNeeded,
    /// There is none that can be used. `missing` is true where there never was one: nobody meant to pay with it.
    Fault { sentence: String, missing: bool },
}

impl From<AccountError> for Unpaid {
    fn from(error: AccountError) -> Self {
        let missing = match error {
            AccountError::NoCredential { .. }
            | AccountError::NotLoggedIn { .. }
            | AccountError::UnknownLabel { .. } => true,
            AccountError::LogInAgain { .. }
            | AccountError::NotRefreshed { .. }
            | AccountError::Rejected { .. }
            | AccountError::Refused { .. }
            | AccountError::WrongKind { .. }
            | AccountError::UnknownKind { .. }
            | AccountError::OutOfReach { .. }
            | AccountError::Store(_) => false,
        };
        Unpaid::Fault { sentence: error.to_string(), missing }
    }
}

/// Who may pay for a target.
fn payers(target: &Target) -> Result<Vec<Payer>, Unpaid> {
    let (provider, accounts) = (target.provider.id(), &target.provider.accounts);
    if let Some(label) = &target.label {
        if !accounts.needs_credential() {
            let model = &target.model;
            let sentence =
                format!("{provider}: it needs no credential, so there is no account `{label}`. Use {provider}:{model}");
            return Err(Unpaid::Fault { sentence, missing: true });
        }
        return Ok(vec![Payer(accounts.select(Some(label))?)]);
    }
    if !accounts.needs_credential() {
        return Err(Unpaid::NotNeeded);
    }
    let listing = accounts.list();
    match accounts.select(None) {
        // Another account may stand in for a login that is over. A key that cannot be used is said, not passed over.
        Err(AccountError::LogInAgain { .. }) if listing.accounts().next().is_some() => {}
        Err(error) => return Err(error.into()),
        Ok(_) => {}
    }
    Ok(listing.accounts().map(|credential| Payer(Arc::clone(credential))).collect())
}

/// Whether what follows on a target that is paid for already, or costs nothing, costs money for each token.
fn moves_to_money(target: &Target, rest: &[Target]) -> bool {
    let costs = |target: &Target| target.provider.billing() == Billing::PayPerToken;
    !costs(target) && rest.iter().any(costs)
}

fn document(body: &mut CallBody) -> Option<&mut bitrouter_document::Document> {
    match body {
        CallBody::Json(document) => Some(document),
        CallBody::Form { .. } | CallBody::None => None,
    }
}

/// The answer from memory where a target cools down: what it failed with, and when it ends.
pub(super) fn from_memory(target: &Target, place: &Place<Payer>, passed: Passed) -> Failed {
    let (provider, model) = (target.provider.id(), &target.model);
    let label = place.accounts[passed.account].as_ref().map(Payer::label);
    let candidate = Candidate { provider, label, model, own: place.own.as_ref() };
    let by_own = target.provider.learned.cooldowns.closed_by_own(&candidate, SystemTime::now());
    let own = place.own.clone().filter(|_| by_own);
    let has_login = target.provider.accounts.login().is_some();
    if let (Reason::LoggedOut, Some(label), None, true) = (passed.reason, label, &own, has_login) {
        let (provider, label) = (provider.to_owned(), label.to_owned());
        return Error::NoCredential(AccountError::LogInAgain { provider, label }.to_string()).into();
    }
    let target = match label {
        Some(label) => format!("{provider}@{label}:{model}"),
        None => format!("{provider}:{model}"),
    };
    Error::Cooling { target, own, reason: passed.reason, until: passed.until }.into()
}
