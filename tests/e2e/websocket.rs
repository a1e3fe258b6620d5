//! Responses over a WebSocket: who may open one, its turns and what they go on from, its errors, and how it ends.

use std::sync::atomic::{AtomicUsize, Ordering};

use bitrouter_tests::{Gateway, Reply, Seen, Upstream, WebSocket, eventually};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::translated::two;

/// What a turn ends with.
const ENDS: [&str; 2] = ["response.completed", "error"];

/// What a client says next.
fn create(model: &str, previous: Option<&str>, input: Value) -> Value {
    json!({
        "type": "response.create", "model": model, "previous_response_id": previous, "input": input, "stream": true,
        "store": false, "tools": [], "instructions": "Be brief.",
    })
}

fn said(text: &str) -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]})
}

fn event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

fn item(text: &str) -> Value {
    let content = json!([{"type": "output_text", "text": text, "annotations": []}]);
    json!({"type": "message", "id": "msg_up", "role": "assistant", "status": "completed", "content": content})
}

/// The events of an answer of Responses.
fn answer(id: &str, text: &str) -> Reply {
    let response = |status: &str, output: Value| {
        json!({"id": id, "object": "response", "status": status, "model": "m", "output": output,
            "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}})
    };
    let delta = json!({"type": "response.output_text.delta", "item_id": "msg_up", "output_index": 0, "delta": text});
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item(text)});
    Reply::sse()
        .send(event(&json!({"type": "response.created", "response": response("in_progress", json!([]))})))
        .send(event(&delta))
        .send(event(&done))
        // As the ChatGPT backend has it: the output is in the items alone.
        .send(event(&json!({"type": "response.completed", "response": response("completed", json!([]))})))
}

/// An upstream of Responses that answers turn after turn.
fn counting() -> Upstream {
    let upstream = Upstream::start();
    let count = AtomicUsize::new(0);
    upstream.follows(move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        answer(&format!("resp_up{number}"), &format!("answer {number}"))
    });
    upstream
}

fn over_openai(upstream: &Upstream) -> Gateway {
    Gateway::start().with_openai_at(upstream).run()
}

/// The texts of a request's input.
fn inputs(seen: &Seen) -> Vec<String> {
    let body = seen.json();
    let items = body["input"].as_array().unwrap();
    items.iter().map(|item| item["content"][0]["text"].as_str().or(item["output"].as_str()).unwrap().into()).collect()
}

fn id(turn: &[Value]) -> &str {
    turn.last().unwrap()["response"]["id"].as_str().unwrap()
}

#[test]
fn a_prewarm_is_answered_here_and_each_turn_goes_up_with_the_whole_conversation() {
    let upstream = counting();
    let gateway = over_openai(&upstream);
    let mut socket = gateway.websocket();
    let mut warm = create("openai:gpt-5", None, json!([said("the developer's word")]));
    warm["generate"] = json!(false);
    let warmed = socket.sends(&warm).until(&ENDS);
    let kinds: Vec<_> = warmed.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["response.created", "response.completed"]);
    let response = &warmed[1]["response"];
    assert_eq!((&response["output"], &response["usage"]["total_tokens"]), (&json!([]), &json!(0)));
    assert!(upstream.requests().is_empty(), "nobody was asked");

    let mut previous = id(&warmed).to_owned();
    let mut told = vec!["the developer's word".to_owned()];
    for number in 0..4 {
        let new = format!("question {number}");
        let turn = socket.sends(&create("openai:gpt-5", Some(&previous), json!([said(&new)]))).until(&ENDS);
        assert_eq!(turn.last().unwrap()["type"], "response.completed", "{turn:?}");
        assert_eq!(turn[1]["delta"], format!("answer {number}"), "the events are those of the upstream");
        told.push(new);
        let seen = upstream.last();
        assert_eq!((seen.method.as_str(), seen.path.as_str(), inputs(&seen)), ("POST", "/v1/responses", told.clone()));
        let body = seen.json();
        assert_eq!((&body["stream"], &body["store"], &body["model"]), (&json!(true), &json!(false), &json!("gpt-5")));
        for gone in ["type", "generate", "previous_response_id"] {
            assert_eq!(body.get(gone), None, "{gone}");
        }
        told.push(format!("answer {number}"));
        previous = id(&turn).to_owned();
    }
    // An earlier answer can be gone on from, too.
    socket.sends(&create("openai:gpt-5", Some("resp_up0"), json!([said("again")]))).until(&ENDS);
    assert_eq!(inputs(&upstream.last()), ["the developer's word", "question 0", "answer 0", "again"]);
}

