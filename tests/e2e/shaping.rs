//! A provider whose API is like nobody else's: its component makes requests and answers of a dialect from it, and the host does
//! what moves bytes: paths, forms, jobs to wait for, documents to edit.

use std::sync::atomic::{AtomicU32, Ordering};

use bitrouter_tests::{Answer, Gateway, Reply, Upstream};
use serde_json::json;

fn shaping_at(upstream: &Upstream) -> Gateway {
    Gateway::start().with_plugin("shaping").with_origin("shaping", upstream).run()
}

fn ask(gateway: &Gateway, path: &str, model: &str) -> Answer {
    let messages = json!([{"role": "user", "content": "hi"}]);
    let body = json!({"model": format!("shaping:{model}"), "messages": messages, "max_tokens": 9, "input": "hi"});
    gateway.post(path).json(&body).send()
}

#[test]
fn a_whole_answer_of_no_dialect_becomes_the_document_of_each() {
    let upstream = Upstream::start();
    let gateway = shaping_at(&upstream);
    upstream.answers(json!({"said": "hello", "heard": 7}));
    let chat = ask(&gateway, "/v1/chat/completions", "a/b:c").status(200).json();
    assert_eq!(chat["choices"][0]["message"], json!({"role": "assistant", "content": "hello"}));
    assert_eq!(chat["usage"], json!({"completion_tokens": 2, "prompt_tokens": 7}));
    let seen = &upstream.requests()[0];
    assert_eq!(seen.path, "/v1/engines/a%2Fb%3Ac/say");
    assert_eq!((seen.header("x-provider"), seen.header("x-attempt")), (Some("shaping"), Some("1")));
    gateway.logs("input_tokens=7 output_tokens=2");
    // Behind it stands the translation.
    upstream.answers(json!({"said": "hello", "heard": 7}));
    let message = ask(&gateway, "/v1/messages", "shaping-1").status(200).json();
    assert_eq!(message["content"], json!([{"type": "text", "text": "hello"}]));
    assert_eq!(message["usage"]["input_tokens"], 7);
    assert_eq!(upstream.requests()[1].header("x-max-output"), Some("4096"), "what is known of the model");
    upstream.answers(
        json!({"vectors": [{"values": [0.5, 1]}, {"values": [2]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}}),
    );
    let vectors = ask(&gateway, "/v1/embeddings", "shaping-1").status(200).json();
    let data = json!([{"embedding": [0.5, 1], "object": "embedding"}, {"embedding": [2], "object": "embedding"}]);
    assert_eq!((&vectors["data"], &vectors["object"]), (&data, &json!("list")));
}

#[test]
fn a_failure_under_status_200_is_one_and_goes_on_to_another_target() {
    let (upstream, other) = (Upstream::start(), Upstream::start());
    let gateway = Gateway::start()
        .with_plugin("shaping")
        .with_origin("shaping", &upstream)
        .with_plugin("echo")
        .with_origin("echo", &other)
        .run();
    let fault = |header: &str| Reply::json(&json!({"fault": "too many visitors"})).header("x-fault", header);
    upstream.replies(fault("none"));
    let error = ask(&gateway, "/v1/chat/completions", "m1").status(400).json();
    assert_eq!(error["error"]["message"], "shaping: too many visitors");
    assert_eq!(error["error"]["code"], "fault");
    upstream.replies(fault("full"));
    other.answers(json!({"object": "chat.completion", "choices": []}));
    let body = json!({"models": ["shaping:m2", "echo:echo-1"], "messages": [{"role": "user", "content": "hi"}]});
    let answer = gateway.post("/v1/chat/completions").json(&body).send().status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("echo"));
    // A refusal before anything is sent has the status that the component gives it.
    ask(&gateway, "/v1/chat/completions", "refuses").status(529).says("too late");
}

#[test]
fn a_failure_of_no_dialect_is_written_in_the_clients_by_what_the_component_says_of_it() {
    for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/shaping:m1:generateContent"] {
        for (status, told, words) in
            [(460, 429, "too quick"), (461, 401, "who?"), (462, 400, "odd"), (470, 529, "full")]
        {
            // An account that was refused once is not asked again at once.
            let upstream = Upstream::start();
            let gateway = shaping_at(&upstream);
            upstream.replies(Reply::json(&json!({"ok": false, "fault": words})).status(status));
            let answer = match path.ends_with("generateContent") {
                true => gateway.post(path).json(&json!({"contents": [{"parts": [{"text": "hi"}]}]})).send(),
                false => ask(&gateway, path, "m1"),
            };
            let answer = answer.status(told).says(words);
            assert!(!answer.text().contains("fault"), "{path}: {}", answer.text());
            assert_eq!(answer.header("retry-after"), (status == 460).then_some("3"), "{path}, {status}");
        }
    }
}

