//! A rewriter: one instance that lives as long as the stream it rewrites.
//!
//! Made after the upstream answered, where `prepare` asked for delivery `rewrite`. Each push carries all the events that
//! one read of the upstream brought.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::Plugin;
use super::contract::{Call, Event, Failure, Plugin as Guest};
use super::hook::{self, HookError, HookState};
use crate::credential::Scrubber;

/// One stream's rewriter.
pub struct Rewriter {
    plugin: Arc<Plugin>,
    store: Store<HookState>,
    guest: Guest,
    resource: ResourceAny,
    _slot: OwnedSemaphorePermit,
}

impl Rewriter {
    /// Makes the instance and its resource.
    pub async fn start(
        plugin: Arc<Plugin>,
        call: &Call,
        memo: &[u8],
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Self, HookError> {
        plugin.bench.check()?;
        let slot = hook::slot(&plugin.rewriters).await?;
        let state = HookState::new(Arc::clone(&plugin.id), None, scrubber, plugin.runtime.budget(), plugin.wasi);
        let mut store = hook::store(&plugin.runtime, state, hook::FUEL);
        let pre = &plugin.pre;
        let (guest, resource) = hook::within(&plugin.runtime, &mut store, async |store: &mut Store<HookState>| {
            let guest = pre.instantiate_async(&mut *store).await?;
            let resource =
                guest.bitrouter_provider_provider().rewriter().call_constructor(&mut *store, call, memo).await?;
            Ok((guest, resource))
        })
        .await?;
        Ok(Rewriter { plugin, store, guest, resource, _slot: slot })
    }

    /// Hands over what one read brought.
    pub async fn push(&mut self, events: &[Event]) -> Result<Result<Vec<Event>, Failure>, HookError> {
        self.renew();
        let (guest, resource) = (&self.guest, self.resource);
        let answer = hook::within(&self.plugin.runtime, &mut self.store, async |store: &mut Store<HookState>| {
            guest.bitrouter_provider_provider().rewriter().call_push(store, resource, events).await
        })
        .await;
        self.plugin.bench.record(&answer);
        answer
    }

    /// Asks for what is left.
    pub async fn finish(&mut self) -> Result<Result<Vec<Event>, Failure>, HookError> {
        self.renew();
        let (guest, resource) = (&self.guest, self.resource);
        let answer = hook::within(&self.plugin.runtime, &mut self.store, async |store: &mut Store<HookState>| {
            guest.bitrouter_provider_provider().rewriter().call_finish(store, resource).await
        })
        .await;
        self.plugin.bench.record(&answer);
        answer
    }

    /// Every call has a budget of its own.
    fn renew(&mut self) {
        let budget = self.plugin.runtime.budget();
        self.store.data_mut().renew(budget);
        self.store.set_epoch_deadline(1);
    }
}
