//! The order in which one request tries its targets and their accounts: what comes next after each failure, what is
//! passed over because it cools down, and when nothing is left.
//!
//! The pipeline walks it, and the simulation of the routing rules walks the very same. It sends nothing and waits for
//! nothing; `now` is always the caller's.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::Own;
use super::cooldown::{Admission, Candidate, Cooldowns, LastResort, Probe, Reason, Subject};
use super::verdict::{Cools, Meaning, Next};

/// One target and the accounts that may pay for it, in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct Place<A> {
    /// The provider's id.
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    /// The accounts; one `None` where the provider needs none, nothing where none can be used.
    pub accounts: Vec<Option<A>>,
    /// The headers of the client's own that go there. They matter only once something cools down or has failed.
    pub own: Option<Own>,
}

/// Whose request failed: a number that is another for another caller or conversation, and the client's own headers that
/// went along.
#[derive(Clone, Debug, Default)]
pub struct By {
    /// The number.
    pub caller: u64,
    /// The headers.
    pub own: Option<Own>,
}

/// An account, as far as a journey needs to know it.
pub trait Account: Clone {
    /// Its label.
    fn label(&self) -> &str;
    /// When its credential came to be. One that is newer than the refusal of another is not refused.
    fn since(&self) -> SystemTime;
}

/// One attempt of a journey.
#[must_use = "an attempt has arrived or failed"]
pub struct Leg<A> {
    /// The index of its place.
    pub place: usize,
    /// The index of the account there.
    index: usize,
    /// Who pays.
    pub account: Option<A>,
    /// When it was handed out.
    sent: SystemTime,
    probe: Option<Probe>,
}

/// What a request met that cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The index of its place.
    pub place: usize,
    /// The index of the account there.
    pub account: usize,
    /// When it ends.
    pub until: SystemTime,
    /// Why it cools.
    pub reason: Reason,
}

/// One request on its way.
pub struct Journey<'c, A> {
    cooldowns: &'c Cooldowns,
    places: Vec<Place<A>>,
    /// Where the next leg is looked for.
    place: usize,
    /// By place: the account that is looked at next. A later place has been begun where it was asked beside another.
    next: Vec<usize>,
    passed: Vec<Passed>,
    /// What is tried once all else has failed: slow connections, models that an account is known not to have, and what has
    /// failed for a single caller.
    put_off: VecDeque<(usize, usize)>,
    tried: bool,
    over: bool,
}

impl<'c, A: Account> Journey<'c, A> {
    /// A journey to these places. An account that more than one of them has for a model is asked in the first.
    pub fn new(cooldowns: &'c Cooldowns, mut places: Vec<Place<A>>) -> Self {
        for at in 1..places.len() {
            let (before, rest) = places.split_at_mut(at);
            let Place { provider, model, accounts, own: _ } = &mut rest[0];
            let same = |other: &&Place<A>| other.provider == *provider && other.model == *model;
            let label = |account: &Option<A>| account.as_ref().map(|account| account.label().to_owned());
            let mut known = Vec::new();
            known.extend(before.iter().filter(same).flat_map(|other| other.accounts.iter().map(label)));
            accounts.retain(|account| !known.contains(&label(account)));
        }
        Journey {
            cooldowns,
            place: 0,
            next: vec![0; places.len()],
            places,
            passed: Vec::new(),
            put_off: VecDeque::new(),
            tried: false,
            over: false,
        }
    }

    /// The next attempt; none once all that may be tried was. Where everything cools down, the one that ends first may be
    /// tried all the same.
    pub fn next(&mut self, now: SystemTime) -> Option<Leg<A>> {
        if self.over {
            return None;
        }
        if let Some(leg) = self.next_in_order(now) {
            return Some(leg);
        }
        if let Some(leg) = self.next_put_off(now) {
            return Some(leg);
        }
        self.over = true;
        if self.tried { None } else { self.last_resort(now) }
    }

    fn next_in_order(&mut self, now: SystemTime) -> Option<Leg<A>> {
        while let Some(place) = self.places.get(self.place) {
            let at = (self.place, self.next[self.place]);
            let Some(account) = place.accounts.get(at.1) else {
                self.place += 1;
                continue;
            };
            self.next[self.place] += 1;
            let candidate = candidate(place, account.as_ref());
            self.forgive(account.as_ref(), &candidate, now);
            if self.cooldowns.is_asked_last(&candidate, now) {
                self.put_off.push_back(at);
                continue;
            }
            match self.admit(at, now) {
                Ok(probe) => return Some(self.leg(at, probe, now)),
                Err(passed) => self.passed.push(passed),
            }
        }
        None
    }

    fn next_put_off(&mut self, now: SystemTime) -> Option<Leg<A>> {
        while let Some(at) = self.put_off.pop_front() {
            match self.admit(at, now) {
                Ok(probe) => return Some(self.leg(at, probe, now)),
                // It is why it was put off.
                Err(Passed { reason: Reason::SlowConnect, .. }) => return Some(self.leg(at, None, now)),
                Err(passed) => self.passed.push(passed),
            }
        }
        None
    }

    /// Whether an account of a place may be asked, and as a probe of what; else what it cools down for.
    fn admit(&self, (place, account): (usize, usize), now: SystemTime) -> Result<Option<Probe>, Passed> {
        match self.cooldowns.admit(&self.candidate((place, account)), now) {
            Admission::Free => Ok(None),
            Admission::Probe(probe) => Ok(Some(probe)),
            Admission::Cooling { until, reason } => Err(Passed { place, account, until, reason }),
        }
    }

