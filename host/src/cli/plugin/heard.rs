//! What components write to the log while a command runs their hooks: an author is told it with the hook that failed, where a gateway
//! would have it in its log.

use std::io;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::EnvFilter;

/// Lines that are shown of one hook, the last ones: a traceback ends with what it is about.
const SHOWN: usize = 8;

static HEARD: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Ear;

impl io::Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HEARD.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to listen, if nobody does yet.
pub(super) fn begin() {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("off,bitrouter::guest=info"))
        .with_writer(|| Ear)
        .without_time()
        .with_target(false)
        .with_ansi(false)
        .try_init();
}

/// Forgets what was heard.
pub(super) fn forget() {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// What was heard since, its last lines; empty where nothing was.
pub(super) fn lines() -> String {
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&heard);
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}
