//! Providers in every language that has an SDK: what `plugin new` writes builds and holds its cases, and acme of that language,
//! an API that is like none of the dialects (sdk/acme/README.md), is served. `cargo xtask e2e` gets each language's tools.

use std::fs;
use std::path::{Path, PathBuf};

use bitrouter_tests::{Answer, Gateway, Reply, Seen, Setup, Upstream, eventually};
use serde_json::{Value, json};

const TOKEN: &str = "canary-token-of-acme";
/// How long a build or the first load of a runtime may take, on a machine that does other things, too.
const BUILT_WITHIN: u64 = 900;

fn repository(place: &str) -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.join("..").join(place)
}

/// A variable that the end-to-end verb sets.
fn told(variable: &str) -> PathBuf {
    std::env::var_os(variable).unwrap_or_else(|| panic!("{variable} is not set. Run: cargo xtask e2e")).into()
}

/// A home in which the tools of this Python's environment are found. What they keep for the next run they keep beside it.
fn with_python(variable: &str) -> Setup {
    let tools = told(variable).parent().unwrap().to_owned();
    let kept = |name: &str| tools.join("../kept").join(name).to_str().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let setup = Gateway::start().with_side_requests().with_key("PATH", &format!("{}:{path}", tools.display()));
    let caches = [("ZIG_GLOBAL_CACHE_DIR", "zig"), ("ZIG_LOCAL_CACHE_DIR", "zig"), ("GOCACHE", "go")];
    caches.into_iter().fold(setup, |setup, (name, folder)| setup.with_key(name, &kept(folder)))
}

#[test]
#[ignore = "needs componentize-py: cargo xtask e2e"]
fn python_serves_acme() {
    serves_acme("python", with_python("BITROUTER_E2E_SDK_PYTHON"), |_| {});
}

#[test]
#[ignore = "needs zig: cargo xtask e2e"]
fn c_serves_acme() {
    serves_acme("c", with_python("BITROUTER_E2E_SDK_ZIG"), |_| {});
}

#[test]
#[ignore = "needs zig: cargo xtask e2e"]
fn zig_serves_acme() {
    serves_acme("zig", with_python("BITROUTER_E2E_SDK_ZIG"), |_| {});
}

#[test]
#[ignore = "needs Go: cargo xtask e2e"]
fn go_serves_acme() {
    serves_acme("go", with_python("BITROUTER_E2E_SDK_GO"), |_| {});
}

#[cfg(unix)]
#[test]
#[ignore = "needs componentize-js: cargo xtask e2e"]
fn js_serves_acme() {
    let modules = told("BITROUTER_E2E_SDK_JS").join("node_modules");
    // As `npm install` would leave it.
    let install = |project: &Path| std::os::unix::fs::symlink(&modules, project.join("node_modules")).unwrap();
    serves_acme("js", Gateway::start().with_side_requests(), install);
}

/// What a language's SDK is held to.
fn serves_acme(language: &str, setup: Setup, install: impl Fn(&Path)) {
    let upstream = Upstream::start();
    let setup = setup.with_origin("acme", &upstream).with_key("ACME_TOKEN", TOKEN);
    let run = |arguments: &[&str]| setup.command_within(BUILT_WITHIN, arguments).ok();
    let project = |name: &str| {
        run(&["plugin", "new", name, "--lang", language]);
        let folder = setup.working_directory().join(name);
        install(&folder);
        folder
    };
    // As a stranger finds it.
    project("plain");
    run(&["plugin", "build", "plain"]).says("plain.wasm");
    run(&["plugin", "test", "plain"]).says("1 case: 1 held");

    let folder = project("acme");
    for (from, to) in [
        (format!("sdk/{language}/acme"), "."),
        ("sdk/acme/description.json".into(), "description.json"),
        ("sdk/acme/world.wit".into(), "wit/world.wit"),
        ("sdk/acme/cases".into(), "cases"),
    ] {
        copy(&repository(&from), &folder.join(to));
    }
    // The template's own case is of another provider.
    fs::remove_dir_all(folder.join("cases/a-call")).unwrap();
    run(&["plugin", "build", "acme"]);
    let cases = fs::read_dir(repository("sdk/acme/cases")).unwrap().count();
    run(&["plugin", "test", "acme"]).says(&format!("{cases} cases: {cases} held"));

    fs::copy(folder.join("acme.wasm"), setup.plugin("acme.wasm")).unwrap();
    run(&["plugin", "trust", "acme", "--yes"]);
    upstream.follows(acme);
    serves(&setup.run(), &upstream);
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
}

fn chat(gateway: &Gateway, model: &str, streaming: bool) -> Answer {
    let messages = json!([{ "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hi" }]);
    gateway
        .chat(&json!({ "model": format!("acme:{model}"), "stream": streaming, "messages": messages, "max_tokens": 9 }))
}

