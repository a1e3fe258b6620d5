//! Opaque state through a client of another dialect: what an upstream gave comes back to it, in its place and to the byte,
//! and to nobody else; also where the client has no place for it.

use std::collections::HashMap;
use std::sync::Mutex;

use bitrouter_dialect::Dialect;
use bitrouter_dialect::translate::{
    Answer, AnswerTranslation, Client, Names, Owner, States, Target, request, strip_foreign,
};
use serde_json::{Value, json};

use super::spoken::Spoken;
use super::strict;
use super::target::target;

/// What a host keeps: by account and call.
#[derive(Default)]
struct Kept(Mutex<HashMap<String, String>>);

fn key(owner: &Owner<'_>, call: &str) -> String {
    format!("{} {} {call}", owner.provider, owner.account)
}

impl States for Kept {
    fn find(&self, owner: &Owner<'_>, call: &str) -> Option<String> {
        self.0.lock().unwrap().get(&key(owner, call)).cloned()
    }

    fn keep(&self, owner: &Owner<'_>, call: &str, state: &str) {
        self.0.lock().unwrap().insert(key(owner, call), state.to_owned());
    }
}

fn spoken(round: usize) -> Spoken {
    let calls = vec![("read", json!({"round": round})), ("run", json!({}))];
    let thinking = Some(format!("thinking {round}"));
    Spoken { thinking, signed: true, text: "Let me look.".to_owned(), calls, cut: false, delta: 4 }
}

/// How a client of that dialect sends an answer back, with the results of its calls. `loses` is whether it drops what it
/// does not have to keep.
fn echo(client: Dialect, answer: &Value, loses: bool, to: &mut Vec<Value>) {
    match client {
        Dialect::ChatCompletions => {
            let mut message = answer["choices"][0]["message"].clone();
            if loses {
                message
                    .as_object_mut()
                    .unwrap()
                    .retain(|name, _| matches!(name.as_str(), "role" | "content" | "tool_calls"));
                for call in message["tool_calls"].as_array_mut().unwrap() {
                    call.as_object_mut().unwrap().remove("extra_content");
                }
            }
            let calls = message["tool_calls"].as_array().unwrap().clone();
            to.push(message);
            to.extend(calls.iter().map(|it| json!({"role": "tool", "tool_call_id": it["id"], "content": "ok"})));
        }
        Dialect::Responses => {
            let items = answer["output"].as_array().unwrap();
            to.extend(items.iter().filter(|it| !loses || it["type"] != "reasoning").cloned());
            let calls = items.iter().filter(|it| it["type"] == "function_call");
            to.extend(
                calls.map(|it| json!({"type": "function_call_output", "call_id": it["call_id"], "output": "ok"})),
            );
        }
        Dialect::Messages => {
            let blocks = answer["content"].as_array().unwrap();
            let thinks = |it: &Value| it["type"] == "thinking" || it["type"] == "redacted_thinking";
            let content: Vec<Value> = blocks.iter().filter(|it| !loses || !thinks(it)).cloned().collect();
            to.push(json!({"role": "assistant", "content": content}));
            let calls = blocks.iter().filter(|it| it["type"] == "tool_use");
            let results = calls.map(|it| json!({"type": "tool_result", "tool_use_id": it["id"], "content": "ok"}));
            to.push(json!({"role": "user", "content": results.collect::<Vec<_>>()}));
        }
        Dialect::GenerateContent => {
            let mut content = answer["candidates"][0]["content"].clone();
            let parts = content["parts"].as_array_mut().unwrap();
            if loses {
                // Gemini CLI does not send thoughts back.
                parts.retain(|it| it["thought"] != true);
            }
            let calls: Vec<Value> = parts.iter().filter_map(|it| it.get("functionCall")).cloned().collect();
            to.push(content);
            let results = calls.iter().map(
                |it| json!({"functionResponse": {"id": it["id"], "name": it["name"], "response": {"output": "ok"}}}),
            );
            to.push(json!({"role": "user", "parts": results.collect::<Vec<_>>()}));
        }
    }
}

fn user(client: Dialect) -> Value {
    match client {
        Dialect::GenerateContent => json!({"role": "user", "parts": [{"text": "Look."}]}),
        _ => json!({"role": "user", "content": "Look."}),
    }
}

fn body(client: Dialect, turns: &[Value]) -> Value {
    let mut body = json!({"model": "asked", "max_tokens": 100});
    body[super::history::turns(client)] = json!(turns);
    body
}

