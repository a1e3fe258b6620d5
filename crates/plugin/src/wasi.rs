//! An inert WASI for guests whose language runtime cannot do without one: clocks, random bytes and output to the log.
//!
//! No folder is opened, no socket may be made, there are no arguments and no environment, and nothing waits: a component
//! that sleeps would keep its slot. Linked only for components that import it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bitrouter_credential::Scrubber;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::DynPollable;
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

/// The WASI state of one hook.
pub(crate) struct Inert {
    context: WasiCtx,
    table: ResourceTable,
}

impl Inert {
    pub(super) fn new(log: &Arc<GuestLog>, scrubber: Option<Arc<Scrubber>>) -> Self {
        let output = Output { log: Arc::clone(log), scrubber };
        let context = WasiCtxBuilder::new()
            .stdout(output.clone())
            .stderr(output)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .max_random_size(RANDOM_BYTES)
            .build();
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES);
        Inert { context, table }
    }
}

impl WasiView for HookState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let inert = self.wasi.get_or_insert_with(|| Box::new(Inert::new(&self.log, self.scrubber.clone())));
        WasiCtxView { ctx: &mut inert.context, table: &mut inert.table }
    }
}

/// Standard output and error of a guest, line by line into the log.
#[derive(Clone)]
struct Output {
    log: Arc<GuestLog>,
    scrubber: Option<Arc<Scrubber>>,
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
