//! What cases do not show: that nothing is lost between a stream that is read and one that is written, whatever its
//! items and however they are cut; bounds; input of any kind.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Citation, Naming, Piece, Read, Stop, Write};
use super::{AnswerWriter, Reader};
use crate::dialect::Dialect;
use crate::event::EventKind;
use crate::fold::Fold;
use crate::sse::Splitter;
use crate::translate::request::{State, StateKind};
use crate::translate::writer::{Inside, Writer, escaped};

fn naming() -> Naming {
    Naming { id: "1".to_owned(), model: "asked".to_owned(), created: 0, usage: true, functions: false }
}

fn inside(text: &str) -> Inside<'static> {
    Inside::Owned(escaped(text))
}

fn call(call: u64, custom: bool, search: bool) -> Piece<'static> {
    let id = Some(inside(&format!("call_{call}")));
    Piece::Call { call, id, name: inside("tool"), namespace: None, custom, search, state: None }
}

fn written(pieces: Vec<Piece<'_>>) -> Vec<u8> {
    let mut writer = AnswerWriter::new(naming());
    let mut out = Writer::default();
    pieces.into_iter().for_each(|piece| writer.piece(piece, &mut out));
    out.into_bytes()
}

fn events(stream: &[u8]) -> Vec<Value> {
    let mut found = Vec::new();
    Splitter::default().feed(stream, |event| {
        let data: Value = serde_json::from_slice(event.data).unwrap();
        assert_eq!(event.name, data["type"].as_str().map(str::as_bytes));
        found.push(data);
    });
    found
}

/// What a stream of Responses becomes when it is read and written.
fn again(stream: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer, mut out) = (Reader::default(), AnswerWriter::new(naming()), Writer::default());
    Splitter::default().feed(stream, |event| {
        if event.kind == EventKind::Message {
            reader.event(&event, &mut |piece| writer.piece(piece, &mut out));
        }
    });
    reader.finish(&mut |piece| writer.piece(piece, &mut out));
    out.into_bytes()
}

fn again_of_document(document: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer, mut out) = (Reader::default(), AnswerWriter::new(naming()), Writer::default());
    reader.document(document, &mut |piece| writer.piece(piece, &mut out));
    out.into_bytes()
}

fn folded(stream: &[u8]) -> Value {
    let mut fold = Fold::new(Dialect::Responses);
    fold.feed(stream);
    serde_json::from_slice(&fold.finish().unwrap()).unwrap()
}

#[test]
fn a_search_for_tools_comes_back_as_what_it_is() {
    let text = inside("{\n \"query\": \"a \\\"b\\\"\",\r\n \"limit\": 8.0\n}");
    let stream = written(vec![
        Piece::Start,
        call(0, false, true),
        Piece::Arguments { call: 0, text },
        Piece::CallEnd { call: 0 },
        call(1, false, true),
        Piece::CallEnd { call: 1 },
        Piece::Stop(Stop::Calls),
        Piece::End,
    ]);
    let output = folded(&stream)["output"].clone();
    assert_eq!(
        output[0],
        json!({"id": "tsc_1_0", "type": "tool_search_call", "status": "completed", "call_id": "call_0",
            "execution": "client", "arguments": {"query": "a \"b\"", "limit": 8.0}})
    );
    assert_eq!(output[1]["arguments"], json!({}));
}

#[test]
fn what_was_said_when_an_answer_fails_stands_in_its_last_event() {
    let stream =
        written(vec![Piece::Start, Piece::Text(inside("a")), call(0, false, false), Piece::Error(Box::default())]);
    let events = events(&stream);
    let [.., error, failed] = &events[..] else { panic!("{events:?}") };
    assert_eq!((&error["type"], error["error"]["message"].is_string()), (&json!("error"), true));
    assert_eq!(failed["response"]["id"], events[0]["response"]["id"]);
    assert_eq!(failed["response"]["output"][0]["content"][0]["text"], "a");
    assert_eq!(failed["response"]["status"], "failed");
}

#[test]
fn an_answer_that_is_more_than_is_kept_fails() {
    let mut writer = AnswerWriter::new(naming());
    writer.most = 1 << 20;
    let mut out = Writer::default();
    let text = "x".repeat(1 << 18);
    for piece in [Piece::Text(inside(&text)), call(0, false, false)] {
        writer.piece(piece, &mut out);
    }
    for _ in 0..5 {
        writer.piece(Piece::Arguments { call: 0, text: inside(&text) }, &mut out);
    }
    writer.piece(Piece::End, &mut out);
    let last = events(out.bytes()).pop().unwrap();
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["response"]["error"]["message"], "the answer has more than 1 MiB, which a response cannot repeat");
}

