//! Responses clients that name what was said before instead of saying it, where their requests are translated:
//! `previous_response_id`, `item_reference`, and the pages of stored responses.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bitrouter_tests::{Answer, ChatGpt, Gateway, Reply, Seen, Turn, Upstream};
use serde_json::{Value, json};

use crate::translated::two;

/// An answer of Messages, thinking and with a call, whole or as a stream.
fn thinks(seen: &Seen, number: usize) -> Reply {
    let content = json!([
        {"type": "thinking", "thinking": format!("I think {number}."), "signature": format!("SIG{number}")},
        {"type": "text", "text": format!("Text {number}.")},
        {"type": "tool_use", "id": format!("toolu_{number}"), "name": "read", "input": {"number": number}},
    ]);
    let usage = json!({"input_tokens": 9, "output_tokens": 5});
    let message = json!({"id": "msg_up", "type": "message", "role": "assistant", "model": "m", "content": content,
        "stop_reason": "tool_use", "stop_sequence": null, "usage": usage});
    if seen.json()["stream"] != true {
        return Reply::json(&message);
    }
    let mut reply = Reply::sse();
    let mut send = |event: Value| {
        let kind = event["type"].as_str().unwrap().to_owned();
        reply = std::mem::replace(&mut reply, Reply::sse()).send(format!("event: {kind}\ndata: {event}\n\n"));
    };
    let mut begin = message.clone();
    begin["content"] = json!([]);
    begin["stop_reason"] = json!(null);
    send(json!({"type": "message_start", "message": begin}));
    let deltas = |block: &Value| match block["type"].as_str().unwrap() {
        "thinking" => vec![
            json!({"type": "thinking_delta", "thinking": block["thinking"]}),
            json!({"type": "signature_delta", "signature": block["signature"]}),
        ],
        "text" => vec![json!({"type": "text_delta", "text": block["text"]})],
        _ => vec![json!({"type": "input_json_delta", "partial_json": block["input"].to_string()})],
    };
    for (index, block) in content.as_array().unwrap().iter().enumerate() {
        let mut empty = block.clone();
        match block["type"].as_str().unwrap() {
            "thinking" => (empty["thinking"], empty["signature"]) = (json!(""), json!("")),
            "text" => empty["text"] = json!(""),
            _ => empty["input"] = json!({}),
        }
        send(json!({"type": "content_block_start", "index": index, "content_block": empty}));
        for delta in deltas(block) {
            send(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        }
        send(json!({"type": "content_block_stop", "index": index}));
    }
    send(json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null}, "usage": usage}));
    send(json!({"type": "message_stop"}));
    reply
}