fn serves(gateway: &Gateway, upstream: &Upstream) {
    // A live list of two pages.
    let listed = || gateway.get("/v1/models").send().text().contains("acme-live");
    assert!(eventually(listed), "{}", gateway.log());

    // Streamed, as acme takes it.
    let answer = chat(gateway, "acme-large", true).status(200);
    let text = answer.text();
    let chunks = text.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let said = chunks.filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()));
    assert_eq!(said.collect::<String>(), "Hello “you”.", "{text}");
    assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
    let asked = upstream.requests().into_iter().rfind(|seen| seen.path.ends_with("/converse")).unwrap();
    let turns = json!([{ "speaker": "rules", "words": "Be brief." }, { "speaker": "guest", "words": "Hi" }]);
    let expected = json!({ "engine": "acme-large", "turns": turns, "options": { "limit": 9 }, "live": true });
    assert_eq!(asked.json(), expected);
    assert_eq!(asked.header("x-acme-token"), Some(TOKEN));

    // Whole, and for a client of another dialect.
    let whole = chat(gateway, "acme-large", false).status(200).json();
    assert_eq!(whole["choices"][0]["message"]["content"], "Hello “you”.");
    assert_eq!(whole["usage"]["total_tokens"], 11);
    let body =
        json!({ "model": "acme:acme-large", "max_tokens": 9, "messages": [{ "role": "user", "content": "Hi" }] });
    let messages = gateway.post("/v1/messages").json(&body).send().status(200).json();
    assert_eq!(messages["content"][0]["text"], "Hello “you”.");
    let body = json!({ "model": "acme:acme-vector", "input": ["a", "b"] });
    let vectors = gateway.post("/v1/embeddings").json(&body).send().status(200).json();
    assert_eq!(vectors["data"][1]["embedding"], json!([0.5, 1]));

    // Limits of a header, of an event and of a side request.
    let limits = || {
        let status = gateway.status().to_string();
        ["requests", "words", "month"].iter().all(|name| status.contains(&format!("\"{name}\"")))
    };
    assert!(eventually(limits), "{}", gateway.status());

    // Failures are in the client's dialect: at 200, where a stream was promised, and by a status of acme's own. The last
    // concerns the account.
    let error = |answer: &Answer| answer.json()["error"]["message"].as_str().unwrap().to_owned();
    for (model, streaming) in [("busy", false), ("broken", true)] {
        let failed = chat(gateway, model, streaming).status(503);
        assert!(error(&failed).ends_with("Later."), "{failed:?}");
    }
    let slow = chat(gateway, "slow", false).status(429);
    assert_eq!((error(&slow).as_str(), slow.header("retry-after")), ("Too quick.", Some("2")));
}

/// What acme would answer.
fn acme(request: &Seen) -> Reply {
    let path = request.path.split_once("/v1").unwrap().1;
    let reply = match path {
        "/engines" => {
            Reply::json(&json!({ "engines": [{ "name": "acme-large", "does": ["converse"] }], "after": "1" }))
        }
        "/engines?after=1" => {
            let engines = json!([{ "name": "acme-live", "does": ["converse"], "room": 9 }, { "name": "acme-vector", "does": ["embed"] }]);
            Reply::json(&json!({ "engines": engines }))
        }
        "/me" => Reply::json(&json!({ "plan": "pro", "spent": 425, "of": 1000 })),
        "/engines/acme-vector/embed" => {
            Reply::json(&json!({ "vectors": [{ "values": [0.1] }, { "values": [0.5, 1] }], "spent": { "read": 2 } }))
        }
        "/engines/slow/converse" => {
            Reply::json(&json!({ "fault": { "code": "E_SLOW", "why": "Too quick.", "wait": 2 } })).status(420)
        }
        "/engines/busy/converse" => Reply::json(&json!({ "fault": { "code": "E_BUSY", "why": "Later." } })),
        "/engines/broken/converse" => {
            lines(&[json!({ "type": "fault", "fault": { "code": "E_BUSY", "why": "Later." } })])
        }
        _ => converse(&request.json()),
    };
    reply.header("x-acme-room", "requests=59/60 in 12")
}

fn converse(body: &Value) -> Reply {
    let spent = json!({ "read": 9, "said": 2 });
    if body["live"] == true {
        return lines(&[
            json!({ "type": "begin", "id": "r-1", "engine": body["engine"], "at": 1_700_000_000 }),
            json!({ "type": "words", "words": "Hello " }),
            json!({ "type": "quota", "of": "words", "most": 1000, "left": 900, "back_in": 30 }),
            json!({ "type": "words", "words": "“you”." }),
            json!({ "type": "end", "why": "finished", "spent": spent }),
        ]);
    }
    let (engine, words) = (&body["engine"], "Hello “you”.");
    Reply::json(&json!({ "id": "r-1", "engine": engine, "at": 1, "words": words, "why": "finished", "spent": spent }))
}

fn lines(lines: &[Value]) -> Reply {
    let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
    Reply::stream("application/x-ndjson").send(body)
}
