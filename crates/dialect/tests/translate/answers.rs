//! What holds for the translation of any answer.

use bitrouter_dialect::translate::{Answer, AnswerTranslation, Names};
use bitrouter_dialect::{Dialect, End, Fold, Framing, Tap};
use proptest::prelude::*;
use serde_json::Value;

use super::spoken::{Spoken, heard, spoken};
use super::target::target;

pub(crate) fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let all = Dialect::ALL.into_iter();
    all.flat_map(|from| Dialect::ALL.into_iter().map(move |to| (from, to))).filter(|(from, to)| from != to)
}

pub(crate) fn translation(from: Dialect, to: Dialect) -> AnswerTranslation {
    let answer = Answer {
        client: to,
        id: "1".to_owned(),
        model: "asked".to_owned(),
        created: 1,
        usage: true,
        names: Names::default(),
    };
    AnswerTranslation::new(&target(from), answer)
}

fn translate<'a>(from: Dialect, to: Dialect, chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, End) {
    let mut translation = translation(from, to);
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&translation.feed(chunk));
    }
    out.extend_from_slice(&translation.finish());
    (out, translation.end())
}

fn folded(to: Dialect, stream: &[u8]) -> Value {
    let mut fold = Fold::new(to);
    fold.feed(stream);
    serde_json::from_slice(&fold.finish().unwrap()).unwrap()
}

