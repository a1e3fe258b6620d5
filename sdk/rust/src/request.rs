//! Builds a request and the step that it is part of. Providers call it in `prepare` and `resume`; what may be in a
//! request is checked by the host.

use crate::bindings::bitrouter::host::document::{Assignment, Relocation};
use crate::{Body, Content, Delivery, Edit, Exchange, Field, Part, Reply, Request, Step};

impl Request {
    /// A POST of the call's own body, answered with one JSON document, to a path below one of the description's origins. A path
    /// may have holes, which the host fills so that each stays in its segment: `/model/{model}/converse`.
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
            values: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body,
            framing: "json".into(),
            delivery: Delivery::Pass,
            memo: Vec::new(),
            dropped: Vec::new(),
            more: String::new(),
        }
    }

    /// Fills a hole of the path, other than `{model}`, which the call's model fills by itself.
    pub fn value(mut self, hole: impl Into<String>, value: impl Into<String>) -> Self {
        self.values.push(Field::new(hole, value));
        self
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

    /// Sends a form with files instead of the call's body.
    pub fn multipart(mut self, parts: Vec<Part>) -> Self {
        self.body = Body::Multipart(parts);
        self
    }

    /// Sends bytes out of the call's body, or a text, instead of the body; a `content-type` header says what it is.
    pub fn content(mut self, content: Content) -> Self {
        self.body = Body::Content(content);
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

    /// Sends it; the answer goes to the client as it comes. A stream that was not asked for is folded by the host.
    pub fn pass(self) -> Step {
        self.deliver(Delivery::Pass)
    }

    /// Sends it; the answer goes through the provider's rewriter, which writes this framing (`sse`), or, where it is one JSON
    /// document, through its [`shape`](crate::Answers::shape).
    pub fn rewrite(self, framing: impl Into<String>) -> Step {
        self.deliver(Delivery::Rewrite(framing.into()))
    }

    /// Makes this exchange first; its answer and the memo, of at most 64 KiB, go to `resume`.
    pub fn ask(self, memo: Vec<u8>) -> Step {
        self.ask_after(0, memo)
    }

    /// As [`ask`](Self::ask), after so many milliseconds, for whoever polls. `exchanges` of the description says how often and
    /// how long in all.
    pub fn ask_after(self, wait_ms: u32, memo: Vec<u8>) -> Step {
        Step::Ask(Exchange { request: self, memo, wait_ms })
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

impl Reply {
    /// An answer of the provider's own with status 200: a JSON document in the call's dialect.
    pub fn json(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), framing: "json".into(), body: body.into(), more: String::new() }
    }

    /// The step of answering with it; nobody is asked.
    pub fn step(self) -> Step {
        Step::Reply(self)
    }
}

impl Part {
    /// A field of a form with files.
    pub fn new(name: impl Into<String>, content: Content) -> Self {
        Self { name: name.into(), filename: None, content_type: None, content }
    }

    /// Makes it a file of this name and type.
    pub fn file(mut self, filename: impl Into<String>, content_type: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self.content_type = Some(content_type.into());
        self
    }
}
