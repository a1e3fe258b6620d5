//! What a gateway is started with: a home of its own with a config, plugins and an environment, gone after the test.
//! Commands run in the same home.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary;
use crate::chatgpt::ChatGpt;
use crate::clock::WrongClock;
use crate::disk::Disk;
use crate::gateway::{Gateway, free_port};
use crate::issuer::Issuer;
use crate::login::Login;
use crate::running::Running;
use crate::upstream::Upstream;
use crate::vendor::{Speaks, VENDOR_KEY, Vendor};
use crate::wait::{DEADLINE, eventually_within};

/// The key that tests give as OpenAI's.
pub const KEY: &str = "sk-e2e-\"quoted/+canary-0123456789";

/// A gateway's home before it starts.
pub struct Setup {
    pub(crate) home: TempDir,
    config: Value,
    /// Whether a test has written the config itself, so that it stays as it is.
    by_hand: bool,
    environment: Vec<(String, String)>,
    /// How many files its processes may have open, where a test says so.
    open_files: Option<u32>,
    /// Whether the gateway's log goes to a pipe that nobody reads.
    pub(crate) log_unread: bool,
}

/// A command that ran to its end.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Whether it exited with 0.
    pub ok: bool,
    /// The exit code, where it was not killed.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Ran {
    /// Checks that it succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.ok, "{self:?}");
        self
    }

    /// Checks that it failed.
    #[track_caller]
    pub fn fails(self) -> Self {
        assert!(!self.ok, "{self:?}");
        self
    }

    /// Checks that it said something, on either stream.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text) || self.stderr.contains(text), "`{text}` is not in {self:?}");
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Setup {
    /// An empty home.
    pub(crate) fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    /// An empty home on this disk.
    pub(crate) fn on(disk: &Disk) -> Self {
        Self::at(tempfile::tempdir_in(disk.folder()).unwrap())
    }

    fn at(home: TempDir) -> Self {
        fs::create_dir_all(home.path().join("plugins")).unwrap();
        fs::create_dir_all(home.path().join("work")).unwrap();
        // What the gateway asks beside calls would stand among what a test's upstream was asked.
        Setup {
            home,
            config: json!({"side_requests": false}),
            by_hand: false,
            environment: Vec::new(),
            open_files: None,
            log_unread: false,
        }
    }

    /// Takes the config away, so that there is no file of it.
    pub fn without_config(mut self) -> Self {
        self.config = json!({});
        self
    }

    /// Lets the gateway ask beside calls, as it does for a user: for models and for how much of a plan is used.
    pub fn with_side_requests(self) -> Self {
        self.with("/side_requests", json!(true))
    }

    /// Lets `openai` send to this upstream, with [`KEY`] from the environment.
    pub fn with_openai_at(self, upstream: &Upstream) -> Self {
        self.with_key("OPENAI_API_KEY", KEY).with_origin("openai", upstream)
    }

    /// Sends a provider's requests to this upstream.
    pub fn with_origin(self, provider: &str, upstream: &Upstream) -> Self {
        let origin = format!("{}/v1", upstream.origin());
        self.with(&format!("/providers/{provider}/origins"), json!({ "api": origin }))
    }

    /// Lets the vendor's provider send to this one, with [`VENDOR_KEY`] from the environment. One that is not built in is
    /// described.
    pub fn with_vendor<S: Speaks>(mut self, vendor: &Vendor<S>) -> Self {
        if let Some(description) = S::description() {
            self = self.with_plugin_file(&format!("{}.json", S::PROVIDER), description.to_string().as_bytes());
            self.command(&["plugin", "trust", S::PROVIDER, "--yes"]).ok();
        }
        let pointer = format!("/providers/{}/origins", vendor.provider());
        self.with_key(vendor.key_variable(), VENDOR_KEY).with(&pointer, json!({ "api": vendor.api() }))
    }

    /// Lets `openai-codex` send to this backend, with its login under the label `default`.
    pub fn with_chatgpt(self, chatgpt: &ChatGpt) -> Self {
        let account = format!("{}/backend-api/wham", chatgpt.origin());
        let origins = json!({"api": chatgpt.base_url(), "account": account, "auth": chatgpt.origin()});
        let setup = self.with("/providers/openai-codex/origins", origins);
        setup.logged_in("openai-codex", "default", chatgpt.login())
    }

    /// Lets accounts of `openai-codex` log in at this issuer, with the browser coming back to a port of the test's own,
    /// which is answered.
    pub fn with_issuer(self, issuer: &Issuer) -> (Self, SocketAddr) {
        let callback = free_port();
        let setup = self.with("/providers/openai-codex/origins/auth", json!(issuer.origin()));
        let setup = setup.with("/providers/openai-codex/origins/api", json!(format!("{}/api", issuer.origin())));
        let setup = setup.with("/providers/openai-codex/origins/account", json!(format!("{}/wham", issuer.origin())));
        (setup.with_ports(&[callback]), callback)
    }

    /// Has the browser come back to one of these ports.
    pub fn with_ports(self, doors: &[SocketAddr]) -> Self {
        let ports: Vec<u16> = doors.iter().map(SocketAddr::port).collect();
        self.with("/providers/openai-codex/auth/login", json!([
            {
                "flow": "browser", "authorize": "/oauth/authorize",
                "parameters": { "id_token_add_organizations": "true", "codex_cli_simplified_flow": "true", "originator": "codex_cli_rs" },
                "redirect": { "host": "127.0.0.1", "ports": ports, "path": "/auth/callback", "cancel": "/cancel" },
            },
            {
                "flow": "device", "protocol": "code-poll", "start": "/api/accounts/deviceauth/usercode",
                "poll": "/api/accounts/deviceauth/token", "page": "/codex/device", "redirect": "/deviceauth/callback",
                "pending": [403, 404],
            },
            { "flow": "import", "source": "codex-cli" },
        ]))
    }

    /// Stores a login as `bitrouter login` would, bound to the origins that the provider has in the config by now, in the
    /// place of the one with this label.
    pub fn logged_in(self, provider: &str, label: &str, login: &Login) -> Self {
        self.log_in(provider, label, login);
        self
    }

    /// The same while a gateway runs: a login under this label takes the place of the one before.
    pub fn log_in(&self, provider: &str, label: &str, login: &Login) {
        self.put(login.entry(provider, label, &self.config["providers"][provider]["origins"]));
    }

    /// Stores this entry of the token file as it stands.
    pub fn with_entry(self, entry: Value) -> Self {
        self.put(entry);
        self
    }

    fn put(&self, entry: Value) {
        let file = self.token_file();
        let mut tokens = fs::read(&file)
            .map_or(json!({"version": 1, "credentials": []}), |bytes| serde_json::from_slice(&bytes).unwrap());
        let entries = tokens["credentials"].as_array_mut().unwrap();
        entries.retain(|known| known["provider"] != entry["provider"] || known["label"] != entry["label"]);
        entries.push(entry);
        replace(&file, tokens.to_string().as_bytes());
    }

    /// Where logins are kept.
    pub fn token_file(&self) -> PathBuf {
        self.home.path().join("oauth-tokens.json")
    }

    /// Sets a key of the config, named by its JSON pointer.
    pub fn with(mut self, pointer: &str, value: Value) -> Self {
        self.set(pointer, value);
        self
    }

    pub(crate) fn set(&mut self, pointer: &str, value: Value) {
        self.by_hand = false;
        let mut place = &mut self.config;
        for name in pointer.split('/').skip(1) {
            place = &mut place[name];
        }
        *place = value;
    }

    /// Writes the config as it stands, right or wrong, until a key is set.
    pub(crate) fn write_by_hand(&mut self, text: &str) {
        self.by_hand = true;
        replace(&self.home.path().join("bitrouter.yaml"), text.as_bytes());
    }

    /// Writes the config, as a whole and only where it is another: a gateway may be watching.
    pub(crate) fn write_config(&self) {
        let (file, text) = (self.home.path().join("bitrouter.yaml"), self.config.to_string());
        if self.config != json!({}) && !self.by_hand && fs::read_to_string(&file).ok().as_ref() != Some(&text) {
            // JSON is YAML.
            replace(&file, text.as_bytes());
        }
    }

    /// Sets an environment variable.
    pub fn with_key(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Lets its processes have so many files open, and no more.
    pub fn with_open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// Has the gateway write its log to a pipe that nobody reads until [`Gateway::take_log`].
    pub fn with_an_unread_log(mut self) -> Self {
        self.log_unread = true;
        self
    }

    /// Has its processes go by this clock.
    pub fn with_clock(self, clock: &WrongClock) -> Self {
        let environment = clock.environment().into_iter();
        environment.fold(self, |setup, (name, value)| setup.with_key(name, &value))
    }

    /// Drops a test's component into the plugin folder.
    pub fn with_plugin(self, name: &str) -> Self {
        let bytes = binary::component(name);
        self.with_plugin_file(&format!("{name}.wasm"), &bytes)
    }

    /// Drops any file into the plugin folder.
    pub fn with_plugin_file(self, name: &str, bytes: &[u8]) -> Self {
        fs::write(self.plugin(name), bytes).unwrap();
        self
    }

    /// Writes a file into the working directory.
    pub fn with_file(self, name: &str, text: &str) -> Self {
        fs::write(self.working_directory().join(name), text).unwrap();
        self
    }

    /// Accepts a plugin, as a user would.
    pub fn trusting(self, name: &str) -> Self {
        let file = self.plugin(&format!("{name}.wasm"));
        self.command(&["plugin", "trust", file.to_str().unwrap(), "--yes"]).ok();
        self
    }

    /// Starts the gateway and waits until it answers.
    pub fn run(self) -> Gateway {
        Gateway::in_home(&Arc::new(self))
    }

    /// Starts a command in this home, and leaves its end to the test.
    pub fn begin(&self, arguments: &[&str]) -> Running {
        let mut command = self.prepared();
        command.args(arguments);
        Running::spawn(command)
    }

    /// Starts a line of a shell in this home, on a terminal of its own, with `bitrouter` on its path. With util-linux's
    /// `script`, which every Linux has.
    #[cfg(target_os = "linux")]
    pub fn begin_on_a_terminal(&self, line: &str) -> Running {
        let prepared = self.prepared();
        let mut command = Command::new("script");
        command.args(["--quiet", "--flush", "--return", "--command", line, "/dev/null"]);
        command.current_dir(self.working_directory()).env_clear();
        command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let folder = Path::new(prepared.get_program()).parent().unwrap().display().to_string();
        command.env("PATH", format!("{folder}:{}", std::env::var("PATH").unwrap_or_default())).env("TERM", "xterm");
        Running::spawn(command)
    }

    /// What its token file holds, none where there is no file.
    pub fn tokens(&self) -> Vec<Value> {
        let text = fs::read(self.token_file());
        let file: Option<Value> = text.ok().map(|text| serde_json::from_slice(&text).unwrap());
        file.map_or_else(Vec::new, |mut file| file["credentials"].as_array_mut().unwrap().drain(..).collect())
    }

    /// The variables that were set for its processes.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The home folder of commands, which is also that of the gateway's own files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs a command in this home, to its end; one that does not end is killed.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        self.command_within(DEADLINE.as_secs(), arguments)
    }

    /// The same, for one that takes longer.
    pub fn command_within(&self, seconds: u64, arguments: &[&str]) -> Ran {
        let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let mut command = self.prepared();
        command.args(arguments).stdin(Stdio::null());
        command.stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let ended = eventually_within(seconds, || child.try_wait().unwrap().is_some());
        let _ = child.kill();
        let status = child.wait().unwrap();
        let (ok, code) = (status.success(), status.code());
        let ran = Ran { ok, code, stdout: read(&mut stdout), stderr: read(&mut stderr) };
        assert!(ended, "`bitrouter {}` does not end: {ran:?}", arguments.join(" "));
        ran
    }

    /// Where the gateway and its commands are started.
    pub fn working_directory(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// A file of the plugin folder.
    pub fn plugin(&self, file: &str) -> PathBuf {
        self.home.path().join("plugins").join(file)
    }

    /// The binary with this home, and nothing else of the machine's environment that it could pick up.
    pub(crate) fn prepared(&self) -> Command {
        self.write_config();
        let mut command = match self.open_files {
            None => Command::new(binary::gateway()),
            Some(limit) => {
                let mut command = Command::new("sh");
                command.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]).arg(binary::gateway());
                command
            }
        };
        command.current_dir(self.working_directory()).env_clear();
        let kept = ["PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP"];
        command.envs(kept.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        command.env("BITROUTER_HOME", self.home.path()).env("HOME", self.home.path());
        // As people have it; a test may say otherwise.
        command.env("LANG", "C.UTF-8");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Puts a file in the place of another at once, so that nobody reads half of it. Only its owner may read it, as the
/// gateway demands of one with secrets.
pub(crate) fn replace(file: &Path, bytes: &[u8]) {
    let mut new = tempfile::NamedTempFile::new_in(file.parent().unwrap()).unwrap();
    new.write_all(bytes).unwrap();
    new.persist(file).unwrap();
}

/// All that was written to a file that is still open.
pub(crate) fn read(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
