//! LiteLLM's proxy in the gateway's place, before the same upstream: what the same translation costs there. It comes from
//! PyPI (`pip install 'litellm[proxy]'`), is started by the Python that has it, and connects to nothing but the upstream.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::answers::Behaviour;
use crate::child::{Child, free_address};

/// Its imports alone take ten seconds where the machine is busy.
const STARTS: Duration = Duration::from_secs(180);

/// Runs the proxy in its own process, and ends it with its standard input, so that it does not outlive the rig.
const PROGRAM: &str = "
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
from litellm import run_server
run_server()
";

/// A running proxy.
pub struct LiteLlm {
    /// Its process.
    pub child: Child,
    home: TempDir,
}

impl LiteLlm {
    /// The version that this Python has; `None` if it has none.
    pub fn version(python: &Path) -> Option<String> {
        let asks = "from importlib.metadata import version; print(version('litellm'))";
        let output = Command::new(python).args(["-c", asks]).stdin(Stdio::null()).output().ok()?;
        let version = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !version.is_empty()).then_some(version)
    }

    /// Starts it before this upstream, reached by plain HTTP, and waits until it serves.
    pub fn start(python: &Path, upstream: SocketAddr) -> Result<Self> {
        let home = TempDir::with_prefix("bitrouter-bench-")?;
        let models = [Behaviour::Whole, Behaviour::Burst, Behaviour::Paced].map(|behaviour| {
            let name = behaviour.model();
            let served = json!({
                "model": format!("openai/{name}"), "api_base": format!("http://{upstream}/v1"), "api_key": "bench-key",
            });
            json!({ "model_name": name, "litellm_params": served })
        });
        let config = home.path().join("config.yaml");
        // JSON is YAML.
        std::fs::write(&config, json!({ "model_list": models }).to_string())?;
        let addr = free_address()?;
        let log = std::fs::File::create(log(home.path()))?;
        let mut command = Command::new(python);
        command
            .args(["-c", PROGRAM, "--host"])
            .arg(addr.ip().to_string())
            .arg("--port")
            .arg(addr.port().to_string())
            .arg("--config")
            .arg(&config)
            .args(["--num_workers", "1", "--telemetry", "False"])
            .env("LITELLM_LOCAL_MODEL_COST_MAP", "True")
            // Else it asks OpenAI's models by Responses, which is another translation.
            .env("LITELLM_USE_CHAT_COMPLETIONS_URL_FOR_ANTHROPIC_MESSAGES", "True")
            // It is asked by the rig alone, on loopback, and knows no key but a made-up one. As the gateway beside it: no client's key.
            .env("LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY", "true")
            .env("LITELLM_LOG", "ERROR")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log);
        let mut child = Child::start(command, addr).context("start LiteLLM")?;
        if let Err(error) = child.until_healthy("/health/liveliness", STARTS) {
            bail!("LiteLLM: {error:#}\n{}", last_words(home.path()));
        }
        Ok(Self { child, home })
    }

    /// The end of what it wrote to standard error.
    pub fn last_words(&self) -> String {
        last_words(self.home.path())
    }
}

fn log(home: &Path) -> PathBuf {
    home.join("stderr.log")
}

fn last_words(home: &Path) -> String {
    let text = std::fs::read(log(home)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().collect();
    format!("Its standard error ends:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
}
