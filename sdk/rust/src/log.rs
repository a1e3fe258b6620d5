//! The host's log. A provider calls it from any hook; natively the line goes to standard error.

use crate::Level;

/// Writes a line to the host's log, of at most 1 KiB, at most 32 in one hook. Secrets are scrubbed by the host.
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::bitrouter::host::log::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{level:?}: {message}");
}
