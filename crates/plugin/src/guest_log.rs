//! What a component writes into the log: its `log` calls and, for those that have one, its WASI output.
//!
//! Lines and bytes are counted for the component and over time, whichever hooks wrote them: a stream calls a hook for
//! every read, and a busy gateway thousands a second. What is too much is left out and counted.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bitrouter_credential::Scrubber;

use super::contract::log::Level;

/// Bytes of one line; the rest is cut off.
const LINE: usize = 1024;
/// What may come at once: a traceback, or a line for each request of a busy minute.
const BURST: Room = Room { lines: 256.0, bytes: 65_536.0 };
/// What comes back in a second: 1.8 MB in an hour.
const EACH_SECOND: Room = Room { lines: 4.0, bytes: 512.0 };

/// One component's way into the log.
pub(super) struct GuestLog {
    provider: Arc<str>,
    left: Mutex<Left>,
}

#[derive(Clone, Copy)]
struct Room {
    lines: f64,
    bytes: f64,
}

struct Left {
    room: Room,
    at: Instant,
    /// Lines that were left out since the last one that was not.
    omitted: u64,
    /// Whether it was ever said that lines are left out.
    said: bool,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// Written, after so many that were left out.
    Written(u64),
    /// Left out, and it is the first.
    First,
    /// Left out.
    Omitted,
}

impl Left {
    /// Takes room for a line of so many bytes at this moment.
    fn take(&mut self, bytes: usize, now: Instant) -> Line {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        self.room.lines = (self.room.lines + passed * EACH_SECOND.lines).min(BURST.lines);
        self.room.bytes = (self.room.bytes + passed * EACH_SECOND.bytes).min(BURST.bytes);
        let bytes = bytes as f64;
        if self.room.lines < 1.0 || self.room.bytes < bytes {
            self.omitted += 1;
            return if std::mem::replace(&mut self.said, true) { Line::Omitted } else { Line::First };
        }
        self.room.lines -= 1.0;
        self.room.bytes -= bytes;
        Line::Written(std::mem::take(&mut self.omitted))
    }
}

impl GuestLog {
    pub(super) fn new(provider: &str) -> Arc<Self> {
        let left = Left { room: BURST, at: Instant::now(), omitted: 0, said: false };
        Arc::new(GuestLog { provider: provider.into(), left: Mutex::new(left) })
    }

    /// Writes a line, without secrets and control characters, unless there is no room for it.
    pub(super) fn line(&self, level: Level, text: &str, scrubber: Option<&Scrubber>) {
        const TARGET: &str = "bitrouter::guest";
        let wanted = match level {
            Level::Error => tracing::enabled!(target: TARGET, tracing::Level::ERROR),
            Level::Warn => tracing::enabled!(target: TARGET, tracing::Level::WARN),
            Level::Info => tracing::enabled!(target: TARGET, tracing::Level::INFO),
            Level::Debug => tracing::enabled!(target: TARGET, tracing::Level::DEBUG),
        };
        if !wanted {
            return;
        }
        let shown = &text[..text.floor_char_boundary(LINE)];
        let line = match scrubber {
            Some(scrubber) => scrubber.scrub_text(shown).escape_debug().to_string(),
            None => shown.escape_debug().to_string(),
        };
        let taken = self.left.lock().unwrap_or_else(PoisonError::into_inner).take(line.len(), Instant::now());
        let provider = &*self.provider;
        match taken {
            Line::Written(0) => {}
            Line::Written(omitted) => {
                tracing::warn!(target: TARGET, provider, omitted, "the component logs too much: lines were left out");
            }
            Line::First => {
                tracing::warn!(target: TARGET, provider, "the component logs too much: lines are left out");
                return;
            }
            Line::Omitted => return,
        }
        match level {
            Level::Error => tracing::error!(target: TARGET, provider, "{line}"),
            Level::Warn => tracing::warn!(target: TARGET, provider, "{line}"),
            Level::Info => tracing::info!(target: TARGET, provider, "{line}"),
            Level::Debug => tracing::debug!(target: TARGET, provider, "{line}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_evening_of_a_component_that_logs_all_it_can_fills_some_megabytes() {
        let began = Instant::now();
        let mut left = Left { room: BURST, at: began, omitted: 0, said: false };
        let mut written = 0;
        // Six hours of a hook each 10 ms, with 32 lines of 1 KiB each.
        for call in 0..6 * 360_000_u64 {
            let now = began + Duration::from_millis(10 * call);
            written += (0..32).filter(|_| matches!(left.take(LINE, now), Line::Written(_))).count() * LINE;
        }
        assert!((1 << 20..12 << 20).contains(&written), "{written} bytes");
        assert!(left.omitted > 0);
    }

    #[test]
    fn a_component_that_logs_a_line_now_and_then_loses_none() {
        let began = Instant::now();
        let mut left = Left { room: BURST, at: began, omitted: 0, said: false };
        for second in 0..10_000 {
            let line = left.take(200, began + Duration::from_secs(second));
            assert_eq!(line, Line::Written(0));
        }
    }

    #[test]
    fn what_was_left_out_is_counted_on_the_next_line_that_is_written() {
        let began = Instant::now();
        let mut left = Left { room: BURST, at: began, omitted: 0, said: false };
        let written = (0..1_000).filter(|_| matches!(left.take(1, began), Line::Written(_))).count();
        assert_eq!(written, 256);
        assert_eq!(left.take(1, began + Duration::from_secs(1)), Line::Written(744));
    }
}
