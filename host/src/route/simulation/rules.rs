//! What must hold whatever the upstreams do. It knows only what was sent and what was answered, keeps its own account of
//! that, and never asks the gateway why: a cooldown that is forgotten is found here as an account that is hammered.

use std::collections::{BTreeMap, VecDeque};
use std::time::SystemTime;

use bitrouter_route::cooldown::Reason;
use bitrouter_route::{Cooldowns, Own};

use super::failover::candidate;
use super::requested::{Requested, pays};
use super::traffic::address;
use super::upstream::{
    Answer, END, FAULTS, FOREIGN, HOUR, LABELS, MINUTE, Millis, NOT_OFFERED, PROVIDERS, SECOND, Spot, Upstream, wall,
};

/// The longest wait between two probes, and a minute for the next request to come.
const PROBED: Millis = 16 * MINUTE;
const PROBED_WHEN_OLD: Millis = 61 * MINUTE;
const OLD: Millis = 24 * HOUR;
const LAST_RESORT: Millis = 10 * SECOND;

/// Its accounts are tried in label order.
const LABEL_ORDER: usize = 0;

/// A time in which something is known to fail.
#[derive(Clone, Debug)]
struct Period {
    since: Millis,
    /// When the newest failure was known.
    failed: Millis,
    until: Millis,
    strikes: u32,
    /// When something was last sent in spite of it.
    tried: Option<Millis>,
    /// How much was, while the request had somewhere else to go.
    probes: u64,
}

/// A failure of a model of a provider that one conversation alone has met.
#[derive(Clone, Copy)]
struct Doubt {
    conversation: u64,
    until: Millis,
    /// When somebody was last answered.
    well: Option<Millis>,
    /// Whether it has failed since.
    failing: bool,
}

struct Sent {
    spot: Spot,
    conversation: u64,
    at: Millis,
    /// Whether the request had somewhere else to go.
    choice: bool,
}

pub(crate) struct Rules {
    seed: u64,
    /// Whether the config prefers what costs money.
    paid_first: bool,
    now: Millis,
    /// What happened lately, each with the provider that it happened to.
    log: VecDeque<(usize, String)>,
    /// By request: where it was sent.
    tried: BTreeMap<usize, Vec<Spot>>,
    /// By request: the providers whose other accounts would fail in the same way.
    hopeless: BTreeMap<usize, Vec<usize>>,
    under_way: BTreeMap<usize, Sent>,
    /// What is known of accounts, and of models of providers.
    limits: BTreeMap<(usize, usize), Period>,
    /// Accounts whose credential was refused, and when the request was sent that found it out.
    dead: BTreeMap<(usize, usize), Millis>,
    outages: BTreeMap<(usize, usize), Period>,
    doubts: BTreeMap<(usize, usize), Doubt>,
    /// When an account, and a model of a provider, was last asked.
    asked_account: BTreeMap<(usize, usize), Millis>,
    asked_model: BTreeMap<(usize, usize), Millis>,
    content: BTreeMap<(usize, usize), (u64, Millis)>,
    /// What closed each of the candidates just before the step.
    closed: Vec<Option<Reason>>,
}

impl Rules {
    pub(crate) fn new(seed: u64, paid_first: bool) -> Self {
        Rules {
            seed,
            paid_first,
            now: 0,
            log: VecDeque::new(),
            tried: BTreeMap::new(),
            hopeless: BTreeMap::new(),
            under_way: BTreeMap::new(),
            limits: BTreeMap::new(),
            dead: BTreeMap::new(),
            outages: BTreeMap::new(),
            doubts: BTreeMap::new(),
            asked_account: BTreeMap::new(),
            asked_model: BTreeMap::new(),
            content: BTreeMap::new(),
            closed: Vec::new(),
        }
    }

