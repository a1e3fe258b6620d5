//! Where a key may go, and that nobody gets to see it: neither an origin that its owner did not accept, nor a client,
//! nor the log.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_tests::{Answer, ChatGpt, Gateway, KEY, Login, Reply, Setup, Turn, Upstream, eventually};
use serde_json::{Value, json};

fn hello() -> Value {
    json!({"model": "openai:gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
}

/// A config that a cloned repository may bring.
fn moves_openai_to(upstream: &Upstream) -> String {
    format!("side_requests: false\nproviders:\n  openai:\n    origins:\n      api: {}/v1\n", upstream.origin())
}

/// Starts a gateway that should refuse to.
fn refuses_to_start(setup: &Setup, sentence: &str) {
    // The port is never bound, as the config is read first.
    setup.command(&["serve", "--listen", "127.0.0.1:0"]).fails().says(sentence);
}

#[test]
fn a_config_of_the_working_directory_moves_no_key_until_it_is_trusted() {
    let thief = Upstream::start();
    let setup = Gateway::start().without_config().with_key("OPENAI_API_KEY", KEY);
    let setup = setup.with_file("bitrouter.yaml", &moves_openai_to(&thief));
    refuses_to_start(&setup, "say where keys are sent");
    refuses_to_start(&setup, "bitrouter config trust");
    assert_eq!(thief.connections(), 0);

    setup.command(&["config", "trust", "bitrouter.yaml"]).ok();
    let gateway = setup.run();
    gateway.chat(&hello()).status(200);
    assert_eq!(thief.last().header("authorization"), Some(format!("Bearer {KEY}").as_str()));
}

#[test]
fn a_trusted_config_that_was_changed_must_be_trusted_again() {
    let (upstream, thief) = (Upstream::start(), Upstream::start());
    let setup = Gateway::start().without_config().with_key("OPENAI_API_KEY", KEY);
    let setup = setup.with_file("bitrouter.yaml", &moves_openai_to(&upstream));
    setup.command(&["config", "trust"]).ok();
    let setup = setup.with_file("bitrouter.yaml", &moves_openai_to(&thief));
    refuses_to_start(&setup, "it has changed since");
    assert_eq!(thief.connections(), 0);
}

#[test]
fn a_config_of_the_working_directory_reads_no_environment_and_names_no_plugin_folder() {
    let setup = Gateway::start().without_config().with_key("OPENAI_API_KEY", KEY);
    let setup =
        setup.with_file("bitrouter.yaml", "providers:\n  openai:\n    settings:\n      project: ${OPENAI_API_KEY}\n");
    refuses_to_start(&setup, "read environment variables");
    let setup = setup.with_file("bitrouter.yaml", "plugins:\n  dir: ./plugins\n");
    refuses_to_start(&setup, "name a folder of plugins");
}

#[test]
fn a_component_that_claims_a_built_in_id_is_refused_and_the_built_in_goes_on() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with_plugin("claims-openai").run();
    gateway.chat(&hello()).status(200);
    assert_eq!(upstream.last().path, "/v1/chat/completions");
    gateway.logs("claims-openai.wasm").logs("which is built in").logs("bitrouter plugin trust");
    gateway.command(&["plugin", "list"]).ok().says("claims-openai.wasm").says("not trusted");
}

#[test]
fn a_component_that_wants_another_providers_key_does_not_get_it() {
    let (upstream, thief) = (Upstream::start(), Upstream::start());
    let setup = Gateway::start().with_openai_at(&upstream).with_plugin("steals-env");
    let gateway = setup.with_origin("thief", &thief).run();
    let answer = gateway.chat(&json!({"model": "thief:x", "messages": []}));
    assert!(answer.code >= 400, "{}", answer.text());
    answer.says("not trusted").says("OPENAI_API_KEY").says("bitrouter plugin trust");
    assert_eq!(thief.connections(), 0);
    gateway.chat(&hello()).status(200);
}

#[test]
fn a_component_that_was_accepted_is_not_accepted_once_its_bytes_change() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream).with_plugin("steals-env").trusting("steals-env");
    // A custom section changes the bytes and nothing else.
    let changed = [bitrouter_tests::component("steals-env"), vec![0, 2, 1, b'x']].concat();
    let gateway = setup.with_plugin_file("steals-env.wasm", &changed).run();
    gateway.chat(&json!({"model": "thief:x", "messages": []})).says("not the build that you accepted");
}

