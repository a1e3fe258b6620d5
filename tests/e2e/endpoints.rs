//! The endpoints: each is there, goes where it should, and keeps its own kind of body.

use bitrouter_tests::{Gateway, KEY, Reply, Upstream};
use serde_json::json;

fn openai_at(upstream: &Upstream) -> Gateway {
    Gateway::start().with_openai_at(upstream).run()
}

#[test]
fn every_json_endpoint_of_openai_is_there() {
    let upstream = Upstream::start();
    upstream.follows(|request| Reply::json(&json!({ "path": request.path })));
    let gateway = openai_at(&upstream);
    for (path, model) in [
        ("/v1/chat/completions", "gpt-4o"),
        ("/v1/responses", "gpt-4o"),
        ("/v1/embeddings", "text-embedding-3-small"),
        ("/v1/completions", "gpt-3.5-turbo-instruct"),
        ("/v1/moderations", "omni-moderation-latest"),
        ("/v1/images/generations", "gpt-image-2"),
        ("/v1/audio/speech", "tts-1"),
    ] {
        let body = json!({"model": format!("openai:{model}"), "input": "x", "x_unknown": true});
        let answer = gateway.post(path).json(&body).send().status(200);
        assert_eq!(answer.json(), json!({ "path": path }));
        let seen = upstream.last();
        assert_eq!(seen.json(), json!({"model": model, "input": "x", "x_unknown": true}), "{path}");
        assert_eq!(seen.header("authorization"), Some(format!("Bearer {KEY}").as_str()), "{path}");
    }
}

#[test]
fn a_responses_stream_comes_back_byte_for_byte() {
    let upstream = Upstream::start();
    let created = json!({"type": "response.created", "sequence_number": 0, "response": {"id": "r"}});
    let delta = json!({"type": "response.output_text.delta", "sequence_number": 1, "delta": "he"});
    let usage = json!({"id": "r", "usage": {"input_tokens": 3, "output_tokens": 4}});
    let completed = json!({"type": "response.completed", "sequence_number": 2, "response": usage});
    let pieces = [created, delta, completed].map(|event| {
        format!(
            "event: {}
data: {event}

",
            event["type"].as_str().unwrap()
        )
    });
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    upstream.streams(&pieces);
    let gateway = openai_at(&upstream);
    let body = json!({"model": "openai:gpt-4o", "input": "hi", "stream": true});
    gateway.post("/v1/responses").json(&body).send().status(200).is(pieces.concat());
    assert_eq!(upstream.last().path, "/v1/responses");
}

#[test]
fn speech_comes_back_as_the_bytes_that_it_is() {
    let upstream = Upstream::start();
    let sound: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    upstream.replies(Reply::body("audio/mpeg", sound.clone()));
    let gateway = openai_at(&upstream);
    let body = json!({"model": "openai:tts-1", "input": "hi", "voice": "alloy"});
    let answer = gateway.post("/v1/audio/speech").json(&body).send().status(200);
    assert_eq!(answer.header("content-type"), Some("audio/mpeg"));
    assert!(answer.body == sound);
}

#[test]
fn a_form_goes_up_as_it_came_but_for_the_model() {
    let upstream = Upstream::start();
    upstream.answers(json!({"text": "hello"}));
    let gateway = openai_at(&upstream);
    for (path, model) in [
        ("/v1/audio/transcriptions", "whisper-1"),
        ("/v1/audio/translations", "whisper-1"),
        ("/v1/images/edits", "gpt-image-2"),
        ("/v1/images/variations", "dall-e-2"),
    ] {
        let form = |model: &str| {
            let head = b"--b0undary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\
                Content-Type: audio/wav\r\n\r\n";
            let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
            let rest = format!(
                "\r\n--b0undary\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n\
                --b0undary\r\ncontent-disposition: form-data; name=\"language\"\r\n\r\nopenai:\r\n--b0undary--\r\n"
            );
            [head.as_slice(), &bytes, rest.as_bytes()].concat()
        };
        let kind = "multipart/form-data; boundary=b0undary";
        let request = gateway.post(path).body(kind, form(&format!("openai:{model}")));
        request.send().status(200).is(r#"{"text":"hello"}"#);
        let seen = upstream.last();
        assert_eq!(seen.path, path);
        assert_eq!(seen.header("content-type"), Some(kind));
        assert!(seen.body == form(model), "{path}: the form is not what was sent");
    }
}

#[test]
fn the_models_are_listed_with_their_provider() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let list = gateway.get("/v1/models").send().status(200).json();
    assert_eq!(list["object"], "list");
    let models = list["data"].as_array().unwrap();
    let model = models.iter().find(|model| model["id"] == "gpt-4o").unwrap_or_else(|| panic!("{list}"));
    assert_eq!((&model["object"], &model["owned_by"]), (&json!("model"), &json!("openai")));
}

#[test]
fn a_client_that_looks_whether_anybody_is_there_is_answered() {
    let gateway = Gateway::start().run();
    gateway.request("HEAD", "/").send().status(200);
    gateway.get("/health").send().status(200);
}

#[test]
fn embeddings_are_not_served_by_a_chatgpt_plan_which_is_said_with_who_does() {
    let upstream = Upstream::start();
    let gateway = openai_at(&upstream);
    let body = json!({"model": "openai-codex:gpt-5.5", "input": "x"});
    let refused = gateway.post("/v1/embeddings").json(&body).send().status(501);
    refused.says("openai-codex does not serve embeddings. These do: openai");
    assert!(upstream.requests().is_empty());
}

#[test]
fn messages_pass_through_where_they_are_served() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with_plugin("echo").with_origin("echo", &upstream).run();
    let body = |model: &str| json!({"model": model, "max_tokens": 9, "messages": []});
    gateway.post("/v1/messages").json(&body("echo:echo-1")).send().status(200);
    assert_eq!(upstream.last().path, "/v1/messages");
    assert_eq!(upstream.last().header("authorization"), None);
}
