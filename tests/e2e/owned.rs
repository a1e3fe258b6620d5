//! Objects that providers keep under an id (responses, conversations, files, uploads, batches): each is asked for at the account that
//! made it, by every operation, after a restart and by another process; what nobody made is not found, and asks nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bitrouter_tests::{Answer, Gateway, KEY, Reply, Request, Seen, Setup, Upstream, eventually};
use serde_json::{Value, json};

/// The key of the account `config`; the account `env` has [`KEY`].
const FIRST: &str = "sk-of-the-first-account-0123456789";

/// An upstream with two accounts that has objects as OpenAI has them: each is its account's, and for others it is not there.
struct Vendor {
    upstream: Upstream,
    /// The account that is at its limit, by its key.
    busy: Arc<Mutex<&'static str>>,
}

impl Vendor {
    fn start() -> Self {
        Self::counting_from(0)
    }

    /// Whose ids no other has.
    fn counting_from(first: usize) -> Self {
        let upstream = Upstream::start();
        let busy = Arc::new(Mutex::new(""));
        let (made, resting) = (Mutex::new(Made { all: BTreeMap::new(), first }), Arc::clone(&busy));
        upstream.follows(move |seen| {
            let account = seen.header("authorization").unwrap_or_default().to_owned();
            let resting = *resting.lock().unwrap();
            if !resting.is_empty() && account.contains(resting) {
                let error =
                    json!({"message": "slow down", "type": "requests", "param": null, "code": "rate_limit_exceeded"});
                return Reply::json(&json!({ "error": error })).status(429).header("retry-after", "60");
            }
            answer(seen, &account, &mut made.lock().unwrap())
        });
        Vendor { upstream, busy }
    }

    /// A gateway's home with both accounts.
    fn setup(&self) -> Setup {
        Gateway::start().with_openai_at(&self.upstream).with("/providers/openai/api_key", json!(FIRST))
    }

    /// Has an account be at its limit, or none.
    fn limits(&self, account: &'static str) {
        *self.busy.lock().unwrap() = account;
    }

    fn sent(&self) -> usize {
        self.upstream.requests().len()
    }
}

/// What was made: ids, with the account that has each.
struct Made {
    all: BTreeMap<String, String>,
    first: usize,
}

impl Made {
    fn make(&mut self, prefix: &str, account: &str) -> String {
        let id = format!("{prefix}{}", self.first + self.all.len());
        self.all.insert(id.clone(), account.to_owned());
        id
    }

    fn has(&self, id: &str, account: &str) -> bool {
        self.all.get(id).is_some_and(|owner| owner == account)
    }
}

fn not_there(id: &str) -> Reply {
    let error =
        json!({"message": format!("no `{id}` here"), "type": "invalid_request_error", "param": "id", "code": null});
    Reply::json(&json!({ "error": error })).status(404)
}

