//! Compiling a component to machine code, in a child process and never on the request path.
//!
//! Compilation time is outside what the engine promises to bound, so a third party's component is compiled by a process
//! of its own: niced, limited in memory, CPU and wall time. The parent starts `bitrouter __compile`, writes the
//! component to its standard input and reads the code from its standard output.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bitrouter_contract::cut::sentence;
use tokio::io::AsyncWriteExt;

/// The hidden verb that the child process is started with.
pub const VERB: &str = "__compile";
/// The largest component that is compiled: a Python guest has 18 MB.
pub const MAX_COMPONENT: usize = 64 << 20;
/// A Python guest takes 15 s of one core; five minutes leave room for slow machines.
const DEADLINE: Duration = Duration::from_secs(300);
/// Address space of the child. 2.8 MB of 200,000 tiny functions take 1.4 GB, a Python guest of 18 MB less.
const ADDRESS_SPACE: u64 = 4 << 30;
/// How readily the system ends the child, of -1000 to 1000, where memory runs out: before the gateway and most others.
const OOM_SCORE: &str = "800";

/// Why a component was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It is larger than any component needs to be.
    #[error("it has {0} bytes; the limit is {MAX_COMPONENT}")]
    TooLarge(usize),
    /// The child process could not be started or read.
    #[error("the compiler process could not be run: {0}")]
    Process(#[from] std::io::Error),
    /// The compiler refused it.
    #[error("{0}")]
    Refused(String),
    /// It took too long.
    #[error("compiling took longer than {} s", DEADLINE.as_secs())]
    Deadline,
}

/// Starts the compiler's child processes.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The `bitrouter` binary.
    pub program: PathBuf,
}

impl Compiler {
    /// Compiles with the binary that is running.
    pub fn current() -> std::io::Result<Self> {
        Ok(Compiler { program: std::env::current_exe()? })
    }

    /// Compiles one component; `memory` is the limit that its code will run under, in bytes.
    pub async fn compile(&self, component: &[u8], memory: usize) -> Result<Vec<u8>, CompileError> {
        if component.len() > MAX_COMPONENT {
            return Err(CompileError::TooLarge(component.len()));
        }
        let mut child = tokio::process::Command::new(&self.program)
            .arg(VERB)
            .arg(memory.to_string())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut input = child.stdin.take().ok_or_else(|| std::io::Error::other("no pipe to the compiler"))?;
        let feed = async {
            // A child that refuses early closes its end; what it says about it is on its standard error.
            let _ = input.write_all(component).await;
            drop(input);
        };
        let (_, output) = tokio::time::timeout(DEADLINE, async { tokio::join!(feed, child.wait_with_output()) })
            .await
            .map_err(|_| CompileError::Deadline)?;
        let output = output?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = sentence(String::from_utf8_lossy(&output.stderr).trim());
        Err(CompileError::Refused(if said.is_empty() {
            format!("the compiler ended with {}, as it does where memory or time runs out", output.status)
        } else {
            said
        }))
    }
}

/// The child's side: reads a component, writes machine code.
pub fn child(memory: u64) -> Result<(), Box<dyn std::error::Error>> {
    limit_this_process();
    // The sentence alone: a place in the compiler's sources says nothing to who wrote a component.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("the compiler gave up: {}", panic.payload_as_str().unwrap_or("?"))
    }));
    let mut component = Vec::new();
    std::io::stdin().lock().take(MAX_COMPONENT as u64 + 1).read_to_end(&mut component)?;
    let mut config = super::engine::settings();
    config.memory_reservation(memory);
    let code =
        wasmtime::Engine::new(&config)?.precompile_component(&component).map_err(|error| format!("{error:#}"))?;
    std::io::stdout().lock().write_all(&code)?;
    Ok(())
}

#[cfg(unix)]
fn limit_this_process() {
    use rustix::process::{Resource, Rlimit, nice, setrlimit};
    // Each is a second fence behind the parent's deadline; a system that refuses one still compiles.
    let _ = nice(10);
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let limit = |most| Rlimit { current: Some(most), maximum: Some(most) };
    let _ = setrlimit(Resource::As, limit(ADDRESS_SPACE));
    let _ = setrlimit(Resource::Cpu, limit(2 * DEADLINE.as_secs()));
    let _ = setrlimit(Resource::Core, limit(0));
}

#[cfg(not(unix))]
fn limit_this_process() {
    let _ = (ADDRESS_SPACE, OOM_SCORE);
}
