//! The doors of Google's and Anthropic's clients: paths that name the model, counts, lists in their shape, and their keys.

use bitrouter_tests::{Gateway, Reply, Setup, Upstream};
use serde_json::{Value, json};

const GEM: &str = "gem:gem-1";
const KEY_OF_GATEWAY: &str = "key-of-the-gateway-0123";

/// A provider of Google's dialect by its description alone.
fn gem(serves: &Value) -> String {
    let description = json!({
        "id": "gem", "name": "Gem", "version": "1", "origins": { "api": "http://127.0.0.1:9/v1" }, "serves": serves,
        "models": [{ "id": "gem-1", "context_window": 1000 }], "forward": ["x-goog-*"], "billing": "free",
    });
    description.to_string()
}

fn serving(upstream: &Upstream, serves: &Value) -> Setup {
    let setup = Gateway::start().with_plugin_file("gem.json", gem(serves).as_bytes());
    let setup = setup.with_origin("gem", upstream);
    setup.command(&["plugin", "trust", "gem", "--yes"]).ok();
    setup
}

fn gem_at(upstream: &Upstream) -> Setup {
    let google = json!(["generate-content"]);
    serving(upstream, &json!({ "generate": google, "count-tokens": google, "embeddings": google }))
}

fn contents() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "12345678" }] }], "x_unknown": 1.0 })
}

fn chunk(text: &str, more: &str) -> String {
    format!("{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{text}\"}}]}}{more}}}]}}")
}

#[test]
fn the_path_names_the_model_and_the_body_goes_up_without_one() {
    let upstream = Upstream::start();
    let gateway = gem_at(&upstream).run();
    for (path, sent) in [
        ("/v1beta/models/gem:gem-1:generateContent", "/v1/models/gem-1:generateContent"),
        ("/v1/models/gem:gem-1:generateContent", "/v1/models/gem-1:generateContent"),
        ("/v1beta/models/gem-1:generateContent", "/v1/models/gem-1:generateContent"),
        ("/v1beta/models/models%2Fgem%3Agem-1:countTokens", "/v1/models/gem-1:countTokens"),
        ("/v1/models/gem:gem-1:embedContent", "/v1/models/gem-1:embedContent"),
        ("/v1beta/models/gem:gem-1:streamGenerateContent?alt=sse", "/v1/models/gem-1:streamGenerateContent?alt=sse"),
    ] {
        let event = format!("data: {}\n\n", chunk("hi", ",\"finishReason\":\"STOP\""));
        upstream.replies(if path.contains("stream") { Reply::sse().send(event) } else { Reply::json(&json!({})) });
        gateway.post(path).json(&contents()).send().status(200);
        assert_eq!((upstream.last().path.as_str(), upstream.last().json()), (sent, contents()), "{path}");
    }
    upstream.answers(json!({}));
    let mut named = contents();
    named["model"] = json!("models/gem:gem-1");
    gateway.post("/v1/models/gem:gem-1:embedContent").json(&named).send().status(200);
    assert_eq!(upstream.last().json()["model"], "models/gem-1");
}

