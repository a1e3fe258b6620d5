//! Made-up answers, and how an upstream of each dialect gives them: as a stream and as a document.

use bitrouter_dialect::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

/// An answer: what was thought, what was said, what was called.
#[derive(Clone, Debug)]
pub(crate) struct Spoken {
    pub(crate) thinking: Option<String>,
    /// Whether the thinking has a state of its vendor's.
    pub(crate) signed: bool,
    pub(crate) text: String,
    pub(crate) calls: Vec<(&'static str, Value)>,
    pub(crate) cut: bool,
    /// How long deltas are, in characters.
    pub(crate) delta: usize,
}

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z]{1,8}", r#"x[a-z"\\\n{}é😀 ]{0,20}x"#]
}

pub(crate) fn spoken() -> impl Strategy<Value = Spoken> {
    let arguments = prop_oneof![
        Just(json!({})),
        words().prop_map(|it| json!({"a": it, "n": [1, {"b": null}]})),
        Just(json!({"big": 9_007_199_254_740_993_u64, "f": 1.5})),
    ];
    let name = prop_oneof![Just("read"), Just("list_files"), Just("run")];
    let calls = prop::collection::vec((name, arguments), 0..4);
    (prop::option::of(words()), any::<bool>(), words(), calls, any::<bool>(), 1_usize..7)
        .prop_map(|(thinking, signed, text, calls, cut, delta)| Spoken { thinking, signed, text, calls, cut, delta })
}

impl Spoken {
    fn deltas(&self, text: &str) -> Vec<String> {
        let chars: Vec<char> = text.chars().collect();
        chars.chunks(self.delta).map(|it| it.iter().collect()).collect()
    }

    /// The events of the stream, framed.
    pub(crate) fn events(&self, dialect: Dialect) -> Vec<String> {
        let events = match dialect {
            Dialect::ChatCompletions => self.chat_events(),
            Dialect::Responses => self.response_events(),
            Dialect::Messages => self.claude_events(),
            Dialect::GenerateContent => self.google_events(),
        };
        let mut framed: Vec<String> = events
            .into_iter()
            .map(|event| match event["type"].as_str() {
                Some(name) => format!("event: {name}\ndata: {event}\n\n"),
                None => format!("data: {event}\n\n"),
            })
            .collect();
        if dialect == Dialect::ChatCompletions {
            framed.push("data: [DONE]\n\n".to_owned());
        }
        framed
    }

    pub(crate) fn stream(&self, dialect: Dialect) -> String {
        self.events(dialect).concat()
    }

    /// The same answer, not streamed.
    pub(crate) fn document(&self, dialect: Dialect) -> Value {
        match dialect {
            Dialect::ChatCompletions => {
                let mut message = json!({"role": "assistant", "content": self.text});
                if let Some(thinking) = &self.thinking {
                    message["reasoning_content"] = json!(thinking);
                }
                if !self.calls.is_empty() {
                    message["tool_calls"] = self.calls.iter().enumerate().map(|(at, (name, arguments))| {
                        json!({"id": format!("call_{at}"), "type": "function", "function": {"name": name, "arguments": arguments.to_string()}})
                    }).collect();
                }
                let choice = json!({"index": 0, "message": message, "finish_reason": self.chat_end()});
                json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": chat_usage()})
            }
            Dialect::Responses => self.response(self.items()),
            Dialect::Messages => {
                let mut content = Vec::new();
                if let Some(thinking) = &self.thinking {
                    content.push(json!({"type": "thinking", "thinking": thinking, "signature": self.signature("SIG")}));
                }
                content.push(json!({"type": "text", "text": self.text}));
                content.extend(self.calls.iter().enumerate().map(|(at, (name, arguments))| {
                    json!({"type": "tool_use", "id": format!("call_{at}"), "name": name, "input": arguments})
                }));
                json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": content,
                    "stop_reason": self.claude_end(), "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 7}})
            }
            Dialect::GenerateContent => {
                let mut parts = Vec::new();
                if let Some(thinking) = &self.thinking {
                    parts.push(json!({"text": thinking, "thought": true}));
                }
                parts.push(json!({"text": self.text}));
                parts.extend(self.google_calls());
                self.google_chunk(parts, true)
            }
        }
    }