    /// A request has been given those that it may be sent to, in order.
    pub(crate) fn planned(&self, requested: &Requested, model: usize, spots: &[Spot]) {
        let of_providers: Vec<&[Spot]> = spots.chunk_by(|one, other| one.provider == other.provider).collect();
        let providers: Vec<usize> = of_providers.iter().map(|spots| spots[0].provider).collect();
        let promised = requested.promised(self.paid_first);
        let what = format!("{requested:?} is for {promised:?} in this order, not {providers:?}");
        self.must(providers == promised, &what);
        for spots in of_providers {
            let (provider, accounts) = (spots[0].provider, spots.iter().map(|spot| spot.account).collect::<Vec<_>>());
            let mut sorted = accounts.clone();
            sorted.sort_unstable();
            let every = match requested {
                Requested::Account(_, account) => vec![*account],
                _ => (0..LABELS.len()).collect(),
            };
            let what = format!("{requested:?} may be paid by {every:?} of {}, not {accounts:?}", PROVIDERS[provider]);
            self.must(spots.iter().all(|spot| spot.model == model) && sorted == every, &what);
            self.must(provider != LABEL_ORDER || sorted == accounts, "`failover` is label order");
        }
    }

    /// Just before a request takes its next step.
    pub(crate) fn before(&mut self, left: &[Spot], own: Option<&Own>, cooldowns: &Cooldowns, now: Millis) {
        self.now = now;
        let closed = |spot: &Spot| cooldowns.peek(&candidate(*spot, own), wall(now)).map(|(_, reason)| reason);
        self.closed = left.iter().map(closed).collect();
    }

    /// It was sent, with a credential of that time.
    pub(crate) fn sent(
        &mut self,
        request: usize,
        conversation: u64,
        requested: &Requested,
        spot: Spot,
        login: SystemTime,
    ) {
        let (now, choice) = (self.now, self.closed.iter().any(Option::is_none));
        let choice_said = if choice { "" } else { ", the last resort" };
        self.note(
            spot.provider,
            format!("request {request} ({requested:?}) of {conversation} goes to {}{choice_said}", address(spot)),
        );
        if let Requested::Account(provider, account) = requested {
            self.must((spot.provider, spot.account) == (*provider, *account), "a named account is the only one");
        }
        let tried = self.tried.entry(request).or_default();
        let twice = tried.contains(&spot);
        tried.push(spot);
        self.must(!twice, "no request is sent twice to one target");
        self.promised(request, requested, spot, choice);
        let hopeless = self.hopeless.get(&request).is_some_and(|providers| providers.contains(&spot.provider));
        self.must(!hopeless, "where an account's failure is the provider's or the model's, the others are not tried");
        let (account, model) = ((spot.provider, spot.account), (spot.provider, spot.model));
        if self.dead.get(&account).is_some_and(|refused| login > wall(*refused)) {
            // Another credential: what was said of the last one is void.
            self.limits.remove(&account);
            self.dead.remove(&account);
        }
        self.no_hammering_of_limits(account, choice);
        self.no_hammering_of_outages(model, choice);
        self.asked_account.insert(account, now);
        self.asked_model.insert(model, now);
        self.under_way.insert(request, Sent { spot, conversation, at: now, choice });
    }

    /// What was promised of the address holds for the whole of the request's way.
    fn promised(&self, request: usize, requested: &Requested, spot: Spot, choice: bool) {
        let tried = &self.tried[&request];
        let crosses = requested.names_nobody() && tried.iter().any(|other| pays(other.provider) != pays(spot.provider));
        self.must(!crosses, "a bare name does not move between a plan and what costs money");
        let promised = requested.promised(self.paid_first);
        let place = |spot: &Spot| promised.iter().position(|provider| *provider == spot.provider);
        self.must(place(&spot).is_some(), &format!("{requested:?} is not for {}", PROVIDERS[spot.provider]));
        // A model that an account lacks is asked of it last, and what has failed for one conversation, after all others.
        let doubted = |spot: &Spot| {
            let doubt = self.doubts.get(&(spot.provider, spot.model));
            doubt.is_some_and(|doubt| self.now < doubt.until + 5 * MINUTE)
        };
        let is_last = |spot: &Spot| (spot.provider, spot.account, spot.model) == NOT_OFFERED || doubted(spot);
        if !choice || is_last(&spot) {
            return;
        }
        for before in tried.iter().filter(|before| !is_last(before)) {
            self.must(place(before) <= place(&spot), "targets are tried in their order");
            let same = before.provider == spot.provider && spot.provider == LABEL_ORDER;
            self.must(!same || before.account <= spot.account, "accounts are tried in label order");
        }
    }

