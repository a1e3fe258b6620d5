//! Built-in descriptions as a user meets them: a server of one's own in four lines, second entries, addresses with holes,
//! and servers of this machine that come and go.

use bitrouter_tests::{Gateway, Reply, Upstream, eventually, free_port};
use serde_json::{Value, json};

fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] })
}

#[test]
fn a_server_of_ones_own_is_four_lines() {
    let upstream = Upstream::start();
    let mut gateway = Gateway::start().run();
    let base = upstream.origin();
    gateway.write_config(&format!(
        "providers:\n  acme:\n    use: openai-compatible\n    api_base: {base}/v1\n    api_key: canary-of-acme-0123\n"
    ));
    assert!(eventually(|| gateway.chat(&chat("acme:large")).code == 200), "{}", gateway.log());
    let seen = upstream.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(seen.header("authorization"), Some("Bearer canary-of-acme-0123"));
    gateway.command(&["providers"]).ok().says("acme").says("active");
    gateway.command(&["route", "acme:large"]).ok().says("acme").says("chat-completions");
}

#[test]
fn one_without_a_key_is_asked_without_and_no_vendors_key_goes_there() {
    let upstream = Upstream::start();
    let gateway = Gateway::start()
        .with("/providers/mine", json!({ "use": "openai-compatible", "api_base": upstream.origin() }))
        .with("/providers/other", json!({ "use": "openai", "api_base": upstream.origin() }))
        .with_key("OPENAI_API_KEY", "sk-canary-0123456789")
        .run();
    gateway.chat(&chat("mine:m")).status(200);
    assert_eq!(upstream.last().header("authorization"), None);
    // The key in the environment is OpenAI's, and this is another's server.
    let before = upstream.requests().len();
    gateway.chat(&chat("other:m")).status(401);
    assert_eq!(upstream.requests().len(), before);
}

#[test]
fn a_second_entry_has_its_own_key_and_id() {
    let upstream = Upstream::start();
    let base = format!("{}/v1", upstream.origin());
    let block = json!({ "use": "anthropic-compatible", "api_base": base, "api_key": "key-of-second-01234" });
    let gateway = Gateway::start().with("/providers/second", block).run();
    let body = json!({ "model": "second:m", "max_tokens": 1, "messages": [] });
    gateway.post("/v1/messages").json(&body).send().status(200);
    let seen = upstream.last();
    assert_eq!((seen.path.as_str(), seen.header("x-api-key")), ("/v1/messages", Some("key-of-second-01234")));
    assert_eq!(seen.header("anthropic-version"), Some("2023-06-01"));
}

#[test]
fn dialects_of_the_config_take_the_place_of_the_providers_own() {
    let upstream = Upstream::start();
    let block = json!({ "use": "openai-compatible", "api_base": upstream.origin(), "dialects": ["responses"] });
    let gateway = Gateway::start().with("/providers/mine", block).run();
    let body = json!({ "model": "mine:m", "input": "hi" });
    gateway.post("/v1/responses").json(&body).send().status(200);
    assert_eq!(upstream.last().path, "/responses");
}

#[test]
fn what_cannot_be_made_of_another_says_why() {
    let of = |base: &str| json!({ "use": base });
    let setup = Gateway::start().with("/providers/a", of("openai-compatibel"));
    setup.command(&["providers"]).ok().says("did you mean `openai-compatible`?");
    let setup = Gateway::start().with("/providers/openai", of("openai-compatible"));
    setup.command(&["providers"]).ok().says("is a provider by itself");
    let setup = Gateway::start().with("/providers/a", of("openai-compatible"));
    setup.command(&["config", "check"]).fails().says("api_base");
}

#[test]
fn a_machine_of_the_network_is_asked_in_the_clear_where_the_config_says_so_and_nowhere_else() {
    let at = |url: &str| json!({ "use": "openai-compatible", "api_base": url });
    for url in [
        "http://192.168.255.254:9/v1",
        "http://gpu-box:8000",
        "http://gpu.lan/v1",
        "http://[fd00::7]:1",
        "http://100.64.0.1",
    ] {
        Gateway::start().with("/providers/a", at(url)).command(&["config", "check"]).ok();
    }
    for url in ["http://8.8.8.8/v1", "http://api.example.com/v1", "http://169.254.169.254/v1", "http://172.32.0.1/v1"] {
        let checked = Gateway::start().with("/providers/a", at(url)).command(&["config", "check"]).fails();
        checked.says("uses `http` to a host other than this machine");
    }
    // A vendor's key in the environment stays here.
    let setup = Gateway::start()
        .with("/providers/openai/api_base", json!("http://192.168.255.254:9/v1"))
        .with_key("OPENAI_API_KEY", "sk-canary-0123456789");
    setup.command(&["providers"]).ok().says("no credential");
}

