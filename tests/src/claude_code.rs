//! The real Claude Code, run without a terminal: `claude -p`. Tests point it at a gateway and tell it what is asked.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::own_home::OwnHome;
use crate::setup::Ran;

/// What the program proves itself with; it must go nowhere but to the gateway.
pub const CLAUDE_KEY: &str = "of-the-client-alone";

/// Longer than its own retries take.
const SECONDS: u64 = 120;

/// What keeps it from asking anything but a model, and from anything that a test does not ask for.
const QUIET: [&str; 6] = [
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
    "DISABLE_AUTOUPDATER",
    "DISABLE_TELEMETRY",
    "DISABLE_ERROR_REPORTING",
    "DISABLE_BUG_COMMAND",
    "CLAUDE_CODE_DISABLE_TERMINAL_TITLE",
];

/// A Claude Code with its own home.
pub struct ClaudeCode {
    home: OwnHome,
    model: String,
}

/// What one run came to.
#[derive(Debug)]
pub struct ClaudeRan {
    ran: Ran,
    /// What it said in the end, as JSON.
    pub said: Value,
}

impl ClaudeCode {
    /// One that asks for this model.
    pub fn asking_for(model: &str) -> Self {
        ClaudeCode { home: OwnHome::new(), model: model.to_owned() }
    }

    /// Where the model's commands run.
    pub fn working_directory(&self) -> PathBuf {
        self.home.work()
    }

    /// Begins a conversation, with a gateway at this origin.
    pub fn ask(&self, origin: &str, prompt: &str) -> ClaudeRan {
        self.run(origin, &["-p", prompt])
    }

    /// Goes on with the last conversation.
    pub fn go_on(&self, origin: &str, prompt: &str) -> ClaudeRan {
        self.run(origin, &["-c", "-p", prompt])
    }

    fn run(&self, origin: &str, arguments: &[&str]) -> ClaudeRan {
        let mut command = self.home.program("BITROUTER_E2E_CLAUDE_CODE");
        command.env("ANTHROPIC_BASE_URL", origin).env("ANTHROPIC_API_KEY", CLAUDE_KEY);
        command.env("CLAUDE_CONFIG_DIR", self.home.path().join("claude")).envs(QUIET.map(|name| (name, "1")));
        command.args(arguments).args(["--model", &self.model, "--output-format", "json"]);
        command.args(["--allowedTools", "Bash,Read,Write,Edit,Glob,Grep"]);
        fs::create_dir_all(self.home.path().join("claude")).unwrap();
        let ran = self.home.run(command, SECONDS);
        self.home.stayed_inside();
        let said = serde_json::from_str(&ran.stdout).unwrap_or_default();
        ClaudeRan { ran, said }
    }
}

impl ClaudeRan {
    /// Checks that it ended well, in its own opinion too.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.ran.ok && self.said["is_error"] == false, "{self:?}");
        self
    }

    /// Checks that it failed and says why.
    #[track_caller]
    pub fn fails_with(self, text: &str) -> Self {
        assert!(!self.ran.ok && self.ran.stdout.contains(text), "`{text}` is not in {self:?}");
        self
    }

    /// What the model said last.
    pub fn message(&self) -> &str {
        self.said["result"].as_str().unwrap_or_default()
    }
}