#[test]
fn a_conversation_goes_on_at_a_target_of_another_dialect_and_after_failover() {
    let upstream = Upstream::start();
    let limited = || Reply::json(&json!({"error": {"code": "rate_limit_exceeded", "message": "Slow."}})).status(429);
    let count = AtomicUsize::new(0);
    upstream.follows(move |seen| match seen.path.starts_with("/one/") {
        true => match count.fetch_add(1, Ordering::SeqCst) {
            0 => answer("resp_one", "first"),
            _ => limited(),
        },
        false => {
            let chunk = |delta: Value, finish: Value| {
                let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
                format!("data: {}\n\n", json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}))
            };
            let text = chunk(json!({"role": "assistant", "content": "second"}), Value::Null);
            Reply::sse().send(text).send(chunk(json!({}), json!("stop"))).send("data: [DONE]\n\n")
        }
    });
    let gateway = two(("one", "responses"), ("two", "chat-completions"), &upstream)
        .with("/models", json!({"any": ["one:m", "two:m"]}))
        .run();
    let mut socket = gateway.websocket();
    let first = socket.sends(&create("any", None, json!([said("Hello.")]))).until(&ENDS);
    let second = socket.sends(&create("any", Some(id(&first)), json!([said("Go on.")]))).until(&ENDS);
    assert!(second.iter().any(|event| event["delta"] == "second"), "{second:?}");
    assert!(second.iter().all(|event| event["type"] != "error"), "the client reads nothing of the first target");
    let body = upstream.last().json();
    let told = body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| &message["content"])
        .map(|content| content.as_str().or(content[0]["text"].as_str()).unwrap_or_else(|| panic!("{body}")));
    assert_eq!(told.collect::<Vec<_>>(), ["Be brief.", "Hello.", "first", "Go on."]);
    // And on from there, by the id that the gateway gave.
    socket.sends(&create("two:m", Some(id(&second)), json!([said("More.")]))).until(&ENDS);
    assert_eq!(upstream.last().json()["messages"].as_array().unwrap().len(), 6);
}

#[test]
fn a_turn_that_fails_has_a_status_and_takes_what_it_went_on_from_with_it() {
    let upstream = counting();
    let gateway = over_openai(&upstream);
    let mut socket = gateway.websocket();
    let first = socket.sends(&create("openai:gpt-5", None, json!([said("Hello.")]))).until(&ENDS);
    let first = id(&first).to_owned();
    let error = json!({"type": "invalid_request_error", "code": "bad", "param": "input", "message": "No."});
    upstream.replies(Reply::json(&json!({ "error": error })).status(400).header("x-request-id", "up-1"));
    let failed = socket.sends(&create("openai:gpt-5", Some(&first), json!([said("Go on.")]))).message();
    assert_eq!((&failed["type"], &failed["status"], &failed["error"]), (&json!("error"), &json!(400), &error));
    assert_eq!(
        (&failed["headers"]["x-request-id"], &failed["headers"]["x-bitrouter-provider"]),
        (&json!("up-1"), &json!("openai"))
    );
    upstream.replies(answer("resp_new", "fine"));
    let gone = socket.sends(&create("openai:gpt-5", Some(&first), json!([said("Go on.")]))).message();
    assert_eq!((&gone["status"], &gone["error"]["code"]), (&json!(400), &json!("previous_response_not_found")));
    let whole = json!([said("Hello."), item("answer 0"), said("Go on.")]);
    let again = socket.sends(&create("openai:gpt-5", None, whole)).until(&ENDS);
    assert_eq!(id(&again), "resp_new");
}