#[test]
fn an_answer_that_is_no_object_or_breaks_off_is_the_upstreams_fault() {
    let upstream = Upstream::start();
    let gateway = shaping_at(&upstream);
    for (number, (reply, status)) in [
        (Reply::body("application/json", "[1]"), 502),
        (Reply::body("application/json", "{\"said\":"), 502),
        (Reply::body("application/json", "{\"said\":1}"), 501),
        (Reply::json(&json!({"said": "hello", "heard": 7})).chunked().cut(), 502),
    ]
    .into_iter()
    .enumerate()
    {
        upstream.replies(reply);
        ask(&gateway, "/v1/chat/completions", &format!("m{number}")).status(status);
    }
}

#[test]
fn a_job_is_polled_until_it_is_done_within_what_the_description_says() {
    let upstream = Upstream::start();
    let gateway = shaping_at(&upstream);
    // Done when it is asked for the second time.
    let asked = AtomicU32::new(0);
    upstream.follows(move |seen| match seen.path.as_str() {
        "/v1/jobs" => Reply::json(&json!({"job": "j/1"})),
        "/v1/jobs/j%2F1/sound" => Reply::body("audio/mpeg", "ID3"),
        _ => Reply::json(&json!({"done": asked.fetch_add(1, Ordering::Relaxed) == 1})),
    });
    ask(&gateway, "/v1/audio/speech", "tts").status(200).is("ID3");
    let paths: Vec<String> = upstream.requests().iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect();
    assert_eq!(paths, ["POST /v1/jobs", "GET /v1/jobs/j%2F1", "GET /v1/jobs/j%2F1", "GET /v1/jobs/j%2F1/sound"]);
    upstream.answers(json!({"job": "j/2", "done": false}));
    ask(&gateway, "/v1/audio/speech", "tts").status(502).says("it asked for more than 4 exchanges before sending");
    // What an upstream calls its job cannot lead to another path.
    upstream.answers(json!({"job": ".."}));
    ask(&gateway, "/v1/audio/speech", "tts").status(502).says("the value `..` of `{job}` cannot stand in a path");
    ask(&gateway, "/v1/audio/speech", "impatient").status(502).says("it wants to wait for more than 100 ms in all");
}

#[test]
fn parts_of_the_body_go_up_as_a_form_with_files() {
    let upstream = Upstream::start();
    let gateway = shaping_at(&upstream);
    let image = |model: &str, image: &str| {
        let body = json!({"model": format!("shaping:{model}"), "prompt": "a \"cat\"", "image": image});
        gateway.post("/v1/images/generations").json(&body).send()
    };
    upstream.answers(json!({"png": "AAAA"}));
    let drawn = image("draw", "data:image/png;base64,iVBORw0KGgo=").status(200).json();
    assert_eq!(drawn["data"], json!([{"b64_json": "AAAA"}]));
    let seen = &upstream.requests()[0];
    let content_type = seen.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let form = [
        format!("--{boundary}\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\na \"cat\"\r\n").as_bytes(),
        format!("--{boundary}\r\ncontent-disposition: form-data; name=\"image\"; filename=\"in.png\"\r\n").as_bytes(),
        b"content-type: image/png\r\n\r\n\x89PNG\r\n\x1a\n\r\n",
        format!("--{boundary}--\r\n").as_bytes(),
    ]
    .concat();
    assert_eq!(seen.body, form);
    image("draw", "no, not that").status(400).says("the value at `/image` is not base64");
    image("no-such-value", "AAAA").status(502).says("the body has no value at `/none`");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn what_a_component_answers_by_itself_asks_nobody() {
    let upstream = Upstream::start();
    let gateway = shaping_at(&upstream);
    let answer = ask(&gateway, "/v1/moderations", "m").status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("shaping"));
    assert_eq!(answer.json()["results"], json!([{"flagged": false}]));
    ask(&gateway, "/v1/moderations", "bad-reply").status(502).says("its reply is not JSON");
    ask(&gateway, "/v1/chat/completions", "no-such-hole").status(502).says("nothing fills `{engine}` of its path");
    assert_eq!(upstream.requests().len(), 0);
}
