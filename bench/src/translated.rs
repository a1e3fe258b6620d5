//! What translating costs: the same answer of the same upstream, passed through to a client of its dialect and translated
//! for one of another, by the same gateway in turns. Called by `run`. LiteLLM may stand beside it.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use crate::accounting::{forget_peak, peak_resident};
use crate::answers::Behaviour;
use crate::child::{Child, Gateway, Program};
use crate::connection::{Call, Target};
use crate::dialects::Client;
use crate::litellm::LiteLlm;
use crate::load::{Fleet, Until};
use crate::run::cpu_a_request;
use crate::sides::in_turn;
use crate::table;

mod report;
mod rows;

pub use report::{Compared, Measured, markdown};
pub use rows::{BEFORE, PRESENT};
use rows::{MemoryRow, TranslatedRow};

/// A provider that serves Chat Completions alone, so that every other dialect is translated. It has a key, as real ones
/// have: answers are searched for it.
const PROVIDER: &str = "chat";

/// Those that are measured beside each other.
pub struct Sides<'a> {
    /// The gateway, and the build that it is compared with.
    pub gateways: Vec<(&'static str, Program)>,
    /// Where the upstream is.
    pub upstream: std::net::SocketAddr,
    /// Its certificate authority, where it speaks TLS.
    pub ca: Option<&'a Path>,
    /// The Python that has LiteLLM's proxy, if that is asked for.
    pub litellm: Option<&'a Path>,
}

/// One of those that a row measures in turn.
struct Side {
    of: &'static str,
    client: Client,
    pid: u32,
    fleet: Fleet,
    figures: Vec<f64>,
    requests: u64,
}

impl Sides<'_> {
    /// Measures the rows of CPU.
    pub async fn cpu(&self, rounds: u32, quick: bool, notes: &mut Vec<String>) -> Result<Vec<Measured>> {
        let litellm = self.litellm(notes)?;
        let mut measured = Vec::new();
        for row in &rows::CPU {
            eprintln!("translated for {}: {}", row.client.name(), row.title);
            measured.extend(self.cpu_row(row, rounds, quick, litellm.as_ref()).await.context(row.title)?);
        }
        Ok(measured)
    }

    /// Measures the rows of memory.
    pub async fn memory(&self) -> Result<Vec<Measured>> {
        let mut measured = Vec::new();
        for row in &rows::MEMORY {
            eprintln!("memory, translated for {}: {}", row.client.name(), row.title);
            measured.extend(self.memory_row(row).await.context(row.title)?);
        }
        Ok(measured)
    }

    /// Starts LiteLLM where it is asked for; one that is not there is said to be.
    fn litellm(&self, notes: &mut Vec<String>) -> Result<Option<LiteLlm>> {
        let Some(python) = self.litellm else { return Ok(None) };
        let Some(version) = LiteLlm::version(python) else {
            notes.push(format!("LiteLLM: not measured. {} has no `litellm[proxy]`.", python.display()));
            return Ok(None);
        };
        eprintln!("LiteLLM {version} starts");
        notes.push(format!("LiteLLM is version {version}, one worker."));
        LiteLlm::start(python, self.upstream).map(Some)
    }

    /// A row of CPU: passed, translated, and the same of the others, round by round.
    async fn cpu_row(
        &self,
        row: &TranslatedRow,
        rounds: u32,
        quick: bool,
        litellm: Option<&LiteLlm>,
    ) -> Result<Vec<Measured>> {
        let mut running = Vec::new();
        for (name, program) in &self.gateways {
            let files = self.gateway(program)?;
            let (child, _) = files.start()?;
            running.push((*name, child, files));
        }
        let requests = if quick { row.requests / 5 } else { row.requests };
        let mut sides = Vec::new();
        for (name, child, files) in &running {
            for client in [Client::ChatCompletions, row.client] {
                let fleet = fleet(child, &format!("{PROVIDER}:"), client, row).await;
                let fleet = fleet.with_context(|| files.last_words())?;
                sides.push(Side { of: name, client, pid: child.pid(), fleet, figures: Vec::new(), requests });
            }
        }
        if let Some(litellm) = litellm.filter(|_| row.litellm) {
            for client in [Client::ChatCompletions, row.client] {
                let fleet = fleet(&litellm.child, "", client, row).await.with_context(|| litellm.last_words())?;
                // Its figures are so large that few of them are enough.
                let requests = (requests / rows::FEWER).max(2 * table::CONNECTIONS as u64);
                let pid = litellm.child.pid();
                sides.push(Side { of: rows::LITELLM, client, pid, fleet, figures: Vec::new(), requests });
            }
        }
        for round in 1..=rounds {
            for side in in_turn(&mut sides, round) {
                let (of, client) = (side.of, side.client.name());
                let at = || format!("{of} for {client}, round {round}");
                side.fleet.refresh().await.with_context(at)?;
                let cpu = cpu_a_request(&mut side.fleet, side.pid, side.requests).await.with_context(at)?;
                side.figures.extend(cpu.map(|cpu| cpu.as_secs_f64() * 1e6));
            }
        }
        Ok(sides.chunks_mut(2).map(|pair| measured(row, pair)).collect())
    }

    /// A row of memory, in a gateway of its own for each side.
    async fn memory_row(&self, row: &MemoryRow) -> Result<Vec<Measured>> {
        let mut rows = Vec::new();
        for (name, program) in &self.gateways {
            let files = self.gateway(program)?;
            let mut peaks = [Vec::new(), Vec::new()];
            for (client, peaks) in [Client::ChatCompletions, row.client].into_iter().zip(&mut peaks) {
                let (child, _) = files.start()?;
                let peak = peak(&child, client, row).await;
                peaks.extend(peak.with_context(|| files.last_words())?.map(|peak| peak as f64 / f64::from(1 << 20)));
            }
            let [passed, translated] = peaks;
            rows.push(Measured {
                title: format!("peak memory, {}, {}", row.client.name(), row.title),
                of: name,
                unit: "MB",
                compared: Compared::Difference,
                target: Some(row.target).filter(|_| *name == rows::PRESENT),
                passed,
                translated,
            });
        }
        Ok(rows)
    }

    fn gateway(&self, program: &Program) -> Result<Gateway> {
        let scheme = if self.ca.is_some() { "https" } else { "http" };
        let description = json!({
            "id": PROVIDER, "name": "Chat", "version": "1",
            "origins": { "api": format!("{scheme}://{}/v1", self.upstream) },
            "auth": [{
                "method": "api-key", "env": ["OPENAI_API_KEY"],
                "attach": [{ "header": "authorization", "format": "Bearer {}" }],
            }],
            "serves": { "generate": ["chat-completions"] },
        });
        Gateway::new(program.clone(), self.upstream, self.ca)?.with_description(PROVIDER, &description)
    }
}

