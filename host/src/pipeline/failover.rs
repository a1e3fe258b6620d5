//! Failover: sends a request to target after target until one answers, and hedges a slow one where the config says so.
//!
//! `run` calls it for each request. The plan decides the order, and `attempt` what one try does.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bitrouter_contract::Scope;
use bitrouter_contract::description::Billing;
use bitrouter_dialect::ErrorKind;
use bitrouter_route::billing::{leaves_a_plan, takes_from_a_plan};
use bitrouter_route::{Attempt, By, Candidate, Conversation, Own, Plan};
use futures_util::future::select_all;
use http::header::{AUTHORIZATION, USER_AGENT};

use super::attempt;
use super::candidates;
use super::deliver::Delivered;
use super::failed::{self, Failed};
use super::owned;
use super::translate::Translations;
use crate::app::App;
use crate::call::{Call, CallBody};
use crate::error::Error;
use crate::route::Target;
use crate::telemetry::{Phase, RequestRecord};

/// How long a connection may take to open while another target could be asked. Anywhere on Earth a server answers sooner;
/// where it does not, it is most likely that nobody will.
const SLOW_CONNECT: Duration = Duration::from_millis(500);

/// The answer of the first target that has one, or the most useful of the failures.
pub(super) async fn first_answer(
    app: &App,
    mut call: Box<Call>,
    record: &mut RequestRecord,
) -> Result<Delivered, Failed> {
    if let Some(first) = call.addresses.first() {
        record.model.clone_from(first);
    }
    let targets = owned::targets(app, &mut call).await?;
    let (candidates, best) = candidates::of(app, &mut call, &targets);
    let candidates = candidates::knowing(&call, candidates, best.as_ref(), &targets)?;
    let length = call.body.len();
    let body = std::mem::take(&mut call.body);
    let plan = Plan::new(app.directory.cooldowns(), candidates);
    let translations = Translations {
        history: app.history.clone(),
        caller: call.caller,
        strict: app.config.strict,
        id: Arc::clone(&record.id),
    };
    let mut failover = Failover { plan, call: &call, targets: &targets, body, length, best, record, translations };
    while let Some(attempt) = failover.plan.next(SystemTime::now()) {
        let sending = failover.begin(&attempt);
        // What is made twice is there twice.
        let may_hedge = !call.streaming && call.object.is_none() && !takes_from_a_plan(failover.billing(&attempt));
        let delivered = match app.config.hedge_after.filter(|_| may_hedge) {
            None => failover.ended(attempt, sending.await),
            Some(after) => Box::pin(failover.hedged(attempt, Box::pin(sending), after)).await,
        };
        if let Some(delivered) = delivered {
            return Ok(delivered);
        }
    }
    Err(failover.most_useful())
}

/// An attempt under way, where it is one of two.
type Sending<'c> = Pin<Box<dyn Future<Output = Result<Delivered, Failed>> + Send + 'c>>;

/// A request on its way.
struct Failover<'c> {
    plan: Plan<'c>,
    call: &'c Call,
    targets: &'c [Target],
    body: CallBody,
    /// How long it is.
    length: usize,
    /// The most useful failure so far.
    best: Option<Failed>,
    record: &'c mut RequestRecord,
    translations: Translations,
}

impl<'c> Failover<'c> {
    fn billing(&self, attempt: &Attempt) -> Billing {
        self.targets[self.plan.candidate(attempt).target].provider.billing()
    }

