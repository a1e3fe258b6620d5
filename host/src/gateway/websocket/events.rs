//! An answer's events on their way into a WebSocket: the JSON of each is a text frame, and the answer is folded beside, for
//! what is kept of it.

use bitrouter_dialect::{DEFAULT_FOLD_LIMIT, Dialect, EventKind, Fold, Splitter};
use bytes::Bytes;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::frame;

/// The events of one answer.
pub(super) struct Events {
    splitter: Splitter,
    fold: Fold,
    last: Option<Last>,
}

/// How an answer ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Whole,
    Failed,
}

impl Events {
    /// Of an answer that begins.
    pub(super) fn new() -> Self {
        // The longest event is the whole answer, which its last one repeats.
        let splitter = Splitter::with_limit(DEFAULT_FOLD_LIMIT);
        Events { splitter, fold: Fold::new(Dialect::Responses), last: None }
    }

    /// The frames that these bytes complete. What keeps a client of HTTP awake is a ping here.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.fold.feed(bytes);
        let (mut frames, mut beat) = (Vec::new(), false);
        let last = &mut self.last;
        self.splitter.feed(bytes, |event| match event.kind {
            EventKind::Message if event.data.starts_with(b"{") => {
                let kind = event.type_name();
                *last = match kind.as_deref() {
                    Some("error" | "response.failed") => Some(Last::Failed),
                    Some("response.completed" | "response.incomplete") => last.or(Some(Last::Whole)),
                    _ => *last,
                };
                frames.push(match kind.as_deref() {
                    Some("error") => Message::text(frame::with_status(event.data)),
                    _ => Message::Text(text(event.data)),
                });
            }
            EventKind::Stray => {
                *last = Some(Last::Failed);
                frames.push(Message::text(frame::with_status(event.data)));
            }
            EventKind::Oversized => {
                *last = Some(Last::Failed);
                frames.push(Message::text(frame::cut()));
            }
            EventKind::Silent => beat = true,
            EventKind::Message | EventKind::Unfinished => {}
        });
        if frames.is_empty() && beat {
            frames.push(Message::Ping(Bytes::new()));
        }
        frames
    }

    /// Whether the client has read the last word.
    pub(super) fn is_over(&self) -> bool {
        self.last.is_some()
    }

    /// The answer as one document; none where it is not whole.
    pub(super) fn whole(self) -> Option<Bytes> {
        (self.last == Some(Last::Whole)).then(|| self.fold.finish().ok()).flatten()
    }
}

/// What is no UTF-8 would be no message: each such byte is replaced.
fn text(data: &[u8]) -> Utf8Bytes {
    match Utf8Bytes::try_from(Bytes::copy_from_slice(data)) {
        Ok(text) => text,
        Err(_) => String::from_utf8_lossy(data).into_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn texts(frames: &[Message]) -> Vec<Value> {
        frames.iter().map(|frame| serde_json::from_str(frame.to_text().unwrap()).unwrap()).collect()
    }

    #[test]
    fn each_event_is_a_frame_and_a_comment_alone_is_a_ping() {
        let mut events = Events::new();
        assert_eq!(events.feed(b": still there\n\n"), [Message::Ping(Bytes::new())]);
        let frames = events.feed(
            b"event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"r\",\"output\":[]}}\n\n: x\n\ndata: {\"ty",
        );
        assert_eq!(texts(&frames)[0]["type"], "response.created");
        assert!(frames.len() == 1 && !events.is_over());
        let item = r#"{"type":"message","id":"m","content":[]}"#;
        let rest = format!(
            "pe\":\"response.output_item.done\",\"output_index\":0,\"item\":{item}}}\n\ndata: {{\"type\":\"response.completed\",\"response\":{{\"id\":\"r\",\"output\":[]}}}}\n\n"
        );
        assert_eq!(events.feed(rest.as_bytes()).len(), 2);
        assert!(events.is_over());
        let whole: Value = serde_json::from_slice(&events.whole().unwrap()).unwrap();
        assert_eq!((&whole["id"], &whole["output"][0]["id"]), (&"r".into(), &"m".into()));
    }

    proptest! {
        /// Whatever an upstream sends, in whatever pieces: each frame is JSON or a ping, and an error has a status.
        #[test]
        fn whatever_comes_is_frames_that_a_client_can_read(
            lines in prop::collection::vec(prop_oneof![
                "data: \\{\"type\":\"(error|response.failed|response.completed|x)\"(,\"error\":(1|null|\"a\"|\\{\\}))?\\}",
                "data: \\{.{0,8}", "error: .{0,12}", "(event|data|id): .{0,8}", "", ":", ".{0,8}",
            ], 0..24),
            pieces in 1..9_usize,
        ) {
            let text = lines.join("\n");
            let mut events = Events::new();
            for piece in text.as_bytes().chunks(text.len().div_ceil(pieces).max(1)) {
                for frame in events.feed(piece) {
                    let Message::Text(text) = frame else {
                        prop_assert!(frame.is_ping());
                        continue;
                    };
                    if let Ok(frame) = serde_json::from_str::<Value>(&text)
                        && frame["type"] == "error"
                    {
                        prop_assert!(frame["status"].is_u64() && frame["error"].is_object(), "{}", frame);
                    }
                }
            }
            let over = events.is_over();
            prop_assert!(over || events.whole().is_none());
        }
    }

    #[test]
    fn an_answer_that_failed_is_not_whole_and_says_its_status() {
        for event in
            ["event: error\ndata: {\"type\":\"error\",\"message\":\"m\"}\n\n", "error: {\"message\":\"m\"}\n\n"]
        {
            let mut events = Events::new();
            let frames = texts(&events.feed(event.as_bytes()));
            assert_eq!((&frames[0]["status"], frames.len()), (&502.into(), 1), "{event}");
            assert!(events.is_over() && events.whole().is_none());
        }
    }
}