fn answer(seen: &Seen, account: &str, made: &mut Made) -> Reply {
    let path = seen.path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match (seen.method.as_str(), &segments[..]) {
        ("POST", ["files"]) => {
            Reply::json(&json!({"id": made.make("file-", account), "object": "file", "filename": "a.jsonl"}))
        }
        ("POST", ["conversations"]) => {
            Reply::json(&json!({"id": made.make("conv_", account), "object": "conversation"}))
        }
        ("POST", ["uploads"]) => Reply::json(&json!({"id": made.make("upload_", account), "object": "upload"})),
        ("POST", ["uploads", _, "complete"]) => {
            Reply::json(&json!({"id": "x", "object": "upload", "file": {"id": made.make("file-", account)}}))
        }
        ("POST", ["batches"]) => match made.has(seen.json()["input_file_id"].as_str().unwrap(), account) {
            true => Reply::json(&json!({"id": made.make("batch_", account), "object": "batch"})),
            false => not_there("input"),
        },
        ("GET", ["batches", id]) if made.has(id, account) => Reply::json(
            &json!({"id": id, "object": "batch", "output_file_id": made.make("file-", account), "error_file_id": null}),
        ),
        ("GET", ["files"]) => {
            let files = made.all.iter().filter(|(id, owner)| *owner == account && id.starts_with("file-"));
            let files: Vec<Value> = files.map(|(id, _)| json!({"id": id, "object": "file"})).collect();
            Reply::json(&json!({"object": "list", "data": files, "has_more": false}))
        }
        ("POST", ["responses"]) => {
            let body = seen.json();
            let named =
                [&body["previous_response_id"], &body["conversation"], &body["input"][0]["content"][0]["file_id"]];
            for id in named.into_iter().filter_map(Value::as_str) {
                if !made.has(id, account) {
                    return not_there(id);
                }
            }
            let response = json!({
                "id": made.make("resp_", account), "object": "response", "status": "completed", "model": "gpt-5",
                "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                    "content": [{"type": "output_text", "text": "hello", "annotations": []}]}],
                "usage": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7},
            });
            match body["stream"] == true {
                false => Reply::json(&response),
                true => streamed(&response),
            }
        }
        (_, [_, id, ..]) => match made.has(id, account) {
            true => {
                let said =
                    json!({"id": id, "did": format!("{} {path}", seen.method), "query": seen.path.split('?').nth(1)});
                Reply::json(&said)
            }
            false => not_there(id),
        },
        _ => Reply::json(&json!({"error": {"message": "what?"}})).status(400),
    }
}

fn streamed(response: &Value) -> Reply {
    let event = |kind: &str, more: Value| {
        let mut event = json!({ "type": kind });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        format!("event: {kind}\ndata: {event}\n\n")
    };
    let mut begun = response.clone();
    (begun["status"], begun["output"]) = (json!("in_progress"), json!([]));
    Reply::sse()
        .send(event("response.created", json!({ "response": begun })))
        .send(event("response.output_text.delta", json!({"delta": "hello", "output_index": 0, "content_index": 0})))
        .send(event("response.completed", json!({ "response": response })))
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap_or_else(|| panic!("no id in {}", answer.text())).to_owned()
}

const FORM: &str = "multipart/form-data; boundary=xyz";
const FILE: &str = "--xyz\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{\"model\": \"untouched\"}\r\n--xyz--\r\n";

fn upload(gateway: &Gateway) -> Request {
    gateway.post("/v1/files").body(FORM, FILE)
}