/// An upstream of Messages (`/two/`) beside one of Responses (`/one/`), both of which answer.
fn upstream() -> Upstream {
    let upstream = Upstream::start();
    let count = AtomicUsize::new(0);
    upstream.follows(move |seen| {
        let count = count.fetch_add(1, Ordering::Relaxed);
        match seen.path.starts_with("/one/") {
            true => Reply::json(&json!({
                "id": "resp_67cb32528d6881909eb2859a55e18a85", "object": "response", "status": "completed", "model": "m",
                "output": [{"type": "message", "id": "msg_67cb3252", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "native", "annotations": []}]}],
                "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            })),
            false => thinks(seen, count),
        }
    });
    upstream
}

fn gateway(upstream: &Upstream) -> Gateway {
    two(("one", "responses"), ("two", "messages"), upstream)
        .with("/models", json!({"any": ["one:m", "two:m"], "other": ["two:m", "one:m"]}))
        .run()
}

fn body(model: &str, input: Value) -> Value {
    let tool = json!({"type": "function", "name": "read", "parameters": {"type": "object", "properties": {}}, "strict": false});
    json!({"model": model, "input": input, "tools": [tool], "instructions": "Be brief.", "reasoning": {"effort": "medium"}})
}

fn ask(gateway: &Gateway, body: &Value) -> Answer {
    gateway.post("/v1/responses").json(body).send()
}

/// The response out of an answer, whatever its form.
fn response(answer: &Answer) -> Value {
    let text = answer.text();
    match text.lines().filter_map(|line| line.strip_prefix("data: ")).next_back() {
        Some(last) => serde_json::from_str::<Value>(last).unwrap()["response"].clone(),
        None => answer.json(),
    }
}

fn result(response: &Value) -> Value {
    let call = response["output"].as_array().unwrap().iter().find(|item| item["type"] == "function_call").unwrap();
    json!({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"})
}

#[test]
fn a_conversation_that_goes_on_by_a_name_is_the_one_that_is_sent_whole_to_the_byte() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let mut history = vec![json!({"role": "user", "content": "Look."})];
    let mut previous = Value::Null;
    let mut new = json!("Look.");
    for turn in 0..3 {
        let mut named = body("two:m", new.clone());
        named["previous_response_id"] = previous.clone();
        named["stream"] = json!(turn % 2 == 1);
        let answer = response(&ask(&gateway, &named).status(200));
        assert_eq!(answer["status"], "completed", "{answer}");
        let by_name = upstream.last().text();
        let mut whole = body("two:m", json!(history));
        (whole["stream"], whole["store"]) = (named["stream"].clone(), json!(false));
        ask(&gateway, &whole).status(200);
        assert_eq!(upstream.last().text(), by_name);
        assert_eq!(by_name.matches("\"signature\":\"SIG").count(), turn, "{by_name}");
        history.extend(answer["output"].as_array().unwrap().iter().cloned());
        history.push(result(&answer));
        new = json!([result(&answer)]);
        previous = answer["id"].clone();
    }
}

/// As the Vercel AI SDK does by default: texts and reasoning by name, calls as they are, without their ids.
#[test]
fn a_client_that_names_every_text_and_reasoning_loses_none() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let mut history = vec![
        json!({"role": "developer", "content": "sys"}),
        json!({"role": "user", "content": [{"type": "input_text", "text": "go"}]}),
    ];
    for turn in 0..3 {
        let mut body = body("two:m", json!(history));
        body["stream"] = json!(true);
        let answer = response(&ask(&gateway, &body).status(200));
        let sent = upstream.last().json();
        let assistant: Vec<&Value> =
            sent["messages"].as_array().unwrap().iter().filter(|message| message["role"] == "assistant").collect();
        assert_eq!(assistant.len(), turn);
        for message in assistant {
            let kinds: Vec<_> =
                message["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
            assert_eq!(kinds, ["thinking", "text", "tool_use"]);
        }
        for item in answer["output"].as_array().unwrap() {
            history.push(match item["type"].as_str().unwrap() {
                "reasoning" | "message" => json!({"type": "item_reference", "id": item["id"]}),
                _ => json!({"type": "function_call", "call_id": item["call_id"], "name": item["name"], "arguments": item["arguments"]}),
            });
        }
        history.push(result(&answer));
    }
    // A name may come without its type.
    let last = history.iter_mut().find(|item| item["type"] == "item_reference").unwrap();
    last.as_object_mut().unwrap().remove("type");
    ask(&gateway, &body("two:m", json!(history))).status(200);
}

fn not_found(answer: Answer, previous: bool) {
    let answer = if previous { answer.status(400) } else { answer.status(404) };
    let error = answer.json()["error"].clone();
    let code = if previous { json!("previous_response_not_found") } else { json!(null) };
    let param = if previous { "previous_response_id" } else { "input" };
    assert_eq!(
        (&error["type"], &error["code"], &error["param"]),
        (&json!("invalid_request_error"), &code, &json!(param))
    );
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("Previous response with id '") || message.starts_with("Item with id '"), "{message}");
}

fn previous(model: &str, id: &str) -> Value {
    let mut body = body(model, json!("Go on."));
    body["previous_response_id"] = json!(id);
    body
}

fn item(model: &str, id: &str) -> Value {
    body(model, json!([{"type": "item_reference", "id": id}, {"role": "user", "content": "Go on."}]))
}

#[test]
fn what_is_stored_is_its_callers_alone() {
    let upstream = upstream();
    let keys = ["the-key-of-one-caller", "the-key-of-another-caller"];
    let gateway = two(("one", "responses"), ("two", "messages"), &upstream).with("/server/keys", json!(keys)).run();
    let ask = |key: &str, body: &Value| {
        gateway.post("/v1/responses").header("authorization", &format!("Bearer {key}")).json(body).send()
    };
    let page = |key: &str, method: &str, path: &str| {
        gateway.request(method, path).header("authorization", &format!("Bearer {key}")).send()
    };
    let answer = ask(keys[0], &body("two:m", json!("Look."))).status(200).json();
    let (id, message) = (answer["id"].as_str().unwrap(), answer["output"][1]["id"].as_str().unwrap());
    assert!(message.starts_with("msg_"), "{answer}");
    let sent = upstream.requests().len();
    not_found(ask(keys[1], &previous("two:m", id)), true);
    not_found(ask(keys[1], &item("two:m", message)), false);
    for (method, path) in [("GET", ""), ("DELETE", ""), ("GET", "/input_items")] {
        let error = page(keys[1], method, &format!("/v1/responses/{id}{path}")).status(404).json();
        assert_eq!(error["error"]["message"], format!("Response with id '{id}' not found."));
    }
    assert_eq!(upstream.requests().len(), sent);
    assert_eq!(page(keys[0], "GET", &format!("/v1/responses/{id}")).status(200).json(), answer);
    ask(keys[0], &item("two:m", message)).status(200);
    ask(keys[0], &previous("two:m", id)).status(200);
}

#[test]
fn a_stored_response_can_be_read_and_deleted_and_one_that_was_not_to_be_stored_is_not_there() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let first = ask(&gateway, &body("two:m", json!("Look."))).status(200).json();
    let id = first["id"].as_str().unwrap();
    let mut second = previous("two:m", id);
    second["input"] = json!([result(&first), {"role": "user", "content": "And?"}]);
    second["stream"] = json!(true);
    let second = response(&ask(&gateway, &second).status(200));
    let path = format!("/v1/responses/{}", second["id"].as_str().unwrap());
    assert_eq!(gateway.get(&path).send().status(200).json(), second);
    let items = gateway.get(&format!("{path}/input_items?order=asc")).send().status(200).json();
    assert_eq!(
        (&items["data"][0]["type"], &items["data"][1]["content"]),
        (&json!("function_call_output"), &json!("And?"))
    );
    assert!(items["data"][1]["id"].is_string() && items["has_more"] == false, "{items}");
    let one = gateway.get(&format!("{path}/input_items?limit=1")).send().status(200).json();
    assert_eq!((&one["data"], &one["has_more"]), (&json!([items["data"][1]]), &json!(true)));
    let gone = gateway.request("DELETE", &path).send().status(200).json();
    assert_eq!(gone, json!({"id": second["id"], "object": "response", "deleted": true}));
    gateway.request("DELETE", &path).send().status(404);
    gateway.get(&path).send().status(404);
    not_found(ask(&gateway, &previous("two:m", second["id"].as_str().unwrap())), true);
    ask(&gateway, &previous("two:m", id)).status(200);
    gateway.post(&path).json(&json!({})).send().status(405);
    for stream in [false, true] {
        let mut body = body("two:m", json!("Look."));
        (body["store"], body["stream"]) = (json!(false), json!(stream));
        let answer = response(&ask(&gateway, &body).status(200));
        not_found(ask(&gateway, &previous("two:m", answer["id"].as_str().unwrap())), true);
        not_found(ask(&gateway, &item("two:m", answer["output"][1]["id"].as_str().unwrap())), false);
    }
}

