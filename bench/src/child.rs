//! The processes `run` starts: the upstream, the floor and the gateway. A child is killed when its value is
//! dropped; the rig's own two also end when their standard input closes, so that none outlives the rig.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What the rig's own children print, followed by their address, when they accept connections.
pub const READY: &str = "ready ";

/// How often a starting gateway is asked for its health.
const POLL: Duration = Duration::from_micros(500);
/// How long a gateway may take to be healthy: its first start compiles the built-in components.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A running process.
pub struct Child {
    process: std::process::Child,
    /// Where it listens.
    pub addr: SocketAddr,
}

impl Child {
    /// The mock upstream; with `ca`, over TLS, its authority written there.
    pub fn upstream(ca: Option<&Path>) -> Result<Self> {
        let mut command = own("upstream")?;
        if let Some(ca) = ca {
            command.arg("--ca").arg(ca);
        }
        Self::when_ready(command, "upstream")
    }

    /// The floor before `upstream`; with `ca`, over TLS.
    pub fn floor(upstream: SocketAddr, ca: Option<&Path>) -> Result<Self> {
        Self::when_ready(floor_command(upstream, ca)?, "floor")
    }

    /// Any other server, which will listen at this address.
    pub fn start(mut command: Command, addr: SocketAddr) -> Result<Self> {
        Ok(Self { process: command.spawn()?, addr })
    }

