//! The cases: which endings there are in which framing, whether the answer is whole then, and the bytes of it.

use serde_json::{Value, json};

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Chat,
    Responses,
    Messages,
}

/// What the upstream's connections are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    Plain,
    Tls,
    Http2,
}

/// How the body's end is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Chunked,
    Length,
    Close,
    TlsChunked,
    TlsLength,
    TlsClose,
    Http2,
}

/// How the answer ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// With the dialect's last word and as the framing has it.
    Whole,
    /// As the framing has it, after content, without the last word.
    NoLastWord,
    /// In the middle of an event or a document, by the end of the connection.
    FinInside,
    /// After content, by the end of the connection.
    FinAfterContent,
    /// After the last word, by the end of the connection.
    FinAfterLastWord,
    /// After content, by a reset of the connection.
    Reset,
    /// With an error event after content, and then as the framing has it.
    ErrorEvent,
    /// The length that was said is less than what is sent.
    LengthTooShort,
    /// The length that was said is more than what is sent, which is all of it.
    LengthTooLong,
    /// After content, without TLS's farewell.
    NoFarewell,
    /// After the last word, without TLS's farewell.
    NoFarewellAfterLastWord,
    /// After content, by RST_STREAM.
    StreamReset,
    /// After the last word, by RST_STREAM without an error.
    StreamResetAfterLastWord,
    /// After content, by GOAWAY and the end of the connection.
    GoAway,
    /// GOAWAY after content, and then all of it.
    GoAwayThenWhole,
    /// After content comes nothing more.
    Silence,
    /// After the last word comes nothing more, and no end.
    SilenceAfterLastWord,
}

/// One of them all.
#[derive(Clone, Copy)]
pub(super) struct Case {
    pub(super) dialect: Dialect,
    pub(super) framing: Framing,
    pub(super) ending: Ending,
    pub(super) streamed: bool,
}

impl Dialect {
    const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
        }
    }

    /// The beginning of the answer, content included.
    pub(super) fn content(self) -> Vec<String> {
        match self {
            Self::Chat => {
                vec![chunk(json!({"role": "assistant", "content": ""}), None), chunk(json!({"content": "Sun"}), None)]
            }
            Self::Responses => {
                let begun =
                    json!({"type": "response.created", "sequence_number": 0, "response": response("in_progress")});
                vec![event(&begun), event(&text_delta(1, "Sun"))]
            }
            Self::Messages => {
                let usage = json!({"input_tokens": 5, "output_tokens": 1});
                let message = json!({
                    "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                    "stop_reason": null, "stop_sequence": null, "usage": usage,
                });
                let block = json!({"type": "text", "text": ""});
                vec![
                    event(&json!({"type": "message_start", "message": message})),
                    event(&json!({"type": "content_block_start", "index": 0, "content_block": block})),
                    event(&block_delta("Sun")),
                ]
            }
        }
    }

    /// What follows, up to the last word.
    pub(super) fn rest(self) -> Vec<String> {
        match self {
            Self::Chat => vec![
                chunk(json!({"content": "ny."}), None),
                chunk(json!({}), Some("stop")),
                "data: [DONE]\n\n".to_owned(),
            ],
            Self::Responses => {
                let done =
                    json!({"type": "response.completed", "sequence_number": 3, "response": response("completed")});
                vec![event(&text_delta(2, "ny.")), event(&done)]
            }
            Self::Messages => {
                let delta = json!({"stop_reason": "end_turn", "stop_sequence": null});
                vec![
                    event(&block_delta("ny.")),
                    event(&json!({"type": "content_block_stop", "index": 0})),
                    event(&json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 2}})),
                    event(&json!({"type": "message_stop"})),
                ]
            }
        }
    }

    /// How it says that something went wrong.
    pub(super) fn error(self) -> String {
        match self {
            Self::Chat => {
                let error =
                    json!({"message": "it broke", "type": "server_error", "param": null, "code": "server_error"});
                format!("data: {}\n\n", json!({ "error": error }))
            }
            Self::Responses => {
                let error = json!({
                    "type": "error", "sequence_number": 2, "code": "server_error", "message": "it broke", "param": null,
                });
                event(&error)
            }
            Self::Messages => event(&json!({"type": "error", "error": {"type": "api_error", "message": "it broke"}})),
        }
    }

    /// The answer where no stream was asked for.
    pub(super) fn document(self) -> String {
        let document = match self {
            Self::Chat => {
                let message = json!({"role": "assistant", "content": "Sunny."});
                json!({
                    "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                })
            }
            Self::Responses => response("completed"),
            Self::Messages => json!({
                "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [{"type": "text", "text": "Sunny."}], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": {"input_tokens": 5, "output_tokens": 2},
            }),
        };
        document.to_string()
    }
}

impl Transport {
    pub(super) const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Http2];
}

