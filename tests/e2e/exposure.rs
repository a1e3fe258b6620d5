//! What clients meet besides calls: paths, methods, hosts, web pages, and models that are left out or asked for.

use bitrouter_tests::{Answer, Gateway, Setup, Upstream};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const CALLS: [&str; 14] = [
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/responses/compact",
    "/v1/responses/input_tokens",
    "/v1/messages",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/images/variations",
    "/v1/audio/speech",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
];

fn hello() -> Value {
    json!({"model": "openai:gpt-4o", "messages": []})
}

/// The code of an error, in whichever shape.
fn code(answer: &Answer) -> Value {
    answer.json()["error"]["code"].clone()
}

#[test]
fn a_websocket_is_refused_at_once_so_that_the_client_asks_over_http() {
    let gateway = Gateway::start().run();
    for path in CALLS.into_iter().filter(|path| *path != "/v1/responses") {
        let upgrade = gateway.get(path).header("connection", "Upgrade").header("upgrade", "websocket");
        let upgrade =
            upgrade.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let answer = upgrade.send().status(426).says("POST");
        assert_eq!(answer.header("connection"), Some("close"), "{path}");
        assert!(answer.json()["error"]["message"].is_string(), "{path}");
    }
    // Nobody is upgraded where there is nothing to be upgraded.
    gateway.get("/v1/realtime").header("connection", "Upgrade").header("upgrade", "websocket").send().status(404);
    let page = gateway.get("/health").header("connection", "Upgrade").header("upgrade", "websocket");
    page.send().status(200);
}

#[test]
fn a_call_that_offers_another_upgrade_is_served() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    // As Java's client does with every request.
    let request = gateway.post(CHAT).json(&hello()).header("connection", "Upgrade, HTTP2-Settings");
    request.header("upgrade", "h2c").header("http2-settings", "AAMAAABkAAQAAP__").send().status(200);
}

#[test]
fn a_method_that_a_path_does_not_take_is_answered_with_those_that_it_takes() {
    let gateway = Gateway::start().run();
    for path in CALLS {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = gateway.request(method, path).send().status(405).says(method).says(path);
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"), "{method} {path}");
        }
        assert_eq!(gateway.request("HEAD", path).send().status(405).header("allow"), Some("POST, OPTIONS"));
        assert_eq!(gateway.request("OPTIONS", path).send().status(204).header("allow"), Some("POST, OPTIONS"));
    }
    for path in ["/", "/health", "/v1/models", "/v1/models/gpt-4o"] {
        let answer = gateway.post(path).send().status(405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, OPTIONS"), "{path}");
        assert_eq!(code(&answer), "method_not_allowed");
    }
    for path in ["/", "/health", "/v1/models"] {
        gateway.request("HEAD", path).send().status(200);
    }
    gateway.request("OPTIONS", "*").send().status(204);
}

#[test]
fn a_path_that_is_not_there_is_answered_with_the_nearest() {
    let gateway = Gateway::start().run();
    for (path, nearest) in [
        ("/chat/completions", CHAT),
        ("/v1/v1/chat/completions", CHAT),
        ("/v1/chat/completion", CHAT),
        ("/v1/chat/completions/", CHAT),
        ("/openai/v1/responses", "/v1/responses"),
        ("/models", "/v1/models"),
        ("/v1/messages/count_token", "/v1/messages"),
        ("/v1beta/models/gemini-2.5-pro:predict", "/v1beta/models/{model}:generateContent"),
    ] {
        let answer = gateway.post(path).json(&hello()).send().status(404).says(path);
        assert!(answer.message().contains(&format!("nearest is {nearest}")), "{path}: {}", answer.message());
    }
    gateway.post("/chat/completions").json(&hello()).send().says("base URL ends in /v1");
    assert_eq!(gateway.post("/messages").json(&hello()).send().status(404).json()["type"], "error");
    // A client's text is not repeated in full, nor logged so.
    let long = gateway.get(&format!("/{}", "x".repeat(20_000))).send().status(404);
    assert!(long.text().len() < 1_000);
}

#[test]
fn a_request_names_one_host() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let two = gateway.post(CHAT).json(&hello()).header("host", "localhost");
    two.header("host", "localhost").send().status(400).says("two Host headers");
    let none = format!("POST {CHAT} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
    gateway.connect().write(none.as_bytes()).answer().status(400).says("no Host header");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_name_that_the_config_allows_opens_a_loopback_listener() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream);
    let gateway = setup.with("/server/allowed_hosts", json!(["host.docker.internal"])).run();
    let from = |host: &str| gateway.post(CHAT).json(&hello()).header("host", host).send();
    for host in ["host.docker.internal:4356", "HOST.docker.internal", "localhost"] {
        from(host).status(200);
    }
    for host in ["docker.internal", "host.docker.internal.evil.example", "evil.example"] {
        let answer = from(host).status(403).says("server.allowed_hosts").says("server.keys");
        assert_eq!(code(&answer), "host_not_allowed");
    }
}

