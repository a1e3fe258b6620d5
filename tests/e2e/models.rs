//! Which provider a request goes to: lists in requests, names in the config, vendors, and what is never moved to.

use bitrouter_tests::{ChatGpt, Gateway, Reply, Setup, Upstream};
use serde_json::{Value, json};

/// What may cost money, and what costs nothing, at one upstream.
fn openai_and_echo(upstream: &Upstream) -> Setup {
    Gateway::start().with_openai_at(upstream).with_plugin("echo").with_origin("echo", upstream).trusting("echo")
}

/// An upstream that answers every dialect with nothing much, streamed where it is asked to.
fn willing() -> Upstream {
    let upstream = Upstream::start();
    upstream.follows(|request| match request.text().contains("\"stream\":true") {
        true => Reply::sse().send("data: {}\n\n"),
        false => Reply::json(&json!({})),
    });
    upstream
}

/// `provider:model` of the targets that `route` prints.
fn targets(setup: &Setup, arguments: &[&str]) -> Vec<String> {
    let printed = setup.command(&[&["route", "--json"], arguments].concat()).ok().json();
    let target =
        |target: &Value| format!("{}:{}", target["provider"].as_str().unwrap(), target["model"].as_str().unwrap());
    printed["targets"].as_array().unwrap().iter().map(target).collect()
}

#[test]
fn a_list_is_taken_out_in_every_dialect_streamed_or_not() {
    let upstream = willing();
    let gateway = openai_and_echo(&upstream).run();
    for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1/embeddings"] {
        for streaming in [false, true] {
            for mut body in [
                json!({"models": ["echo:echo-1", "openai:gpt-4o"], "x_unknown": [1.5]}),
                json!({"model": "nobody:nothing", "models": ["echo-1"], "x_unknown": [1.5]}),
            ] {
                body["stream"] = json!(streaming);
                gateway.post(path).json(&body).send().status(200);
                let seen = upstream.last().json();
                assert_eq!(seen, json!({"model": "echo-1", "x_unknown": [1.5], "stream": streaming}), "{path}");
            }
        }
    }
}

#[test]
fn a_list_in_a_form_is_taken_out_of_it() {
    let upstream = Upstream::start();
    upstream.replies(Reply::json(&json!({"text": "hello"})));
    let gateway = openai_and_echo(&upstream).run();
    let field =
        |name: &str, value: &str| format!("--b0\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let form = |fields: &[String]| fields.concat() + "--b0--\r\n";
    let (file, language) = (field("file", "RIFF"), field("language", "de"));
    let list = field("models", "[\"openai:whisper-1\", \"openai:gpt-transcribe\"]");
    let body = form(&[file.clone(), list, language.clone()]);
    let request = gateway.post("/v1/audio/transcriptions").body("multipart/form-data; boundary=b0", body);
    request.send().status(200);
    assert_eq!(upstream.last().text(), form(&[file, field("model", "whisper-1"), language]));
}

#[test]
fn what_is_no_list_or_names_nothing_is_refused_before_any_upstream_is_called() {
    let upstream = willing();
    let gateway = openai_and_echo(&upstream).run();
    for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages"] {
        for (models, said) in [
            (json!([]), "`models` is empty"),
            (json!("echo:echo-1"), "`models` is of type string"),
            (json!(["echo:echo-1", 5]), "an entry that is not a text"),
            (json!(vec!["echo:echo-1"; 9]), "`models` has 9 entries"),
            (json!(["echo:echo-1", "ecko:echo-1"]), "models[1]: there is no provider `ecko`"),
            (
                json!(["gpt-4oo", "echo:echo-1"]),
                "models[0]: no active provider lists the model `gpt-4oo`. Nearest: gpt-4o",
            ),
        ] {
            let body = json!({"model": "echo:echo-1", "models": models, "stream": true});
            gateway.post(path).json(&body).send().status(400).says(said);
        }
    }
    assert!(upstream.requests().is_empty());
}

#[test]
fn names_of_the_config_are_answered_and_listed() {
    let upstream = willing();
    let gateway = openai_and_echo(&upstream)
        .with("/models", json!({"fast": ["echo:echo-1", "openai:gpt-4o"], "claude-*": "echo:*", "gpt-4o": "echo:mine"}))
        .run();
    for (model, goes_up_as) in [
        ("fast", "echo-1"),
        ("claude-sonnet", "sonnet"),
        ("gpt-4o", "mine"),
        ("openai:gpt-4o", "gpt-4o"),
        ("echo:fast", "fast"),
    ] {
        gateway.chat(&json!({"model": model, "messages": []})).status(200);
        assert_eq!(upstream.last().json()["model"], goes_up_as, "{model}");
    }
    let list = gateway.get("/v1/models").send().status(200).json();
    let ids: Vec<&str> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(ids.iter().filter(|id| **id == "gpt-4o").count(), 1);
    assert!(ids.contains(&"fast") && !ids.contains(&"claude-*"), "{ids:?}");
    gateway.command(&["models"]).ok().says("fast    echo:echo-1, openai:gpt-4o").says("echo:echo-1 ");
    let listed = gateway.command(&["models", "--json"]).ok().json();
    assert_eq!(listed[0], json!({"id": "fast", "addresses": ["echo:echo-1", "openai:gpt-4o"]}));
}

