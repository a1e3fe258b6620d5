//! Limits over a restart, and between gateways that share a state: what is handed to it, and what of it counts here. Off the
//! path of requests.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitrouter_files::Timestamp;
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::cooling::{Cooldown, Failure};
use super::reason::Reason;
use super::subject::Subject;
use super::table::Table;
use super::{Cooldowns, Shared};
use crate::state::RouteState;

/// How often limits that change are handed to the state at most.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How often the state is asked what others found out.
const EXCHANGE_EVERY: Duration = Duration::from_secs(3);

/// One limit that was reached, as it is kept. Times are RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The provider's id.
    pub provider: String,
    /// The account's label; none where it is the provider's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The provider's own name of the model; none where it is the whole account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why it cools down.
    pub reason: Reason,
    /// Since when.
    pub since: String,
    /// Until when.
    pub until: String,
    /// From when on a request may go through as a probe.
    pub next_probe: String,
    /// How many have.
    pub probes: u32,
}

/// Limits by what they are of.
type Limits = BTreeMap<Subject, Limit>;

/// The state, and the limits that it and this gateway agreed on at the last exchange.
#[derive(Default)]
pub(super) struct Exchange {
    state: Option<Arc<dyn RouteState>>,
    known: Mutex<Limits>,
}

impl Cooldowns {
    /// Cooldowns whose limits are kept in this state, which held these. An end that lies unreasonably far away is bounded,
    /// one that has passed is left out.
    pub fn persisted_in(state: Arc<dyn RouteState>, limits: &[Limit], now: SystemTime) -> Self {
        let known = limits.iter().map(|limit| (limit.subject(), limit.clone())).collect();
        let kept = Exchange { state: Some(state), known: Mutex::new(known) };
        let cooldowns = Cooldowns(Arc::new(Shared { kept, ..Shared::default() }));
        cooldowns.0.with(now, |table| limits.iter().for_each(|limit| table.adopt(limit, now)));
        cooldowns
    }

    /// Hands limits to the state for a later gateway and for others, and takes over what those found out or lifted. Blocks;
    /// [`Cooldowns::keep`] calls it, and the end of the gateway.
    pub fn exchange(&self, now: SystemTime) -> io::Result<()> {
        let Exchange { state: Some(state), known } = &self.0.kept else { return Ok(()) };
        // Held all the time, for another exchange would go by what is no more.
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut after = Limits::new();
        state.exchange_limits(&mut |theirs| {
            let (limits, here) = self.0.with(now, |table| table.exchange(theirs, &known, now));
            after = here;
            limits
        })?;
        *known = after;
        Ok(())
    }

    /// Exchanges whenever a limit changed, at most once a second, and every few seconds, for as long as it is polled.
    pub async fn keep(&self) -> Infallible {
        self.keep_pausing(async || tokio::time::sleep(WRITE_EVERY).await).await
    }

    /// The same, with the pause between two exchanges given.
    async fn keep_pausing(&self, pause: impl AsyncFn()) -> Infallible {
        let mut failed = false;
        loop {
            let _ = tokio::time::timeout(EXCHANGE_EVERY, self.0.changed.notified()).await;
            let cooldowns = self.clone();
            let kept = tokio::task::spawn_blocking(move || cooldowns.exchange(SystemTime::now())).await;
            match kept.map_err(io::Error::other).flatten() {
                Ok(()) => failed = false,
                // Said once, not each second.
                Err(error) if !failed => {
                    failed = true;
                    warn!("{error}. Limits are not kept over a restart");
                }
                Err(_) => {}
            }
            pause().await;
        }
    }
}

impl Table {
    /// Brings the state's limits and those of here together: of each, whoever changed it since the last exchange is right, and
    /// where both did, the later end is. Says what the state is to hold, and what is known here by then. What cannot be taken
    /// over here, as where a login is over, stays as it is in the state.
    fn exchange(&mut self, theirs: &[Limit], before: &Limits, now: SystemTime) -> (Vec<Limit>, Limits) {
        let lasts = |limit: &&Limit| limit.cooldown(now).is_some_and(|cooldown| cooldown.until > now);
        let mut state: Limits = theirs.iter().filter(lasts).map(|limit| (limit.subject(), limit.clone())).collect();
        let here = self.limits_by_subject();
        let subjects: BTreeSet<Subject> = before.keys().chain(here.keys()).chain(state.keys()).cloned().collect();
        for subject in subjects {
            let (was, ours, theirs) = (before.get(&subject), here.get(&subject), state.get(&subject).cloned());
            // One that was lifted has no end, which is earlier than any.
            let end = |limit: Option<&Limit>| limit.and_then(|limit| time(&limit.until));
            if ours != was && (theirs.as_ref() == was || end(ours) > end(theirs.as_ref())) {
                if ours.is_none() {
                    state.remove(&subject);
                }
            } else if ours != theirs.as_ref() {
                self.retain(|cooldown| !(cooldown.reason.is_limit() && cooldown.subject == subject));
                theirs.iter().for_each(|limit| self.adopt(limit, now));
            }
        }
        // Of what is known here both hold one and the same: what was taken over may have had its end bounded, and would look
        // changed for ever.
        let known = self.limits_by_subject();
        state.extend(known.clone());
        (state.into_values().collect(), known)
    }

    fn limits_by_subject(&self) -> Limits {
        self.limits().iter().map(|limit| (limit.subject.clone(), Limit::of(limit))).collect()
    }

    fn adopt(&mut self, limit: &Limit, now: SystemTime) {
        match limit.cooldown(now) {
            Some(cooldown) if cooldown.until > now => self.put(cooldown),
            Some(_) => {}
            None => warn!("what is kept of {} is no limit with its times", limit.provider),
        }
    }
}

impl Limit {
    fn subject(&self) -> Subject {
        let (provider, label, model) = (self.provider.clone(), self.account.clone(), self.model.clone());
        Subject { provider, label, model, own: None }
    }

    fn of(cooldown: &Cooldown) -> Self {
        let Subject { provider, label, model, own: _ } = cooldown.subject.clone();
        let text = |time| Timestamp::from(time).to_string();
        Limit {
            provider,
            account: label,
            model,
            reason: cooldown.reason,
            since: text(cooldown.since),
            until: text(cooldown.until),
            next_probe: text(cooldown.next_probe),
            probes: cooldown.probes,
        }
    }

    /// None if it is no limit, or a time is none.
    fn cooldown(&self, now: SystemTime) -> Option<Cooldown> {
        let (since, until, next_probe) = (time(&self.since)?, time(&self.until)?, time(&self.next_probe)?);
        let failure = Failure { reason: self.reason, reported: None, by: None, sent: now };
        let mut cooldown = Cooldown::begin(self.subject(), failure, now);
        (cooldown.since, cooldown.until, cooldown.next_probe) = (since, until, next_probe);
        cooldown.probes = self.probes;
        cooldown.bound(now);
        self.reason.is_limit().then_some(cooldown)
    }
}

fn time(text: &str) -> Option<SystemTime> {
    let seconds = text.parse::<Timestamp>().ok()?.unix();
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests;
