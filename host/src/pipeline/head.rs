//! How an answer begins, as a component sees it. Whoever shows one to a component asks.

use bitrouter_contract::answer_headers;
use bitrouter_credential::Scrubber;
use bitrouter_plugin::contract::{Field, Head};
use http::HeaderMap;

use super::Received;

/// The status, and the headers.
pub(super) fn of(received: &Received) -> Head {
    let headers = fields(received.response.headers(), received.scrubber.as_deref());
    Head { status: received.response.status().as_u16(), headers, more: String::new() }
}

/// All headers of an answer that a client might be sent, scrubbed.
pub(super) fn fields(headers: &HeaderMap, scrubber: Option<&Scrubber>) -> Vec<Field> {
    let headers = answer_headers(headers).filter_map(|(name, value)| {
        let value = value.to_str().ok()?;
        let value = scrubber.map_or(value.into(), |scrubber| scrubber.scrub_text(value));
        Some(Field { name: name.as_str().to_owned(), value: value.into_owned() })
    });
    headers.collect()
}
