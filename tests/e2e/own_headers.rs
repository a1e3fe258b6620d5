//! What a client's own header brought about is that client's: it rests nothing for others, and the advice names the header.

use bitrouter_tests::{Answer, Gateway, Reply, Upstream};
use serde_json::json;

/// OpenAI's answer to a key that is not of the organization that a header names.
fn mismatched(status: u16) -> Reply {
    let error = json!({"message": "OpenAI-Organization header should match organization for API key", "type": "invalid_request_error", "code": "mismatched_organization"});
    Reply::json(&json!({"error": error})).status(status)
}

fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start().with_openai_at(upstream).run()
}

fn chat(gateway: &Gateway, headers: &[(&str, &str)]) -> Answer {
    let body = json!({"model": "openai:gpt-4o", "messages": []});
    let request = gateway.post("/v1/chat/completions").json(&body);
    headers.iter().fold(request, |request, (name, value)| request.header(name, value)).send()
}

#[test]
fn a_foreign_header_that_is_refused_rests_nothing_for_others_whatever_the_refusal() {
    for header in ["openai-organization", "openai-project", "openai-beta"] {
        for status in [401, 402, 403, 404, 429, 500, 503] {
            let upstream = Upstream::start();
            let gateway = gateway(&upstream);
            upstream.follows(move |seen| match seen.header(header) {
                Some(_) => mismatched(status),
                None => Reply::json(&json!({"said": "fine"})),
            });
            for _ in 0..8 {
                assert!(chat(&gateway, &[(header, "org-foreign")]).code >= 400, "{header} {status}");
                chat(&gateway, &[]).status(200).says("fine");
            }
        }
    }
}

#[test]
fn the_advice_names_the_header_and_not_a_login() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream);
    upstream.follows(|seen| match seen.header("openai-organization") {
        Some(_) => mismatched(401),
        None => Reply::json(&json!({"said": "fine"})),
    });
    chat(&gateway, &[("openai-organization", "org-foreign")]).status(401).says("OpenAI-Organization header");
    gateway.logs("the request carried the client's `openai-organization`");
    // From memory, once nobody looks any more.
    chat(&gateway, &[("openai-organization", "org-foreign")]);
    let told = chat(&gateway, &[("openai-organization", "org-foreign")]).status(401);
    assert!(told.message().contains("openai-organization") && !told.message().contains("log in"), "{}", told.text());
    let cooldowns = gateway.status()["cooldowns"].clone();
    assert_eq!(cooldowns[0]["address"], "openai@env with a client's `openai-organization`", "{cooldowns}");
    // Another organization is another matter.
    chat(&gateway, &[("openai-organization", "org-other")]).status(401).says("OpenAI-Organization header");
}

#[test]
fn a_key_that_is_refused_without_such_a_header_rests_for_all() {
    let upstream = Upstream::start();
    let gateway = gateway(&upstream);
    upstream.replies(mismatched(401));
    // What only names a client or its request is nobody's own.
    let names = [("user-agent", "acme/1"), ("x-client-request-id", "1"), ("idempotency-key", "2"), ("session-id", "3")];
    chat(&gateway, &names).status(401);
    let cooldowns = gateway.status()["cooldowns"].clone();
    assert_eq!(cooldowns[0]["address"], "openai@env", "{cooldowns}");
    chat(&gateway, &[]);
    let sent = upstream.requests().len();
    let told = chat(&gateway, &[]).status(401);
    assert!(told.message().contains("log in again, or replace the key"), "{}", told.text());
    // It rests for those with headers of their own as well.
    chat(&gateway, &[("openai-organization", "org-mine")]).status(401);
    assert_eq!(upstream.requests().len(), sent);
}
