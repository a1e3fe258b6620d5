//! What goes wrong in a stream that is translated: for every pair of dialects the client's own tells it, the record is right,
//! and before the first content another target is asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use bitrouter_tests::{Answer, Gateway, Reply, Setup, Upstream, eventually};
use serde_json::{Value, json};

/// A dialect as client and as upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Dialect {
    Chat,
    Responses,
    Messages,
    Google,
}

use Dialect::{Chat, Google, Messages, Responses};

const ALL: [Dialect; 4] = [Chat, Responses, Messages, Google];

/// What stands in answers.
const TEXT: &str = "Sunny and warm.";

impl Dialect {
    fn id(self) -> &'static str {
        match self {
            Chat => "chatty",
            Responses => "respond",
            Messages => "messy",
            Google => "goo",
        }
    }

    fn contract(self) -> &'static str {
        match self {
            Chat => "chat-completions",
            Responses => "responses",
            Messages => "messages",
            Google => "generate-content",
        }
    }

    /// An answer that says the text and makes these calls, as the events of a stream; deltas of arguments are this long.
    fn events(self, calls: &[Value], delta: usize) -> Vec<String> {
        let mut events = match self {
            Chat => chat(calls, delta),
            Responses => responses(calls, delta),
            Messages => messages(calls, delta),
            Google => google(calls),
        };
        if self == Chat {
            events.push("data: [DONE]\n\n".to_owned());
        }
        events
    }

    /// An error within a stream.
    fn error(self) -> String {
        event(&match self {
            Chat => json!({"error": {"message": "because", "type": "server_error", "code": "server_is_overloaded"}}),
            Responses => {
                let error = json!({"code": "server_is_overloaded", "message": "because"});
                json!({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error}})
            }
            Messages => json!({"type": "error", "error": {"type": "overloaded_error", "message": "because"}}),
            Google => json!({"error": {"code": 503, "message": "because", "status": "UNAVAILABLE"}}),
        })
    }

    /// How many of its events, at the beginning, hold no content.
    fn preamble(self) -> usize {
        match self {
            Chat => 1,
            Responses | Messages => 2,
            Google => 0,
        }
    }

    /// How many of its events, at the end, may be missing although all was said.
    fn spare(self) -> usize {
        match self {
            // The end reason is said before the usage and the last word.
            Chat => 2,
            Responses | Messages | Google => 0,
        }
    }

    /// Asks in this dialect.
    fn ask(self, gateway: &Gateway, models: &[String], stream: bool) -> Answer {
        let (path, body) = match self {
            Chat => ("/v1/chat/completions".to_owned(), json!({"messages": [{"role": "user", "content": "Hi"}]})),
            Responses => ("/v1/responses".to_owned(), json!({"input": "Hi"})),
            Messages => {
                let messages = json!([{"role": "user", "content": "Hi"}]);
                ("/v1/messages".to_owned(), json!({"max_tokens": 99, "messages": messages}))
            }
            Google => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                let contents = json!([{"role": "user", "parts": [{"text": "Hi"}]}]);
                let body = json!({"contents": contents});
                return gateway.post(&format!("/v1beta/models/{}:{method}", models[0])).json(&body).send();
            }
        };
        let mut body = body;
        body["stream"] = json!(stream);
        match models {
            [one] => body["model"] = json!(one),
            several => body["models"] = json!(several),
        }
        gateway.post(&path).json(&body).send()
    }

    /// Whether a stream says that it is whole, as this dialect's clients know it.
    fn is_whole(self, stream: &str) -> bool {
        match self {
            Chat => stream.contains("data: [DONE]"),
            Responses => stream.contains("event: response.completed"),
            Messages => stream.contains("event: message_stop"),
            Google => stream.contains("\"finishReason\""),
        }
    }

    /// Whether its last event is an error that clients of the dialect know.
    fn tells_an_error(self, stream: &str) -> bool {
        let last = stream.trim_end().rsplit("\n\n").next().unwrap();
        let data: Value = serde_json::from_str(last.split("data: ").nth(1).unwrap_or("null")).unwrap();
        match self {
            Chat => data["error"]["message"].is_string(),
            Responses => last.starts_with("event: response.failed") && data["response"]["error"]["message"].is_string(),
            Messages => last.starts_with("event: error") && data["error"]["message"].is_string(),
            Google => data["error"]["status"].is_string(),
        }
    }

    /// Whether a body is an error in the shape that clients of the dialect read.
    fn is_error(self, body: &Value) -> bool {
        match self {
            Chat | Responses => body["error"]["message"].is_string() && !body["error"]["type"].is_null(),
            Messages => body["type"] == "error" && body["error"]["message"].is_string(),
            Google => body["error"]["code"].is_number() && body["error"]["status"].is_string(),
        }
    }

    /// The arguments of the calls in a stream, in the order of their ids, as this dialect's clients put them together.
    fn arguments(self, stream: &str) -> Vec<String> {
        let mut calls: Vec<String> = Vec::new();
        let mut add = |at: usize, text: &str| {
            calls.resize(calls.len().max(at + 1), String::new());
            calls[at].push_str(text);
        };
        let mut google = 0;
        for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
            let event: Value = serde_json::from_str(data).unwrap();
            let number = |value: &Value| value.as_u64().unwrap() as usize;
            match self {
                Chat => {
                    for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
                        add(number(&call["index"]), call["function"]["arguments"].as_str().unwrap_or_default());
                    }
                }
                // Behind the message.
                Responses if event["type"] == "response.function_call_arguments.delta" => {
                    add(number(&event["output_index"]) - 1, event["delta"].as_str().unwrap());
                }
                Messages if event["delta"]["type"] == "input_json_delta" => {
                    add(number(&event["index"]) - 1, event["delta"]["partial_json"].as_str().unwrap());
                }
                Google => {
                    for part in event["candidates"][0]["content"]["parts"].as_array().into_iter().flatten() {
                        if let Some(call) = part.get("functionCall") {
                            add(google, &call["args"].to_string());
                            google += 1;
                        }
                    }
                }
                Responses | Messages => {}
            }
        }
        calls
    }
}

