//! What the upstream says to one request: a head, and pieces with pauses or a cut between them.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::WebSocket;

use crate::upstream_websocket::{events, text};

/// An answer of the upstream's.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    steps: Vec<Step>,
    /// Whether the body is one piece with a length; else each piece is a chunk.
    whole: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Send(Vec<u8>),
    Pause(Duration),
    Cut,
    WaitUntilGone,
}

/// How the sending ended.
#[derive(PartialEq, Eq)]
pub(crate) enum Sent {
    Complete,
    Cut,
    /// The gateway closed the connection while it was waited for.
    Gone,
}

impl Reply {
    /// 200 with this JSON.
    pub fn json(body: &Value) -> Self {
        Self::body("application/json", body.to_string())
    }

    /// 200 with these bytes.
    pub fn body(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let steps = vec![Step::Send(body.into())];
        Reply { status: 200, headers: Vec::new(), steps, whole: true }.header("content-type", content_type)
    }

    /// 200 with a stream of events that [`Reply::send`] adds to.
    pub fn sse() -> Self {
        let stream = Reply { status: 200, headers: Vec::new(), steps: Vec::new(), whole: false };
        stream.header("content-type", "text/event-stream; charset=utf-8")
    }

    /// 200 with a stream in another framing, of this media type, that [`Reply::send`] adds to.
    pub fn stream(media_type: &str) -> Self {
        Self::sse().without("content-type").header("content-type", media_type)
    }

    /// No answer at all, for as long as the gateway waits.
    pub fn silence() -> Self {
        Reply { status: 0, headers: Vec::new(), steps: vec![Step::WaitUntilGone], whole: false }
    }

    /// These bytes instead of HTTP, and then the end of the connection.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let steps = vec![Step::Send(bytes.into()), Step::Cut];
        Reply { status: 0, headers: Vec::new(), steps, whole: true }
    }

    /// Says no length: each piece is a chunk.
    pub fn chunked(mut self) -> Self {
        self.whole = false;
        self.steps.retain(|step| !matches!(step, Step::Send(bytes) if bytes.is_empty()));
        self
    }

    /// Sets the status.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes a header away.
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self
    }

    /// Sends these bytes next, as a chunk of their own.
    pub fn send(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Send(bytes.into()))
    }

    /// Waits before the next piece, so that it arrives by itself.
    pub fn pause(self, milliseconds: u64) -> Self {
        self.then(Step::Pause(Duration::from_millis(milliseconds)))
    }

    /// Ends the connection in the middle.
    pub fn cut(self) -> Self {
        self.then(Step::Cut)
    }

    /// Sends nothing more until the gateway has closed the connection.
    pub fn wait_until_gone(self) -> Self {
        self.then(Step::WaitUntilGone)
    }

    /// What it sends, without its head.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let sent = |step: &Step| if let Step::Send(bytes) = step { bytes.clone() } else { Vec::new() };
        self.steps.iter().flat_map(sent).collect()
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Writes it all.
    pub(crate) fn write(&self, to: &mut TcpStream) -> io::Result<Sent> {
        if self.status != 0 {
            to.write_all(self.head().as_bytes())?;
        }
        for step in &self.steps {
            match step {
                Step::Send(bytes) if self.whole => to.write_all(bytes)?,
                Step::Send(bytes) => {
                    let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
                    to.write_all(&chunk)?;
                }
                Step::Pause(pause) => std::thread::sleep(*pause),
                Step::Cut => {
                    to.shutdown(Shutdown::Both)?;
                    return Ok(Sent::Cut);
                }
                Step::WaitUntilGone => {
                    while !matches!(to.read(&mut [0; 64]), Ok(0) | Err(_)) {}
                    return Ok(Sent::Gone);
                }
            }
        }
        if !self.whole {
            to.write_all(b"0\r\n\r\n")?;
        }
        Ok(Sent::Complete)
    }

    /// Sends it as messages of a WebSocket: the events, or an error with its status.
    pub(crate) fn write_messages(&self, to: &mut WebSocket<TcpStream>) -> Sent {
        if self.whole {
            let mut body: Value = serde_json::from_slice(&self.bytes()).unwrap_or_default();
            let error = match body["error"].take() {
                Value::Null => json!({"message": body["detail"]}),
                error => error,
            };
            let headers: serde_json::Map<String, Value> =
                self.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            let error = json!({"type": "error", "status": self.status, "error": error, "headers": headers});
            return if to.send(text(&error)).is_ok() { Sent::Complete } else { Sent::Gone };
        }
        let mut pending = String::new();
        for step in &self.steps {
            match step {
                Step::Send(bytes) => {
                    pending += &String::from_utf8_lossy(bytes);
                    let Some(end) = pending.rfind("\n\n") else { continue };
                    let rest = pending.split_off(end + 2);
                    for event in events(&std::mem::replace(&mut pending, rest)) {
                        if to.send(text(&event)).is_err() {
                            return Sent::Gone;
                        }
                    }
                }
                Step::Pause(pause) => std::thread::sleep(*pause),
                Step::Cut => {
                    let _ = to.get_mut().shutdown(Shutdown::Both);
                    return Sent::Cut;
                }
                Step::WaitUntilGone => {
                    while to.read().is_ok() {}
                    return Sent::Gone;
                }
            }
        }
        Sent::Complete
    }

    fn head(&self) -> String {
        let length: usize =
            self.steps.iter().map(|step| if let Step::Send(bytes) = step { bytes.len() } else { 0 }).sum();
        let framing =
            if self.whole { format!("content-length: {length}") } else { "transfer-encoding: chunked".to_owned() };
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("HTTP/1.1 {} Status\r\n{headers}{framing}\r\n\r\n", self.status)
    }
}