    fn no_hammering_of_limits(&mut self, account: (usize, usize), choice: bool) {
        let now = self.now;
        let Some(period) = self.limits.get_mut(&account).filter(|period| now < period.until) else { return };
        let pause = period.tried.map_or(Millis::MAX, |tried| now - tried);
        period.tried = Some(now);
        period.probes += u64::from(choice);
        let (probes, allowed) = (period.probes, allowed(now - period.since));
        let known = format!("it fails since {}, until {}", time(period.since), time(period.until));
        self.must(pause >= LAST_RESORT, "an account that cools is tried once in ten seconds at most");
        self.must(probes <= allowed, &format!("an account that cools is probed on schedule at most: {known}"));
    }

    fn no_hammering_of_outages(&mut self, model: (usize, usize), choice: bool) {
        let now = self.now;
        let Some(period) = self.outages.get_mut(&model) else { return };
        if now < period.until {
            let pause = period.tried.map_or(Millis::MAX, |tried| now - tried);
            period.tried = Some(now);
            self.must(!choice, "a target that cools is not tried while there is another");
            self.must(pause >= LAST_RESORT, "a target that cools is tried once in ten seconds at most");
        } else if choice && now < period.until + 10 * MINUTE {
            let until = period.until;
            let first = |sent: &Sent| (sent.spot.provider, sent.spot.model) == model && sent.choice && sent.at >= until;
            let first = self.under_way.values().any(first);
            self.must(!first, "one request at a time looks whether an outage is over");
        }
    }

    /// An answer came; says where from, and when that was sent.
    pub(crate) fn answered(&mut self, request: usize, answer: &Answer, now: Millis) -> (Spot, Millis) {
        self.now = now;
        let Sent { spot, conversation, at: sent, .. } = self.under_way.remove(&request).expect("it was sent");
        self.note(spot.provider, format!("request {request} of {} is answered: {}", address(spot), short(answer)));
        let (account, model) = ((spot.provider, spot.account), (spot.provider, spot.model));
        if matches!(answer, Answer::Outage(_) | Answer::TooLong) {
            self.hopeless.entry(request).or_default().push(spot.provider);
        }
        match answer {
            Answer::Content(_) => {
                let (count, last) = self.content.entry(account).or_default();
                (*count, *last) = (*count + 1, now);
                let lasts = |period: &Period| sent <= period.failed && now < period.until;
                self.limits.retain(|known, period| *known != account || lasts(period));
                self.is_there(model);
            }
            Answer::Limited(reason, told) => {
                let (first, most) = match reason {
                    Reason::RateLimited => (MINUTE, HOUR),
                    _ => (15 * MINUTE, 8 * 24 * HOUR),
                };
                let told = told.filter(|told| *told > now).map(|told| (told - now).min(most));
                fails(&mut self.limits, account, sent, now, |strikes| match told {
                    Some(told) => told.max(doubled(SECOND, strikes, MINUTE)),
                    None => doubled(first, strikes, HOUR),
                });
                if let Some(told) = told
                    && let Some(period) = self.limits.get_mut(&account)
                {
                    // Of answers that were under way together the latest end counts.
                    period.until = period.until.max(now + told);
                }
            }
            // What was sent with headers of its own says nothing of what is sent without.
            Answer::Outage(reason) if conversation == FOREIGN && *reason != Reason::Unreachable => {}
            Answer::Outage(reason) if self.is_one_conversations(model, conversation, *reason) => {
                let well = self.doubts.get(&model).and_then(|doubt| doubt.well).filter(|well| now < well + 10 * SECOND);
                self.doubts.insert(model, Doubt { conversation, until: now + SECOND, well, failing: true });
            }
            Answer::Outage(_) => {
                self.doubts.remove(&model);
                fails(&mut self.outages, model, sent, now, |strikes| doubled(SECOND, strikes, 2 * MINUTE));
            }
            // That is the client's own doing.
            Answer::Dead if conversation == FOREIGN => {}
            Answer::Dead => {
                self.dead.insert(account, sent);
                fails(&mut self.limits, account, sent, now, |strikes| doubled(15 * MINUTE, strikes, HOUR));
            }
            Answer::NotOffered | Answer::TooLong | Answer::BadRequest => {
                // It answered, so it is there; a limit that was over is no beginning of a row.
                // That an account lacks the model is found out whether or not the model can be had.
                if !matches!(answer, Answer::NotOffered) {
                    self.is_there(model);
                }
                self.limits.retain(|known, period| *known != account || now < period.until);
            }
        }
        (spot, sent)
    }