/// How a client's own reading of the stream ends.
fn end_of(to: Dialect, stream: &[u8]) -> End {
    let mut tap = Tap::new(to, Framing::Sse);
    tap.feed(stream);
    tap.finish().end
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(bitrouter_fuzz::cases(64)) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_stream_folded_is_the_document_and_both_say_what_was_said(spoken in spoken()) {
        for (from, to) in pairs() {
            let stream = spoken.stream(from);
            let (out, end) = translate(from, to, std::iter::once(stream.as_bytes()));
            prop_assert_eq!(end, End::Complete);
            let document = spoken.document(from).to_string();
            let whole = translation(from, to).document(document.as_bytes()).unwrap();
            let whole: Value = serde_json::from_slice(&whole).unwrap();
            prop_assert_eq!(&folded(to, &out), &whole, "{} to {}: {}", from, to, String::from_utf8_lossy(&out));
            prop_assert_eq!(heard(to, &whole), heard(from, &spoken.document(from)), "{} to {}", from, to);
        }
    }

    #[test]
    fn the_same_comes_out_however_a_stream_is_cut(spoken in spoken(), size in 1_usize..40) {
        for (from, to) in pairs() {
            let stream = spoken.stream(from);
            let whole = translate(from, to, std::iter::once(stream.as_bytes()));
            let pieces = translate(from, to, stream.as_bytes().chunks(size));
            prop_assert_eq!(whole, pieces, "{} to {}", from, to);
        }
    }

    #[test]
    fn a_stream_that_breaks_off_never_ends_well(spoken in spoken(), at in any::<prop::sample::Index>()) {
        for (from, to) in pairs() {
            let events = spoken.events(from);
            // Chat and generateContent say that all is said before their last event.
            let last = match from {
                Dialect::ChatCompletions => events.len() - 3,
                _ => events.len() - 1,
            };
            let stream = events[..at.index(last + 1)].concat();
            let (out, end) = translate(from, to, std::iter::once(stream.as_bytes()));
            prop_assert_eq!(end, End::Cut, "{} to {}", from, to);
            prop_assert_eq!(end_of(to, &out), End::Cut, "{} to {}: {}", from, to, String::from_utf8_lossy(&out));
        }
    }

    #[test]
    fn an_error_anywhere_is_the_clients_own_error(spoken in spoken(), at in any::<prop::sample::Index>()) {
        for (from, to) in pairs() {
            let mut events = spoken.events(from);
            let error = match from {
                Dialect::ChatCompletions => "data: {\"error\":{\"message\":\"Busy.\",\"type\":\"server_error\",\"code\":\"server_is_overloaded\"}}\n\n",
                Dialect::Responses => "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"id\":\"r\",\"error\":{\"code\":\"server_is_overloaded\",\"message\":\"Busy.\"}}}\n\n",
                Dialect::Messages => "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Busy.\"}}\n\n",
                Dialect::GenerateContent => "data: {\"error\":{\"code\":503,\"message\":\"Busy.\",\"status\":\"UNAVAILABLE\"}}\n\n",
            };
            let last = events.len() - if from == Dialect::ChatCompletions { 2 } else { 1 };
            events.insert(at.index(last + 1), error.to_owned());
            let stream = events.concat();
            let (out, end) = translate(from, to, std::iter::once(stream.as_bytes()));
            let shown = String::from_utf8_lossy(&out);
            prop_assert!(matches!(&end, End::Failed(error) if error.error.message == "Busy."), "{from} to {to}: {end:?}");
            let End::Failed(read) = end_of(to, &out) else { panic!("{from} to {to}: {shown}") };
            prop_assert_eq!(&read.error.message, "Busy.", "{} to {}: {}", from, to, shown);
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_panic(chunks: Vec<Vec<u8>>, text: String) {
        for (from, to) in pairs() {
            let _ = translate(from, to, chunks.iter().map(Vec::as_slice));
            let framed = format!("data: {text}\n\n");
            let _ = translate(from, to, std::iter::once(framed.as_bytes()));
            let _ = translation(from, to).document(text.as_bytes());
        }
    }
}

/// One event of a stream is nonsense in one place.
#[test]
fn an_event_that_is_nonsense_anywhere_is_no_panic() {
    let spoken = Spoken {
        thinking: Some("hm".to_owned()),
        signed: true,
        text: "a".to_owned(),
        calls: vec![("read", serde_json::json!({"a": 1}))],
        cut: false,
        delta: 50,
    };
    let mut turn = 0;
    for (from, to) in pairs() {
        let events = spoken.events(from);
        for at in 0..events.len() {
            let Some((head, data)) = events[at].split_once("data: ") else { continue };
            let Ok(data) = serde_json::from_str::<Value>(data) else { continue };
            let mut pointers = Vec::new();
            super::requests::walk(&data, &mut String::new(), &mut pointers);
            for pointer in pointers {
                for nonsense in
                    ["null", "-1", "1e400", "18446744073709551615", "\"\"", "\"\\ud83d\"", "[]", "{}", "[{}]"]
                {
                    if super::requests::is_left_out(&mut turn) {
                        continue;
                    }
                    let mut broken = data.clone();
                    *broken.pointer_mut(&pointer).unwrap() = Value::String("NONSENSE".to_owned());
                    let broken = broken.to_string().replace("\"NONSENSE\"", nonsense);
                    let mut stream = events.clone();
                    stream[at] = format!("{head}data: {broken}\n\n");
                    let (out, _) = translate(from, to, std::iter::once(stream.concat().as_bytes()));
                    for line in String::from_utf8(out).unwrap().lines() {
                        let Some(data) = line.strip_prefix("data: ").filter(|data| *data != "[DONE]") else { continue };
                        let valid = serde_json::from_str::<serde::de::IgnoredAny>(data);
                        assert!(valid.is_ok(), "{from} to {to}: {broken}\n{data}");
                    }
                }
            }
        }
    }
}

#[test]
fn two_hundred_calls_at_once_stay_apart() {
    let calls = (0..200).map(|at| ("read", serde_json::json!({"at": at, "text": "x".repeat(at)}))).collect();
    let spoken = Spoken { thinking: None, signed: false, text: "a".to_owned(), calls, cut: false, delta: 20 };
    for (from, to) in pairs() {
        let (out, end) = translate(from, to, spoken.stream(from).as_bytes().chunks(1000));
        assert_eq!(end, End::Complete);
        assert_eq!(heard(to, &folded(to, &out)), heard(from, &spoken.document(from)), "{from} to {to}");
    }
}

/// Each dialect's reader and each one's writer, once.
#[test]
fn arguments_of_twenty_megabytes_pass() {
    // Without optimization it takes minutes.
    const LINES: usize = if cfg!(debug_assertions) { 20_000 } else { 1_500_000 };
    let calls = vec![("write", serde_json::json!({"text": "line\n\"quote\"\\".repeat(LINES)}))];
    let spoken = Spoken { thinking: None, signed: false, text: "a".to_owned(), calls, cut: false, delta: 256 * 1024 };
    let mut to = Dialect::ALL.into_iter().cycle().skip(1);
    for from in Dialect::ALL {
        let to = to.next().unwrap();
        let (out, end) = translate(from, to, spoken.stream(from).as_bytes().chunks(64 * 1024));
        assert_eq!(end, End::Complete, "{from} to {to}");
        let lines = memchr::memmem::find_iter(&out, b"quote").count();
        // Some are cut in two by a delta.
        assert!(lines + 200 >= LINES, "{from} to {to}: {lines}");
    }
}

#[test]
fn a_translation_may_wait_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&translation(Dialect::Messages, Dialect::Responses));
}

