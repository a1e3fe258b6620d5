//! Mutated answers: what is read out of a stream does not depend on how it was cut into pieces, and nothing panics.

use bitrouter_dialect::translate::{
    Answer, AnswerTranslation, Client, Facts, Names, NoStates, Owner, Target, request, strip_foreign,
};
use bitrouter_dialect::{
    Dialect, EventReader, Fold, Framed, Framing, Splitter, StreamFraming, Tap, estimate_tokens, parse_error,
};
use bitrouter_fuzz::Fuzz;

const WORDS: &[&str] = &[
    "data: ",
    "data:",
    "event: ",
    "id: 1\n",
    "retry: 1\n",
    ": comment\n",
    "\n\n",
    "\r\n\r\n",
    "\r",
    "\u{feff}",
    "[DONE]",
    "response.completed",
    "response.failed",
    "response.output_text.delta",
    "message_stop",
    "message_delta",
    "content_block_delta",
    "\"delta\":",
    "\"index\":",
    "\"usage\":{\"input_tokens\":18446744073709551615}",
    "\"error\":{\"code\":429}",
    "\"type\":",
    "\"finish_reason\":\"stop\"",
    "finishReason",
    "\\u0000",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "-1",
    "1e400",
    "null",
];

const DIALECTS: [Dialect; 4] =
    [Dialect::ChatCompletions, Dialect::Responses, Dialect::Messages, Dialect::GenerateContent];

fn fuzz() -> Fuzz {
    Fuzz::new(env!("CARGO_MANIFEST_DIR"), &["tests/streams", "tests/folds", "fuzz/streams", "fuzz/errors"], WORDS)
}

/// Two ways to cut bytes: not at all, and into pieces of one to seven.
fn cuts(bytes: &[u8]) -> [Vec<&[u8]>; 2] {
    let size = 1 + bytes.len() % 7;
    [vec![bytes], bytes.chunks(size).collect()]
}

#[test]
fn fuzzed_events_are_the_same_however_a_stream_is_cut() {
    fuzz().run(|bytes| {
        let [whole, pieces] = cuts(bytes).map(|pieces| {
            let (mut splitter, mut events) = (Splitter::default(), Vec::new());
            pieces.iter().for_each(|piece| splitter.feed(piece, |event| events.push(format!("{event:?}"))));
            splitter.finish(|event| events.push(format!("{event:?}")));
            events
        });
        assert_eq!(whole, pieces);
    });
}

#[test]
fn fuzzed_frames_and_lines_are_the_same_however_a_stream_is_cut() {
    const WORDS: &[&str] =
        &[":message-type", ":event-type", "exception", "\0\0\0\u{10}", "\u{7}\0\u{1}", "{", "}", "\n", "\r\n"];
    Fuzz::new(env!("CARGO_MANIFEST_DIR"), &["fuzz/frames"], WORDS).run(|bytes| {
        for framing in [StreamFraming::AwsEventStream, StreamFraming::Ndjson] {
            let [whole, pieces] = cuts(bytes).map(|pieces| {
                let (mut reader, mut events) = (EventReader::with_limit(framing, 64), Vec::new());
                let mut see = |framed: Framed<'_>| events.push(format!("{framed:?}"));
                let error = pieces.iter().find_map(|piece| reader.feed(piece, &mut see).err());
                if error.is_none() {
                    reader.finish(&mut see);
                }
                (events, error)
            });
            assert_eq!(whole, pieces);
        }
    });
}

#[test]
fn fuzzed_answers_report_the_same_however_they_are_cut() {
    fuzz().run(|bytes| {
        for (dialect, framing) in DIALECTS.into_iter().flat_map(|d| [(d, Framing::Sse), (d, Framing::Json)]) {
            let [whole, pieces] = cuts(bytes).map(|pieces| {
                let mut tap = Tap::new(dialect, framing);
                for piece in pieces {
                    tap.feed(piece);
                }
                tap.finish()
            });
            assert_eq!(whole, pieces, "{dialect:?} {framing:?}");
        }
    });
}

