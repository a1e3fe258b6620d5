//! The config as its users meet it: files in folders, and the sentences they get back.

mod again;
mod sentences;
mod trusting;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bitrouter_credential::SecretsIn;
use bitrouter_route::Strategy;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::keys;
use super::*;

/// A machine with a home, a working directory and an environment.
struct Machine {
    root: TempDir,
    env: Vec<(&'static str, &'static str)>,
    named: Option<PathBuf>,
}

impl Machine {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        for folder in ["home", "repo"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        Machine { root, env: Vec::new(), named: None }
    }

    fn home(self, text: &str) -> Self {
        fs::write(self.home_file(), text).unwrap();
        // As somebody keeps it who has keys in it.
        #[cfg(unix)]
        fs::set_permissions(self.home_file(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        self
    }

    fn repo(self, text: &str) -> Self {
        fs::write(self.repo_file(), text).unwrap();
        self
    }

    fn env(mut self, name: &'static str, value: &'static str) -> Self {
        self.env.push((name, value));
        self
    }

    fn named(mut self, file: impl Into<PathBuf>) -> Self {
        self.named = Some(file.into());
        self
    }

    fn home_file(&self) -> PathBuf {
        self.root.path().join("home").join(FILE_NAME)
    }

    fn repo_file(&self) -> PathBuf {
        self.root.path().join("repo").join(FILE_NAME)
    }

    fn paths(&self) -> Paths {
        Paths::under(&self.root.path().join("home"))
    }

    fn options(&self) -> LoadOptions {
        LoadOptions { file: self.named.clone(), working_dir: self.root.path().join("repo"), paths: self.paths() }
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let env = |name: &str| self.env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        load(&self.options(), &env)
    }

    /// The error, with the folders of this machine taken out.
    fn refused(&self) -> String {
        let error = self.load().map(|loaded| format!("{:?}", loaded.config)).expect_err("this config is refused");
        self.shown(&error)
    }

    fn shown(&self, error: &ConfigError) -> String {
        error.to_string().replace(&format!("{}/", self.root.path().display()), "")
    }

    /// What a gateway that holds this reads by now.
    fn load_again(&self, held: &HeldConfig) -> Result<Loaded, ConfigError> {
        load_again(held, &self.options(), &|_| None)
    }

    fn refused_again(&self, held: &HeldConfig) -> String {
        let error = self.load_again(held).map(|loaded| format!("{:?}", loaded.config)).expect_err("this is refused");
        self.shown(&error)
    }

    fn warnings(&self, loaded: &Loaded) -> Vec<String> {
        let root = format!("{}/", self.root.path().display());
        loaded.warnings.iter().map(|warning| warning.to_string().replace(&root, "")).collect()
    }

    fn trust(&self) -> Result<Trusted, ConfigError> {
        trust(&self.repo_file(), &self.paths())
    }
}

/// The problems of the user's own config, without the file's name.
fn problems(text: &str) -> Vec<String> {
    let refused = Machine::new().home(text).env("EMPTY", "").env("WORD", "word").refused();
    refused.split("home/bitrouter.yaml:").skip(1).map(|line| line.trim_end_matches('\n').to_owned()).collect()
}

fn config(text: &str) -> Config {
    Machine::new().home(text).env("KEY", "sk-from-the-environment").env("NUMBER", "33").load().unwrap().config
}

#[test]
fn without_a_file_the_defaults_hold() {
    let loaded = Machine::new().load().unwrap();
    assert_eq!(loaded.source, ConfigSource::Defaults);
    let listen: Vec<String> = loaded.config.server.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["127.0.0.1:4356", "[::1]:4356"]);
    assert!(!loaded.config.server.listen_named);
    assert_eq!(loaded.config.provider("openai").priority, 100);
    assert!(loaded.config.provider("openai").enabled);
    assert_eq!(loaded.config.provider("openai").strategy, Strategy::Failover);
}

#[test]
fn the_tables_defaults_are_the_defaults() {
    let machine = Machine::new();
    let wanted = format!("{:?}", Config::defaults(&machine.paths()).provider("p"));
    let written = |section: &str| -> String {
        keys::all()
            .iter()
            .filter(|key| !key.default.is_empty())
            .filter_map(|key| Some(format!("  {}: {}\n", key.path.strip_prefix(section)?, key.default)))
            .filter(|line| !line.split(':').next().unwrap_or_default().contains('.'))
            .collect()
    };
    let timeouts = written("providers.<id>.timeouts.").replace("  ", "      ");
    let text = format!(
        "server:\n{}plugins:\n{}providers:\n  p:\n{}    timeouts:\n{timeouts}",
        written("server."),
        written("plugins."),
        written("providers.<id>.").replace("  ", "    "),
    );
    let mut loaded = machine.home(&text).load().unwrap().config;
    loaded.server.listen_named = false;
    loaded.providers.get_mut("p").unwrap().position = Position::default();
    assert_eq!(format!("{:?}", loaded.provider("p")), wanted);
    let defaults = Config::defaults(&Paths::under(loaded.plugins.dir.parent().unwrap()));
    assert_eq!(
        format!("{:?}", (&loaded.server, &loaded.plugins)),
        format!("{:?}", (&defaults.server, &defaults.plugins))
    );
}

#[test]
fn every_landed_key_sets_its_value() {
    let config = config(
        r#"
server:
  listen: ["0.0.0.0:80", "localhost:81"]
  keys: ["0123456789abcdef"]
  allowed_origins: https://Chat.Example.com
  body_limit: 10MB
plugins: {dir: wasm, budget_ms: 5, memory_mb: 128}
providers:
  openai:
    api_key: ${KEY}
    origins: {api: "http://localhost:9/v1", auth: "https://auth.example.com"}
    enabled: false
    priority: ${NUMBER}
    accounts: sticky
    timeouts: {connect_ms: 1, first_byte_ms: 2, idle_ms: 3, total_ms: 4}
    settings: {region: "eu-${NUMBER}", deep: [{"${KEY}": 1.5}]}
  local: {api_base: "http://127.0.0.1:11434"}
models:
  fast: [local:small, "openai@${NUMBER}:small"]
  one: local:small
  claude-*: ["local:*"]
credentials: {store: keyring}
"#,
    );
    assert_eq!(config.credentials.store, Some(SecretsIn::Keyring));
    let listen: Vec<String> = config.server.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["0.0.0.0:80", "127.0.0.1:81", "[::1]:81"]);
    assert!(config.server.listen_named);
    assert_eq!(config.server.keys[0].expose_secret(), "0123456789abcdef");
    assert_eq!(config.server.allowed_origins, ["https://chat.example.com"]);
    assert_eq!(config.server.body_limit, 10_000_000);
    assert!(config.plugins.dir.ends_with("home/wasm"));
    assert_eq!((config.plugins.budget, config.plugins.memory), (Duration::from_millis(5), 128 * 1024 * 1024));
    let openai = config.provider("openai");
    assert_eq!(openai.position, Position { line: 9, column: 3 });
    assert_eq!(openai.api_key.as_ref().unwrap().expose_secret(), "sk-from-the-environment");
    assert_eq!(openai.origins["api"].to_string(), "http://localhost:9/v1");
    assert_eq!((openai.enabled, openai.priority, openai.origins.len()), (false, 33, 2));
    assert_eq!(openai.strategy, Strategy::Sticky);
    let [connect, first_byte, idle, total] = [1, 2, 3, 4].map(Duration::from_millis);
    assert_eq!(openai.timeouts, Timeouts { connect, first_byte, idle, total: Some(total) });
    let settings = serde_json::json!({"region": "eu-33", "deep": [{"${KEY}": 1.5}]});
    assert_eq!(serde_json::Value::from(openai.settings.clone()), settings);
    let lists = |named: &Named| (named.name.clone(), named.addresses.iter().map(|(_, text)| text.clone()).collect());
    let lists: Vec<(String, Vec<String>)> = config.models.iter().map(lists).collect();
    let list = |name: &str, addresses: &[&str]| {
        (name.to_owned(), addresses.iter().map(|&address| address.to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(
        lists,
        [
            list("fast", &["local:small", "openai@33:small"]),
            list("one", &["local:small"]),
            list("claude-*", &["local:*"])
        ]
    );
    assert_eq!(config.models[0].position, Position { line: 19, column: 3 });
    assert_eq!(config.models[0].addresses[1].0, Position { line: 19, column: 23 });
    assert_eq!(config.provider("local").origins["api"].to_string(), "http://127.0.0.1:11434");
}

#[test]
fn debug_shows_no_secret() {
    let config = config("server: {keys: [my-very-own-secret-key]}\nproviders: {a: {api_key: sk-secret}}\n");
    assert!(!format!("{config:?}").contains("secret-key"));
    assert!(!format!("{config:?}").contains("sk-secret"));
}

#[test]
fn a_section_without_lines_is_an_empty_one() {
    let config = config("server:\nproviders:\n  openai:\n");
    assert!(config.providers.contains_key("openai"));
}

#[test]
fn the_same_url_twice_is_no_contradiction() {
    let config = config("providers: {a: {api_base: 'https://a/', origins: {api: 'https://A'}}}\n");
    assert_eq!(config.provider("a").origins["api"].to_string(), "https://a");
}

#[test]
fn a_variables_value_stays_one_value() {
    let machine = Machine::new()
        .home("providers: {a: {settings: {x: '${EVIL}', y: '${UNSET:-d}', z: '$${EVIL}'}}}\n")
        .env("EVIL", "1}, b: {enabled: false}, c: ${HOME}");
    let config = machine.load().unwrap().config;
    assert_eq!(config.providers.len(), 1);
    let settings = &config.provider("a").settings;
    assert_eq!(settings["x"], "1}, b: {enabled: false}, c: ${HOME}");
    assert_eq!((settings["y"].as_str(), settings["z"].as_str()), (Some("d"), Some("${EVIL}")));
}

#[test]
fn a_named_file_wins_and_needs_no_trust() {
    let machine = Machine::new().home("strict: true\n").repo("plugins: {dir: x}\n");
    let loaded = machine.named("bitrouter.yaml").load().unwrap();
    assert!(matches!(loaded.source, ConfigSource::Named(_)));
    assert!(loaded.config.plugins.dir.ends_with("repo/x"));
}

#[test]
fn a_named_file_that_is_missing_is_an_error_and_not_the_defaults() {
    let refused = Machine::new().named("other.yaml").refused();
    assert_eq!(refused, "repo/other.yaml: there is no such file: check the path");
}

#[test]
fn standing_in_the_config_folder_it_is_the_users_own_config() {
    let machine = Machine::new().home("plugins: {dir: x}\n");
    let options = LoadOptions { working_dir: machine.paths().config_dir, ..machine.options() };
    let loaded = load(&options, &|_| None).unwrap();
    assert_eq!(loaded.source, ConfigSource::ConfigFolder(machine.home_file()));
}

#[cfg(unix)]
#[test]
fn keys_that_others_can_read_are_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new().home("providers: {a: {api_key: sk-1}}\n");
    let file = machine.home_file();
    let warnings = |mode| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        machine.load().unwrap().warnings
    };
    assert_eq!(warnings(0o600), []);
    let shown = warnings(0o644)[0].to_string();
    let name = file.display();
    assert_eq!(
        shown,
        format!("{name}: it holds keys, and other users of this machine can read it. Run: chmod 600 {name}")
    );
}

#[test]
fn a_file_that_is_no_text_or_far_too_large_is_refused() {
    let machine = Machine::new();
    fs::write(machine.home_file(), [0xff, 0xfe]).unwrap();
    assert_eq!(machine.refused(), "home/bitrouter.yaml: it is not UTF-8 text: save it as such");
    fs::write(machine.home_file(), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert_eq!(
        machine.refused(),
        "home/bitrouter.yaml: it is larger than 1048576 bytes, so it is no config: check the path"
    );
}

#[test]
fn a_folder_in_place_of_the_file_is_an_error() {
    let machine = Machine::new();
    fs::create_dir(machine.repo_file()).unwrap();
    assert_eq!(
        machine.refused(),
        "repo/bitrouter.yaml: it cannot be read (it is no regular file): check who may read it"
    );
}

#[test]
fn a_block_for_a_provider_that_nobody_has_is_refused() {
    let machine = Machine::new().home("providers:\n  openai: {}\n  opnai: {}\n  zzz: {}\n");
    let loaded = machine.load().unwrap();
    let error = loaded.check_providers(&["openai", "anthropic"]).unwrap_err();
    assert_eq!(
        machine.shown(&error),
        "home/bitrouter.yaml:3:3: unknown provider `opnai`: did you mean `openai`?\n\
         home/bitrouter.yaml:4:3: unknown provider `zzz`: put its .wasm file into the plugin folder, or take the block out"
    );
    assert!(loaded.check_providers(&["openai", "opnai", "zzz"]).is_ok());
}

#[test]
fn the_documents_example_is_a_config() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = fs::read_to_string(document).unwrap();
    let examples: Vec<&str> = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        Machine::new()
            .home(example)
            .env("OPENAI_API_KEY", "sk-1")
            .env("BITROUTER_KEY", "0123456789abcdef")
            .load()
            .unwrap();
    }
}
