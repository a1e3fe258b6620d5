//! One request's journey, and what an answer means to it. Only the upstream is played: the journey is the gateway's own.

use std::time::SystemTime;

use bitrouter_route::cooldown::{Candidate, Reason};
use bitrouter_route::journey::{Account, By, Journey, Leg, Place};
use bitrouter_route::verdict::{Ends, Meaning};
use bitrouter_route::{Cooldowns, Own};

use bitrouter_contract::Scope;
use bitrouter_contract::{Forward, Reserved};
use bitrouter_dialect::ErrorKind;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::upstream::{Answer, FOREIGN, LABELS, MODELS, Millis, PROVIDERS, Spot, wall};

pub(crate) fn candidate(spot: Spot, own: Option<&Own>) -> Candidate<'_> {
    Candidate { provider: PROVIDERS[spot.provider], label: Some(LABELS[spot.account]), model: MODELS[spot.model], own }
}

/// The headers of its own that a conversation's client sends.
pub(crate) fn own(conversation: u64) -> Option<Own> {
    let forward = Forward::new(&["acme-tenant".to_owned()], Reserved::default()).unwrap();
    let tenant = (HeaderName::from_static("acme-tenant"), HeaderValue::from_static("another"));
    (conversation == FOREIGN).then(|| Own::of(&forward, &HeaderMap::from_iter([tenant])))?
}

/// An account with the credential that it has at this moment.
#[derive(Clone)]
pub(crate) struct Login {
    pub account: usize,
    pub since: Millis,
}

impl Account for Login {
    fn label(&self) -> &str {
        LABELS[self.account]
    }

    fn since(&self) -> SystemTime {
        wall(self.since)
    }
}

/// A request on its way.
pub(crate) struct Walk {
    journey: Journey<'static, Login>,
    /// Where each place of the journey is.
    places: Vec<(usize, usize)>,
    by: By,
    leg: Option<Leg<Login>>,
}

impl Walk {
    /// By place: the provider, the model, and the accounts in their order.
    pub(crate) fn new(cooldowns: &'static Cooldowns, conversation: u64, plan: Vec<(usize, usize, Vec<Login>)>) -> Self {
        let by = By { caller: conversation, own: own(conversation) };
        let places = plan.iter().map(|(provider, model, _)| (*provider, *model)).collect();
        let place = |(provider, model, accounts): (usize, usize, Vec<Login>)| Place {
            provider: PROVIDERS[provider].to_owned(),
            model: MODELS[model].to_owned(),
            accounts: accounts.into_iter().map(Some).collect(),
            own: by.own.clone(),
        };
        let plan = plan.into_iter().map(place).collect();
        Walk { journey: Journey::new(cooldowns, plan), places, by, leg: None }
    }

    /// Where it goes next, and since when it has the credential for that; none where nothing is left.
    pub(crate) fn next(&mut self, now: Millis) -> Option<(Spot, Millis)> {
        let leg = self.journey.next(wall(now))?;
        let (provider, model) = self.places[leg.place];
        let Login { account, since } = *leg.account.as_ref().expect("all of them need one");
        self.leg = Some(leg);
        Some((Spot { provider, account, model }, since))
    }

    /// The answer to what was sent last.
    pub(crate) fn answered(&mut self, answer: &Answer, now: Millis) {
        let leg = self.leg.take().expect("it was sent");
        match meaning(answer) {
            None => self.journey.arrived(leg, wall(now)),
            Some(meaning) => self.journey.failed(leg, &meaning, self.by.clone(), false, wall(now)),
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