#[test]
fn an_address_with_a_hole_is_filled_by_a_setting_or_a_variable_and_by_nothing_that_leads_elsewhere() {
    let azure = || Gateway::start().with_key("AZURE_OPENAI_API_KEY", "canary-of-azure-01234");
    let told = azure().command(&["providers"]).ok();
    told.says("set `providers.azure.settings.resource` in the config, or AZURE_RESOURCE_NAME");
    let shown = azure().with_key("AZURE_RESOURCE_NAME", "My-Team").command(&["route", "azure:gpt-5"]).ok();
    shown.says("https://my-team.openai.azure.com/openai/v1");
    let endpoint = azure().with_key("AZURE_OPENAI_ENDPOINT", "https://my-team.cognitiveservices.azure.com/");
    endpoint.command(&["route", "azure:gpt-5"]).ok().says("https://my-team.openai.azure.com/openai/v1");
    let elsewhere = azure().with_key("AZURE_OPENAI_ENDPOINT", "https://my-team.openai.azure.com.evil.example/");
    elsewhere.command(&["providers"]).ok().says("set `providers.azure.settings.resource`");
    for resource in ["evil.com/", "a.b", "evil.com#", "x@evil.com", "..", "a%2eb"] {
        let setup = azure().with("/providers/azure/settings", json!({ "resource": resource }));
        setup.command(&["config", "check"]).fails().says("`resource` is `");
        setup.command(&["route", "azure:gpt-5"]).fails().says("which is no single part of a host's name");
    }
}

#[test]
fn servers_of_this_machine_are_used_while_they_run() {
    let address = free_port();
    let other = Upstream::start();
    other.answers(json!({ "from": "other" }));
    let gateway = Gateway::start()
        .with_side_requests()
        .with_key("OLLAMA_HOST", &address.to_string())
        .with("/providers/spare", json!({ "use": "openai-compatible", "api_base": other.origin() }))
        .with("/models/small", json!(["ollama:qwen3:8b", "spare:m"]))
        .run();
    gateway.command(&["providers"]).ok().says("not running on this machine:").says("ollama");
    gateway.chat(&chat("qwen3:8b")).status(400);

    let ollama = Upstream::start_at(address);
    ollama.follows(|seen| match seen.path.as_str() {
        "/api/version" => Reply::json(&json!({ "version": "0.9.0" })),
        "/api/tags" => Reply::json(&json!({ "models": [{ "name": "qwen3:8b" }] })),
        _ => Reply::json(&json!({ "from": "ollama" })),
    });
    assert!(eventually(|| gateway.chat(&chat("qwen3:8b")).code == 200), "{}", gateway.log());
    assert!(ollama.requests().iter().all(|seen| seen.header("authorization").is_none()));
    gateway.chat(&chat("small")).status(200).says("\"ollama\"");
    drop(ollama);
    gateway.chat(&chat("small")).status(200).says("\"other\"");
    gateway.chat(&chat("qwen3:8b")).status(502).says("ollama: no connection");
}

#[test]
fn another_program_on_the_port_is_no_provider() {
    let upstream = Upstream::start();
    upstream.answers(json!({ "hello": "world" }));
    let address = upstream.origin().replace("http://", "");
    let gateway = Gateway::start().with_key("OLLAMA_HOST", &address).run();
    assert!(eventually(|| upstream.requests().iter().any(|seen| seen.path == "/api/version")));
    gateway.command(&["providers"]).ok().says("not running on this machine:").says("ollama");
}

#[test]
fn a_plan_for_some_programs_answers_to_its_own_id_alone() {
    let upstream = Upstream::start();
    let block = json!({ "api_key": "key-of-the-plan-0123", "api_base": upstream.origin() });
    let gateway = Gateway::start().with("/providers/zai-coding", block).run();
    gateway.chat(&chat("zai-coding:glm-5")).status(200);
    gateway.chat(&chat("glm-5")).status(400);
}