impl Framing {
    const ALL: [Self; 7] =
        [Self::Chunked, Self::Length, Self::Close, Self::TlsChunked, Self::TlsLength, Self::TlsClose, Self::Http2];

    pub(super) fn transport(self) -> Transport {
        match self {
            Self::Chunked | Self::Length | Self::Close => Transport::Plain,
            Self::TlsChunked | Self::TlsLength | Self::TlsClose => Transport::Tls,
            Self::Http2 => Transport::Http2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Chunked => "chunked",
            Self::Length => "length",
            Self::Close => "close",
            Self::TlsChunked => "tls-chunked",
            Self::TlsLength => "tls-length",
            Self::TlsClose => "tls-close",
            Self::Http2 => "http2",
        }
    }

    /// Whether the end of the connection is how the body ends.
    fn ends_by_closing(self) -> bool {
        matches!(self, Self::Close | Self::TlsClose)
    }
}

impl Ending {
    const ALL: [Self; 17] = [
        Self::Whole,
        Self::NoLastWord,
        Self::FinInside,
        Self::FinAfterContent,
        Self::FinAfterLastWord,
        Self::Reset,
        Self::ErrorEvent,
        Self::LengthTooShort,
        Self::LengthTooLong,
        Self::NoFarewell,
        Self::NoFarewellAfterLastWord,
        Self::StreamReset,
        Self::StreamResetAfterLastWord,
        Self::GoAway,
        Self::GoAwayThenWhole,
        Self::Silence,
        Self::SilenceAfterLastWord,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::NoLastWord => "no-last-word",
            Self::FinInside => "fin-inside",
            Self::FinAfterContent => "fin-after-content",
            Self::FinAfterLastWord => "fin-after-last-word",
            Self::Reset => "reset",
            Self::ErrorEvent => "error-event",
            Self::LengthTooShort => "length-too-short",
            Self::LengthTooLong => "length-too-long",
            Self::NoFarewell => "no-farewell",
            Self::NoFarewellAfterLastWord => "no-farewell-after-last-word",
            Self::StreamReset => "stream-reset",
            Self::StreamResetAfterLastWord => "stream-reset-after-last-word",
            Self::GoAway => "goaway",
            Self::GoAwayThenWhole => "goaway-then-whole",
            Self::Silence => "silence",
            Self::SilenceAfterLastWord => "silence-after-last-word",
        }
    }

    /// Whether there is such an ending in this framing, different from every other.
    fn is_in(self, framing: Framing) -> bool {
        let transport = framing.transport();
        match self {
            Self::FinAfterContent | Self::FinAfterLastWord => !framing.ends_by_closing(),
            Self::LengthTooShort | Self::LengthTooLong => matches!(framing, Framing::Length | Framing::TlsLength),
            Self::NoFarewell | Self::NoFarewellAfterLastWord => transport == Transport::Tls,
            Self::StreamReset | Self::StreamResetAfterLastWord | Self::GoAway | Self::GoAwayThenWhole => {
                transport == Transport::Http2
            }
            _ => true,
        }
    }

    /// Whether a connection that requests share ends with it.
    pub(super) fn ends_connection(self) -> bool {
        match self {
            Self::Whole | Self::NoLastWord | Self::ErrorEvent | Self::GoAwayThenWhole => false,
            Self::StreamReset | Self::StreamResetAfterLastWord => false,
            Self::Silence | Self::SilenceAfterLastWord => false,
            Self::FinInside | Self::FinAfterContent | Self::FinAfterLastWord | Self::Reset | Self::GoAway => true,
            Self::LengthTooShort | Self::LengthTooLong => true,
            Self::NoFarewell | Self::NoFarewellAfterLastWord => true,
        }
    }

    /// Whether it is one of an answer that is no stream: such an answer has no last word but its own end.
    fn is_of_documents(self) -> bool {
        matches!(
            self,
            Self::Whole
                | Self::FinInside
                | Self::Reset
                | Self::LengthTooShort
                | Self::NoFarewell
                | Self::StreamReset
                | Self::GoAway
                | Self::Silence
        )
    }
}

