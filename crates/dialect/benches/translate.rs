//! What translation costs: a request of 1 MB with 600 items in each direction, an event of a paced stream, a burst of 64
//! events, and a whole answer of 1 KB. Prints the median of many rounds; run with `cargo bench -p bitrouter-dialect`.

use std::hint::black_box;
use std::time::Instant;

use bitrouter_dialect::Dialect;
use bitrouter_dialect::translate::{Answer, AnswerTranslation, Client, Facts, Names, NoStates, Owner, Target, request};
use serde_json::{Value, json};

const EVENTS: usize = 64;
const ITEMS: usize = 600;
const SIZE: usize = 1_000_000;

fn target(dialect: Dialect) -> Target<'static> {
    let model = match dialect {
        Dialect::ChatCompletions | Dialect::Responses => "gpt-5.5",
        Dialect::Messages => "claude-opus-5",
        Dialect::GenerateContent => "gemini-3.5-pro",
    };
    let owner = Owner { provider: "p", account: "a", model };
    Target { dialect, model, owner, facts: Facts::of(dialect, model), states: &NoStates }
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    let all = Dialect::ALL.into_iter();
    all.flat_map(|from| Dialect::ALL.into_iter().map(move |to| (from, to))).filter(|(from, to)| from != to)
}

/// The median time of one round in nanoseconds; each sample is the mean of `rounds`.
fn median(samples: usize, rounds: u32, mut round: impl FnMut()) -> f64 {
    let mut samples: Vec<f64> = (0..samples)
        .map(|_| {
            let start = Instant::now();
            (0..rounds).for_each(|_| round());
            start.elapsed().as_nanos() as f64 / f64::from(rounds)
        })
        .collect();
    samples.sort_by(f64::total_cmp);
    samples[samples.len() / 2]
}

/// A history of rounds of words, a call and its result, and forty tools.
fn history(dialect: Dialect) -> String {
    let rounds = ITEMS / 3;
    let line = "let value = \"some code\\\\path\";\n\tcall(&value);\n";
    let result = line.repeat(SIZE / rounds / (line.len() + 12));
    let mut turns: Vec<Value> = Vec::new();
    match dialect {
        Dialect::GenerateContent => turns.push(json!({"role": "user", "parts": [{"text": "Begin."}]})),
        _ => turns.push(json!({"role": "user", "content": "Begin."})),
    }
    for round in 0..rounds {
        let id = format!("toolu_{round:022}");
        let arguments = json!({"path": format!("src/{round}.rs"), "limit": 200});
        let text = format!("Now I look at file {round}.");
        match dialect {
            Dialect::ChatCompletions => {
                let function = json!({"name": "tool_1", "arguments": arguments.to_string()});
                turns.push(json!({"role": "assistant", "content": text, "tool_calls": [{"id": id, "type": "function", "function": function}]}));
                turns.push(json!({"role": "tool", "tool_call_id": id, "content": result}));
            }
            Dialect::Responses => {
                turns.push(
                    json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}),
                );
                turns.push(json!({"type": "function_call", "call_id": id, "name": "tool_1", "arguments": arguments.to_string()}));
                turns.push(json!({"type": "function_call_output", "call_id": id, "output": result}));
            }
            Dialect::Messages => {
                let call = json!({"type": "tool_use", "id": id, "name": "tool_1", "input": arguments});
                turns.push(json!({"role": "assistant", "content": [{"type": "text", "text": text}, call]}));
                turns.push(
                    json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": result}]}),
                );
            }
            Dialect::GenerateContent => {
                let call = json!({"functionCall": {"id": id, "name": "tool_1", "args": arguments}});
                turns.push(json!({"role": "model", "parts": [{"text": text}, call]}));
                let response = json!({"id": id, "name": "tool_1", "response": {"output": result}});
                turns.push(json!({"role": "user", "parts": [{"functionResponse": response}]}));
            }
        }
    }
    let schema = json!({"type": "object", "properties": {"path": {"type": "string", "description": "Where it is."}}});
    let names: Vec<String> = (0..40).map(|at| format!("tool_{at}")).collect();
    let body = match dialect {
        Dialect::ChatCompletions => {
            let tools: Vec<Value> = names
                .iter()
                .map(|name| json!({"type": "function", "function": {"name": name, "parameters": schema}}))
                .collect();
            json!({"model": "m", "messages": turns, "tools": tools})
        }
        Dialect::Responses => {
            let tools: Vec<Value> =
                names.iter().map(|name| json!({"type": "function", "name": name, "parameters": schema})).collect();
            json!({"model": "m", "input": turns, "tools": tools})
        }
        Dialect::Messages => {
            let tools: Vec<Value> = names.iter().map(|name| json!({"name": name, "input_schema": schema})).collect();
            json!({"model": "m", "max_tokens": 1000, "messages": turns, "tools": tools})
        }
        Dialect::GenerateContent => {
            let tools: Vec<Value> =
                names.iter().map(|name| json!({"name": name, "parametersJsonSchema": schema})).collect();
            json!({"contents": turns, "tools": [{"functionDeclarations": tools}]})
        }
    };
    body.to_string()
}

