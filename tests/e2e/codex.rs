//! The ChatGPT subscription: what goes up to its backend, what comes back, and what other clients than Codex's own get
//! from it.

use bitrouter_tests::{Answer, ChatGpt, Gateway, Login, Request, Turn};
use serde_json::{Value, json};

const MODEL: &str = "openai-codex:gpt-5.5";

fn with(chatgpt: &ChatGpt) -> Gateway {
    Gateway::start().with_chatgpt(chatgpt).run()
}

/// What Codex itself would send, as short as it can be.
fn body() -> Value {
    json!({
        "model": MODEL, "store": false, "stream": true, "include": ["reasoning.encrypted_content"],
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
        ],
    })
}

fn respond(gateway: &Gateway, body: &Value) -> Answer {
    gateway.post("/v1/responses").json(body).send()
}

/// What the backend says when its plan's limit is reached, until long after the test.
fn limited() -> Turn {
    Turn::hits_the_usage_limit(4_070_908_800)
}

fn bearer(login: &Login) -> String {
    format!("Bearer {}", login.access_token)
}

/// The items that an answer's events finished.
fn finished_items(stream: &[u8]) -> Vec<Value> {
    let text = String::from_utf8_lossy(stream);
    let events = text.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = events.map(|data| serde_json::from_str::<Value>(data).unwrap());
    events.filter(|event| event["type"] == "response.output_item.done").map(|event| event["item"].clone()).collect()
}

#[test]
fn what_codex_sends_goes_up_as_it_is_but_for_the_model_and_the_answer_comes_back_as_it_is() {
    let news = json!({"type": "codex.novelty", "deep": {"n": [1.5, null]}});
    let turn = Turn::reasons("blob").then(Turn::item(json!({"type": "hologram_call", "beam": 1})));
    let chatgpt = ChatGpt::start().turn(turn.then(Turn::says("caf\u{e9}")).after_event(news).after_rate_limits(55.5));
    let gateway = with(&chatgpt);
    let odd = "{\t\"store\" : false , \"stream\":true,\r\n \"include\":[ \"reasoning.encrypted_content\"],\
               \"x_unknown\": {\"deep\" : [1.0e2, -0, 1E+40, 12345678901234567890123]}, \"model\" : \"MODEL\" ,\
               \"instructions\":\"\\u0062e brief \\/ \\ud83d\\ude00 \u{1f600}\", \"service_tier\":\"priority\",\
               \"input\":[ {\"role\":\"user\",\n \"content\":\"hi\", \"x_new\":1.0 } ] }  ";
    let request = gateway.post("/v1/responses").body("application/json", odd.replace("MODEL", MODEL));
    // By these two the component knows the CLI, whose unknown members are its own business.
    let request = request.header("originator", "codex_exec").header("session-id", "01a2-session");
    let answer = request.send().status(200).is(chatgpt.last_answer());
    assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
    let seen = chatgpt.last();
    assert_eq!(seen.text(), odd.replace("MODEL", "gpt-5.5"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("accept"), Some("text/event-stream"));
}

#[test]
fn codexs_own_headers_go_up_and_those_that_prove_who_the_client_is_do_not() {
    let chatgpt = ChatGpt::start().turn(Turn::says("hello"));
    let gateway = with(&chatgpt);
    let forwarded = [
        ("session-id", "01a2-session"),
        ("thread-id", "01a2-thread"),
        ("x-client-request-id", "01a2-request"),
        ("x-codex-beta-features", "remote_compaction_v2"),
        ("x-codex-turn-metadata", "{\"turn_id\":\"01a2\"}"),
        ("x-codex-turn-state", "a-turn-state"),
        ("x-codex-window-id", "01a2-thread:0"),
    ];
    let add = |request: Request, (name, value): &(&str, &str)| request.header(name, value);
    let request = forwarded.iter().fold(gateway.post("/v1/responses").json(&body()), add);
    let secret = "of-the-client-alone";
    let own = ["authorization", "x-api-key", "chatgpt-account-id", "cookie"].map(|name| (name, secret));
    own.iter().fold(request, add).send().status(200);
    let seen = chatgpt.last();
    for (name, value) in forwarded {
        assert_eq!(seen.headers.all(name).collect::<Vec<_>>(), [value], "{name}");
    }
    assert!(!format!("{seen:?}").contains(secret), "{seen:?}");
    assert_eq!(seen.headers.all("authorization").collect::<Vec<_>>(), [bearer(chatgpt.login())]);
    assert_eq!(seen.headers.all("chatgpt-account-id").collect::<Vec<_>>(), ["acc-e2e"]);
}

#[test]
fn the_state_of_the_turn_and_of_the_plan_reach_the_client() {
    let chatgpt =
        ChatGpt::start().then_always(Turn::says("hello").header("x-codex-bengalfox-primary-used-percent", "3"));
    let gateway = with(&chatgpt);
    let mut whole = body();
    whole["stream"] = json!(false);
    for body in [body(), whole] {
        let answer = respond(&gateway, &body).status(200);
        for (name, value) in [
            ("x-codex-primary-used-percent", "12.5"),
            ("x-codex-primary-window-minutes", "300"),
            ("x-codex-primary-reset-at", "4070908800"),
            ("x-codex-secondary-used-percent", "40.0"),
            ("x-codex-bengalfox-primary-used-percent", "3"),
            ("x-codex-plan-type", "plus"),
            ("openai-model", "gpt-5.5"),
            ("x-models-etag", "W/\"e2e-models-1\""),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}");
        }
        assert!(answer.header("x-codex-turn-state").unwrap().starts_with("turn-state-"));
        assert!(answer.header("x-request-id").unwrap().starts_with("req_e2e_"));
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("x-bitrouter-provider"), Some("openai-codex"));
        assert_eq!(answer.header("x-bitrouter-account"), Some("default"));
    }
}

