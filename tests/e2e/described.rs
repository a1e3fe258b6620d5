//! A provider that is a description and nothing else: a `.json` file in the plugin folder, under the rules of components.

use bitrouter_tests::{Gateway, Reply, Setup, Upstream, eventually};
use serde_json::{Value, json};

/// A compatible provider, whose names of things are its own.
fn acme() -> Value {
    json!({
        "id": "acme", "name": "Acme AI", "version": "1", "vendor": "acme",
        "origins": { "api": "https://api.acme.example/v1" },
        "auth": [{ "method": "api-key", "env": ["ACME_API_KEY"], "attach": [{ "header": "x-acme-key" }] }],
        "serves": { "generate": ["chat-completions", "messages"], "embeddings": ["openai"] },
        "paths": { "generate": { "messages": "/anthropic/{model}/messages" } },
        "headers": { "acme-version": "2026-01-01" },
        "settings": { "region": { "type": "string", "description": "Where.", "header": "acme-region" } },
        "errors": { "rules": [{ "code": "1113", "kind": "usage-limit" }] },
        "limits": { "headers": ["acme-limit-{window}-{value}"] },
        "side_requests": { "models": {
            "kind": "models", "path": "/models", "list": "/items", "id": "/name", "prefix": "models/",
            "context_window": "/window", "unless": { "/state": "retired" },
            "next": { "query": "after", "value": "/last", "more": "/more" },
        } },
        "models": [{ "id": "acme-1" }],
    })
}

fn dropped(upstream: &Upstream) -> Setup {
    let file = acme().to_string();
    let setup = Gateway::start().with_plugin_file("acme.json", file.as_bytes()).with_origin("acme", upstream);
    setup.with_key("ACME_API_KEY", "canary-of-acme").with_key("RUST_LOG", "bitrouter=debug")
}

fn accepted(upstream: &Upstream) -> Setup {
    let setup = dropped(upstream);
    setup.command(&["plugin", "trust", "acme", "--yes"]).ok();
    setup
}

fn chat() -> Value {
    json!({ "model": "acme-1", "messages": [{ "role": "user", "content": "hi" }] })
}

#[test]
fn it_serves_once_it_is_accepted_and_nothing_of_it_before() {
    let upstream = Upstream::start();
    let setup = dropped(&upstream);
    let file = setup.plugin("acme.json");
    let file = file.to_str().unwrap();
    setup.command(&["plugin", "check", "acme"]).ok().says("no mistake was found in acme, Acme AI 1");
    let listed = setup.command(&["plugin", "list"]).ok();
    listed.says("not trusted: it asks for ACME_API_KEY").says(&format!("bitrouter plugin trust {file}"));
    let asked = setup.command(&["plugin", "trust", "acme"]).fails();
    asked.says("API key from ACME_API_KEY").says("the header x-acme-key").says("https://api.acme.example/v1 (api)");
    let gateway = setup.run();
    gateway.chat(&json!({ "model": "acme:acme-1", "messages": [] })).says("bitrouter plugin trust");
    assert_eq!(upstream.connections(), 0);
    gateway.command(&["plugin", "trust", "acme.json", "--yes"]).ok().says("the next `bitrouter serve` loads it");
    assert!(eventually(|| gateway.chat(&chat()).code == 200), "{}", gateway.log());
    let listed = gateway.command(&["plugin", "list", "--json"]).ok().json();
    let row = listed["loaded"].as_array().unwrap().iter().find(|row| row["id"] == "acme").unwrap();
    assert_eq!((&row["trusted"], row["file"].as_str()), (&json!(true), Some(file)));
    // Another text of it is another file: one that asks for no more is said to be there, more is asked for again.
    gateway.put_plugin("acme.json", acme().to_string().replace("Acme AI", "Acme KI").as_bytes());
    assert!(eventually(|| gateway.log().contains("another build than the one that you accepted")), "{}", gateway.log());
    gateway.put_plugin(
        "acme.json",
        acme().to_string().replace("https://api.acme.example", "https://b.acme.example").as_bytes(),
    );
    assert!(
        eventually(|| gateway.log().contains("not the build that you accepted, and it asks for more: the origin api")),
        "{}",
        gateway.log()
    );
}

