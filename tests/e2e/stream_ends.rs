//! How a stream ends for its client: with the dialect's last word and cleanly, or told that it is not whole. Whatever the
//! upstream's connection does about it.

use std::time::{Duration, Instant};

use bitrouter_tests::{Answer, Gateway, Reply, Upstream, eventually};
use serde_json::{Value, json};

use crate::dialects::{DIALECTS, Wire, ask, data, echo_at};

/// How a body says where it ends.
const FRAMINGS: [&str; 3] = ["chunked", "length", "close"];

/// An answer that ends cleanly behind this text.
fn ends_behind(text: &str, framing: &str) -> Reply {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    Reply::raw(match framing {
        "chunked" => format!("{head}transfer-encoding: chunked\r\n\r\n{:x}\r\n{text}\r\n0\r\n\r\n", text.len()),
        "length" => format!("{head}content-length: {}\r\n\r\n{text}", text.len()),
        _ => format!("{head}\r\n{text}"),
    })
}

/// The data of the last event.
#[track_caller]
fn last(answer: &Answer) -> Value {
    let text = answer.text();
    let data = text.trim_end().rsplit("data: ").next().unwrap();
    serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The sentence of an error that clients of the dialect know.
#[track_caller]
fn told(wire: Wire, answer: &Answer) -> String {
    let (event, text) = (last(answer), answer.text());
    let name = text.trim_end().rsplit("\n\n").next().unwrap().lines().next().unwrap().to_owned();
    let error = match wire.path {
        "/v1/responses" => {
            assert_eq!(name, "event: response.failed", "{text}");
            assert!(text.contains("\nevent: error\n"), "{text}");
            &event["response"]["error"]
        }
        "/v1/messages" => {
            assert_eq!((name.as_str(), &event["type"]), ("event: error", &json!("error")), "{text}");
            &event["error"]
        }
        _ => &event["error"],
    };
    error["message"].as_str().unwrap_or_else(|| panic!("no message: {text}")).to_owned()
}

#[test]
fn half_an_answer_that_ends_cleanly_is_not_given_as_a_whole_one() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    for wire in DIALECTS {
        for framing in FRAMINGS {
            let half = [data(wire.preamble), data(wire.content)].concat();
            upstream.replies(ends_behind(&half, framing));
            let answer = ask(&gateway, wire, &["echo:a"], true).status(200);
            assert!(told(wire, &answer).contains("without saying that it is whole"), "{}", answer.text());
            assert!(answer.text().starts_with(&half) && !answer.complete, "{} {framing}", wire.path);
            upstream.replies(ends_behind(&[half, data(wire.last)].concat(), framing));
            let whole = ask(&gateway, wire, &["echo:a"], true).status(200);
            assert!(whole.complete && whole.text().ends_with(&data(wire.last)), "{} {framing}", wire.path);
        }
    }
    gateway.logs("ended without saying that it is whole").logs("outcome=\"failed\"").logs("outcome=\"complete\"");
}

#[test]
fn an_error_in_a_stream_of_responses_has_its_id_and_the_next_number() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    let events = [
        json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_7"}}),
        json!({"type": "response.output_text.delta", "sequence_number": 1, "delta": "half"}),
    ];
    upstream.streams(&events.map(|event| data(&event.to_string())).each_ref().map(String::as_str));
    let answer = ask(&gateway, DIALECTS[1], &["echo:a"], true);
    let failed = last(&answer);
    assert_eq!((&failed["response"]["id"], &failed["sequence_number"]), (&json!("resp_7"), &json!(3)));
}

#[test]
fn an_answer_ends_with_its_last_word_although_the_connection_stays_open() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    for (at, wire) in DIALECTS.into_iter().enumerate() {
        for end in [wire.last, wire.error] {
            let text = [data(wire.preamble), data(wire.content), data(end)].concat();
            upstream.replies(Reply::sse().send(text.as_str()).wait_until_gone());
            let start = Instant::now();
            ask(&gateway, wire, &["echo:a"], true).status(200).is(&text);
            assert!(start.elapsed() < Duration::from_secs(20), "it ended with its connection");
        }
        // The same holds for a document.
        let document = Reply::body("application/json", "").chunked().send("{\"said\":\"all\"}").wait_until_gone();
        upstream.replies(document);
        ask(&gateway, wire, &["echo:a"], false).status(200).is("{\"said\":\"all\"}");
        assert!(eventually(|| upstream.hung_up() == 3 * (at + 1)), "the upstream is let go");
    }
    gateway.logs("outcome=\"complete\"").logs("because");
}