fn event(dialect: Dialect, index: usize) -> String {
    let word = format!("word{index} and more");
    match dialect {
        Dialect::ChatCompletions => format!(
            "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}},\"finish_reason\":null}}]}}\n\n"
        ),
        Dialect::Responses => format!(
            "event: response.output_text.delta\ndata: {{\"type\":\"response.output_text.delta\",\"sequence_number\":{index},\"item_id\":\"msg_1\",\"output_index\":0,\"content_index\":0,\"delta\":\"{word}\"}}\n\n"
        ),
        Dialect::Messages => format!(
            "event: content_block_delta\ndata: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{word}\"}}}}\n\n"
        ),
        Dialect::GenerateContent => format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{word}\"}}],\"role\":\"model\"}},\"index\":0}}],\"usageMetadata\":{{\"promptTokenCount\":9,\"totalTokenCount\":{index}}}}}\r\n\r\n"
        ),
    }
}

/// What stands before the events of a stream.
fn opening(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions | Dialect::GenerateContent => "",
        Dialect::Responses => concat!(
            "data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"output\":[]}}\n\n",
            "data: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"content\":[]}}\n\n",
            "data: {\"type\":\"response.content_part.added\",\"output_index\":0,\"content_index\":0,\"item_id\":\"msg_1\",\"part\":{\"type\":\"output_text\",\"text\":\"\"}}\n\n",
        ),
        Dialect::Messages => concat!(
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n",
            "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        ),
    }
}

fn document(dialect: Dialect) -> String {
    let text = "A sentence of the answer, with \"quotes\" in it. ".repeat(15);
    let answer = match dialect {
        Dialect::ChatCompletions => {
            let message = json!({"role": "assistant", "content": text});
            json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}})
        }
        Dialect::Responses => {
            let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
            json!({"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed",
                "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}],
                "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}})
        }
        Dialect::Messages => json!({"id": "m", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 5, "output_tokens": 7}}),
        Dialect::GenerateContent => json!({
            "candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "index": 0, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12},
            "modelVersion": "m", "responseId": "g"}),
    };
    answer.to_string()
}

fn translation(from: Dialect, to: Dialect) -> AnswerTranslation {
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

fn main() {
    for (from, to) in pairs() {
        let body = history(from);
        let client = Client { dialect: from, stream: true, session: None };
        let whole = median(11, 3, || {
            black_box(request(&client, black_box(body.as_bytes()), &target(to)).map(|it| it.body.len())).ok();
        });

        let events: Vec<String> = (0..EVENTS).map(|index| event(from, index)).collect();
        let burst = events.concat();
        let started = || {
            let mut translation = translation(from, to);
            black_box(translation.feed(opening(from).as_bytes()));
            black_box(translation.feed(events[0].as_bytes()));
            translation
        };
        let mut paced = started();
        let mut index = 0;
        let event = median(31, 2000, || {
            black_box(paced.feed(black_box(events[index % EVENTS].as_bytes())));
            index += 1;
        });
        let burst = median(31, 100, || {
            black_box(started().feed(black_box(burst.as_bytes())));
        });

        let document = document(from);
        let answer = median(31, 200, || {
            black_box(translation(from, to).document(black_box(document.as_bytes()))).ok();
        });
        println!(
            "{from:>16} to {to:<16} request of {} kB: {:>6.2} ms; an event: {event:>6.0} ns; {EVENTS} at once: {burst:>7.0} ns; a whole answer of {} bytes: {answer:>6.0} ns",
            body.len() / 1000,
            whole / 1e6,
            document.len(),
        );
    }
}
