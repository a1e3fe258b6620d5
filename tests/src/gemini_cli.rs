//! The real Gemini CLI, run without a terminal: `gemini -p`. Tests point it at a gateway.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::own_home::OwnHome;
use crate::setup::Ran;

/// Longer than its own retries take.
const SECONDS: u64 = 120;

/// A Gemini CLI with its own home.
pub struct GeminiCli {
    home: OwnHome,
    model: String,
}

/// What one run came to.
#[derive(Debug)]
pub struct GeminiRan {
    ran: Ran,
    /// What it said in the end, as JSON.
    pub said: Value,
}

impl GeminiCli {
    /// One that asks for this model.
    pub fn asking_for(model: &str) -> Self {
        let home = OwnHome::new();
        let settings = json!({
            "security": {"auth": {"selectedType": "gemini-api-key"}}, "general": {"enableAutoUpdate": false},
            "privacy": {"usageStatisticsEnabled": false}, "telemetry": {"enabled": false},
        });
        fs::create_dir(home.path().join(".gemini")).unwrap();
        fs::write(home.path().join(".gemini/settings.json"), settings.to_string()).unwrap();
        GeminiCli { home, model: model.to_owned() }
    }

    /// Where the model's commands run.
    pub fn working_directory(&self) -> PathBuf {
        self.home.work()
    }

    /// Begins a conversation, with a gateway at this origin.
    pub fn ask(&self, origin: &str, prompt: &str) -> GeminiRan {
        self.run(origin, &["-p", prompt])
    }

    /// Goes on with the last conversation.
    pub fn go_on(&self, origin: &str, prompt: &str) -> GeminiRan {
        self.run(origin, &["--resume", "latest", "-p", prompt])
    }

    fn run(&self, origin: &str, arguments: &[&str]) -> GeminiRan {
        let mut command = self.home.program("BITROUTER_E2E_GEMINI_CLI");
        command.env("GEMINI_API_KEY", "of-the-client-alone").env("GOOGLE_GEMINI_BASE_URL", origin);
        command.args(arguments).args(["--model", &self.model, "--yolo", "--skip-trust", "--output-format", "json"]);
        let ran = self.home.run(command, SECONDS);
        self.home.stayed_inside();
        let said = serde_json::from_str(&ran.stdout).unwrap_or_default();
        GeminiRan { ran, said }
    }
}

impl GeminiRan {
    /// Checks that it ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.ran.ok && self.said["error"].is_null(), "{self:?}");
        self
    }

    /// What the model said last.
    pub fn message(&self) -> &str {
        self.said["response"].as_str().unwrap_or_default()
    }
}