fn respond(gateway: &Gateway, more: Value) -> Answer {
    let mut body = json!({"model": "openai:gpt-5", "input": "hi"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    gateway.post("/v1/responses").json(&body).send()
}

/// Makes one of everything on the account `env`, while the other, which comes first, is at its limit.
fn made_on_the_second(vendor: &Vendor, gateway: &Gateway) -> [String; 5] {
    vendor.limits(FIRST);
    let file = upload(gateway).send().status(200);
    assert_eq!(file.header("x-bitrouter-account"), Some("env"), "{}", file.text());
    let file = id(&file);
    let conversation = id(&gateway.post("/v1/conversations").json(&json!({})).send().status(200));
    let response = id(&respond(gateway, json!({})).status(200));
    let upload = id(&gateway.post("/v1/uploads").json(&json!({"bytes": 1})).send().status(200));
    let batch = json!({"input_file_id": file, "endpoint": "/v1/responses", "completion_window": "24h"});
    let batch = id(&gateway.post("/v1/batches").json(&batch).send().status(200));
    vendor.limits("");
    gateway.command(&["status", "--clear"]).ok();
    [file, conversation, response, upload, batch]
}

/// Every operation on what was made, and that each went to the account `env`.
fn are_found(vendor: &Vendor, gateway: &Gateway, made: &[String; 5]) {
    let [file, conversation, response, upload, batch] = made;
    for (method, path) in [
        ("GET", format!("/v1/files/{file}")),
        ("GET", format!("/v1/files/{file}/content")),
        ("GET", format!("/v1/conversations/{conversation}")),
        ("POST", format!("/v1/conversations/{conversation}")),
        ("GET", format!("/v1/conversations/{conversation}/items?limit=2&after=msg_1")),
        ("POST", format!("/v1/conversations/{conversation}/items")),
        ("GET", format!("/v1/conversations/{conversation}/items/msg_1")),
        ("DELETE", format!("/v1/conversations/{conversation}/items/msg_1")),
        ("GET", format!("/v1/responses/{response}?include=x")),
        ("GET", format!("/v1/responses/{response}/input_items")),
        ("POST", format!("/v1/responses/{response}/cancel")),
        ("POST", format!("/v1/uploads/{upload}/parts")),
        ("POST", format!("/v1/uploads/{upload}/cancel")),
        ("POST", format!("/v1/batches/{batch}/cancel")),
    ] {
        let answer = gateway.request(method, &path).send().status(200);
        assert_eq!(answer.header("x-bitrouter-account"), Some("env"), "{method} {path}");
        let (plain, query) = path.split_once('?').map_or((&*path, None), |(path, query)| (path, Some(query)));
        assert_eq!(answer.json()["did"], format!("{method} {plain}"));
        if let Some(query) = query {
            assert_eq!(vendor.upstream.last().path, format!("{plain}?{query}"));
        }
    }
    for named in [
        json!({"previous_response_id": response}),
        json!({"conversation": conversation}),
        json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": file}]}]}),
    ] {
        let answer = respond(gateway, named).status(200);
        assert_eq!(answer.header("x-bitrouter-account"), Some("env"));
    }
    gateway.get(&format!("/v1/files?after={file}")).send().status(200).says(file);
}

#[test]
fn what_an_account_made_is_found_there_by_every_operation_after_a_restart_and_by_another_process() {
    let vendor = Vendor::start();
    let setup = Arc::new(vendor.setup());
    let gateway = Gateway::in_home(&setup);
    let made = made_on_the_second(&vendor, &gateway);
    // The first is asked again for what is new.
    let other = upload(&gateway).send().status(200);
    assert_eq!(other.header("x-bitrouter-account"), Some("config"));
    are_found(&vendor, &gateway, &made);
    gateway.get(&format!("/v1/files/{}", id(&other))).send().status(200);

    let second = Gateway::in_home(&setup);
    let [file, ..] = &made;
    assert!(eventually(|| second.get(&format!("/v1/files/{file}")).send().code == 200), "{}", second.log());
    are_found(&vendor, &second, &made);
    gateway.stop();
    drop((gateway, second));

    let after = Gateway::in_home(&setup);
    are_found(&vendor, &after, &made);
    let [file, conversation, ..] = &made;
    for path in [format!("/v1/files/{file}"), format!("/v1/conversations/{conversation}")] {
        after.request("DELETE", &path).send().status(200);
    }
    let texts = ["object-owners.jsonl", "response-owners.jsonl"]
        .map(|name| std::fs::read_to_string(setup.home().join(name)).unwrap());
    assert!(texts.iter().all(|text| !text.contains(FIRST) && !text.contains("canary")), "{texts:?}");
}

#[test]
fn what_is_made_goes_up_as_it_came_with_the_accounts_key_alone() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    let request =
        upload(&gateway).header("authorization", "Bearer of-the-client").header("x-bitrouter-provider", "openai");
    let answer = request.send().status(200);
    let seen = vendor.upstream.last();
    assert_eq!((seen.text(), seen.header("content-type")), (FILE.to_owned(), Some(FORM)));
    assert_eq!(seen.header("authorization"), Some(&*format!("Bearer {FIRST}")));
    assert_eq!(seen.header("x-bitrouter-provider"), None);
    answer.is(json!({"id": "file-0", "object": "file", "filename": "a.jsonl"}).to_string());
    let batch = json!({"input_file_id": "file-0", "x": 1.0}).to_string();
    gateway.post("/v1/batches").body("application/json", batch.clone()).send().status(200);
    assert_eq!(vendor.upstream.last().text(), batch);
    // A key that an upstream echoes reaches no client, here as elsewhere.
    vendor.upstream.replies(Reply::json(&json!({"id": "file-0", "note": FIRST})));
    gateway.get("/v1/files/file-0").send().status(200).never_says(FIRST);
}

#[test]
fn an_id_that_nobody_made_is_not_found_in_the_vendors_shape_and_asks_nobody() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().with_key("ANTHROPIC_API_KEY", KEY).with_origin("anthropic", &vendor.upstream).run();
    for (method, path, message) in [
        ("GET", "/v1/responses/resp_x", "Response with id 'resp_x' not found."),
        ("POST", "/v1/responses/resp_x/cancel", "Response with id 'resp_x' not found."),
        ("DELETE", "/v1/conversations/conv_x", "Conversation with id 'conv_x' not found."),
        ("GET", "/v1/files/file-x/content", "No such File object: file-x"),
        ("GET", "/v1/files?after=file-x", "No such File object: file-x"),
        ("GET", "/v1/batches/batch_x", "No batch found with id 'batch_x'."),
    ] {
        let error = gateway.request(method, path).send().status(404).json()["error"].clone();
        assert_eq!(
            (&error["message"], &error["type"], &error["code"]),
            (&json!(message), &json!("invalid_request_error"), &json!(null)),
            "{method} {path}"
        );
        assert_eq!(error["param"], if path.contains('?') { "after" } else { "id" });
    }
    for path in ["/v1/files/file_x", "/v1/messages/batches/msgbatch_x/results"] {
        let answer = gateway.get(path).header("anthropic-version", "2023-06-01").send().status(404).json();
        assert_eq!((&answer["type"], &answer["error"]["type"]), (&json!("error"), &json!("not_found_error")), "{path}");
    }
    let batch = gateway.post("/v1/batches").json(&json!({"input_file_id": "file-x"})).send().status(404);
    assert_eq!(batch.json()["error"]["param"], "input_file_id");
    respond(&gateway, json!({"conversation": {"id": "conv_x"}})).status(404).says("conv_x");
    respond(&gateway, json!({"previous_response_id": "resp_x"})).status(400).says("previous_response_not_found");
    let part = json!({"type": "file", "file": {"file_id": "file-x"}});
    gateway.chat(&json!({"model": "openai:gpt-5", "messages": [{"role": "user", "content": [part]}]})).status(404);
    assert_eq!(vendor.sent(), 0);
}