    /// An attempt at a later place, beside the one that was handed out last and is slow. The journey goes on behind it.
    pub fn beside(&mut self, may: impl Fn(usize) -> bool, now: SystemTime) -> Option<Leg<A>> {
        let rest = self.places.iter().enumerate().skip(self.place + 1);
        for (at, place) in rest.filter(|(at, _)| may(*at)) {
            for (index, account) in place.accounts.iter().enumerate().skip(self.next[at]) {
                if self.cooldowns.is_asked_last(&candidate(place, account.as_ref()), now) {
                    continue;
                }
                if let Ok(probe) = self.admit((at, index), now) {
                    self.next[at] = index + 1;
                    return Some(self.leg((at, index), probe, now));
                }
            }
        }
        None
    }

    /// Whether another leg may follow the one that was handed out last.
    pub fn goes_on(&self) -> bool {
        let here = self.places.get(self.place).is_some_and(|place| self.next[self.place] < place.accounts.len());
        !self.over && (here || self.place + 1 < self.places.len() || !self.put_off.is_empty())
    }

    /// Whether another target that `may` be hurried to can be asked now: then the one that was handed out last need not be
    /// waited for long.
    pub fn has_elsewhere(&self, may: impl Fn(usize) -> bool, now: SystemTime) -> bool {
        let admitted = |candidate: Candidate<'_>| {
            self.cooldowns.peek(&candidate, now).is_none() && !self.cooldowns.is_asked_last(&candidate, now)
        };
        let mut rest = self.places.iter().enumerate().skip(self.place + 1).filter(|(at, _)| may(*at));
        rest.any(|(_, place)| place.accounts.iter().any(|account| admitted(candidate(place, account.as_ref()))))
    }

    /// The attempt came to its first content.
    pub fn arrived(&mut self, leg: Leg<A>, now: SystemTime) {
        let place = &self.places[leg.place];
        self.cooldowns.worked(&candidate(place, leg.account.as_ref()), now);
        if let Some(probe) = leg.probe {
            probe.succeeded();
        }
    }

    /// The attempt failed. `committed` is true where it did so after its first content: then nothing more is tried.
    pub fn failed(&mut self, leg: Leg<A>, meaning: &Meaning, by: By, committed: bool, now: SystemTime) {
        let By { caller, own } = by;
        self.places[leg.place].own = own;
        let candidate = candidate(&self.places[leg.place], leg.account.as_ref());
        if let Some(subject) = cooled(meaning, &candidate) {
            let end = meaning.ends.and_then(|ends| now.checked_add(ends.left(now)));
            self.cooldowns.cool_for(subject, meaning.reason(), caller, end, leg.sent, now);
        } else if meaning.upstream {
            // It answered, if only to refuse the request: it is no outage.
            self.cooldowns.answered(&candidate, now);
        }
        match meaning.next() {
            _ if committed => self.over = true,
            Next::Nothing => self.over = true,
            Next::Target => self.leave(leg.place),
            Next::Later => {
                self.leave(leg.place);
                self.put_off.push_back((leg.place, leg.index));
            }
            Next::Account => {}
        }
    }

    /// Whether nothing more is tried.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What cools down among the places, the one that ends first: the answer from memory where nothing was tried.
    pub fn first_to_end(&self) -> Option<Passed> {
        self.passed.iter().min_by_key(|passed| passed.until).copied()
    }

    /// The place of a leg or of what was passed over.
    pub fn place(&self, index: usize) -> &Place<A> {
        &self.places[index]
    }

    /// Tries no more accounts of a place.
    fn leave(&mut self, place: usize) {
        self.next[place] = usize::MAX;
        self.put_off.retain(|at| at.0 != place);
    }

    fn leg(&mut self, (place, index): (usize, usize), probe: Option<Probe>, now: SystemTime) -> Leg<A> {
        self.tried = true;
        Leg { place, index, account: self.places[place].accounts[index].clone(), sent: now, probe }
    }

    /// Everything cools down: the one that ends first, if nobody else tries it.
    fn last_resort(&mut self, now: SystemTime) -> Option<Leg<A>> {
        let candidates: Vec<Candidate<'_>> =
            self.passed.iter().map(|passed| self.candidate((passed.place, passed.account))).collect();
        match self.cooldowns.last_resort(&candidates, now)? {
            LastResort::Try { index, probe } => {
                // It is asked, so what it answers is what counts, and not what was known before.
                let passed = self.passed.remove(index);
                Some(self.leg((passed.place, passed.account), Some(probe), now))
            }
            LastResort::Wait { .. } => None,
        }
    }

    fn candidate(&self, (place, account): (usize, usize)) -> Candidate<'_> {
        let place = &self.places[place];
        candidate(place, place.accounts[account].as_ref())
    }

    /// A login that is newer than the refusal of the one before it is not refused.
    fn forgive(&self, account: Option<&A>, candidate: &Candidate<'_>, now: SystemTime) {
        if let Some(account) = account
            && let Some(since) = self.cooldowns.refused_since(candidate, now)
            && account.since() > since
        {
            self.cooldowns.clear(Some(candidate.provider), candidate.label, now);
        }
    }
}

fn candidate<'a, A: Account>(place: &'a Place<A>, account: Option<&'a A>) -> Candidate<'a> {
    Candidate { provider: &place.provider, label: account.map(A::label), model: &place.model, own: place.own.as_ref() }
}

/// What a failure leaves alone for a while.
fn cooled(meaning: &Meaning, candidate: &Candidate<'_>) -> Option<Subject> {
    let subject = match meaning.cools()? {
        Cools::Account | Cools::Credential => candidate.as_account(),
        Cools::AccountModel => candidate.as_model_of_account(),
        Cools::TargetLimit | Cools::Target => candidate.as_target(),
    };
    // What a client's own headers may have brought about is left alone for those who send the same.
    Some(Subject { own: candidate.own.filter(|_| meaning.is_an_answer()).cloned(), ..subject })
}

#[cfg(test)]
mod tests;
