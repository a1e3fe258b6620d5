//! The markers of prompt caches in a request of Messages, whatever dialect they come from. The writer of a request counts
//! them once and hands them to whoever writes what they stand on; there must never be more than Anthropic takes.

use super::super::{Json, Output, OutputContent, Part, Request, What};
use crate::json;
use crate::translate::lost::Losses;
use crate::translate::writer::Writer;

/// The most `cache_control` that Anthropic takes in a request.
const MARKERS: usize = 4;

/// The markers of prompt caches, of which the last few are sent: they cover the most.
pub(super) struct Markers {
    skip: usize,
    any: bool,
}

impl Markers {
    pub(super) fn of(request: &Request<'_>) -> Self {
        fn of_part(part: &Part<'_>) -> usize {
            let within = match &part.what {
                What::Output(Output { content: OutputContent::Parts(parts), .. }) => {
                    parts.iter().filter(|part| part.cache.is_some()).count()
                }
                _ => 0,
            };
            within + usize::from(part.cache.is_some())
        }
        let parts = request.turns.iter().flat_map(|turn| &turn.parts);
        let all = parts.map(of_part).sum::<usize>() + request.tools.iter().filter(|tool| tool.cache.is_some()).count();
        Self { skip: all.saturating_sub(MARKERS), any: false }
    }

    /// Whether any was written.
    pub(super) fn any(&self) -> bool {
        self.any
    }

    /// Writes `cache_control` for a marker of whatever dialect.
    pub(super) fn write<'a>(&mut self, marker: Option<Json<'a>>, out: &mut Writer, losses: &mut Losses<'a>) {
        let Some(marker) = marker else { return };
        if self.skip > 0 {
            self.skip -= 1;
            losses.dropped(marker);
            return;
        }
        self.any = true;
        if json::get(marker, "type") == Some(b"\"ephemeral\"") {
            out.member("cache_control", marker);
            return;
        }
        let long = matches!(json::get(marker, "ttl"), Some(b"\"12h\"" | b"\"1h\""));
        let short: &[u8] = br#"{"type":"ephemeral"}"#;
        out.member("cache_control", if long { br#"{"type":"ephemeral","ttl":"1h"}"# } else { short });
    }
}
