//! Providers that are paid otherwise than by one key: each a description without code, through the gateway, to an upstream that
//! checks the signature or the token.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_tests::{
    Gateway, Ran, Reply, SERVICE_ACCOUNT, Seen, Setup, Upstream, check_assertion, check_signature, eventually,
    key_file, signed_headers,
};
use serde_json::{Value, json};

const SECRET: &str = "canary/secret+access/key/0123456789";
const SESSION: &str = "canary-session-token-0123456789";

/// A provider without code that is paid in this way.
fn paid_by(auth: Value) -> Value {
    json!({
        "id": "acme", "name": "Acme AI", "version": "1",
        "origins": { "api": "https://api.acme.example", "auth": "https://auth.acme.example" },
        "auth": [auth],
        "serves": { "generate": ["chat-completions"] },
        "paths": { "generate": { "chat-completions": "/model/{model}/chat" } },
        "settings": { "region": { "type": "string", "description": "Where.", "env": ["AWS_REGION", "AWS_DEFAULT_REGION"] } },
        "models": [{ "id": "acme-1" }],
    })
}

pub(super) fn aws() -> Value {
    json!({ "method": "aws-sigv4", "service": "bedrock", "region": { "setting": "region" } })
}

pub(super) fn google() -> Value {
    json!({ "method": "google-service-account" })
}

fn exchange() -> Value {
    json!({
        "method": "exchange", "path": "/{tenant}/oauth2/v2.0/token",
        "secrets": [{ "name": "tenant", "env": ["ACME_TENANT"] }, { "name": "client_id", "env": ["ACME_CLIENT_ID"] },
                    { "name": "client_secret", "env": ["ACME_CLIENT_SECRET"] }],
        "parameters": { "grant_type": "client_credentials", "client_id": "{client_id}",
                        "client_secret": "{client_secret}", "scope": "https://acme.example/.default" },
    })
}

pub(super) fn setup(auth: Value, upstream: &Upstream, issuer: &Upstream) -> Setup {
    let file = paid_by(auth).to_string();
    let origins = json!({ "api": upstream.origin(), "auth": issuer.origin() });
    let setup =
        Gateway::start().with_plugin_file("acme.json", file.as_bytes()).with("/providers/acme/origins", origins);
    let setup = setup.with_key("RUST_LOG", "bitrouter=debug");
    setup.command(&["plugin", "trust", "acme", "--yes"]).ok();
    setup
}

/// An issuer whose tokens have a number, and last so many seconds.
fn issues(issuer: &Upstream, seconds: u64) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    issuer.follows(move |_| {
        let number = counted.fetch_add(1, Ordering::SeqCst);
        let token = format!("canary-minted-token-{number}");
        Reply::json(&json!({ "access_token": token, "expires_in": seconds, "token_type": "Bearer" }))
    });
    count
}

pub(super) fn chat(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }] })
}

/// Runs a command with this on its standard input.
fn piped(setup: &Setup, arguments: &[&str], input: &str) -> Ran {
    let mut running = setup.begin(arguments);
    running.types(input).types_no_more();
    running.ends()
}

pub(super) fn form(seen: &Seen) -> Vec<(String, String)> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut parts = text.split('%');
        let mut bytes = parts.next().unwrap().as_bytes().to_vec();
        for part in parts {
            bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
            bytes.extend(part[2..].bytes());
        }
        String::from_utf8(bytes).unwrap()
    };
    let text = seen.text();
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap());
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

pub(super) fn member<'f>(form: &'f [(String, String)], name: &str) -> &'f str {
    &form.iter().find(|(known, _)| known == name).unwrap().1
}