#[test]
fn what_is_said_on_one_connection_is_known_on_no_other() {
    let upstream = counting();
    let gateway = over_openai(&upstream);
    let mut warm = create("openai:gpt-5", None, json!([said("Hello.")]));
    warm["generate"] = json!(false);
    let mut socket = gateway.websocket();
    let warmed = socket.sends(&warm).until(&ENDS);
    let mut other = gateway.websocket();
    let unknown = other.sends(&create("openai:gpt-5", Some(id(&warmed)), json!([]))).message();
    assert_eq!(unknown["error"]["code"], "previous_response_not_found");
    let by_post = create("openai:gpt-5", Some(id(&warmed)), json!([]));
    gateway.post("/v1/responses").json(&by_post).send().status(400).says("previous_response_not_found");
    assert!(upstream.requests().is_empty());
    // What a caller was answered over HTTP and has stored can be gone on from here.
    let stored = json!({"model": "two:m", "input": "Hello.", "stream": false});
    let chat = Upstream::start();
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "Yes?"}, "finish_reason": "stop"});
    chat.answers(json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}));
    let gateway = two(("one", "responses"), ("two", "chat-completions"), &chat).run();
    let kept = gateway.post("/v1/responses").json(&stored).send().status(200).json();
    chat.replies(Reply::sse().send("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"));
    let mut socket = gateway.websocket();
    let turn = create("two:m", kept["id"].as_str(), json!([said("Go on.")]));
    assert_eq!(socket.sends(&turn).until(&ENDS).last().unwrap()["type"], "response.completed");
    assert_eq!(chat.last().json()["messages"].as_array().unwrap().len(), 4);
}

#[test]
fn whoever_may_not_ask_opens_no_websocket_and_what_begins_none_is_said() {
    let key = "a-key-of-sixteen-letters";
    let gateway = Gateway::start().with("/server/keys", json!([key])).run();
    let open = |path: &str, headers: &[(&str, &str)]| WebSocket::open(gateway.address(), path, headers);
    let bearer = format!("Bearer {key}");
    let refused = |headers: &[(&str, &str)]| open("/v1/responses", headers).err().unwrap();
    assert_eq!(refused(&[]).0, 401);
    assert!(refused(&[("authorization", "Bearer another")]).1.contains("gateway_key_missing"));
    assert_eq!(refused(&[("authorization", &bearer), ("origin", "https://evil.example")]).0, 403);
    assert_eq!(refused(&[("authorization", &bearer), ("host", "evil.example")]).0, 403);
    let (status, body) = refused(&[("authorization", &bearer), ("sec-websocket-version", "8")]);
    assert!(status == 400 && body.contains("websocket_handshake_invalid"), "{status} {body}");
    assert_eq!(open("/v1/chat/completions", &[("authorization", &bearer)]).err().unwrap().0, 426);
    assert!(open("/v1/responses", &[("authorization", &bearer)]).is_ok());
}

#[test]
fn what_is_not_understood_is_answered_with_a_status_and_the_connection_goes_on() {
    let upstream = counting();
    let gateway = over_openai(&upstream);
    let mut socket = gateway.websocket();
    for (message, param) in [
        (json!({"type": "response.cancel"}), "type"),
        (json!({"model": "openai:gpt-5"}), "type"),
        (json!({"type": "response.create", "model": "openai:gpt-5", "stream_id": "a"}), "stream_id"),
        (json!({"type": "response.create"}), "model"),
        (json!({"type": "response.create", "model": "no-such:model"}), "model"),
    ] {
        let error = socket.sends(&message).message();
        let is_client_error = matches!(error["status"].as_u64(), Some(400 | 404));
        assert!(error["type"] == "error" && is_client_error && error["error"]["param"] == param, "{message}: {error}");
    }
    socket.sends(&json!({"type": "response.processed", "response_id": "resp_1"}));
    let turn = socket.sends(&create("openai:gpt-5", None, json!([said("Hello.")]))).until(&ENDS);
    assert_eq!(id(&turn), "resp_up0");
    let error = socket.sends_raw(Message::binary(vec![1, 2])).message();
    assert_eq!(error["status"], 400);
    assert_eq!(socket.is_closed_with(), 1003);
}

