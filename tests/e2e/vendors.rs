//! The built-in providers `anthropic` and `google`, each against an upstream that is as strict as its vendor.

use bitrouter_tests::{Answer, Anthropic, Fault, Gateway, Google, Request, Spoken, VENDOR_KEY};
use serde_json::{Value, json};

const SIGNATURE: &str = "RXA0Q0JhZGUtc2lnbmF0dXJl";

fn hello() -> Value {
    json!({"model": "anthropic:claude-e2e-1", "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}]})
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body
}

fn gateway(anthropic: &Anthropic) -> Gateway {
    Gateway::start().with_vendor(anthropic).run()
}

fn ask(gateway: &Gateway, body: &Value) -> Answer {
    gateway.post("/v1/messages").json(body).send()
}

/// The weather in two places, after some thought.
fn weather() -> Spoken {
    let turn = Spoken::thinks("Two places, so two calls.", SIGNATURE).then_says("I shall look.");
    turn.then_calls("weather", json!({"city": "Oslo", "days": 1.50})).then_calls("weather", json!({"city": "Rome"}))
}

#[test]
fn a_message_is_passed_through_byte_for_byte_whole_and_streamed() {
    let anthropic = Anthropic::start().then_always(weather());
    let gateway = gateway(&anthropic);
    let odd = "{ \"model\":\"anthropic:claude-e2e-1\",\r\n\"max_tokens\" : 64,\"messages\":[{\"role\":\"user\",\"content\":\"\\u0068i \\/\"}] }";
    let answer = gateway.post("/v1/messages").body("application/json", odd).send().status(200);
    let answer = answer.is(anthropic.last_answer()).says("toolu_").says(SIGNATURE);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("anthropic"));
    assert_eq!(anthropic.last().text(), odd.replace("anthropic:", ""));
    let answer = ask(&gateway, &streamed(hello())).status(200).is(anthropic.last_answer());
    answer.says("thinking_delta").says("signature_delta").says("input_json_delta").says("message_stop");
    anthropic.refused_nothing();
}

#[test]
fn the_key_is_the_accounts_and_nothing_that_the_client_proves_itself_with_goes_up() {
    let anthropic = Anthropic::start().then_always(Spoken::says("hi"));
    let gateway = gateway(&anthropic);
    let proof = ["authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "anthropic-workspace-id"];
    let request = gateway.post("/v1/messages?key=of-the-client-alone&beta=true").json(&hello());
    let request = proof.iter().fold(request, |request, name| request.header(name, "of-the-client-alone"));
    request.send().status(200);
    let seen = anthropic.last();
    assert!(!format!("{seen:?}").contains("of-the-client-alone"), "{seen:?}");
    assert_eq!(seen.headers.all("x-api-key").collect::<Vec<_>>(), [VENDOR_KEY]);
    assert_eq!(seen.path, "/v1/messages?beta=true");
}

#[test]
fn the_version_is_the_clients_where_it_says_one_and_its_betas_go_up() {
    let anthropic = Anthropic::start().then_always(Spoken::says("hi"));
    let gateway = gateway(&anthropic);
    ask(&gateway, &hello()).status(200);
    let versions = |name| anthropic.last().headers.all(name).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((versions("anthropic-version"), versions("anthropic-beta")), (vec!["2023-06-01".to_owned()], vec![]));
    let request: Request = gateway.post("/v1/messages").json(&hello()).header("anthropic-version", "2026-10-21");
    let request = request.header("anthropic-beta", "claude-code-20250219,effort-2025-11-24");
    request.header("anthropic-beta", "context-1m-2025-08-07").send().status(200);
    assert_eq!(versions("anthropic-version"), ["2026-10-21"]);
    assert_eq!(versions("anthropic-beta"), ["claude-code-20250219,effort-2025-11-24", "context-1m-2025-08-07"]);
}

#[test]
fn a_conversation_with_thoughts_and_calls_goes_on_as_the_vendor_wants_it() {
    let anthropic = Anthropic::start().turn(weather()).turn(Spoken::says("Snow and sun."));
    let gateway = gateway(&anthropic);
    let first = ask(&gateway, &hello()).status(200).json();
    assert_eq!((&first["stop_reason"], &first["usage"]["cache_read_input_tokens"]), (&json!("tool_use"), &json!(60)));
    let calls = first["content"].as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
    let results: Vec<_> =
        calls.map(|call| json!({"type": "tool_result", "tool_use_id": call["id"], "content": "known"})).collect();
    let mut next = hello();
    let messages = next["messages"].as_array_mut().unwrap();
    messages.push(json!({"role": "assistant", "content": first["content"]}));
    messages.push(json!({"role": "user", "content": results}));
    ask(&gateway, &next).status(200).says("Snow and sun.");
    anthropic.refused_nothing();
    // The upstream does not take just anything, or this would show nothing.
    next["messages"][1]["content"][0]["signature"] = json!("Zm9yZWlnbg==");
    ask(&gateway, &next).status(400).says("Invalid `signature` in `thinking` block");
}

#[test]
fn each_failure_means_what_the_vendor_means_by_it() {
    let anthropic = Anthropic::start();
    let gateway = gateway(&anthropic);
    for (number, (fault, status, kind)) in [
        (Fault::Invalid, 400, "invalid-request of request"),
        (Fault::TooLong, 400, "context-exceeded of model"),
        (Fault::UnknownModel, 404, "model-not-found of model"),
        (Fault::RateLimited(7), 429, "rate-limited of model"),
        (Fault::Overloaded, 529, "overloaded of model"),
        (Fault::NoCredit, 400, "no-credit of account"),
    ]
    .into_iter()
    .enumerate()
    {
        anthropic.now_says(Spoken::fails(fault));
        let mut body = hello();
        // One that failed is left alone for a while.
        body["model"] = json!(format!("anthropic:claude-e2e-{number}"));
        let answer = ask(&gateway, &body);
        assert_eq!(answer.code, status, "{fault:?}: {}", answer.text());
        assert_eq!(answer.json()["type"], "error", "{fault:?}");
        gateway.logs(kind);
    }
}

#[test]
fn what_is_full_is_left_for_the_next_target_and_a_limit_rests_its_model_alone() {
    let anthropic = Anthropic::start().turn(Spoken::fails(Fault::RateLimited(60))).then_always(Spoken::says("hi"));
    let gateway = gateway(&anthropic);
    let mut either = hello();
    either.as_object_mut().unwrap().remove("model");
    either["models"] = json!(["anthropic:a", "anthropic:b"]);
    for asked in [2, 3] {
        ask(&gateway, &either).status(200);
        assert_eq!((anthropic.requests().len(), &anthropic.last().json()["model"]), (asked, &json!("b")));
    }
}

#[test]
fn a_failure_in_a_stream_reaches_the_client_as_it_is() {
    let anthropic = Anthropic::start().turn(Spoken::says("half of").then_fails(Fault::Overloaded));
    let gateway = gateway(&anthropic);
    let answer = ask(&gateway, &streamed(hello())).status(200).says("half").says("event: error");
    answer.says("overloaded_error").never_says("message_stop");
    gateway.logs("overloaded");
}

#[test]
fn both_are_known_without_a_config_and_say_what_they_lack() {
    let setup = Gateway::start().without_config();
    let listed = setup.command(&["providers"]);
    for said in ["ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY"] {
        assert!(format!("{listed:?}").contains(said), "{said} is not in {listed:?}");
    }
    for (variable, address) in [
        ("ANTHROPIC_API_KEY", "anthropic:claude-opus-5-5"),
        ("GEMINI_API_KEY", "google:gemini-3.6-flash"),
        ("GOOGLE_API_KEY", "google:gemini-3.6-flash"),
    ] {
        let setup = Gateway::start().without_config().with_key(variable, "a-key-that-is-long-enough");
        setup.command(&["models"]).ok().says(address);
    }
}

#[test]
fn their_lists_of_models_are_read() {
    let (anthropic, google) = (Anthropic::start(), Google::start());
    let setup = Gateway::start().with_side_requests().with_vendor(&anthropic).with_vendor(&google);
    let list = |provider: &str| {
        let listed = setup.command(&["models", "--refresh", "--provider", provider, "--json"]).ok().json();
        let models = listed.as_array().unwrap().clone().into_iter();
        let model = |model: Value| format!("{} {} {}", model["id"], model["context_window"], model["operations"]);
        models.map(|one| model(one).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(list("anthropic"), ["claude-opus-5-5 200000 []", "claude-e2e-1 200000 []"]);
    let google_models = ["gemini-3.6-flash 1048576 [generate,count-tokens]", "gemini-embedding-001 2048 [embeddings]"];
    assert_eq!(list("google"), google_models);
    assert_eq!(google.last().path, "/v1beta/models?pageSize=1000");
    assert_eq!(google.last().headers.all("x-goog-api-key").collect::<Vec<_>>(), [VENDOR_KEY]);
    assert_eq!(anthropic.last().path, "/v1/models?limit=1000");
    anthropic.refused_nothing();
    google.refused_nothing();
}

/// The upstream for tests of translation, asked without a gateway.
#[test]
fn the_gemini_upstream_speaks_and_refuses_as_its_vendor_does() {
    let google = Google::start().turn(weather()).turn(weather()).then_always(Spoken::says("Snow and sun."));
    let ask = |path: &str, body: &Value| google.post(path, body).header("x-goog-api-key", VENDOR_KEY).send();
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    let first = ask("/models/gemini-3.6-flash:generateContent", &body).status(200).json();
    let parts = first["candidates"][0]["content"]["parts"].clone();
    assert_eq!(parts[0]["thought"], true);
    assert_eq!((&parts[2]["thoughtSignature"], &parts[3]["thoughtSignature"]), (&json!(SIGNATURE), &Value::Null));
    let events = ask("/models/gemini-3.6-flash:streamGenerateContent?alt=sse", &body).status(200);
    let events = events.says(SIGNATURE).says("functionCall").says("\"finishReason\":\"STOP\"");
    assert!(events.text().lines().all(|line| line.is_empty() || line.starts_with("data: {")), "{}", events.text());
    let response = json!({"functionResponse": {"name": "weather", "response": {"result": "known"}}});
    let contents = body["contents"].as_array_mut().unwrap();
    contents.push(json!({"role": "model", "parts": parts}));
    contents.push(json!({"role": "user", "parts": [response, response]}));
    ask("/models/gemini-3.6-flash:generateContent", &body).status(200).says("Snow and sun.");
    let list = ask("/models/gemini-3.6-flash:streamGenerateContent", &body).status(200).json();
    assert_eq!(list.as_array().unwrap().last().unwrap()["candidates"][0]["finishReason"], "STOP");
    google.refused_nothing();
    let mut unsigned = body.clone();
    unsigned["contents"][1]["parts"][2].as_object_mut().unwrap().remove("thoughtSignature");
    ask("/models/m:generateContent", &unsigned).status(400).says("missing a thought_signature");
    let mut unanswered = body.clone();
    unanswered["contents"][2]["parts"] = json!([response]);
    ask("/models/m:generateContent", &unanswered).status(400).says("number of function response parts");
    body["model"] = json!("m");
    ask("/models/m:generateContent", &body).status(400).says("Unknown name \\\"model\\\"");
    google.now_says(Spoken::fails(Fault::RateLimited(7)));
    body.as_object_mut().unwrap().remove("model");
    ask("/models/m:streamGenerateContent?alt=sse", &body).status(429).says("RESOURCE_EXHAUSTED").says("\"7s\"");
}