#[test]
fn a_redirect_is_not_followed() {
    let (upstream, elsewhere) = (Upstream::start(), Upstream::start());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/v1/chat/completions?key=of-the-redirect", elsewhere.origin());
        upstream.replies(Reply::json(&json!({})).status(status).header("location", &to));
        let request = json!({"model": format!("openai:gpt-{status}"), "messages": []});
        let answer = gateway.chat(&request).status(502).says("Redirects are not followed");
        assert_eq!(answer.header("location"), None, "a client would follow it");
        answer.says(&elsewhere.origin());
    }
    assert_eq!(elsewhere.connections(), 0);
    let location = format!("{}/?key={KEY}", elsewhere.origin());
    upstream.replies(Reply::json(&json!({})).status(307).header("location", &location));
    without_key(gateway.chat(&hello()).status(502));
}

/// Nothing of the key in any form that can be undone.
fn without_key(answer: Answer) -> Answer {
    let escaped = serde_json::to_string(KEY).unwrap();
    answer
        .never_says(KEY)
        .never_says("canary-0123456789")
        .never_says(&STANDARD.encode(KEY))
        .never_says(escaped.trim_matches('"'))
}

#[test]
fn a_key_that_the_upstream_echoes_never_reaches_the_client() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with_key("RUST_LOG", "trace").run();
    let escaped = serde_json::to_string(KEY).unwrap();
    let plain = format!("you sent {KEY}, didn't you?");
    let encoded = format!("Basic {} and {}", STANDARD.encode(KEY), STANDARD.encode(format!("user:{KEY}")));
    for echo in [plain.as_str(), &escaped, &encoded] {
        let body = json!({ "echo": echo }).to_string();
        for reply in [
            Reply::body("application/json", body.clone()),
            Reply::body("application/json", body).status(401),
            Reply::body("text/plain", echo).status(400),
            Reply::json(&json!({})).header("x-echo", echo),
            Reply::json(&json!({"error": {"message": echo}})).status(429).header("x-ratelimit-key", echo),
        ] {
            upstream.replies(reply);
            let answer = without_key(gateway.chat(&hello()));
            assert!(answer.complete, "a scrubbed answer is as long as it says");
        }
    }
    gateway.logs("request finished");
    assert!(eventually(|| gateway.log().matches("request finished").count() == 15), "{}", gateway.log());
    let log = gateway.log();
    assert!(!log.contains("canary-0123456789") && !log.contains(&STANDARD.encode(KEY)), "{log}");
}

#[test]
fn a_key_in_a_compressed_answer_that_nobody_asked_for_never_reaches_the_client() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(json!({ "echo": KEY }).to_string().as_bytes()).unwrap();
    let compressed = gzip.finish().unwrap();
    for status in [200, 400] {
        let reply = Reply::body("application/json", compressed.clone()).status(status);
        upstream.replies(reply.header("content-encoding", "gzip"));
        let answer = without_key(gateway.chat(&hello()));
        assert_eq!(upstream.last().header("accept-encoding"), Some("identity"));
        let mut plain = String::new();
        let _ = flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut plain);
        assert!(!plain.contains("canary"), "{status}: {plain}");
    }
}

#[test]
fn what_surrounds_an_echoed_key_comes_back() {
    let upstream = Upstream::start();
    upstream.replies(Reply::json(&json!({"said": format!("before {KEY} after")})));
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let answer = without_key(gateway.chat(&hello()).status(200));
    let text = answer.text();
    assert!(text.contains("\"before ") && text.contains(" after\""), "{text}");
}

#[test]
fn a_key_that_is_split_over_a_streams_chunks_is_found() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).with_key("RUST_LOG", "trace").run();
    let mut body = hello();
    body["stream"] = json!(true);
    let escaped = serde_json::to_string(KEY).unwrap();
    let event = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{escaped}}}}}]}}\n\n");
    let start = event.find("canary").unwrap();
    for at in [start - 9, start, start + 4, start + 16] {
        let (first, second) = event.split_at(at);
        upstream.replies(Reply::sse().send(first).pause(30).send(second).send("data: [DONE]\n\n"));
        without_key(gateway.chat(&body).status(200).says("data: [DONE]"));
    }
    // A byte at a time, which no scrubber that looks at one chunk can see.
    let single = event.bytes().fold(Reply::sse(), |reply, byte| reply.send([byte]));
    upstream.replies(single);
    without_key(gateway.chat(&body).status(200));
    assert!(!gateway.log().contains("canary-0123456789"));
}

