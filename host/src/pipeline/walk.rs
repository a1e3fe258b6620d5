//! A request from target to target until one answers, and where the config says so, beside one that is slow another.
//!
//! `run` walks each request here. The order is the journey's, and what an attempt does is the attempt's.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bitrouter_contract::description::Billing;
use bitrouter_route::{By, Conversation, Journey, Leg, Own};
use futures_util::future::select_all;
use http::header::{AUTHORIZATION, USER_AGENT};

use super::attempt;
use super::deliver::Delivered;
use super::failed::{At, Failed};
use super::plan::{self, Payer};
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
    let (places, best) = plan::places(app, &mut call, &targets);
    let length = call.body.len();
    let body = std::mem::take(&mut call.body);
    let journey = Journey::new(app.directory.cooldowns(), places);
    let mut walk = Walk { journey, call: &call, targets: &targets, body, length, best, finished };
    while let Some(leg) = walk.journey.next(SystemTime::now()) {
        let step = walk.begin(leg);
        let attempt = walk.attempt(&step);
        let may_hedge = !call.streaming && costs_no_plan(&targets[step.leg.place]);
        let delivered = match app.config.hedge_after.filter(|_| may_hedge) {
            None => walk.ended(step, attempt.await),
            Some(after) => Box::pin(walk.hedged(step, Box::pin(attempt), after)).await,
        };
        if let Some(delivered) = delivered {
            return Ok(delivered);
        }
    }
    Err(walk.most_useful())
}

/// Whether a call takes nothing from a plan: a second one costs money at most.
fn costs_no_plan(target: &Target) -> bool {
    target.provider.billing() != Billing::Subscription
}

/// Whether what a plan pays for would cost money for each token. A slow network is no reason for that.
fn leaves_a_plan(target: &Target, next: &Target) -> bool {
    target.provider.billing() == Billing::Subscription && next.provider.billing() == Billing::PayPerToken
}

/// An attempt under way, where it is one of two.
type Attempt<'c> = Pin<Box<dyn Future<Output = Result<Delivered, Failed>> + Send + 'c>>;

/// A request on its way.
struct Walk<'c> {
    journey: Journey<'c, Payer>,
    call: &'c Call,
    targets: &'c [Target],
    body: CallBody,
    /// How long it is.
    length: usize,
    /// The most useful failure so far.
    best: Option<Failed>,
    finished: &'c mut Finished,
}

/// An attempt that has begun.
struct Step {
    leg: Leg<Payer>,
    at: At,
}

impl<'c> Walk<'c> {
    /// The record says that this is tried.
    fn begin(&mut self, leg: Leg<Payer>) -> Step {
        let target = &self.targets[leg.place];
        let at = At {
            provider: Arc::clone(&target.provider.plugin.id),
            account: leg.account.as_ref().map_or_else(|| "".into(), |payer| payer.0.label.as_str().into()),
            model: target.model.as_str().into(),
        };
        at.stands_in(self.finished);
        self.finished.attempts += 1;
        self.finished.dialect_out = self.call.endpoint.dialect;
        self.finished.enter(Phase::Waiting);
        Step { leg, at }
    }

    fn attempt(&mut self, step: &Step) -> impl Future<Output = Result<Delivered, Failed>> + use<'c> {
        let body = if self.journey.goes_on() { self.body.clone() } else { std::mem::take(&mut self.body) };
        let label = step.leg.account.as_ref().map(|_| Arc::clone(&step.at.account));
        let (targets, target) = (self.targets, &self.targets[step.leg.place]);
        let may_hurry = |place: usize| !leaves_a_plan(target, &targets[place]);
        let patience = self.journey.has_elsewhere(may_hurry, SystemTime::now()).then_some(PATIENCE);
        attempt::run(target, label, self.call, body, patience)
    }

    /// The answer, or what follows from the failure.
    fn ended(&mut self, Step { leg, at }: Step, outcome: Result<Delivered, Failed>) -> Option<Delivered> {
        let mut failed = match outcome {
            Ok(delivered) => {
                self.journey.arrived(leg, SystemTime::now());
                at.stands_in(self.finished);
                self.finished.enter(Phase::Answering);
                return Some(delivered);
            }
            Err(failed) => failed,
        };
        let by = self.by(&leg);
        if let Some(own) = by.own.as_ref().filter(|_| failed.meaning.upstream && failed.meaning.is_an_answer()) {
            failed.sentence += &format!(" (the request carried the client's {own})");
        }
        tracing::warn!(
            request = &*self.finished.id,
            provider = &*at.provider,
            account = &*at.account,
            model = &*at.model,
            reason = failed.sentence,
            "attempt failed"
        );
        failed.at = Some(at);
        self.journey.failed(leg, &failed.meaning, by, failed.committed, SystemTime::now());
        self.best = Some(match self.best.take() {
            Some(other) if !failed.is_more_useful_than(&other) => other,
            _ => failed,
        });
        None
    }

    /// Whose request this is: who holds the key, in which program and conversation, with a body of which length. Requests
    /// that differ in none of it are most likely one that is sent again.
    fn by(&self, leg: &Leg<Payer>) -> By {
        let headers = &self.call.headers;
        let mut caller = DefaultHasher::new();
        for name in [AUTHORIZATION.as_str(), "x-api-key", USER_AGENT.as_str()] {
            headers.get(name).hash(&mut caller);
        }
        match Conversation::named_by(headers) {
            Some(conversation) => conversation.hash(&mut caller),
            None => self.length.hash(&mut caller),
        }
        By { caller: caller.finish(), own: Own::of(&self.targets[leg.place].provider.forward, headers) }
    }

    /// Waits for an attempt, and once it has been slow for so long, for another beside it. The first answer wins, and the
    /// other attempt ends with it. None where those that ran have failed.
    async fn hedged(&mut self, step: Step, attempt: Attempt<'c>, after: Duration) -> Option<Delivered> {
        let mut running = vec![(step, attempt)];
        let mut slow = pin!(tokio::time::sleep(after));
        loop {
            let ended = select_all(running.iter_mut().map(|(_, attempt)| attempt));
            let (outcome, index) = tokio::select! {
                (outcome, index, _) = ended => (outcome, index),
                () = &mut slow, if !slow.is_elapsed() => {
                    let targets = self.targets;
                    if let Some(leg) = self.journey.beside(|place| costs_no_plan(&targets[place]), SystemTime::now()) {
                        let step = self.begin(leg);
                        let attempt = Box::pin(self.attempt(&step));
                        running.push((step, attempt));
                    }
                    continue;
                }
            };
            let (step, _) = running.swap_remove(index);
            let delivered = self.ended(step, outcome);
            if delivered.is_some() || running.is_empty() || self.journey.is_over() {
                return delivered;
            }
        }
    }

    /// What the client is told once all was tried.
    fn most_useful(self) -> Failed {
        let passed = self.journey.first_to_end();
        let memory = passed
            .map(|passed| plan::from_memory(&self.targets[passed.place], self.journey.place(passed.place), passed));
        match (memory, self.best) {
            (Some(memory), Some(failed)) if memory.stands_in_for(&failed) => memory,
            (_, Some(failed)) => failed,
            (Some(memory), None) => memory,
            (None, None) => Error::Internal("no target could be tried, and nothing says why".into()).into(),
        }
    }
}
