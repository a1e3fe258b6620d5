//! What a provider costs in each language: the same provider, written in several, each before a gateway of its own. Called by the
//! `languages` command.
//!
//! `alike` are calls of which the gateway has seen one before, so that it does again what the component did; in `fresh` each asks
//! for another model, so that the component runs for each.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::accounting::{cpu_time, resident};
use crate::answers::Behaviour;
use crate::bodies::Kind;
use crate::child::{Child, Gateway, Program};
use crate::connection::{Call, Target};
use crate::load::{Fleet, Until};
use crate::sides::in_turn;
use crate::statistics::{Spread, paired};
use crate::{descriptors, table};

/// The language that the others are held against.
const MEASURE: &str = "rust";
/// What each may cost at least, in requests a second against Rust's: alike, and fresh.
const TARGETS: [(&str, f64, Option<f64>); 5] = [
    ("c", 0.8, None),
    ("zig", 0.8, None),
    // A module of Go cannot be called `go`.
    ("golang", 0.8, Some(1.0 / 4.0)),
    ("js", 0.7, Some(1.0 / 8.0)),
    ("python", 0.7, Some(1.0 / 20.0)),
];
/// How long a round is.
const ROUND: Duration = Duration::from_secs(2);

/// Options of the `languages` command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The bitrouter binary.
    #[arg(long, value_name = "PATH")]
    gateway: PathBuf,
    /// Where the components are: `rust.wasm`, `golang.wasm` and so on, each a provider that is called as its file.
    #[arg(long, value_name = "FOLDER")]
    components: PathBuf,
    /// How often each is measured, all in turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Give up after this many minutes.
    #[arg(long, default_value_t = 30)]
    pub minutes: u64,
}

/// A language's gateway.
struct Side {
    language: String,
    child: Child,
    _files: Gateway,
    alike: Series,
    fresh: Series,
    /// Resident memory once it has served, in bytes.
    memory: Option<u64>,
}

/// One kind of calls.
struct Series {
    fleet: Fleet,
    /// Requests a second.
    rates: Vec<f64>,
    /// CPU of the gateway a request, in µs.
    cpu: Vec<f64>,
}

/// Measures and prints a table.
pub async fn run(options: &Options) -> Result<()> {
    let program = Program::at(&options.gateway)?;
    descriptors::raise();
    let upstream = Child::upstream(None)?;
    let mut sides = Vec::new();
    for language in languages(&options.components)? {
        eprintln!("{language}: loading");
        sides.push(side(&program, &options.components, &language, &upstream).await.context(language)?);
    }
    for round in 1..=options.rounds {
        for side in in_turn(&mut sides, round) {
            let at = || format!("{}, round {round}", side.language);
            for series in [&mut side.alike, &mut side.fresh] {
                series.measure(side.child.pid()).await.with_context(at)?;
            }
            side.memory = resident(side.child.pid());
        }
    }
    println!("{}", markdown(&sides, options.rounds));
    Ok(())
}

/// The files that are there, Rust's first.
fn languages(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            found.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    if !found.iter().any(|name| name == MEASURE) {
        bail!("{} has no {MEASURE}.wasm, which the others are held against", folder.display());
    }
    found.sort_by_key(|name| (name != MEASURE, name.clone()));
    Ok(found)
}

async fn side(program: &Program, folder: &Path, language: &str, upstream: &Child) -> Result<Side> {
    let key = serde_json::json!("bench-key");
    let files = Gateway::new(program.clone(), upstream.addr, None)?
        .with_component(folder, language, upstream.addr)?
        .with_provider(language, "api_key", key);
    let (child, _) = files.start()?;
    let prefix = format!("{language}:");
    let call = Call::new(&prefix, Kind::Small, Behaviour::Whole);
    let alike = Series::open(&child, call.clone()).await.with_context(|| files.last_words())?;
    let fresh = Series::open(&child, call.numbered()?).await.with_context(|| files.last_words())?;
    Ok(Side { language: language.to_owned(), child, _files: files, alike, fresh, memory: None })
}

impl Series {
    async fn open(child: &Child, call: Call) -> Result<Self> {
        let target = Target { addr: child.addr, tls: None };
        // A component that is slow to compile is waited for by the first call.
        let begin = Instant::now();
        loop {
            match Self::warm(&target, call.clone()).await {
                Ok(fleet) => return Ok(Self { fleet, rates: Vec::new(), cpu: Vec::new() }),
                Err(error) if begin.elapsed() > Duration::from_secs(90) => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn warm(target: &Target, call: Call) -> Result<Fleet> {
        let mut fleet = Fleet::open(target, call, table::CONNECTIONS).await?;
        fleet.closed(Until::Requests(4 * table::CONNECTIONS as u64)).await.context("warm-up")?;
        Ok(fleet)
    }

    async fn measure(&mut self, pid: u32) -> Result<()> {
        self.fleet.refresh().await?;
        let (before, begin) = (cpu_time(pid), Instant::now());
        let outcome = self.fleet.closed(Until::Elapsed(ROUND)).await?;
        let requests = outcome.requests as f64;
        self.rates.push(requests / begin.elapsed().as_secs_f64());
        let cpu = before.zip(cpu_time(pid)).map(|(before, after)| after.saturating_sub(before));
        self.cpu.extend(cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / requests));
        Ok(())
    }
}

fn markdown(sides: &[Side], rounds: u32) -> String {
    let mut lines = vec![
        format!(
            "One provider in each language, a 1 KB chat call answered whole, {} connections, {rounds} rounds in turns: median (min–max).\n",
            table::CONNECTIONS
        ),
        "| language | calls | requests/s | against Rust | at least | met | CPU a request, µs | memory, MB |".to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    let Some(measure) = sides.first() else { return String::new() };
    for side in sides {
        let target = TARGETS.iter().find(|(language, ..)| *language == side.language);
        for (name, series, base, least) in [
            ("alike", &side.alike, &measure.alike, target.map(|(_, alike, _)| *alike)),
            ("fresh", &side.fresh, &measure.fresh, target.and_then(|(_, _, fresh)| *fresh)),
        ] {
            let ratio = paired(&series.rates, &base.rates, |rate, base| rate / base);
            let met =
                ratio.as_ref().zip(least).map_or("—", |(ratio, least)| if ratio.median >= least { "✓" } else { "✗" });
            let memory = side.memory.map_or("—".to_owned(), |bytes| format!("{:.0}", bytes as f64 / 1e6));
            lines.push(format!(
                "| {} | {name} | {} | {} | {} | {met} | {} | {memory} |",
                side.language,
                spread(Spread::of(&series.rates), 0),
                spread(ratio, 2),
                least.map_or("—".to_owned(), |least| format!("{least:.2}")),
                spread(Spread::of(&series.cpu), 0),
            ));
        }
    }
    lines.join("\n")
}

fn spread(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("—".to_owned(), |Spread { median, min, max }| {
        format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
    })
}
