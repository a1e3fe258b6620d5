//! The real opencode in its four ways, each on models that speak another dialect. `cargo xtask e2e` gets the package and runs
//! this.

use bitrouter_tests::{Opencode, backends_but};

use crate::agents::{self, Agent, PROOFS};

/// opencode in the way of this dialect, with each model that speaks another.
fn with_every_other(dialect: &str) {
    for backend in backends_but(dialect) {
        let opencode = Opencode::speaking(dialect, &backend.model());
        let agent = Agent {
            work: opencode.working_directory(),
            shell: |command| ("bash", serde_json::json!({"command": command, "description": "a step"})),
            look: |picture| agents::call("read", "filePath", picture.to_str().unwrap()),
            ask: &|origin, prompt| opencode.ask(origin, prompt).ok().message().to_owned(),
            go_on: &|origin, prompt| opencode.go_on(origin, prompt).ok().message().to_owned(),
            keeps: &PROOFS[..3],
        };
        agents::works(&agent, &*backend);
    }
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_chats_with_every_dialect() {
    with_every_other("chat-completions");
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_by_responses_works_with_every_dialect() {
    with_every_other("responses");
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_by_messages_works_with_every_dialect() {
    with_every_other("messages");
}

#[test]
#[ignore = "needs opencode: cargo xtask e2e"]
fn opencode_by_generate_content_works_with_every_dialect() {
    with_every_other("generate-content");
}