#[test]
fn a_client_that_wants_no_stream_gets_the_whole_answer_even_where_the_last_event_has_none() {
    let turn = || Turn::reasons("blob").then(Turn::calls_shell("echo hi")).then(Turn::says("It says hi."));
    for chatgpt in [ChatGpt::start(), ChatGpt::start().repeats_the_output()] {
        let chatgpt = chatgpt.then_always(turn());
        let gateway = with(&chatgpt);
        for stream in [Some(false), None] {
            let mut body = body();
            match stream {
                Some(stream) => body["stream"] = json!(stream),
                None => drop(body.as_object_mut().unwrap().remove("stream")),
            }
            let answer = respond(&gateway, &body).status(200);
            chatgpt.refused_nothing();
            assert!(answer.header("content-type").unwrap().starts_with("application/json"));
            let response = answer.json();
            assert_eq!(response["output"], json!(finished_items(&chatgpt.last_answer())));
            assert_eq!((&response["object"], &response["status"]), (&json!("response"), &json!("completed")));
            assert_eq!(response["usage"]["total_tokens"], 120);
        }
    }
}

#[test]
fn a_whole_answer_that_breaks_off_is_no_answer() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("half of it").cut());
    let gateway = with(&chatgpt);
    let mut body = body();
    body["stream"] = json!(false);
    let answer = respond(&gateway, &body);
    assert!(answer.code >= 500 && answer.json()["error"].is_object(), "{answer:?}");
}

#[test]
fn a_compressed_body_is_understood() {
    let chatgpt = ChatGpt::start().turn(Turn::says("hello"));
    let gateway = with(&chatgpt);
    let bytes = zstd::encode_all(body().to_string().as_bytes(), 3).unwrap();
    let request = gateway.post("/v1/responses").header("content-encoding", "zstd").body("application/json", bytes);
    request.send().status(200).is(chatgpt.last_answer());
    let mut wanted = body();
    wanted["model"] = json!("gpt-5.5");
    assert_eq!(chatgpt.last().json(), wanted);
}

#[test]
fn a_body_written_for_openais_api_is_made_one_that_the_backend_takes() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let gateway = with(&chatgpt);
    let body = json!({
        "model": MODEL, "input": "What is 1+1?", "temperature": 0.2, "top_p": 0.9, "max_output_tokens": 100,
        "truncation": "auto", "user": "somebody", "metadata": {"a": "b"}, "safety_identifier": "s",
        "prompt_cache_retention": "24h", "service_tier": "auto", "store": true, "stream": true,
        "stream_options": {"include_obfuscation": false}, "x_unknown": 1,
    });
    let answer = respond(&gateway, &body).status(200).is(chatgpt.last_answer());
    chatgpt.refused_nothing();
    let sent = chatgpt.last().json();
    let last = sent["input"].as_array().unwrap().last().unwrap();
    assert_eq!(last["role"], "user");
    assert!(last["content"].to_string().contains("What is 1+1?"), "{sent}");
    // The backend refuses what it does not know, so of another client only what is known goes up.
    assert_eq!(sent.get("x_unknown"), None);
    let dropped = answer.header("x-bitrouter-dropped").unwrap_or_else(|| panic!("nothing is said to be dropped"));
    for name in
        ["temperature", "top_p", "max_output_tokens", "truncation", "user", "metadata", "service_tier", "x_unknown"]
    {
        assert!(dropped.split(',').any(|word| word.trim().trim_start_matches('/') == name), "{name}: {dropped}");
    }
}