#[test]
fn a_document_that_a_stage_gathers_ends_with_its_last_brace() {
    let upstream = Upstream::start();
    let gateway =
        Gateway::start().with_openai_at(&upstream).with_plugin("shaping").with_origin("shaping", &upstream).run();
    let document = |body: Value| {
        let body = body.to_string();
        upstream.replies(Reply::body("application/json", "").chunked().send(body.as_str()).wait_until_gone());
    };
    let ask = |path: &str, model: &str| {
        let messages = json!([{"role": "user", "content": "hi"}]);
        let body = json!({"model": model, "messages": messages, "input": "hi", "max_tokens": 9});
        let start = Instant::now();
        let answer = gateway.post(path).json(&body).send().status(200).json();
        assert!(start.elapsed() < Duration::from_secs(20), "{path} of {model} ended with its connection");
        answer
    };
    // Translated, looked through for ids, and shaped.
    let text = json!({"type": "output_text", "text": "all", "annotations": []});
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant", "content": [text]});
    document(json!({"id": "resp_1", "object": "response", "status": "completed", "output": [message]}));
    assert_eq!(ask("/v1/messages", "openai:gpt-5")["content"][0]["text"], "all");
    assert_eq!(ask("/v1/responses", "openai:gpt-5")["id"], "resp_1");
    document(json!({"said": "all", "heard": 1}));
    assert_eq!(ask("/v1/chat/completions", "shaping:m")["choices"][0]["message"]["content"], "all");
}

#[test]
fn a_connection_whose_answer_ends_soon_after_its_last_word_is_used_again() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    let wire = DIALECTS[0];
    upstream.replies(Reply::sse().send(data(wire.content)).send(data(wire.last)).pause(15));
    for _ in 0..3 {
        ask(&gateway, wire, &["echo:a"], true).status(200);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn each_endpoint_that_streams_has_its_own_last_word_or_none() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let form = "--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nopenai:whisper-1\r\n--b\r\ncontent-disposition: \
                form-data; name=\"stream\"\r\n\r\ntrue\r\n--b--\r\n";
    let post = |path: &str| match path {
        "/v1/audio/transcriptions" | "/v1/audio/translations" => {
            gateway.post(path).body("multipart/form-data; boundary=b", form).send()
        }
        _ => gateway.post(path).json(&json!({"model": "openai:m", "stream": true, "prompt": "x", "input": "x"})).send(),
    };
    let event = |name: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"}}\n\n");
    for (path, some, end) in [
        ("/v1/audio/transcriptions", "transcript.text.delta", "transcript.text.done"),
        ("/v1/audio/speech", "speech.audio.delta", "speech.audio.done"),
        ("/v1/images/generations", "image_generation.partial_image", "image_generation.completed"),
    ] {
        let whole = [event(some), event(end)].concat();
        upstream.streams(&[&whole]);
        post(path).status(200).is(&whole);
        upstream.streams(&[&event(some)]);
        let cut = post(path).status(200);
        assert!(!cut.complete, "{path}: {}", cut.text());
        assert!(told(DIALECTS[0], &cut).contains("whole"), "{path}");
    }
    // A server with a stream of its own kind, and an endpoint without a last word.
    for path in ["/v1/audio/transcriptions", "/v1/audio/translations"] {
        upstream.streams(&["data: {\"text\":\"hello\"}\n\n"]);
        post(path).status(200).is("data: {\"text\":\"hello\"}\n\n");
    }
    let completed = || gateway.log().matches("outcome=\"complete\"").count();
    assert!(eventually(|| completed() == 5), "{}", gateway.log());
}

