//! The hostile corpus (`tests/hostile`): components that must not load or not be believed, and calls of the component
//! `hostile`, each with what the gateway makes of it and what it may cost. After each, an innocent call is served.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bitrouter_tests::{Answer, Gateway, Ran, Reply, Seen, Upstream, component};
use serde_json::{Value, json};

use super::rebuilt::described;

/// The corpus holds at least so many behaviours.
const LEAST: usize = 100;
/// Bytes of an error that a client reads, or of a reason that a user does; at most.
const SENTENCE: usize = 2_000;
/// Bytes of log that one behaviour may cost, where its row says nothing else.
const LOG: usize = 16 << 10;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hostile")
}

/// A component of the corpus.
struct Load {
    file: String,
    bytes: Vec<u8>,
    /// `refused`, `untrusted` or `served`.
    is: String,
    says: String,
}

impl Load {
    /// What a file says of itself in its first lines, and what it is.
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let file = path.file_stem().unwrap().to_str().unwrap().to_owned() + ".wasm";
        let says = |word: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!(";; {word}:")));
            line.unwrap_or_else(|| panic!("{file} says no `;; {word}:`")).trim().to_owned()
        };
        let bytes = wat::parse_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        Load { bytes, is: says("is"), says: says("says"), file }
    }

    fn refused(file: &str, bytes: Vec<u8>, says: &str) -> Self {
        Load { file: file.into(), bytes, is: "refused".into(), says: says.into() }
    }
}

fn loads() -> Vec<Load> {
    let files = fs::read_dir(corpus().join("load")).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| Load::read(&path)).chain(made()).collect()
}

/// What would be no file of a size that anybody reads.
fn made() -> Vec<Load> {
    let wat = |text: String| wat::parse_str(text).unwrap();
    let provider = "(instance $p) (export \"bitrouter:provider/provider@0.1.0\" (instance $p))";
    let within = |inner: &str| wat(format!("(component {inner} {provider})"));
    let many = |count: usize, one: &dyn Fn(usize) -> String| (0..count).map(one).collect::<String>();
    let echo = component("echo");
    let exports = many(10_000, &|n| format!("(export \"e{n}\" (instance $p))"));
    let locals = format!("(core module (func (local {})))", "i64 ".repeat(60_000));
    let nested = many(90, &|_| "(component ".into()) + &")".repeat(90);
    let body = format!("(core module (func {} {}))", "(block ".repeat(50_000), ")".repeat(50_000));
    vec![
        Load::refused("made-text.wasm", b"#!/bin/sh\necho hello\n".into(), "not a WebAssembly component"),
        Load::refused("made-empty.wasm", Vec::new(), "not a WebAssembly component"),
        Load::refused("made-cut-off.wasm", echo[..echo.len() / 2].into(), "damaged"),
        Load::refused("made-compiled.cwasm", b"\x7fELF".into(), "compiled code is not accepted"),
        Load::refused("made-noise.wasm", [b"\0asm\x0d\0\x01\0", &[0xff; 4096][..]].concat(), "damaged"),
        Load::refused("made-exports.wasm", wat(format!("(component {provider} {exports})")), "exceeds limit"),
        Load::refused(
            "made-instances.wasm",
            within(&format!("(core module $m) {}", many(990, &|_| "(core instance (instantiate $m))".into()))),
            "instances",
        ),
        Load::refused("made-nested.wasm", within(&nested), "describe"),
        Load::refused("made-locals.wasm", within(&locals), ""),
        Load::refused("made-blocks.wasm", within(&body), ""),
        Load::refused(
            "made-long-description.wasm",
            described(&within(""), &json!({ "id": "made-long-description", "name": "n".repeat(2 << 20) })),
            "describe",
        ),
    ]
}