#[test]
fn a_conversation_written_for_openais_api_loses_only_what_the_backend_cannot_have() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let gateway = with(&chatgpt);
    let body = json!({
        "model": MODEL, "stream": true,
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "one"},
            {"type": "item_reference", "id": "rs_of_a_store"},
            {"type": "reasoning", "id": "rs_of_a_store_too", "summary": []},
            {"role": "assistant", "content": "two"},
            {"role": "user", "content": "three"},
        ],
    });
    respond(&gateway, &body).status(200);
    chatgpt.refused_nothing();
    let sent = chatgpt.last().json();
    let input = sent["input"].as_array().unwrap();
    let said: Vec<_> =
        input.iter().map(|item| (item["role"].as_str().unwrap(), item["content"].as_str().unwrap())).collect();
    assert_eq!(said, [("developer", "Be brief."), ("user", "one"), ("assistant", "two"), ("user", "three")]);
}

#[test]
fn reasoning_that_nobody_can_read_comes_back_unchanged_in_the_next_turn() {
    for stream in [true, false] {
        let turn = Turn::reasons("blob/+==\u{e9}").then(Turn::says("one"));
        let chatgpt = ChatGpt::start().turn(turn).turn(Turn::says("two"));
        let gateway = with(&chatgpt);
        // Not Codex: it does not ask for the reasoning, yet it must get it to be able to bring it back.
        let mut body = json!({
            "model": MODEL, "stream": stream, "prompt_cache_key": "a-conversation",
            "input": [{"role": "user", "content": "hello"}],
        });
        let answer = respond(&gateway, &body).status(200);
        let output = match stream {
            true => finished_items(&answer.body),
            false => answer.json()["output"].as_array().unwrap().clone(),
        };
        assert_eq!(output[0]["encrypted_content"], "blob/+==\u{e9}");
        let input = body["input"].as_array_mut().unwrap();
        input.extend(output);
        input.push(json!({"role": "user", "content": "go on"}));
        respond(&gateway, &body).status(200).says("two");
        chatgpt.refused_nothing();
    }
}

#[test]
fn the_usage_limit_reads_as_the_backend_says_it() {
    let chatgpt = ChatGpt::start().then_always(limited());
    let gateway = with(&chatgpt);
    let answer = respond(&gateway, &body()).status(429).is(chatgpt.last_answer());
    assert_eq!(answer.json()["error"]["type"], "usage_limit_reached");
    assert_eq!(answer.json()["error"]["resets_at"], 4_070_908_800_u64);
    assert_eq!(answer.header("x-codex-primary-used-percent"), Some("100.0"));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(chatgpt.turns().len(), 1);
}

#[test]
fn other_failures_read_as_the_backend_says_them() {
    let chatgpt = ChatGpt::start().turn(Turn::is_overloaded());
    let gateway = with(&chatgpt);
    let mut unknown = body();
    unknown["model"] = json!("openai-codex:gpt-2");
    let answer = respond(&gateway, &unknown).status(400);
    answer.says("The 'gpt-2' model is not supported when using Codex with a ChatGPT account.");
    respond(&gateway, &body()).status(503).says("server_is_overloaded");
}

#[test]
fn a_failure_inside_the_stream_reaches_a_client_with_a_stream_and_one_without() {
    let chatgpt = ChatGpt::start().then_always(Turn::fails_in_stream("context_length_exceeded", "It is too long."));
    let gateway = with(&chatgpt);
    respond(&gateway, &body()).says("context_length_exceeded").says("It is too long.");
    let mut whole = body();
    whole["stream"] = json!(false);
    let answer = respond(&gateway, &whole).says("It is too long.");
    assert!(answer.code >= 400, "{answer:?}");
}

