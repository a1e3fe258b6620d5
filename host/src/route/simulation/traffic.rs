//! The run itself: requests come, are sent, are answered, and every step is shown to the rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt;

use bitrouter_route::{Candidate, Conversation, Cooldowns, Window};
use bitrouter_tests::Dice;
use http::HeaderMap;

use super::asked::Asked;
use super::offer::Offer;
use super::rules::Rules;
use super::upstream::{Answer, END, LABELS, MINUTE, MODELS, Millis, PROVIDERS, Spot, Upstream, wall};
use super::walk::{Walk, candidate, own, spot};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives,
    Answered(usize),
    Minute,
}

/// A request and all that it may be sent to, in order.
struct Request {
    asked: Asked,
    conversation: u64,
    spots: Vec<Spot>,
    walk: Walk,
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
    told: Told,
}

/// What happened, for the reader of the test's output.
#[derive(Default)]
pub(crate) struct Told {
    requests: u64,
    answered: u64,
    surfaced: u64,
    spent: u64,
    attempts: u64,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { requests, answered, surfaced, spent, attempts } = self;
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
            // A journey borrows it, and a run has thousands of them.
            cooldowns: Box::leak(Box::default()),
            windows: BTreeMap::new(),
            rules: Rules::new(seed, paid_first),
            requests: Vec::new(),
            events: BinaryHeap::new(),
            numbered: 0,
            told: Told::default(),
        }
    }

    pub(crate) fn run(mut self) -> Told {
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
        self.told
    }

    fn at(&mut self, time: Millis, event: Event) {
        self.numbered += 1;
        self.events.push(Reverse((time, self.numbered, event)));
    }

    fn arrives(&mut self, now: Millis) {
        // Mostly single requests, now and then a burst of agents.
        let burst = if self.dice.percent(2) { self.dice.between(5, 30) } else { 1 };
        for _ in 0..burst {
            let asked = match self.dice.between(0, 10) {
                0..4 => Asked::Bare,
                4 => Asked::Vendor,
                5 => Asked::List,
                6 => Asked::Glob,
                7 => Asked::Named,
                _ => Asked::Account(self.dice.between(0, 3) as usize, self.dice.between(0, 3) as usize),
            };
            let model = usize::from(self.dice.percent(30));
            let conversation = self.dice.between(0, 40);
            let candidates = self.candidates(&asked, model, conversation);
            let spots = candidates.iter().map(spot).collect();
            let since = |spot: Spot| self.upstream.logged_in(spot.provider, spot.account, now);
            let walk = Walk::new(self.cooldowns, conversation, candidates, since);
            self.told.requests += 1;
            self.requests.push(Some(Request { asked, conversation, spots, walk, answer: Answer::BadRequest }));
            self.goes_on(self.requests.len() - 1, now);
        }
        if now < END {
            let pause = self.dice.between(1, 12_000);
            self.at(now + pause, Event::Arrives);
        }
    }

    /// What routing makes of an address.
    fn candidates(&self, asked: &Asked, model: usize, conversation: u64) -> Vec<Candidate> {
        let headers = [(http::HeaderName::from_static("session-id"), http::HeaderValue::from(conversation))];
        let conversation = Conversation::of(&HeaderMap::from_iter(headers), None);
        let windows =
            |provider: usize, account: usize| self.windows.get(&(provider, account)).cloned().unwrap_or_default();
        let candidates = self.offer.candidates(asked, model, conversation, windows);
        self.rules.planned(asked, model, &candidates.iter().map(spot).collect::<Vec<_>>());
        candidates
    }

    fn goes_on(&mut self, request: usize, now: Millis) {
        let Some(Request { asked, conversation, spots, walk, answer }) = &mut self.requests[request] else { return };
        self.rules.before(spots, own(*conversation).as_ref(), self.cooldowns, now);
        match walk.next(now) {
            Some((spot, login)) => {
                self.told.attempts += 1;
                self.rules.sent(request, *conversation, asked, spot, login);
                let (takes, told) = self.upstream.answer(spot, *conversation, now);
                *answer = told;
                self.at(now + takes, Event::Answered(request));
            }
            None => {
                self.rules.spent(request, *conversation, spots, &self.upstream);
                self.told.spent += 1;
                self.requests[request] = None;
            }
        }
    }

    fn answered(&mut self, request: usize, now: Millis) {
        let Some(Request { walk, answer, .. }) = &mut self.requests[request] else { return };
        walk.answered(answer, now);
        let (spot, sent) = self.rules.answered(request, answer, now);
        match answer {
            Answer::Content(windows) => {
                self.cooldowns.room(&candidate(spot, None), windows, wall(sent), wall(now));
                self.windows.insert((spot.provider, spot.account), std::mem::take(windows));
                self.told.answered += 1;
                self.requests[request] = None;
            }
            Answer::BadRequest => {
                assert_eq!(walk.next(now), None, "what is wrong with a request is surfaced");
                self.told.surfaced += 1;
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
