//! The Vercel AI SDK, by each of its providers, with models that speak another dialect. `cargo xtask e2e` gets the packages and
//! runs this.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bitrouter_tests::{Conversing, Gateway};

use crate::weather::{self, RUN};

/// The conversation by a provider of this dialect, with each model that speaks another.
fn with_every_other(dialect: &str, way: &str, keeps: usize) {
    let packages = std::env::var_os("BITROUTER_E2E_VERCEL_AI");
    let packages = PathBuf::from(packages.expect("where the packages are is not said. Run: cargo xtask e2e"));
    // A script finds the packages that stand beside it.
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("conversation.mjs");
    fs::copy(Gateway::script("node/conversation.mjs"), &script).unwrap();
    std::os::unix::fs::symlink(packages.join("node_modules"), folder.path().join("node_modules")).unwrap();
    let mut client = Command::new("node");
    client.arg(&script).arg(way);
    weather::with_every_other(dialect, &mut Conversing::start(client), keeps);
}

#[test]
#[ignore = "needs the Vercel AI SDK: cargo xtask e2e"]
fn its_provider_for_compatible_servers_talks_with_every_dialect() {
    // It echoes nothing but the ids of calls.
    with_every_other("chat-completions", "chat", RUN - 1);
}

#[test]
#[ignore = "needs the Vercel AI SDK: cargo xtask e2e"]
fn its_openai_provider_chats_with_every_dialect() {
    with_every_other("chat-completions", "openai-chat", RUN - 1);
}

#[test]
#[ignore = "needs the Vercel AI SDK: cargo xtask e2e"]
fn its_openai_provider_talks_by_responses_with_every_dialect() {
    with_every_other("responses", "responses", RUN);
}

#[test]
#[ignore = "needs the Vercel AI SDK: cargo xtask e2e"]
fn its_anthropic_provider_talks_with_every_dialect() {
    with_every_other("messages", "messages", RUN);
}

#[test]
#[ignore = "needs the Vercel AI SDK: cargo xtask e2e"]
fn its_google_provider_talks_with_every_dialect() {
    with_every_other("generate-content", "google", RUN);
}
