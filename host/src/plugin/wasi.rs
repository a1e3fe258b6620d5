//! An inert WASI for guests whose language runtime cannot do without one: clocks, random bytes and output to the log.
//!
//! No folder is opened, no socket may be made, there are no arguments and no environment. Linked only for components
//! that import it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::hook::HookState;
use crate::credential::Scrubber;

/// Bytes of output that one hook may log.
const OUTPUT_BYTES: usize = 4096;

/// The WASI state of one hook.
pub struct Inert {
    context: WasiCtx,
    table: ResourceTable,
}

impl Inert {
    pub(super) fn new(provider: &Arc<str>, scrubber: Option<Arc<Scrubber>>) -> Self {
        let output = Output { provider: Arc::clone(provider), scrubber, left: OUTPUT_BYTES };
        let context = WasiCtxBuilder::new()
            .stdout(output.clone())
            .stderr(output)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Inert { context, table: ResourceTable::new() }
    }
}

impl WasiView for HookState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let inert = self.wasi.get_or_insert_with(|| Box::new(Inert::new(&self.provider, self.scrubber.clone())));
        WasiCtxView { ctx: &mut inert.context, table: &mut inert.table }
    }
}

/// Standard output and error of a guest, line by line into the log.
#[derive(Clone)]
struct Output {
    provider: Arc<str>,
    scrubber: Option<Arc<Scrubber>>,
    left: usize,
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
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let shown = &bytes[..bytes.len().min(self.left)];
        self.left -= shown.len();
        if !shown.is_empty() {
            let text = String::from_utf8_lossy(shown);
            let text = self.scrubber.as_ref().map_or(text.as_ref().into(), |scrubber| scrubber.scrub_text(&text));
            tracing::info!(target: "bitrouter::guest", provider = &*self.provider, "{}", text.trim_end().escape_debug());
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
