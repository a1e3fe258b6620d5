//! What cases do not show: chunks of any kind are read, pieces in any order are written.

use std::borrow::Cow;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AnswerWriter, Reader};
use crate::event::{Event, EventKind};
use crate::translate::answer::{Citation, Naming, Piece, Read, Stop, Write};
use crate::translate::request::{State, StateKind};
use crate::translate::writer::Writer;

const NAMES: [&str; 36] = [
    "candidates",
    "content",
    "parts",
    "text",
    "thought",
    "thoughtSignature",
    "functionCall",
    "name",
    "id",
    "args",
    "partialArgs",
    "jsonPath",
    "stringValue",
    "numberValue",
    "willContinue",
    "index",
    "finishReason",
    "finishMessage",
    "groundingMetadata",
    "groundingChunks",
    "groundingSupports",
    "web",
    "uri",
    "title",
    "segment",
    "groundingChunkIndices",
    "citationMetadata",
    "citationSources",
    "logprobsResult",
    "chosenCandidates",
    "topCandidates",
    "token",
    "logProbability",
    "usageMetadata",
    "promptFeedback",
    "blockReason",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0_u64..3).prop_map(Value::from),
        "[a-z\"\\\\\u{0}-\u{1f}é😀]{0,6}".prop_map(Value::from),
        prop::sample::select(vec!["STOP", "SAFETY", "MAX_TOKENS", "$.a[0].b", "$[0]", "$.a.b"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(NAMES.to_vec()), inner), 0..6)
                .prop_map(|members| members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// What the reader says of the chunks, as the writer writes it.
fn rewritten(chunks: &[Value]) -> (Vec<String>, String) {
    let (mut reader, mut writer, mut out) = (Reader::default(), writer(), Writer::default());
    let mut said = Vec::new();
    let mut to = |piece: Piece<'_>| {
        said.push(format!("{piece:?}"));
        writer.piece(piece, &mut out);
    };
    for chunk in chunks {
        let data = chunk.to_string();
        let event = Event { kind: EventKind::Message, name: None, data: data.as_bytes(), raw: data.as_bytes() };
        reader.event(&event, &mut to);
    }
    reader.finish(&mut to);
    (said, String::from_utf8(out.into_bytes()).unwrap())
}

fn writer() -> AnswerWriter {
    AnswerWriter::new(Naming {
        id: "1".to_owned(),
        model: "m\"\n".to_owned(),
        created: 0,
        usage: true,
        functions: false,
    })
}

/// Every line is `data:` and a JSON object, or nothing.
fn check(written: &str) -> Result<(), TestCaseError> {
    for line in written.split('\n').filter(|line| !line.is_empty()) {
        let data = line.strip_prefix("data: ");
        let json = data.map(serde_json::from_str::<serde::de::IgnoredAny>);
        prop_assert!(matches!(json, Some(Ok(_))), "{line}");
    }
    Ok(())
}

fn text(text: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(text)
}

fn piece(kind: u8, call: u64) -> Piece<'static> {
    let state = || State { kind: StateKind::Signature, value: text(b"c3RhdGU="), id: None };
    match kind {
        0 => Piece::Text(text(b"words\\n")),
        1 => Piece::Refusal(text(b"no")),
        2 => Piece::Reasoning(text(b"hm")),
        3 => Piece::Break,
        4 => Piece::State(state()),
        5 | 6 => Piece::Call {
            call,
            id: (call > 0).then(|| text(b"id")),
            name: text(b"f"),
            namespace: (kind == 6).then(|| text(b"ns")),
            custom: false,
            search: false,
            state: (kind == 6).then(state),
        },
        7 => Piece::Arguments { call, text: text(br#"{\n  \"a\":"#) },
        8 => Piece::Arguments { call, text: text(br" 1.0}") },
        9 => Piece::CallEnd { call },
        10 => Piece::Citation(Citation { url: text(b"https://a"), title: None, quote: Some(text(b"words")) }),
        11 => Piece::Logprobs(br#"[{"token":"a","logprob":-1.0}]"#),
        12 => Piece::Stop(Stop::Filter(Some(text(b"no")))),
        13 => Piece::Candidate(call),
        14 => Piece::Usage(crate::Usage { output: Some(1), reasoning: Some(2), ..crate::Usage::default() }),
        _ => Piece::End,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn chunks_of_any_kind_are_read(chunks in prop::collection::vec(value(), 0..5), parts in prop::collection::vec(value(), 0..4)) {
        let mut chunks = chunks;
        chunks.push(json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}));
        let (said, written) = rewritten(&chunks);
        prop_assert!(said.iter().filter(|piece| *piece == "Start").count() <= 1);
        check(&written)?;
    }

    #[test]
    fn pieces_in_any_order_are_written(pieces in prop::collection::vec((0_u8..16, 0_u64..3), 0..24)) {
        let (mut writer, mut out) = (writer(), Writer::default());
        for (kind, call) in pieces {
            writer.piece(piece(kind, call), &mut out);
        }
        check(&String::from_utf8(out.into_bytes()).unwrap())?;
    }
}

#[test]
fn calls_go_out_when_they_are_whole_in_the_order_in_which_they_began() {
    let (mut writer, mut out) = (writer(), Writer::default());
    let mut written = |pieces: &[(u8, u64)]| {
        pieces.iter().for_each(|(kind, call)| writer.piece(piece(*kind, *call), &mut out));
        String::from_utf8(out.take()).unwrap().matches("functionCall").count()
    };
    assert_eq!(written(&[(5, 0), (7, 0), (5, 1), (7, 1), (8, 1), (9, 1)]), 0, "the first is not whole");
    assert_eq!(written(&[(8, 0), (9, 0)]), 1, "the last waits for the finish reason");
    assert_eq!(written(&[(5, 2), (9, 2)]), 1);
    assert_eq!(written(&[(12, 0), (15, 0)]), 1);
}

#[test]
fn arguments_in_several_lines_are_one_line_of_the_stream() {
    let (mut writer, mut out) = (writer(), Writer::default());
    [(5, 0), (7, 0), (8, 0), (9, 0), (15, 0)]
        .iter()
        .for_each(|(kind, call)| writer.piece(piece(*kind, *call), &mut out));
    let written = String::from_utf8(out.into_bytes()).unwrap();
    assert!(written.contains(r#""args":{   "a": 1.0}"#), "{written}");
}

#[test]
fn what_is_no_call_is_left_out() {
    let chunk = |part: Value| json!({"candidates": [{"content": {"parts": [part]}}]});
    let (said, _) = rewritten(&[
        chunk(json!({"functionCall": "x"})),
        chunk(json!({"functionCall": {"args": {"a": 1}}})),
        chunk(json!({"functionCall": {"partialArgs": [{"jsonPath": "$.a", "stringValue": "x"}]}})),
        chunk(json!({"text": 5, "thoughtSignature": "skip_thought_signature_validator"})),
    ]);
    assert_eq!(said, ["Start"]);
}
