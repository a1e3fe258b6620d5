//! What the mock upstream answers: a few behaviours, chosen by the model's name. The upstream sends them, the load
//! generator knows from here how long an answer must be. Nothing here looks at a request beyond the model's name.

mod long;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::release::Wait;

/// How the upstream answers a chat call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Behaviour {
    /// One JSON answer of about 1 KB, with usage.
    Whole,
    /// 68 events and `[DONE]`, as fast as it can, each flushed as a chunk of its own.
    Burst,
    /// Four events and `[DONE]` in a burst: a stream whose start is timed, cheap enough for 500 a second.
    Short,
    /// 64 events 3 ms apart, then `[DONE]`.
    Paced,
    /// One event, then nothing until `POST /release` comes; then three events and `[DONE]`.
    Hold,
    /// The same with an event every 0.2 s until then.
    Tick,
    /// Events of 4 KB as fast as the gateway takes them, without an end.
    Flood,
    /// A short stream in the dialect Responses.
    Responses,
    /// One JSON answer of 1 MB.
    Megabyte,
    /// A stream of 200 MB of text.
    Text,
    /// A stream of one call, with 20 MB of arguments.
    Argument,
    /// A stream of 200 calls side by side, with 20 MB of arguments.
    Parallel,
}

/// How many endless answers are being sent.
static FLOODS: AtomicUsize = AtomicUsize::new(0);

/// How many answers of [`Behaviour::Flood`] the upstream is sending now.
pub fn floods() -> usize {
    FLOODS.load(Relaxed)
}

/// The end of a chat stream.
pub const DONE: &[u8] = b"data: [DONE]\n\n";

/// The distance between two events of [`Behaviour::Paced`].
const PACE: Duration = Duration::from_millis(3);
/// The distance between two events of [`Behaviour::Tick`].
const TICK: Duration = Duration::from_millis(200);

impl Behaviour {
    const ALL: [Self; 12] = [
        Self::Whole,
        Self::Burst,
        Self::Short,
        Self::Paced,
        Self::Hold,
        Self::Tick,
        Self::Flood,
        Self::Responses,
        Self::Megabyte,
        Self::Text,
        Self::Argument,
        Self::Parallel,
    ];

    /// The model's name that asks for it.
    pub fn model(self) -> &'static str {
        match self {
            Self::Whole => "bench-whole",
            Self::Burst => "bench-burst",
            Self::Short => "bench-short",
            Self::Paced => "bench-paced",
            Self::Hold => "bench-hold",
            Self::Tick => "bench-tick",
            Self::Flood => "bench-flood",
            Self::Responses => "bench-responses",
            Self::Megabyte => "bench-megabyte",
            Self::Text => "bench-text",
            Self::Argument => "bench-argument",
            Self::Parallel => "bench-parallel",
        }
    }

    /// Where it is asked for.
    pub fn path(self) -> &'static str {
        match self {
            Self::Responses => "/v1/responses",
            _ => "/v1/chat/completions",
        }
    }

    /// What its last bytes hold, where it is a stream.
    pub fn last_word(self) -> &'static [u8] {
        match self {
            Self::Responses => b"\"response.completed\"",
            _ => b"[DONE]",
        }
    }

    /// The behaviour a request's first bytes ask for: the name is searched, nothing is parsed.
    pub fn asked_for_in(head: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|behaviour| {
            let name = behaviour.model().as_bytes();
            head.windows(name.len()).any(|window| window == name)
        })
    }

    /// True if the answer is a stream of events.
    pub fn streams(self) -> bool {
        !matches!(self, Self::Whole | Self::Megabyte)
    }

    /// The answer's content type.
    pub fn content_type(self) -> &'static str {
        if self.streams() { "text/event-stream" } else { "application/json" }
    }

    /// Bytes of the whole answer.
    pub fn length(self) -> usize {
        self.pieces().iter().map(Bytes::len).sum()
    }

    /// Bytes of what it says, as its clients have it in any dialect; at least.
    pub fn words(self) -> usize {
        match self {
            Self::Whole => 500,
            Self::Burst => 400,
            Self::Paced => 380,
            Self::Megabyte => 1_000_000,
            Self::Text => long::least(200 << 10),
            // generateContent has them as JSON, without the escapes of a string.
            Self::Argument | Self::Parallel => long::least(20 << 10) / 4 * 3,
            Self::Short | Self::Hold | Self::Tick | Self::Flood | Self::Responses => 1,
        }
    }

    /// The answer's body.
    pub fn answer(self) -> Answer {
        Answer {
            pieces: self.pieces(),
            next: 0,
            flush: false,
            flood: (self == Self::Flood).then(Flood::begin),
            wait: matches!(self, Self::Hold | Self::Tick).then(Wait::start),
            tick: (self == Self::Tick).then(|| Box::pin(tokio::time::sleep(TICK))),
            pace: (self == Self::Paced).then(|| Box::pin(tokio::time::sleep(PACE))),
        }
    }

    /// The first piece of the answer.
    #[cfg(test)]
    pub fn first(self) -> Bytes {
        self.pieces()[0].clone()
    }

    fn pieces(self) -> Arc<[Bytes]> {
        static WHOLE: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| Arc::new([whole()]));
        static BURST: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| events(68));
        static SHORT: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| events(4));
        static PACED: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| events(64));
        static HOLD: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| {
            let first = event(r#"{"content":"wait"}"#, "null", "");
            [first].iter().chain(events(3).iter()).cloned().collect()
        });
        static FLOOD: LazyLock<Arc<[Bytes]>> =
            LazyLock::new(|| Arc::new([event(&format!(r#"{{"content":"{}"}}"#, "flood ".repeat(700)), "null", "")]));
        static RESPONSES: LazyLock<Arc<[Bytes]>> = LazyLock::new(responses);
        static MEGABYTE: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| Arc::new([long::whole()]));
        static TEXT: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| long::text(200));
        static ARGUMENT: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| long::calls(1, 20 << 10));
        static PARALLEL: LazyLock<Arc<[Bytes]>> = LazyLock::new(|| long::calls(200, 100));
        match self {
            Self::Whole => WHOLE.clone(),
            Self::Burst => BURST.clone(),
            Self::Short => SHORT.clone(),
            Self::Paced => PACED.clone(),
            Self::Hold | Self::Tick => HOLD.clone(),
            Self::Flood => FLOOD.clone(),
            Self::Responses => RESPONSES.clone(),
            Self::Megabyte => MEGABYTE.clone(),
            Self::Text => TEXT.clone(),
            Self::Argument => ARGUMENT.clone(),
            Self::Parallel => PARALLEL.clone(),
        }
    }
}