#[test]
fn what_one_caller_made_is_not_there_for_another() {
    let vendor = Vendor::start();
    let keys = ["the-key-of-one-caller", "the-key-of-another-caller"];
    let gateway = vendor.setup().with("/server/keys", json!(keys)).run();
    let by = |key: usize, request: Request| request.header("authorization", &format!("Bearer {}", keys[key])).send();
    let file = id(&by(0, upload(&gateway)).status(200));
    let others = id(&by(1, upload(&gateway)).status(200));
    let body = json!({"model": "openai:gpt-5", "input": "hi"});
    let response = id(&by(0, gateway.post("/v1/responses").json(&body)).status(200));
    let sent = vendor.sent();
    for (method, path) in [
        ("GET", format!("/v1/files/{file}")),
        ("GET", format!("/v1/files/{file}/content")),
        ("DELETE", format!("/v1/files/{file}")),
        ("GET", format!("/v1/responses/{response}")),
        ("POST", format!("/v1/responses/{response}/cancel")),
    ] {
        by(1, gateway.request(method, &path)).status(404);
    }
    by(1, gateway.post("/v1/batches").json(&json!({"input_file_id": file}))).status(404);
    let named = json!({"model": "openai:gpt-5", "input": "hi", "previous_response_id": response});
    by(1, gateway.post("/v1/responses").json(&named)).status(400);
    // However the member is written.
    let part = format!(r#"[{{"role":"user","content":[{{"type":"input_file","file\u005fid":"{file}"}}]}}]"#);
    let written = format!(r#"{{"model":"openai:gpt-5","input":{part}}}"#);
    by(1, gateway.post("/v1/responses").body("application/json", written)).status(404);
    assert_eq!(vendor.sent(), sent);
    // A list has what is the caller's own.
    for (caller, own) in [(0, &file), (1, &others)] {
        let list = by(caller, gateway.get("/v1/files")).status(200).json();
        assert_eq!(list["data"], json!([{"id": own, "object": "file"}]), "{list}");
    }
    by(0, gateway.get(&format!("/v1/files/{file}"))).status(200);
    by(0, gateway.post("/v1/responses").json(&named)).status(200);
}

#[test]
fn what_a_list_has_is_known_where_all_of_it_is_its_callers() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    let file = id(&upload(&gateway).send().status(200));
    let forgetful = vendor.setup().run();
    forgetful.get(&format!("/v1/files/{file}")).send().status(404);
    forgetful.get("/v1/files").send().status(200).says(&file);
    forgetful.get(&format!("/v1/files/{file}")).send().status(200);
    // The list of another account does not have it.
    forgetful.get("/v1/files").header("x-bitrouter-provider", "openai@env").send().status(200).never_says(&file);
}

#[test]
fn an_owner_that_rests_is_waited_for_and_nobody_else_is_asked() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    let [file, _, response, ..] = made_on_the_second(&vendor, &gateway);
    vendor.limits("e2e-");
    for _ in 0..2 {
        gateway.get(&format!("/v1/files/{file}")).send().status(429);
        respond(&gateway, json!({"previous_response_id": response})).status(429);
    }
    let first = format!("Bearer {FIRST}");
    let others = vendor.upstream.requests().into_iter().filter(|seen| {
        seen.header("authorization") == Some(&first)
            && (seen.method == "GET" || seen.text().contains("previous_response_id"))
    });
    assert_eq!(others.count(), 0);
}