#[test]
fn calls_go_where_and_as_it_says() {
    let upstream = Upstream::start();
    let gateway = accepted(&upstream).with("/providers/acme/settings", json!({ "region": "eu" })).run();
    gateway.chat(&chat()).status(200);
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/chat/completions"));
    for (name, value) in [("x-acme-key", "canary-of-acme"), ("acme-version", "2026-01-01"), ("acme-region", "eu")] {
        assert_eq!(seen.header(name), Some(value), "{name}");
    }
    assert_eq!(seen.json(), chat());
    let messages = |model: &str| {
        let body = json!({ "model": model, "max_tokens": 1, "messages": [] });
        gateway.post("/v1/messages").json(&body).send()
    };
    messages("acme:x/y").status(200);
    assert_eq!(upstream.last().path, "/v1/anthropic/x%2Fy/messages");
    // No client chooses the path.
    messages("acme:../x").status(404).says("the name `../x` cannot stand in a path");
    // Nor does one that it cannot have keep the request from the next target.
    let either = json!({ "models": ["acme:../x", "acme:y"], "max_tokens": 1, "messages": [] });
    gateway.post("/v1/messages").json(&either).send().status(200);
    assert_eq!(upstream.last().path, "/v1/anthropic/y/messages");
    gateway.post("/v1/embeddings").json(&json!({ "model": "acme:e", "input": "x" })).send().status(200);
    assert_eq!(upstream.last().path, "/v1/embeddings");
    upstream.streams(&["data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n", "data: [DONE]\n\n"]);
    let mut streaming = chat();
    streaming["stream"] = json!(true);
    gateway.chat(&streaming).status(200).says("\"content\":\"hi\"").says("[DONE]");
    assert_eq!(upstream.last().header("accept"), Some("text/event-stream"));
}

#[test]
fn its_failures_mean_what_it_says_and_its_limits_are_read() {
    let upstream = Upstream::start();
    let gateway = accepted(&upstream).run();
    upstream.replies(Reply::json(&json!({})).header("acme-limit-tokens-remaining", "7").header("acme-other", "8"));
    gateway.chat(&chat()).status(200);
    gateway.logs("limits heard").logs("name: \"tokens\"").logs("remaining: Some(7)");
    let error = json!({ "error": { "code": "1113", "message": "No balance" } });
    upstream.replies(Reply::json(&error).status(429).header("retry-after-ms", "119500"));
    let answer = gateway.chat(&chat()).status(429).says("No balance");
    assert_eq!(answer.header("retry-after"), Some("120"));
    gateway.logs("usage-limit of account: No balance");
}

#[test]
fn what_everybody_means_by_a_failure_need_not_be_said() {
    let upstream = Upstream::start();
    let gateway = accepted(&upstream).run();
    for (status, body, expected) in [
        (422, json!({ "detail": [{ "msg": "Field required" }] }), "invalid-request of request: Field required"),
        (
            404,
            json!([{ "error": { "code": 404, "message": "no such model", "status": "NOT_FOUND" } }]),
            "model-not-found of model: no such model",
        ),
        (400, json!({ "message": "Too hot" }), "invalid-request of request: Too hot"),
    ] {
        upstream.replies(Reply::json(&body).status(status));
        gateway.chat(&chat()).status(status);
        gateway.logs(expected);
    }
}

#[test]
fn what_is_not_served_here_is_asked_for_elsewhere() {
    let upstream = Upstream::start();
    let gateway = accepted(&upstream).run();
    let asks = |status, error: Value| {
        upstream.follows(move |seen| match seen.json()["model"] == "a" {
            true => Reply::json(&error).status(status),
            false => Reply::json(&json!({ "choices": [] })),
        });
        let before = upstream.requests().len();
        gateway.chat(&json!({ "models": ["acme:a", "acme:b"], "messages": [] })).status(200);
        let asked = upstream.requests();
        asked[before..].iter().map(|seen| seen.json()["model"].clone()).collect::<Vec<_>>()
    };
    let not_here = json!({ "error": { "message": "there is no such operation" } });
    for _ in 0..2 {
        assert_eq!(asks(501, not_here.clone()), ["a", "b"], "it says nothing of the target's health");
    }
    let not_allowed =
        json!({ "error": { "code": 400, "message": "Not in this country", "status": "FAILED_PRECONDITION" } });
    assert_eq!(asks(400, not_allowed), ["a", "b"]);
}

