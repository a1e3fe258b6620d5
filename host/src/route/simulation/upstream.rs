//! What the providers really are at each moment, and what they answer. The gateway learns of it only by asking.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitrouter_route::Window;
use bitrouter_route::cooldown::Reason;
use bitrouter_tests::Dice;

/// Milliseconds since the simulation began.
pub(crate) type Millis = u64;

pub(crate) const SECOND: Millis = 1000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;

/// When the faults end; the traffic goes on for a while.
pub(crate) const FAULTS: Millis = 48 * HOUR;
pub(crate) const END: Millis = FAULTS + 3 * HOUR;

/// The first two are plans, the third costs money for each token.
pub(crate) const PROVIDERS: [&str; 3] = ["team", "spare", "paid"];
pub(crate) const PAID: usize = 2;
pub(crate) const LABELS: [&str; 3] = ["default", "home", "work"];
pub(crate) const MODELS: [&str; 2] = ["m", "n"];
/// The plan of this account does not have the model of this index.
pub(crate) const NOT_OFFERED: (usize, usize, usize) = (1, 1, 0);

/// The plan of this account has a window of a week, and not much in it.
pub(crate) const WEEKLY: (usize, usize) = (0, 2);

/// A conversation on which every backend crashes, whoever is asked.
pub(crate) const POISON: u64 = 13;
/// A conversation whose client sends a header of its own that no account agrees with.
pub(crate) const FOREIGN: u64 = 7;

/// The moment as the gateway sees it.
pub(crate) fn wall(at: Millis) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000) + Duration::from_millis(at)
}

/// Whom a request goes to: indexes of provider, account and model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub provider: usize,
    pub account: usize,
    pub model: usize,
}

#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Content(Vec<Window>),
    /// A limit of the account; its end in milliseconds where it is told.
    Limited(Reason, Option<Millis>),
    Outage(Reason),
    /// The credential is refused, after a refresh too.
    Dead,
    NotOffered,
    /// The request is too long for the model, whichever account pays.
    TooLong,
    BadRequest,
}

/// A limit of an account: so many requests in a window that begins with its first.
#[derive(Clone, Debug)]
struct Limit {
    reason: Reason,
    most: u64,
    length: Millis,
    begun: Millis,
    used: u64,
}

#[derive(Clone)]
struct Outage {
    from: Millis,
    to: Millis,
    reason: Reason,
}

pub(crate) struct Upstream {
    /// By provider and account.
    limits: Vec<Vec<[Limit; 2]>>,
    /// By provider and model.
    outages: Vec<Vec<Vec<Outage>>>,
    /// By provider and account: when the credential died, and when somebody logged in again.
    deaths: Vec<Vec<(Millis, Millis)>>,
    dice: Dice,
}