#[test]
fn what_the_owner_does_not_have_any_more_is_its_own_word_and_rests_nobody() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    let file = id(&upload(&gateway).send().status(200));
    vendor.upstream.replies(not_there("it"));
    for _ in 0..3 {
        let sent = vendor.sent();
        gateway.get(&format!("/v1/files/{file}")).send().status(404).says("no `it` here");
        assert_eq!(vendor.sent(), sent + 1);
    }
    assert_eq!(gateway.status()["cooldowns"], json!([]));
}

#[test]
fn an_owner_that_is_gone_is_named() {
    let vendor = Vendor::start();
    let mut gateway = vendor.setup().run();
    let [file, _, response, ..] = made_on_the_second(&vendor, &gateway);
    gateway.configure("/providers/openai/enabled", json!(false));
    let switched_off = || gateway.get(&format!("/v1/files/{file}")).send();
    assert!(eventually(|| switched_off().code == 503), "{}", switched_off().text());
    let sent = vendor.sent();
    switched_off().says("openai@env").says(&file).says("enabled");
    respond(&gateway, json!({"previous_response_id": response})).status(503).says("openai");
    assert_eq!(vendor.sent(), sent);
}

#[test]
fn an_account_that_is_gone_is_named_and_no_other_is_asked() {
    let vendor = Vendor::start();
    let (one, two) = (json!("first-key-of-acme-0123456789"), "second-key-of-acme-0123456789");
    let setup = acme(&vendor.upstream).with_key("ACME_API_KEY", two).with("/providers/acme/api_key", one);
    let mut gateway = setup.run();
    let file = id(&upload(&gateway).header("x-bitrouter-provider", "acme@config").send().status(200));
    gateway.get(&format!("/v1/files/{file}")).send().status(200);
    let origin = format!("{}/v1", vendor.upstream.origin());
    gateway.configure("/providers/acme", json!({"origins": {"api": origin}}));
    let ask = || gateway.get(&format!("/v1/files/{file}")).send();
    assert!(eventually(|| ask().code == 401), "{}", ask().text());
    let sent = vendor.sent();
    ask().status(401).says("acme").says("config");
    assert_eq!(vendor.sent(), sent);
}

