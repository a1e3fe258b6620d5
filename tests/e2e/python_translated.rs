//! The official Python clients, and LangChain by each of its packages, with models that speak another dialect: calls side by side, a picture, thinking, a failure in
//! between, and a second run that goes on. `cargo xtask e2e` gets the packages and runs this.

use std::process::Command;

use bitrouter_tests::{Conversing, Gateway};

use crate::weather::{self, RUN};

/// The conversation by a client of this dialect, with each model that speaks another.
fn with_every_other(dialect: &str, way: &str, keeps: usize) {
    let python = std::env::var_os("BITROUTER_E2E_PYTHON").expect("which Python is not said. Run: cargo xtask e2e");
    let mut client = Command::new(python);
    client.arg(Gateway::script("python/conversation.py")).arg(way);
    weather::with_every_other(dialect, &mut Conversing::start(client), keeps);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn openais_chat_talks_with_every_dialect() {
    with_every_other("chat-completions", "chat", RUN);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn openais_responses_talk_with_every_dialect() {
    with_every_other("responses", "responses", RUN);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn anthropics_client_talks_with_every_dialect() {
    with_every_other("messages", "messages", RUN);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn googles_client_talks_with_every_dialect() {
    with_every_other("generate-content", "google", RUN);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn langchain_chats_with_every_dialect() {
    with_every_other("chat-completions", "langchain-chat", RUN - 1);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn langchain_talks_by_responses_with_every_dialect() {
    with_every_other("responses", "langchain-responses", RUN);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn langchains_anthropic_package_talks_with_every_dialect() {
    with_every_other("messages", "langchain-messages", RUN);
}

#[test]
#[ignore = "needs Python packages: cargo xtask e2e"]
fn langchains_google_package_talks_with_every_dialect() {
    with_every_other("generate-content", "langchain-google", RUN);
}
