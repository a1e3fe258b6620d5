//! An inert WASI for guests whose language runtime cannot do without one: clocks, random bytes and output to the log.
//!
//! No folder is opened, no socket may be made, there are no arguments and no environment, and nothing waits: a component
//! that sleeps would keep its slot. Linked only for components that import it.
//!
//! `prepare` answers like calls alike, so that its answer can be kept: there the clock stands at the moment at which the component
//! was loaded, and random bytes are those of that moment. Runtimes read both as they start, whatever the provider does.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bitrouter_credential::Scrubber;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::contract::log::Level;
use super::guest_log::GuestLog;
use super::instance::HookState;

/// Random bytes of one call: a seed of a hash table has 16.
const RANDOM_BYTES: u64 = 64 << 10;
/// Resources that one hook may have at once, such as pollables.
const RESOURCES: usize = 4096;
/// The interface of everything that waits, as `wasmtime_wasi` links it.
const POLL: &str = "wasi:io/poll@0.2.12";

/// Lends what WASI has, except that nothing waits.
pub(super) fn add_to_linker(linker: &mut Linker<HookState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    let mut poll = linker.instance(POLL)?;
    type Pollable = Resource<DynPollable>;
    // Whatever is waited for is there at once. A loop around it is a loop, and ends with the budget.
    poll.func_wrap("poll", |_, (pollables,): (Vec<Pollable>,)| {
        let all = u32::try_from(pollables.len())?;
        Ok(((0..all).collect::<Vec<u32>>(),))
    })?;
    poll.func_wrap("[method]pollable.block", |_, (_,): (Pollable,)| Ok(()))?;
    poll.func_wrap("[method]pollable.ready", |_, (_,): (Pollable,)| Ok((true,)))?;
    linker.allow_shadowing(false);
    Ok(())
}

/// A moment that stands still: its time, and bytes that nobody knows beforehand, since who knows the seed of a hash table
/// can write a body that fills one line of it.
#[derive(Debug)]
pub(super) struct Moment {
    at: Duration,
    seed: [u8; 64],
}

impl Moment {
    pub(super) fn now() -> Self {
        let mut seed = [0; 64];
        for (bytes, salt) in seed.chunks_exact_mut(8).zip(0u64..) {
            bytes.copy_from_slice(&RandomState::new().hash_one(salt).to_le_bytes());
        }
        Moment { at: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(), seed }
    }

    fn random(&self) -> Deterministic {
        Deterministic::new(self.seed.to_vec())
    }
}

/// A clock that stands still, but for a step at each look of those who measure how long something took.
struct Still {
    at: Duration,
    looks: AtomicU64,
}

/// How far it goes at a look, in nanoseconds.
const LOOK: u64 = 1000;

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(LOOK)
    }

    fn now(&self) -> Duration {
        self.at
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        LOOK
    }

    fn now(&self) -> u64 {
        LOOK * (1 + self.looks.fetch_add(1, Ordering::Relaxed))
    }
}

/// The WASI state of one hook.
pub(crate) struct Inert {
    context: WasiCtx,
    table: ResourceTable,
    wrote: Arc<AtomicBool>,
}

impl Inert {
    /// With the machine's clocks and random bytes, or those of a moment.
    pub(super) fn new(log: &Arc<GuestLog>, scrubber: Option<Arc<Scrubber>>, still: Option<&Moment>) -> Self {
        let wrote = Arc::new(AtomicBool::new(false));
        let output = Output { log: Arc::clone(log), scrubber, wrote: Arc::clone(&wrote) };
        let mut builder = WasiCtxBuilder::new();
        if let Some(moment) = still {
            let clock = || Still { at: moment.at, looks: AtomicU64::new(0) };
            builder
                .wall_clock(clock())
                .monotonic_clock(clock())
                .secure_random(moment.random())
                .insecure_random(moment.random())
                .insecure_random_seed(u128::from_le_bytes(std::array::from_fn(|at| moment.seed[at])));
        }
        let context = builder
            .stdout(output.clone())
            .stderr(output)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(RANDOM_BYTES)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Inert { context, table, wrote }
    }

    /// Whether it wrote a line to the log.
    pub(super) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }
}

impl WasiView for HookState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let inert = self.wasi.get_or_insert_with(|| Box::new(Inert::new(&self.log, self.scrubber.clone(), None)));
        WasiCtxView { ctx: &mut inert.context, table: &mut inert.table }
    }
}

/// Standard output and error of a guest, line by line into the log.
#[derive(Clone)]
struct Output {
    log: Arc<GuestLog>,
    scrubber: Option<Arc<Scrubber>>,
    wrote: Arc<AtomicBool>,
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Output {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.wrote.store(true, Ordering::Relaxed);
        let text = String::from_utf8_lossy(bytes);
        self.log.line(Level::Info, text.trim_end(), self.scrubber.as_deref());
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
