//! The real Codex CLI on models that do not speak Responses: Claude, Gemini and an open model. `cargo xtask e2e` gets the package
//! and runs this.

use std::fs;

use bitrouter_tests::{CodexCli, Gateway, Spoken};
use serde_json::json;

use crate::agents::{self, Agent, PROOFS};

const PATCH: &str = "*** Begin Patch\n*** Add File: new.txt\n+caf\u{e9} \"x\" \\n\n+world\n*** End Patch";

#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn the_codex_cli_works_with_every_dialect_and_goes_on_in_a_second_run() {
    agents::with_each_but("responses", |backend| {
        let codex = CodexCli::at("http://127.0.0.1:9/v1", &backend.model()).that_knows_its_model();
        let agent = Agent {
            work: codex.working_directory(),
            shell: |command| ("exec_command", json!({"cmd": command, "login": false})),
            look: |picture| agents::call("view_image", "path", picture.to_str().unwrap()),
            ask: &|origin, prompt| codex.moved_to(origin).exec(prompt).ok().message().to_owned(),
            go_on: &|origin, prompt| codex.moved_to(origin).resume(prompt).ok().message().to_owned(),
            keeps: &PROOFS[..3],
            holds_states: true,
        };
        agents::works(&agent, backend);
    });
}

/// A custom tool is a function to these models, and its call is a custom tool's again to the CLI.
#[test]
#[ignore = "needs the Codex CLI: cargo xtask e2e"]
fn a_patch_of_any_model_is_applied() {
    agents::with_each_but("responses", |backend| {
        let codex = CodexCli::at("http://127.0.0.1:9/v1", &backend.model()).that_knows_its_model();
        backend.then(Spoken::says("I change it.").then_calls("apply_patch", json!({ "input": PATCH })));
        backend.then(Spoken::says("It is changed."));
        let gateway = backend.known_to(Gateway::start()).run();
        let ran = codex.moved_to(&format!("http://{}", gateway.address())).exec("make a file").ok();
        backend.refused_nothing();
        assert_eq!(ran.message(), "It is changed.", "{}", backend.dialect());
        assert_eq!(ran.items("file_change")[0]["status"], "completed");
        let made = fs::read_to_string(codex.working_directory().join("new.txt")).unwrap();
        assert_eq!(made, "caf\u{e9} \"x\" \\n\nworld\n");
        agents::grows(backend, &backend.turns());
    });
}