/// A compatible provider that has files and batches, accepted.
fn acme(upstream: &Upstream) -> Setup {
    let description = json!({
        "id": "acme", "name": "Acme AI", "version": "1", "origins": {"api": "https://api.acme.example/v1"},
        "auth": [{"method": "api-key", "env": ["ACME_API_KEY"]}],
        "serves": {"generate": ["responses", "chat-completions"], "files": ["openai"], "batches": ["openai"]},
    });
    let setup = Gateway::start().with_plugin_file("acme.json", description.to_string().as_bytes());
    setup.command(&["plugin", "trust", "acme", "--yes"]).ok();
    setup.with_origin("acme", upstream)
}

#[test]
fn who_is_asked_for_something_new_is_said_by_what_it_names_then_by_a_header_then_by_a_name() {
    let (vendor, other) = (Vendor::start(), Vendor::counting_from(100));
    let setup = acme(&other.upstream).with_key("ACME_API_KEY", "key-of-acme-0123456789");
    let mut gateway = setup.with_openai_at(&vendor.upstream).run();
    let unsaid = upload(&gateway).send().status(400).says("acme").says("openai").says("x-bitrouter-provider");
    assert_eq!(unsaid.json()["error"]["code"], "provider_ambiguous");
    upload(&gateway).header("x-bitrouter-provider", "nobody").send().status(400).says("nobody");
    upload(&gateway).header("x-bitrouter-provider", "openai@nobody").send().status(401).says("nobody");
    assert_eq!((vendor.sent(), other.sent()), (0, 0));
    let file = id(&upload(&gateway).header("x-bitrouter-provider", "acme").send().status(200));
    let batch = gateway.post("/v1/batches").json(&json!({"input_file_id": file})).send().status(200);
    assert_eq!(batch.header("x-bitrouter-provider"), Some("acme"));
    // What only one has needs no word.
    let conversation = gateway.post("/v1/conversations").json(&json!({})).send().status(200);
    assert_eq!(conversation.header("x-bitrouter-provider"), Some("openai"));
    gateway.configure("/providers/openai/priority", json!(1));
    assert!(eventually(|| upload(&gateway).send().code == 200), "{}", gateway.log());
    assert_eq!(upload(&gateway).send().header("x-bitrouter-provider"), Some("openai"));
    let batch = gateway.post("/v1/batches").json(&json!({"input_file_id": file})).send().status(200);
    assert_eq!(batch.header("x-bitrouter-provider"), Some("acme"));
    gateway.configure("/providers/openai/priority", json!(100));
    assert!(eventually(|| upload(&gateway).send().code == 400), "{}", gateway.log());
    gateway.configure("/models", json!({"files": ["openai:files"]}));
    assert!(eventually(|| upload(&gateway).send().code == 200), "{}", gateway.log());
    assert_eq!(upload(&gateway).send().header("x-bitrouter-provider"), Some("openai"));
    gateway.get(&format!("/v1/files/{file}")).send().status(200);
}

#[test]
fn a_call_that_does_not_go_to_the_owner_or_names_two_is_refused_and_asks_nobody() {
    let (vendor, other) = (Vendor::start(), Vendor::counting_from(100));
    let setup = acme(&other.upstream).with_key("ACME_API_KEY", "key-of-acme-0123456789");
    let gateway = setup.with_openai_at(&vendor.upstream).run();
    let file = |provider: &str| id(&upload(&gateway).header("x-bitrouter-provider", provider).send().status(200));
    let (at_acme, at_openai) = (file("acme"), file("openai"));
    let content = |files: &[&String]| {
        let parts: Vec<Value> = files.iter().map(|id| json!({"type": "input_file", "file_id": id})).collect();
        json!({"input": [{"role": "user", "content": parts}]})
    };
    let sent = (vendor.sent(), other.sent());
    let elsewhere = respond(&gateway, content(&[&at_acme])).status(400).says(&at_acme).says("acme@env");
    assert_eq!(elsewhere.json()["error"]["code"], "owned_elsewhere");
    let two = respond(&gateway, content(&[&at_acme, &at_openai])).status(400).says("acme@env").says("openai@env");
    assert_eq!(two.json()["error"]["code"], "several_owners");
    assert_eq!((vendor.sent(), other.sent()), sent);
    // Of several targets, the one that has it is asked.
    let mut body = content(&[&at_acme]);
    body["models"] = json!(["openai:gpt-5", "acme:big"]);
    let answer = gateway.post("/v1/responses").json(&body).send().status(200);
    assert_eq!(answer.header("x-bitrouter-provider"), Some("acme"));
}