#[test]
fn the_catalogue_is_there_in_codexs_own_shape() {
    let chatgpt = ChatGpt::start();
    let gateway = with(&chatgpt);
    let catalogue = gateway.get("/v1/models?client_version=0.169.0").send().status(200).json();
    chatgpt.refused_nothing();
    let models = catalogue["models"].as_array().unwrap_or_else(|| panic!("{catalogue}"));
    let slug = |model: &&Value| model["slug"].as_str().is_some_and(|slug| slug.ends_with("gpt-5.5"));
    let model = models.iter().find(slug).unwrap_or_else(|| panic!("{catalogue}"));
    // A client cannot do with less than the backend says of a model.
    assert_eq!(model["apply_patch_tool_type"], "freeform");
    assert_eq!(model["truncation_policy"], json!({"mode": "tokens", "limit": 10_000}));
    assert_eq!(model["supported_reasoning_levels"].as_array().map(Vec::len), Some(3));
    // A model's own page has the form of the list that the client would get.
    for name in [model["slug"].as_str().unwrap(), "openai-codex:gpt-5.5"] {
        let page = gateway.get(&format!("/v1/models/{name}?client_version=0.169.0")).send().status(200);
        assert_eq!(page.json(), *model, "{name}");
    }
    gateway.get("/v1/models/no-such-model?client_version=0.169.0").send().status(404).says("model_not_found");
    let list = gateway.get("/v1/models").send().status(200).json();
    assert!(list["data"].as_array().unwrap().iter().any(|model| model["id"] == "gpt-5.5"), "{list}");
}

#[test]
fn a_conversation_is_made_short() {
    let chatgpt = ChatGpt::start();
    let gateway = with(&chatgpt);
    let body = json!({
        "model": MODEL, "instructions": "Be brief.",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a long story"}]}],
    });
    let answer = gateway.post("/v1/responses/compact").json(&body).send().status(200).json();
    chatgpt.refused_nothing();
    assert_eq!(answer["output"][1], json!({"type": "compaction", "id": "cmp_1", "encrypted_content": "compacted-e2e"}));
    let compactions = chatgpt.requests();
    let seen = compactions.iter().find(|seen| seen.path == "/backend-api/codex/responses/compact").unwrap();
    assert_eq!(seen.text(), body.to_string().replace(MODEL, "gpt-5.5"));
}

#[test]
fn each_label_has_a_login_of_its_own() {
    let work = Login::of("acc-work");
    let chatgpt = ChatGpt::start().also_knows(&work).then_always(Turn::says("hello"));
    let gateway = Gateway::start().with_chatgpt(&chatgpt).logged_in("openai-codex", "work", &work).run();
    for (model, label, login) in [
        (MODEL, "default", chatgpt.login()),
        ("openai-codex@work:gpt-5.5", "work", &work),
        ("openai-codex@default:gpt-5.5", "default", chatgpt.login()),
    ] {
        let mut body = body();
        body["model"] = json!(model);
        let answer = respond(&gateway, &body).status(200);
        assert_eq!(answer.header("x-bitrouter-account"), Some(label));
        assert_eq!(chatgpt.last().header("authorization"), Some(bearer(login).as_str()));
        assert_eq!(chatgpt.last().header("chatgpt-account-id"), Some(login.account_id.as_str()));
    }
}

#[test]
fn an_access_token_that_has_expired_is_renewed_before_it_is_used() {
    let renewed = Login::of("acc-e2e");
    let chatgpt = ChatGpt::knowing(Login::expired("acc-e2e")).wants_a_refresh(&renewed);
    let chatgpt = chatgpt.then_always(Turn::says("hello"));
    let gateway = with(&chatgpt);
    for _ in 0..2 {
        respond(&gateway, &body()).status(200);
    }
    let sent: Vec<_> = chatgpt.turns().iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, [bearer(&renewed), bearer(&renewed)]);
    assert_eq!(chatgpt.refreshes().len(), 1);
    let refresh = chatgpt.refreshes()[0].json();
    assert_eq!(refresh["refresh_token"], chatgpt.login().refresh_token);
    assert_eq!(gateway.tokens()["credentials"][0]["secret"]["access_token"], renewed.access_token);
}

#[test]
fn a_login_goes_nowhere_but_where_it_was_made_for() {
    let chatgpt = ChatGpt::start().then_always(Turn::says("hello"));
    let elsewhere = ChatGpt::knowing(chatgpt.login().clone()).then_always(Turn::says("hello"));
    let moved = json!({"api": elsewhere.base_url(), "auth": elsewhere.origin()});
    let setup = Gateway::start().with_chatgpt(&chatgpt).with("/providers/openai-codex/origins", moved);
    let answer = respond(&setup.run(), &body());
    assert!(answer.code >= 400, "{answer:?}");
    assert!(chatgpt.requests().is_empty() && elsewhere.requests().is_empty());
}

#[test]
fn without_a_login_it_is_said_how_to_log_in() {
    let chatgpt = ChatGpt::start();
    let origins = json!({"api": chatgpt.base_url(), "auth": chatgpt.origin()});
    let gateway = Gateway::start().with("/providers/openai-codex/origins", origins).run();
    let answer = respond(&gateway, &body()).says("bitrouter login openai-codex");
    assert!(answer.code >= 400, "{answer:?}");
    assert!(chatgpt.requests().is_empty());
}