    /// Begins an attempt; the record says that this is tried.
    fn begin(&mut self, attempt: &Attempt) -> impl Future<Output = Result<Delivered, Failed>> + use<'c> {
        let candidate = self.plan.candidate(attempt);
        failed::name_in(self.record, candidate);
        self.record.attempts += 1;
        let wanted = self.call.endpoint.wanted();
        let Target { provider, model, .. } = &self.targets[candidate.target];
        self.record.dialect_out = provider.dialect_for(wanted, model).unwrap_or(wanted.dialect);
        self.record.enter(Phase::Waiting);
        let label = candidate.account.as_ref().map(|account| Arc::clone(&account.label));
        let (target, targets, billing) = (&self.targets[candidate.target], self.targets, self.billing(attempt));
        let may_hurry = |target: usize| !leaves_a_plan(billing, targets[target].provider.billing());
        let connect_within = self.plan.has_elsewhere(may_hurry, SystemTime::now()).then_some(SLOW_CONNECT);
        let body = if self.plan.goes_on() { self.body.clone() } else { std::mem::take(&mut self.body) };
        let attempt = attempt::Try { target, label, number: self.record.attempts, connect_within };
        attempt::run(attempt, self.call, body, self.translations.clone())
    }

    /// The answer, or what follows from the failure.
    fn ended(&mut self, attempt: Attempt, outcome: Result<Delivered, Failed>) -> Option<Delivered> {
        let candidate = self.plan.candidate(&attempt);
        let mut failed = match outcome {
            Ok(delivered) => {
                failed::name_in(self.record, candidate);
                self.record.enter(Phase::Answering);
                self.plan.arrived(attempt, SystemTime::now());
                return Some(delivered);
            }
            Err(failed) => failed,
        };
        if self.call.object.is_some() && matches!(failed.meaning.kind, ErrorKind::NotFound | ErrorKind::Forbidden) {
            // What is wrong with one object says nothing of the account's others.
            failed.meaning.scope = Scope::Request;
        }
        let candidate = Box::new(candidate.clone());
        let by = self.by(&candidate);
        if let Some(own) = by.own.as_ref().filter(|_| failed.meaning.upstream && failed.meaning.is_an_answer()) {
            failed.sentence += &format!(" (the request carried the client's {own})");
        }
        tracing::warn!(
            request = &*self.record.id,
            provider = &*candidate.provider,
            account = candidate.label().unwrap_or_default(),
            model = &*candidate.model,
            reason = failed.sentence,
            "attempt failed"
        );
        failed.asked = Some(candidate);
        self.plan.failed(attempt, &failed.meaning, by, failed.committed, SystemTime::now());
        self.best = Some(failed.or_more_useful(self.best.take()));
        None
    }

    /// Whose request this is: a hash of its key, its program, and its conversation or else the length of its body. Requests
    /// that agree in all of it are most likely one that is sent again.
    fn by(&self, candidate: &Candidate) -> By {
        let headers = &self.call.headers;
        let mut caller = DefaultHasher::new();
        self.call.caller.hash(&mut caller);
        for name in [AUTHORIZATION.as_str(), "x-api-key", "x-goog-api-key", USER_AGENT.as_str()] {
            headers.get(name).hash(&mut caller);
        }
        match Conversation::named_by(headers) {
            Some(conversation) => conversation.hash(&mut caller),
            None => self.length.hash(&mut caller),
        }
        By { caller: caller.finish(), own: Own::of(&self.targets[candidate.target].provider.forward, headers) }
    }

    /// Waits for an attempt, and once it has been slow for so long, for its hedge as well. The first answer wins, and the
    /// other attempt ends with it. None where those that ran have failed.
    async fn hedged(&mut self, attempt: Attempt, sending: Sending<'c>, after: Duration) -> Option<Delivered> {
        let mut running = vec![(attempt, sending)];
        let mut slow = pin!(tokio::time::sleep(after));
        loop {
            let ended = select_all(running.iter_mut().map(|(_, sending)| sending));
            let (outcome, index) = tokio::select! {
                (outcome, index, _) = ended => (outcome, index),
                () = &mut slow, if !slow.is_elapsed() => {
                    let targets = self.targets;
                    let may = |target: usize| !takes_from_a_plan(targets[target].provider.billing());
                    if let Some(attempt) = self.plan.hedge(may, SystemTime::now()) {
                        let sending = Box::pin(self.begin(&attempt));
                        running.push((attempt, sending));
                    }
                    continue;
                }
            };
            let (attempt, _) = running.swap_remove(index);
            let delivered = self.ended(attempt, outcome);
            if delivered.is_some() || running.is_empty() || self.plan.is_over() {
                return delivered;
            }
        }
    }

    /// The failure that the client reads once all was tried.
    fn most_useful(self) -> Failed {
        let memory = self.plan.first_to_end().map(|passed| {
            let candidate = &self.plan.candidates()[passed.candidate];
            candidates::from_memory(&self.targets[candidate.target], candidate, passed)
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
