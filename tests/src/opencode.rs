//! The real opencode, run without a terminal: `opencode run`. Tests point one of its four ways at a gateway.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::own_home::OwnHome;
use crate::setup::Ran;

/// Longer than its own retries take.
const SECONDS: u64 = 120;

/// What keeps it from fetching what a test does not ask for.
const QUIET: [&str; 5] = [
    "OPENCODE_PURE",
    "OPENCODE_DISABLE_MODELS_FETCH",
    "OPENCODE_DISABLE_AUTOUPDATE",
    "OPENCODE_DISABLE_DEFAULT_PLUGINS",
    "OPENCODE_DISABLE_LSP_DOWNLOAD",
];

/// An opencode with its own home.
pub struct Opencode {
    home: OwnHome,
    package: &'static str,
    below: &'static str,
    model: String,
}

/// What one run came to.
#[derive(Debug)]
pub struct OpencodeRan {
    ran: Ran,
    /// What it reported, one event a line.
    pub events: Vec<Value>,
}

impl Opencode {
    /// One that asks for this model in this dialect, as the gateway names it.
    pub fn speaking(dialect: &str, model: &str) -> Self {
        let (package, below) = match dialect {
            "chat-completions" => ("@ai-sdk/openai-compatible", "/v1"),
            "responses" => ("@ai-sdk/openai", "/v1"),
            "messages" => ("@ai-sdk/anthropic", "/v1"),
            "generate-content" => ("@ai-sdk/google", "/v1beta"),
            other => panic!("opencode does not speak {other}"),
        };
        Opencode { home: OwnHome::new(), package, below, model: model.to_owned() }
    }

    /// Where the model's commands run.
    pub fn working_directory(&self) -> PathBuf {
        self.home.work()
    }

    /// Begins a conversation, with a gateway at this origin.
    pub fn ask(&self, origin: &str, prompt: &str) -> OpencodeRan {
        // With a title it asks no model for one.
        self.run(origin, &["--title", "A test", prompt])
    }

    /// Goes on with the last conversation.
    pub fn go_on(&self, origin: &str, prompt: &str) -> OpencodeRan {
        self.run(origin, &["--continue", prompt])
    }

    fn run(&self, origin: &str, arguments: &[&str]) -> OpencodeRan {
        let takes = json!({"input": ["text", "image"], "output": ["text"]});
        let model =
            json!({"name": "A model", "attachment": true, "reasoning": true, "tool_call": true, "modalities": takes});
        let options = json!({"baseURL": format!("{origin}{}", self.below), "apiKey": "of-the-client-alone"});
        let provider =
            json!({"npm": self.package, "name": "Gateway", "options": options, "models": {&self.model: model}});
        let config = json!({
            "autoupdate": false, "share": "disabled", "permission": "allow", "snapshot": false, "lsp": false,
            "formatter": false, "provider": {"gateway": provider},
        });
        let file = self.home.path().join("opencode.json");
        fs::write(&file, config.to_string()).unwrap();
        let mut command = self.home.program("BITROUTER_E2E_OPENCODE");
        command.env("OPENCODE_CONFIG", file).envs(QUIET.map(|name| (name, "1")));
        command.args(["run", "--format", "json", "--model", &format!("gateway/{}", self.model)]).args(arguments);
        let ran = self.home.run(command, SECONDS);
        let events = ran.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        OpencodeRan { ran, events }
    }
}

impl OpencodeRan {
    /// Checks that it ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.ran.ok && !self.events.iter().any(|event| event["type"] == "error"), "{self:?}");
        self
    }

    /// What the model said last.
    #[track_caller]
    pub fn message(&self) -> &str {
        let last = self.events.iter().rfind(|event| event["type"] == "text");
        last.and_then(|event| event["part"]["text"].as_str()).unwrap_or_else(|| panic!("no message in {self:?}"))
    }
}