#[test]
fn a_background_response_is_polled_cancelled_and_streamed_again_where_it_was_made() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    let response = id(&respond(&gateway, json!({"background": true})).status(200));
    let queued = json!({"id": response, "object": "response", "status": "queued", "error": null, "output": []});
    vendor.upstream.answers(queued.clone());
    gateway.get(&format!("/v1/responses/{response}")).send().status(200).is(queued.to_string());
    // A response that failed is an answer like any other.
    let failed = json!({"id": response, "object": "response", "status": "failed", "output": [],
        "error": {"code": "server_error", "message": "it broke"}});
    vendor.upstream.answers(failed.clone());
    gateway.get(&format!("/v1/responses/{response}")).send().status(200).is(failed.to_string());
    gateway.post(&format!("/v1/responses/{response}/cancel")).send().status(200).is(failed.to_string());
    let seen = vendor.upstream.last();
    assert_eq!((seen.method.as_str(), seen.body.len()), ("POST", 0));
    let rest = "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":8,\"delta\":\"lo\"}\n\n\
        event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":9,\"response\":{\"id\":\"x\",\"status\":\"completed\",\"output\":[]}}\n\n";
    vendor.upstream.streams(&[rest]);
    let path = format!("/v1/responses/{response}?stream=true&starting_after=7");
    let answer = gateway.get(&path).send().status(200);
    assert_eq!(answer.header("content-type").map(|value| value.starts_with("text/event-stream")), Some(true));
    answer.is(rest);
    assert_eq!(vendor.upstream.last().path, path);
}

#[test]
fn a_streamed_id_is_known_as_soon_as_it_is_seen() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    vendor.upstream.follows(|seen| match seen.method.as_str() {
        "POST" => {
            let begun = json!({"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}});
            let delta = json!({"type": "response.output_text.delta", "delta": "hel"});
            let event = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
            Reply::sse().send(event(&begun)).send(event(&delta)).wait_until_gone()
        }
        _ => Reply::json(&json!({"id": "resp_1", "status": "in_progress"})),
    });
    let body = json!({"model": "openai:gpt-5", "input": "hi", "stream": true, "background": true});
    let mut open = gateway.post("/v1/responses").json(&body).open();
    assert_eq!(open.head().0, 200);
    open.read_until("hel");
    gateway.get("/v1/responses/resp_1").send().status(200).says("in_progress");
    open.leave();
}

#[test]
fn a_batch_tells_of_the_files_that_it_made() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    let [_, _, _, upload, batch] = made_on_the_second(&vendor, &gateway);
    let output = gateway.get(&format!("/v1/batches/{batch}")).send().status(200).json()["output_file_id"].clone();
    let output = output.as_str().unwrap();
    let content = gateway.get(&format!("/v1/files/{output}/content")).send().status(200);
    assert_eq!(content.header("x-bitrouter-account"), Some("env"));
    let whole =
        gateway.post(&format!("/v1/uploads/{upload}/complete")).json(&json!({"part_ids": []})).send().status(200);
    let file = whole.json()["file"]["id"].as_str().unwrap().to_owned();
    gateway.get(&format!("/v1/files/{file}")).send().status(200);
}

