//! One request's failover, and what an answer means to it. Only the upstream is played: the plan is the gateway's own.

use std::time::SystemTime;

use bitrouter_route::cooldown::Reason;
use bitrouter_route::{Attempt, By, Candidate, Cooldowns, Ends, Meaning, Own, Plan};

use bitrouter_contract::Scope;
use bitrouter_contract::{Forward, Reserved};
use bitrouter_dialect::ErrorKind;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::offer::position;
use super::upstream::{Answer, FOREIGN, LABELS, MODELS, Millis, PROVIDERS, Spot, wall};

pub(crate) fn candidate(spot: Spot, own: Option<&Own>) -> Candidate {
    let candidate = Candidate::new(PROVIDERS[spot.provider], Some(LABELS[spot.account]), MODELS[spot.model]);
    Candidate { own: own.cloned(), ..candidate }
}

/// Where a candidate is.
pub(crate) fn spot(candidate: &Candidate) -> Spot {
    Spot {
        provider: position(&PROVIDERS, &candidate.provider),
        account: position(&LABELS, candidate.label().expect("all of them need one")),
        model: position(&MODELS, &candidate.model),
    }
}

/// The headers of its own that a conversation's client sends.
pub(crate) fn own(conversation: u64) -> Option<Own> {
    let forward = Forward::new(&["acme-tenant".to_owned()], Reserved::default()).unwrap();
    let tenant = (HeaderName::from_static("acme-tenant"), HeaderValue::from_static("another"));
    (conversation == FOREIGN).then(|| Own::of(&forward, &HeaderMap::from_iter([tenant])))?
}

/// A request on its way.
pub(crate) struct Failover {
    plan: Plan<'static>,
    by: By,
    attempt: Option<Attempt>,
}

impl Failover {
    /// `since`: when the account of a candidate came to the credential that it has at this moment.
    pub(crate) fn new(
        cooldowns: &'static Cooldowns,
        conversation: u64,
        mut candidates: Vec<Candidate>,
        since: impl Fn(Spot) -> Millis,
    ) -> Self {
        let by = By { caller: conversation, own: own(conversation) };
        for candidate in &mut candidates {
            let login = wall(since(spot(candidate)));
            candidate.account.as_mut().expect("all of them need one").since = login;
            candidate.own.clone_from(&by.own);
        }
        Failover { plan: Plan::new(cooldowns, candidates), by, attempt: None }
    }

    /// Where it goes next, and since when it has the credential for that; none where nothing is left.
    pub(crate) fn next(&mut self, now: Millis) -> Option<(Spot, SystemTime)> {
        let attempt = self.plan.next(wall(now))?;
        let candidate = self.plan.candidate(&attempt);
        let next = (spot(candidate), candidate.account.as_ref()?.since);
        self.attempt = Some(attempt);
        Some(next)
    }

    /// The answer to what was sent last.
    pub(crate) fn answered(&mut self, answer: &Answer, now: Millis) {
        let attempt = self.attempt.take().expect("it was sent");
        match meaning(answer) {
            None => self.plan.arrived(attempt, wall(now)),
            Some(meaning) => self.plan.failed(attempt, &meaning, self.by.clone(), false, wall(now)),
        }
    }
}

/// What a component would say of the answer; nothing of content.
fn meaning(answer: &Answer) -> Option<Meaning> {
    let theirs = |kind, scope| Some(Meaning::theirs(kind, scope, None));
    match answer {
        Answer::Content(_) => None,
        Answer::Limited(reason, told) => {
            let kind = if *reason == Reason::UsageLimit { ErrorKind::UsageLimit } else { ErrorKind::RateLimited };
            Some(Meaning::theirs(kind, Scope::Account, told.map(|told| Ends::At(wall(told)))))
        }
        Answer::Outage(Reason::Overloaded) => theirs(ErrorKind::Overloaded, Scope::Provider),
        Answer::Outage(reason) => {
            let meaning = Meaning::theirs(ErrorKind::Upstream, Scope::Provider, None);
            Some(Meaning { why: Some(*reason), ..meaning })
        }
        Answer::Dead => theirs(ErrorKind::Unauthorized, Scope::Account),
        Answer::NotOffered => theirs(ErrorKind::Forbidden, Scope::Account),
        Answer::TooLong => theirs(ErrorKind::ContextWindow, Scope::Model),
        Answer::BadRequest => theirs(ErrorKind::InvalidRequest, Scope::Request),
    }
}