    /// Somebody was answered by it.
    fn is_there(&mut self, model: (usize, usize)) {
        self.outages.remove(&model);
        let now = self.now;
        // What is long over is forgotten, and so is who was answered since.
        let remembered = |doubt: &Doubt| match doubt.well.filter(|_| !doubt.failing) {
            Some(well) => now < well + 10 * SECOND,
            None => now < doubt.until + 10 * MINUTE,
        };
        self.doubts.retain(|known, doubt| *known != model || remembered(doubt));
        if let Some(doubt) = self.doubts.get_mut(&model) {
            (doubt.well, doubt.failing) = (Some(now), false);
            doubt.until = doubt.until.min(now);
        }
    }

    /// Whether a failure may be one conversation's own affair: no other has met one since somebody was answered, or
    /// somebody was answered a moment ago.
    fn is_one_conversations(&self, model: (usize, usize), conversation: u64, reason: Reason) -> bool {
        let remembered = |until: Millis| self.now < until + 10 * MINUTE;
        if reason == Reason::Unreachable || self.outages.get(&model).is_some_and(|period| remembered(period.until)) {
            return false;
        }
        self.doubts.get(&model).is_none_or(|doubt| {
            let well = doubt.well.is_some_and(|well| self.now < well + 10 * SECOND);
            well || !doubt.failing || !remembered(doubt.until) || doubt.conversation == conversation
        })
    }

    /// A request has nothing left to try.
    pub(crate) fn spent(&mut self, request: usize, conversation: u64, left: &[Spot], upstream: &Upstream) {
        let now = self.now;
        self.note(left[0].provider, format!("request {request} is told to come back later"));
        if conversation == FOREIGN {
            // What it is told is its own affair.
            return;
        }
        for (spot, closed) in left.iter().zip(self.closed.clone()) {
            let met_by_several = self.outages.contains_key(&(spot.provider, spot.model));
            let what = format!("{} is kept from nobody because of what one conversation has met", address(*spot));
            if closed.is_some_and(Reason::is_outage) && !met_by_several {
                self.note(spot.provider, format!("request {request} is not sent"));
            }
            self.must(!closed.is_some_and(Reason::is_outage) || met_by_several, &what);
        }
        for (spot, closed) in left.iter().zip(self.closed.clone()) {
            let (Some(since), Some(reason)) = (upstream.healthy_since(*spot, now), closed) else { continue };
            let account = (spot.provider, spot.account);
            let login = upstream.logged_in(spot.provider, spot.account, now.saturating_sub(MINUTE));
            let refused = self.dead.get(&account).is_some_and(|refused| *refused >= login);
            let what = format!("{} has logged in again since it was refused", address(*spot));
            // After an outage of the target its other accounts are not looked at.
            let hopeless = self.hopeless.get(&request).is_some_and(|providers| providers.contains(&spot.provider));
            let looked_at = !hopeless && !self.outages.contains_key(&(spot.provider, spot.model));
            self.must(reason != Reason::LoggedOut || refused || !looked_at, &what);
            let bound = if reason.is_outage() { 3 * MINUTE } else { self.bound(account) };
            let requested = match reason.is_outage() {
                true => self.asked_model.get(&(spot.provider, spot.model)),
                false => self.asked_account.get(&account),
            };
            let asked_lately = requested.is_some_and(|requested| now - requested < bound);
            let what =
                format!("{} is well since {} and would have been asked ({reason:?})", address(*spot), time(since));
            self.must(now - since <= bound || asked_lately, &what);
        }
    }

