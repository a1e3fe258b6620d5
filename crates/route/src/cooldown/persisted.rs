//! Limits over a restart, and between gateways that share a state: what is handed to it, and what of it counts here. Off the
//! path of requests.

use std::collections::BTreeSet;
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

/// The state, and which limits it held after the last exchange.
#[derive(Default)]
pub(super) struct Exchange {
    state: Option<Arc<dyn RouteState>>,
    held: Mutex<BTreeSet<Subject>>,
}

impl Cooldowns {
    /// Cooldowns whose limits are kept in this state, which held these. An end that lies unreasonably far away is bounded,
    /// one that has passed is left out.
    pub fn persisted_in(state: Arc<dyn RouteState>, limits: &[Limit], now: SystemTime) -> Self {
        let held = Mutex::new(limits.iter().map(Limit::subject).collect());
        let cooldowns =
            Cooldowns(Arc::new(Shared { kept: Exchange { state: Some(state), held }, ..Shared::default() }));
        cooldowns.0.with(now, |table| limits.iter().for_each(|limit| table.adopt(limit, now)));
        cooldowns
    }

    /// Hands limits to the state for a later gateway and for others, and takes over what those found out or lifted. Blocks;
    /// [`Cooldowns::keep`] calls it, and the end of the gateway.
    pub fn exchange(&self, now: SystemTime) -> io::Result<()> {
        let Exchange { state: Some(state), held } = &self.0.kept else { return Ok(()) };
        // Held all the time, for another exchange would go by what is no more.
        let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut holds = BTreeSet::new();
        state.exchange_limits(&mut |theirs| {
            let ours = self.0.with(now, |table| table.exchange(theirs, &held, now));
            holds = ours.iter().map(Limit::subject).collect();
            ours
        })?;
        *held = holds;
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
    /// Takes over what the state holds and did not hold before, lifts what it held before and holds no more, and says what it
    /// is to hold.
    fn exchange(&mut self, theirs: &[Limit], before: &BTreeSet<Subject>, now: SystemTime) -> Vec<Limit> {
        let holds: BTreeSet<Subject> = theirs.iter().map(Limit::subject).collect();
        let lifted = |subject: &Subject| before.contains(subject) && !holds.contains(subject);
        self.retain(|cooldown| !(cooldown.reason.is_limit() && lifted(&cooldown.subject)));
        let is_new = |limit: &&Limit| !before.contains(&limit.subject());
        theirs.iter().filter(is_new).for_each(|limit| self.adopt(limit, now));
        self.limits().iter().map(Limit::of).collect()
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
