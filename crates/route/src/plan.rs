//! One request on its way through its candidates: what comes next after each failure, what is passed over because it cools
//! down, and when nothing is left.
//!
//! The pipeline follows it, `bitrouter route` looks ahead on it, and the simulation of the routing rules follows the very
//! same. It sends nothing and waits for nothing; `now` is always the caller's.

use std::collections::VecDeque;
use std::time::SystemTime;

use super::cooldown::{Admission, Cooldowns, LastResort, Probe, Reason, Subject};
use super::verdict::{Cools, Meaning, Next};
use super::{Candidate, Own};

/// Whose request failed: a number that identifies caller and conversation, and the client's own headers that went along.
#[derive(Clone, Debug, Default)]
pub struct By {
    /// The number.
    pub caller: u64,
    /// The headers.
    pub own: Option<Own>,
}

/// One attempt of a plan.
#[must_use = "an attempt has arrived or failed"]
pub struct Attempt {
    /// The index of its candidate.
    candidate: usize,
    /// When it was handed out.
    sent: SystemTime,
    probe: Option<Probe>,
}

/// A candidate that was passed over because it cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The index of the candidate.
    pub candidate: usize,
    /// When it ends.
    pub until: SystemTime,
    /// Why it cools.
    pub reason: Reason,
}

/// One request on its way.
pub struct Plan<'c> {
    cooldowns: &'c Cooldowns,
    candidates: Vec<Candidate>,
    /// Which of them need not be looked at any more: they were begun, put off or passed over, or their target was left.
    done: Vec<bool>,
    /// Where the next one is looked for.
    at: usize,
    passed: Vec<Passed>,
    /// What is tried once all else has failed: slow connections, models that an account is known not to have, and what has
    /// failed for a single caller.
    put_off: VecDeque<usize>,
    tried: bool,
    over: bool,
}

impl<'c> Plan<'c> {
    /// A plan of these, in their order.
    pub fn new(cooldowns: &'c Cooldowns, candidates: Vec<Candidate>) -> Self {
        Plan {
            cooldowns,
            done: vec![false; candidates.len()],
            candidates,
            at: 0,
            passed: Vec::new(),
            put_off: VecDeque::new(),
            tried: false,
            over: false,
        }
    }

    /// Looks ahead: which of these a request would try now, by index, if each failed for nobody but its own account. Nothing
    /// is changed by it.
    pub fn ahead(cooldowns: &Cooldowns, candidates: &[Candidate], now: SystemTime) -> Vec<usize> {
        let cooldowns = cooldowns.copied();
        let mut plan = Plan::new(&cooldowns, candidates.to_vec());
        let mut order = Vec::new();
        while let Some(attempt) = plan.next(now) {
            order.push(attempt.candidate);
        }
        order
    }

    /// The next attempt; none once all that may be tried was. Where everything cools down, the one that ends first may be
    /// tried all the same.
    pub fn next(&mut self, now: SystemTime) -> Option<Attempt> {
        if self.over {
            return None;
        }
        if let Some(attempt) = self.next_in_order(now) {
            return Some(attempt);
        }
        if let Some(attempt) = self.next_put_off(now) {
            return Some(attempt);
        }
        self.over = true;
        if self.tried { None } else { self.last_resort(now) }
    }

    fn next_in_order(&mut self, now: SystemTime) -> Option<Attempt> {
        while self.at < self.candidates.len() {
            let index = self.at;
            self.at += 1;
            if std::mem::replace(&mut self.done[index], true) {
                continue;
            }
            let candidate = &self.candidates[index];
            self.forgive(candidate, now);
            if self.cooldowns.is_asked_last(candidate, now) {
                self.put_off.push_back(index);
                continue;
            }
            match self.admit(index, now) {
                Ok(probe) => return Some(self.attempt(index, probe, now)),
                Err(passed) => self.passed.push(passed),
            }
        }
        None
    }

    fn next_put_off(&mut self, now: SystemTime) -> Option<Attempt> {
        while let Some(index) = self.put_off.pop_front() {
            match self.admit(index, now) {
                Ok(probe) => return Some(self.attempt(index, probe, now)),
                // It is why it was put off.
                Err(passed) if passed.reason == Reason::SlowConnect => return Some(self.attempt(index, None, now)),
                Err(passed) => self.passed.push(passed),
            }
        }
        None
    }

    /// Whether a candidate may be asked, and as a probe of what; else what it cools down for.
    fn admit(&self, candidate: usize, now: SystemTime) -> Result<Option<Probe>, Passed> {
        match self.cooldowns.admit(&self.candidates[candidate], now) {
            Admission::Free => Ok(None),
            Admission::Probe(probe) => Ok(Some(probe)),
            Admission::Cooling { until, reason } => Err(Passed { candidate, until, reason }),
        }
    }

    /// An attempt at a later target, beside the one that was handed out last and is slow. The plan goes on behind it.
    pub fn hedge(&mut self, may: impl Fn(usize) -> bool, now: SystemTime) -> Option<Attempt> {
        let later: Vec<usize> = self.later(may).filter(|index| !self.done[*index]).collect();
        for index in later {
            if self.cooldowns.is_asked_last(&self.candidates[index], now) {
                continue;
            }
            if let Ok(probe) = self.admit(index, now) {
                self.done[index] = true;
                return Some(self.attempt(index, probe, now));
            }
        }
        None
    }