fn measured(row: &TranslatedRow, pair: &mut [Side]) -> Measured {
    let of = pair.first().map_or(rows::PRESENT, |side| side.of);
    let mut figures = pair.iter_mut().map(|side| std::mem::take(&mut side.figures));
    let (passed, translated) = (figures.next().unwrap_or_default(), figures.next().unwrap_or_default());
    Measured {
        title: format!("CPU, {}, {}", row.client.name(), row.title),
        of,
        unit: "µs",
        compared: row.compared,
        target: Some(row.target).filter(|_| of == rows::PRESENT),
        passed,
        translated,
    }
}

/// Connections on which each has been used before anything counts.
async fn fleet(child: &Child, prefix: &str, client: Client, row: &TranslatedRow) -> Result<Fleet> {
    let target = Target { addr: child.addr, tls: None };
    // LiteLLM writes each chunk anew, in its own dialect too: only the words are as long.
    let call = Call { least: row.behaviour.words(), ..client.call(prefix, row.body, row.behaviour) };
    let mut fleet = Fleet::open(&target, call, table::CONNECTIONS).await?;
    fleet.closed(Until::Requests(4 * table::CONNECTIONS as u64)).await.context("warm-up")?;
    Ok(fleet)
}

/// The most resident memory that a process has while the row's answers go through it, one after the other.
async fn peak(child: &Child, client: Client, row: &MemoryRow) -> Result<Option<u64>> {
    let target = Target { addr: child.addr, tls: None };
    let prefix = format!("{PROVIDER}:");
    let small = client.call(&prefix, crate::bodies::Kind::Small, Behaviour::Short);
    Fleet::open(&target, small, 1).await?.closed(Until::Requests(1)).await.context("warm-up")?;
    forget_peak(child.pid());
    let call = client.call(&prefix, crate::bodies::Kind::Small, row.behaviour);
    let mut fleet = Fleet::open(&target, call, 1).await?;
    fleet.closed(Until::Requests(rows::PEAK_REQUESTS)).await.map_err(|error| anyhow!("{error:#}"))?;
    Ok(peak_resident(child.pid()))
}