#[test]
fn its_list_of_models_is_asked_for_page_by_page() {
    let upstream = Upstream::start();
    upstream.follows(|seen| {
        Reply::json(&match seen.path.as_str() {
            "/v1/models" => json!({
                "items": [{ "name": "models/a", "window": 9 }, { "name": "old", "state": "retired" }], "last": "a b", "more": true,
            }),
            "/v1/models?after=a+b" | "/v1/models?after=a%20b" => json!({ "items": [{ "name": "b" }], "last": "b", "more": false }),
            other => json!({ "error": { "message": other } }),
        })
    });
    let setup = accepted(&upstream).with_side_requests();
    let ran = setup.command(&["models", "--refresh", "--provider", "acme", "--json"]).ok();
    let models = ran.json();
    let models: Vec<_> =
        models.as_array().unwrap().iter().map(|model| (&model["id"], &model["context_window"])).collect();
    assert_eq!(models, [(&json!("a"), &json!(9)), (&json!("b"), &Value::Null)], "{}", ran.stderr);
    assert_eq!(upstream.requests().len(), 2);
    assert!(upstream.requests().iter().all(|seen| seen.header("x-acme-key") == Some("canary-of-acme")));
}

#[test]
fn a_list_whose_pages_repeat_ends_there_and_one_without_an_end_is_none() {
    let upstream = Upstream::start();
    let setup = accepted(&upstream).with_side_requests();
    let refresh = || setup.command(&["models", "--refresh", "--provider", "acme"]).ok();
    // The server does not know the parameter: either its list comes again, or nothing but the same next page.
    for lists_again in [true, false] {
        let before = upstream.requests().len();
        upstream.follows(move |seen| {
            let is_first = !seen.path.contains("after=");
            let items = if is_first || lists_again { json!([{ "name": "models/only" }]) } else { json!([]) };
            let last = if lists_again { format!("x{}", seen.path.len()) } else { "x".to_owned() };
            Reply::json(&json!({ "items": items, "last": last, "more": true }))
        });
        refresh().says("may not be whole").says("the same one came again").says("only");
        assert_eq!(upstream.requests().len() - before, 2);
    }
    let before = upstream.requests().len();
    upstream.follows(|seen| {
        let page: u32 = seen.path.split_once("after=").map_or(0, |(_, page)| page.parse().unwrap());
        Reply::json(&json!({ "items": [{ "name": format!("m{page}") }], "last": (page + 1).to_string(), "more": true }))
    });
    refresh().says("its list has more than 64 pages").says("only");
    assert_eq!(upstream.requests().len() - before, 64);
}

#[test]
fn a_mistake_in_it_is_named_with_its_member() {
    let mut wrong = acme();
    wrong["limits"]["headers"] = json!(["acme-*"]);
    wrong["serves"]["models"] = json!(["openai"]);
    wrong["error"] = json!({});
    wrong["errors"]["rules"][0]["kind"] = json!("broke");
    let setup = Gateway::start().with_plugin_file("acme.json", wrong.to_string().as_bytes());
    let checked = setup.command(&["plugin", "check", "acme.json"]).fails();
    checked
        .says("limits.headers: `acme-*` must hold {value} once, and {window} at most once")
        .says("`error` is no member; there are: ")
        .says("`errors.rules.0`: the kind `broke` is not known");
    setup.command(&["plugin", "list"]).ok().says("its description is not valid: limits.headers: `acme-*` must hold");
    wrong["limits"] = json!({});
    wrong["error"].take();
    let setup = setup.with_plugin_file("acme.json", wrong.to_string().as_bytes());
    setup.command(&["plugin", "list"]).ok().says("name one in `paths.models.openai`");
    let setup = setup.with_plugin_file("acme.json", b"{");
    setup.command(&["plugin", "check", "acme.json"]).fails().says("the description is not JSON");
}
