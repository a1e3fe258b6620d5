//! Writes an error in each dialect's shape, as a whole body and as an event inside a stream.
//! The gateway calls it for every failure that a client gets to see.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::dialect::Dialect;
use crate::error::ApiError;
use crate::position::Position;

impl ApiError {
    /// The JSON body of the HTTP error.
    pub fn body(&self, dialect: Dialect) -> Bytes {
        Bytes::from(self.json(dialect).to_string())
    }

    /// The error as it ends a stream in that dialect, framed, to be written between events only.
    ///
    /// `position` is where the stream stands ([`crate::Tap::position`]); only Responses looks at it. There the
    /// error comes as two events, as OpenAI itself writes them: SDKs listen for `error`, whose documented
    /// fields are flat and whose real ones are nested, and the Codex CLI listens for `response.failed` alone.
    pub fn as_event(&self, dialect: Dialect, position: &Position) -> Bytes {
        let body = self.json(dialect);
        Bytes::from(match dialect {
            Dialect::ChatCompletions | Dialect::GenerateContent => format!("data: {body}\n\n"),
            Dialect::Messages => format!("event: error\ndata: {body}\n\n"),
            Dialect::Responses => {
                let sequence = position.next_number();
                let id = position.response().or(self.request_id.as_deref()).unwrap_or("resp_failed");
                let error = self.event_of_responses(sequence);
                let failed = json!({
                    "type": "response.failed",
                    "sequence_number": sequence.saturating_add(1),
                    "response": {
                        "id": id,
                        "object": "response",
                        "status": "failed",
                        "output": [],
                        "error": self.error_of_response(),
                    },
                });
                format!("event: error\ndata: {error}\n\nevent: response.failed\ndata: {failed}\n\n")
            }
        })
    }

    /// The data of the event `error` of Responses, with that number.
    pub(crate) fn event_of_responses(&self, sequence: u64) -> Value {
        json!({
            "type": "error",
            "sequence_number": sequence,
            "code": self.openai_code(),
            "message": self.message,
            "param": self.param,
            "status": self.status,
            "error": self.openai(Dialect::Responses),
        })
    }

    /// The `error` of a response that failed.
    pub(crate) fn error_of_response(&self) -> Value {
        json!({"code": self.openai_code(), "message": self.message})
    }

    fn json(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::ChatCompletions | Dialect::Responses => json!({"error": self.openai(dialect)}),
            Dialect::Messages => self.anthropic(),
            Dialect::GenerateContent => json!({"error": self.google()}),
        }
    }

    fn openai_code(&self) -> Option<&str> {
        self.code.as_deref().or(self.kind.openai_code())
    }

    /// OpenAI's error object, with the reset time in the ChatGPT backend's own fields.
    fn openai(&self, dialect: Dialect) -> Map<String, Value> {
        let mut error = Map::new();
        error.insert("message".to_owned(), json!(self.message));
        error.insert("type".to_owned(), json!(self.kind.openai_type(dialect)));
        error.insert("param".to_owned(), json!(self.param));
        error.insert("code".to_owned(), json!(self.openai_code()));
        if let Some(at) = self.resets_at {
            error.insert("resets_at".to_owned(), json!(at));
        }
        if let Some(seconds) = self.retry_after {
            error.insert("resets_in_seconds".to_owned(), json!(seconds));
        }
        error
    }

    /// Anthropic has no `code`; where there is one it goes beside the type.
    fn anthropic(&self) -> Value {
        let mut error = json!({"type": self.kind.anthropic_type(), "message": self.message});
        if let Some(code) = &self.code {
            error["code"] = json!(code);
        }
        json!({"type": "error", "error": error, "request_id": self.request_id})
    }

    /// Google's `code` is the HTTP status; what we call code is the reason in an ErrorInfo, and the wait a
    /// RetryInfo, both of google.rpc.
    fn google(&self) -> Map<String, Value> {
        let mut details = Vec::new();
        if let Some(code) = &self.code {
            let info = "type.googleapis.com/google.rpc.ErrorInfo";
            details.push(json!({"@type": info, "reason": code, "domain": "bitrouter"}));
        }
        if let Some(seconds) = self.retry_after {
            let info = "type.googleapis.com/google.rpc.RetryInfo";
            details.push(json!({"@type": info, "retryDelay": format!("{seconds}s")}));
        }
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.status));
        error.insert("message".to_owned(), json!(self.message));
        error.insert("status".to_owned(), json!(self.kind.google_status()));
        if !details.is_empty() {
            error.insert("details".to_owned(), json!(details));
        }
        error
    }
}