#[test]
fn a_ping_is_answered_while_an_answer_is_waited_for_and_two_requests_are_answered_one_after_the_other() {
    let upstream = Upstream::start();
    let gateway = over_openai(&upstream);
    let first =
        event(&json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "one"}));
    let last = event(&json!({"type": "response.completed", "response": {"id": "resp_1", "output": []}}));
    upstream.replies(Reply::sse().send(first).pause(500).send(last));
    let mut socket = gateway.websocket();
    let turn = create("openai:gpt-5", None, json!([said("Hello.")]));
    assert_eq!(socket.sends(&turn).message()["delta"], "one");
    assert_eq!(socket.sends_raw(Message::Ping("are you there".into())).frame(), Message::Pong("are you there".into()));
    socket.sends(&json!({"type": "response.cancel"}));
    assert_eq!(socket.sends(&turn).message()["status"], 400, "it is told at once");
    let kinds: Vec<_> = (0..3).map(|_| socket.message()["type"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["response.completed", "response.output_text.delta", "response.completed"]);
}

#[test]
fn a_client_that_leaves_has_its_answer_cancelled_at_once() {
    let upstream = Upstream::start();
    let gateway = over_openai(&upstream);
    let delta = event(&json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "x"}));
    for (reply, content) in [(Reply::silence(), false), (Reply::sse().send(delta).wait_until_gone(), true)] {
        upstream.replies(reply);
        let (asked, before) = (upstream.requests().len(), upstream.hung_up());
        let mut socket = gateway.websocket();
        socket.sends(&create("openai:gpt-5", None, json!([said("Hello.")])));
        if content {
            socket.message();
        }
        assert!(eventually(|| upstream.requests().len() > asked));
        drop(socket);
        assert!(eventually(|| upstream.hung_up() > before), "the upstream still answers");
    }
    assert!(eventually(|| gateway.status()["requests"].as_array().is_none_or(Vec::is_empty)));
}

#[test]
fn an_answer_that_breaks_off_is_told_and_the_connection_goes_on() {
    let upstream = Upstream::start();
    let gateway = over_openai(&upstream);
    let delta = event(&json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "x"}));
    upstream.replies(Reply::sse().send(delta).cut());
    let mut socket = gateway.websocket();
    let turn = create("openai:gpt-5", None, json!([said("Hello.")]));
    let broken = socket.sends(&turn).until(&["error"]);
    assert_eq!((&broken[0]["delta"], &broken[1]["status"]), (&json!("x"), &json!(502)), "{broken:?}");
    upstream.replies(answer("resp_2", "whole"));
    assert_eq!(id(&socket.sends(&turn).until(&["response.completed"])), "resp_2");
}

#[test]
fn a_message_beyond_the_limit_of_a_body_is_refused_with_its_size() {
    let upstream = counting();
    let gateway = Gateway::start().with_openai_at(&upstream).with("/server/body_limit", json!(1 << 20)).run();
    let mut socket = gateway.websocket();
    let most = "x".repeat((1 << 20) - 400);
    let turn = socket.sends(&create("openai:gpt-5", None, json!([said(&most)]))).until(&ENDS);
    assert_eq!(id(&turn), "resp_up0");
    // With the conversation before it the request is too long, though the message is not.
    let error = socket.sends(&create("openai:gpt-5", Some("resp_up0"), json!([said(&"y".repeat(4096))]))).message();
    assert_eq!(error["status"], 413);
    let error = socket.sends(&create("openai:gpt-5", None, json!([said(&"x".repeat(2 << 20))]))).message();
    assert_eq!(error["status"], 413, "{error}");
    assert_eq!(socket.is_closed_with(), 1009);
}

