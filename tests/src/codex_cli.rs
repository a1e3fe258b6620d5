//! The real Codex CLI, run without a terminal. Tests start it against a gateway or a backend.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::chatgpt::{ChatGpt, model};
use crate::issuer::Issuer;
use crate::own_home::OwnHome;
use crate::setup::Ran;

/// What the CLI is told to send as its key.
pub const CLIENT_KEY: &str = "of-the-cli-alone";

/// Longer than it takes to give up on an overloaded backend, with five requests and pauses between them.
const SECONDS: u64 = 120;

/// A Codex CLI with its own home.
pub struct CodexCli {
    home: OwnHome,
    key: String,
    model: String,
    /// Where its own session is refreshed, if it has one.
    issuer: Option<String>,
}

/// What one run of `codex exec --json` came to.
#[derive(Debug)]
pub struct CodexRan {
    ran: Ran,
    /// What it reported, one event a line.
    pub events: Vec<Value>,
}

impl CodexCli {
    /// A CLI that talks to the Responses API at this base URL, about this model.
    pub fn at(base_url: &str, model: &str) -> Self {
        let home = OwnHome::new();
        fs::create_dir(home.path().join("codex")).unwrap();
        let (key, model) = (CLIENT_KEY.to_owned(), model.to_owned());
        let codex = CodexCli { home, key, model, issuer: None };
        let model = &codex.model;
        // Plugins and apps are fetched from outside; so are updates. The rest would be sent there.
        let config = format!(
            r#"
model = "{model}"
model_provider = "bitrouter"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false

[analytics]
enabled = false

[feedback]
enabled = false

[features]
apps = false
plugins = false

[model_providers.bitrouter]
name = "BitRouter"
base_url = "{base_url}"
env_key = "E2E_KEY"
wire_api = "responses"
"#
        );
        fs::write(codex.config(), config).unwrap();
        codex
    }

    /// Lets it know the model that it was told of, as a catalogue in its config does. It takes the metadata of a model
    /// from there or from its own list; about one that it finds in neither it does not offer `apply_patch`.
    pub fn that_knows_its_model(self) -> Self {
        let catalogue = json!({ "models": [model(&self.model, 0)] });
        fs::write(self.home.path().join("codex/models.json"), catalogue.to_string()).unwrap();
        let config = fs::read_to_string(self.config()).unwrap();
        let catalogue = self.home.path().join("codex/models.json");
        fs::write(self.config(), format!("model_catalog_json = {:?}\n{config}", catalogue.to_str().unwrap())).unwrap();
        self
    }

    /// The same one from now on with a gateway at this origin.
    pub fn moved_to(&self, origin: &str) -> &Self {
        let config = fs::read_to_string(self.config()).unwrap();
        let lines = config.lines().map(|line| match line.starts_with("base_url = ") {
            true => format!("base_url = \"{origin}/v1\""),
            false => line.to_owned(),
        });
        fs::write(self.config(), lines.collect::<Vec<_>>().join("\n") + "\n").unwrap();
        self
    }

    /// Sends this as the key.
    pub fn with_key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// Adds a line to the provider's part of the config.
    pub fn with_provider_line(self, line: &str) -> Self {
        let config = fs::read_to_string(self.config()).unwrap();
        fs::write(self.config(), format!("{config}{line}\n")).unwrap();
        self
    }

    /// Signed in at this issuer with these tokens, as its own login leaves it, for a backend that wants to see them.
    pub fn signed_in(mut self, chatgpt: &ChatGpt, issuer: &Issuer, account: &str, tokens: &Value) -> Self {
        let config = fs::read_to_string(self.config()).unwrap();
        let config = config.replace("env_key = \"E2E_KEY\"", "requires_openai_auth = true");
        let side = format!("{}/backend-api", chatgpt.origin());
        let config = format!("chatgpt_base_url = {side:?}\ncli_auth_credentials_store = \"file\"\n{config}");
        fs::write(self.config(), config).unwrap();
        let held = json!({
            "id_token": tokens["id_token"], "access_token": tokens["access_token"],
            "refresh_token": tokens["refresh_token"], "account_id": account,
        });
        let auth = json!({
            "auth_mode": "chatgpt", "OPENAI_API_KEY": null, "tokens": held,
            "last_refresh": "2026-01-31T09:00:00.123456789Z",
        });
        fs::write(self.session(), format!("{auth:#}")).unwrap();
        self.issuer = Some(issuer.origin());
        self
    }

    /// The file that its session is in.
    pub fn session(&self) -> PathBuf {
        self.home.path().join("codex/auth.json")
    }

    /// Begins a conversation.
    pub fn exec(&self, prompt: &str) -> CodexRan {
        self.run(&["exec", "--skip-git-repo-check", "--json", prompt])
    }

    /// Goes on with the last conversation.
    pub fn resume(&self, prompt: &str) -> CodexRan {
        self.run(&["exec", "resume", "--last", "--skip-git-repo-check", "--json", prompt])
    }

    /// Where the model's commands run.
    pub fn working_directory(&self) -> PathBuf {
        self.home.work()
    }

    fn config(&self) -> PathBuf {
        self.home.path().join("codex/config.toml")
    }

    fn run(&self, arguments: &[&str]) -> CodexRan {
        let mut command = self.home.program("BITROUTER_E2E_CODEX");
        command.env("CODEX_HOME", self.home.path().join("codex")).env("E2E_KEY", &self.key).args(arguments);
        if let Some(issuer) = &self.issuer {
            command.env("CODEX_REFRESH_TOKEN_URL_OVERRIDE", format!("{issuer}/oauth/token"));
        }
        let ran = self.home.run(command, SECONDS);
        self.home.stayed_inside();
        let events = ran.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        CodexRan { ran, events }
    }
}

impl CodexRan {
    /// Checks that it exited with 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.ran.ok, "{self:?}");
        self
    }

    /// Checks that it exited with anything else.
    #[track_caller]
    pub fn fails(self) -> Self {
        assert!(!self.ran.ok, "{self:?}");
        self
    }

    /// Checks that it reported a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.ran.stdout.contains(text), "`{text}` is not in {self:?}");
        self
    }

    /// The finished items of a kind, such as `agent_message`.
    pub fn items(&self, kind: &str) -> Vec<&Value> {
        let finished = self.events.iter().filter(|event| event["type"] == "item.completed");
        finished.map(|event| &event["item"]).filter(|item| item["type"] == kind).collect()
    }

    /// What the model said last.
    #[track_caller]
    pub fn message(&self) -> &str {
        let last = self.items("agent_message").pop().and_then(|item| item["text"].as_str());
        last.unwrap_or_else(|| panic!("no message in {self:?}"))
    }
}
