//! Who may pay for targets: what the choice of `bitrouter-route` needs to know of each, read from its provider's accounts.
//!
//! The pipeline asks for each request, `bitrouter route`, the pages of models and the simulation for the very same choice.

use std::sync::Arc;

use bitrouter_credential::{AccountError, Credential};
use bitrouter_route::choice::{Offer, Payers};
use bitrouter_route::{Account, Choice, Conversation, Window};

use super::Target;

/// Who is asked for these targets, in order.
pub fn choose(
    targets: &[Target],
    windows: impl Fn(&str, &str) -> Vec<Window>,
    conversation: impl FnOnce() -> Option<Conversation>,
) -> Choice {
    let offer = |target: &Target| Offer {
        provider: Arc::clone(&target.provider.plugin.id),
        model: target.model.as_str().into(),
        billing: target.provider.billing(),
        strategy: target.provider.strategy,
        payers: payers(target),
    };
    Choice::of(targets.iter().map(offer).collect(), windows, conversation)
}

fn payers(target: &Target) -> Payers {
    let accounts = &target.provider.accounts;
    if !accounts.takes_credential() || (target.label.is_none() && accounts.goes_without()) {
        let Some(label) = &target.label else { return Payers::NotNeeded };
        let (provider, model) = (target.provider.id(), &target.model);
        let sentence =
            format!("{provider}: it needs no credential, so there is no account `{label}`. Use {provider}:{model}");
        return Payers::Nobody { sentence, missing: true };
    }
    let account =
        |credential: &Arc<Credential>| Account { label: Arc::clone(&credential.label), since: credential.since };
    let listing = accounts.list();
    let mut usable = listing.accounts().map(account).peekable();
    match (accounts.select(target.label.as_deref()), &target.label) {
        (Ok(credential), Some(_)) => Payers::Accounts(vec![account(&credential)]),
        (Ok(_), None) => Payers::Accounts(usable.collect()),
        // Another account may stand in for a login that is over. A key that cannot be used is said, not passed over.
        (Err(AccountError::LogInAgain { .. }), None) if usable.peek().is_some() => Payers::Accounts(usable.collect()),
        (Err(error), Some(_) | None) => Payers::Nobody { missing: is_missing(&error), sentence: error.to_string() },
    }
}

fn is_missing(error: &AccountError) -> bool {
    match error {
        AccountError::NoCredential { .. } | AccountError::NotLoggedIn { .. } | AccountError::UnknownLabel { .. } => {
            true
        }
        AccountError::LogInAgain { .. }
        | AccountError::NotRefreshed { .. }
        | AccountError::NotMinted { .. }
        | AccountError::Incomplete { .. }
        | AccountError::Rejected { .. }
        | AccountError::Refused { .. }
        | AccountError::WrongKind { .. }
        | AccountError::UnknownKind { .. }
        | AccountError::OutOfReach { .. }
        | AccountError::Store(_) => false,
    }
}