#[test]
fn messages_that_are_not_whole_hold_no_more_than_all_bodies_may() {
    let upstream = counting();
    let gateway = Gateway::start()
        .with_openai_at(&upstream)
        .with("/server/body_limit", json!(4 << 20))
        .with("/server/bodies_limit", json!(12 << 20))
        .run();
    // The head of a masked text frame of 4 MB less a byte, and all of it but the end.
    let length = ((4_u64 << 20) - 1).to_be_bytes();
    let head = [&[0x81, 0x80 | 127][..], &length, &[0, 0, 0, 0]].concat();
    let body = vec![b' '; (4 << 20) - 1000];
    let sockets: Vec<_> = (0..8)
        .map(|_| {
            let mut socket = gateway.websocket();
            socket.writes_what_is_taken(&head).writes_what_is_taken(&body);
            socket
        })
        .collect();
    let held = gateway.status()["bodies"].clone();
    assert!(held["used"].as_u64().unwrap() <= 12 << 20, "{held}");
    let turn = gateway.websocket().sends(&create("openai:gpt-5", None, json!([said("Hello.")]))).until(&ENDS);
    assert_eq!(turn.last().unwrap()["type"], "response.completed", "small ones still get in");
    drop(sockets);
}

#[test]
fn a_client_that_reads_late_reads_all_of_a_long_answer() {
    let upstream = Upstream::start();
    let gateway = over_openai(&upstream);
    let text = "x".repeat(64 << 10);
    let delta = event(&json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": text}));
    let pieces = 1024;
    let reply = (0..pieces).fold(Reply::sse(), |reply, _| reply.send(delta.clone()));
    upstream.replies(reply.send(event(&json!({"type": "response.completed", "response": {"id": "r", "output": []}}))));
    let before = resident(&gateway);
    let mut socket = gateway.websocket();
    socket.sends(&create("openai:gpt-5", None, json!([said("Hello.")])));
    assert_eq!(socket.message()["type"], "response.output_text.delta");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let grown = resident(&gateway).saturating_sub(before);
    assert!(grown < 40 << 10, "the gateway holds {grown} kB of an answer of 64 MB that nobody reads");
    assert_eq!(socket.until(&["response.completed"]).len(), pieces);
}

/// What a gateway holds in memory, in kB; nothing where the system does not say.
fn resident(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[test]
fn many_connections_have_their_turns_side_by_side() {
    let upstream = counting();
    let gateway = over_openai(&upstream);
    let mut sockets: Vec<_> = (0..200).map(|_| gateway.websocket()).collect();
    for _ in 0..2 {
        for socket in &mut sockets {
            socket.sends(&create("openai:gpt-5", None, json!([said("Hello.")])));
        }
        for socket in &mut sockets {
            assert_eq!(socket.until(&ENDS).len(), 4);
        }
    }
    drop(sockets);
    assert_eq!(upstream.requests().len(), 400);
}

#[test]
fn a_connection_ends_between_two_answers_where_the_gateway_is_configured_anew() {
    let upstream = Upstream::start();
    let mut gateway = over_openai(&upstream);
    let delta = event(&json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "x"}));
    let last = event(&json!({"type": "response.completed", "response": {"id": "r", "output": []}}));
    upstream.replies(Reply::sse().send(delta).pause(1500).send(last));
    let (mut idle, mut busy) = (gateway.websocket(), gateway.websocket());
    assert_eq!(busy.sends(&create("openai:gpt-5", None, json!([said("Hello.")]))).message()["delta"], "x");
    gateway.configure("/models", json!({"x": ["openai:gpt-5"]}));
    assert_eq!(idle.is_closed_with(), 1012);
    assert_eq!(busy.message()["type"], "response.completed");
    assert_eq!(busy.is_closed_with(), 1012);
}

