//! Where a stream stands, for what the gateway itself writes into it: Responses numbers its events and repeats the
//! response's id in those that end it. The tap keeps it; an error that is written as an event asks for it.

use crate::json;

/// The response is named by the first events or by none.
const NAMED_WITHIN: u64 = 4;
/// Longer events are read at once instead of kept.
const KEPT: usize = 1024;

/// Where a stream of Responses stands; there is nothing to be known in any other dialect.
#[derive(Clone, Debug, Default)]
pub struct Position {
    response: Option<String>,
    events: u64,
    number: Option<u64>,
    /// The last event. Copying it costs less than reading it, and only the last one's number is ever asked for.
    last: Vec<u8>,
}

impl Position {
    /// The id of the response that the stream carries, once an event has told it.
    pub fn response(&self) -> Option<&str> {
        self.response.as_deref()
    }

    /// The number of the next event: one more than the last one says, else as many as have passed.
    pub fn next_number(&self) -> u64 {
        number(&self.last).or(self.number).map_or(self.events, |last| last.saturating_add(1))
    }

    pub(crate) fn pass(&mut self, data: &[u8]) {
        if self.response.is_none() && self.events < NAMED_WITHIN {
            let id = json::get(data, "response").and_then(|response| json::get_text(response, "id"));
            self.response = id.map(std::borrow::Cow::into_owned);
        }
        self.events += 1;
        self.last.clear();
        if data.len() <= KEPT {
            self.number = None;
            self.last.extend_from_slice(data);
        } else {
            self.number = number(data);
        }
    }
}

fn number(data: &[u8]) -> Option<u64> {
    json::get(data, "sequence_number").and_then(json::count)
}
