//! The `load` command: one loop against one address, by hand. `run` does not use it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::accounting::cpu_time;
use crate::answers::Behaviour;
use crate::bodies::Kind;
use crate::connection::Target;
use crate::dialects::Client;
use crate::load::{Fleet, Until};
use crate::tls;

/// Options of the `load` command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where to send.
    addr: SocketAddr,
    /// What is sent.
    #[arg(long, value_enum, default_value = "small")]
    body: Kind,
    /// What the upstream shall answer.
    #[arg(long, value_enum, default_value = "whole")]
    answer: Behaviour,
    /// In which dialect it is asked.
    #[arg(long, value_enum, default_value = "chat-completions")]
    client: Client,
    /// Put before the model's name: `openai:` for the gateway.
    #[arg(long, default_value = "")]
    prefix: String,
    /// How many connections.
    #[arg(long, short, default_value_t = 16)]
    connections: usize,
    /// Requests of a closed loop.
    #[arg(long, short = 'n', conflicts_with = "seconds")]
    requests: Option<u64>,
    /// How long the loop goes on.
    #[arg(long, short = 't', default_value_t = 5.0)]
    seconds: f64,
    /// An open loop with this many requests a second.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "requests")]
    rate: Option<u32>,
    /// Also tell the CPU time that this process spends on a request.
    #[arg(long)]
    pid: Option<u32>,
    /// Speak TLS with HTTP/2 and trust this authority (PEM).
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
}

/// Drives the loop and prints its figures.
pub async fn load(options: &Options) -> Result<()> {
    let tls = options.ca.as_deref().map(tls::client_http2).transpose()?;
    let target = Target { addr: options.addr, tls };
    let call = options.client.call(&options.prefix, options.body, options.answer);
    let mut fleet = Fleet::open(&target, call, options.connections).await?;
    fleet.closed(Until::Requests(options.connections as u64)).await?;

    let span = Duration::from_secs_f64(options.seconds);
    let before = options.pid.and_then(cpu_time);
    let outcome = match (options.rate, options.requests) {
        (Some(rate), _) => fleet.open_loop(rate, span).await?,
        (None, Some(count)) => fleet.closed(Until::Requests(count)).await?,
        (None, None) => fleet.closed(Until::Elapsed(span)).await?,
    };
    let after = options.pid.and_then(cpu_time);

    println!(
        "{} requests in {:.2} s, {:.0} a second",
        outcome.requests,
        outcome.elapsed.as_secs_f64(),
        outcome.requests as f64 / outcome.elapsed.as_secs_f64()
    );
    for (name, histogram) in [("first byte", &outcome.first), ("whole", &outcome.whole)] {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
        println!("{name}: p50 {:.3} ms, p90 {:.3}, p99 {:.3}, max {:.3}", at(0.5), at(0.9), at(0.99), at(1.0));
    }
    if let (Some(before), Some(after)) = (before, after) {
        let spent = after.saturating_sub(before).as_secs_f64() * 1e6;
        println!("CPU a request: {:.1} µs", spent / outcome.requests as f64);
    }
    Ok(())
}
