//! Streams in framings that no client reads: their events go through the component's rewriter, and what goes wrong with them is
//! what goes wrong with Server-Sent Events.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_tests::event_stream::{HeaderValue, event, event_frame, exception};
use bitrouter_tests::{Answer, Gateway, Reply, Upstream};
use serde_json::{Value, json};

const FRAMES: &str = "application/vnd.amazon.eventstream";
const LINES: &str = "application/x-ndjson";
const WHOLE: [&str; 3] = [
    r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant"}}]}"#,
    r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hello"}}]}"#,
    r#"{"object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
];

fn gateway_at(upstream: &Upstream) -> Gateway {
    Gateway::start().with_plugin("rewriting").with_origin("rewriting", upstream).run()
}

/// Asks for a model whose streams are framed like this; another each time, as one that failed is left alone for a moment.
fn ask(gateway: &Gateway, model: &str, streaming: bool) -> Answer {
    let model = format!("rewriting:{model}");
    let body = json!({ "model": model, "stream": streaming, "messages": [{ "role": "user", "content": "hi" }] });
    gateway.post("/v1/chat/completions").json(&body).send()
}

/// These events in a framing.
fn framed(framing: &str, events: &[&str]) -> Vec<u8> {
    let one = |data: &&str| match framing {
        "ndjson" => [data.as_bytes(), b"\n"].concat(),
        _ => event("chunk", data),
    };
    events.iter().flat_map(one).collect()
}

/// The same, with a word at the end that says that they were all.
fn whole(framing: &str) -> Vec<u8> {
    framed(framing, &[&WHOLE[..], &["[DONE]"]].concat())
}

const FRAMINGS: [(&str, &str); 2] = [("aws-event-stream", FRAMES), ("ndjson", LINES)];

/// The JSON of the events that a client read.
fn events(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}

#[test]
fn each_event_is_rewritten_however_its_stream_is_cut() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    for (framing, media_type) in FRAMINGS {
        let stream = whole(framing);
        let pieces = stream.chunks(stream.len() / 5 + 1);
        upstream.replies(pieces.fold(Reply::stream(media_type), |reply, piece| reply.send(piece).pause(5)));
        let answer = ask(&gateway, framing, true).status(200);
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{framing}");
        let numbers: Vec<_> = events(&answer).iter().filter_map(|event| event["event"].as_u64()).collect();
        assert_eq!(numbers, [1, 2, 3], "{framing}: {}", answer.text());
        assert!(answer.complete && answer.text().ends_with("data: [DONE]\n\n"), "{framing}");
        assert_eq!(upstream.last().header("accept"), Some(media_type));
    }
}

#[test]
fn a_client_that_asked_for_no_stream_gets_one_document() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    for (framing, media_type) in FRAMINGS {
        upstream.replies(Reply::stream(media_type).send(whole(framing)));
        let document = ask(&gateway, framing, false).status(200).json();
        assert_eq!(document["choices"][0]["message"]["content"], "Hello", "{framing}");
    }
}

#[test]
fn a_stream_that_ends_within_an_event_broke_off() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    for (framing, media_type) in FRAMINGS {
        let begun = framed(framing, &WHOLE[..2]);
        upstream.replies(Reply::stream(media_type).send(&begun[..begun.len() - 9]));
        ask(&gateway, &format!("{framing}-1"), true).status(502).says("ended without saying that it is whole");
        let more = [begun, framed(framing, &["[DONE]"])].concat();
        upstream.replies(Reply::stream(media_type).send(&more[..more.len() - 3]));
        let answer = ask(&gateway, &format!("{framing}-2"), true).status(200);
        assert!(!answer.complete && answer.text().contains("ended without saying"), "{framing}: {}", answer.text());
    }
}

#[test]
fn an_exception_before_any_content_is_an_error_with_a_status() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let slow_down = exception("throttlingException", r#"{"message":"Too many tokens, wait a moment."}"#);
    upstream.replies(Reply::stream(FRAMES).send(slow_down));
    let error = ask(&gateway, "aws-event-stream-1", true).status(429).json();
    assert!(error["error"]["message"].as_str().unwrap().contains("Too many tokens, wait a moment."), "{error}");
}

#[test]
fn an_exception_after_content_is_told_behind_it() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let broken = exception("modelStreamErrorException", r#"{"message":"The model stopped."}"#);
    let stream = [framed("aws-event-stream", &WHOLE[..2]), broken, framed("aws-event-stream", &["[DONE]"])].concat();
    upstream.replies(Reply::stream(FRAMES).send(stream));
    let answer = ask(&gateway, "aws-event-stream-1", true).status(200).says("Hello").never_says("[DONE]");
    let last = events(&answer).pop().unwrap();
    assert!(last["error"]["message"].as_str().unwrap().contains("The model stopped."), "{last}");
    assert!(!answer.complete);
}