    fn signature(&self, state: &str) -> String {
        if self.signed { state.to_owned() } else { String::new() }
    }

    fn chat_end(&self) -> &'static str {
        match (self.cut, self.calls.is_empty()) {
            (true, _) => "length",
            (false, true) => "stop",
            (false, false) => "tool_calls",
        }
    }

    fn claude_end(&self) -> &'static str {
        match (self.cut, self.calls.is_empty()) {
            (true, _) => "max_tokens",
            (false, true) => "end_turn",
            (false, false) => "tool_use",
        }
    }

    fn chat_events(&self) -> Vec<Value> {
        let chunk = |delta: Value, end: Value| json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]});
        let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
        let thinking = self.thinking.iter().flat_map(|it| self.deltas(it));
        events.extend(thinking.map(|it| chunk(json!({"reasoning_content": it}), Value::Null)));
        events.extend(self.deltas(&self.text).into_iter().map(|it| chunk(json!({"content": it}), Value::Null)));
        let begun = |at: usize, name: &str| json!({"index": at, "id": format!("call_{at}"), "type": "function", "function": {"name": name, "arguments": ""}});
        let begins = self.calls.iter().enumerate().map(|(at, (name, _))| begun(at, name));
        events.extend(begins.map(|it| chunk(json!({"tool_calls": [it]}), Value::Null)));
        // The calls' arguments come interleaved.
        let arguments: Vec<_> = self.calls.iter().map(|it| self.deltas(&it.1.to_string())).collect();
        for round in 0..arguments.iter().map(Vec::len).max().unwrap_or(0) {
            for (at, deltas) in arguments.iter().enumerate() {
                if let Some(delta) = deltas.get(round) {
                    let call = json!({"index": at, "function": {"arguments": delta}});
                    events.push(chunk(json!({"tool_calls": [call]}), Value::Null));
                }
            }
        }
        events.push(chunk(json!({}), json!(self.chat_end())));
        events.push(json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": chat_usage()}));
        events
    }

    fn items(&self) -> Vec<Value> {
        let mut items = Vec::new();
        if let Some(thinking) = &self.thinking {
            let state = if self.signed { json!("ENC") } else { Value::Null };
            items.push(json!({"type": "reasoning", "id": "rs_0", "summary": [{"type": "summary_text", "text": thinking}], "encrypted_content": state}));
        }
        items.push(json!({"type": "message", "id": "msg_0", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": self.text, "annotations": []}]}));
        items.extend(self.calls.iter().enumerate().map(|(at, (name, arguments))| {
            json!({"type": "function_call", "id": format!("fc_{at}"), "call_id": format!("call_{at}"), "name": name,
                "arguments": arguments.to_string(), "status": "completed"})
        }));
        items
    }

    fn response(&self, items: Vec<Value>) -> Value {
        let details = if self.cut { json!({"reason": "max_output_tokens"}) } else { Value::Null };
        json!({"id": "r", "object": "response", "created_at": 1, "model": "m", "output": items, "error": null,
            "status": if self.cut { "incomplete" } else { "completed" }, "incomplete_details": details,
            "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12,
                "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}})
    }

    fn response_events(&self) -> Vec<Value> {
        let mut events =
            vec![json!({"type": "response.created", "response": {"id": "r", "status": "in_progress", "output": []}})];
        for (at, item) in self.items().into_iter().enumerate() {
            let mut added = item.clone();
            let id = item["id"].clone();
            let of = |kind: &str, more: Value| {
                let mut event = json!({"type": format!("response.{kind}"), "output_index": at, "item_id": id});
                event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                event
            };
            let (list, begun) = match item["type"].as_str().unwrap() {
                "reasoning" => ("summary", json!([])),
                "message" => ("content", json!([])),
                _ => ("arguments", json!("")),
            };
            added[list] = begun;
            added["encrypted_content"] = Value::Null;
            events.push(json!({"type": "response.output_item.added", "output_index": at, "item": added}));
            match list {
                "summary" => {
                    let part = |text: &str| json!({"summary_index": 0, "part": {"type": "summary_text", "text": text}});
                    let text = item["summary"][0]["text"].as_str().unwrap();
                    events.push(of("reasoning_summary_part.added", part("")));
                    let deltas = self.deltas(text).into_iter();
                    events.extend(
                        deltas.map(|it| of("reasoning_summary_text.delta", json!({"summary_index": 0, "delta": it}))),
                    );
                    events.push(of("reasoning_summary_text.done", json!({"summary_index": 0, "text": text})));
                    events.push(of("reasoning_summary_part.done", part(text)));
                }
                "content" => {
                    let part = |text: &str| json!({"content_index": 0, "part": {"type": "output_text", "text": text, "annotations": []}});
                    events.push(of("content_part.added", part("")));
                    let deltas = self.deltas(&self.text).into_iter();
                    events.extend(deltas.map(|it| of("output_text.delta", json!({"content_index": 0, "delta": it}))));
                    events.push(of("output_text.done", json!({"content_index": 0, "text": self.text})));
                    events.push(of("content_part.done", part(&self.text)));
                }
                _ => {
                    let text = item["arguments"].as_str().unwrap();
                    let deltas = self.deltas(text).into_iter();
                    events.extend(deltas.map(|it| of("function_call_arguments.delta", json!({"delta": it}))));
                    events.push(of("function_call_arguments.done", json!({"arguments": text})));
                }
            }
            events.push(json!({"type": "response.output_item.done", "output_index": at, "item": item}));
        }
        let kind = if self.cut { "response.incomplete" } else { "response.completed" };
        events.push(json!({"type": kind, "response": self.response(self.items())}));
        for (number, event) in events.iter_mut().enumerate() {
            event["sequence_number"] = json!(number);
        }
        events
    }

    fn claude_events(&self) -> Vec<Value> {
        let mut events = vec![
            json!({"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant",
            "model": "m", "content": [], "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": 5, "output_tokens": 1}}}),
        ];
        let mut index = 0;
        let mut block = |start: Value, deltas: Vec<Value>| {
            events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
            let deltas = deltas.into_iter();
            events.extend(deltas.map(|it| json!({"type": "content_block_delta", "index": index, "delta": it})));
            events.push(json!({"type": "content_block_stop", "index": index}));
            index += 1;
        };
        if let Some(thinking) = &self.thinking {
            let mut deltas: Vec<Value> =
                self.deltas(thinking).into_iter().map(|it| json!({"type": "thinking_delta", "thinking": it})).collect();
            if self.signed {
                deltas.push(json!({"type": "signature_delta", "signature": "SIG"}));
            }
            block(json!({"type": "thinking", "thinking": "", "signature": ""}), deltas);
        }
        let deltas = self.deltas(&self.text).into_iter().map(|it| json!({"type": "text_delta", "text": it})).collect();
        block(json!({"type": "text", "text": ""}), deltas);
        for (at, (name, arguments)) in self.calls.iter().enumerate() {
            let deltas = self.deltas(&arguments.to_string()).into_iter();
            let deltas = deltas.map(|it| json!({"type": "input_json_delta", "partial_json": it})).collect();
            block(json!({"type": "tool_use", "id": format!("call_{at}"), "name": name, "input": {}}), deltas);
        }
        events
            .push(json!({"type": "message_delta", "delta": {"stop_reason": self.claude_end(), "stop_sequence": null},
            "usage": {"input_tokens": 5, "output_tokens": 7}}));
        events.push(json!({"type": "message_stop"}));
        events
    }

    fn google_calls(&self) -> Vec<Value> {
        let calls = self.calls.iter().enumerate().map(|(at, (name, arguments))| {
            let mut part = json!({"functionCall": {"id": format!("call_{at}"), "name": name, "args": arguments}});
            if at == 0 && self.signed {
                part["thoughtSignature"] = json!("VEhPVUdIVA==");
            }
            part
        });
        calls.collect()
    }

    fn google_chunk(&self, parts: Vec<Value>, last: bool) -> Value {
        let mut candidate = json!({"content": {"role": "model", "parts": parts}, "index": 0});
        if last {
            candidate["finishReason"] = json!(if self.cut { "MAX_TOKENS" } else { "STOP" });
        }
        let usage = json!({"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12});
        json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "g"})
    }

    fn google_events(&self) -> Vec<Value> {
        let mut events = Vec::new();
        let thinking = self.thinking.iter().flat_map(|it| self.deltas(it));
        events.extend(thinking.map(|it| self.google_chunk(vec![json!({"text": it, "thought": true})], false)));
        let deltas = self.deltas(&self.text).into_iter();
        events.extend(deltas.map(|it| self.google_chunk(vec![json!({"text": it})], false)));
        events.extend(self.google_calls().into_iter().map(|it| self.google_chunk(vec![it], false)));
        events.push(self.google_chunk(vec![json!({"text": ""})], true));
        events
    }
}

fn chat_usage() -> Value {
    json!({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12})
}

/// What a client of that dialect reads out of a whole answer: the words, the calls, the end.
pub(crate) fn heard(dialect: Dialect, answer: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    let mut text = String::new();
    let mut call = |name: &Value, arguments: Value| lines.push(format!("call {name} {arguments}"));
    let parsed = |arguments: &Value| serde_json::from_str(arguments.as_str().unwrap()).unwrap();
    let end = match dialect {
        Dialect::ChatCompletions => {
            let choice = &answer["choices"][0];
            let message = &choice["message"];
            text.push_str(message["content"].as_str().unwrap_or_default());
            for it in message["tool_calls"].as_array().into_iter().flatten() {
                call(&it["function"]["name"], parsed(&it["function"]["arguments"]));
            }
            choice["finish_reason"].as_str().unwrap()
        }
        Dialect::Responses => {
            for item in answer["output"].as_array().unwrap() {
                match item["type"].as_str().unwrap() {
                    "message" => {
                        text.extend(item["content"].as_array().unwrap().iter().map(|it| it["text"].as_str().unwrap()))
                    }
                    "function_call" => call(&item["name"], parsed(&item["arguments"])),
                    _ => {}
                }
            }
            if answer["status"] == "incomplete" { "length" } else { "" }
        }
        Dialect::Messages => {
            for block in answer["content"].as_array().unwrap() {
                match block["type"].as_str().unwrap() {
                    "text" => text.push_str(block["text"].as_str().unwrap()),
                    "tool_use" => call(&block["name"], block["input"].clone()),
                    _ => {}
                }
            }
            answer["stop_reason"].as_str().unwrap()
        }
        Dialect::GenerateContent => {
            let candidate = &answer["candidates"][0];
            for part in candidate["content"]["parts"].as_array().unwrap() {
                if part["thought"] != true {
                    text.push_str(part["text"].as_str().unwrap_or_default());
                }
                if let Some(it) = part.get("functionCall") {
                    call(&it["name"], it["args"].clone());
                }
            }
            candidate["finishReason"].as_str().unwrap()
        }
    };
    let end = match end {
        "length" | "max_tokens" | "MAX_TOKENS" => "cut",
        "tool_calls" | "tool_use" => "calls",
        _ if lines.is_empty() => "done",
        // These two say by the calls themselves that there are some.
        "" | "STOP" => "calls",
        _ => "done, with calls",
    };
    lines.push(text);
    lines.push(end.to_owned());
    lines
}
