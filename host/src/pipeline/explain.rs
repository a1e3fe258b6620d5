//! Asking a component what an error event inside a stream means. The fold does for its status, the watcher for the
//! request's record, and the rewrite for what a framing says is an error.

use std::sync::Arc;

use bitrouter_credential::Scrubber;
use bitrouter_plugin::contract::{Event, Failure, Trouble};

use crate::route::Provider;

/// What the component says; none where it cannot, which the log tells.
pub(super) async fn event(
    provider: &Provider,
    memo: &[u8],
    scrubber: Option<Arc<Scrubber>>,
    event: Event,
) -> Option<Failure> {
    match provider.plugin.explain(&Trouble::Event(event), memo, scrubber).await {
        Ok(failure) => Some(failure),
        Err(error) => {
            tracing::warn!(provider = provider.id(), %error, "a component could not explain an error event");
            None
        }
    }
}

/// A failure as the request's record has it.
pub(super) fn sentence(failure: &Failure) -> String {
    format!("{} of {}: {}", failure.kind, failure.scope, failure.message)
}
