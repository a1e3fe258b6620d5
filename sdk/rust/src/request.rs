//! Builds a request and the step that it is part of. Providers call it in `prepare` and `resume`; what may be in a
//! request is checked by the host.

use crate::bindings::bitrouter::host::document::{Assignment, Relocation};
use crate::{Body, Delivery, Edit, Exchange, Failure, Field, Request, Step};

/// A text as one segment of a path, such as the model in `/models/MODEL/converse`. Whatever a client calls its model, it
/// stays one segment: `/`, `?`, `#`, `%` and all else that a path gives a meaning is percent-encoded.
///
/// # Errors
/// `invalid-request` for what can be no segment: nothing at all, `.` and `..`, which lead elsewhere in every encoding.
pub fn segment(text: &str) -> Result<String, Failure> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    if ["", ".", ".."].contains(&text) {
        return Err(Failure::invalid(["the name `", text, "` cannot stand in a path"].concat()));
    }
    let mut segment = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => segment.push(byte as char),
            _ => segment.extend(['%', HEX[byte as usize >> 4] as char, HEX[byte as usize & 15] as char]),
        }
    }
    Ok(segment)
}

impl Request {
    /// A POST of the call's own body, answered with one JSON document, to a path below one of the description's origins.
    pub fn post(origin: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new("POST", origin, path, Body::Forward)
    }

    /// A GET, answered with one JSON document, of a path below one of the description's origins.
    pub fn get(origin: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new("GET", origin, path, Body::Empty)
    }

    /// A request with everything said.
    pub fn new(method: &str, origin: impl Into<String>, path: impl Into<String>, body: Body) -> Self {
        Self {
            method: method.into(),
            origin: origin.into(),
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body,
            framing: "json".into(),
            delivery: Delivery::Pass,
            memo: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// Adds a header; its name is in lower case. It replaces a header of the client's of the same name.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push(Field::new(name, value));
        self
    }

    /// Adds a query parameter; the host encodes it.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push(Field::new(name, value));
        self
    }

    /// Says how the answer is cut into events: `sse`, `ndjson`, `aws-event-stream`, `json`, `raw` or `websocket`. Often
    /// [`call.framing()`](crate::Call::framing).
    pub fn framing(mut self, framing: impl Into<String>) -> Self {
        self.framing = framing.into();
        self
    }

    /// Sends a JSON text of the provider's own instead of the call's body.
    pub fn json(mut self, text: impl Into<String>) -> Self {
        self.body = Body::Json(text.into());
        self
    }

    /// Sends a form instead of the call's body.
    pub fn form(mut self, fields: Vec<Field>) -> Self {
        self.body = Body::Form(fields);
        self
    }

    /// Keeps up to 64 KiB for `explain` and for the rewriter of this request.
    pub fn memo(mut self, memo: Vec<u8>) -> Self {
        self.memo = memo;
        self
    }

    /// Says what the call asked for and this request leaves out, as JSON pointers; the user is told.
    pub fn dropped(mut self, pointers: Vec<String>) -> Self {
        self.dropped = pointers;
        self
    }

    /// Sends it; the answer goes to the client as it comes.
    pub fn pass(self) -> Step {
        self.deliver(Delivery::Pass)
    }

    /// Sends it; the host folds the answer's stream into one document for a client that asked for no stream.
    pub fn fold(self) -> Step {
        self.deliver(Delivery::Fold)
    }

    /// Sends it; the answer goes through the provider's rewriter, which writes this framing.
    pub fn rewrite(self, framing: impl Into<String>) -> Step {
        self.deliver(Delivery::Rewrite(framing.into()))
    }

    /// Makes this exchange first; its answer and the memo, of at most 64 KiB, go to `resume`.
    pub fn ask(self, memo: Vec<u8>) -> Step {
        Step::Ask(Exchange { request: self, memo })
    }

    fn deliver(mut self, delivery: Delivery) -> Step {
        self.delivery = delivery;
        Step::Send(self)
    }
}

impl Edit {
    /// Sets a member, or inserts before an index (`-` appends); the value is JSON text.
    pub fn add(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Add(Assignment { path: path.into(), value: value.into() })
    }

    /// Removes a value that must be there.
    pub fn remove(path: impl Into<String>) -> Self {
        Self::Remove(path.into())
    }

    /// Replaces a value that must be there; the value is JSON text.
    pub fn replace(path: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Replace(Assignment { path: path.into(), value: value.into() })
    }

    /// Takes a value out of one place and adds it at another.
    pub fn move_to(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self::Move(Relocation { source: source.into(), target: target.into() })
    }

    /// Adds a value a second time.
    pub fn copy_to(source: impl Into<String>, target: impl Into<String>) -> Self {
        Self::Copy(Relocation { source: source.into(), target: target.into() })
    }

    /// Where it removes a value, if that is what it does.
    pub fn removes(&self) -> Option<&str> {
        match self {
            Self::Remove(path) => Some(path),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_a_client_leaves_its_segment() {
        for (name, expected) in [
            ("gpt-5.5_x~", "gpt-5.5_x~"),
            ("x/y", "x%2Fy"),
            ("a%2Fb", "a%252Fb"),
            ("a?b#c", "a%3Fb%23c"),
            ("../../admin", "..%2F..%2Fadmin"),
            ("a\\b;c:d@e", "a%5Cb%3Bc%3Ad%40e"),
            ("modèle ", "mod%C3%A8le%20"),
            ("...", "..."),
        ] {
            assert_eq!(segment(name).ok().as_deref(), Some(expected), "{name}");
        }
        for name in ["", ".", ".."] {
            assert_eq!(
                segment(name).map_err(|failure| failure.kind),
                Err(crate::kind::INVALID_REQUEST.into()),
                "{name}"
            );
        }
    }
}
