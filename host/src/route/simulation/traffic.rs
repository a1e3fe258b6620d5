//! The run itself: requests come, are sent, are answered, and every step is shown to the rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use bitrouter_route::{Candidate, Conversation, Cooldowns, Window};
use bitrouter_tests::Dice;
use http::HeaderMap;

use super::failover::{Failover, candidate, own, spot};
use super::offer::Offer;
use super::requested::Requested;
use super::rules::Rules;
use super::upstream::{Answer, END, LABELS, MINUTE, MODELS, Millis, PROVIDERS, Spot, Upstream, wall};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    Answered(usize),
    Minute,
}

/// A request and all that it may be sent to, in order.
struct Request {
    requested: Requested,
    conversation: u64,
    spots: Vec<Spot>,
    failover: Failover,
    answer: Answer,
}

pub(crate) struct Simulation {
    seed: u64,
    dice: Dice,
    upstream: Upstream,
    offer: Offer,
    cooldowns: &'static Cooldowns,
    windows: BTreeMap<(usize, usize), Vec<Window>>,
    rules: Rules,
    requests: Vec<Option<Request>>,
    events: BinaryHeap<Reverse<(Millis, u64, Event)>>,
    numbered: u64,
    totals: Totals,
}

/// What happened, for the reader of the test's output.
#[derive(Default)]
pub(crate) struct Totals {
    requests: u64,
    answered: u64,
    surfaced: u64,
    spent: u64,
    attempts: u64,
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { requests, answered, surfaced, spent, attempts } = self;
        write!(f, "{requests} requests in {attempts} attempts: {answered} answered, {surfaced} at fault, {spent} spent")
    }
}

impl Simulation {
    pub(crate) fn new(seed: u64) -> Self {
        // In every third run the config prefers what costs money: then a bare name must not move to a plan.
        let paid_first = seed % 3 == 2;
        Simulation {
            seed,
            offer: Offer::new(paid_first),
            dice: Dice::new(seed),
            upstream: Upstream::new(seed),
            // A plan borrows it, and a run has thousands of them.
            cooldowns: Box::leak(Box::default()),
            windows: BTreeMap::new(),
            rules: Rules::new(seed, paid_first),
            requests: Vec::new(),
            events: BinaryHeap::new(),
            numbered: 0,
            totals: Totals::default(),
        }
    }

    pub(crate) fn run(mut self) -> Totals {
        self.at(0, Event::Arrives);
        self.at(MINUTE, Event::Minute);
        while let Some(Reverse((now, _, event))) = self.events.pop() {
            match event {
                Event::Arrives => self.arrives(now),
                Event::Answered(request) => self.answered(request, now),
                Event::Minute => {
                    self.rules.minute(self.cooldowns, now);
                    if now < END {
                        self.at(now + MINUTE, Event::Minute);
                    }
                }
            }
        }
        self.rules.end();
        assert!(self.requests.iter().all(Option::is_none), "SEED={}: every request comes to an end", self.seed);
        self.totals
    }

    fn at(&mut self, time: Millis, event: Event) {
        self.numbered += 1;
        self.events.push(Reverse((time, self.numbered, event)));
    }

    fn arrives(&mut self, now: Millis) {
        // Mostly single requests, now and then a burst of agents.
        let burst = if self.dice.percent(2) { self.dice.between(5, 30) } else { 1 };
        for _ in 0..burst {
            let requested = match self.dice.between(0, 10) {
                0..4 => Requested::Bare,
                4 => Requested::Vendor,
                5 => Requested::List,
                6 => Requested::Glob,
                7 => Requested::Named,
                _ => Requested::Account(self.dice.between(0, 3) as usize, self.dice.between(0, 3) as usize),
            };
            let model = usize::from(self.dice.percent(30));
            let conversation = self.dice.between(0, 40);
            let candidates = self.candidates(&requested, model, conversation);
            let spots = candidates.iter().map(spot).collect();
            let since = |spot: Spot| self.upstream.logged_in(spot.provider, spot.account, now);
            let failover = Failover::new(self.cooldowns, conversation, candidates, since);
            self.totals.requests += 1;
            self.requests.push(Some(Request { requested, conversation, spots, failover, answer: Answer::BadRequest }));
            self.goes_on(self.requests.len() - 1, now);
        }
        if now < END {
            let pause = self.dice.between(1, 12_000);
            self.at(now + pause, Event::Arrives);
        }
    }

    /// What routing makes of an address.
    fn candidates(&self, requested: &Requested, model: usize, conversation: u64) -> Vec<Candidate> {
        let headers = [(http::HeaderName::from_static("session-id"), http::HeaderValue::from(conversation))];
        let conversation = Conversation::of(&HeaderMap::from_iter(headers), None);
        let windows =
            |provider: usize, account: usize| self.windows.get(&(provider, account)).cloned().unwrap_or_default();
        let candidates = self.offer.candidates(requested, model, conversation, windows);
        self.rules.planned(requested, model, &candidates.iter().map(spot).collect::<Vec<_>>());
        candidates
    }

    fn goes_on(&mut self, request: usize, now: Millis) {
        let Some(Request { requested, conversation, spots, failover, answer }) = &mut self.requests[request] else {
            return;
        };
        self.rules.before(spots, own(*conversation).as_ref(), self.cooldowns, now);
        match failover.next(now) {
            Some((spot, login)) => {
                self.totals.attempts += 1;
                self.rules.sent(request, *conversation, requested, spot, login);
                let (takes, told) = self.upstream.answer(spot, *conversation, now);
                *answer = told;
                self.at(now + takes, Event::Answered(request));
            }
            None => {
                self.rules.spent(request, *conversation, spots, &self.upstream);
                self.totals.spent += 1;
                self.requests[request] = None;
            }
        }
    }

    fn answered(&mut self, request: usize, now: Millis) {
        let Some(Request { failover, answer, .. }) = &mut self.requests[request] else { return };
        failover.answered(answer, now);
        let (spot, sent) = self.rules.answered(request, answer, now);
        match answer {
            Answer::Content(windows) => {
                self.cooldowns.room(&candidate(spot, None), windows, wall(sent), wall(now));
                self.windows.insert((spot.provider, spot.account), std::mem::take(windows));
                self.totals.answered += 1;
                self.requests[request] = None;
            }
            Answer::BadRequest => {
                assert_eq!(failover.next(now), None, "what is wrong with a request is surfaced");
                self.totals.surfaced += 1;
                self.requests[request] = None;
            }
            _ => self.goes_on(request, now),
        }
    }
}

/// A spot as an address.
pub(crate) fn address(spot: Spot) -> String {
    format!("{}@{}:{}", PROVIDERS[spot.provider], LABELS[spot.account], MODELS[spot.model])
}
