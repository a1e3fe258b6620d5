//! Where an answer fails decides whether another target is asked: short answers, cut at every byte and with an error at
//! every position. Before the first content the client sees the other answer alone, after it never any of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitrouter_tests::{Answer, Gateway, Reply, Upstream};
use serde_json::json;

use crate::dialects::{DIALECTS, Wire, ask, data, echo_at};

const WHOLE: &str = r#"{"said": "half"}"#;

/// What comes before the first content, as one answer of each dialect has it.
fn preamble(wire: Wire) -> Vec<String> {
    match wire.path {
        "/v1/responses" => vec![
            data(wire.preamble),
            data(r#"{"type":"response.in_progress","response":{"id":"r"}}"#),
            format!("event: response.output_item.added\n{}", data(r#"{"type":"response.output_item.added"}"#)),
        ],
        "/v1/messages" => {
            vec![format!("event: message_start\n{}", data(wire.preamble)), "event: ping\r\ndata: {}\r\n\r\n".to_owned()]
        }
        _ => vec![": waiting\n\n".to_owned(), data(wire.preamble)],
    }
}

/// The content, and the end.
fn content(wire: Wire) -> Vec<String> {
    vec![data(wire.content), data(&wire.content.replace("half", " way")), data(wire.last)]
}

/// How a body says where it ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Chunked,
    Length,
    /// With the connection, so that a cut looks like an end.
    Close,
}

/// An answer as it is on the wire, how many of its bytes have the first content in them, and how many are all that matters.
fn on_the_wire(
    content_type: &str,
    pieces: &[String],
    first_content: usize,
    framing: Framing,
) -> (String, usize, usize) {
    let length: usize = pieces.iter().map(String::len).sum();
    let how = match framing {
        Framing::Chunked => "transfer-encoding: chunked\r\n".to_owned(),
        Framing::Length => format!("content-length: {length}\r\n"),
        Framing::Close => String::new(),
    };
    let mut wire = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n{how}\r\n");
    let mut content_at = 0;
    for (at, piece) in pieces.iter().enumerate() {
        if framing == Framing::Chunked {
            wire += &format!("{:x}\r\n", piece.len());
        }
        wire += piece;
        if at == first_content {
            content_at = wire.len();
        }
        if framing == Framing::Chunked {
            wire += "\r\n";
        }
    }
    let all = wire.len();
    if framing == Framing::Chunked {
        wire += "0\r\n\r\n";
    }
    (wire, content_at, all)
}

/// Two targets of which the first answers as a test says, and the second well.
struct Pair<'a> {
    upstream: &'a Upstream,
    gateway: &'a Gateway,
    wire: Wire,
    asked: &'a mut usize,
    /// How often the first target of the last call was asked, and how often the second.
    sent: Arc<[AtomicUsize; 2]>,
}

impl Pair<'_> {
    fn ask(&mut self, first: Reply, streamed: bool) -> Answer {
        *self.asked += 1;
        self.sent = Arc::default();
        // Names of their own, so that what rests is none of them.
        let (wire, sent, models) = (self.wire, Arc::clone(&self.sent), ["first", "second"]);
        let models = models.map(|name| format!("{name}-{}", self.asked));
        let is_first = models[0].clone();
        self.upstream.follows(move |seen| {
            let second = seen.json()["model"] != is_first.as_str();
            sent[usize::from(second)].fetch_add(1, Ordering::SeqCst);
            if second { wire.second(streamed) } else { first.clone() }
        });
        let addresses = models.map(|model| format!("echo:{model}"));
        ask(self.gateway, wire, &addresses.each_ref().map(String::as_str), streamed)
    }

    fn sent(&self) -> (usize, usize) {
        let [first, second] = &*self.sent;
        (first.load(Ordering::SeqCst), second.load(Ordering::SeqCst))
    }
}

/// The other answer, and nothing of the first.
#[track_caller]
fn is_the_second(answer: &Answer, context: &str) {
    assert!(answer.code == 200 && answer.complete, "{context}");
    assert!(answer.text().contains("second"), "{context}");
    assert!(!answer.text().contains("half") && !answer.text().contains("because"), "{context}");
    assert_eq!(answer.header("x-bitrouter-attempts"), Some("2"), "{context}");
}

/// Whether the last event is an error as clients of the dialect know it.
fn tells_an_error(wire: Wire, answer: &Answer) -> bool {
    let text = answer.text();
    let last = text.trim_end().rsplit("\n\n").next().unwrap_or_default();
    let begins = match wire.path {
        "/v1/responses" => "event: response.failed\ndata: {",
        "/v1/messages" => "event: error\ndata: {",
        _ => "data: {\"error\":{",
    };
    last.starts_with(begins) && last.contains("broke off")
}