    /// Waits for the first 200 on this path.
    pub fn until_healthy(&mut self, path: &str, limit: Duration) -> Result<()> {
        let begin = Instant::now();
        while !answers(self.addr, path, limit) {
            if let Some(status) = self.process.try_wait()? {
                bail!("it ended ({status}) before it was healthy");
            }
            if begin.elapsed() > limit {
                bail!("no 200 on http://{}{path} within {} s", self.addr, limit.as_secs());
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Result<Option<std::process::ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    fn when_ready(mut command: Command, name: &str) -> Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn().with_context(|| format!("start the {name}"))?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let Some(addr) = line.strip_prefix(READY) else {
            let _ = process.kill();
            bail!("the {name} ended before it was ready: {}", process.wait()?);
        };
        let addr = addr.trim().parse();
        Ok(Self { process, addr: addr.with_context(|| format!("the {name}'s ready line: {line}"))? })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How to start the gateway, again and again with the same home, so that its cache stays warm.
pub struct Gateway {
    program: Program,
    upstream: SocketAddr,
    ca: Option<PathBuf>,
    /// What goes into `bitrouter.yaml`, all but the address.
    config: Value,
    home: TempDir,
    /// The most file descriptors it may have; as many as the rig where nothing is said.
    descriptors: Option<u32>,
}

/// What stands where the gateway belongs.
#[derive(Clone)]
pub enum Program {
    /// The `bitrouter` binary.
    Bitrouter(PathBuf),
    /// The floor once more: its ratios to the floor show the rig's own noise.
    Floor,
}

impl Program {
    /// The gateway's binary at this path.
    pub fn at(path: &Path) -> Result<Self> {
        if !path.is_file() {
            bail!("{}: no such file. Build it first: cargo build --release --workspace", path.display());
        }
        Ok(Self::Bitrouter(path.to_owned()))
    }

    /// What the report calls it.
    pub fn name(&self) -> String {
        match self {
            Self::Bitrouter(path) => path.display().to_string(),
            Self::Floor => "The floor in the gateway's place".to_owned(),
        }
    }
}

impl Gateway {
    /// A gateway before `upstream`, with a home of its own; with `ca`, over TLS.
    pub fn new(program: Program, upstream: SocketAddr, ca: Option<&Path>) -> Result<Self> {
        let scheme = if ca.is_some() { "https" } else { "http" };
        let openai = json!({ "api_base": format!("{scheme}://{upstream}/v1") });
        let config = json!({ "side_requests": false, "providers": { "openai": openai } });
        let home = TempDir::with_prefix("bitrouter-bench-")?;
        Ok(Self { program, upstream, ca: ca.map(Path::to_owned), config, home, descriptors: None })
    }

    /// With this file in the plugin folder, accepted by nobody.
    pub fn with_plugin_file(self, name: &str, bytes: &[u8]) -> Result<Self> {
        let folder = self.home.path().join("plugins");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(name), bytes).with_context(|| format!("write the plugin {name}"))?;
        Ok(self)
    }

    /// With another provider besides `openai`: a component of the tests, which sends to `upstream` by plain HTTP.
    pub fn with_component(mut self, components: &Path, id: &str, upstream: SocketAddr) -> Result<Self> {
        let file = components.join(format!("{id}.wasm"));
        let folder = self.home.path().join("plugins");
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(&file, folder.join(format!("{id}.wasm")))
            .with_context(|| format!("copy {}. Build it first: cargo xtask guests", file.display()))?;
        self.config["providers"][id] = json!({ "api_base": format!("http://{upstream}/v1") });
        self.trust(&folder.join(format!("{id}.wasm")))?;
        Ok(self)
    }

    /// With a provider that is a description alone.
    pub fn with_description(self, id: &str, description: &Value) -> Result<Self> {
        let folder = self.home.path().join("plugins");
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{id}.json"));
        std::fs::write(&file, description.to_string())?;
        self.trust(&file)?;
        Ok(self)
    }

    /// Accepts a component, as a user would; a gateway that asks for no such thing serves it as it is.
    fn trust(&self, component: &Path) -> Result<()> {
        if let Program::Bitrouter(binary) = &self.program {
            let mut command = Command::new(binary);
            command.args(["plugin", "trust"]).arg(component).arg("--yes").env("BITROUTER_HOME", self.home.path());
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().with_context(|| format!("run {}", binary.display()))?;
        }
        Ok(())
    }

    /// With `openai-codex` before `upstream`, logged in for as long as anything here runs.
    pub fn with_codex(mut self, upstream: SocketAddr) -> Result<Self> {
        let base = format!("http://{upstream}");
        let origins = json!({ "api": format!("{base}/v1"), "account": format!("{base}/account"), "auth": base });
        let credential = json!({
            "provider": "openai-codex", "label": "default", "kind": "oauth", "from": "browser", "origins": origins,
            "client_id": "app_EMoamEEZ73f0CkXaXp7hrann",
            "claims": { "account_id": "bench", "user_id": "bench", "plan": "plus" },
            "secret": { "access_token": "bench-access-token", "refresh_token": "bench-refresh-token" },
            "created_at": "2020-01-01T00:00:00Z", "refreshed_at": "2020-01-01T00:00:00Z",
            "expires_at": "2099-01-01T00:00:00Z",
        });
        self.config["providers"]["openai-codex"] = json!({ "origins": origins });
        let file = self.home.path().join("oauth-tokens.json");
        // As the gateway demands it: nobody else may read it.
        let mut private = tempfile::NamedTempFile::new_in(self.home.path())?;
        private.write_all(json!({ "version": 1, "credentials": [credential] }).to_string().as_bytes())?;
        private.persist(&file)?;
        Ok(self)
    }

    /// With these members of a provider's part of the config.
    pub fn with_provider(mut self, id: &str, key: &str, value: Value) -> Self {
        self.config["providers"][id][key] = value;
        self
    }

    /// With no more file descriptors than this: what a machine allows where nobody has raised it.
    pub fn with_descriptors(mut self, limit: u32) -> Self {
        self.descriptors = Some(limit);
        self
    }

    /// Changes a timeout of `openai` in the config of a gateway that runs at this address.
    pub fn rewrite_config(&self, addr: SocketAddr, timeout: &str, value: Value) -> Result<()> {
        let mut config = self.config.clone();
        config["providers"]["openai"]["timeouts"][timeout] = value;
        self.put_config(config, addr).map(drop)
    }

    /// How many lines of its log hold this.
    pub fn logged(&self, text: &str) -> Result<usize> {
        let log = std::fs::read(self.log())?;
        Ok(String::from_utf8_lossy(&log).lines().filter(|line| line.contains(text)).count())
    }

    /// Writes the config of a gateway that runs at this address.
    fn write_config(&self, addr: SocketAddr) -> Result<PathBuf> {
        self.put_config(self.config.clone(), addr)
    }

    fn put_config(&self, mut config: Value, addr: SocketAddr) -> Result<PathBuf> {
        let file = self.home.path().join("bitrouter.yaml");
        config["server"]["listen"] = json!(addr.to_string());
        // JSON is YAML. As a whole: a gateway may be watching.
        let mut new = tempfile::NamedTempFile::new_in(self.home.path())?;
        new.write_all(config.to_string().as_bytes())?;
        new.persist(&file)?;
        Ok(file)
    }

    /// A command in this gateway's home, such as `status`. Only a gateway has commands.
    pub fn control(&self, arguments: &[&str]) -> Result<Command> {
        let Program::Bitrouter(binary) = &self.program else { bail!("the floor has no commands") };
        let mut command = Command::new(binary);
        command.args(arguments).env("BITROUTER_HOME", self.home.path());
        Ok(command)
    }

    /// With a name under `models:` for these addresses, in their order.
    pub fn with_model(mut self, name: &str, addresses: &[&str]) -> Self {
        self.config["models"][name] = json!(addresses);
        self
    }

    /// The provider's prefix that the gateway's model addresses need.
    pub fn model_prefix(&self) -> &'static str {
        match self.program {
            Program::Bitrouter(_) => "openai:",
            Program::Floor => "",
        }
    }

    /// What is started.
    pub fn program(&self) -> Program {
        self.program.clone()
    }

    /// Starts it and waits for the first 200 on `/health`; the time counts from before the process exists.
    pub fn start(&self) -> Result<(Child, Duration)> {
        let log = std::fs::File::create(self.log())?;
        self.start_with(log.into())
    }

    /// The same, with its log written to a pipe; whoever takes it decides whether it is read.
    pub fn start_with_pipe(&self) -> Result<(Child, ChildStderr)> {
        let (mut child, _) = self.start_with(Stdio::piped())?;
        let pipe = child.process.stderr.take().context("the log was asked for as a pipe")?;
        Ok((child, pipe))
    }

    fn start_with(&self, log: Stdio) -> Result<(Child, Duration)> {
        let addr = free_address()?;
        let mut command = self.command(addr)?;
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        let begin = Instant::now();
        let process = command.spawn().context("start the gateway")?;
        let mut child = Child { process, addr };
        loop {
            if healthy(addr) {
                return Ok((child, begin.elapsed()));
            }
            if let Some(status) = child.process.try_wait()? {
                bail!("the gateway ended ({status}) before it was healthy.\n{}", self.last_words());
            }
            if begin.elapsed() > START_LIMIT {
                let limit = START_LIMIT.as_secs();
                bail!("no 200 on http://{addr}/health within {limit} s.\n{}", self.last_words());
            }
            std::thread::sleep(POLL);
        }
    }

    /// The end of what it wrote to standard error, for error messages.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        let shown = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("The gateway's standard error ends:\n{shown}")
    }

    fn command(&self, addr: SocketAddr) -> Result<Command> {
        let Program::Bitrouter(binary) = &self.program else {
            let mut command = floor_command(self.upstream, self.ca.as_deref())?;
            command.arg("--listen").arg(addr.to_string());
            return Ok(command);
        };
        let file = self.write_config(addr)?;
        let mut command = match self.descriptors {
            None => Command::new(binary),
            Some(limit) => {
                // The shell's own limit, which it cannot raise again either, is inherited by what it becomes.
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]).arg(binary);
                shell
            }
        };
        command
            .arg("serve")
            .arg("-c")
            .arg(&file)
            .env("OPENAI_API_KEY", "bench-key")
            .env("BITROUTER_HOME", self.home.path())
            .env("RUST_LOG", "info");
        if let Some(ca) = &self.ca {
            command.env("SSL_CERT_FILE", ca);
        }
        Ok(command)
    }

    fn log(&self) -> PathBuf {
        self.home.path().join("stderr.log")
    }
}

fn floor_command(upstream: SocketAddr, ca: Option<&Path>) -> Result<Command> {
    let mut command = own("floor")?;
    command.arg("--upstream").arg(upstream.to_string());
    if let Some(ca) = ca {
        command.arg("--ca").arg(ca);
    }
    Ok(command)
}

fn own(subcommand: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(subcommand).arg("--until-stdin-closes").stdin(Stdio::piped());
    Ok(command)
}

/// An address nobody listens on now. The gateway takes its port from a file, so it has to be known before.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// One `GET /health` on a connection of its own; anything but a 200 is "not yet".
fn healthy(addr: SocketAddr) -> bool {
    healthy_within(addr, Duration::from_secs(5))
}

/// The same, with so long for the answer.
pub fn healthy_within(addr: SocketAddr, limit: Duration) -> bool {
    answers(addr, "/health", limit)
}

fn answers(addr: SocketAddr, path: &str, limit: Duration) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&addr, limit)?;
        stream.set_read_timeout(Some(limit))?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status == *b"HTTP/1.1 200")
    };
    ask().unwrap_or(false)
}