#[test]
fn a_request_is_signed_as_it_is_sent_with_keys_of_the_environment() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let setup = setup(aws(), &upstream, &issuer).with_key("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let setup = setup.with_key("AWS_SECRET_ACCESS_KEY", SECRET).with_key("AWS_SESSION_TOKEN", SESSION);
    let gateway = setup.with_key("AWS_DEFAULT_REGION", "eu-west-1").run();
    for model in ["acme-1", "acme:anthropic.claude-v1:0", "acme:arn:aws:bedrock:x/y z"] {
        gateway.chat(&chat(model)).status(200).never_says(SECRET);
        let seen = upstream.last();
        check_signature(&seen, SECRET, "bedrock", "eu-west-1").unwrap();
        assert_eq!(signed_headers(&seen), ["content-type", "host", "x-amz-date", "x-amz-security-token"]);
        assert_eq!(seen.header("x-amz-security-token"), Some(SESSION));
    }
    assert!(upstream.last().path.contains("%2F"), "{}", upstream.last().path);
    // What a client sends in the place of a signature goes nowhere.
    let forged = gateway.post("/v1/chat/completions").json(&chat("acme-1")).header("x-amz-date", "20200101T000000Z");
    forged.header("authorization", "AWS4-HMAC-SHA256 forged").send().status(200);
    check_signature(&upstream.last(), SECRET, "bedrock", "eu-west-1").unwrap();
    gateway.command(&["accounts"]).ok().says("acme      env    ").says("env AWS_ACCESS_KEY_ID");
    gateway.command(&["route", "acme-1"]).ok().says("env");
    assert!(!gateway.log().contains("canary"), "{}", gateway.log());
    assert_eq!(issuer.connections(), 0);
}

#[test]
fn an_upstream_that_echoes_a_session_token_is_scrubbed() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    upstream.follows(|seen| Reply::json(&json!({ "echo": seen.header("x-amz-security-token") })));
    let setup = setup(aws(), &upstream, &issuer).with_key("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let setup = setup.with_key("AWS_SECRET_ACCESS_KEY", SECRET).with_key("AWS_SESSION_TOKEN", SESSION);
    let gateway = setup.with_key("AWS_REGION", "eu-west-1").run();
    gateway.chat(&chat("acme-1")).says("[secret]").never_says(SESSION);
}

#[test]
fn of_keys_that_belong_together_the_missing_one_is_named() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let setup = setup(aws(), &upstream, &issuer).with_key("AWS_REGION", "eu-west-1");
    let gateway = setup.with_key("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").run();
    gateway.chat(&chat("acme:acme-1")).says("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not");
    assert_eq!(upstream.connections(), 0);
}

#[test]
fn a_profile_of_aws_is_found_and_read_again_when_it_changes() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let setup = setup(aws(), &upstream, &issuer).with_key("AWS_REGION", "eu-west-1");
    let file = setup.home().join("aws-credentials");
    let write = |secret: &str| {
        let text = format!("[work]\naws_access_key_id = AKIDFILE\naws_secret_access_key = {secret}\n");
        fs::write(&file, text).unwrap();
    };
    write(SECRET);
    let setup = setup.with_key("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
    let gateway = setup.with_key("AWS_PROFILE", "work").run();
    gateway.chat(&chat("acme-1")).status(200);
    check_signature(&upstream.last(), SECRET, "bedrock", "eu-west-1").unwrap();
    gateway.command(&["accounts"]).ok().says(&format!("file {}", file.display()));
}

#[test]
fn a_clock_that_is_wrong_is_put_right_by_the_answer_that_refuses_for_it() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let dates = Arc::new(Mutex::new(Vec::new()));
    let seen_dates = Arc::clone(&dates);
    upstream.follows(move |seen| {
        let mut dates = seen_dates.lock().unwrap();
        dates.push(seen.header("x-amz-date").unwrap().to_owned());
        let skewed = json!({ "message": "Signature expired" });
        match dates.len() {
            1 => Reply::json(&skewed).status(403).without("date").header("date", "Fri, 01 Jan 2100 00:00:00 GMT"),
            _ => Reply::json(&json!({ "ok": true })),
        }
    });
    let setup = setup(aws(), &upstream, &issuer).with_key("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    let gateway = setup.with_key("AWS_SECRET_ACCESS_KEY", SECRET).with_key("AWS_REGION", "eu-west-1").run();
    gateway.chat(&chat("acme-1")).status(200);
    gateway.logs("this machine's clock is").logs("Set the clock right");
    let dates = dates.lock().unwrap();
    assert!(dates.len() == 2 && dates[1].starts_with("21000101T"), "{dates:?}");
}