/// Calls with both targets, for every dialect, over one gateway.
fn in_every_dialect(mut each: impl FnMut(&mut Pair<'_>)) {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    let mut asked = 0;
    for wire in DIALECTS {
        each(&mut Pair { upstream: &upstream, gateway: &gateway, wire, asked: &mut asked, sent: Arc::default() });
    }
}

#[test]
fn a_stream_that_is_cut_at_any_byte_fails_over_before_content_and_never_after() {
    in_every_dialect(|pair| {
        let (before, after) = (preamble(pair.wire), content(pair.wire));
        let pieces = [before.as_slice(), after.as_slice()].concat();
        for framing in [Framing::Chunked, Framing::Length, Framing::Close] {
            let (answer, content_at, _) = on_the_wire("text/event-stream", &pieces, before.len(), framing);
            for at in 0..=answer.len() {
                let told = pair.ask(Reply::raw(&answer[..at]), true);
                let (first, second) = pair.sent();
                let context = format!(
                    "{} {framing:?}: cut at {at} of {}, content at {content_at}: {} {}",
                    pair.wire.path,
                    answer.len(),
                    told.code,
                    told.text()
                );
                // A kept connection that dies before any byte came is replaced by a fresh one, once.
                assert!(first == 1 || first == 2 && at == 0, "asked {first} times, {context}");
                // Where the connection is the end, the blank line behind the last event may be missing.
                let blank = if framing == Framing::Close { 2 } else { 0 };
                if at + blank < content_at {
                    is_the_second(&told, &context);
                    continue;
                }
                if at < content_at && second == 1 {
                    continue;
                }
                assert_eq!((told.code, second), (200, 0), "{context}");
                assert!(told.text().contains("half") && !told.text().contains("second"), "{context}");
                // The last word makes it whole, whatever becomes of the connection then. Where the connection is the end,
                // a cut is one, and the blank line behind the last word may be missing.
                let text = told.text();
                let last = after[after.len() - 1].as_str();
                let whole = text.contains(last) || framing == Framing::Close && text.contains(last.trim_end());
                assert_eq!(told.complete, whole, "{context}");
                // Within an event nothing can be said, and behind the last nothing needs to be.
                assert_eq!(tells_an_error(pair.wire, &told), !whole && text.ends_with("\n\n"), "{context}");
            }
        }
    });
}

#[test]
fn a_document_that_is_cut_at_any_byte_fails_over() {
    in_every_dialect(|pair| {
        for framing in [Framing::Chunked, Framing::Length, Framing::Close] {
            let (answer, _, all) = on_the_wire("application/json", &[WHOLE.to_owned()], 0, framing);
            for at in 0..all.min(answer.len() - usize::from(framing == Framing::Chunked)) {
                if framing != Framing::Length && answer[..at].ends_with(WHOLE) {
                    // All of the document is there.
                    continue;
                }
                let told = pair.ask(Reply::raw(&answer[..at]), false);
                let context = format!("{} {framing:?}: cut at {at} of {}", pair.wire.path, answer.len());
                is_the_second(&told, &format!("{context}: {}", told.text()));
                let (first, second) = pair.sent();
                assert!(second == 1 && (first == 1 || first == 2 && at == 0), "asked {first} times, {context}");
            }
            pair.ask(Reply::raw(answer), false).status(200).is(WHOLE);
            assert_eq!(pair.sent(), (1, 0));
        }
    });
}

#[test]
fn an_error_event_at_any_position_fails_over_before_content_and_is_told_after() {
    in_every_dialect(|pair| {
        let (before, after) = (preamble(pair.wire), content(pair.wire));
        // The last event says that the answer is whole; what comes behind it is not looked at.
        let events = [before.as_slice(), &after[..after.len() - 1]].concat();
        for at in 0..=events.len() {
            for apart in [false, true] {
                let mut first = events.clone();
                first.insert(at, data(pair.wire.error));
                let reply = match apart {
                    true => first.iter().fold(Reply::sse(), |reply, event| reply.send(event.as_str()).pause(2)),
                    false => Reply::sse().send(first.concat()),
                };
                let told = pair.ask(reply, true);
                let context = format!("{}: error at {at}, apart: {apart}: {}", pair.wire.path, told.text());
                if at <= before.len() {
                    is_the_second(&told, &context);
                    assert_eq!(pair.sent(), (1, 1), "{context}");
                } else {
                    // In the upstream's own words, which are the client's dialect.
                    let text = told.text();
                    assert!(told.code == 200 && text.contains("half") && text.contains(pair.wire.error), "{context}");
                    assert!(!text.contains("second"), "{context}");
                    assert_eq!(pair.sent(), (1, 0), "{context}");
                }
            }
        }
    });
}

#[test]
fn an_error_in_a_document_fails_over_wherever_it_stands() {
    in_every_dialect(|pair| {
        let error = json!({"type": "server_error", "code": "server_is_overloaded", "message": "because"});
        for body in [
            format!("{{\"error\":{error},\"id\":1,\"said\":\"half\"}}"),
            format!("{{\"id\":1,\"error\":{error},\"said\":\"half\"}}"),
            format!("{{\"id\":1,\"said\":\"half\",\"error\":{error}}}"),
        ] {
            let told = pair.ask(Reply::body("application/json", body.clone()), false);
            is_the_second(&told, &format!("{} {body}: {}", pair.wire.path, told.text()));
            assert_eq!(pair.sent(), (1, 1));
        }
    });
}
