//! The `bitrouter` binary: the commands of `bitrouter::cli`, and the child processes that it starts of itself.

#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use bitrouter_plugin::compile;

use bitrouter::cli::{self, open_page};

// A gateway allocates on every request from several threads, where this allocator beats the system's.
#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    // Not commands: the process starts itself with these verbs, for each component and for a page.
    match args.next() {
        Some(verb) if verb == compile::VERB => compile(args.next()),
        Some(verb) if verb == open_page::VERB => open_page::child(&args.next().unwrap_or_default().to_string_lossy()),
        _ => cli::main(),
    }
}

/// Compiles what comes on standard input. What it says on standard error, the parent shows as the reason.
fn compile(memory: Option<OsString>) -> ExitCode {
    let memory = memory.and_then(|memory| memory.to_str()?.parse().ok());
    let done = match memory {
        Some(memory) => compile::child(memory).map_err(|error| format!("{error:#}")),
        None => Err(format!("{} takes a number of bytes", compile::VERB)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = writeln!(std::io::stderr(), "{reason}");
            ExitCode::FAILURE
        }
    }
}