    /// Once a minute: nothing stays closed for longer than its bound.
    pub(crate) fn minute(&mut self, cooldowns: &Cooldowns, now: Millis) {
        self.now = now;
        for cooling in cooldowns.list(wall(now)) {
            let provider = PROVIDERS.iter().position(|known| *known == cooling.subject.provider).expect("one of three");
            let account = LABELS.iter().position(|known| cooling.subject.label.as_deref() == Some(known));
            if cooling.subject.own.is_some() {
                continue;
            }
            let bound = match account {
                _ if cooling.reason == Reason::NotOffered => PROBED_WHEN_OLD,
                None => 3 * MINUTE,
                Some(account) => self.bound((provider, account)),
            };
            let what = format!("{} may be probed in time", cooling.subject);
            self.must(cooling.next_probe <= wall(now + bound), &what);
            self.must(cooling.until <= wall(now) + cooling.reason.most(), "every cooldown ends");
            let healed = now < FAULTS + 2 * HOUR || cooling.reason == Reason::NotOffered;
            let what = format!("{} is used again after everything is well", cooling.subject);
            self.must(healed, &what);
        }
    }

    /// At the end, when everything has been well for a while.
    pub(crate) fn end(&mut self) {
        self.now = END;
        for (provider, account) in (0..3).flat_map(|provider| (0..3).map(move |account| (provider, account))) {
            let (count, last) = self.content.get(&(provider, account)).copied().unwrap_or_default();
            let what = format!("{}@{} does not starve: {count} answers", PROVIDERS[provider], LABELS[account]);
            self.must(count > 100, &what);
            self.must(last > END - 2 * HOUR, &what);
        }
        self.must(self.under_way.is_empty(), "every request comes to an end");
        let (provider, account, model) = NOT_OFFERED;
        let spot = Spot { provider, account, model };
        self.must(self.tried.values().flatten().any(|tried| *tried == spot), "all of this has been seen");
    }

    fn bound(&self, account: (usize, usize)) -> Millis {
        let old = self.limits.get(&account).is_some_and(|period| self.now - period.since >= OLD - HOUR);
        if old { PROBED_WHEN_OLD } else { PROBED }
    }

    fn note(&mut self, provider: usize, what: String) {
        self.log.push_back((provider, format!("{} {what}", time(self.now))));
        if self.log.len() > 2000 {
            self.log.pop_front();
        }
    }

    fn must(&self, holds: bool, rule: &str) {
        if !holds {
            let about = self.log.back().map(|(provider, _)| *provider);
            let log = self.log.iter().filter(|(provider, _)| Some(*provider) == about).map(|(_, line)| line.as_str());
            let log: Vec<&str> = log.collect();
            let log = log[log.len().saturating_sub(80)..].join("\n  ");
            panic!("SEED={}, at {}: {rule}\n  {log}", self.seed, time(self.now));
        }
    }
}

/// Twice as long with each failure of a row.
fn doubled(first: Millis, strikes: u32, most: Millis) -> Millis {
    (first << (strikes - 1).min(10)).min(most)
}

/// One more failure of a request that was sent at `sent`.
fn fails<K: Ord>(periods: &mut BTreeMap<K, Period>, key: K, sent: Millis, now: Millis, length: impl Fn(u32) -> Millis) {
    let first = Period { since: now, failed: now, until: now + length(1), strikes: 1, tried: None, probes: 0 };
    let Some(period) = periods.get_mut(&key).filter(|period| now < period.until + 10 * MINUTE) else {
        periods.insert(key, first);
        return;
    };
    if sent < period.failed {
        return;
    }
    let strikes = period.strikes + 1;
    if now >= period.until {
        *period = first;
    }
    (period.strikes, period.failed, period.until) = (strikes, now, now + length(strikes));
}

/// How many probes may have gone after this time: after 1, 3, 7, 15, 30 minutes and so on, hourly after a day.
fn allowed(age: Millis) -> u64 {
    let (mut at, mut wait, mut count) = (MINUTE, MINUTE, 0);
    while at <= age {
        count += 1;
        wait = if at >= OLD { HOUR } else { (2 * wait).min(15 * MINUTE) };
        at += wait;
    }
    count
}

fn short(answer: &Answer) -> String {
    match answer {
        Answer::Content(_) => "content".to_owned(),
        Answer::Limited(reason, told) => format!("{reason:?} until {:?}", told.map(time)),
        other => format!("{other:?}"),
    }
}

fn time(at: Millis) -> String {
    let (hours, minutes, seconds) = (at / HOUR, at / MINUTE % 60, at / SECOND % 60);
    format!("{hours}:{minutes:02}:{seconds:02}.{:03}", at % SECOND)
}
