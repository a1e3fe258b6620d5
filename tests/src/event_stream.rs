//! Frames of AWS's event stream, as AWS's own crate writes them.

use aws_smithy_eventstream::frame::write_message_to;
pub use aws_smithy_types::event_stream::HeaderValue;
use aws_smithy_types::event_stream::{Header, Message};

/// A frame with these headers and this payload.
pub fn event_frame(headers: &[(&str, HeaderValue)], payload: &[u8]) -> Vec<u8> {
    let headers = headers.iter().map(|(name, value)| Header::new((*name).to_owned(), value.clone())).collect();
    let mut frame = Vec::new();
    write_message_to(&Message::new_from_parts(headers, payload.to_vec()), &mut frame).unwrap();
    frame
}

/// An event, as Bedrock frames it.
pub fn event(name: &str, payload: &str) -> Vec<u8> {
    framed("event", ":event-type", name, payload)
}

/// An exception, as Bedrock frames it.
pub fn exception(name: &str, payload: &str) -> Vec<u8> {
    framed("exception", ":exception-type", name, payload)
}

fn framed(kind: &str, names: &str, name: &str, payload: &str) -> Vec<u8> {
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let headers = [(names, text(name)), (":content-type", text("application/json")), (":message-type", text(kind))];
    event_frame(&headers, payload.as_bytes())
}