#[test]
fn what_was_not_to_be_stored_is_nobodys() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    for stream in [false, true] {
        let answer = respond(&gateway, json!({"store": false, "stream": stream})).status(200);
        let id = answer.text().split("resp_").nth(1).unwrap().split('"').next().unwrap().to_owned();
        gateway.get(&format!("/v1/responses/resp_{id}")).send().status(404);
        let stored = respond(&gateway, json!({"stream": stream})).status(200);
        let id = stored.text().split("resp_").nth(1).unwrap().split('"').next().unwrap().to_owned();
        gateway.get(&format!("/v1/responses/resp_{id}")).send().status(200);
    }
}

#[test]
fn a_file_comes_as_it_is_whatever_it_is() {
    let vendor = Vendor::start();
    let gateway = vendor.setup().run();
    let file = id(&upload(&gateway).send().status(200));
    for (content_type, bytes) in [
        ("text/html", b"<!doctype html><title>a page</title>".to_vec()),
        ("application/octet-stream", (0..=255).cycle().take(3 << 20).collect()),
        ("application/json", b"{\"error\": {\"message\": \"of the file\"}}".to_vec()),
    ] {
        vendor.upstream.replies(Reply::body(content_type, bytes.clone()));
        let answer = gateway.get(&format!("/v1/files/{file}/content")).send().status(200);
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert!(answer.complete && answer.body == bytes, "{content_type}");
    }
}

#[test]
fn anthropics_files_and_batches_are_found_by_their_headers() {
    let upstream = Upstream::start();
    let setup = Gateway::start().with_key("ANTHROPIC_API_KEY", KEY).with_origin("anthropic", &upstream);
    let gateway = setup.with_openai_at(&upstream).run();
    let ask = |request: Request| {
        request.header("anthropic-version", "2023-06-01").header("anthropic-beta", "files-api-2025-04-14").send()
    };
    upstream.answers(json!({"id": "file_1", "type": "file", "filename": "a"}));
    ask(upload(&gateway)).status(200);
    let seen = upstream.last();
    assert_eq!((seen.path.as_str(), seen.header("x-api-key")), ("/v1/files", Some(KEY)));
    assert_eq!(seen.header("anthropic-beta"), Some("files-api-2025-04-14"));
    ask(gateway.get("/v1/files/file_1/content")).status(200);
    upstream.answers(json!({"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress"}));
    ask(gateway.post("/v1/messages/batches").json(&json!({"requests": []}))).status(200);
    assert_eq!(upstream.last().path, "/v1/messages/batches");
    for (method, path) in [("GET", ""), ("POST", "/cancel"), ("GET", "/results"), ("DELETE", "")] {
        let path = format!("/v1/messages/batches/msgbatch_1{path}");
        ask(gateway.request(method, &path)).status(200);
        assert_eq!((upstream.last().method.as_str(), upstream.last().path), (method, path));
    }
    // OpenAI's client has none of that id.
    gateway.get("/v1/files/file_1").send().status(501);
    let source = json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}});
    let mut body =
        json!({"model": "openai:gpt-5", "max_tokens": 9, "messages": [{"role": "user", "content": [source]}]});
    ask(gateway.post("/v1/messages").json(&body)).status(400).says("anthropic@env");
    upstream.answers(json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}));
    body["model"] = json!("anthropic:claude-opus-5");
    ask(gateway.post("/v1/messages").json(&body)).status(200);
}

#[test]
fn a_path_of_objects_takes_its_methods_and_no_others() {
    let gateway = Gateway::start().run();
    for (method, path, allowed) in [
        ("PUT", "/v1/files/file-1", "GET, DELETE, OPTIONS"),
        ("DELETE", "/v1/files", "GET, POST, OPTIONS"),
        ("GET", "/v1/responses/resp_1/cancel", "POST, OPTIONS"),
    ] {
        let answer = gateway.request(method, path).send().status(405);
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
    }
    gateway.request("OPTIONS", "/v1/batches").send().status(204);
    gateway.get("/v1/files/file-1/secrets").send().status(404).says("there is no endpoint");
    gateway.get("/v1/files").send().status(501).says("no active provider");
}
