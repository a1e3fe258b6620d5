//! Setting up `tracing`: to standard error, at `info` unless `RUST_LOG` or `--log` says otherwise.

use std::io::IsTerminal;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

use super::Lines;

/// How to log.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// What to log, as `RUST_LOG` has it: `info`, `bitrouter=debug`, …
    pub filter: Option<String>,
    /// One JSON object a line.
    pub json: bool,
}

/// Starts logging. Called once by `serve`, which flushes at its end; commands print instead.
pub fn start(options: &LogOptions) -> Result<Lines, ParseError> {
    let wanted = options.filter.clone().or_else(|| std::env::var("RUST_LOG").ok()).filter(|wanted| !wanted.is_empty());
    let filter = match wanted {
        Some(wanted) => EnvFilter::from_str(&wanted)?,
        None => EnvFilter::new("info"),
    };
    let lines = Lines::start();
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A second call, as a test may make, keeps the first set-up.
    let _ = if options.json { format.json().flatten_event(true).try_init() } else { format.try_init() };
    Ok(lines)
}