#[cfg(unix)]
#[test]
fn a_gateway_that_stops_lets_an_answer_finish_and_tells_its_clients() {
    let upstream = Upstream::start();
    let mut gateway = over_openai(&upstream);
    let delta = event(&json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "x"}));
    let last = event(&json!({"type": "response.completed", "response": {"id": "r", "output": []}}));
    upstream.replies(Reply::sse().send(delta.clone()).pause(500).send(last));
    let (mut idle, mut busy) = (gateway.websocket(), gateway.websocket());
    let turn = create("openai:gpt-5", None, json!([said("Hello.")]));
    assert_eq!(busy.sends(&turn).message()["delta"], "x");
    gateway.stop();
    assert_eq!(idle.is_closed_with(), 1001);
    assert_eq!(busy.message()["type"], "response.completed");
    assert_eq!(busy.is_closed_with(), 1001);
    assert!(gateway.ends_well(), "{}", gateway.log());

    // One that goes on for too long is cut, and its client is told so.
    let mut gateway = Gateway::start().with_openai_at(&upstream).with("/server/drain_ms", json!(200)).run();
    upstream.replies(Reply::sse().send(delta).wait_until_gone());
    let mut busy = gateway.websocket();
    assert_eq!(busy.sends(&turn).message()["delta"], "x");
    gateway.stop();
    assert_eq!(busy.until(&["error"]).last().unwrap()["status"], 502);
    assert!(gateway.ends_well(), "{}", gateway.log());
}

#[test]
fn an_upstream_that_speaks_over_a_websocket_is_sent_only_what_is_new() {
    let upstream = counting();
    upstream.speaks_websockets();
    let gateway = over_openai(&upstream);
    let mut socket = gateway.websocket();
    let mut warm = create("openai:gpt-5", None, json!([said("the developer's word")]));
    warm["generate"] = json!(false);
    let mut previous = id(&socket.sends(&warm).until(&ENDS)).to_owned();
    let mut told = vec!["the developer's word".to_owned()];
    for number in 0..3 {
        let new = format!("question {number}");
        let turn = socket.sends(&create("openai:gpt-5", Some(&previous), json!([said(&new)]))).until(&ENDS);
        assert_eq!(turn[1]["delta"], format!("answer {number}"), "{turn:?}");
        told.extend([new, format!("answer {number}")]);
        assert_eq!(inputs(&upstream.last()), told[..told.len() - 1]);
        previous = id(&turn).to_owned();
    }
    let messages = upstream.messages();
    let lengths: Vec<_> = messages.iter().map(|message| message["input"].as_array().unwrap().len()).collect();
    // What was only said beforehand goes up with the first question.
    assert_eq!((upstream.handshakes(), lengths), (1, vec![2, 1, 1]));
    assert!(messages[0].get("previous_response_id").is_none());
    assert_eq!(messages[2]["previous_response_id"], "resp_up1");
    let seen = upstream.last();
    assert_eq!(seen.header("openai-beta"), Some("responses_websockets=2026-02-06"));
    assert_eq!(seen.header("authorization"), Some(format!("Bearer {}", bitrouter_tests::KEY).as_str()));
    assert!(seen.path == "/v1/responses" && seen.json()["model"] == "gpt-5");
    // Another connection has a WebSocket of its own, and a POST has none.
    gateway.websocket().sends(&create("openai:gpt-5", None, json!([said("x")]))).until(&ENDS);
    let by_post = json!({"model": "openai:gpt-5", "input": [said("x")], "stream": true});
    gateway.post("/v1/responses").json(&by_post).send().status(200);
    assert_eq!((upstream.handshakes(), upstream.messages().len(), upstream.requests().len()), (2, 4, 5));
    // Its client gone, it goes too.
    drop(socket);
    assert!(eventually(|| upstream.closed_websockets() == 2), "a WebSocket to the upstream is left open");
}

#[test]
fn an_upstream_without_websockets_is_asked_by_post_and_not_for_one_again() {
    let upstream = counting();
    let gateway = over_openai(&upstream);
    for _ in 0..2 {
        let mut socket = gateway.websocket();
        for _ in 0..2 {
            let turn = socket.sends(&create("openai:gpt-5", None, json!([said("Hello.")]))).until(&ENDS);
            assert_eq!(turn.last().unwrap()["type"], "response.completed");
        }
    }
    assert_eq!((upstream.handshakes(), upstream.requests().len()), (1, 4));
}