#[test]
fn a_damaged_frame_is_named_and_nothing_of_it_is_told() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let mut stream = whole("aws-event-stream");
    let second = framed("aws-event-stream", &WHOLE[..1]).len();
    stream[second + 150] ^= 1;
    upstream.replies(Reply::stream(FRAMES).send(stream));
    let place = format!("frame 2 of the aws-event-stream, at byte {second}, cannot be read");
    ask(&gateway, "aws-event-stream-1", true).status(502).says(&place).never_says("Hello");
}

#[test]
fn what_is_no_stream_at_all_is_said_so() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    for (framing, _) in FRAMINGS {
        upstream.replies(Reply::body("text/html", "<html>welcome</html>"));
        ask(&gateway, &format!("{framing}-1"), true).status(502).says("a web page");
    }
    upstream.replies(Reply::body("application/json", r#"{"message":"hello"}"#));
    ask(&gateway, "aws-event-stream-2", true).status(502).says("a document where a stream of events was asked for");
}

#[test]
fn a_stream_that_falls_silent_within_a_frame_is_given_up() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_plugin("rewriting").with_origin("rewriting", &upstream);
    let gateway = setup.with("/providers/rewriting/timeouts/idle_ms", json!(300)).run();
    for (framing, media_type) in FRAMINGS {
        let begun = framed(framing, &WHOLE[..1]);
        upstream.replies(Reply::stream(media_type).send(&begun[..begun.len() - 9]).wait_until_gone());
        ask(&gateway, framing, true).status(502).says("sent nothing");
    }
}

#[test]
fn headers_and_bytes_reach_the_rewriter() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let bytes = event_frame(&[], b"\xff\xfe");
    upstream.replies(Reply::stream(FRAMES).send([event("chunk", "{}"), bytes].concat()));
    let answer = ask(&gateway, "aws-event-stream-as-seen", true).status(200);
    let headers = json!([[":event-type", "chunk"], [":content-type", "application/json"], [":message-type", "event"]]);
    let first = json!({ "name": "chunk", "headers": headers, "data": "{}", "binary": [] });
    assert_eq!(events(&answer), [first, json!({ "name": "", "headers": [], "data": "", "binary": [255, 254] })]);
}

/// What botocore reads of frames that come in these chunks. It must not read the damaged ones.
fn read_by_botocore(chunks: &[&[u8]], damaged: &[u8]) -> Value {
    let python = std::env::var_os("BITROUTER_E2E_PYTHON").expect("which Python is not said. Run: cargo xtask e2e");
    let chunks: Vec<_> = chunks.iter().map(|chunk| STANDARD.encode(chunk)).collect();
    let said = json!({ "chunks": chunks, "damaged": STANDARD.encode(damaged) }).to_string();
    let mut script = Command::new(python);
    script.arg(Gateway::script("python/frames.py")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.stderr(Stdio::piped()).spawn().unwrap();
    script.stdin.take().unwrap().write_all(said.as_bytes()).unwrap();
    let ran = script.wait_with_output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn botocore_reads_the_same_out_of_frames() {
    let upstream = Upstream::start();
    let gateway = gateway_at(&upstream);
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let headers = [
        (":event-type", text("all")),
        ("true", HeaderValue::Bool(true)),
        ("false", HeaderValue::Bool(false)),
        ("byte", HeaderValue::Byte(-50)),
        ("short", HeaderValue::Int16(20_000)),
        ("int", HeaderValue::Int32(i32::MIN)),
        ("long", HeaderValue::Int64(i64::MAX)),
        ("bytes", HeaderValue::ByteArray(b"\x00\xffbytes".to_vec().into())),
        ("text", text("söme text")),
        ("empty", text("")),
    ];
    let large = "0123456789".repeat(20_000);
    let stream = [
        event("messageStart", r#"{"p":"abcd","role":"assistant"}"#),
        event_frame(&headers, "päyload".as_bytes()),
        event_frame(&[], b"\xff\xfe\x00"),
        event("contentBlockDelta", &large),
        event("empty", ""),
    ]
    .concat();
    let mut damaged = event("messageStop", "{}");
    *damaged.last_mut().unwrap() ^= 1;
    for size in [7, 1000, stream.len()] {
        let chunks: Vec<_> = stream.chunks(size.max(stream.len() / 500)).collect();
        upstream.replies(chunks.iter().fold(Reply::stream(FRAMES), |reply, chunk| reply.send(*chunk)));
        let answer = ask(&gateway, "aws-event-stream-as-seen", true).status(200);
        assert_eq!(Value::from(events(&answer)), read_by_botocore(&chunks, &damaged), "{size}");
    }
    upstream.replies(Reply::stream(FRAMES).send(damaged));
    ask(&gateway, "aws-event-stream-as-seen", true).status(502).says("it has the checksum");
}
