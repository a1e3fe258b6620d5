//! What a component is believed that nobody accepted: nothing but its own id.

use bitrouter_tests::{Gateway, Ran, Reply, Setup, Upstream, component, eventually};
use serde_json::{Value, json};

fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [] })
}

/// A component that would like to be asked for everything, be handed everything, and ask by itself.
fn greedy(upstream: &Upstream, greedy: &Upstream) -> Setup {
    let setup = Gateway::start().with_side_requests().with_openai_at(upstream).with_plugin("greedy");
    setup.with_origin("aaa", greedy)
}

/// What clients send along that is nobody's business.
const HEADERS: [&str; 9] = [
    "apikey",
    "cf-access-client-secret",
    "x-functions-key",
    "private-token",
    "helicone-auth",
    "x-my-token",
    "x-anything",
    "user-agent",
    "openai-organization",
];

fn with_headers(gateway: &Gateway, model: &str) -> u16 {
    let request = gateway.post("/v1/chat/completions?key=of-a-client&x=y").json(&chat(model));
    HEADERS.iter().fold(request, |request, name| request.header(name, "canary-of-a-client")).send().code
}

#[test]
fn a_component_that_nobody_accepted_is_asked_nothing_but_by_its_own_id() {
    let (openai, other) = (Upstream::start(), Upstream::start());
    let gateway = greedy(&openai, &other).run();
    let listed = || gateway.get("/v1/models").send().text().contains("aaa:gpt-4o");
    assert!(eventually(listed), "{}", gateway.log());
    for model in ["gpt-4o", "openai/gpt-4o", "openai:gpt-4o"] {
        gateway.chat(&chat(model)).status(200);
    }
    // Nor where the others cannot answer.
    openai.follows(|_| Reply::json(&json!({})).status(500));
    assert!(gateway.chat(&chat("gpt-4o")).code >= 500);
    for name in ["only-greedy-has-it", "openai/only-greedy-has-it"] {
        gateway.chat(&chat(name)).status(400);
    }
    gateway.get("/v1/models?client_version=1").send().status(200).never_says("greedy");
    gateway.command(&["models", "--refresh", "--provider", "aaa"]).ok();
    assert_eq!(other.connections(), 0, "{}", gateway.log());
    // By its id it works, and no header or parameter of the client's goes along.
    assert_eq!(with_headers(&gateway, "aaa:gpt-4o"), 200);
    let seen = other.last();
    for name in HEADERS.iter().filter(|name| **name != "user-agent") {
        assert_eq!(seen.header(name), None, "{name}");
    }
    assert!(!format!("{seen:?}").contains("of-a-client"), "{seen:?}");
    assert_eq!(other.requests().len(), 1);
    let ids: Vec<Value> = gateway.get("/v1/models").send().json()["data"].as_array().unwrap().clone();
    let of = |id: &str| ids.iter().filter(|model| model["id"] == id).map(|model| model["owned_by"].clone()).collect();
    let owners: Vec<Value> = of("gpt-4o");
    assert_eq!(owners, [json!("openai")]);
    let owners: Vec<Value> = of("only-greedy-has-it");
    assert!(owners.is_empty(), "{owners:?}");
}

#[test]
fn every_command_says_that_it_is_not_trusted() {
    let (openai, other) = (Upstream::start(), Upstream::start());
    let setup = greedy(&openai, &other);
    let says = |ran: Ran| ran.ok().says("bitrouter plugin trust").says("greedy.wasm");
    says(setup.command(&["providers"])).says("answers to aaa:MODEL alone");
    says(setup.command(&["plugin", "list"])).says("answers to aaa:MODEL alone");
    says(setup.command(&["route", "gpt-4o"])).says("skipped: aaa:gpt-4o: not trusted");
    says(setup.command(&["route", "aaa:gpt-4o"])).says("not trusted").says("pay-per-token");
    setup.command(&["route", "only-greedy-has-it"]).fails().says("reached as aaa:only-greedy-has-it only");
    let providers = setup.command(&["providers", "--json"]).ok().json();
    assert_eq!(providers["providers"][0]["trusted"], false, "{providers}");
    let models = setup.command(&["models", "--json"]).ok().json();
    let aaa = models.as_array().unwrap().iter().find(|model| model["provider"] == "aaa").unwrap();
    assert_eq!(aaa["trusted"], false);
    assert_eq!(other.connections(), 0);
    let gateway = setup.run();
    gateway.logs("component not trusted");
}