const USAGE: &str = r#""usage":{"prompt_tokens":211,"completion_tokens":146,"total_tokens":357,"prompt_tokens_details":{"cached_tokens":128}}"#;

fn whole() -> Bytes {
    document(&"The floor is what any proxy on this machine pays. ".repeat(13))
}

/// A whole answer with this text, which is what stands between quotes.
fn document(text: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-bench","object":"chat.completion","created":1700000000,"model":"bench-whole","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],{USAGE}}}"#
    ))
}

/// `count` chat chunks (the last two carry the finish reason and the usage) and the end of the stream.
fn events(count: usize) -> Arc<[Bytes]> {
    let words = (2..count).map(|n| event(&format!(r#"{{"content":" word{n}"}}"#), "null", ""));
    let finish = event("{}", r#""stop""#, "");
    let usage = event("{}", "null", &format!(",{USAGE}"));
    words.chain([finish, usage, Bytes::from_static(DONE)]).collect()
}

fn event(delta: &str, finish: &str, more: &str) -> Bytes {
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"bench\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}]{more}}}\n\n"
    ))
}

/// An answer in the dialect Responses, as its events come.
fn responses() -> Arc<[Bytes]> {
    let response = |status: &str, more: &str| {
        format!(
            r#"{{"id":"resp_bench","object":"response","created_at":1700000000,"model":"bench","status":"{status}",{more}}}"#
        )
    };
    let text = r#"{"type":"message","id":"msg_bench","role":"assistant","status":"completed","content":[{"type":"output_text","text":"words","annotations":[]}]}"#;
    let usage = r#""usage":{"input_tokens":211,"output_tokens":146,"total_tokens":357}"#;
    let event =
        |kind: &str, more: String| Bytes::from(format!("event: {kind}\ndata: {{\"type\":\"{kind}\",{more}}}\n\n"));
    Arc::new([
        event(
            "response.created",
            format!(r#""sequence_number":0,"response":{}"#, response("in_progress", r#""output":[]"#)),
        ),
        event(
            "response.output_text.delta",
            r#""sequence_number":1,"item_id":"msg_bench","output_index":0,"content_index":0,"delta":"words""#
                .to_owned(),
        ),
        event(
            "response.completed",
            format!(
                r#""sequence_number":2,"response":{}"#,
                response("completed", &format!(r#""output":[{text}],{usage}"#))
            ),
        ),
    ])
}

/// An endless answer, counted as long as it lives.
struct Flood;

impl Flood {
    fn begin() -> Self {
        FLOODS.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        FLOODS.fetch_sub(1, Relaxed);
    }
}

/// A body that hands out its pieces one by one and lets the connection flush each before the next.
pub struct Answer {
    pieces: Arc<[Bytes]>,
    next: usize,
    /// A piece was handed out and has to leave before the next one.
    flush: bool,
    /// Begins again after the last piece.
    flood: Option<Flood>,
    /// What comes before the second piece.
    wait: Option<Wait>,
    /// When the first piece is sent once more while that is waited for.
    tick: Option<Pin<Box<Sleep>>>,
    pace: Option<Pin<Box<Sleep>>>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(piece) = self.pieces.get(self.next).cloned() else {
            return Poll::Ready(None);
        };
        if self.next == 1
            && let Some(wait) = &mut self.wait
        {
            if wait.poll(cx).is_pending() {
                let Some(tick) = &mut self.tick else { return Poll::Pending };
                std::task::ready!(tick.as_mut().poll(cx));
                tick.as_mut().reset(Instant::now() + TICK);
                return Poll::Ready(Some(Ok(Frame::data(self.pieces[0].clone()))));
            }
            self.wait = None;
        }
        if let Some(sleep) = &mut self.pace {
            std::task::ready!(sleep.as_mut().poll(cx));
            // From the due time, not from now: a late event does not delay those after it.
            let due: Instant = sleep.deadline() + PACE;
            sleep.as_mut().reset(due);
        } else if std::mem::take(&mut self.flush) {
            // hyper writes out what it has when a body has nothing to give.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.flood.is_none() {
            self.next += 1;
            self.flush = true;
        }
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.pieces.len()
    }

    fn size_hint(&self) -> SizeHint {
        // A stream's length is not told, as with real providers: it goes out chunked.
        match self.pieces.as_ref() {
            [only] if self.flood.is_none() => SizeHint::with_exact(only.len() as u64),
            _ => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    #[test]
    fn the_model_name_chooses_the_behaviour_with_or_without_a_provider() {
        let asked = |body: &[u8]| Behaviour::asked_for_in(body);
        assert_eq!(asked(br#"{"model":"bench-paced","#), Some(Behaviour::Paced));
        assert_eq!(asked(br#"{"model":"openai:bench-whole","#), Some(Behaviour::Whole));
        assert_eq!(asked(br#"{"model":"gpt-5","#), None);
    }

    #[test]
    fn the_whole_answer_is_json_of_about_a_kilobyte() {
        let body = whole();
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["usage"]["total_tokens"], 357);
        assert!((900..1200).contains(&body.len()), "{}", body.len());
    }

    #[test]
    fn every_event_but_the_last_is_json_and_the_last_is_done() {
        for (behaviour, count) in [(Behaviour::Burst, 68), (Behaviour::Short, 4), (Behaviour::Paced, 64)] {
            let pieces = behaviour.pieces();
            let (last, events) = pieces.split_last().unwrap();
            assert_eq!(last, DONE);
            assert_eq!(events.len(), count);
            for event in events {
                let text = event.strip_prefix(b"data: ").unwrap();
                serde_json::from_slice::<serde_json::Value>(text).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_held_answer_stops_after_its_first_event_and_ends_once_it_is_released() {
        let mut answer = Behaviour::Hold.answer();
        let first = answer.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(first.starts_with(b"data: {"));
        let mut rest = std::pin::pin!(answer.collect());
        assert!(waits(rest.as_mut()).await);
        assert_eq!(crate::release::release(), 1);
        let rest = rest.await.unwrap().to_bytes();
        assert!(rest.ends_with(DONE));
        assert_eq!(first.len() + rest.len(), Behaviour::Hold.length());
    }

    /// Whether a future waits for something: polled a few times, as an answer yields once after each piece.
    async fn waits(mut future: Pin<&mut impl Future>) -> bool {
        std::future::poll_fn(|cx| Poll::Ready((0..9).all(|_| future.as_mut().poll(cx).is_pending()))).await
    }

    #[tokio::test]
    async fn a_collected_answer_is_as_long_as_promised() {
        for behaviour in [Behaviour::Whole, Behaviour::Burst, Behaviour::Short] {
            let body = behaviour.answer().collect().await.unwrap().to_bytes();
            assert_eq!(body.len(), behaviour.length());
        }
    }
}