#[test]
fn an_error_that_clients_do_not_see_is_told_in_their_dialect() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    let object = r#"{"error":{"code":400,"message":"the request exceeds the available context size"}}"#;
    let field = "error: {\"code\":400,\"message\":\"the request exceeds the available context size\"}\n\n";
    for (at, wire) in DIALECTS.into_iter().enumerate() {
        for (which, error) in [field.to_owned(), format!("{object}\n\n")].into_iter().enumerate() {
            let done = data("[DONE]");
            // Behind content: in its place, and nothing that would make it look whole.
            upstream.streams(&[&[data(wire.content), error.clone(), done.clone()].concat()]);
            let answer = ask(&gateway, wire, &[&format!("echo:a{at}{which}")], true).status(200);
            assert_eq!(told(wire, &answer), "the request exceeds the available context size");
            assert!(answer.text().starts_with(&data(wire.content)) && !answer.text().contains("[DONE]"));
            assert!(!answer.complete);
            // Alone: with a status.
            upstream.streams(&[&[error, done].concat()]);
            let alone = ask(&gateway, wire, &[&format!("echo:b{at}{which}")], true);
            assert!(alone.code >= 400, "{}", alone.text());
            assert_eq!(alone.message(), "the request exceeds the available context size");
        }
    }
    gateway.logs("the request exceeds the available context size");
}

#[test]
fn an_error_alone_moves_on_wherever_it_stands() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    upstream.follows(|seen| match seen.json()["model"] == "first" {
        true => Reply::sse().send("error: {\"code\":503,\"message\":\"loading the model\"}\n\ndata: [DONE]\n\n"),
        false => DIALECTS[0].second(true),
    });
    ask(&gateway, DIALECTS[0], &["echo:first", "echo:second"], true).status(200).says("second").never_says("loading");
}

