//! The real Claude Code on models that speak no Messages: with a ChatGPT plan, with Gemini, and with an open model. Each is as
//! strict as its vendor, and loses nothing. `cargo xtask e2e` gets the package and runs this.

use std::fs;
use std::sync::Arc;

use bitrouter_tests::{Backend, CLAUDE_KEY, ChatGpt, ClaudeCode, Fault, Gateway, Spoken};
use serde_json::{Value, json};

use crate::agents::{self, Agent, PROOFS};

/// How many turns of the model's the longest conversation has, of which all but the last call tools.
const TURNS: usize = 10;

fn bash(command: &str) -> Value {
    json!({"command": command, "description": "a step"})
}

/// All that is in a body as text, as a model reads it.
fn says(body: &Value, text: &str) -> bool {
    body.to_string().contains(text)
}

/// A turn that thinks, speaks and calls two tools side by side, of which the first takes longer.
fn step(number: usize, file: &str) -> Spoken {
    Spoken::thinks(&format!("Step {number} needs a look."), &format!("c2VhbGVk{number:04}"))
        .then_says("I look.")
        .then_calls("Bash", bash(&format!("sleep 0.1; echo step-$(({number} + 100))")))
        .then_calls("Read", json!({"file_path": file}))
}

#[test]
#[ignore = "needs Claude Code: cargo xtask e2e"]
fn claude_code_works_ten_turns_with_a_chatgpt_plan_and_no_block_is_lost() {
    let chatgpt = ChatGpt::start();
    let claude = ClaudeCode::asking_for("openai-codex:gpt-5.5");
    let file = claude.working_directory().join("notes.txt");
    fs::write(&file, "of the notes\n").unwrap();
    for number in 1..TURNS {
        chatgpt.then(step(number, file.to_str().unwrap()));
        if number == 5 {
            // No room in the middle of it: nobody notices.
            chatgpt.then(Spoken::fails(Fault::Internal));
        }
    }
    chatgpt.then(Spoken::thinks("All is known.", "c2VhbGVk9999").then_says("All ten are done."));
    let setup = Arc::new(Gateway::start().with_chatgpt(&chatgpt));
    let gateway = Gateway::in_home(&setup);
    let ran = claude.ask(&format!("http://{}", gateway.address()), "Look ten times.").ok();
    assert_eq!(ran.message(), "All ten are done.");
    chatgpt.refused_nothing();

    // A second run goes on, at a gateway that was started anew.
    drop(gateway);
    let gateway = Gateway::in_home(&setup);
    chatgpt.then(Spoken::says("Still here."));
    let ran = claude.go_on(&format!("http://{}", gateway.address()), "Are you there?").ok();
    assert_eq!(ran.message(), "Still here.");
    chatgpt.refused_nothing();

    let turns = Backend::turns(&chatgpt);
    let last = turns.last().unwrap();
    let mut given: Vec<_> = (1..TURNS).map(|number| format!("c2VhbGVk{number:04}")).collect();
    given.push("c2VhbGVk9999".to_owned());
    assert_eq!(chatgpt.states(last), given);
    let count = |kind: &str| chatgpt.history(last).iter().filter(|item| item["type"] == kind).count();
    assert_eq!((count("function_call"), count("function_call_output")), (2 * (TURNS - 1), 2 * (TURNS - 1)));
    for number in 1..TURNS {
        assert!(says(last, &format!("step-{}", number + 100)), "step {number} is not in {last:#}");
    }
    assert!(says(last, "of the notes") && says(last, "All ten are done."));
    assert!(!says(last, "br1.") && !says(last, "billing-header") && !says(last, CLAUDE_KEY));
    agents::grows(&chatgpt, &turns);
}

#[test]
#[ignore = "needs Claude Code: cargo xtask e2e"]
fn claude_code_works_with_every_dialect_shows_images_and_outlives_a_failure() {
    agents::with_each_but("messages", |backend| {
        let claude = ClaudeCode::asking_for(&backend.model());
        let agent = Agent {
            work: claude.working_directory(),
            shell: |command| ("Bash", bash(command)),
            look: |picture| agents::call("Read", "file_path", picture.to_str().unwrap()),
            ask: &|origin, prompt| claude.ask(origin, prompt).ok().message().to_owned(),
            go_on: &|origin, prompt| claude.go_on(origin, prompt).ok().message().to_owned(),
            keeps: &PROOFS[..3],
            holds_states: true,
        };
        agents::works(&agent, backend);
    });
}