fn event(data: &Value) -> String {
    match data["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

fn pieces(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

fn chat(calls: &[Value], delta: usize) -> Vec<String> {
    let chunk = |delta: Value, end: Value| {
        event(
            &json!({"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}),
        )
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(pieces(TEXT, 6).iter().map(|text| chunk(json!({"content": text}), Value::Null)));
    for (at, call) in calls.iter().enumerate() {
        let first = json!({"index": at, "id": format!("call_{at}"), "type": "function", "function": {"name": "write", "arguments": ""}});
        events.push(chunk(json!({"tool_calls": [first]}), Value::Null));
        events.extend(
            pieces(&call.to_string(), delta).iter().map(|text| {
                chunk(json!({"tool_calls": [{"index": at, "function": {"arguments": text}}]}), Value::Null)
            }),
        );
    }
    events.push(chunk(json!({}), json!(if calls.is_empty() { "stop" } else { "tool_calls" })));
    events.push(event(&json!({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}})));
    events
}

fn responses(calls: &[Value], delta: usize) -> Vec<String> {
    let mut events = vec![json!({"type": "response.created", "response": {"id": "r", "status": "in_progress"}})];
    let content = json!([{"type": "output_text", "text": TEXT, "annotations": []}]);
    let message = |content: Value| json!({"type": "message", "id": "msg_0", "role": "assistant", "status": "completed", "content": content});
    events.push(json!({"type": "response.output_item.added", "output_index": 0, "item": message(json!([]))}));
    let text = |text: &String| json!({"type": "response.output_text.delta", "item_id": "msg_0", "output_index": 0, "content_index": 0, "delta": text});
    events.extend(pieces(TEXT, 6).iter().map(text));
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": message(content.clone())}));
    let mut items = vec![message(content)];
    for (at, call) in calls.iter().enumerate() {
        let item = |arguments: &str| json!({"type": "function_call", "id": format!("fc_{at}"), "call_id": format!("call_{at}"), "name": "write", "arguments": arguments, "status": "completed"});
        events.push(json!({"type": "response.output_item.added", "output_index": at + 1, "item": item("")}));
        events.extend(pieces(&call.to_string(), delta).iter().map(|text| {
            json!({"type": "response.function_call_arguments.delta", "item_id": format!("fc_{at}"), "output_index": at + 1, "delta": text})
        }));
        let whole = item(&call.to_string());
        events.push(json!({"type": "response.output_item.done", "output_index": at + 1, "item": whole}));
        items.push(whole);
    }
    let usage = json!({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 12});
    let response = json!({"id": "r", "object": "response", "status": "completed", "output": items, "usage": usage});
    events.push(json!({"type": "response.completed", "response": response}));
    events.iter().map(event).collect()
}

fn messages(calls: &[Value], delta: usize) -> Vec<String> {
    let usage = json!({"input_tokens": 5, "output_tokens": 7});
    let message = json!({"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null, "usage": usage});
    let mut events = vec![json!({"type": "message_start", "message": message})];
    let start = |at: usize, block: Value| json!({"type": "content_block_start", "index": at, "content_block": block});
    let stop = |at: usize| json!({"type": "content_block_stop", "index": at});
    events.push(start(0, json!({"type": "text", "text": ""})));
    let text = |text: &String| json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
    events.extend(pieces(TEXT, 6).iter().map(text));
    events.push(stop(0));
    for (at, call) in calls.iter().enumerate() {
        events
            .push(start(at + 1, json!({"type": "tool_use", "id": format!("call_{at}"), "name": "write", "input": {}})));
        events.extend(pieces(&call.to_string(), delta).iter().map(|text| {
            json!({"type": "content_block_delta", "index": at + 1, "delta": {"type": "input_json_delta", "partial_json": text}})
        }));
        events.push(stop(at + 1));
    }
    let reason = if calls.is_empty() { "end_turn" } else { "tool_use" };
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    events.push(json!({"type": "message_delta", "delta": delta, "usage": usage}));
    events.push(json!({"type": "message_stop"}));
    events.iter().map(event).collect()
}

fn google(calls: &[Value]) -> Vec<String> {
    let chunk = |part: Value, end: Value| {
        let mut candidate = json!({"content": {"role": "model", "parts": [part]}, "index": 0});
        if !end.is_null() {
            candidate["finishReason"] = end;
        }
        let usage = json!({"promptTokenCount": 5, "candidatesTokenCount": 7, "totalTokenCount": 12});
        event(&json!({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}))
    };
    let mut events: Vec<String> =
        pieces(TEXT, 6).iter().map(|text| chunk(json!({"text": text}), Value::Null)).collect();
    events.extend(calls.iter().enumerate().map(|(at, call)| {
        chunk(json!({"functionCall": {"id": format!("call_{at}"), "name": "write", "args": call}}), Value::Null)
    }));
    events.push(chunk(json!({"text": ""}), json!("STOP")));
    events
}

/// A gateway with a provider for each dialect, which are descriptions; the upstream hears of each below its own path.
fn gateway(upstream: &Upstream) -> Setup {
    ALL.into_iter().fold(Gateway::start(), |setup, dialect| {
        let id = dialect.id();
        let description = json!({
            "id": id, "name": id, "version": "1", "billing": "free", "models": [{"id": "m"}],
            "origins": {"api": "https://api.example"}, "serves": {"generate": [dialect.contract()]},
        });
        let setup = setup.with_plugin_file(&format!("{id}.json"), description.to_string().as_bytes());
        setup.command(&["plugin", "trust", id, "--yes"]).ok();
        let origin = format!("{}/{id}", upstream.origin());
        setup.with(&format!("/providers/{id}/origins"), json!({"api": origin}))
    })
}

/// An address that no other request has, so that none rests for what went wrong before.
fn fresh(dialect: Dialect) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{}:m{}", dialect.id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn pairs() -> impl Iterator<Item = (Dialect, Dialect)> {
    ALL.into_iter().flat_map(|client| ALL.into_iter().map(move |upstream| (client, upstream))).filter(|(a, b)| a != b)
}

fn streams(events: &[String]) -> Reply {
    events.iter().fold(Reply::sse(), |reply, event| reply.send(event.as_str()))
}

/// The answer is an error of the client's dialect, before or within its stream.
#[track_caller]
fn is_told(client: Dialect, answer: &Answer, what: &str) {
    let text = answer.text();
    assert!(!client.is_whole(&text), "{what}: {text}");
    match answer.code {
        200 => assert!(client.tells_an_error(&text), "{what}: {text}"),
        code => assert!(code >= 400 && client.is_error(&answer.json()), "{what}: {text}"),
    }
}

#[test]
fn an_answer_that_is_cut_anywhere_is_told_as_an_error_by_the_clients_own_dialect() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream).run();
    let mut cut = 0;
    for (client, of) in pairs() {
        let events = of.events(&[json!({"a": "b", "n": 1.50})], 5);
        for at in 0..events.len() - of.spare() {
            for clean in [false, true] {
                let reply = streams(&events[..at]);
                upstream.replies(if clean { reply } else { reply.cut() });
                is_told(client, &client.ask(&gateway, &[fresh(of)], true), &format!("{client:?} of {of:?} at {at}"));
                cut += 1;
            }
        }
        upstream.replies(streams(&events));
        let whole = client.ask(&gateway, &[fresh(of)], true).status(200);
        assert!(client.is_whole(&whole.text()), "{client:?} of {of:?}: {}", whole.text());
    }
    let count = |word: &str| gateway.log().matches(&format!("outcome=\"{word}\"")).count();
    assert!(eventually(|| count("failed") == cut && count("complete") == 12), "{cut}: {}", count("failed"));
}

#[test]
fn an_error_anywhere_in_a_stream_is_told_or_fails_over_before_the_first_content() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream).run();
    for (client, of) in pairs() {
        let events = of.events(&[json!({"a": "b"})], 5);
        // The other target has a dialect of its own, which may be the client's.
        let other = ALL.into_iter().find(|it| *it != of && *it != client).unwrap();
        for at in 0..events.len() - of.spare() {
            let (mut broken, whole) = (events.clone(), other.events(&[], 5));
            broken.insert(at, of.error());
            broken.truncate(at + 1);
            let path = format!("/{}/", of.id());
            upstream.follows(move |seen| streams(if seen.path.starts_with(&path) { &broken } else { &whole }));
            let what = format!("{client:?} of {of:?} at {at}");
            // Google's clients name one model.
            let models = if client == Google { vec![fresh(of)] } else { vec![fresh(of), fresh(other)] };
            let answer = client.ask(&gateway, &models, true);
            if at <= of.preamble() && client != Google {
                assert!(client.is_whole(&answer.text()), "{what}: {}", answer.text());
                assert_eq!(answer.header("x-bitrouter-provider"), Some(other.id()), "{what}");
                continue;
            }
            is_told(client, &answer, &what);
            assert!(answer.text().contains("because"), "{what}: {}", answer.text());
        }
    }
}

#[test]
fn silence_is_told_and_before_the_first_content_fails_over() {
    let upstream = Upstream::start();
    let setup = ALL.into_iter().fold(gateway(&upstream), |setup, dialect| {
        setup.with(&format!("/providers/{}/timeouts/idle_ms", dialect.id()), json!(200))
    });
    let gateway = setup.run();
    for (client, of) in pairs() {
        let events = of.events(&[json!({"a": "b"})], 5);
        let other = ALL.into_iter().find(|it| *it != of && *it != client).unwrap();
        for at in [of.preamble(), of.preamble() + 2] {
            let (silent, whole) = (streams(&events[..at]).wait_until_gone(), streams(&other.events(&[], 5)));
            let path = format!("/{}/", of.id());
            upstream.follows(move |seen| if seen.path.starts_with(&path) { silent.clone() } else { whole.clone() });
            let models = if client == Google { vec![fresh(of)] } else { vec![fresh(of), fresh(other)] };
            let answer = client.ask(&gateway, &models, true);
            let what = format!("{client:?} of {of:?} at {at}");
            if at == of.preamble() && client != Google {
                assert!(client.is_whole(&answer.text()), "{what}: {}", answer.text());
                continue;
            }
            is_told(client, &answer, &what);
        }
    }
}

#[test]
fn an_answer_that_drips_is_the_same_answer() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream).run();
    for (client, of) in pairs() {
        let stream = of.events(&[json!({"a": "ü\"\\n"}), json!({})], 3).concat();
        upstream.replies(Reply::sse().send(stream.as_str()));
        let fluent = client.ask(&gateway, &[fresh(of)], true).status(200).text();
        let drops = stream.as_bytes().chunks(41);
        upstream.replies(drops.fold(Reply::sse(), |reply, drop| reply.pause(1).send(drop)));
        let dripped = client.ask(&gateway, &[fresh(of)], true).status(200).text();
        assert!(client.is_whole(&dripped), "{client:?} of {of:?}: {dripped}");
        assert_eq!(client.arguments(&dripped), client.arguments(&fluent), "{client:?} of {of:?}");
        assert_eq!(client.arguments(&dripped).len(), 2, "{client:?} of {of:?}: {dripped}");
    }
}