#[test]
fn a_source_is_of_the_words_that_it_was_quoted_for() {
    let cite = |quote: Option<&str>| {
        Piece::Citation(Citation { url: inside("https://a.example"), title: None, quote: quote.map(inside) })
    };
    let stream = written(vec![
        Piece::Text(inside("é😀 said \"so\" ")),
        Piece::Text(inside("it is")),
        cite(Some("\"so\"")),
        cite(Some("elsewhere")),
        cite(None),
        Piece::Break,
        cite(None),
        Piece::End,
    ]);
    let part = folded(&stream)["output"][0]["content"][0].clone();
    let spans: Vec<_> = part["annotations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["start_index"].as_u64().unwrap(), it["end_index"].as_u64().unwrap()))
        .collect();
    assert_eq!(spans, [(8, 12), (0, 18), (0, 18)]);
}

#[test]
fn the_state_of_a_call_is_thinking_before_it() {
    let state = |value: &str| Some(State { kind: StateKind::Thought, value: inside(value), id: None });
    let with_state = |call, value| {
        let (id, name) = (Some(inside("call_1")), inside("tool"));
        Piece::Call { call, id, name, namespace: None, custom: false, search: false, state: state(value) }
    };
    let stream = written(vec![
        Piece::Reasoning(inside("hm")),
        with_state(0, "first"),
        Piece::Text(inside("and")),
        with_state(1, "second"),
        Piece::End,
    ]);
    let output = folded(&stream)["output"].clone();
    let kinds: Vec<_> = output.as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["reasoning", "function_call", "message", "reasoning", "function_call"]);
    assert_eq!(output[0]["encrypted_content"], "first");
    assert_eq!((&output[3]["encrypted_content"], &output[3]["summary"]), (&json!("second"), &json!([])));
    assert_eq!(output[1]["arguments"], "{}");
}

#[test]
fn pauses_and_broken_answers_are_no_success() {
    for stop in [Stop::Paused, Stop::Broken(inside("MALFORMED_FUNCTION_CALL"))] {
        let events = events(&written(vec![Piece::Start, Piece::Text(inside("a")), Piece::Stop(stop), Piece::End]));
        assert_eq!(events.last().unwrap()["type"], "response.failed");
    }
}

/// A text and where its deltas are cut.
type Text = Vec<String>;

#[derive(Clone, Debug)]
enum Item {
    Thinking(Vec<Text>, Option<String>),
    Message(Vec<Text>),
    Call(bool, Text),
}

fn text() -> impl Strategy<Value = Text> {
    prop::collection::vec("[a-z\"\\\\\n\u{e9}\u{1F600}]{1,4}", 1..4)
}

fn items() -> impl Strategy<Value = Vec<Item>> {
    let item = prop_oneof![
        (prop::collection::vec(text(), 0..3), prop::option::of("[a-z=/+]{1,8}"))
            .prop_filter("says something", |(texts, state)| !texts.is_empty() || state.is_some())
            .prop_map(|(texts, state)| Item::Thinking(texts, state)),
        prop::collection::vec(text(), 1..3).prop_map(Item::Message),
        (any::<bool>(), text()).prop_map(|(custom, text)| Item::Call(custom, text)),
    ];
    prop::collection::vec(item, 0..6)
}

impl Item {
    fn whole(&self, at: usize) -> Value {
        let parts = |texts: &[Text], kind: &str| -> Vec<Value> {
            texts.iter().map(|text| json!({"type": kind, "text": text.concat()})).collect()
        };
        match self {
            Self::Thinking(texts, state) => {
                let summary = parts(texts, "summary_text");
                json!({"type": "reasoning", "id": format!("x{at}"), "summary": summary, "encrypted_content": state})
            }
            Self::Message(texts) => {
                let content = parts(texts, "output_text");
                json!({"type": "message", "id": format!("x{at}"), "role": "assistant", "content": content})
            }
            Self::Call(custom, text) => {
                let (kind, member) = self.call(*custom);
                json!({"type": kind, "id": format!("x{at}"), "call_id": format!("c{at}"), "name": "n",
                    member: text.concat()})
            }
        }
    }

    fn call(&self, custom: bool) -> (&'static str, &'static str) {
        if custom { ("custom_tool_call", "input") } else { ("function_call", "arguments") }
    }

    /// The deltas of each text, with the member that counts texts.
    fn deltas(&self) -> (Vec<Text>, &'static str, &'static str) {
        match self {
            Self::Thinking(texts, _) => (texts.clone(), "response.reasoning_summary_text.delta", "summary_index"),
            Self::Message(texts) => (texts.clone(), "response.output_text.delta", "content_index"),
            Self::Call(true, text) => (vec![text.clone()], "response.custom_tool_call_input.delta", "none"),
            Self::Call(false, text) => (vec![text.clone()], "response.function_call_arguments.delta", "none"),
        }
    }
}

