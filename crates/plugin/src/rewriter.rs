//! A rewriter: one instance that lives as long as the stream it rewrites.
//!
//! Made after the upstream answered, where `prepare` asked for delivery `rewrite`. Each push carries all the events that
//! one read of the upstream brought.

use std::sync::Arc;

use bitrouter_credential::Scrubber;
use wasmtime::Store;
use wasmtime::component::ResourceAny;

use super::Plugin;
use super::contract::{Call, Event, Failure, Head, streams::Guest};
use super::cut;
use super::instance::{self, HookError, HookState};
use super::prepare_cache::Trace;
use super::slots::Slot;

/// What a rewriter may return beyond [`GROWTH`] times what it was given.
const LEAST: usize = 1 << 20;
/// Escapes and other framing make an event longer, never a thousand events of one: what it returns is lifted out of its memory
/// in one go, and whoever else needs the thread waits as long.
const GROWTH: usize = 4;
/// What an event counts beside its data.
const EVENT: usize = 64;

/// One stream's rewriter.
pub struct Rewriter {
    plugin: Arc<Plugin>,
    store: Store<HookState>,
    guest: Guest,
    resource: ResourceAny,
    /// Bytes that it was given and has not returned: one that answers at the end returns all of them then.
    held: usize,
    _slot: Slot,
}

impl Rewriter {
    /// Makes the instance and its resource.
    pub async fn start(
        plugin: Arc<Plugin>,
        call: &Call,
        memo: &[u8],
        head: &Head,
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Self, HookError> {
        plugin.quarantine.check()?;
        let Some((code, streams)) = plugin.code.as_ref().and_then(|code| Some((code, code.streams.as_ref()?))) else {
            return Err(HookError::Contract("prepare: it asks for a rewriter, and exports no `streams`".into()));
        };
        let slot = plugin.rewriters.slot().await?;
        let (log, budget) = (Arc::clone(&plugin.log), plugin.runtime.budget());
        let state = HookState::new(log, None, scrubber, budget, code.wasi.as_deref(), Trace::default());
        let mut store = instance::store(&plugin.runtime, state, instance::FUEL);
        let (guest, resource) =
            instance::within(&plugin.runtime, "rewriter", &mut store, async |store: &mut Store<HookState>| {
                let instance = code.pre.instantiate_async(&mut *store).await?;
                let guest = streams.load(&mut *store, &instance)?;
                let resource = guest.rewriter().call_constructor(&mut *store, call, memo, head).await?;
                Ok((guest, resource))
            })
            .await?;
        Ok(Rewriter { plugin, store, guest, resource, held: 0, _slot: slot })
    }

    /// Hands over what one read brought.
    pub async fn push(&mut self, events: &[Event]) -> Result<Result<Vec<Event>, Failure>, HookError> {
        let size = events.iter().map(|event| event.data.len() + event.binary.len()).sum();
        self.renew(size);
        self.give(size_of_all(events));
        let (guest, resource) = (&self.guest, self.resource);
        let push = async |store: &mut Store<HookState>| guest.rewriter().call_push(store, resource, events).await;
        let answer = instance::within(&self.plugin.runtime, "rewriter.push", &mut self.store, push).await;
        self.plugin.quarantine.record(&answer, size);
        self.plugin.used(self.store.data().memory);
        self.take(&answer);
        answer.map(|events| events.map_err(cut::failure))
    }

    /// Asks for what is left.
    pub async fn finish(&mut self) -> Result<Result<Vec<Event>, Failure>, HookError> {
        self.renew(0);
        self.give(0);
        let (guest, resource) = (&self.guest, self.resource);
        let finish = async |store: &mut Store<HookState>| guest.rewriter().call_finish(store, resource).await;
        let answer = instance::within(&self.plugin.runtime, "rewriter.finish", &mut self.store, finish).await;
        self.plugin.quarantine.record(&answer, 0);
        self.plugin.used(self.store.data().memory);
        answer.map(|events| events.map_err(cut::failure))
    }

    /// Every call has a budget of its own, and more of it for more events.
    fn renew(&mut self, size: usize) {
        let budget = self.plugin.runtime.budget().with(size);
        self.store.data_mut().renew(budget);
        self.store.set_epoch_deadline(1);
    }
    /// It is about to be given so much, and may return that and what it holds.
    fn give(&mut self, size: usize) {
        self.held += size;
        self.store.set_hostcall_fuel(LEAST + GROWTH * self.held);
    }

    /// It has returned these.
    fn take(&mut self, answer: &Result<Result<Vec<Event>, Failure>, HookError>) {
        if let Ok(Ok(events)) = answer {
            self.held = self.held.saturating_sub(size_of_all(events));
        }
    }
}

fn size_of_all(events: &[Event]) -> usize {
    events.iter().map(|event| event.data.len() + event.binary.len() + headers(event) + EVENT).sum()
}

fn headers(event: &Event) -> usize {
    event.headers.iter().map(|header| header.name.len() + header.value.len() + EVENT).sum()
}