#[test]
fn what_this_gateway_stored_goes_to_a_provider_of_responses_as_what_it_is_and_never_as_a_name() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let first = ask(&gateway, &body("other", json!("Look."))).status(200);
    assert_eq!(first.header("x-bitrouter-provider"), Some("two"));
    let first = first.json();
    let mut next = previous("any", first["id"].as_str().unwrap());
    next["input"] = json!([result(&first)]);
    let answer = ask(&gateway, &next).status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("one"));
    let sent = upstream.last().json();
    assert_eq!(sent.get("previous_response_id"), None);
    let kinds: Vec<_> =
        sent["input"].as_array().unwrap().iter().map(|item| (item["type"].as_str().unwrap(), item.get("id"))).collect();
    assert_eq!(kinds, [("message", None), ("message", None), ("function_call", None), ("function_call_output", None)]);
    // What the provider stored is its own to find.
    let native = answer.json()["id"].as_str().unwrap().to_owned();
    let answer = ask(&gateway, &previous("any", &native)).status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("one"));
    assert_eq!(upstream.last().json()["previous_response_id"], native);
}

#[test]
fn what_a_provider_stored_is_asked_of_nobody_else() {
    let upstream = upstream();
    let gateway = gateway(&upstream);
    let native = "resp_67cb32528d6881909eb2859a55e18a85";
    // Nobody is known to have made it, and nobody of these serves Responses.
    for model in ["any", "other"] {
        not_found(ask(&gateway, &previous(model, native)), true);
    }
    not_found(ask(&gateway, &item("two:m", "msg_67cb3252cfac8190865744873aada798")), false);
    assert!(upstream.requests().is_empty());
    let made = ask(&gateway, &body("any", json!("Look."))).status(200).json();
    assert_eq!(made["id"], native);
    ask(&gateway, &previous("two:m", native)).status(400).says("one");
    // The first is out: the next would know nothing of it, nor does one that is translated.
    let busy = json!({"error": {"type": "server_error", "code": "server_is_overloaded", "message": "because"}});
    upstream.replies(Reply::json(&busy).status(503));
    for model in ["any", "other"] {
        let answer = ask(&gateway, &previous(model, native)).status(503);
        assert!(answer.text().contains("because") || model == "other", "{}", answer.text());
    }
    assert!(upstream.requests().iter().all(|seen| seen.path.starts_with("/one/")));
    assert!(!upstream.requests().is_empty());
}