impl Case {
    /// All that there are.
    pub(super) fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for dialect in Dialect::ALL {
            for framing in Framing::ALL {
                for ending in Ending::ALL.into_iter().filter(|ending| ending.is_in(framing)) {
                    cases.push(Self { dialect, framing, ending, streamed: true });
                    if ending.is_of_documents() {
                        cases.push(Self { dialect, framing, ending, streamed: false });
                    }
                }
            }
        }
        cases
    }

    /// The model's name that asks for it: another for each case, since a model that failed may be given a rest.
    pub(super) fn name(&self) -> String {
        let shape = if self.streamed { "stream" } else { "document" };
        [self.dialect.name(), shape, self.framing.name(), self.ending.name()].join(".")
    }

    /// The case that this model's name asks for.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|case| case.name() == name)
    }

    /// Whether the client has all of the answer.
    pub(super) fn is_whole(&self) -> bool {
        matches!(
            self.ending,
            Ending::Whole
                | Ending::FinAfterLastWord
                | Ending::LengthTooLong
                | Ending::NoFarewellAfterLastWord
                | Ending::StreamResetAfterLastWord
                | Ending::GoAwayThenWhole
                | Ending::SilenceAfterLastWord
        )
    }

    /// Whether the client may be told by an event: of Responses, whose client hands the provider's error event to its user.
    pub(super) fn may_be_told(&self) -> bool {
        self.dialect == Dialect::Responses && self.ending == Ending::ErrorEvent
    }

    /// What is sent of the body before the ending, piece by piece.
    pub(super) fn body(&self) -> Vec<String> {
        if !self.streamed {
            let document = self.dialect.document();
            let half = document[..document.len() / 2].to_owned();
            return match self.ending {
                // All of it, but nothing says so.
                Ending::Whole | Ending::NoFarewell if self.framing.ends_by_closing() => vec![document],
                Ending::Whole | Ending::LengthTooShort => vec![document],
                _ => vec![half],
            };
        }
        let mut body = self.dialect.content();
        match self.ending {
            Ending::FinInside => {
                let next = self.dialect.rest().swap_remove(0);
                body.push(next[..next.len() / 2].to_owned());
            }
            Ending::ErrorEvent => body.push(self.dialect.error()),
            Ending::LengthTooShort => body.extend(self.dialect.rest()),
            _ if self.is_whole() => body.extend(self.dialect.rest()),
            _ => {}
        }
        body
    }
}

fn chunk(delta: Value, reason: Option<&str>) -> String {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": reason});
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice],
    });
    format!("data: {chunk}\n\n")
}

/// An event that names its type twice, as Responses and Messages have it.
fn event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap())
}

fn text_delta(sequence: u32, text: &str) -> Value {
    json!({
        "type": "response.output_text.delta", "sequence_number": sequence, "item_id": "msg_1", "output_index": 0,
        "content_index": 0, "delta": text, "logprobs": [],
    })
}

fn block_delta(text: &str) -> Value {
    json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}})
}

fn response(status: &str) -> Value {
    let content = json!([{"type": "output_text", "text": "Sunny.", "annotations": []}]);
    let message =
        json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content});
    let usage = json!({
        "input_tokens": 5, "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 7,
    });
    let completed = status == "completed";
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status,
        "output": if completed { json!([message]) } else { json!([]) }, "parallel_tool_calls": true,
        "tool_choice": "auto", "tools": [], "usage": if completed { usage } else { Value::Null },
    })
}