#[test]
fn a_login_asks_for_each_secret_and_is_bound_to_where_it_was_made() {
    let (upstream, issuer, elsewhere) = (Upstream::start(), Upstream::start(), Upstream::start());
    let setup = setup(aws(), &upstream, &issuer).with("/providers/acme/settings", json!({ "region": "us-east-1" }));
    let login = ["login", "acme", "--secrets-stdin"];
    piped(&setup, &login, "access_key_id=AKIDSTORED\n").fails().says("`secret_access_key` is missing");
    piped(&setup, &login, "access_key_id=A\nkey=x\n").fails().says("`key` is not one of access_key_id");
    let keys = format!("access_key_id=AKIDSTORED\nsecret_access_key={SECRET}\n");
    piped(&setup, &login, &keys).ok().says("acme@default is logged in");
    setup.command(&["accounts"]).ok().says("aws-sigv4");
    let mut gateway = setup.run();
    gateway.chat(&chat("acme-1")).status(200);
    check_signature(&upstream.last(), SECRET, "bedrock", "us-east-1").unwrap();
    gateway.configure("/providers/acme/origins/api", json!(elsewhere.origin()));
    assert!(eventually(|| gateway.chat(&chat("acme:acme-1")).text().contains("is bound to")), "{}", gateway.log());
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn client_credentials_are_exchanged_once_and_the_token_is_made_anew_after_a_401() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let minted = issues(&issuer, 3600);
    upstream.follows(|seen| match seen.header("authorization") {
        Some("Bearer canary-minted-token-0") if seen.text().contains("revoked") => Reply::json(&json!({})).status(401),
        token => Reply::json(&json!({ "echo": token })),
    });
    let setup = setup(exchange(), &upstream, &issuer).with_key("ACME_TENANT", "tenant of mine");
    let setup = setup.with_key("ACME_CLIENT_ID", "client-1").with_key("ACME_CLIENT_SECRET", SECRET);
    let gateway = setup.run();
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| gateway.chat(&chat("acme-1")).status(200).says("[secret]").never_says("canary"));
        }
    });
    assert_eq!(minted.load(Ordering::SeqCst), 1, "one at a time makes it, and the others wait for that");
    let asked = issuer.last();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/tenant%20of%20mine/oauth2/v2.0/token"));
    let sent = form(&asked);
    for (name, value) in [("grant_type", "client_credentials"), ("client_id", "client-1"), ("client_secret", SECRET)] {
        assert_eq!(member(&sent, name), value);
    }
    let mut revoked = chat("acme-1");
    revoked["user"] = json!("revoked");
    gateway.chat(&revoked).status(200).never_says("canary");
    assert_eq!(upstream.last().header("authorization"), Some("Bearer canary-minted-token-1"));
    assert_eq!(minted.load(Ordering::SeqCst), 2);
    assert!(!gateway.log().contains("canary"), "{}", gateway.log());
}

#[test]
fn an_issuer_that_refuses_is_told_with_its_code_and_nothing_goes_up() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    issuer.follows(|seen| {
        Reply::json(&json!({ "error": "invalid_client", "error_description": seen.text() })).status(401)
    });
    let setup = setup(exchange(), &upstream, &issuer).with_key("ACME_TENANT", "t");
    let gateway = setup.with_key("ACME_CLIENT_ID", "client-1").with_key("ACME_CLIENT_SECRET", SECRET).run();
    let answer = gateway.chat(&chat("acme:acme-1"));
    answer.says("no token could be made for the account").says("answered 401 (invalid_client)").never_says("canary");
    assert_eq!(upstream.connections(), 0);
    let asked = issuer.requests().len();
    gateway.chat(&chat("acme:acme-1"));
    assert_eq!(issuer.requests().len(), asked, "it is left alone for a while");
}