#[test]
fn fuzzed_streams_fold_to_the_same_however_they_are_cut() {
    fuzz().run(|bytes| {
        for dialect in DIALECTS {
            let [whole, pieces] = cuts(bytes).map(|pieces| {
                let mut fold = Fold::new(dialect);
                pieces.iter().for_each(|piece| fold.feed(piece));
                fold.finish()
            });
            assert_eq!(whole, pieces, "{dialect:?}");
            let document = whole.unwrap_or_else(|_| "{}".into());
            assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&document).is_ok(), "{document:?}");
        }
    });
}

#[test]
fn fuzzed_error_bodies_are_read_or_not_and_that_is_all() {
    fuzz().run(|bytes| {
        for status in [200, 400, 401, 429, 500, 529] {
            let _ = parse_error(status, bytes);
        }
    });
}

const REQUEST_WORDS: &[&str] = &[
    "\"role\":\"assistant\"",
    "\"role\":\"user\"",
    "\"role\":\"system\"",
    "\"type\":\"text\"",
    "\"type\":\"tool_use\"",
    "\"type\":\"tool_result\"",
    "\"type\":\"thinking\"",
    "\"type\":\"function_call\"",
    "\"type\":\"reasoning\"",
    "\"functionCall\":{}",
    "\"functionResponse\":{}",
    "\"tool_calls\":[]",
    "\"content\":null",
    "\"content\":[]",
    "\"br1.e30\"",
    "\"\"",
    "\\ud83d",
    "\\u0000",
    "18446744073709551616",
    "-1",
    "1e400",
    "null",
    "[]",
    "{}",
    ",",
    ":",
    "\"",
];

fn target(dialect: Dialect) -> Target<'static> {
    let owner = Owner { provider: "p", account: "a", model: "m" };
    Target { dialect, model: "m", owner, facts: Facts::of(dialect, "m"), states: &NoStates }
}

#[test]
fn fuzzed_requests_are_refused_or_become_json() {
    Fuzz::new(env!("CARGO_MANIFEST_DIR"), &["fuzz/requests"], REQUEST_WORDS).run(|bytes| {
        for from in DIALECTS {
            if let Some(stripped) = strip_foreign(from, bytes) {
                assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&stripped).is_ok(), "{stripped:?}");
            }
            for to in DIALECTS.into_iter().filter(|to| *to != from) {
                let client = Client { dialect: from, stream: false, session: None };
                if let Ok(translated) = request(&client, bytes, &target(to)) {
                    let body = translated.body;
                    let valid = serde_json::from_slice::<serde::de::IgnoredAny>(&body);
                    assert!(valid.is_ok(), "{from} to {to}: {}", String::from_utf8_lossy(&body));
                }
            }
        }
    });
}

#[test]
fn fuzzed_answers_translate_to_the_same_however_they_are_cut() {
    fuzz().run(|bytes| {
        for from in DIALECTS {
            for to in DIALECTS.into_iter().filter(|to| *to != from) {
                let translation = || {
                    let (id, model) = ("1".to_owned(), "m".to_owned());
                    let answer = Answer { client: to, id, model, created: 0, usage: true, names: Names::default() };
                    AnswerTranslation::new(&target(from), answer)
                };
                let [whole, pieces] = cuts(bytes).map(|pieces| {
                    let mut translation = translation();
                    let mut out: Vec<u8> = pieces.iter().flat_map(|piece| translation.feed(piece)).collect();
                    out.extend_from_slice(&translation.finish());
                    (out, translation.end())
                });
                assert_eq!(whole, pieces, "{from} to {to}");
                if let Ok(document) = translation().document(bytes) {
                    assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&document).is_ok(), "{document:?}");
                }
            }
        }
    });
}

#[test]
fn fuzzed_requests_have_an_estimate_that_grows_no_faster_than_they_do() {
    // An image is the most that little text stands for: `"file":1`.
    let most = |bytes: &[u8]| (bytes.len() as u64 + 1) * 1_600;
    fuzz().run(|bytes| {
        for dialect in DIALECTS {
            assert!(estimate_tokens(dialect, bytes) <= most(bytes));
        }
    });
}
