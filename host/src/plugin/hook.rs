//! Running one hook of one component: a fresh instance, within its budgets, and an error that says what went wrong.
//!
//! The pipeline calls the methods of `Plugin` in the order that `wit/0.1.0/provider.wit` documents. Nothing that a guest
//! does here outlives the call; after a trap the store is dropped with everything in it.

use std::sync::Arc;
use std::time::Duration;

use bitrouter_document::{Document, Error as DocumentError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Resource;
use wasmtime::{ResourceLimiter, Store, Trap, UpdateDeadline};

use super::Plugin;
use super::contract::{
    Answer, Blob, BodyArgument, Call, Exchange, Failure, Field, PluginPre, Request, Step, Trouble, Window,
};
use super::engine::{Budget, Runtime};
use super::wasi::Inert;
use crate::credential::Scrubber;

/// What a hook's store holds.
pub struct HookState {
    pub(super) provider: Arc<str>,
    pub(super) document: Option<Document>,
    /// What was wrong with the body when a hook read it, so that the client hears it in its own words.
    pub(super) body_error: Option<DocumentError>,
    pub(super) scrubber: Option<Arc<Scrubber>>,
    pub(super) log_lines: u32,
    /// True while the hook has neither looked at the document nor logged: its answer follows from the arguments alone.
    pub(super) untouched: bool,
    pub(super) wasi: Option<Box<Inert>>,
    budget: Budget,
    refused_memory: bool,
    ticks_left: u32,
}

impl ResourceLimiter for HookState {
    fn memory_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.budget.memory;
        self.refused_memory |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 65_536)
    }
}

/// What a call has for a body, on its way through the hooks.
#[derive(Default)]
pub enum HookBody {
    /// A JSON object; the hooks read and edit it.
    Json(Document),
    /// Bytes that no guest sees.
    Opaque(Blob),
    /// None at all.
    #[default]
    None,
}

/// A step whose request may be shared with the memory of earlier answers.
pub enum Prepared {
    /// Send this.
    Send(Arc<Request>),
    /// Make this exchange, then resume.
    Ask(Box<Exchange>),
}

impl From<Step> for Prepared {
    fn from(step: Step) -> Self {
        match step {
            Step::Send(request) => Prepared::Send(Arc::new(request)),
            Step::Ask(exchange) => Prepared::Ask(Box::new(exchange)),
        }
    }
}

/// Why a hook gave no answer. None of these is the upstream's doing.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It used up its CPU time.
    #[error("used up its {} ms of CPU time", .0.as_millis())]
    Cpu(Duration),
    /// It asked for more memory than it may have, and gave up.
    #[error("wanted more than its {} MB of memory", .0 >> 20)]
    Memory(usize),
    /// It took longer than the wall-clock limit.
    #[error("took longer than {} s", .0.as_secs())]
    Wall(Duration),
    /// It recursed too deep.
    #[error("recursed until its stack was used up")]
    Stack,
    /// Any other trap, in the engine's words.
    #[error("crashed: {0}")]
    Trap(String),
    /// It returned something that the contract does not allow.
    #[error("broke the contract: {0}")]
    Contract(String),
    /// Every slot was in use for 100 ms.
    #[error("found no free slot within 100 ms")]
    Busy,
    /// It was over its budget again and again.
    #[error("is benched for {} s more: {reason}", .left.as_secs().max(1))]
    Benched {
        /// How long it stays benched.
        left: Duration,
        /// What it did.
        reason: String,
    },
    /// The body is not what JSON allows, at a place that the hook read.
    #[error("{0}")]
    Body(DocumentError),
}

/// How long a hook waits for a slot before the client is told to come back.
const SLOT_WAIT: Duration = Duration::from_millis(100);
/// What a guest may move across the boundary in one call, beyond the body's own size: memos, headers, edits.
pub(super) const FUEL: usize = 8 << 20;

impl Plugin {
    /// Shapes a call. The body comes back as the hook left it.
    pub async fn prepare(
        &self,
        call: &Call,
        body: HookBody,
        scrubber: Option<Arc<Scrubber>>,
    ) -> (Result<Result<Prepared, Failure>, HookError>, HookBody) {
        if let Some(request) = self.remembered.get(call, &body) {
            return (Ok(Ok(Prepared::Send(request))), body);
        }
        // Boxed, so that a call which is remembered does not carry the size of one that is not.
        let asked = Box::pin(self.shape(body, scrubber, async |guest, store, body| {
            let step = guest.bitrouter_provider_provider().call_prepare(&mut *store, call, &body).await?;
            Ok((step, store.data().untouched && store.data().wasi.is_none()))
        }));
        let (answer, body) = asked.await;
        let answer = answer.map(|(step, pure)| {
            step.map(|step| match Prepared::from(step) {
                Prepared::Send(request) if pure => {
                    self.remembered.keep(call, &body, &request);
                    Prepared::Send(request)
                }
                step => step,
            })
        });
        (answer, body)
    }