    /// Whether another attempt may follow the one that was handed out last.
    pub fn goes_on(&self) -> bool {
        !self.over && (self.at < self.candidates.len() || !self.put_off.is_empty())
    }

    /// Whether another target that `may` be hurried to can be asked now: if so, the current one need not be waited for
    /// long.
    pub fn has_elsewhere(&self, may: impl Fn(usize) -> bool, now: SystemTime) -> bool {
        let mut later = self.later(may).map(|index| &self.candidates[index]);
        later.any(|candidate| {
            self.cooldowns.peek(candidate, now).is_none() && !self.cooldowns.is_asked_last(candidate, now)
        })
    }

    /// The candidates of the targets behind the one that was handed out last in order, as far as these `may`.
    fn later(&self, may: impl Fn(usize) -> bool) -> impl Iterator<Item = usize> {
        let rest = self.candidates.iter().enumerate().skip(self.at);
        let here = self.at.checked_sub(1).map(|last| self.candidates[last].target);
        rest.filter(move |(_, one)| Some(one.target) != here && may(one.target)).map(|(index, _)| index)
    }

    /// The attempt came to its first content.
    pub fn arrived(&mut self, attempt: Attempt, now: SystemTime) {
        self.cooldowns.worked(&self.candidates[attempt.candidate], now);
        if let Some(probe) = attempt.probe {
            probe.succeeded();
        }
    }

    /// The attempt failed. `committed` is true where it did so after its first content: then nothing more is tried.
    pub fn failed(&mut self, attempt: Attempt, meaning: &Meaning, by: By, committed: bool, now: SystemTime) {
        let By { caller, own } = by;
        let target = self.candidates[attempt.candidate].target;
        // What goes to one account of a target goes to all of them.
        for candidate in self.candidates.iter_mut().filter(|candidate| candidate.target == target) {
            candidate.own.clone_from(&own);
        }
        let candidate = &self.candidates[attempt.candidate];
        if let Some(subject) = cooled(meaning, candidate) {
            let end = meaning.ends.and_then(|ends| now.checked_add(ends.left(now)));
            self.cooldowns.cool_for(subject, meaning.reason(), caller, end, attempt.sent, now);
        } else if meaning.upstream {
            // It answered, if only to refuse the request: it is no outage.
            self.cooldowns.answered(candidate, now);
        }
        if committed {
            self.over = true;
            return;
        }
        match meaning.next() {
            Next::Nothing => self.over = true,
            Next::Target => self.leave(target),
            Next::Later => {
                self.leave(target);
                self.put_off.push_back(attempt.candidate);
            }
            Next::Account => {}
        }
    }

    /// Whether nothing more is tried.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// What cools down among the candidates, the one that ends first: the answer from memory where nothing was tried.
    pub fn first_to_end(&self) -> Option<Passed> {
        self.passed.iter().min_by_key(|passed| passed.until).copied()
    }

    /// What an attempt asks.
    pub fn candidate(&self, attempt: &Attempt) -> &Candidate {
        &self.candidates[attempt.candidate]
    }

    /// All of them, in order.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// Tries no more accounts of a target.
    fn leave(&mut self, target: usize) {
        for (done, _) in self.done.iter_mut().zip(&self.candidates).filter(|(_, one)| one.target == target) {
            *done = true;
        }
        self.put_off.retain(|index| self.candidates[*index].target != target);
    }

    fn attempt(&mut self, candidate: usize, probe: Option<Probe>, now: SystemTime) -> Attempt {
        self.tried = true;
        Attempt { candidate, sent: now, probe }
    }

    /// Everything cools down: the one that ends first, if nobody else tries it.
    fn last_resort(&mut self, now: SystemTime) -> Option<Attempt> {
        let cooling: Vec<&Candidate> = self.passed.iter().map(|passed| &self.candidates[passed.candidate]).collect();
        match self.cooldowns.last_resort(&cooling, now)? {
            LastResort::Try { index, probe } => {
                // It is asked, so what it answers is what counts, and not what was known before.
                let passed = self.passed.remove(index);
                Some(self.attempt(passed.candidate, Some(probe), now))
            }
            LastResort::Wait { .. } => None,
        }
    }

    /// A login that is newer than the refusal of the one before it is not refused.
    fn forgive(&self, candidate: &Candidate, now: SystemTime) {
        if let Some(account) = &candidate.account
            && let Some(refused) = self.cooldowns.refused_since(candidate, now)
            && account.since > refused
        {
            self.cooldowns.clear(Some(&candidate.provider), candidate.label(), now);
        }
    }
}

/// What a failure leaves alone for a while.
fn cooled(meaning: &Meaning, candidate: &Candidate) -> Option<Subject> {
    let subject = match meaning.cools()? {
        Cools::Account | Cools::Credential => candidate.as_account(),
        Cools::AccountModel => candidate.as_model_of_account(),
        Cools::TargetLimit | Cools::Target => candidate.as_target(),
    };
    // What a client's own headers may have brought about is left alone for those who send the same.
    Some(Subject { own: candidate.own.clone().filter(|_| meaning.is_an_answer()), ..subject })
}

#[cfg(test)]
mod tests;
