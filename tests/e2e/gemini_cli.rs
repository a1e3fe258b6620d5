//! The real Gemini CLI on models that do not speak generateContent. `cargo xtask e2e` gets the package and runs this.

use bitrouter_tests::GeminiCli;
use serde_json::json;

use crate::agents::{self, Agent, PROOFS};

#[test]
#[ignore = "needs the Gemini CLI: cargo xtask e2e"]
fn the_gemini_cli_works_with_every_dialect_and_goes_on_in_a_second_run() {
    agents::with_each_but("generate-content", |backend| {
        let gemini = GeminiCli::asking_for(&backend.model());
        let agent = Agent {
            work: gemini.working_directory(),
            shell: |command| ("run_shell_command", json!({"command": command, "description": "a step"})),
            look: |picture| agents::call("read_file", "file_path", picture.to_str().unwrap()),
            ask: &|origin, prompt| gemini.ask(origin, prompt).ok().message().to_owned(),
            go_on: &|origin, prompt| gemini.go_on(origin, prompt).ok().message().to_owned(),
            // It keeps no signatures in a session that it goes on with: those of calls are found by their ids.
            keeps: &PROOFS[..2],
            holds_states: false,
        };
        agents::works(&agent, backend);
    });
}