#[test]
fn a_typing_error_under_models_is_found_by_the_check_and_refuses_only_who_asks_for_it() {
    let upstream = willing();
    let setup = openai_and_echo(&upstream);
    setup.command(&["config", "check"]).ok();
    let setup = setup.with("/models", json!({"fast": ["ecko:echo-1"], "fine": "echo:echo-1"}));
    setup
        .command(&["config", "check"])
        .fails()
        .says("bitrouter.yaml:1:")
        .says("`models.fast`: there is no provider `ecko`");
    let gateway = setup.run();
    gateway.logs("there is no provider `ecko`");
    gateway.chat(&json!({"model": "fine", "messages": []})).status(200);
    let refused = gateway.chat(&json!({"model": "fast", "messages": []})).status(400);
    refused.says("models.fast in bitrouter.yaml: there is no provider `ecko`").says("echo");
}

#[test]
fn a_vendors_name_in_front_leads_to_who_serves_it() {
    let upstream = willing();
    let gateway = openai_and_echo(&upstream).run();
    gateway.chat(&json!({"model": "openai/gpt-4o", "messages": []})).status(200);
    assert_eq!(upstream.last().json()["model"], "gpt-4o");
    gateway.chat(&json!({"model": "anthropic/gpt-4o", "messages": []})).status(400).says("Nearest: gpt-4o");
}

#[test]
fn a_bare_name_stays_on_the_plan_and_a_list_may_leave_it() {
    let (upstream, chatgpt) = (Upstream::start(), ChatGpt::start());
    let setup = Gateway::start().with_openai_at(&upstream).with_chatgpt(&chatgpt);
    assert_eq!(targets(&setup, &["gpt-5.5"]), ["openai-codex:gpt-5.5"]);
    assert_eq!(targets(&setup, &["openai/gpt-5.5"]), ["openai-codex:gpt-5.5"]);
    setup.command(&["route", "gpt-5.5"]).ok().says("skipped: openai:gpt-5.5: pay-per-token: not moved to by itself");
    let setup = setup.with("/models/either", json!(["gpt-5.5", "openai:gpt-5.5"]));
    assert_eq!(targets(&setup, &["either"]), ["openai-codex:gpt-5.5", "openai:gpt-5.5"]);
    let gateway = setup.run();
    // What the plan does not serve is no reason to spend money.
    let embed = gateway.post("/v1/embeddings").json(&json!({"model": "gpt-5.5", "input": "x"})).send();
    embed.status(501).says("openai-codex does not serve");
    assert!(upstream.requests().is_empty());
}

#[test]
fn a_plan_that_nobody_is_logged_in_to_leaves_a_bare_name_to_the_key() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_openai_at(&upstream);
    assert_eq!(targets(&setup, &["gpt-5.5"]), ["openai:gpt-5.5"]);
    setup.command(&["route", "gpt-5.5"]).ok().says("skipped: openai-codex:gpt-5.5: no credential");
    let nobody = Gateway::start();
    nobody.command(&["route", "gpt-5.5"]).fails().says("bitrouter login openai-codex").says("OPENAI_API_KEY");
    // Whether a provider is named or not, and whether a login or a key is what is missing: the table, and why not.
    for address in ["gpt-5.5", "openai:gpt-5.5", "openai-codex:gpt-5.5", "openai-codex@work:gpt-5.5"] {
        let ran = nobody.command(&["route", address]).fails();
        assert!(ran.stdout.contains("PROVIDER") && ran.stdout.contains("gpt-5.5"), "{address}: {}", ran.stdout);
    }
    nobody.command(&["route", "openai"]).fails().says("`openai` names a provider and no model").says("openai:");
    nobody.command(&["route", "nothing-like-it"]).fails().says("no provider is active yet");
    nobody.command(&["route"]).fails().says("--request");
}

#[test]
fn route_reads_a_request_as_a_client_would_send_it() {
    let setup = openai_and_echo(&Upstream::start())
        .with_file("chat.json", r#"{"model":"openai:gpt-4o","messages":[]}"#)
        .with_file("messages.json", r#"{"models":["openai:gpt-4o","echo:echo-1"],"system":"x","messages":[]}"#)
        .with_file("embed.json", r#"{"model":"text-embedding-3-small","input":"x"}"#)
        .with_file("nothing.json", r#"{"messages":[]}"#)
        .with_file("broken.json", "{");
    let route = |arguments: &[&str]| setup.command(&[&["route"], arguments].concat());
    route(&["--request", "chat.json"]).ok().says("chat-completions, passed through").says("/v1/chat/completions");
    assert_eq!(targets(&setup, &["--request", "messages.json"]), ["openai:gpt-4o", "echo:echo-1"]);
    route(&["--request", "messages.json"]).ok().says("responses, translated").says("messages, passed through");
    let there = ["--request", "messages.json", "--endpoint", "/v1/chat/completions"];
    assert_eq!(targets(&setup, &there), ["openai:gpt-4o", "echo:echo-1"]);
    let printed = route(&["--request", "embed.json", "--json"]).ok().json();
    assert_eq!(printed["endpoint"], "/v1/embeddings");
    assert_eq!(
        (&printed["targets"][0]["dialect"], &printed["targets"][0]["cooling"]),
        (&json!("openai"), &Value::Null)
    );
    route(&["openai:gpt-4o", "--endpoint", "/v1/messages"]).ok().says("responses, translated");
    route(&["openai-codex:gpt-5.5", "--endpoint", "/v1/embeddings"]).fails().says("does not serve embeddings");
    route(&["openai:gpt-4o", "--endpoint", "/v1/nowhere"]).fails().says("/v1/chat/completions");
    route(&["--request", "nothing.json"]).fails().says("names no `model`");
    route(&["--request", "broken.json"]).fails().says("broken.json");
    route(&["--request", "missing.json"]).fails().says("missing.json");
    route(&[]).fails();
    let mut asked = setup.begin(&["route", "--request", "-"]);
    asked.types(r#"{"model":"echo-1","input":"x"}"#).types_no_more();
    asked.ends().ok().says("responses, passed through");
}