fn chat(choices: &[Value]) -> String {
    let chunks =
        choices.iter().map(|choice| format!("data: {}\n\n", serde_json::json!({"id": "c", "choices": [choice]})));
    chunks.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

#[test]
fn calls_of_one_id_or_none_get_ids_of_their_own() {
    let call = |index: u64, id: Value| {
        let call = serde_json::json!({"index": index, "id": id, "type": "function", "function": {"name": "read", "arguments": "{}"}});
        serde_json::json!({"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null})
    };
    let end = serde_json::json!({"index": 0, "delta": {}, "finish_reason": "stop"});
    let stream =
        chat(&[call(0, "call_0".into()), call(1, "call_0".into()), call(2, Value::Null), call(3, "".into()), end]);
    for to in [Dialect::Responses, Dialect::Messages, Dialect::GenerateContent] {
        let (out, _) = translate(Dialect::ChatCompletions, to, std::iter::once(stream.as_bytes()));
        let answer = folded(to, &out);
        let ids: Vec<&Value> = match to {
            Dialect::Responses => answer["output"].as_array().unwrap().iter().map(|it| &it["call_id"]).collect(),
            Dialect::Messages => answer["content"].as_array().unwrap().iter().map(|it| &it["id"]).collect(),
            _ => {
                let parts = answer["candidates"][0]["content"]["parts"].as_array().unwrap();
                parts.iter().filter_map(|it| it.get("functionCall")).map(|it| &it["id"]).collect()
            }
        };
        let texts: std::collections::BTreeSet<&str> = ids.iter().map(|id| id.as_str().unwrap()).collect();
        assert!(ids.len() == 4 && texts.len() == 4 && texts.contains("call_0"), "{to}: {ids:?}");
        assert!(
            to != Dialect::Messages || answer["stop_reason"] == "tool_use",
            "calls were made, whatever the upstream says"
        );
    }
}

#[test]
fn only_the_first_candidate_is_told_to_who_can_hear_one() {
    let say = |index: u64, text: &str, end: Value| serde_json::json!({"index": index, "delta": {"content": text}, "finish_reason": end});
    let stream = chat(&[
        say(0, "a", Value::Null),
        say(1, "x", Value::Null),
        say(0, "b", "stop".into()),
        say(1, "y", "length".into()),
    ]);
    for to in [Dialect::Responses, Dialect::Messages] {
        let (out, end) = translate(Dialect::ChatCompletions, to, std::iter::once(stream.as_bytes()));
        let answer = folded(to, &out);
        assert_eq!(
            (end, heard(to, &answer)),
            (End::Complete, vec!["ab".to_owned(), "done".to_owned()]),
            "{to}: {answer}"
        );
    }
    let (out, _) = translate(Dialect::ChatCompletions, Dialect::GenerateContent, std::iter::once(stream.as_bytes()));
    let answer = folded(Dialect::GenerateContent, &out);
    assert_eq!(answer["candidates"].as_array().unwrap().len(), 2, "{answer}");
    assert_eq!(answer["candidates"][1]["finishReason"], "MAX_TOKENS");
}

#[test]
fn an_end_for_calls_without_a_call_is_an_end() {
    let stream = chat(&[serde_json::json!({"index": 0, "delta": {"content": "a"}, "finish_reason": "tool_calls"})]);
    let (out, _) = translate(Dialect::ChatCompletions, Dialect::Messages, std::iter::once(stream.as_bytes()));
    assert_eq!(folded(Dialect::Messages, &out)["stop_reason"], "end_turn");
}