/// The items as they are told by a stream; how much of the deltas comes is up to `heard`, so that the ends of items have
/// to say the rest.
fn streamed(items: &[Item], heard: usize) -> Vec<u8> {
    let mut events = vec![json!({"type": "response.created", "response": {"id": "r"}})];
    for (at, item) in items.iter().enumerate() {
        let whole = item.whole(at);
        let mut begun =
            json!({"type": whole["type"], "id": whole["id"], "call_id": whole["call_id"], "name": whole["name"]});
        begun["encrypted_content"] = json!("partial");
        events.push(json!({"type": "response.output_item.added", "output_index": at, "item": begun}));
        let (texts, kind, member) = item.deltas();
        let begun = texts.len().min(heard.max(1));
        for (index, text) in texts.iter().enumerate().take(begun) {
            // Only the text that was begun last may lack its end.
            for delta in text.iter().take(if index + 1 == begun { heard } else { text.len() }) {
                events.push(
                    json!({"type": kind, "output_index": at, "item_id": whole["id"], member: index, "delta": delta}),
                );
            }
        }
        events.push(json!({"type": "response.output_item.done", "output_index": at, "item": whole}));
    }
    events.push(json!({"type": "response.completed", "response": document(items)}));
    events.iter().flat_map(|event| format!("data: {event}\n\n").into_bytes()).collect()
}

fn document(items: &[Item]) -> Value {
    let output: Vec<_> = items.iter().enumerate().map(|(at, item)| item.whole(at)).collect();
    json!({"id": "r", "object": "response", "status": "completed", "output": output,
        "usage": {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}})
}

/// What an answer says, whatever its ids and how it is split: thinking without a state flows into the one that follows.
fn said(response: &Value) -> Vec<Value> {
    let mut said: Vec<Value> = Vec::new();
    for item in response["output"].as_array().unwrap() {
        let list = |name: &str| item[name].as_array().cloned().unwrap_or_default();
        let texts = |name: &str| list(name).iter().map(|part| part["text"].clone()).collect::<Vec<_>>();
        let new = match item["type"].as_str().unwrap() {
            "reasoning" => json!(["reasoning", texts("summary"), item["encrypted_content"]]),
            "message" => json!(["message", texts("content"), null]),
            kind => json!([kind, [item.get("arguments").or(item.get("input"))], item["call_id"]]),
        };
        match said.last_mut() {
            Some(last) if last[0] == new[0] && last[2].is_null() && new[0] != "function_call" => {
                let more = new[1].as_array().unwrap().iter().cloned();
                last[1].as_array_mut().unwrap().extend(more);
                last[2] = new[2].clone();
            }
            _ => said.push(new),
        }
    }
    said
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn nothing_is_lost_however_it_is_streamed(items in items(), heard in 0_usize..4) {
        let stream = again(&streamed(&items, heard));
        let of_document = again_of_document(document(&items).to_string().as_bytes());
        let expected = said(&document(&items));
        prop_assert_eq!(&said(&folded(&of_document)), &expected);
        prop_assert_eq!(&said(&folded(&stream)), &expected);
        let events = events(&stream);
        let numbers: Vec<_> = events.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        prop_assert_eq!(numbers, (0..events.len() as u64).collect::<Vec<_>>());
    }

    #[test]
    fn no_event_panics(
        kinds in prop::collection::vec(prop::sample::select(KINDS), 1..8),
        members in prop::collection::vec(any_members(), 8),
    ) {
        let stream: String = kinds.iter().zip(&members).map(|(kind, members)| {
            let mut event = members.clone();
            event["type"] = json!(format!("response.{kind}"));
            format!("data: {event}\n\n")
        }).collect();
        let _ = again(stream.as_bytes());
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = again(&[b"data: ", &bytes[..], b"\n\n"].concat());
        let _ = again_of_document(&bytes);
    }
}

const KINDS: &[&str] = &[
    "created",
    "output_item.added",
    "output_item.done",
    "output_text.delta",
    "output_text.done",
    "refusal.done",
    "content_part.done",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "reasoning_text.delta",
    "output_text.annotation.added",
    "completed",
    "failed",
];

const TEXTS: &[&str] =
    &["message", "reasoning", "function_call", "custom_tool_call", "output_text", "refusal", "a\\", "\"", ""];

const NAMES: &[&str] = &[
    "output_index",
    "item_id",
    "content_index",
    "delta",
    "text",
    "item",
    "part",
    "annotation",
    "logprobs",
    "response",
    "id",
    "type",
    "name",
    "content",
    "summary",
    "arguments",
    "output",
    "usage",
    "status",
    "encrypted_content",
];

/// Members of events, of any type.
fn any_members() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0_u64..3).prop_map(Value::from),
        Just(json!(u64::MAX)),
        prop::sample::select(TEXTS).prop_map(Value::from),
    ];
    let names = || prop::sample::select(NAMES).prop_map(str::to_owned);
    let tree = leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::hash_map(names(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    });
    prop::collection::hash_map(names(), tree, 0..8).prop_map(|map| Value::Object(map.into_iter().collect()))
}