    /// Goes on after an `ask`.
    pub async fn resume(
        &self,
        call: &Call,
        body: HookBody,
        memo: &[u8],
        answer: &Answer,
        scrubber: Option<Arc<Scrubber>>,
    ) -> (Result<Result<Prepared, Failure>, HookError>, HookBody) {
        let (answer, body) = self
            .shape(body, scrubber, async |guest, store, body| {
                guest.bitrouter_provider_provider().call_resume(store, call, &body, memo, answer).await
            })
            .await;
        (answer.map(|step| step.map(Prepared::from)), body)
    }

    /// Says what a failure means.
    pub async fn explain(
        &self,
        trouble: &Trouble,
        memo: &[u8],
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Failure, HookError> {
        self.observe(scrubber, async |guest, store| {
            guest.bitrouter_provider_provider().call_explain(store, trouble, memo).await
        })
        .await
    }

    /// Reads the limits out of headers or an event.
    pub async fn quota(
        &self,
        headers: &[Field],
        event: Option<&str>,
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Vec<Window>, HookError> {
        self.observe(scrubber, async |guest, store| {
            guest.bitrouter_provider_provider().call_quota(store, headers, event).await
        })
        .await
    }

    /// Reads the answer of a side request. No client waits for it and the page may have megabytes, so it gets the budget
    /// of a load; and a page that a component cannot read says nothing about calls, so it is no strike for the bench.
    pub async fn interpret(
        &self,
        side: &str,
        page: &Answer,
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Result<String, Failure>, HookError> {
        let budget = off_the_path(self.runtime.budget());
        let (answer, _) = self
            .within_budget(budget, None, scrubber, async |guest, store| {
                guest.bitrouter_provider_provider().call_interpret(store, side, page).await
            })
            .await;
        answer
    }

    /// Runs a hook that has no body.
    async fn observe<T>(
        &self,
        scrubber: Option<Arc<Scrubber>>,
        hook: impl AsyncFnOnce(&super::contract::Plugin, &mut Store<HookState>) -> wasmtime::Result<T>,
    ) -> Result<T, HookError> {
        let (answer, _) = self.run(None, scrubber, hook).await;
        answer
    }

    /// Runs a hook that gets the call's body.
    async fn shape<T>(
        &self,
        body: HookBody,
        scrubber: Option<Arc<Scrubber>>,
        hook: impl AsyncFnOnce(&super::contract::Plugin, &mut Store<HookState>, BodyArgument) -> wasmtime::Result<T>,
    ) -> (Result<T, HookError>, HookBody) {
        match body {
            HookBody::Json(document) => {
                let (answer, document) = self
                    .run(Some(document), scrubber, async |guest, store| {
                        hook(guest, store, BodyArgument::Json(Resource::new_borrow(0))).await
                    })
                    .await;
                (answer, document.map_or(HookBody::None, HookBody::Json))
            }
            HookBody::Opaque(blob) => {
                let argument = BodyArgument::Opaque(blob.clone());
                let (answer, _) =
                    self.run(None, scrubber, async |guest, store| hook(guest, store, argument).await).await;
                (answer, HookBody::Opaque(blob))
            }
            HookBody::None => {
                let (answer, _) =
                    self.run(None, scrubber, async |guest, store| hook(guest, store, BodyArgument::None).await).await;
                (answer, HookBody::None)
            }
        }
    }

    async fn run<T>(
        &self,
        document: Option<Document>,
        scrubber: Option<Arc<Scrubber>>,
        hook: impl AsyncFnOnce(&super::contract::Plugin, &mut Store<HookState>) -> wasmtime::Result<T>,
    ) -> (Result<T, HookError>, Option<Document>) {
        if let Err(benched) = self.bench.check() {
            return (Err(benched), document);
        }
        let (answer, document) = self.within_budget(self.runtime.budget(), document, scrubber, hook).await;
        self.bench.record(&answer);
        (answer, document)
    }

    async fn within_budget<T>(
        &self,
        budget: Budget,
        document: Option<Document>,
        scrubber: Option<Arc<Scrubber>>,
        hook: impl AsyncFnOnce(&super::contract::Plugin, &mut Store<HookState>) -> wasmtime::Result<T>,
    ) -> (Result<T, HookError>, Option<Document>) {
        let _slot = match slot(&self.slots).await {
            Ok(slot) => slot,
            Err(busy) => return (Err(busy), document),
        };
        let body_size = document.as_ref().map_or(0, Document::body_len);
        let state = HookState::new(Arc::clone(&self.id), document, scrubber, budget, self.wasi);
        let mut store = store(&self.runtime, state, FUEL + 2 * body_size);
        let answer = within(&self.runtime, &mut store, async |store: &mut Store<HookState>| {
            let guest = self.pre.instantiate_async(&mut *store).await?;
            hook(&guest, store).await
        })
        .await;
        let mut state = store.into_data();
        let answer = match (answer, state.body_error.take()) {
            // The guest may have trapped over it or answered regardless: two parsers would disagree on such a body.
            (_, Some(error)) => Err(HookError::Body(error)),
            (answer, None) => answer,
        };
        (answer, state.document)
    }
}

impl HookState {
    pub(super) fn new(
        provider: Arc<str>,
        document: Option<Document>,
        scrubber: Option<Arc<Scrubber>>,
        budget: Budget,
        wasi: bool,
    ) -> Self {
        HookState {
            wasi: wasi.then(|| Box::new(Inert::new(&provider, scrubber.clone()))),
            provider,
            document,
            body_error: None,
            scrubber,
            log_lines: 0,
            untouched: true,
            budget,
            refused_memory: false,
            ticks_left: ticks(budget),
        }
    }

    /// Starts the next call of an instance that lives longer than one.
    pub(super) fn renew(&mut self, budget: Budget) {
        self.ticks_left = ticks(budget);
        self.log_lines = 0;
    }
}

/// The budget of what no client waits for: an interpreter that is slow to start, or a page of megabytes.
fn off_the_path(budget: Budget) -> Budget {
    Budget { cpu: budget.cpu * 10, ..budget }
}

/// One tick of the engine's clock is a millisecond.
fn ticks(budget: Budget) -> u32 {
    u32::try_from(budget.cpu.as_millis()).unwrap_or(u32::MAX)
}

/// Waits for a slot of the pool.
pub(super) async fn slot(slots: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, HookError> {
    if let Ok(slot) = Arc::clone(slots).try_acquire_owned() {
        return Ok(slot);
    }
    match tokio::time::timeout(SLOT_WAIT, Arc::clone(slots).acquire_owned()).await {
        Ok(Ok(slot)) => Ok(slot),
        _ => Err(HookError::Busy),
    }
}

/// A store with every limit set.
pub(super) fn store(runtime: &Runtime, state: HookState, fuel: usize) -> Store<HookState> {
    let mut store = Store::new(runtime.engine(), state);
    store.limiter(|state| state);
    store.set_hostcall_fuel(fuel);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        let state = context.data_mut();
        // One tick is counted for each look at the clock, however long the machine left this thread waiting.
        state.ticks_left = state.ticks_left.saturating_sub(1);
        Ok(if state.ticks_left == 0 { UpdateDeadline::Interrupt } else { UpdateDeadline::Yield(1) })
    });
    store
}

/// Runs guest code under the wall-clock limit, with the clock ticking.
pub(super) async fn within<T>(
    runtime: &Runtime,
    store: &mut Store<HookState>,
    run: impl AsyncFnOnce(&mut Store<HookState>) -> wasmtime::Result<T>,
) -> Result<T, HookError> {
    let _ticking = runtime.ticking();
    let budget = store.data().budget;
    match tokio::time::timeout(budget.wall, run(&mut *store)).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(&error, store.data())),
        Err(_) => Err(HookError::Wall(budget.wall)),
    }
}

fn classify(error: &wasmtime::Error, state: &HookState) -> HookError {
    let budget = state.budget;
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => HookError::Cpu(budget.cpu),
        Some(Trap::StackOverflow) => HookError::Stack,
        _ if state.refused_memory => HookError::Memory(budget.memory),
        Some(trap) => HookError::Trap(trap.to_string()),
        None => HookError::Contract(error.root_cause().to_string()),
    }
}

/// Asks a component for its description, before there is a `Plugin`. Loading is off the request path and happens once.
pub(super) async fn describe(runtime: &Runtime, pre: &PluginPre<HookState>, wasi: bool) -> Result<String, HookError> {
    let budget = off_the_path(runtime.budget());
    let state = HookState::new("(loading)".into(), None, None, budget, wasi);
    let mut store = store(runtime, state, FUEL);
    within(runtime, &mut store, async |store: &mut Store<HookState>| {
        let guest = pre.instantiate_async(&mut *store).await?;
        guest.bitrouter_provider_provider().call_describe(store).await
    })
    .await
}
