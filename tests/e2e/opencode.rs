//! The real opencode in its four ways, each on models that speak another dialect. `cargo xtask e2e` gets the package and runs
//! this.

use bitrouter_tests::Opencode;

use crate::agents::{self, Agent, PROOFS};

/// opencode in the way of this dialect, with each model that speaks another.
fn with_every_other(dialect: &str, keeps: impl Fn(&str) -> usize + Sync) {
    agents::with_each_but(dialect, |backend| {
        let opencode = Opencode::speaking(dialect, &backend.model());
        let agent = Agent {
            work: opencode.working_directory(),
            shell: |command| ("bash", serde_json::json!({"command": command, "description": "a step"})),
            look: |picture| agents::call("read", "filePath", picture.to_str().unwrap()),
            ask: &|origin, prompt| opencode.ask(origin, prompt).ok().message().to_owned(),
            go_on: &|origin, prompt| opencode.go_on(origin, prompt).ok().message().to_owned(),
            keeps: &PROOFS[..keeps(backend.dialect())],
            holds_states: dialect != "chat-completions",
        };
        agents::works(&agent, backend);
    });
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_chats_with_every_dialect() {
    // It echoes nothing but the ids of calls.
    with_every_other("chat-completions", |_| 2);
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_by_responses_works_with_every_dialect() {
    with_every_other("responses", |_| 3);
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_by_messages_works_with_every_dialect() {
    with_every_other("messages", |_| 3);
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_by_generate_content_works_with_every_dialect() {
    // It leaves out the signature of words; an open model needs none.
    with_every_other("generate-content", |target| if target == "chat-completions" { 3 } else { 2 });
}