#[test]
fn a_websocket_to_an_upstream_that_is_lost_or_too_old_costs_a_longer_message_and_no_turn() {
    let upstream = counting();
    upstream.speaks_websockets_for(1);
    let gateway = over_openai(&upstream);
    let mut socket = gateway.websocket();
    let first = socket.sends(&create("openai:gpt-5", None, json!([said("one")]))).until(&ENDS);
    let second = socket.sends(&create("openai:gpt-5", Some(id(&first)), json!([said("two")]))).until(&ENDS);
    assert_eq!(second.last().unwrap()["type"], "response.completed", "{second:?}");
    assert_eq!(inputs(&upstream.last()), ["one", "answer 0", "two"]);
    assert_eq!(upstream.handshakes(), 2);

    // Cut between two turns, and within one before its content.
    let upstream = Upstream::start();
    upstream.speaks_websockets();
    let count = AtomicUsize::new(0);
    upstream.follows(move |_| match count.fetch_add(1, Ordering::SeqCst) {
        0 => answer("resp_0", "zero").cut(),
        1 => answer("resp_1", "one"),
        2 => Reply::sse().cut(),
        number => answer(&format!("resp_{number}"), "more"),
    });
    let gateway = over_openai(&upstream);
    let mut socket = gateway.websocket();
    let mut previous = None;
    for turns in 1..=3 {
        let turn = create("openai:gpt-5", previous.as_deref(), json!([said(&format!("question {turns}"))]));
        let turn = socket.sends(&turn).until(&ENDS);
        assert_eq!(turn.last().unwrap()["type"], "response.completed", "{turn:?}");
        assert_eq!(inputs(&upstream.last()).len(), 2 * turns - 1);
        previous = Some(id(&turn).to_owned());
    }
}

#[test]
fn an_error_over_the_upstreams_websocket_moves_on_as_an_answer_with_its_status_does() {
    let (first, second) = (Upstream::start(), counting());
    first.speaks_websockets();
    let limit = json!({"error": {"type": "usage_limit_reached", "code": "usage_limit_reached", "message": "Later."}});
    first.replies(Reply::json(&limit).status(429).header("retry-after", "60"));
    let gateway = Gateway::start()
        .with_openai_at(&first)
        .with_plugin("echo")
        .with_origin("echo", &second)
        .with("/models", json!({"any": ["openai:gpt-5", "echo:a"]}))
        .run();
    let mut socket = gateway.websocket();
    let turn = socket.sends(&create("any", None, json!([said("Hello.")]))).until(&ENDS);
    assert_eq!(turn.last().unwrap()["type"], "response.completed", "{turn:?}");
    assert_eq!((first.messages().len(), second.requests().len()), (1, 1));
    let told = socket.sends(&create("openai:gpt-5", None, json!([said("Hello.")]))).message();
    assert_eq!((&told["status"], &told["error"]["code"]), (&json!(429), &json!("usage_limit_reached")), "{told}");
    assert_eq!(told["headers"]["retry-after"], "60");
}

#[test]
fn an_upstreams_websocket_that_breaks_off_after_content_is_told_and_a_client_that_leaves_closes_it() {
    let upstream = Upstream::start();
    upstream.speaks_websockets();
    let gateway = over_openai(&upstream);
    let delta = event(&json!({"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "delta": "x"}));
    upstream.replies(Reply::sse().send(delta.clone()).cut());
    let mut socket = gateway.websocket();
    let turn = create("openai:gpt-5", None, json!([said("Hello.")]));
    let broken = socket.sends(&turn).until(&["error"]);
    assert_eq!((&broken[0]["delta"], &broken[1]["status"]), (&json!("x"), &json!(502)), "{broken:?}");
    upstream.replies(Reply::sse().send(delta).wait_until_gone());
    let mut socket = gateway.websocket();
    assert_eq!(socket.sends(&turn).message()["delta"], "x");
    drop(socket);
    assert!(eventually(|| upstream.hung_up() == 1), "the upstream still answers");
}