#[test]
fn what_is_wrong_is_said_in_googles_shape() {
    let upstream = Upstream::start();
    let gateway = gem_at(&upstream).run();
    let status = |path: &str, code: u16| {
        let answer = gateway.post(path).json(&contents()).send().status(code).json();
        assert_eq!(answer["error"]["code"], code, "{path}");
        answer["error"]["status"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(status("/v1beta/models/gem-2:generateContent", 400), "INVALID_ARGUMENT");
    assert_eq!(status("/v1beta/models/gem:gem-1:predict", 404), "NOT_FOUND");
    assert_eq!(gateway.get("/v1beta/models/gem:gem-1:countTokens").send().status(405).json()["error"]["code"], 405);
    assert_eq!(gateway.get("/v1beta/models/nobody").send().status(404).json()["error"]["status"], "NOT_FOUND");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_stream_is_events_or_one_array_in_pieces() {
    let upstream = Upstream::start();
    let gateway = gem_at(&upstream).run();
    let (first, last) = (chunk("a", ""), chunk("b", ",\"finishReason\":\"STOP\""));
    let stream = || Reply::sse().send(format!("data: {first}\r\n\r\n")).pause(50).send(format!("data: {last}\r\n\r\n"));
    let path = "/v1beta/models/gem:gem-1:streamGenerateContent";
    upstream.replies(stream());
    let events = gateway.post(&format!("{path}?alt=sse")).json(&contents()).send().status(200);
    assert_eq!(events.text(), format!("data: {first}\r\n\r\ndata: {last}\r\n\r\n"));
    upstream.replies(stream());
    let array = gateway.post(path).json(&contents()).send().status(200);
    assert_eq!(array.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(array.text(), format!("[{first},\n{last}]"));
    assert_eq!(upstream.last().path, "/v1/models/gem-1:streamGenerateContent?alt=sse");
    // What failed before the first item has a status.
    upstream.replies(
        Reply::json(&json!({ "error": { "code": 400, "message": "no", "status": "INVALID_ARGUMENT" } })).status(400),
    );
    assert_eq!(gateway.post(path).json(&contents()).send().status(400).json()["error"]["message"], "no");
}

#[test]
fn a_count_is_the_providers_or_an_estimate_that_says_so() {
    let upstream = Upstream::start();
    let gateway = gem_at(&upstream).run();
    upstream.answers(json!({ "totalTokens": 7 }));
    let count = "/v1beta/models/gem:gem-1:countTokens";
    let counted = gateway.post(count).json(&contents()).send().status(200);
    assert_eq!((counted.json(), counted.header("x-bitrouter-estimated")), (json!({ "totalTokens": 7 }), None));
    // A server that has no such method is not asked twice in one request.
    upstream.replies(Reply::json(&json!({ "error": { "message": "there is no such method" } })).status(501));
    let estimated = gateway.post(count).json(&contents()).send().status(200);
    assert_eq!(estimated.json(), json!({ "totalTokens": 2 }));
    assert_eq!(estimated.header("x-bitrouter-estimated"), Some("true"));
    // An error of the provider's stays one.
    let error = json!({ "error": { "code": 400, "message": "too long", "status": "INVALID_ARGUMENT" } });
    upstream.replies(Reply::json(&error).status(400));
    gateway.post(count).json(&contents()).send().status(400).says("too long");
}

#[test]
fn messages_are_counted_by_estimate_where_nobody_counts() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_plugin("echo").with_origin("echo", &upstream).run();
    let body = |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": "x".repeat(40) }] });
    let ask = |model: &str| gateway.post("/v1/messages/count_tokens?beta=true").json(&body(model)).send();
    let estimated = ask("echo:echo-1").status(200);
    assert_eq!(estimated.json(), json!({ "input_tokens": 10 }));
    assert_eq!(estimated.header("x-bitrouter-estimated"), Some("true"));
    assert!(estimated.header("x-bitrouter-request-id").is_some());
    assert_eq!(ask("nobody-has-this").status(400).json()["type"], "error");
    assert!(upstream.requests().is_empty());
    // Clients of OpenAI's see what they saw.
    gateway
        .post("/v1/responses/input_tokens")
        .json(&json!({ "model": "echo:echo-1", "input": "x" }))
        .send()
        .status(501);
}

#[test]
fn messages_are_counted_by_a_provider_that_does() {
    let upstream = Upstream::start();
    let serves = json!({ "generate": ["messages"], "count-tokens": ["messages"] });
    let gateway = serving(&upstream, &serves).run();
    upstream.answers(json!({ "input_tokens": 3 }));
    let body = json!({ "model": GEM, "messages": [] });
    let counted = gateway.post("/v1/messages/count_tokens").json(&body).send().status(200);
    assert_eq!((counted.json(), counted.header("x-bitrouter-estimated")), (json!({ "input_tokens": 3 }), None));
    assert_eq!(upstream.last().path, "/v1/messages/count_tokens");
}

#[test]
fn models_are_listed_in_the_shape_of_who_asks() {
    let upstream = Upstream::start();
    let gateway = gem_at(&upstream).run();
    let google = json!({
        "name": "models/gem-1", "displayName": "gem-1", "inputTokenLimit": 1000,
        "supportedGenerationMethods": ["generateContent", "countTokens", "embedContent"],
    });
    for request in [
        gateway.get("/v1beta/models"),
        gateway.get("/v1/models").header("x-goog-api-key", "any"),
        gateway.get("/v1/models?key=any"),
    ] {
        let list = request.send().status(200).json();
        assert!(list["models"].as_array().unwrap().contains(&google), "{list}");
    }
    for path in ["/v1beta/models/gem-1", "/v1beta/models/models/gem-1", "/v1/models/gem-1?key=any"] {
        assert_eq!(gateway.get(path).send().status(200).json(), google, "{path}");
    }
    let by_address = gateway.get("/v1beta/models/gem:gem-1").send().status(200).json();
    assert_eq!((&by_address["name"], &by_address["inputTokenLimit"]), (&json!("models/gem:gem-1"), &json!(1000)));
    let anthropic = |path: &str| gateway.get(path).header("anthropic-version", "2023-06-01").send();
    let list = anthropic("/v1/models").status(200).json();
    let model = json!({
        "type": "model", "id": "gem-1", "display_name": "gem-1", "created_at": "1970-01-01T00:00:00Z",
        "max_input_tokens": 1000,
    });
    assert!(list["data"].as_array().unwrap().contains(&model), "{list}");
    assert_eq!(
        (&list["has_more"], &list["last_id"]),
        (&json!(false), &list["data"].as_array().unwrap().last().unwrap()["id"])
    );
    assert_eq!(anthropic("/v1/models/gem-1").status(200).json(), model);
    assert_eq!(anthropic("/v1/models/nobody").status(404).json()["type"], "error");
    let openai = gateway.get("/v1/models/gem-1").send().status(200).json();
    assert_eq!((&openai["object"], &openai["owned_by"]), (&json!("model"), &json!("gem")));
}

#[test]
fn models_are_listed_by_pages_as_the_vendors_clients_turn_them() {
    let upstream = Upstream::start();
    let gateway = gem_at(&upstream).with("/models", json!({"one": ["gem:gem-1"], "two": ["gem:gem-1"]})).run();
    let anthropic = |query: &str| {
        let list = gateway.get(&format!("/v1/models{query}")).header("anthropic-version", "2023-06-01");
        list.send()
    };
    let ids = |list: &Value, key: &str, id: &str| -> Vec<String> {
        list[key].as_array().unwrap().iter().map(|it| it[id].as_str().unwrap().to_owned()).collect()
    };
    let all = ids(&anthropic("").status(200).json(), "data", "id");
    let (mut turned, mut query) = (Vec::new(), "?limit=2".to_owned());
    loop {
        let page = anthropic(&query).status(200).json();
        turned.extend(ids(&page, "data", "id"));
        query = format!("?limit=2&after_id={}", page["last_id"].as_str().unwrap_or_default());
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(turned, all);
    assert_eq!(anthropic("?after_id=nobody").status(400).json()["error"]["type"], "invalid_request_error");
    let google = |query: &str| gateway.get(&format!("/v1beta/models?pageSize=2{query}")).send().status(200).json();
    let first = google("");
    let second = google(&format!("&pageToken={}", first["nextPageToken"].as_str().unwrap()));
    let names: Vec<_> = [first, second].iter().flat_map(|page| ids(page, "models", "displayName")).collect();
    assert_eq!(names, all[..names.len()]);
}

#[test]
fn googles_ways_of_sending_a_key_show_the_gateways_and_go_no_further() {
    let upstream = Upstream::start();
    let setup = gem_at(&upstream).with_key("RUST_LOG", "trace");
    let gateway = setup.with("/server/keys", json!([KEY_OF_GATEWAY])).run();
    let path = "/v1beta/models/gem:gem-1:generateContent";
    let without = gateway.post(path).json(&contents()).send().status(401).json();
    assert_eq!(without["error"]["status"], "UNAUTHENTICATED");
    gateway.post(&format!("{path}?key=another-key-of-nobody")).json(&contents()).send().status(401);
    gateway.get("/v1/models?key=another-key-of-nobody").send().status(401);
    assert!(upstream.requests().is_empty());
    let in_query = format!("{path}?key={KEY_OF_GATEWAY}");
    gateway.post(&in_query).json(&contents()).send().status(200);
    gateway.post(path).header("x-goog-api-key", KEY_OF_GATEWAY).json(&contents()).send().status(200);
    gateway.get(&format!("/v1beta/models?key={KEY_OF_GATEWAY}")).send().status(200);
    for seen in upstream.requests() {
        assert!(!format!("{seen:?}").contains(KEY_OF_GATEWAY));
    }
    let log = gateway.log();
    assert!(!log.contains(KEY_OF_GATEWAY) && !log.contains("another-key-of-nobody"), "{log}");
}

#[test]
fn who_only_looks_needs_no_key() {
    let gateway = Gateway::start().with("/server/keys", json!([KEY_OF_GATEWAY])).run();
    for path in ["/", "/api/hello"] {
        let answer = gateway.request("HEAD", path).send().status(200);
        assert!(answer.body.is_empty(), "{path}");
    }
    gateway.get("/api/hello").send().status(401);
    gateway.request("HEAD", "/v1/models").send().status(401);
}