#[test]
fn the_log_of_failures_has_no_key_in_it() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream).with_key("RUST_LOG", "trace");
    let gateway = setup.with("/providers/openai/timeouts", json!({"first_byte_ms": 200})).run();
    let replies = [Reply::silence(), Reply::sse().cut(), Reply::sse().send(format!("data: {KEY}\n\n")).cut()];
    for (at, reply) in replies.into_iter().enumerate() {
        upstream.replies(reply);
        let body = json!({"model": format!("openai:gpt-{at}"), "messages": []});
        let request = gateway.post("/v1/chat/completions").json(&body).header("connection", "close");
        let said = request.open().rest();
        assert!(!said.contains("canary"), "{said}");
    }
    // The discard port, which nobody listens on.
    let nowhere = json!({"api": "http://127.0.0.1:9/v1"});
    let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY).with_key("RUST_LOG", "trace");
    let lost = setup.with("/providers/openai/origins", nowhere).run();
    without_key(lost.chat(&hello()).status(502));
    lost.logs("error=\"openai: no connection").logs("Connection refused");
    for (gateway, requests) in [(&gateway, 3), (&lost, 1)] {
        let log = gateway.log();
        assert_eq!(log.matches("request finished").count(), requests, "one line for each request: {log}");
        assert!(!log.contains("canary-0123456789"), "{log}");
    }
}

#[test]
fn what_is_secret_does_not_get_into_the_log_whoever_wrote_it_there() {
    let (upstream, gateway_key) = (Upstream::start(), "door-key-canary-0123456789");
    let setup = Gateway::start().with_openai_at(&upstream).with("/server/keys", json!([gateway_key]));
    let gateway = setup.run();
    let of = |model: String| json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    // A client that mixes its fields up. What it asks for is written to the log.
    for secret in [KEY, gateway_key] {
        let body = of(format!("openai:m-{secret}"));
        gateway.post("/v1/chat/completions").header("x-api-key", gateway_key).json(&body).send();
    }
    gateway.get(&format!("/v1/models/{gateway_key}")).send();
    gateway.logs("m-[secret]").logs("refused at the door");
    assert!(!gateway.log().contains("canary-0123456789"), "{}", gateway.log());
}

#[test]
fn a_login_its_refresh_and_its_requests_leave_no_secret_but_in_the_store() {
    let (expired, renewed) = (Login::expired("acc-e2e"), Login::of("acc-e2e"));
    let chatgpt = ChatGpt::knowing(expired.clone()).wants_a_refresh(&renewed).then_always(Turn::says("hi"));
    let gateway = Gateway::start().with_chatgpt(&chatgpt).with_key("RUST_LOG", "trace").run();
    let body = json!({"model": "openai-codex:gpt-5.5", "input": [{"role": "user", "content": "hi"}], "stream": true});
    gateway.post("/v1/responses").json(&body).send().status(200);
    gateway.logs("refreshed").logs("request finished");
    let tokens = |login: &Login| [&login.access_token, &login.refresh_token, &login.id_token].map(Clone::clone);
    let secrets: Vec<String> = [tokens(&expired), tokens(&renewed)].concat();
    let mut folders = vec![gateway.home().to_owned()];
    let mut looked_at = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false if entry.file_name() == "oauth-tokens.json" => {}
                // The control socket holds nothing.
                false if !entry.file_type().unwrap().is_file() => {}
                false => {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    let found = secrets.iter().find(|secret| memchr::memmem::find(&bytes, secret.as_bytes()).is_some());
                    assert!(found.is_none(), "{found:?} is in {}", entry.path().display());
                    looked_at += 1;
                }
            }
        }
    }
    assert!(looked_at > 2, "the log, the lock and the cache are there");
}

#[test]
fn commands_show_no_key() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    for command in
        [["providers"].as_slice(), &["models"], &["plugin", "list"], &["route", "openai:gpt-4o"], &["config", "check"]]
    {
        let ran = gateway.command(command);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("canary"), "{command:?}: {ran:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_that_holds_keys_leaves_no_core() {
    let gateway = Gateway::start().run();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.process())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let [soft, hard] = core.split_whitespace().skip(4).take(2).collect::<Vec<_>>()[..] else { panic!("{core}") };
    assert_eq!((soft, hard), ("0", "0"), "{core}");
}
