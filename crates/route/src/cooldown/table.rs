//! All cooldowns by provider, under the lock of [`super::Cooldowns`]. What it answers follows from what each says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::cooling::{Cooldown, Failure, Stand};
use super::probe::Probe;
use super::reason::Reason;
use super::subject::{LONGEST_MODEL, Subject};
use super::{Admission, Candidate, Cooling, LAST_RESORT_PAUSE, LastResort, Shared};

/// The most that is remembered of one provider. A client that asks for names of its own invention fills no memory.
pub(super) const MOST_COOLDOWNS: usize = 256;

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    /// None of the lists is empty.
    by_provider: BTreeMap<String, Vec<Cooldown>>,
    probes: u64,
    /// Whether something changed that outlives the gateway.
    changed: bool,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.by_provider.values().map(Vec::len).sum()
    }

    /// Whether something changed that outlives the gateway, since this was last asked.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Forgets what is long over, and bounds the rest.
    pub(crate) fn tidy(&mut self, now: SystemTime) {
        self.retain(|cooldown| !cooldown.is_forgotten(now));
        self.by_provider.values_mut().flatten().for_each(|cooldown| cooldown.bound(now));
    }

    pub(crate) fn admit(&mut self, candidate: &Candidate, now: SystemTime, shared: &Arc<Shared>) -> Admission {
        if let Some((until, reason)) = self.peek(candidate, now) {
            return Admission::Cooling { until, reason };
        }
        let id = self.probes + 1;
        let due = self.covering_mut(candidate).filter(|cooldown| cooldown.stand(now) == Stand::Due);
        let subjects: Vec<Subject> = due.map(|cooldown| let_through(cooldown, id, now)).collect();
        if subjects.is_empty() {
            return Admission::Free;
        }
        (self.probes, self.changed) = (id, true);
        Admission::Probe(Probe::new(shared, &candidate.provider, subjects, id, now))
    }

    /// What closes the candidate the longest, if anything does.
    pub(crate) fn peek(&self, candidate: &Candidate, now: SystemTime) -> Option<(SystemTime, Reason)> {
        let closed = self.closing(candidate).filter(|cooldown| cooldown.stand(now) == Stand::Closed);
        closed.map(|cooldown| (cooldown.until.max(now), cooldown.reason)).max_by_key(|(until, _)| *until)
    }

    pub(crate) fn is_asked_last(&self, candidate: &Candidate, now: SystemTime) -> bool {
        let mut put_off = self.covering(candidate).filter(|cooldown| cooldown.only_puts_off());
        put_off.any(|cooldown| cooldown.stand(now) == Stand::Closed)
    }

    /// The client's headers because of which the candidate is closed the longest, if it is because of any.
    pub(crate) fn closed_by_own(&self, candidate: &Candidate, now: SystemTime) -> bool {
        let closed = self.closing(candidate).filter(|cooldown| cooldown.stand(now) == Stand::Closed);
        closed.max_by_key(|cooldown| cooldown.until).is_some_and(|cooldown| cooldown.subject.own.is_some())
    }

    /// When the request was sent with which the credential was refused last.
    pub(crate) fn refused_since(&self, candidate: &Candidate) -> Option<SystemTime> {
        let mut refused = self.covering(candidate).filter(|cooldown| cooldown.reason == Reason::LoggedOut);
        refused.next().map(|cooldown| cooldown.sent)
    }

    pub(crate) fn cool(&mut self, subject: Subject, failure: Failure, now: SystemTime) {
        if subject.model.as_ref().is_some_and(|model| model.len() > LONGEST_MODEL) {
            return;
        }
        let cooldowns = self.by_provider.entry(subject.provider.clone()).or_default();
        let (before, after) = match cooldowns.iter_mut().find(|known| known.subject == subject) {
            Some(known) => {
                let before = known.reason;
                known.again(failure, now);
                (before, known.reason)
            }
            None => {
                cooldowns.push(Cooldown::begin(subject, failure, now));
                (failure.reason, failure.reason)
            }
        };
        if cooldowns.len() > MOST_COOLDOWNS {
            // What a client's headers brought about goes first: a client could make up as many as it likes.
            let first = cooldowns.iter().enumerate();
            let first = first.min_by_key(|(_, cooldown)| (cooldown.subject.own.is_none(), cooldown.until));
            let first = first.map_or(0, |(index, _)| index);
            cooldowns.swap_remove(first);
        }
        self.changed |= before.is_limit() || after.is_limit();
    }

    pub(crate) fn answered(&mut self, candidate: &Candidate, now: SystemTime) {
        for cooldown in self.by_provider.get_mut(&*candidate.provider).into_iter().flatten() {
            if cooldown.reason.is_outage() && cooldown.subject.covers(candidate) {
                cooldown.is_answered(now);
            }
        }
        let is_over = |cooldown: &Cooldown| match cooldown.is_one_callers() {
            true => false,
            false => cooldown.reason.is_outage() || now >= cooldown.until,
        };
        self.retain(|cooldown| !(cooldown.subject.covers(candidate) && is_over(cooldown)));
    }

    pub(crate) fn offered(&mut self, candidate: &Candidate) {
        let is_over = |cooldown: &Cooldown| cooldown.reason.only_puts_off();
        self.retain(|cooldown| !(cooldown.subject.covers(candidate) && is_over(cooldown)));
    }

    pub(crate) fn room(&mut self, candidate: &Candidate, reported_at: SystemTime) {
        let is_over = |cooldown: &Cooldown| cooldown.reason.is_limit() && reported_at > cooldown.failed;
        self.retain(|cooldown| !(cooldown.subject.covers(candidate) && is_over(cooldown)));
    }

    pub(crate) fn last_resort(
        &mut self,
        candidates: &[&Candidate],
        now: SystemTime,
        shared: &Arc<Shared>,
    ) -> Option<LastResort> {
        let end = |candidate: &Candidate| {
            let not_over = self.closing(candidate).filter(|cooldown| cooldown.stand(now) != Stand::Over);
            let longest = not_over.max_by_key(|cooldown| cooldown.until);
            longest.map_or((now, None), |cooldown| (cooldown.until.max(now), Some(cooldown.reason)))
        };
        let ends = candidates.iter().map(|candidate| end(candidate)).enumerate();
        let (index, (until, reason)) = ends.min_by_key(|(_, (until, _))| *until)?;
        // Past its end it is not cooling: it only lets another go first where there is one.
        let ended = until <= now;
        let busy = |cooldown: &Cooldown| cooldown.is_being_probed(now) || cooldown.was_tried(LAST_RESORT_PAUSE, now);
        let is_busy = || candidates.iter().flat_map(|candidate| self.covering(candidate)).any(busy);
        if let Some(reason) = reason.filter(|_| !ended && is_busy()) {
            return Some(LastResort::Wait { index, until, reason });
        }
        let id = self.probes + 1;
        let candidate = candidates[index];
        let tried = self.covering_mut(candidate).filter(|cooldown| !cooldown.only_puts_off());
        let tried = tried.filter(|cooldown| cooldown.stand(now) != Stand::Over);
        let subjects = tried.map(|cooldown| let_through(cooldown, id, now)).collect();
        (self.probes, self.changed) = (id, true);
        Some(LastResort::Try { index, probe: Probe::new(shared, &candidate.provider, subjects, id, now) })
    }

    pub(crate) fn release(&mut self, provider: &str, id: u64) {
        for cooldown in self.by_provider.get_mut(provider).into_iter().flatten() {
            if cooldown.out.is_some_and(|(out, _)| out == id) {
                cooldown.out = None;
            }
        }
    }

    pub(crate) fn over(&mut self, provider: &str, subjects: &[Subject], since: SystemTime) {
        let is_over = |cooldown: &Cooldown| cooldown.reason.is_outage() || cooldown.failed <= since;
        self.retain(|cooldown| {
            let probed = cooldown.subject.provider == provider && subjects.contains(&cooldown.subject);
            !(probed && is_over(cooldown))
        });
    }

    pub(crate) fn clear(&mut self, provider: Option<&str>, label: Option<&str>, now: SystemTime) -> usize {
        let meant = |subject: &Subject| {
            provider.is_none_or(|provider| subject.provider == provider)
                && label.is_none_or(|label| subject.label.as_deref() == Some(label))
        };
        let mut lifted = 0;
        self.retain(|cooldown| {
            let clears = meant(&cooldown.subject);
            lifted += usize::from(clears && cooldown.stand(now) != Stand::Over);
            !clears
        });
        lifted
    }

    pub(crate) fn list(&self, now: SystemTime) -> Vec<Cooling> {
        let mut list: Vec<Cooling> = self
            .by_provider
            .values()
            .flatten()
            .filter(|cooldown| cooldown.stand(now) != Stand::Over)
            .map(|cooldown| Cooling {
                subject: cooldown.subject.clone(),
                reason: cooldown.reason,
                since: cooldown.since,
                until: cooldown.until,
                next_probe: if cooldown.reason.is_outage() { cooldown.until } else { cooldown.next_probe },
                probing: cooldown.is_being_probed(now),
            })
            .collect();
        list.sort_by(|one, other| one.subject.cmp(&other.subject));
        list
    }

    /// Those that outlive the gateway.
    pub(crate) fn limits(&self) -> Vec<Cooldown> {
        let outlives = |cooldown: &&Cooldown| cooldown.reason.is_limit() && cooldown.subject.own.is_none();
        self.by_provider.values().flatten().filter(outlives).cloned().collect()
    }

    /// Adds what was kept.
    pub(crate) fn put(&mut self, cooldown: Cooldown) {
        let cooldowns = self.by_provider.entry(cooldown.subject.provider.clone()).or_default();
        if cooldowns.len() < MOST_COOLDOWNS && cooldowns.iter().all(|known| known.subject != cooldown.subject) {
            cooldowns.push(cooldown);
        }
    }

    /// What can keep requests away. That an account does not have the model, and what one caller alone has met, only puts
    /// it off.
    fn closing(&self, candidate: &Candidate) -> impl Iterator<Item = &Cooldown> {
        self.covering(candidate).filter(|cooldown| !cooldown.only_puts_off())
    }

    fn covering(&self, candidate: &Candidate) -> impl Iterator<Item = &Cooldown> {
        let cooldowns = self.by_provider.get(&*candidate.provider).into_iter().flatten();
        cooldowns.filter(|cooldown| cooldown.subject.covers(candidate))
    }

    fn covering_mut(&mut self, candidate: &Candidate) -> impl Iterator<Item = &mut Cooldown> {
        let cooldowns = self.by_provider.get_mut(&*candidate.provider).into_iter().flatten();
        cooldowns.filter(|cooldown| cooldown.subject.covers(candidate))
    }

    pub(super) fn retain(&mut self, mut stays: impl FnMut(&Cooldown) -> bool) {
        let changed = &mut self.changed;
        self.by_provider.retain(|_, cooldowns| {
            cooldowns.retain(|cooldown| {
                let stays = stays(cooldown);
                *changed |= !stays && cooldown.reason.is_limit();
                stays
            });
            !cooldowns.is_empty()
        });
    }
}

fn let_through(cooldown: &mut Cooldown, id: u64, now: SystemTime) -> Subject {
    cooldown.let_through(id, now);
    cooldown.subject.clone()
}