#[test]
fn a_service_account_signs_for_its_token() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let minted = issues(&issuer, 3600);
    let setup = setup(google(), &upstream, &issuer);
    let url = format!("{}/token", issuer.origin());
    let file = setup.home().join("key.json");
    fs::write(&file, key_file(&url).to_string()).unwrap();
    let gateway = setup.with_key("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap()).run();
    gateway.chat(&chat("acme-1")).status(200);
    gateway.chat(&chat("acme-1")).status(200);
    assert_eq!(upstream.last().header("authorization"), Some("Bearer canary-minted-token-0"));
    assert_eq!(minted.load(Ordering::SeqCst), 1);
    let sent = form(&issuer.last());
    assert_eq!(member(&sent, "grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let claims = check_assertion(member(&sent, "assertion"));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(SERVICE_ACCOUNT), &json!(url)));
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    gateway.command(&["accounts"]).ok().says("renewed by itself").says("env GOOGLE_APPLICATION_CREDENTIALS");
}

#[test]
fn a_key_file_that_names_another_place_for_its_tokens_sends_nothing_anywhere() {
    let (upstream, issuer, evil) = (Upstream::start(), Upstream::start(), Upstream::start());
    let setup = setup(google(), &upstream, &issuer);
    let file = setup.home().join("key.json");
    fs::write(&file, key_file(&format!("{}/token", evil.origin())).to_string()).unwrap();
    let path = file.to_str().unwrap();
    setup.command(&["login", "acme", "--file", path]).fails().says("was accepted: it is not used");
    let gateway = setup.with_key("GOOGLE_APPLICATION_CREDENTIALS", path).run();
    gateway.chat(&chat("acme:acme-1")).says("says that its tokens are minted at");
    assert_eq!((upstream.connections(), issuer.connections(), evil.connections()), (0, 0, 0));
}

#[test]
fn a_key_file_is_stored_at_a_login_and_its_tokens_are_made_where_that_was_accepted() {
    let (upstream, issuer, elsewhere) = (Upstream::start(), Upstream::start(), Upstream::start());
    let minted = issues(&issuer, 3600);
    let setup = setup(google(), &upstream, &issuer);
    let file = setup.home().join("key.json");
    fs::write(&file, key_file(&format!("{}/token", issuer.origin())).to_string()).unwrap();
    setup
        .command(&["login", "acme", "--file", file.to_str().unwrap()])
        .ok()
        .says("acme@default is logged in: key file");
    fs::remove_file(&file).unwrap();
    let gateway = setup.with("/providers/acme/origins/auth", json!(elsewhere.origin())).run();
    gateway.chat(&chat("acme-1")).status(200);
    assert_eq!((minted.load(Ordering::SeqCst), elsewhere.connections()), (1, 0));
}

#[test]
fn a_name_and_a_password_are_sent_as_basic_and_scrubbed_in_that_form() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    upstream.follows(|seen| Reply::json(&json!({ "echo": seen.header("authorization") })));
    let auth = json!({ "method": "basic", "secrets": [{ "name": "user", "env": ["ACME_USER"] },
                                                      { "name": "password", "env": ["ACME_PASSWORD"] }] });
    let setup = setup(auth, &upstream, &issuer).with_key("ACME_USER", "me");
    let gateway = setup.with_key("ACME_PASSWORD", "canary pass:word").run();
    let encoded = STANDARD.encode("me:canary pass:word");
    gateway.chat(&chat("acme-1")).status(200).never_says(&encoded);
    assert_eq!(upstream.last().header("authorization"), Some(format!("Basic {encoded}").as_str()));
}

#[test]
fn several_keys_go_each_to_its_place() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let auth = json!({ "method": "keys", "secrets": [{ "name": "id", "env": ["ACME_ID"] }, { "name": "key", "env": ["ACME_KEY"] }],
                       "attach": [{ "header": "x-id", "secret": "id" }, { "query": "key", "secret": "key" }] });
    let setup = setup(auth, &upstream, &issuer).with_key("ACME_ID", "the-id-of-acme");
    let gateway = setup.with_key("ACME_KEY", "canary-of-acme").run();
    gateway.chat(&chat("acme-1")).status(200);
    assert_eq!(upstream.last().header("x-id"), Some("the-id-of-acme"));
    assert!(upstream.last().path.ends_with("?key=canary-of-acme"), "{}", upstream.last().path);
}

