//! The instance that a hook runs in: what its store holds, its limits, and what it means that it ended otherwise than by
//! returning. `hook` and `rewriter` make one for each call or stream; nothing of it outlives the store.

use std::sync::Arc;
use std::time::Duration;

use bitrouter_contract::cut::sentence;
use bitrouter_credential::Scrubber;
use bitrouter_document::{Document, Error as DocumentError};
use wasmtime::{PoolConcurrencyLimitError, ResourceLimiter, Store, Trap, UpdateDeadline, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::engine::{Budget, Runtime};
use super::guest_log::GuestLog;
use super::meter::Meter;
use super::prepare_cache::Trace;
use super::wasi::{Inert, Moment};

/// What a hook's store holds.
pub struct HookState {
    pub(super) log: Arc<GuestLog>,
    pub(super) document: Option<Document>,
    /// What was wrong with the body when a hook read it, so that the client hears it in its own words.
    pub(super) body_error: Option<DocumentError>,
    pub(super) scrubber: Option<Arc<Scrubber>>,
    pub(super) log_lines: u32,
    /// What it asks of the document, where its answer may be kept.
    pub(super) trace: Trace,
    pub(super) wasi: Option<Box<Inert>>,
    pub(super) meter: Meter,
    budget: Budget,
    /// Bytes of all its memories together.
    pub(super) memory: usize,
    refused_memory: bool,
}

impl ResourceLimiter for HookState {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let allowed = desired <= self.budget.memory;
        self.memory += if allowed { desired.saturating_sub(current) } else { 0 };
        self.refused_memory |= !allowed;
        Ok(allowed)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 65_536)
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
    /// Any other trap: in which hook, and in the engine's words.
    #[error("crashed in {0}")]
    Trap(String),
    /// It did something that the contract does not allow: in which hook, and what.
    #[error("broke the contract in {0}")]
    Contract(String),
    /// Every slot was in use for 100 ms.
    #[error("found no free slot within 100 ms")]
    Busy,
    /// It was over its budget again and again.
    #[error("is in quarantine for {} s more: {reason}", .left.as_secs().max(1))]
    Quarantined {
        /// How long it stays quarantined.
        left: Duration,
        /// What it did.
        reason: String,
    },
    /// The body is not what JSON allows, at a place that the hook read.
    #[error("{0}")]
    Body(DocumentError),
}

/// What a guest may move across the boundary in one call, beyond the body's own size: memos, headers, edits.
pub(super) const FUEL: usize = 8 << 20;

impl HookState {
    pub(super) fn new(
        log: Arc<GuestLog>,
        document: Option<Document>,
        scrubber: Option<Arc<Scrubber>>,
        budget: Budget,
        wasi: Option<&Moment>,
        trace: Trace,
    ) -> Self {
        let inert = |moment| Box::new(Inert::new(&log, scrubber.clone(), trace.is_kept().then_some(moment)));
        HookState {
            wasi: wasi.map(inert),
            log,
            document,
            body_error: None,
            scrubber,
            log_lines: 0,
            trace,
            meter: Meter::new(budget.cpu),
            budget,
            memory: 0,
            refused_memory: false,
        }
    }

    /// What the hook asked, as far as its answer may be kept: not where it wrote to the log, which another call's log would lack.
    pub(super) fn take_trace(&mut self) -> Trace {
        let mut trace = std::mem::take(&mut self.trace);
        if self.wasi.as_ref().is_some_and(|wasi| wasi.wrote()) {
            trace.forget();
        }
        trace
    }

    /// Starts the next call of an instance that lives longer than one.
    pub(super) fn renew(&mut self, budget: Budget) {
        self.meter = Meter::new(budget.cpu);
        self.budget = budget;
        self.log_lines = 0;
    }
}

/// A store with every limit set.
pub(super) fn store(runtime: &Runtime, state: HookState, fuel: usize) -> Store<HookState> {
    let mut store = Store::new(runtime.engine(), state);
    store.limiter(|state| state);
    store.set_hostcall_fuel(fuel);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|mut context| {
        Ok(match context.data_mut().meter.tick() {
            Some(rest) => UpdateDeadline::YieldCustom(1, Box::pin(rest)),
            None => UpdateDeadline::Interrupt,
        })
    });
    store
}

/// Runs guest code under the wall-clock limit, with the clock ticking.
pub(super) async fn within<T>(
    runtime: &Runtime,
    name: &'static str,
    store: &mut Store<HookState>,
    run: impl AsyncFnOnce(&mut Store<HookState>) -> wasmtime::Result<T>,
) -> Result<T, HookError> {
    let _ticking = runtime.ticking();
    let budget = store.data().budget;
    let answer = tokio::time::timeout(budget.wall, run(&mut *store)).await;
    store.data_mut().meter.end();
    match answer {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(classify(&error, name, store.data())),
        Err(_) => Err(HookError::Wall(budget.wall)),
    }
}

fn classify(error: &wasmtime::Error, name: &str, state: &HookState) -> HookError {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => HookError::Cpu(state.meter.budget()),
        Some(Trap::StackOverflow) => HookError::Stack,
        _ if state.refused_memory => HookError::Memory(state.budget.memory),
        Some(trap) => HookError::Trap(sentence(format!("{name}: {trap}{}", place(error)))),
        None if error.is::<PoolConcurrencyLimitError>() => HookError::Busy,
        // How a runtime such as Go's ends after a panic, whose text it has written to the log.
        None if error.is::<I32Exit>() => HookError::Trap(format!("{name}: its runtime ended")),
        None => {
            let cause = error.root_cause().to_string();
            if cause.contains("fuel allocated for hostcalls") {
                return HookError::Contract(format!("{name}: it moves more across the boundary than one call may"));
            }
            // What runtimes with a garbage collector do by themselves, and too late.
            let next =
                if cause.starts_with("borrow handles") { ". Drop the `document` before the hook returns" } else { "" };
            HookError::Contract(sentence(format!("{name}: {cause}{next}")))
        }
    }
}

/// The functions in which it happened, the innermost first, where the component names them.
fn place(error: &wasmtime::Error) -> String {
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], WasmBacktrace::frames);
    let names: Vec<_> = frames.iter().filter_map(|frame| frame.func_name()).take(3).collect();
    if names.is_empty() { String::new() } else { format!(", in {}", names.join(" of ").escape_debug()) }
}