impl Upstream {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x5eed);
        let account = |dice: &mut Dice| {
            let (most, length) = (dice.between(100, 600), dice.between(1, 6) * HOUR);
            let plan = Limit { reason: Reason::UsageLimit, most, length, begun: 0, used: 0 };
            let most = dice.between(4, 20);
            [plan, Limit { reason: Reason::RateLimited, most, length: MINUTE, begun: 0, used: 0 }]
        };
        let mut limits = PROVIDERS.map(|_| LABELS.map(|_| account(&mut dice)).to_vec()).to_vec();
        let (provider, weekly) = WEEKLY;
        (limits[provider][weekly][0].most, limits[provider][weekly][0].length) = (150, 7 * 24 * HOUR);
        let outages = PROVIDERS.map(|_| MODELS.map(|_| outages(&mut dice)).to_vec()).to_vec();
        let death = |dice: &mut Dice| {
            let from = dice.between(HOUR, FAULTS - 10 * HOUR);
            (from, from + dice.between(MINUTE, 9 * HOUR))
        };
        let deaths = PROVIDERS.map(|_| LABELS.map(|_| death(&mut dice)).to_vec()).to_vec();
        Upstream { limits, outages, deaths, dice }
    }

    /// What a request that is sent now will be answered, and how long that takes.
    pub(crate) fn answer(&mut self, spot: Spot, conversation: u64, now: Millis) -> (Millis, Answer) {
        let quick = self.dice.between(20, 900);
        if let Some(outage) = self.outage(spot, now) {
            let reason = outage.reason;
            return (if reason == Reason::Unreachable { 10 * SECOND } else { quick }, Answer::Outage(reason));
        }
        // One answer in five hundred fails for no reason at all.
        if now < FAULTS && self.dice.between(0, 500) == 0 {
            return (quick, Answer::Outage(Reason::Failing));
        }
        if conversation == POISON && now < FAULTS {
            return (quick, Answer::Outage(Reason::Failing));
        }
        if self.is_dead(spot, now) || conversation == FOREIGN {
            return (quick, Answer::Dead);
        }
        if (spot.provider, spot.account, spot.model) == NOT_OFFERED {
            return (quick, Answer::NotOffered);
        }
        if self.dice.percent(2) {
            return (quick, if self.dice.percent(50) { Answer::BadRequest } else { Answer::TooLong });
        }
        for index in 0..2 {
            let limit = &mut self.limits[spot.provider][spot.account][index];
            limit.pass(now);
            if limit.used >= limit.most {
                let (reason, ends) = (limit.reason, limit.begun + limit.length);
                return (quick, Answer::Limited(reason, self.told(ends, now)));
            }
        }
        let limits = &mut self.limits[spot.provider][spot.account];
        limits.iter_mut().for_each(|limit| limit.used += 1);
        let windows = limits.iter().map(Limit::window).collect();
        (self.dice.between(200, 20 * SECOND), Answer::Content(windows))
    }

    /// Whether a request that is sent now would be answered with content, and since when that is so at least.
    pub(crate) fn healthy_since(&self, spot: Spot, now: Millis) -> Option<Millis> {
        if self.outage(spot, now).is_some()
            || self.is_dead(spot, now)
            || (spot.provider, spot.account, spot.model) == NOT_OFFERED
        {
            return None;
        }
        let mut since = 0;
        for limit in &self.limits[spot.provider][spot.account] {
            let mut limit = limit.clone();
            let ended = limit.begun + limit.length;
            let ended = if now >= FAULTS { ended.min(FAULTS) } else { ended };
            let was_full = limit.used >= limit.most;
            limit.pass(now);
            match (limit.used >= limit.most, was_full) {
                (true, _) => return None,
                (false, true) => since = since.max(ended),
                (false, false) => {}
            }
        }
        let outages = &self.outages[spot.provider][spot.model];
        let last = outages.iter().filter(|outage| outage.to <= now).map(|outage| outage.to).max();
        Some(since.max(last.unwrap_or(0)).max(self.logged_in(spot.provider, spot.account, now)))
    }

    /// Since when the account has the credential that it has.
    pub(crate) fn logged_in(&self, provider: usize, account: usize, now: Millis) -> Millis {
        let (_, again) = self.deaths[provider][account];
        if again <= now { again } else { 0 }
    }

    fn is_dead(&self, spot: Spot, now: Millis) -> bool {
        let (from, to) = self.deaths[spot.provider][spot.account];
        (from..to).contains(&now)
    }

    fn outage(&self, spot: Spot, now: Millis) -> Option<&Outage> {
        let outages = &self.outages[spot.provider][spot.model];
        outages.iter().find(|outage| (outage.from..outage.to).contains(&now))
    }

    /// What is told of an end: mostly the truth; some tell nothing, some something from another planet.
    fn told(&mut self, ends: Millis, now: Millis) -> Option<Millis> {
        match self.dice.between(0, 10) {
            0 => None,
            1 => Some(now + 18 * 24 * HOUR),
            2 => Some(now.saturating_sub(HOUR)),
            _ => Some(ends),
        }
    }
}

impl Limit {
    fn pass(&mut self, now: Millis) {
        if now >= self.begun + self.length {
            (self.begun, self.used) = (now, 0);
        }
        if now >= FAULTS {
            self.most = u64::MAX;
        }
    }

    fn window(&self) -> Window {
        Window {
            name: format!("{:?}", self.reason),
            used_percent: Some((100 * self.used / self.most).min(100) as f64),
            limit: None,
            remaining: None,
            length_seconds: Some(self.length / SECOND),
            resets_at: Some(1_800_000_000 + (self.begun + self.length) / SECOND),
            told_at: 1_800_000_000,
        }
    }
}

fn outages(dice: &mut Dice) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut from = 0;
    loop {
        from += dice.between(10 * MINUTE, 8 * HOUR);
        // Most are short, some last for an evening.
        let length = if dice.percent(80) { dice.between(SECOND, 5 * MINUTE) } else { dice.between(HOUR / 2, 4 * HOUR) };
        let reason = [Reason::Unreachable, Reason::Failing, Reason::Overloaded][dice.between(0, 3) as usize];
        let to = from + length;
        if to >= FAULTS {
            return outages;
        }
        outages.push(Outage { from, to, reason });
        from = to;
    }
}
