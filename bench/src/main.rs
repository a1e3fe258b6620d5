//! What a request through BitRouter costs, told as ratios to a bare hyper reverse proxy measured in the same run.
//! One binary: the mock upstream, the floor, the load generator, and `run`, which puts them together; `abuse` and `soak` see
//! what hurts a gateway and what it keeps.
//! Everything listens on 127.0.0.1; nothing here is part of the gateway.
#![forbid(unsafe_code)]
#![allow(unreachable_pub, reason = "a program: what is public is for its other modules")]

mod abuse;
mod accounting;
mod active;
mod answers;
mod blackhole;
mod bodies;
mod child;
mod clients;
mod connection;
mod descriptors;
mod dialects;
mod floor;
mod held;
mod languages;
mod litellm;
mod load;
mod manual;
mod release;
mod report;
mod run;
mod sides;
mod soak;
mod statistics;
mod table;
mod tls;
mod translated;
mod upstream;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

/// Measures BitRouter against a bare hyper reverse proxy.
#[derive(Parser)]
#[command(name = "bitrouter-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the mock upstream; prints `ready ADDRESS`.
    Upstream {
        #[command(flatten)]
        options: upstream::Options,
        #[command(flatten)]
        life: Life,
    },
    /// Serve the floor; prints `ready ADDRESS`.
    Floor {
        #[command(flatten)]
        options: floor::Options,
        #[command(flatten)]
        life: Life,
    },
    /// Send load to one address and print what it took.
    Load(manual::Options),
    /// Measure the whole table.
    Run(run::Options),
    /// Measure one provider in several languages.
    Languages(languages::Options),
    /// See what abuses of the gateway do to calm clients beside them.
    Abuse(abuse::Options),
    /// See whether memory, descriptors and threads stand still through minutes of faults and changes of the config.
    Soak(soak::Options),
}

/// When a server ends by itself.
#[derive(clap::Args)]
struct Life {
    /// End after this many seconds.
    #[arg(long, default_value_t = 3600)]
    seconds: u64,
    /// Also end when standard input closes, which it does when the process that holds it dies.
    #[arg(long)]
    until_stdin_closes: bool,
}

/// Worker threads of the upstream and the floor; the gateway has as many on the machine of record.
const WORKERS: usize = 2;

fn main() -> ExitCode {
    match obey(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bitrouter-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn obey(command: Command) -> Result<()> {
    match command {
        Command::Upstream { options, life } => serve(life, |ready| upstream::serve(options, ready)),
        Command::Floor { options, life } => serve(life, |ready| floor::serve(options, ready)),
        Command::Load(options) => on_one_thread(manual::load(&options)),
        Command::Run(options) => on_one_thread(within(options.minutes, async move { run::run(&options).await })),
        Command::Languages(options) => {
            on_one_thread(within(options.minutes, async move { languages::run(&options).await }))
        }
        Command::Abuse(options) => {
            abuse::enter_own_network(&options)?;
            on_one_thread(within(options.minutes, async move { abuse::run(&options).await }))
        }
        Command::Soak(options) => on_one_thread(within(options.minutes + 3, async move { soak::run(&options).await })),
    }
}

async fn within(minutes: u64, work: impl Future<Output = Result<()>>) -> Result<()> {
    let limit = Duration::from_secs(minutes * 60);
    tokio::time::timeout(limit, work).await.with_context(|| format!("not done after {minutes} minutes"))?
}

fn serve<F>(life: Life, server: impl FnOnce(fn(SocketAddr)) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            result = server(print_ready) => result,
            () = tokio::time::sleep(Duration::from_secs(life.seconds)) => Ok(()),
            () = stdin_closed(), if life.until_stdin_closes => Ok(()),
            _ = tokio::signal::ctrl_c() => Ok(()),
        }
    })
}

fn print_ready(addr: SocketAddr) {
    let mut stdout = std::io::stdout();
    // Whoever started this and does not read it finds the address in no other way; there is nobody to tell.
    let _ = writeln!(stdout, "{}{addr}", child::READY).and_then(|()| stdout.flush());
}

/// A thread that waits in `read`: tokio's standard input would keep the runtime from ending.
async fn stdin_closed() {
    let (done, closed) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = done.send(());
    });
    let _ = closed.await;
}

/// Runs to the end or until the user or the system asks to stop; either way everything is dropped, children too.
fn on_one_thread(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            result = work => result,
            () = asked_to_stop() => bail!("stopped"),
        }
    })
}

async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
