//! A rewriter: one instance that lives as long as the stream it rewrites.
//!
//! Made after the upstream answered, where `prepare` asked for delivery `rewrite`. Each push carries all the events that
//! one read of the upstream brought.

use std::sync::Arc;

use bitrouter_credential::Scrubber;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::Plugin;
use super::contract::{Call, Event, Failure, streams::Guest};
use super::cut;
use super::hook::{self, HookError, HookState};
use super::slots::Slot;

/// One stream's rewriter.
pub struct Rewriter {
    plugin: Arc<Plugin>,
    store: Store<HookState>,
    guest: Guest,
    resource: ResourceAny,
    _slot: Slot,
}

impl Rewriter {
    /// Makes the instance and its resource.
    pub async fn start(
        plugin: Arc<Plugin>,
        call: &Call,
        memo: &[u8],
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Self, HookError> {
        plugin.quarantine.check()?;
        let Some((code, streams)) = plugin.code.as_ref().and_then(|code| Some((code, code.streams.as_ref()?))) else {
            return Err(HookError::Contract("prepare: it asks for a rewriter, and exports no `streams`".into()));
        };
        let slot = plugin.rewriters.slot().await?;
        let state = HookState::new(Arc::clone(&plugin.log), None, scrubber, plugin.runtime.budget(), code.wasi);
        let mut store = hook::store(&plugin.runtime, state, hook::FUEL);
        let (guest, resource) =
            hook::within(&plugin.runtime, "rewriter", &mut store, async |store: &mut Store<HookState>| {
                let instance = code.pre.instantiate_async(&mut *store).await?;
                let guest = streams.load(&mut *store, &instance)?;
                let resource = guest.rewriter().call_constructor(&mut *store, call, memo).await?;
                Ok((guest, resource))
            })
            .await?;
        Ok(Rewriter { plugin, store, guest, resource, _slot: slot })
    }

    /// Hands over what one read brought.
    pub async fn push(&mut self, events: &[Event]) -> Result<Result<Vec<Event>, Failure>, HookError> {
        let size = events.iter().map(|event| event.data.len()).sum();
        self.renew(size);
        let (guest, resource) = (&self.guest, self.resource);
        let push = async |store: &mut Store<HookState>| guest.rewriter().call_push(store, resource, events).await;
        let answer = hook::within(&self.plugin.runtime, "rewriter.push", &mut self.store, push).await;
        self.plugin.quarantine.record(&answer, size);
        answer.map(|events| events.map_err(cut::failure))
    }

    /// Asks for what is left.
    pub async fn finish(&mut self) -> Result<Result<Vec<Event>, Failure>, HookError> {
        self.renew(0);
        let (guest, resource) = (&self.guest, self.resource);
        let finish = async |store: &mut Store<HookState>| guest.rewriter().call_finish(store, resource).await;
        let answer = hook::within(&self.plugin.runtime, "rewriter.finish", &mut self.store, finish).await;
        self.plugin.quarantine.record(&answer, 0);
        answer.map(|events| events.map_err(cut::failure))
    }

    /// Every call has a budget of its own, and more of it for more events.
    fn renew(&mut self, size: usize) {
        let budget = self.plugin.runtime.budget().with(size);
        self.store.data_mut().renew(budget);
        self.store.set_epoch_deadline(1);
    }
}