/// The calls, one a behaviour.
fn calls() -> Vec<Value> {
    let text = fs::read_to_string(corpus().join("calls.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_corpus_has_at_least_a_hundred_behaviours() {
    let (loads, calls) = (loads().len(), calls().len());
    assert!(loads + calls >= LEAST, "{loads} loads and {calls} calls");
    println!("{loads} loads and {calls} calls");
}

#[test]
fn what_must_not_load_is_refused_with_its_reason_and_the_rest_serve() {
    let upstream = Upstream::start();
    let loads = loads();
    let setup = Gateway::start().with_openai_at(&upstream).with_plugin("echo").with_origin("echo", &upstream);
    let gateway = loads.iter().fold(setup, |setup, load| setup.with_plugin_file(&load.file, &load.bytes)).run();
    let innocent = |model: &str| gateway.chat(&json!({ "model": model, "messages": [] })).status(200);
    let ran = gateway.command(&["plugin", "list", "--json"]).ok();
    let list = ran.json();
    let mut wrong = Vec::new();
    for load in &loads {
        let row = |part: &str| {
            let named = |row: &&Value| {
                let file = row["file"].as_str().unwrap_or_default();
                file == load.file || file.ends_with(&format!("/{}", load.file))
            };
            list[part].as_array().unwrap().iter().find(named)
        };
        let (is, reason) = match (row("refused"), row("loaded")) {
            (Some(row), _) => {
                let reason = row["reason"].as_str().unwrap();
                (if reason.contains("not trusted") { "untrusted" } else { "refused" }, reason.to_owned())
            }
            (None, Some(row)) if row["trusted"] == json!(false) => ("served", row["id"].to_string()),
            (None, row) => ("unknown", format!("{row:?}")),
        };
        let readable = reason.len() < SENTENCE && !reason.contains(|letter: char| letter.is_control());
        if is != load.is || !reason.contains(&load.says) || !readable {
            wrong.push(format!("{}: {is}, and says: {reason:.300} (expected: {}: {})", load.file, load.is, load.says));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), loads.len(), wrong.join("\n"));
    // Nobody's name writes on the terminal of whoever asks.
    for command in [&["plugin", "list"][..], &["providers"], &["models"]] {
        let ran = gateway.command(command).ok();
        let odd = |letter: char| letter.is_control() && letter != '\n' || ('\u{202a}'..='\u{202e}').contains(&letter);
        assert!(!(ran.stdout + &ran.stderr).contains(odd), "{command:?}");
    }
    innocent("openai:gpt-4o");
    innocent("echo:echo-1");
    // None of them was sent anything, or had anything sent.
    assert!(upstream.requests().iter().all(|seen| seen.path == "/v1/chat/completions"));
    assert!(gateway.log().len() < loads.len() * SENTENCE, "{} bytes of log", gateway.log().len());
}

/// Answers as a call asks for, and lists of models as the page of the moment.
fn answers(seen: &Seen, page: &str) -> Reply {
    let whole = json!({ "id": "c", "object": "chat.completion", "choices": [{ "index": 0, "finish_reason": "stop",
        "message": { "role": "assistant", "content": "hello" } }] });
    let call: Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    match (seen.path.as_str(), call["stream"].as_bool(), call["limit"].as_str()) {
        ("/v1/models", ..) => Reply::body("application/json", page),
        ("/v1/failing", ..) => Reply::json(&json!({ "error": { "message": "down" } })).status(500),
        (_, Some(true), _) => ["{\"choices\":[]}", "{\"choices\":[],\"n\":2}", "[DONE]"]
            .iter()
            .fold(Reply::sse(), |reply, data| reply.send(format!("data: {data}\n\n"))),
        (_, _, Some(limit)) => Reply::json(&whole).header("x-hostile-limit", limit),
        _ => Reply::json(&whole),
    }
}

#[test]
fn each_call_of_the_corpus_costs_itself_what_is_expected_and_the_next_is_served() {
    let upstream = Upstream::start();
    let page = Arc::new(Mutex::new(String::new()));
    let pages = Arc::clone(&page);
    upstream.follows(move |seen| answers(seen, &pages.lock().unwrap()));
    let setup = Gateway::start().with_side_requests().with_plugin("hostile").with_origin("hostile", &upstream);
    let gateway = setup.trusting("hostile").run();
    let mut wrong = Vec::new();
    for row in calls() {
        let (sent, log) = (upstream.requests().len(), gateway.log().len());
        let faults = match row["page"].as_str() {
            Some(asks) => {
                *page.lock().unwrap() = format!("\"{asks}\"");
                judge_page(&row, &gateway.command(&["models", "--refresh", "--provider", "hostile"]))
            }
            None => judge(&row, &ask(&gateway, &row), upstream.requests().len() > sent),
        };
        let next = gateway.chat(&json!({ "model": "hostile:ok", "messages": [] }));
        let mut faults: Vec<String> = faults.into_iter().collect();
        if next.code != 200 {
            faults.push(format!("the next call: {}: {}", next.code, next.text()));
        }
        let logged = gateway.log().len().saturating_sub(log);
        if logged > row["log"].as_u64().map_or(LOG, |bytes| bytes as usize) {
            faults.push(format!("{logged} bytes of log"));
        }
        if !faults.is_empty() {
            wrong.push(format!("{}: {}", row["does"], faults.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    let log = gateway.log();
    let odd = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
    assert!(!log.contains(odd), "{:?}", log.lines().find(|line| line.contains(odd)));
}

/// The call of a row: its model, and what stands beside it.
fn ask(gateway: &Gateway, row: &Value) -> Answer {
    let mut body = json!({ "model": format!("hostile:{}", row["model"].as_str().unwrap()), "messages": [] });
    let with = row["with"].as_object().into_iter().flatten();
    with.for_each(|(name, value)| body[name] = value.clone());
    gateway.chat(&body)
}

/// What is not as the row says: status, words, what was sent, and how much the client reads.
fn judge(row: &Value, answer: &Answer, sent: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let text = answer.text();
    // Several where it is a matter of how fast the machine is.
    let code = json!(answer.code);
    if code != row["status"] && !row["status"].as_array().is_some_and(|several| several.contains(&code)) {
        faults.push(format!("{} instead of {}", answer.code, row["status"]));
    }
    let says = row["says"].as_str().unwrap_or_default();
    // JSON may write one letter in several ways, so what an error says is looked for in what it means.
    let error =
        serde_json::from_str::<Value>(&text).ok().and_then(|json| Some(json["error"]["message"].as_str()?.to_owned()));
    if !error.as_ref().unwrap_or(&text).contains(says) {
        faults.push(format!("it does not say `{says}`"));
    }
    if let Some(never) = row["never"].as_str().filter(|never| text.contains(never)) {
        faults.push(format!("it says `{never}`"));
    }
    if let Some(never) = row["never_header"].as_str().filter(|never| answer.header(never).is_some()) {
        faults.push(format!("it has the header `{never}`"));
    }
    if row["sent"].as_bool().is_some_and(|expected| expected != sent) {
        faults.push(format!("sent: {sent}"));
    }
    let bytes = row["bytes"].as_u64().map_or(SENTENCE, |bytes| bytes as usize);
    if text.len() > bytes {
        faults.push(format!("{} bytes of answer", text.len()));
    }
    if !faults.is_empty() {
        faults.push(format!("{:.300}", text));
    }
    faults
}

/// What is not as the row says of what a user reads who asks for the list of models.
fn judge_page(row: &Value, ran: &Ran) -> Vec<String> {
    let text = [ran.stdout.as_str(), &ran.stderr].concat();
    let bytes = row["bytes"].as_u64().map_or(SENTENCE, |bytes| bytes as usize);
    let says = row["says"].as_str().unwrap_or_default();
    let odd = |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
    match text.contains(says) && text.len() <= bytes && !text.contains(odd) {
        true => Vec::new(),
        false => vec![format!("it does not say `{says}`, or says too much: {} bytes: {text:.400}", text.len())],
    }
}