#[test]
fn the_first_bytes_say_how_a_stream_is_framed_and_the_client_is_told() {
    let upstream = Upstream::start();
    let gateway = echo_at(&upstream);
    for wire in DIALECTS {
        let stream = [data(wire.preamble), data(wire.content), data(wire.last)].concat();
        for (kind, begin) in [
            ("application/json", ""),
            ("application/json", ": hello\n\n"),
            ("application/json", "\u{feff}"),
            ("application/json", "\r\n\r\n"),
            ("application/json", "retry: 3\n\n"),
            ("text/plain", ""),
            ("text/html", ""),
            ("text/event-stream", ""),
        ] {
            let text = [begin, &stream].concat();
            let (first, rest) = text.as_bytes().split_at(begin.len() / 2);
            let pieces = [first, rest].into_iter().filter(|piece| !piece.is_empty());
            let reply = Reply::sse().without("content-type").header("content-type", kind);
            upstream.replies(pieces.fold(reply, |reply, piece| reply.send(piece).pause(5)));
            let answer = ask(&gateway, wire, &["echo:a"], true).status(200).is(&text);
            assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{} {kind} {begin:?}", wire.path);
            assert_eq!(answer.header("x-accel-buffering"), Some("no"));
            assert_eq!(answer.header("cache-control"), Some("no-cache"));
        }
        // And the other way round.
        upstream.replies(Reply::sse().send("{\"said\": \"whole\"}"));
        let answer = ask(&gateway, wire, &["echo:a"], true).status(200).is("{\"said\": \"whole\"}");
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    upstream.replies(
        Reply::sse().header("cache-control", "no-store").header("x-accel-buffering", "yes").send("data: [DONE]\n\n"),
    );
    let answer = ask(&gateway, DIALECTS[0], &["echo:a"], true);
    assert_eq!((answer.header("cache-control"), answer.header("x-accel-buffering")), (Some("no-store"), Some("yes")));
}

#[test]
fn a_client_that_never_reads_loses_its_call_to_the_provider() {
    let upstream = Upstream::start();
    for timeouts in [json!({"idle_ms": 700}), json!({"total_ms": 1500})] {
        let wire = DIALECTS[0];
        // More than all buffers on the way hold.
        let much = data(&wire.content.replace("half", &"half".repeat(1 << 18)));
        upstream.replies((0..64).fold(Reply::sse(), |reply, _| reply.send(much.as_str())).wait_until_gone());
        let setup = Gateway::start().with_plugin("echo").with_origin("echo", &upstream);
        let gateway = setup.with("/providers/echo/timeouts", timeouts).run();
        let body = json!({"model": "echo:a", "messages": [], "stream": true});
        let mut client = gateway.post(wire.path).json(&body).open();
        assert_eq!(client.head().0, 200);
        upstream.settles();
        client.leave();
        gateway.logs("outcome=\"failed\"");
    }
}

#[test]
fn a_compressed_answer_is_unpacked_and_keeps_its_status_and_headers() {
    use std::io::Write;
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let wire = DIALECTS[0];
    let ask = |model: &str, streamed: bool| ask(&gateway, wire, &[&format!("openai:{model}")], streamed);
    let packed = |kind: &str, text: &str| Reply::body(kind, gzip(text)).header("content-encoding", "gzip");

    upstream.replies(packed("application/json", "{\"said\":\"whole\"}"));
    let answer = ask("a", false).status(200).is("{\"said\":\"whole\"}");
    assert_eq!(answer.header("content-encoding"), None);
    let stream = [data(wire.content), data(wire.last)].concat();
    upstream.replies(packed("text/event-stream", &stream));
    ask("a", true).status(200).is(&stream);
    // A secret is found, whichever line names the encoding.
    let echo = format!("{{\"said\":\"{}\"}}", bitrouter_tests::KEY);
    for lines in [&["gzip"][..], &["identity", "gzip"], &["", "x-gzip"]] {
        let reply = Reply::body("application/json", gzip(&echo));
        upstream.replies(lines.iter().fold(reply, |reply, line| reply.header("content-encoding", line)));
        ask("a", false).status(200).never_says(bitrouter_tests::KEY).says("[secret]");
        let speech = gateway.post("/v1/audio/speech").json(&json!({"model": "openai:t", "input": "x"})).send();
        speech.status(200).never_says(bitrouter_tests::KEY);
    }
    let cut = Reply::body("application/json", &gzip(&echo)[..20]).header("content-encoding", "gzip");
    upstream.replies(cut);
    ask("b", false).status(502);
    // What is not known is not passed on; a failure is one all the same.
    upstream.replies(Reply::body("application/json", "?").header("content-encoding", "compress"));
    ask("c", false).status(502).says("compress");
    let error = json!({"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}});
    let limited = |reply: Reply| reply.status(429).header("retry-after", "7");
    upstream.replies(limited(Reply::body("application/json", "?").header("content-encoding", "compress")));
    assert_eq!(ask("d", false).status(429).header("retry-after"), Some("7"));
    upstream.replies(limited(packed("application/json", &error.to_string())));
    let other = Gateway::start().with_openai_at(&upstream).run();
    let answer = crate::dialects::ask(&other, wire, &["openai:e"], false).status(429);
    assert_eq!((answer.header("retry-after"), answer.message().as_str()), (Some("7"), "slow down"));
}

#[test]
fn a_failure_reaches_the_client_in_its_dialect_unless_it_is_in_it_already() {
    let upstream = Upstream::start();
    let mut asked = 0;
    for wire in DIALECTS {
        let own = match wire.path {
            "/v1/messages" => json!({"type": "error", "error": {"type": "api_error", "message": "because"}, "x": 1}),
            _ => json!({"error": {"message": "because", "type": "server_error", "x": 1}}),
        };
        for (status, body, code) in [
            (503, own.to_string(), 503),
            (420, "{\"detail\":\"because\"}".to_owned(), 400),
            (599, "because".to_owned(), 503),
            (500, String::new(), 500),
            (400, "[\"because\"]".to_owned(), 400),
            (200, "{\"error\":\"because\"}".to_owned(), 502),
        ] {
            for streamed in [false, true] {
                asked += 1;
                let gateway = echo_at(&upstream);
                upstream
                    .replies(Reply::body("application/json", body.clone()).status(status).header("x-request-id", "r7"));
                let answer = ask(&gateway, wire, &[&format!("echo:m{asked}")], streamed);
                let context = format!("{} {status} {body}: {} {}", wire.path, answer.code, answer.text());
                assert_eq!(answer.code, code, "{context}");
                assert!(!answer.message().is_empty(), "{context}");
                if wire.path == "/v1/messages" {
                    assert_eq!(answer.json()["type"], "error", "{context}");
                }
                assert_eq!(answer.json()["error"]["x"] == 1 || answer.json()["x"] == 1, status == 503, "{context}");
                assert_eq!(answer.header("x-request-id"), Some("r7"), "{context}");
            }
        }
    }
}

/// A gateway whose provider rewrites every stream, and folds it for who asked for none.
fn rewriting_at(upstream: &Upstream) -> Gateway {
    let setup = Gateway::start().with_plugin("rewriting").with_origin("rewriting", upstream);
    setup.with("/providers/rewriting/timeouts/total_ms", json!(1500)).run()
}

const CHUNKS: [&str; 4] = [
    "event: acme.quota\ndata: {\"left\":7}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"he\"}}]}\n\n",
    "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"llo\"},\"finish_reason\":\"stop\"}]}\n\n",
    "data: [DONE]\n\n",
];

#[test]
fn a_rewritten_stream_is_folded_for_a_client_that_asked_for_none() {
    let upstream = Upstream::start();
    let gateway = rewriting_at(&upstream);
    let body = |streamed: bool| json!({"model": "rewriting:rewriting-1", "messages": [], "stream": streamed});
    upstream.streams(&CHUNKS);
    let answer = gateway.chat(&body(false)).status(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "hello");
    let streamed = gateway.chat(&body(true)).status(200);
    assert!(streamed.complete && streamed.text().ends_with("data: [DONE]\n\n"), "{}", streamed.text());
    assert!(!streamed.text().contains("acme"));
    // The provider's own events are observed, by their names, though none of them reaches the client.
    gateway.logs("quota was shown {\\\"left\\\":7}");
    // Nothing folds what is no conversation.
    let embeddings = gateway.post("/v1/embeddings").json(&json!({"model": "rewriting:rewriting-1", "input": "x"}));
    embeddings.send().status(502).says("folding a stream of `embeddings`");
}

#[test]
fn a_secret_that_comes_in_pieces_is_not_put_together_for_a_client() {
    use bitrouter_tests::KEY;
    let upstream = Upstream::start();
    let gateway = Gateway::start()
        .with_plugin("probe")
        .with_origin("probe", &upstream)
        .with_key("PROBE_API_KEY", KEY)
        .trusting("probe")
        .run();
    let (one, other) = KEY.split_at(KEY.len() / 2);
    let delta = |text: &str, reason: Value| {
        let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": reason});
        data(
            &json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})
                .to_string(),
        )
    };
    let stream = [delta(one, Value::Null), delta(other, json!("stop")), data("[DONE]")].concat();
    upstream.follows(move |seen| match seen.path.starts_with("/v1/token") {
        true => Reply::json(&json!({})),
        false => Reply::sse().send(stream.as_str()),
    });
    let body = json!({"model": "probe:probe-1", "messages": []});
    let answer = gateway.post("/v1/chat/completions").header("x-probe-fold", "1").json(&body).send().status(200);
    assert_eq!(answer.json()["choices"][0]["message"]["content"], "[secret]");
}

#[test]
fn a_rewritten_stream_has_the_same_deadlines_and_ends_as_any_other() {
    let upstream = Upstream::start();
    let gateway = rewriting_at(&upstream);
    let body = json!({"model": "rewriting:rewriting-1", "messages": [], "stream": true});
    // It is cut, it drips beyond the total deadline, its connection stays open.
    upstream.streams(&CHUNKS[..2]);
    let cut = gateway.chat(&body).status(200);
    assert!(told(DIALECTS[0], &cut).contains("whole") && !cut.complete, "{}", cut.text());
    upstream.replies((0..200).fold(Reply::sse(), |reply, _| reply.send(CHUNKS[1]).pause(50)));
    let late = gateway.chat(&body).status(200);
    assert!(told(DIALECTS[0], &late).contains("not complete after 1.5 s") && !late.complete, "{}", late.text());
    let before = upstream.hung_up();
    upstream.replies(Reply::sse().send(CHUNKS.concat()).wait_until_gone());
    let open = gateway.chat(&body).status(200);
    assert!(open.complete && open.text().ends_with("[DONE]\n\n"), "{}", open.text());
    assert!(eventually(|| upstream.hung_up() == before + 1));
}
