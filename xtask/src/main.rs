//! What a developer runs: `cargo xtask <verb>`. It builds components, calls cargo, and reports what it does; it must
//! hold no logic of the gateway's.

#![forbid(unsafe_code)]

mod command;
mod e2e;
mod gateway;
mod guests;
mod lint;
mod root;
mod toolchain;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::root::Root;

const USAGE: &str = "\
Usage: cargo xtask <verb>

  guests          build the components into target/components
  serve [ARGS…]   build everything and run `bitrouter serve ARGS`
  test            build everything and run all tests
  install        build everything and put `bitrouter` on the PATH
  bench [ARGS…]   build everything and run `bitrouter-bench run ARGS`
  abuse [ARGS…]   build everything and run `bitrouter-bench abuse ARGS`: what abuses do to calm clients
  soak [ARGS…]    build everything and run `bitrouter-bench soak ARGS`: ten minutes of faults and reloads
  e2e             run the tests that need real clients (from PyPI and npm)
  lint            fmt, clippy, docs and cargo deny";

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut args: Vec<String>) -> Result<()> {
    let root = Root::find();
    if args.is_empty() {
        bail!("no verb is given.\n{USAGE}");
    }
    let verb = args.remove(0);
    match verb.as_str() {
        "guests" => guests::build(&root),
        "serve" => gateway::serve(&root, &args),
        "test" => gateway::test(&root, &args),
        "install" => gateway::install(&root),
        "bench" => gateway::bench(&root, "run", &args),
        "abuse" | "soak" => gateway::bench(&root, &verb, &args),
        "e2e" => e2e::run(&root),
        "lint" => lint::run(&root),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("there is no verb `{verb}`.\n{USAGE}"),
    }
}