#[test]
fn a_provider_whose_key_is_optional_serves_without_and_sends_one_that_is_there() {
    let auth = json!({ "method": "api-key", "env": ["ACME_KEY"], "optional": true,
                       "attach": [{ "header": "authorization", "format": "Bearer {}" }] });
    for key in [None, Some("canary-of-acme")] {
        let (upstream, issuer) = (Upstream::start(), Upstream::start());
        let setup = setup(auth.clone(), &upstream, &issuer);
        let gateway = key.into_iter().fold(setup, |setup, key| setup.with_key("ACME_KEY", key)).run();
        gateway.chat(&chat("acme-1")).status(200);
        let expected = key.map(|key| format!("Bearer {key}"));
        assert_eq!(upstream.last().header("authorization"), expected.as_deref());
    }
}

#[cfg(unix)]
#[test]
fn a_command_prints_the_key_by_one_at_a_time_and_is_run_again_after_a_401() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    upstream.follows(|seen| match seen.header("authorization") {
        Some("Bearer canary-key-of-run-1") if seen.text().contains("revoked") => Reply::json(&json!({})).status(401),
        token => Reply::json(&json!({ "echo": token })),
    });
    let auth = json!({ "method": "api-key", "attach": [{ "header": "authorization", "format": "Bearer {}" }] });
    let setup = setup(auth, &upstream, &issuer);
    let runs = setup.home().join("runs");
    let script = format!("echo x >> {0}; echo canary-key-of-run-$(wc -l < {0} | tr -d ' ')", runs.display());
    let gateway = setup.with("/providers/acme/key_command", json!(["sh", "-c", script])).run();
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| gateway.chat(&chat("acme-1")).status(200).says("[secret]").never_says("canary"));
        }
    });
    assert_eq!(fs::read_to_string(&runs).unwrap().lines().count(), 1);
    let mut revoked = chat("acme-1");
    revoked["user"] = json!("revoked");
    gateway.chat(&revoked).status(200);
    assert_eq!(upstream.last().header("authorization"), Some("Bearer canary-key-of-run-2"));
    gateway.command(&["accounts"]).ok().says("command");
    assert!(!gateway.log().contains("canary"), "{}", gateway.log());
}

#[cfg(unix)]
#[test]
fn a_command_that_fails_is_told_with_what_it_complains_of() {
    let (upstream, issuer) = (Upstream::start(), Upstream::start());
    let auth = json!({ "method": "api-key", "attach": [{ "header": "authorization", "format": "Bearer {}" }] });
    for (command, says) in [
        (json!(["sh", "-c", "echo the vault is locked >&2; exit 3"]), "the vault is locked"),
        (json!(["no-such-program-anywhere"]), "it cannot be run"),
        (json!(["true"]), "printed nothing"),
        (json!(["sh", "-c", "yes | head -c 70000"]), "more than 65536 bytes"),
    ] {
        let setup = setup(auth.clone(), &upstream, &issuer);
        let gateway = setup.with("/providers/acme/key_command", command).run();
        gateway.chat(&chat("acme:acme-1")).says(says);
    }
    assert_eq!(upstream.connections(), 0);
}