#[test]
fn after_a_restart_what_was_stored_is_not_found_and_its_name_goes_nowhere() {
    let upstream = upstream();
    let setup = two(("one", "responses"), ("two", "messages"), &upstream);
    let setup = Arc::new(setup.with("/models", json!({"any": ["one:m", "two:m"]})));
    let gateway = Gateway::in_home(&setup);
    let answer = ask(&gateway, &body("two:m", json!("Look."))).status(200).json();
    drop(gateway);
    let gateway = Gateway::in_home(&setup);
    let sent = upstream.requests().len();
    not_found(ask(&gateway, &previous("any", answer["id"].as_str().unwrap())), true);
    not_found(ask(&gateway, &item("any", answer["output"][1]["id"].as_str().unwrap())), false);
    assert_eq!(upstream.requests().len(), sent);
}

#[test]
fn what_a_chatgpt_plan_does_not_keep_the_gateway_keeps() {
    for stream in [true, false] {
        let first = Turn::reasons("sealed").then(Turn::says("one"));
        let chatgpt =
            ChatGpt::start().turn(first).turn(Turn::says("two")).turn(Turn::says("three")).turn(Turn::says("four"));
        let gateway = Gateway::start().with_chatgpt(&chatgpt).run();
        let say = |text: &str| json!({"role": "user", "content": text});
        let mut body = json!({"model": "openai-codex:gpt-5.5", "stream": stream, "input": [say("hello")]});
        let whole = response(&ask(&gateway, &body).status(200));
        let said = chatgpt.last().json()["input"].clone();

        // As the Vercel AI SDK goes on: what was answered is named.
        let mut named = vec![say("hello")];
        let output = items(&whole, &gateway);
        named.extend(output.iter().map(|item| json!({"type": "item_reference", "id": item["id"]})));
        named.push(say("go on"));
        body["input"] = named.into();
        ask(&gateway, &body).status(200).says("two");
        let input = chatgpt.last().json()["input"].clone();
        assert_eq!(input[0], said[0], "{input}");
        assert_eq!(input[1]["encrypted_content"], "sealed", "{input}");
        assert_eq!(input[2]["content"][0]["text"], "one", "{input}");

        // And by the name of the whole.
        body["input"] = json!([say("go on")]);
        body["previous_response_id"] = whole["id"].clone();
        ask(&gateway, &body).status(200).says("three");
        assert_eq!(chatgpt.last().json()["input"], input);
        chatgpt.refused_nothing();

        // Who says that nothing is to be stored is taken at their word.
        body = json!({"model": "openai-codex:gpt-5.5", "stream": stream, "store": false, "input": [say("hello")]});
        let whole = response(&ask(&gateway, &body).status(200));
        gateway.get(&format!("/v1/responses/{}", whole["id"].as_str().unwrap())).send().status(404);
    }
}

/// What is stored of a response's output.
fn items(response: &Value, gateway: &Gateway) -> Vec<Value> {
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    gateway.get(&path).send().status(200).json()["output"].as_array().unwrap().clone()
}