fn sent(client: Dialect, body: &Value, target: &Target<'_>) -> (Value, Names) {
    let client = Client { dialect: client, stream: false, session: None };
    let translated = request(&client, body.to_string().as_bytes(), target).unwrap();
    let body: Value = serde_json::from_slice(&translated.body).unwrap();
    strict::check(target.dialect, &body).unwrap_or_else(|what| panic!("{what}: {body}"));
    (body, translated.names)
}

/// An answer as the client gets it; its states are kept.
fn answered(client: Dialect, target: &Target<'_>, names: Names, round: usize) -> Value {
    let answer = Answer { client, id: format!("r{round}"), model: "asked".to_owned(), created: 1, usage: true, names };
    // Ids of calls are unique in a conversation.
    let renamed = |id: usize| (format!("\"call_{id}\""), format!("\"call_{round}_{id}\""));
    let document = [0, 1]
        .into_iter()
        .map(renamed)
        .fold(spoken(round).document(target.dialect).to_string(), |document, (id, renamed)| {
            document.replace(&id, &renamed)
        });
    let mut translation = AnswerTranslation::new(target, answer);
    let answer = translation.document(document.as_bytes()).unwrap();
    for (call, state) in translation.take_states() {
        target.states.keep(&target.owner, &call, &state);
    }
    serde_json::from_slice(&answer).unwrap()
}

/// Where the states of that dialect stand in a body, as lines.
fn states(dialect: Dialect, body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for turn in body[super::history::turns(dialect)].as_array().unwrap() {
        match dialect {
            Dialect::ChatCompletions => {
                found.extend(turn["reasoning_details"].as_array().into_iter().flatten().map(Value::to_string))
            }
            Dialect::Responses => match turn["type"].as_str() {
                Some("reasoning") => found.push(turn["encrypted_content"].to_string()),
                Some("function_call") => found.push(format!("call {}", turn["call_id"])),
                _ => {}
            },
            Dialect::Messages => {
                for block in turn["content"].as_array().into_iter().flatten() {
                    match block["type"].as_str() {
                        Some("thinking") => found.push(format!("{} {}", block["thinking"], block["signature"])),
                        Some("tool_use") => found.push(format!("call {}", block["id"])),
                        _ => {}
                    }
                }
            }
            Dialect::GenerateContent => {
                for part in turn["parts"].as_array().unwrap() {
                    if let Some(call) = part.get("functionCall") {
                        found.push(format!("call {} {}", call["id"], part["thoughtSignature"]));
                    }
                }
            }
        }
    }
    found
}

/// What the upstream is to get back after so many rounds.
fn wanted(upstream: Dialect, rounds: usize) -> Vec<String> {
    let mut wanted = Vec::new();
    for round in 0..rounds {
        let (first, second) = (format!("\"call_{round}_0\""), format!("\"call_{round}_1\""));
        match upstream {
            Dialect::ChatCompletions => {}
            Dialect::Responses => {
                // The visible part is nothing that OpenAI checks: a client may lose it.
                wanted.extend(["\"ENC\"".to_owned(), format!("call {first}"), format!("call {second}")]);
            }
            Dialect::Messages => {
                wanted.extend([
                    format!("\"thinking {round}\" \"SIG\""),
                    format!("call {first}"),
                    format!("call {second}"),
                ]);
            }
            Dialect::GenerateContent => {
                wanted.extend([format!("call {first} \"VEhPVUdIVA==\""), format!("call {second} null")]);
            }
        }
    }
    wanted
}

#[test]
fn states_come_back_to_their_upstream_through_every_client() {
    for upstream in [Dialect::Responses, Dialect::Messages, Dialect::GenerateContent] {
        for client in Dialect::ALL.into_iter().filter(|client| *client != upstream) {
            for loses in [false, true] {
                let kept = Kept::default();
                let target = Target { states: &kept, ..target(upstream) };
                let mut turns = vec![user(client)];
                for round in 0..3 {
                    let (body, names) = sent(client, &body(client, &turns), &target);
                    assert_eq!(
                        states(upstream, &body),
                        wanted(upstream, round),
                        "{client} of {upstream}, loses {loses}, round {round}: {body}"
                    );
                    let answer = answered(client, &target, names, round);
                    echo(client, &answer, loses, &mut turns);
                }
            }
        }
    }
}