const PAGE: &str = "https://app.example";

fn with_page(setup: Setup) -> Setup {
    setup.with("/server/allowed_origins", json!([PAGE]))
}

#[test]
fn an_allowed_page_may_send_the_headers_that_it_asks_for() {
    let gateway = with_page(Gateway::start()).run();
    let wanted = "authorization,content-type,x-stainless-os,x-stainless-retry-count";
    let ask = gateway.request("OPTIONS", CHAT).header("origin", PAGE).header("access-control-request-method", "POST");
    let ask = ask.header("access-control-request-headers", wanted);
    let answer = ask.header("access-control-request-private-network", "true").send().status(204);
    assert_eq!(answer.header("access-control-allow-headers"), Some(wanted));
    assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(answer.header("access-control-allow-private-network"), Some("true"));
    let vary: Vec<&str> = answer.headers.all("vary").collect();
    assert!(vary.contains(&"origin") && vary.contains(&"access-control-request-headers"), "{vary:?}");
}

#[test]
fn an_allowed_page_may_read_every_answer_and_its_headers() {
    let upstream = Upstream::start();
    upstream.replies(
        bitrouter_tests::Reply::json(&json!({}))
            .header("x-ratelimit-remaining-requests", "7")
            .header("x-request-id", "r"),
    );
    let key = "key-of-the-gateway-0123";
    let gateway = with_page(Gateway::start().with_openai_at(&upstream)).with("/server/keys", json!([key])).run();
    let ask = |method: &str, path: &str| gateway.request(method, path).header("origin", PAGE);
    let allowed = |path: &str| ask("POST", path).header("authorization", &format!("Bearer {key}"));
    for (request, status) in [
        (ask("POST", CHAT).json(&hello()), 401),
        (allowed(CHAT).json(&json!({"messages": []})), 400),
        (allowed(CHAT).body("text/plain", "x"), 415),
        (allowed("/nothing").json(&hello()), 404),
        (allowed("/v1/models"), 405),
        (ask("GET", "/health"), 200),
        (allowed(CHAT).json(&hello()), 200),
    ] {
        let answer = request.send().status(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some(PAGE), "{status}");
        assert!(answer.headers.all("vary").any(|vary| vary.eq_ignore_ascii_case("origin")), "{status}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["retry-after", "x-bitrouter-request-id"] {
            assert!(exposed.contains(name), "{status}: {exposed}");
        }
        if status == 200 && exposed.contains("x-bitrouter-provider") {
            assert!(
                exposed.contains("x-ratelimit-remaining-requests") && exposed.contains("x-request-id"),
                "{exposed}"
            );
        }
    }
    let foreign = gateway.get("/health").header("origin", "https://evil.example").send().status(403);
    assert_eq!(foreign.header("access-control-allow-origin"), None);
    assert_eq!(foreign.header("access-control-expose-headers"), None);
}

#[test]
fn a_model_that_is_missing_or_no_text_is_named_on_every_endpoint() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let optional = ["/v1/moderations", "/v1/images/generations", "/v1/images/edits", "/v1/images/variations"];
    for path in CALLS {
        for model in [json!(null), json!(5), json!(true), json!(["gpt-4o"]), json!({})] {
            let answer = gateway.post(path).json(&json!({"model": model, "input": "x"})).send();
            if model.is_null() && optional.contains(&path) {
                continue;
            }
            let answer = answer.status(400).says("`model`").never_says("not valid JSON");
            let wanted = if model.is_null() { "model_missing" } else { "model_invalid" };
            if path == "/v1/messages" {
                // Anthropic's shape has no member for the field.
                assert_eq!((&answer.json()["type"], code(&answer)), (&json!("error"), json!(wanted)), "{model}");
                continue;
            }
            assert_eq!(
                (code(&answer), &answer.json()["error"]["param"]),
                (json!(wanted), &json!("model")),
                "{path} {model}"
            );
        }
    }
    let form = "--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n\r\n--x--\r\n";
    let request = gateway.post("/v1/audio/transcriptions").body("multipart/form-data; boundary=x", form);
    let answer = request.send().status(400);
    assert_eq!((code(&answer), &answer.json()["error"]["param"]), (json!("model_missing"), &json!("model")));
    let answer = gateway.chat(&json!({"model": "openai:gpt-4o", "stream": "yes"})).status(400).says("`stream`");
    assert_eq!(answer.json()["error"]["param"], "stream");
    assert!(upstream.requests().iter().all(|seen| optional.contains(&seen.path.as_str())));
}