#[test]
fn two_hundred_calls_at_once_arrive_apart() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream).run();
    let calls: Vec<Value> = (0..200).map(|at| json!({"at": at, "text": "x".repeat(at)})).collect();
    for (client, of) in pairs() {
        upstream.replies(streams(&of.events(&calls, 64)));
        let stream = client.ask(&gateway, &[fresh(of)], true).status(200).text();
        assert!(client.is_whole(&stream), "{client:?} of {of:?}");
        let arguments = client.arguments(&stream);
        let read: Vec<Value> = arguments.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        assert_eq!(read, calls, "{client:?} of {of:?}");
    }
}

/// Each dialect's reader, and each one's writer, streamed and not.
#[test]
fn an_argument_of_twenty_megabytes_passes_with_bounded_memory() {
    const LINE: &str = "let it = \"quoted\\n\";\n";
    let call = json!({"path": "a", "content": LINE.repeat((20 << 20) / LINE.len())});
    let upstream = Upstream::start();
    let gateway = gateway(&upstream).run();
    let mut clients = ALL.into_iter().cycle().skip(1);
    for of in ALL {
        let client = clients.next().unwrap();
        upstream.replies(streams(&of.events(std::slice::from_ref(&call), 64 << 10)));
        let stream = client.ask(&gateway, &[fresh(of)], true).status(200).text();
        assert!(client.is_whole(&stream), "{client:?} of {of:?}: {}", &stream[stream.len().saturating_sub(600)..]);
        let arguments = client.arguments(&stream);
        assert_eq!(serde_json::from_str::<Value>(&arguments[0]).unwrap(), call, "{client:?} of {of:?}");
    }
    #[cfg(target_os = "linux")]
    {
        let most = crate::large_answers::peak(&gateway) >> 20;
        println!("at most {most} MiB");
        assert!(most < 512, "{most} MiB");
    }
}
