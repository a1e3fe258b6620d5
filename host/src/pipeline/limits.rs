//! Reads what answers report of limits, as the description says or by the component's `quota`, and keeps it. `deliver` and
//! the watcher call it where a header or an event matches what the description observes. No client waits for it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bitrouter_contract::{Description, answer_headers, pattern};
use bitrouter_credential::Scrubber;
use bitrouter_plugin::contract::Field;
use bitrouter_route::Candidate;
use bytes::Bytes;
use http::HeaderMap;

use super::Received;
use crate::route::{LimitReport, Provider};

/// How often an account's limits are read at most: an account that is busy is not worth a hook for each answer, as
/// every answer says them anew.
const READ_EVERY: Duration = Duration::from_millis(200);

/// Whose limits an answer speaks of.
pub(super) struct Limits {
    provider: Arc<Provider>,
    account: Arc<str>,
    scrubber: Option<Arc<Scrubber>>,
    /// When the answer began: what it says of room is older than a limit that is met after.
    at: SystemTime,
}

impl Limits {
    pub(super) fn new(received: &Received) -> Self {
        Limits {
            provider: Arc::clone(&received.provider),
            account: Arc::clone(&received.account),
            scrubber: received.scrubber.clone(),
            at: SystemTime::now(),
        }
    }

    /// The headers of an answer that the description observes, scrubbed; none where there are none.
    pub(super) fn in_headers(received: &Received) -> Option<(Self, LimitReport)> {
        let description = &received.provider.plugin.description;
        if description.observe.headers.is_empty() && description.limits.headers.is_empty() {
            return None;
        }
        let fields = observed(received.response.headers(), description, received.scrubber.as_deref());
        (!fields.is_empty()).then(|| (Self::new(received), LimitReport::Headers(fields)))
    }

    /// Hands events on.
    pub(super) fn events(&self, events: Vec<Bytes>) {
        for event in events {
            self.hand_on(LimitReport::Event(String::from_utf8_lossy(&event).into_owned()));
        }
    }

    /// Hands on what was said; returns at once.
    pub(super) fn hand_on(&self, report: LimitReport) {
        // Without a runtime the gateway is going down, and nobody will ask.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.provider.unread_reports.put(&self.account, (self.at, report)) {
            let (provider, account, scrubber) =
                (Arc::clone(&self.provider), Arc::clone(&self.account), self.scrubber.clone());
            runtime.spawn(async move { read(&provider, &account, scrubber).await });
        }
    }
}

/// Reads what was said of one account until nothing more is.
async fn read(provider: &Provider, account: &Arc<str>, scrubber: Option<Arc<Scrubber>>) {
    while let Some(unread) = provider.unread_reports.take(account) {
        for (at, report) in unread {
            let (headers, event) = match &report {
                LimitReport::Headers(fields) => (fields.as_slice(), None),
                LimitReport::Event(event) => ([].as_slice(), Some(event.as_str())),
            };
            match provider.plugin.quota(headers, event, scrubber.clone()).await {
                Ok(windows) => {
                    tracing::debug!(provider = provider.id(), account = &**account, ?windows, "limits heard");
                    let known = &provider.learned.windows;
                    known.record(provider.id(), account, windows);
                    let candidate = Candidate::new(Arc::clone(&provider.plugin.id), Some(account), "");
                    let known = known.get(provider.id(), account);
                    provider.learned.cooldowns.room(&candidate, &known, at, SystemTime::now());
                }
                Err(error) => {
                    tracing::warn!(provider = provider.id(), %error, "a component could not read an account's limits");
                }
            }
        }
        tokio::time::sleep(READ_EVERY).await;
    }
}

/// The headers that `observe` names, for the component, and those that `limits` do, for it or for the host.
fn observed(headers: &HeaderMap, description: &Description, scrubber: Option<&Scrubber>) -> Vec<Field> {
    answer_headers(headers)
        .filter(|(name, _)| {
            description.limits.name(name.as_str()) || pattern::any(&description.observe.headers, name.as_str())
        })
        .filter_map(|(name, value)| {
            let value = value.to_str().ok()?;
            let value = scrubber.map_or(value.into(), |scrubber| scrubber.scrub_text(value)).into_owned();
            Some(Field { name: name.as_str().to_owned(), value })
        })
        .collect()
}