#[test]
fn a_name_of_any_length_costs_no_more_than_its_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let long = "m".repeat(2 << 20);
    let list = form_of(&long).replace("\"model\"", "\"models\"");
    let form = |body: &str| gateway.post("/v1/audio/transcriptions").body("multipart/form-data; boundary=x", body);
    for request in [
        gateway.post(CHAT).json(&json!({"model": long})),
        gateway.post(CHAT).json(&json!({"model": format!("openai:{long}")})),
        gateway.post(CHAT).json(&json!({"models": ["openai:gpt-4o", "m".repeat(20_000)]})),
        form(&form_of(&long)),
        form(&list),
        gateway.post(CHAT).body(&format!("text/{}", "x".repeat(100_000)), "x"),
        gateway.post(CHAT).header("content-encoding", &"x".repeat(100_000)).json(&hello()),
        gateway.get(&format!("/v1/models/{}", "m".repeat(20_000))),
        gateway.post(CHAT).json(&hello()).header("host", &"h".repeat(100_000)),
        gateway.post(CHAT).json(&hello()).header("origin", &"o".repeat(100_000)),
    ] {
        let answer = request.send();
        assert!((400..500).contains(&answer.code), "{}", answer.code);
        let heads: usize = answer.headers.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(answer.body.len() + heads < 4_000, "{} bytes of body, {heads} of head", answer.body.len());
    }
    assert!(gateway.status().to_string().len() < 64 << 10);
    assert!(gateway.log().len() < 64 << 10, "the log has {} bytes", gateway.log().len());
    assert!(upstream.requests().is_empty());
}

fn form_of(model: &str) -> String {
    format!("--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n{model}\r\n--x--\r\n")
}

#[test]
fn a_model_has_a_page_of_its_own() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream).with("/models", json!({"mine/a:b": ["openai:gpt-4o"]}));
    let gateway = setup.run();
    for (path, id, owner) in [
        ("gpt-4o", "gpt-4o", "openai"),
        ("openai:gpt-4o", "openai:gpt-4o", "openai"),
        ("openai%3Agpt-4o", "openai:gpt-4o", "openai"),
        ("openai/gpt-4o", "openai/gpt-4o", "openai"),
        ("mine/a:b", "mine/a:b", "bitrouter"),
        ("mine%2Fa%3Ab", "mine/a:b", "bitrouter"),
    ] {
        let model = gateway.get(&format!("/v1/models/{path}")).send().status(200).json();
        for (member, value) in [("id", id), ("object", "model"), ("owned_by", owner)] {
            assert_eq!(model[member], value, "{path}: {model}");
        }
        gateway.request("HEAD", &format!("/v1/models/{path}")).send().status(200);
    }
    let answer = gateway.get("/v1/models/gpt-4oo").send().status(404).says("gpt-4o");
    assert_eq!((code(&answer), &answer.json()["error"]["param"]), (json!("model_not_found"), &json!("model")));
    gateway.get("/v1/models/openai:no-such-model").send().status(404);
    gateway.get("/v1/models/%ff%0d%0a").send().status(404);
}

#[test]
fn a_call_that_may_leave_its_model_out_goes_to_the_first_that_is_listed_for_it() {
    let upstream = Upstream::start();
    let mut gateway = Gateway::start().with_openai_at(&upstream).run();
    gateway.post("/v1/moderations").json(&json!({"input": "x"})).send().status(200);
    assert_eq!(upstream.last().json(), json!({"input": "x", "model": "omni-moderation-latest"}));
    gateway.post("/v1/images/generations").json(&json!({"prompt": "x", "model": null})).send().status(200);
    let drawn = upstream.last().json()["model"].as_str().unwrap().to_owned();
    assert!(drawn.starts_with("gpt-image"), "{drawn}");
    let form = "--x\r\ncontent-disposition: form-data; name=\"prompt\"\r\n\r\nhi\r\n--x--\r\n";
    let request = || gateway.post("/v1/images/edits").body("multipart/form-data; boundary=x", form);
    request().send().status(200);
    let part = format!("name=\"model\"\r\n\r\n{drawn}\r\n");
    assert!(upstream.last().text().contains(&part), "{}", upstream.last().text());
    assert!(upstream.last().text().ends_with(form), "{}", upstream.last().text());

    // The user may say another.
    gateway.configure("/models", json!({"images/edits": ["openai:gpt-image-2"]}));
    gateway.command(&["reload"]).ok();
    let request = gateway.post("/v1/images/edits").body("multipart/form-data; boundary=x", form);
    request.send().status(200);
    assert!(upstream.last().text().contains("\r\n\r\ngpt-image-2\r\n"), "{}", upstream.last().text());
}
