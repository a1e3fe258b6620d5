//! Writes what a hook returned as a text that a person can review. `run` calls it; it leaves out what a gateway leaves out,
//! and nothing else.

use bitrouter_contract::described::Window;
use serde_json::Value;

use crate::{Content, Delivery, Event, Exchange, Failure, Field, Part, Reply, Request, RequestBody as Body, diff};

/// What happened in one case.
#[derive(Default)]
pub(super) struct Transcript(Vec<String>);

impl Transcript {
    pub(super) fn ask(&mut self, exchange: &Exchange) {
        self.0.push("ask".into());
        self.request(&exchange.request);
        if exchange.wait_ms > 0 {
            self.0.push(format!("after {} ms", exchange.wait_ms));
        }
        self.0.push(format!("memo: {}", bytes(&exchange.memo)));
        self.0.push(String::new());
    }

    pub(super) fn send(&mut self, request: &Request) {
        self.0.push("send".into());
        self.request(request);
    }

    /// An answer of the provider's own.
    pub(super) fn reply(&mut self, reply: &Reply) {
        let Reply { status, headers, framing, body, more } = reply;
        self.0.push(format!("reply {status} {framing}"));
        self.0.extend(headers.iter().map(line));
        self.0.push(pretty(body).unwrap_or_else(|_| body.clone()));
        self.more(more);
    }

    /// A whole answer as it was, and as it is after the edits.
    pub(super) fn shaped(&mut self, before: &str, after: &str) -> Result<(), String> {
        self.0.push(if before == after { "the answer stays as it came" } else { "the answer" }.into());
        if before != after {
            self.0.push(pretty(after)?);
        }
        Ok(())
    }

    fn more(&mut self, more: &str) {
        if !more.is_empty() {
            self.0.push(format!("more: {more}"));
        }
    }

    /// The client's body is refused, at a place that a hook read.
    pub(super) fn refused(&mut self, why: &str) {
        self.0.push(format!("the body is refused: {why}"));
    }

    pub(super) fn fail(&mut self, failed: &Failure) {
        self.0.push("fail".into());
        self.0.push(failure(failed).trim_end().into());
    }

    /// What one call of the rewriter returned; false where that ends the stream.
    pub(super) fn events(&mut self, hook: &str, returned: &Result<Vec<Event>, Failure>) -> bool {
        match returned {
            Ok(events) => {
                self.0.push(format!("{hook}: {}", if events.is_empty() { "nothing" } else { "events" }));
                let named = |event: &Event| event.name.as_ref().map_or(String::new(), |name| format!("{name}: "));
                let told = |event: &Event| format!("  {}{}{}", named(event), event.data, bytes(&event.binary));
                self.0.extend(events.iter().map(told));
            }
            Err(failed) => {
                self.0.push(format!("{hook}: fails"));
                self.0.push(failure(failed).trim_end().into());
            }
        }
        returned.is_ok()
    }

    /// What the edits did to the body.
    pub(super) fn body(&mut self, before: &str, after: &str) -> Result<(), String> {
        self.0.push(String::new());
        if before == after {
            self.0.push("the body goes up as it came".into());
            return Ok(());
        }
        self.0.push("the body's changes".into());
        self.0.extend(diff::lines(&pretty(before)?, &pretty(after)?));
        Ok(())
    }

    pub(super) fn text(&self) -> String {
        self.0.join("\n") + "\n"
    }

    fn request(&mut self, request: &Request) {
        self.0.push(format!("{} {} {}", request.method, request.origin, request.path));
        self.0.extend(request.query.iter().map(|field| format!("? {}", line(field))));
        self.0.extend(request.headers.iter().map(line));
        self.0.push(String::new());
        self.0.push(match &request.body {
            Body::Forward => "body: forward".into(),
            Body::Json(text) => format!("body: json\n{}", pretty(text).unwrap_or_else(|_| text.clone())),
            Body::Form(fields) => format!("body: form\n{}", fields.iter().map(line).collect::<Vec<_>>().join("\n")),
            Body::Multipart(parts) => {
                format!("body: form with files\n{}", parts.iter().map(part).collect::<Vec<_>>().join("\n"))
            }
            Body::Content(content) => format!("body: {}", told(content)),
            Body::Empty => "body: empty".into(),
        });
        self.0.push(format!("framing: {}", request.framing));
        self.0.push(match &request.delivery {
            Delivery::Pass => "delivery: pass".into(),
            Delivery::Rewrite(framing) => format!("delivery: rewrite to {framing}"),
        });
        self.0.extend(request.dropped.iter().map(|pointer| format!("dropped: {pointer}")));
        if !request.memo.is_empty() {
            self.0.push(format!("memo: {}", bytes(&request.memo)));
        }
        self.more(&request.more);
    }
}

fn part(part: &Part) -> String {
    let Part { name, filename, content_type, content } = part;
    let filename = filename.as_ref().map_or(String::new(), |filename| format!(" ({filename})"));
    let content_type = content_type.as_ref().map_or(String::new(), |content_type| format!(" {content_type}"));
    format!("{name}{filename}{content_type}: {}", told(content))
}

fn told(content: &Content) -> String {
    match content {
        Content::Text(text) => format!("text {text}"),
        Content::Value(pointer) => format!("the value at {pointer}"),
        Content::Base64(pointer) => format!("the bytes at {pointer}"),
    }
}

pub(super) fn failure(failure: &Failure) -> String {
    let Failure { kind, scope, message, code, retry_after_ms, resets_at, status, more } = failure;
    let mut lines = vec![format!("{kind}, concerning the {scope}"), format!("message: {message}")];
    lines.extend(code.as_ref().map(|code| format!("code: {code}")));
    lines.extend(retry_after_ms.map(|wait| format!("retry after: {wait} ms")));
    lines.extend(resets_at.map(|at| format!("resets at: {at}")));
    lines.extend(status.map(|status| format!("status: {status}")));
    lines.extend((!more.is_empty()).then(|| format!("more: {more}")));
    lines.join("\n") + "\n"
}

pub(super) fn windows(windows: &[Window]) -> String {
    let line = |window: &Window| {
        let Window { name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds } = window;
        let mut parts = vec![format!("{name}:")];
        parts.extend(used_percent.map(|used| format!("{used} % used")));
        parts.extend(limit.map(|limit| format!("limit {limit}")));
        parts.extend(remaining.map(|remaining| format!("remaining {remaining}")));
        parts.extend(length_seconds.map(|length| format!("length {length} s")));
        parts.extend(resets_at.map(|at| format!("resets at {at}")));
        parts.extend(resets_in_seconds.map(|wait| format!("resets in {wait} s")));
        parts.join(" ")
    };
    if windows.is_empty() {
        "no window\n".into()
    } else {
        windows.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
    }
}

/// The members in order of their names: which order they have else is up to the features of serde_json in this build.
pub(super) fn pretty(json: &str) -> Result<String, String> {
    let mut value: Value = serde_json::from_str(json).map_err(|error| format!("not JSON ({error}): {json}"))?;
    value.sort_all_objects();
    serde_json::to_string_pretty(&value).map_err(|error| error.to_string())
}

fn line(field: &Field) -> String {
    format!("{}: {}", field.name, field.value)
}

fn bytes(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
