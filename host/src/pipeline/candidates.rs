//! The candidates of a request: its targets, and who is asked for them, in order.
//!
//! Made once for a request, before anything is sent. What is missing becomes a failure here: loud, and never a reason to
//! move on to something that costs money.

use std::time::SystemTime;

use bitrouter_credential::AccountError;
use bitrouter_route::choice::Unasked;
use bitrouter_route::cooldown::Reason;
use bitrouter_route::{Candidate, Conversation, Own, Passed};

use super::failed::Failed;
use crate::app::App;
use crate::call::{Call, CallBody};
use crate::error::Error;
use crate::route::{Target, choose};

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

/// Who is asked for these targets, in order, and the failure of those where nobody pays.
pub(super) fn of(app: &App, call: &mut Call, targets: &[Target]) -> (Vec<Candidate>, Option<Failed>) {
    let Call { headers, body, .. } = call;
    let windows = |provider: &str, label: &str| app.directory.windows().get(provider, label);
    let choice = choose(targets, windows, || Conversation::of(headers, document(body)));
    let mut failed = None;
    for (at, why) in choice.unasked {
        let (provider, model) = (targets[at].provider.id(), &targets[at].model);
        match why {
            Unasked::Unpaid(reason) => {
                tracing::warn!(provider, model, reason, "target passed over");
                failed = Some(Failed::from(Error::NoCredential(reason)).or_more_useful(failed));
            }
            Unasked::Behind(_) => tracing::debug!(provider, model, "not reached: it costs money"),
        }
    }
    let mut candidates = choice.candidates;
    // Where nothing cools down nobody asks for it.
    if !app.directory.cooldowns().is_empty() {
        for candidate in &mut candidates {
            candidate.own = Own::of(&targets[candidate.target].provider.forward, headers);
        }
    }
    (candidates, failed)
}

/// Where a call names what a provider keeps, only the one that is asked first may know it: no other provider does, nor does
/// another account, and what is translated has no place for the name.
pub(super) fn knowing(
    call: &Call,
    mut candidates: Vec<Candidate>,
    best: Option<&Failed>,
    targets: &[Target],
) -> Result<Vec<Candidate>, Error> {
    let Some(name) = call.continued.as_ref().and_then(|continued| continued.elsewhere.as_ref()) else {
        return Ok(candidates);
    };
    let wanted = call.endpoint.wanted();
    let native =
        |target: &Target| target.provider.dialect_for(wanted, &target.model).is_none_or(|it| it == wanted.dialect);
    candidates.retain(|candidate| native(&targets[candidate.target]));
    candidates.truncate(1);
    // One that would know it but has no credential says so itself.
    let why = best.filter(|_| targets.iter().any(native));
    if candidates.is_empty() && why.is_none() { Err(Error::NotKept(name.clone())) } else { Ok(candidates) }
}

fn document(body: &mut CallBody) -> Option<&mut bitrouter_document::Document> {
    match body {
        CallBody::Json(document) => Some(document),
        CallBody::Form { .. } | CallBody::Opaque { .. } | CallBody::None => None,
    }
}

/// The answer from memory where a candidate cools down: what it failed with, and when it ends.
pub(super) fn from_memory(target: &Target, candidate: &Candidate, passed: Passed) -> Failed {
    let by_own = target.provider.learned.cooldowns.closed_by_own(candidate, SystemTime::now());
    let own = candidate.own.clone().filter(|_| by_own);
    let has_login = target.provider.accounts.login().is_some();
    if let (Reason::LoggedOut, Some(label), None, true) = (passed.reason, candidate.label(), &own, has_login) {
        let (provider, label) = (candidate.provider.to_string(), label.to_owned());
        return Error::NoCredential(AccountError::LogInAgain { provider, label }.to_string()).into();
    }
    Error::Cooling { target: candidate.to_string(), own, reason: passed.reason, until: passed.until }.into()
}