/// Some clients of generateContent echo no ids; this one loses the signatures, too.
#[test]
fn states_of_calls_that_come_back_without_ids_are_found_by_their_places() {
    let client = Dialect::GenerateContent;
    for (upstream, state) in [(Dialect::Responses, "\"ENC\""), (Dialect::Messages, "\"SIG\"")] {
        let kept = Kept::default();
        let target = Target { states: &kept, ..target(upstream) };
        let with_tools = |turns: &[Value]| {
            let mut body = body(client, turns);
            let schema = json!({"type": "object", "properties": {}});
            let tool = |name: &str| json!({"name": name, "parametersJsonSchema": schema});
            body["tools"] = json!([{"functionDeclarations": [tool("read"), tool("run")]}]);
            body
        };
        let mut turns = vec![user(client)];
        for round in 0..3 {
            let (body, names) = sent(client, &with_tools(&turns), &target);
            assert_eq!(body.to_string().matches(state).count(), round, "{upstream}: {body}");
            let answer = answered(client, &target, names, round);
            let begin = turns.len();
            echo(client, &answer, true, &mut turns);
            for part in turns[begin..].iter_mut().flat_map(|turn| turn["parts"].as_array_mut().unwrap()) {
                part.as_object_mut().unwrap().remove("thoughtSignature");
                for named in ["functionCall", "functionResponse"] {
                    if let Some(named) = part.get_mut(named) {
                        named.as_object_mut().unwrap().remove("id");
                    }
                }
            }
        }
        // In another conversation the same call is another one.
        turns[0]["parts"][0]["text"] = json!("Listen.");
        let (body, _) = sent(client, &with_tools(&turns), &target);
        assert!(!body.to_string().contains(state), "{body}");
    }
}

#[test]
fn states_go_to_nobody_else() {
    for upstream in Dialect::ALL {
        for client in Dialect::ALL.into_iter().filter(|client| *client != upstream) {
            let kept = Kept::default();
            let first = Target { states: &kept, ..target(upstream) };
            let mut turns = vec![user(client)];
            let (_, names) = sent(client, &body(client, &turns), &first);
            echo(client, &answered(client, &first, names, 0), false, &mut turns);
            let history = body(client, &turns);
            for other in Dialect::ALL {
                if other == client {
                    let stripped = strip_foreign(client, history.to_string().as_bytes());
                    let stripped = stripped.map_or(history.clone(), |it| serde_json::from_slice(&it).unwrap());
                    assert!(
                        !stripped.to_string().contains("br1.") && !stripped.to_string().contains("\"YnIxL"),
                        "{stripped}"
                    );
                    // What is left is a history that the vendor takes.
                    if client != Dialect::GenerateContent {
                        strict::check(client, &stripped).unwrap_or_else(|what| panic!("{client}: {what}: {stripped}"));
                    }
                    continue;
                }
                let stranger = target(other);
                let stranger =
                    Target { owner: Owner { account: "other", ..stranger.owner }, states: &kept, ..stranger };
                let (body, _) = sent(client, &history, &stranger);
                let text = body.to_string();
                for state in ["\"SIG\"", "\"ENC\"", "VEhPVUdIVA"] {
                    assert!(!text.contains(state), "{client} moved from {upstream} to {other}: {text}");
                }
            }
        }
    }
}

/// a → b → a, over vendors: b gets none of a's states, and a gets all of its own back.
#[test]
fn a_conversation_that_moves_to_another_vendor_and_back_loses_nothing() {
    for client in Dialect::ALL {
        let others: Vec<Dialect> = [Dialect::Responses, Dialect::Messages, Dialect::GenerateContent]
            .into_iter()
            .filter(|it| *it != client)
            .collect();
        for (a, b) in others.iter().flat_map(|a| others.iter().map(move |b| (*a, *b))).filter(|(a, b)| a != b) {
            let kept = Kept::default();
            let mut turns = vec![user(client)];
            for (round, upstream) in [a, b, a, b].into_iter().enumerate() {
                let target = Target { states: &kept, ..target(upstream) };
                let (body, names) = sent(client, &body(client, &turns), &target);
                let text = body.to_string();
                let own = |dialect| match dialect {
                    Dialect::Responses => "\"ENC\"",
                    Dialect::Messages => "\"SIG\"",
                    _ => "\"VEhPVUdIVA==\"",
                };
                let before = if upstream == a { round.div_ceil(2) } else { round / 2 };
                assert_eq!(text.matches(own(upstream)).count(), before, "{client}, {a} and {b}, round {round}: {text}");
                let other = if upstream == a { b } else { a };
                assert!(!text.contains(own(other)), "{client}, {a} and {b}, round {round}: {text}");
                let answer = answered(client, &target, names, round);
                echo(client, &answer, false, &mut turns);
            }
        }
    }
}