#[test]
fn once_accepted_it_is_believed_and_no_longer_so_when_that_is_taken_back() {
    let (openai, other) = (Upstream::start(), Upstream::start());
    let gateway = greedy(&openai, &other).run();
    // By its id: no path needs to be typed.
    let ran = gateway.command(&["plugin", "trust", "aaa", "--yes"]).ok();
    let ran = ran.says("to have the models gpt-4o").says("to serve the vendor openai").says("as subscription");
    let ran =
        ran.says("/models (list), at start and hourly").says("headers").says("CAUTION: http://127.0.0.1:9/v1 is no");
    let ran = ran.says("CAUTION: requests for `gpt-4o`").says("CAUTION: openai/MODEL").says("matches `*`");
    ran.says("settings").says("What it is told.");
    // Which is noticed, and then what it asks by itself is asked.
    assert!(eventually(|| other.connections() > 0), "{}", gateway.log());
    let sent = |gateway: &Gateway| {
        gateway.chat(&chat("gpt-4o"));
        other.requests().iter().filter(|request| request.path.contains("chat")).count()
    };
    assert!(eventually(|| sent(&gateway) > 0), "{}", gateway.log());
    assert_eq!(with_headers(&gateway, "aaa:gpt-4o"), 200);
    assert_eq!(other.last().header("x-anything"), Some("canary-of-a-client"));
    // What is known to be a credential never goes up, whatever was accepted.
    let request =
        gateway.post("/v1/chat/completions").json(&chat("aaa:gpt-4o")).header("x-api-key", "canary-of-a-client");
    request.send().status(200);
    assert_eq!(other.last().header("x-api-key"), None);
    gateway.command(&["plugin", "list"]).ok().says("yes");

    gateway.command(&["plugin", "untrust", "greedy.wasm"]).ok().says("not accepted any more: aaa");
    gateway.command(&["reload"]).ok().says("aaa: its component is not trusted any more");
    let before = other.requests().len();
    gateway.chat(&chat("gpt-4o")).status(200);
    assert_eq!(other.requests().len(), before);
    gateway.command(&["plugin", "untrust", "aaa"]).fails().says("was not accepted");
}

#[test]
fn a_component_that_nobody_accepted_does_not_reach_into_this_machine() {
    let (openai, other) = (Upstream::start(), Upstream::start());
    // Its own origin is this machine's, and no config says otherwise.
    let gateway = Gateway::start().with_openai_at(&openai).with_plugin("greedy").run();
    assert!(eventually(|| gateway.log().contains("no server of the open internet")), "{}", gateway.log());
    gateway.chat(&chat("aaa:gpt-4o")).status(503).says("http://127.0.0.1:9/v1").says("bitrouter plugin trust");
    gateway.command(&["plugin", "list"]).ok().says("not trusted: it sends to http://127.0.0.1:9/v1");
    gateway.chat(&chat("gpt-4o")).status(200);
    drop(gateway);
    // The user's own config may say where it goes.
    let gateway = greedy(&openai, &other).run();
    assert!(eventually(|| gateway.chat(&chat("aaa:x")).code == 200), "{}", gateway.log());
}

#[test]
fn a_component_is_named_by_a_file_here_by_one_of_the_plugin_folder_or_by_its_id() {
    let setup = Gateway::start().with_plugin("greedy");
    setup.command(&["plugin", "trust", "greedy.wasm"]).fails().says("id              aaa").says("--accept");
    setup.command(&["plugin", "trust", "aaa"]).fails().says("plugins/greedy.wasm");
    let here = setup.working_directory().join("greedy.wasm");
    std::fs::write(&here, component("echo")).unwrap();
    // A file that stands where the user stands is what a file's name means, and an id is none.
    setup.command(&["plugin", "trust", "greedy.wasm"]).fails().says("work/greedy.wasm");
    std::fs::write(setup.working_directory().join("aaa"), component("echo")).unwrap();
    setup.command(&["plugin", "trust", "aaa"]).fails().says("plugins/greedy.wasm");
    setup.command(&["plugin", "trust", "nobody"]).fails().says("no component there has this id");
    setup.command(&["plugin", "trust", "no.wasm"]).fails().says("there is no such file, neither here nor in");
}
