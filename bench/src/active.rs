//! What many active providers cost a request that names none of them: the same gateway with one provider and with many, in
//! turns. Called by `run`.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::json;

use crate::answers::Behaviour;
use crate::bodies::Kind;
use crate::child::{Child, Gateway, Program};
use crate::connection::{Call, Target};
use crate::load::{Fleet, Until};
use crate::report::{Comparison, Row};
use crate::run::cpu_a_request;
use crate::sides::in_turn;
use crate::table::{self, Section};

/// How many are active.
const MANY: usize = 40;
/// What a request may cost then, compared with one.
const TARGET: f64 = 1.02;
/// Requests of one round.
pub const REQUESTS: u64 = 20_000;
/// The provider that lists the model which is asked for.
const PROVIDER: &str = "lists";

/// A gateway with so many active providers.
struct Side {
    child: Child,
    _files: Gateway,
    fleet: Fleet,
    figures: Vec<f64>,
}

/// Measures the row: the column of the floor is the gateway with one provider.
pub async fn measure(program: Program, upstream: SocketAddr, rounds: u32, requests: u64) -> Result<Row> {
    let mut sides = Vec::new();
    for active in [1, MANY] {
        let files = gateway(&program, upstream, active)?;
        let (child, _) = files.start()?;
        let fleet = fleet(&child).await.with_context(|| files.last_words())?;
        sides.push(Side { child, _files: files, fleet, figures: Vec::new() });
    }
    for round in 1..=rounds {
        for side in in_turn(&mut sides, round) {
            let at = || format!("round {round}");
            side.fleet.refresh().await.with_context(at)?;
            let cpu = cpu_a_request(&mut side.fleet, side.child.pid(), requests).await.with_context(at)?;
            side.figures.extend(cpu.map(|cpu| cpu.as_secs_f64() * 1e6));
        }
    }
    let mut figures = sides.into_iter().map(|side| side.figures);
    let mut row = Row::of_gateway(
        Section::Active,
        Comparison::RatioToFloor,
        format!("CPU, 1 KB chat call for a bare name, {MANY} providers active; the floor is the gateway with one"),
        "µs",
    );
    row.target = Some(TARGET);
    row.floor = figures.next().unwrap_or_default();
    row.gateway = figures.next().unwrap_or_default();
    Ok(row)
}

/// One provider lists the model; the others have keys and could list it, and none is ever asked.
fn gateway(program: &Program, upstream: SocketAddr, active: usize) -> Result<Gateway> {
    let description = json!({
        "id": PROVIDER, "name": "Lists", "version": "1",
        "origins": { "api": format!("http://{upstream}/v1") },
        "auth": [{ "method": "api-key", "env": ["OPENAI_API_KEY"] }],
        "serves": { "generate": ["chat-completions"] },
        "models": [{ "id": Behaviour::Whole.model() }],
    });
    let mut files = Gateway::new(program.clone(), upstream, None)?
        .with_provider("openai", "enabled", json!(false))
        .with_description(PROVIDER, &description)?;
    for number in 1..active {
        let id = format!("other-{number}");
        // Where nobody is.
        for (key, value) in
            [("use", "openai-compatible"), ("api_base", "http://127.0.0.1:9/v1"), ("api_key", "bench-key")]
        {
            files = files.with_provider(&id, key, json!(value));
        }
    }
    Ok(files)
}

async fn fleet(child: &Child) -> Result<Fleet> {
    let target = Target { addr: child.addr, tls: None };
    let mut fleet = Fleet::open(&target, Call::new("", Kind::Small, Behaviour::Whole), table::CONNECTIONS).await?;
    // Every connection and what is behind it is used before anything counts.
    fleet.closed(Until::Requests(4 * table::CONNECTIONS as u64)).await.context("warm-up")?;
    Ok(fleet)
}
