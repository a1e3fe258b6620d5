//! What an author of a provider has: projects, cases, checks, and a gateway for one file.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use bitrouter_tests::{Gateway, Request, Running, Setup, component, eventually};
use serde_json::{Value, json};

fn repository(place: &str) -> PathBuf {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map_or(env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.join("..").join(place)
}

/// A home without providers of its own, in whose working directory a project was begun.
fn project(name: &str, language: &str) -> (Setup, PathBuf) {
    let setup = Gateway::start();
    setup.command(&["plugin", "new", name, "--lang", language]).ok().says("bitrouter plugin test");
    let folder = setup.working_directory().join(name);
    (setup, folder)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The address in the line that `plugin try` prints to be copied.
fn address(running: &Running) -> SocketAddr {
    let line = running.line("curl http://");
    let address = line.strip_prefix("curl http://").unwrap().split('/').next().unwrap();
    address.parse().unwrap()
}

fn chat(address: SocketAddr, model: &str, stream: bool) -> bitrouter_tests::Answer {
    let body = json!({ "model": model, "stream": stream, "messages": [{ "role": "user", "content": "Hello" }] });
    Request::new(address, "POST", "/v1/chat/completions").json(&body).send()
}

#[test]
fn a_project_is_written_with_its_names_filled_in_and_over_nobodys_work() {
    let (setup, folder) = project("acme-ai", "rust");
    let source = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
    assert!(source.contains("pub struct AcmeAi;") && !source.contains("{{"), "{source}");
    let description: Value = serde_json::from_slice(&fs::read(folder.join("description.json")).unwrap()).unwrap();
    assert_eq!((&description["id"], &description["auth"][0]["env"]), (&json!("acme-ai"), &json!(["ACME_AI_API_KEY"])));
    for place in ["wit/0.1.0/provider.wit", "vendor/bitrouter-provider/src/lib.rs", "cases/a-call/expected.txt"] {
        assert!(folder.join(place).is_file(), "{place}");
    }
    setup.command(&["plugin", "new", "acme-ai", "--lang", "none"]).fails().says("it is not empty");
    setup.command(&["plugin", "new", "Acme", "--lang", "none"]).fails().says("a letter first");
    let asked = setup.command(&["plugin", "new", "other"]).fails();
    assert_eq!(asked.code, Some(2));
    asked.says("Add --lang with one of: ").says("none").says("rust");
    setup.command(&["plugin", "new", "other", "--lang", "none", "--dir", "elsewhere"]).ok();
    assert!(setup.working_directory().join("elsewhere/other.json").is_file());
}

#[test]
fn a_provider_without_code_holds_its_cases_as_it_was_begun_and_says_how_one_came_out_otherwise() {
    let (setup, folder) = project("acme", "none");
    let file = folder.join("acme.json");
    setup.command(&["plugin", "build", "acme"]).ok().says("it has no code");
    setup.command(&["plugin", "check", text(&file)]).ok().says("no mistake was found in acme, Acme 1");
    setup.command(&["plugin", "test", "acme"]).ok().says("4 cases: 4 held");
    setup.command(&["plugin", "test", text(&file)]).ok().says("4 cases: 4 held");

    let call = folder.join("cases/a-call/call.json");
    fs::write(&call, r#"{ "model": "acme-large", "operation": "embeddings", "dialect": "openai" }"#).unwrap();
    let failed = setup.command(&["plugin", "test", "acme"]).fails();
    assert_eq!(failed.code, Some(1));
    let failed = failed.says("a-call (prepare): failed").says("- POST api /chat/completions");
    failed.says("+ POST api /embeddings").says("4 cases: 3 held, 1 failed").says("--bless keeps it");
    setup.command(&["plugin", "test", "acme", "--bless"]).ok().says("a-call (prepare): written");
    setup.command(&["plugin", "test", "acme"]).ok().says("4 cases: 4 held");

    fs::write(&call, r#"{ "modle": "acme-large" }"#).unwrap();
    setup.command(&["plugin", "test", "acme"]).fails().says("a-call: failed").says("unknown field `modle`");
    let wrong = fs::read_to_string(&file).unwrap().replace("\"serves\"", "\"server\"");
    fs::write(&file, wrong).unwrap();
    setup.command(&["plugin", "test", "acme"]).fails().says("serves");
    fs::create_dir(folder.join("none")).unwrap();
    setup.command(&["plugin", "build", "acme/none"]).fails().says("no project that can be built is here");
}

#[test]
fn every_case_of_the_built_in_providers_comes_out_of_the_component_as_it_does_natively() {
    let setup = Gateway::start();
    for name in ["anthropic", "bedrock", "google", "ollama-native", "openai", "openai-codex"] {
        let file = setup.home().join(format!("{name}.wasm"));
        fs::write(&file, component(name)).unwrap();
        let cases = repository("plugins").join(name).join("cases");
        let count = fs::read_dir(&cases).unwrap().count();
        let ran = setup.command(&["plugin", "test", text(&file), "--cases", text(&cases)]).ok();
        ran.says(&format!("{count} cases: {count} held"));
    }
}

#[test]
fn a_provider_with_every_hook_comes_out_of_its_component_as_the_sdk_has_it_natively() {
    let setup = Gateway::start();
    let file = setup.home().join("alien.wasm");
    fs::write(&file, component("alien")).unwrap();
    let cases = repository("sdk/rust/tests/golden/cases");
    setup.command(&["plugin", "test", text(&file), "--cases", text(&cases)]).ok().says("11 cases: 11 held");
}

#[test]
fn check_runs_every_hook_with_good_and_bad_input_and_says_what_each_took() {
    let setup = Gateway::start();
    let file = setup.home().join("alien.wasm");
    fs::write(&file, component("alien")).unwrap();
    let said = setup.command(&["plugin", "check", text(&file)]).ok();
    let said = said.says("bitrouter:provider 0.1.0").says("bitrouter:provider/streams@0.1.0").says("rewriter");
    said.says("no mistake was found in alien, Alien 0.1.0");
    let report = setup.command(&["plugin", "check", text(&file), "--json"]).ok().json();
    assert_eq!((&report["sound"], &report["contract"]), (&json!(true), &json!("0.1.0")));
    let hooks = report["hooks"].as_array().unwrap();
    for hook in ["prepare", "resume", "explain", "interpret", "shape", "rewriter"] {
        let of: Vec<&Value> = hooks.iter().filter(|probe| probe["hook"] == hook).collect();
        assert!(of.len() > 5, "{hook}: {of:?}");
        assert!(of.iter().any(|probe| probe["memory_bytes"].as_u64() > Some(0)), "{hook}: {of:?}");
    }
}

#[test]
fn check_names_the_hook_that_fails_and_with_which_input() {
    let setup = Gateway::start();
    let file = setup.home().join("fails.wasm");
    // Its first model, with which hooks are tried, is one at which it misbehaves. No byte moves.
    let (fine, bad) = ("{ \"id\": \"ok\" }],\n  ", "{ \"id\": \"grow\" }],\n");
    let mut bytes = component("hostile");
    let at = bytes.windows(fine.len()).position(|window| window == fine.as_bytes()).unwrap();
    bytes[at..at + fine.len()].copy_from_slice(bad.as_bytes());
    fs::write(&file, bytes).unwrap();
    let failed = setup.command(&["plugin", "check", text(&file)]).fails();
    assert_eq!(failed.code, Some(1));
    failed.says("hooks fail").says("prepare, with ").says("wanted more than its 64 MB of memory");
}

#[test]
fn a_file_is_tried_in_a_gateway_of_its_own_with_an_upstream_that_shows_what_reached_it() {
    let (setup, folder) = project("acme", "none");
    let file = folder.join("acme.json");
    let running = setup.begin(&["plugin", "try", text(&file), "--echo"]);
    running.says("It is trusted for this run alone");
    let address = address(&running);
    running.says("listening");
    assert!(eventually(|| chat(address, "acme:acme-large", false).code == 200), "{}", running.text());
    chat(address, "acme:acme-large", false).status(200).says("This is the echo of bitrouter plugin try.");
    // Of a bare name, too: it is believed.
    chat(address, "acme-large", true).status(200).says("This is the echo").says("[DONE]");
    running.says("the echo was asked: POST /v1/chat/completions").says("authorization: Bearer ****");
    assert!(!running.text().contains("made-up-key"), "{}", running.text());

    let changed = fs::read_to_string(&file).unwrap().replace("acme-large", "acme-huge");
    fs::write(&file, changed).unwrap();
    running.says("has changed: it is served anew");
    assert!(eventually(|| chat(address, "acme-huge", false).code == 200), "{}", running.text());
    running.interrupt();
    assert!(running.ends().ok);
    assert!(!setup.home().join("plugins.lock").exists());
    setup.command(&["plugin", "try", "no-such.wasm"]).fails().says("no-such.wasm");
}
