//! A request from target to target until one answers, and where the config says so, beside one that is slow another.
//!
//! `run` walks each request here. The order is the journey's, and what an attempt does is the attempt's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bitrouter_contract::description::Billing;
use bitrouter_route::billing::{leaves_a_plan, takes_from_a_plan};
use bitrouter_route::{By, Candidate, Conversation, Journey, Leg, Own};
use futures_util::future::select_all;
use http::header::{AUTHORIZATION, USER_AGENT};

use super::attempt;
use super::deliver::Delivered;
use super::failed::{self, Failed};
use super::plan;
use crate::app::App;
use crate::call::{Call, CallBody};
use crate::error::Error;
use crate::route::Target;
use crate::telemetry::{Finished, Phase};

/// How long a connection may take to open while another target could be asked. Anywhere on Earth a server answers sooner;
/// where it does not, it is most likely that nobody will.
const PATIENCE: Duration = Duration::from_millis(500);

/// The answer of the first target that has one, or the most useful of the failures.
pub(super) async fn first_answer(app: &App, mut call: Box<Call>, finished: &mut Finished) -> Result<Delivered, Failed> {
    if let Some(first) = call.addresses.first() {
        finished.model.clone_from(first);
    }
    let targets = plan::targets(app, &call).await?;
    let (candidates, best) = plan::candidates(app, &mut call, &targets);
    let length = call.body.len();
    let body = std::mem::take(&mut call.body);
    let journey = Journey::new(app.directory.cooldowns(), candidates);
    let mut walk = Walk { journey, call: &call, targets: &targets, body, length, best, finished };
    while let Some(leg) = walk.journey.next(SystemTime::now()) {
        let attempt = walk.begin(&leg);
        let may_hedge = !call.streaming && !takes_from_a_plan(walk.billing(&leg));
        let delivered = match app.config.hedge_after.filter(|_| may_hedge) {
            None => walk.ended(leg, attempt.await),
            Some(after) => Box::pin(walk.hedged(leg, Box::pin(attempt), after)).await,
        };
        if let Some(delivered) = delivered {
            return Ok(delivered);
        }
    }
    Err(walk.most_useful())
}

/// An attempt under way, where it is one of two.
type Attempt<'c> = Pin<Box<dyn Future<Output = Result<Delivered, Failed>> + Send + 'c>>;

/// A request on its way.
struct Walk<'c> {
    journey: Journey<'c>,
    call: &'c Call,
    targets: &'c [Target],
    body: CallBody,
    /// How long it is.
    length: usize,
    /// The most useful failure so far.
    best: Option<Failed>,
    finished: &'c mut Finished,
}

impl<'c> Walk<'c> {
    fn billing(&self, leg: &Leg) -> Billing {
        self.targets[self.journey.candidate(leg).target].provider.billing()
    }

    /// Begins an attempt; the record says that this is tried.
    fn begin(&mut self, leg: &Leg) -> impl Future<Output = Result<Delivered, Failed>> + use<'c> {
        let candidate = self.journey.candidate(leg);
        failed::name_in(self.finished, candidate);
        self.finished.attempts += 1;
        self.finished.dialect_out = self.call.endpoint.dialect;
        self.finished.enter(Phase::Waiting);
        let label = candidate.account.as_ref().map(|account| Arc::clone(&account.label));
        let (target, targets, billing) = (&self.targets[candidate.target], self.targets, self.billing(leg));
        let may_hurry = |target: usize| !leaves_a_plan(billing, targets[target].provider.billing());
        let patience = self.journey.has_elsewhere(may_hurry, SystemTime::now()).then_some(PATIENCE);
        let body = if self.journey.goes_on() { self.body.clone() } else { std::mem::take(&mut self.body) };
        attempt::run(target, label, self.call, body, patience)
    }

    /// The answer, or what follows from the failure.
    fn ended(&mut self, leg: Leg, outcome: Result<Delivered, Failed>) -> Option<Delivered> {
        let candidate = self.journey.candidate(&leg);
        let mut failed = match outcome {
            Ok(delivered) => {
                failed::name_in(self.finished, candidate);
                self.finished.enter(Phase::Answering);
                self.journey.arrived(leg, SystemTime::now());
                return Some(delivered);
            }
            Err(failed) => failed,
        };
        let candidate = Box::new(candidate.clone());
        let by = self.by(&candidate);
        if let Some(own) = by.own.as_ref().filter(|_| failed.meaning.upstream && failed.meaning.is_an_answer()) {
            failed.sentence += &format!(" (the request carried the client's {own})");
        }
        tracing::warn!(
            request = &*self.finished.id,
            provider = &*candidate.provider,
            account = candidate.label().unwrap_or_default(),
            model = &*candidate.model,
            reason = failed.sentence,
            "attempt failed"
        );
        failed.asked = Some(candidate);
        self.journey.failed(leg, &failed.meaning, by, failed.committed, SystemTime::now());
        self.best = Some(failed.or_more_useful(self.best.take()));
        None
    }

    /// Whose request this is: who holds the key, in which program and conversation, with a body of which length. Requests
    /// that differ in none of it are most likely one that is sent again.
    fn by(&self, candidate: &Candidate) -> By {
        let headers = &self.call.headers;
        let mut caller = DefaultHasher::new();
        for name in [AUTHORIZATION.as_str(), "x-api-key", USER_AGENT.as_str()] {
            headers.get(name).hash(&mut caller);
        }
        match Conversation::named_by(headers) {
            Some(conversation) => conversation.hash(&mut caller),
            None => self.length.hash(&mut caller),
        }
        By { caller: caller.finish(), own: Own::of(&self.targets[candidate.target].provider.forward, headers) }
    }

    /// Waits for an attempt, and once it has been slow for so long, for another beside it. The first answer wins, and the
    /// other attempt ends with it. None where those that ran have failed.
    async fn hedged(&mut self, leg: Leg, attempt: Attempt<'c>, after: Duration) -> Option<Delivered> {
        let mut running = vec![(leg, attempt)];
        let mut slow = pin!(tokio::time::sleep(after));
        loop {
            let ended = select_all(running.iter_mut().map(|(_, attempt)| attempt));
            let (outcome, index) = tokio::select! {
                (outcome, index, _) = ended => (outcome, index),
                () = &mut slow, if !slow.is_elapsed() => {
                    let targets = self.targets;
                    let may = |target: usize| !takes_from_a_plan(targets[target].provider.billing());
                    if let Some(leg) = self.journey.beside(may, SystemTime::now()) {
                        let attempt = Box::pin(self.begin(&leg));
                        running.push((leg, attempt));
                    }
                    continue;
                }
            };
            let (leg, _) = running.swap_remove(index);
            let delivered = self.ended(leg, outcome);
            if delivered.is_some() || running.is_empty() || self.journey.is_over() {
                return delivered;
            }
        }
    }

    /// What the client is told once all was tried.
    fn most_useful(self) -> Failed {
        let memory = self.journey.first_to_end().map(|passed| {
            let candidate = &self.journey.candidates()[passed.candidate];
            plan::from_memory(&self.targets[candidate.target], candidate, passed)
        });
        match (memory, self.best) {
            (Some(memory), Some(failed)) => {
                if memory.stands_in_for(&failed) {
                    memory
                } else {
                    failed
                }
            }
            (None, Some(failed)) => failed,
            (Some(memory), None) => memory,
            (None, None) => Error::Internal("no target could be tried, and nothing says why".into()).into(),
        }
    }
}
