//! The whole table in one run: starts the upstream, the floor and the gateway, drives them in turn, round by round,
//! and hands the rows to the report. What is compared is always measured in the same run, alternating, so that a
//! machine that slows down or has neighbours changes both sides of a ratio.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tempfile::TempDir;

use crate::accounting::{cpu_time, resident};
use crate::answers::Behaviour;
use crate::bodies::Kind;
use crate::child::{Child, Gateway, Program};
use crate::connection::{Call, Target};
use crate::load::{Fleet, Outcome, Until};
use crate::report::{Comparison, Report, Row};
use crate::sides::{Side, Through, beside, in_turn};
use crate::table::{self, CpuRow, HeldRow, OpenRow, Section};
use crate::translated::{self, Measured, Sides};
use crate::{active, blackhole, descriptors, held, tls};

mod options;

pub use options::{Options, Way};

/// A pause before and after a measured section, in which what belongs to the section before is finished.
const SETTLE: Duration = Duration::from_millis(20);

/// Measures, prints the tables, and writes the JSON.
pub async fn run(options: &Options) -> Result<()> {
    let (program, before) = (options.program()?, options.before()?);
    let cores = std::thread::available_parallelism()?;
    let descriptors = descriptors::raise();
    println!(
        "{}{} on {} cores of {}, {} rounds, {} connections in the closed loop.\n",
        program.name(),
        before.as_ref().map_or(String::new(), |before| format!(", and in turns with it {},", before.name())),
        cores,
        std::env::consts::OS,
        options.rounds(),
        table::CONNECTIONS,
    );
    let mut reports = Vec::new();
    for &way in &options.upstream {
        let stage = Stage::set(way, program.clone(), before.clone()).await?;
        let report = stage
            .measure(options, descriptors)
            .await
            .map_err(|error| anyhow!("{error:#}\n{}", stage.gateway_files.last_words()))?;
        println!("{}", report.markdown());
        reports.push(report.json());
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&reports)?;
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}

/// Everything that runs while the rows over one kind of upstream are measured.
struct Stage {
    way: Way,
    upstream: Child,
    floor: Child,
    gateway: Child,
    gateway_files: Gateway,
    /// The build that the gateway is compared with.
    before: Option<(Child, Gateway)>,
    direct_tls: Option<Arc<rustls::ClientConfig>>,
    /// The upstream's certificate authority, where it speaks TLS.
    ca: Option<PathBuf>,
    /// Holds the certificate authority; removed with the stage.
    _files: TempDir,
}

impl Stage {
    async fn set(way: Way, program: Program, before: Option<Program>) -> Result<Self> {
        let files = TempDir::with_prefix("bitrouter-bench-")?;
        let ca = (way == Way::Tls).then(|| files.path().join("ca.pem"));
        let at = ca.as_deref();
        let upstream = Child::upstream(at)?;
        let floor = Child::floor(upstream.addr, at)?;
        let gateway_files = Gateway::new(program, upstream.addr, at)?;
        let (gateway, _) = gateway_files.start()?;
        let before = before.map(|program| {
            let files = Gateway::new(program, upstream.addr, at)?;
            let (child, _) = files.start()?;
            anyhow::Ok((child, files))
        });
        let before = before.transpose().context("the gateway of before")?;
        let direct_tls = at.map(tls::client_http2).transpose()?;
        Ok(Self { way, upstream, floor, gateway, gateway_files, before, direct_tls, ca, _files: files })
    }

    async fn measure(&self, options: &Options, descriptors: Option<u64>) -> Result<Report> {
        let (mut rows, mut notes) = (Vec::new(), Vec::new());
        if options.wants(Section::Memory) {
            self.warm_up().await?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            rows.push(self.memory("resident memory, idle", Some(table::MEMORY_TARGET)));
        }
        for row in table::CPU.iter().filter(|row| options.wants(row.section)) {
            eprintln!("{}: {}", self.name(), row.title);
            rows.push(self.cpu_row(row, options).await.context(row.title)?);
        }
        for row in table::OPEN.iter().filter(|row| options.wants(row.section)) {
            eprintln!("{}: {}", self.name(), row.title);
            rows.extend(self.open_row(row, options).await.context(row.title)?);
        }
        if options.wants(Section::Memory) && rows.len() > 1 {
            rows.push(self.memory("resident memory, after this load", None));
        }
        // The start does not depend on the upstream: once is enough.
        if options.wants(Section::Start) && self.way == Way::Plain {
            eprintln!("{}: start", self.name());
            rows.push(self.start_row().await?);
        }
        // Nor does what a dead target does: its gateway has a first target of its own besides this upstream.
        if options.wants(Section::Blackhole) && self.way == Way::Plain && self.is_bitrouter() {
            eprintln!("{}: a black hole", self.name());
            let measure = |program| blackhole::measure(program, &options.components, self.upstream.addr, options.quick);
            let (mut more, mut said) = measure(self.gateway_files.program()).await.context("a black hole")?;
            if let Some((_, files)) = &self.before {
                let (before, of_before) = measure(files.program()).await.context("a black hole, before")?;
                beside(&mut more, before);
                said.extend(of_before.into_iter().map(|note| format!("Before: {note}")));
            }
            rows.extend(more);
            notes.extend(said);
        }
        // Nor does what other providers cost.
        if options.wants(Section::Active) && self.way == Way::Plain && self.is_bitrouter() {
            eprintln!("{}: many active providers", self.name());
            let requests = options.requests(active::REQUESTS);
            let measure = |program| active::measure(program, self.upstream.addr, options.rounds(), requests);
            let mut row = vec![measure(self.gateway_files.program()).await.context("many active providers")?];
            if let Some((_, files)) = &self.before {
                let before = measure(files.program()).await.context("many active providers, before")?;
                beside(&mut row, vec![before]);
            }
            rows.extend(row);
        }
        let here = |row: &&HeldRow| row.tls == (self.way == Way::Tls);
        for row in table::HELD.iter().filter(here).filter(|_| options.wants(Section::Held)) {
            if row.provider != table::BUILT_IN && !self.is_bitrouter() {
                continue;
            }
            let streams = options.requests(row.streams);
            eprintln!("{}: {streams} streams {}, held", self.name(), row.title);
            let measure = |program| held::measure(row, streams, program, &options.components, descriptors);
            let (mut more, mut said) = measure(self.gateway_files.program()).await.context(row.title)?;
            if let Some((_, files)) = &self.before {
                let (before, of_before) = measure(files.program()).await.context(row.title)?;
                beside(&mut more, before);
                said.extend(of_before.into_iter().map(|note| format!("Before: {note}")));
            }
            rows.extend(more);
            notes.extend(said);
        }
        let translated = self.translated(options, &mut notes).await?;
        Ok(Report { upstream: self.name().to_owned(), rows, translated, notes })
    }

    /// What translating costs, with gateways of their own: they have a provider of one dialect.
    async fn translated(&self, options: &Options, notes: &mut Vec<String>) -> Result<Vec<Measured>> {
        let (cpu, memory) = (options.wants(Section::Translated), options.wants(Section::TranslatedMemory));
        if !self.is_bitrouter() || !(cpu || memory) {
            return Ok(Vec::new());
        }
        let before = self.before.iter().map(|(_, files)| (translated::BEFORE, files.program()));
        let sides = Sides {
            gateways: std::iter::once((translated::PRESENT, self.gateway_files.program())).chain(before).collect(),
            upstream: self.upstream.addr,
            ca: self.ca.as_deref(),
            // Its Python would have to trust the rig's authority: its figure is of the plain upstream.
            litellm: options.litellm.as_deref().filter(|_| cpu && self.way == Way::Plain),
        };
        let mut rows = Vec::new();
        if cpu {
            rows.extend(sides.cpu(options.rounds(), options.quick, notes).await?);
        }
        // What is kept does not depend on how the upstream is reached.
        if memory && self.way == Way::Plain {
            rows.extend(sides.memory().await?);
        }
        Ok(rows)
    }

    /// A floor in the gateway's place has no second target and no components.
    fn is_bitrouter(&self) -> bool {
        matches!(self.gateway_files.program(), Program::Bitrouter(_))
    }

    fn name(&self) -> &'static str {
        match self.way {
            Way::Plain => "plain HTTP/1.1",
            Way::Tls => "TLS and HTTP/2",
        }
    }

    /// Targets are promised over a plain upstream; over TLS the figures are told as they come.
    fn target(&self, target: f64) -> Option<f64> {
        (self.way == Way::Plain).then_some(target)
    }

    fn address(&self, path: Through) -> SocketAddr {
        match path {
            Through::Direct => self.upstream.addr,
            Through::Floor => self.floor.addr,
            Through::Gateway => self.gateway.addr,
            Through::Before => self.before.as_ref().map_or(self.gateway.addr, |(child, _)| child.addr),
        }
    }

    /// The gateways that are measured: the present one, and the one of before where there is one.
    fn gateways(&self) -> Vec<(Through, &Child)> {
        let before = self.before.iter().map(|(child, _)| (Through::Before, child));
        std::iter::once((Through::Gateway, &self.gateway)).chain(before).collect()
    }

    async fn fleet(&self, path: Through, body: Kind, behaviour: Behaviour, size: usize) -> Result<Fleet> {
        let (prefix, tls) = match path {
            Through::Direct => ("", self.direct_tls.clone()),
            Through::Floor => ("", None),
            Through::Gateway | Through::Before => (self.gateway_files.model_prefix(), None),
        };
        let target = Target { addr: self.address(path), tls };
        let mut fleet = Fleet::open(&target, Call::new(prefix, body, behaviour), size).await?;
        // Every connection and what is behind it is used before anything counts.
        fleet.closed(Until::Requests(4 * size as u64)).await.with_context(|| format!("{path:?}, warm-up"))?;
        Ok(fleet)
    }

    /// One call each, so that what is loaded by the first request is loaded.
    async fn warm_up(&self) -> Result<()> {
        self.fleet(Through::Floor, Kind::Small, Behaviour::Whole, 1).await?;
        for (path, _) in self.gateways() {
            self.fleet(path, Kind::Small, Behaviour::Whole, 1).await?;
        }
        Ok(())
    }

    async fn cpu_row(&self, row: &CpuRow, options: &Options) -> Result<Row> {
        let mut sides = Vec::new();
        for (path, child) in std::iter::once((Through::Floor, &self.floor)).chain(self.gateways()) {
            let fleet = self.fleet(path, row.body, row.behaviour, table::CONNECTIONS).await?;
            sides.push(Side { path, pid: child.pid(), fleet, figures: Vec::new() });
        }
        let requests = options.requests(row.requests);
        for round in 1..=options.rounds() {
            for side in in_turn(&mut sides, round) {
                side.fleet.refresh().await.with_context(|| format!("{:?}, round {round}", side.path))?;
                let cpu = cpu_a_request(&mut side.fleet, side.pid, requests);
                let cpu = cpu.await.with_context(|| format!("{:?}, round {round}", side.path))?;
                side.figures.extend(cpu.map(|cpu| cpu.as_secs_f64() * 1e6));
            }
        }
        let figures =
            |path| sides.iter().find(|side| side.path == path).map_or(Vec::new(), |side| side.figures.clone());
        Ok(Row {
            section: row.section,
            title: format!("CPU, {}", row.title),
            unit: "µs",
            comparison: Comparison::RatioToFloor,
            target: self.target(row.target),
            direct: Vec::new(),
            floor: figures(Through::Floor),
            gateway: figures(Through::Gateway),
            before: figures(Through::Before),
        })
    }

    async fn open_row(&self, row: &OpenRow, options: &Options) -> Result<Vec<Row>> {
        let mut sides = Vec::new();
        let gateways = self.gateways();
        for path in [Through::Direct, Through::Floor].into_iter().chain(gateways.iter().map(|(path, _)| *path)) {
            let fleet = self.fleet(path, Kind::Small, row.behaviour, table::OPEN_CONNECTIONS).await?;
            sides.push(Side { path, pid: 0, fleet, figures: Vec::new() });
        }
        let span = if options.quick { table::OPEN_SPAN / 4 } else { table::OPEN_SPAN };
        for round in 1..=options.rounds() {
            for side in in_turn(&mut sides, round) {
                side.fleet.refresh().await.with_context(|| format!("{:?}, round {round}", side.path))?;
                tokio::time::sleep(SETTLE).await;
                let outcome = side.fleet.open_loop(table::RATE, span);
                side.figures.push(outcome.await.with_context(|| format!("{:?}, round {round}", side.path))?);
            }
        }
        let rows = table::QUANTILES.map(|(name, quantile, target)| {
            let milliseconds = |outcome: &Outcome| {
                let histogram = if row.first_byte { &outcome.first } else { &outcome.whole };
                histogram.value_at_quantile(quantile) as f64 / 1e6
            };
            let figures = |path| -> Vec<f64> {
                let side = sides.iter().find(|side| side.path == path);
                side.map_or(Vec::new(), |side| side.figures.iter().map(milliseconds).collect())
            };
            Row {
                section: row.section,
                title: format!("{}, {name}", row.title),
                unit: "ms",
                comparison: Comparison::AddedToDirect,
                target: self.target(target),
                direct: figures(Through::Direct),
                floor: figures(Through::Floor),
                gateway: figures(Through::Gateway),
                before: figures(Through::Before),
            }
        });
        Ok(rows.into())
    }

    fn memory(&self, title: &str, target: Option<f64>) -> Row {
        let megabytes =
            |child: &Child| resident(child.pid()).map(|bytes| bytes as f64 / f64::from(1 << 20)).into_iter().collect();
        Row {
            section: Section::Memory,
            title: title.to_owned(),
            unit: "MB",
            comparison: Comparison::Itself,
            target: target.and_then(|target| self.target(target)),
            direct: Vec::new(),
            floor: megabytes(&self.floor),
            gateway: megabytes(&self.gateway),
            before: self.before.iter().flat_map(|(child, _)| megabytes(child)).collect(),
        }
    }

    /// Starts all again and again, in turn. Each gateway has a home of its own here, which one start and one call
    /// fill with what later starts find in the cache.
    async fn start_row(&self) -> Result<Row> {
        let before = self.before.as_ref().map(|(_, files)| files.program());
        let programs = [Some(Program::Floor), Some(self.gateway_files.program()), before];
        let homes = programs.into_iter().flatten().map(|program| Gateway::new(program, self.upstream.addr, None));
        let homes: Vec<Gateway> = homes.collect::<Result<_>>()?;
        for files in &homes {
            let (child, _) = files.start()?;
            let target = Target { addr: child.addr, tls: None };
            let call = Call::new(files.model_prefix(), Kind::Small, Behaviour::Whole);
            let mut fleet = Fleet::open(&target, call, 1).await?;
            fleet.closed(Until::Requests(1)).await?;
        }
        let mut figures = vec![Vec::new(); 3];
        for _ in 0..table::STARTS {
            for (files, figures) in homes.iter().zip(&mut figures) {
                let (_child, took) = files.start()?;
                figures.push(took.as_secs_f64() * 1e3);
            }
        }
        let [floor, gateway, before] = figures.try_into().unwrap_or_default();
        Ok(Row {
            section: Section::Start,
            title: "start to the first 200 on /health, warm cache".to_owned(),
            unit: "ms",
            comparison: Comparison::Itself,
            target: self.target(table::START_TARGET),
            direct: Vec::new(),
            floor,
            gateway,
            before,
        })
    }
}

/// What the process with this id spends on one of `requests`; `None` where the system does not tell.
pub async fn cpu_a_request(fleet: &mut Fleet, pid: u32, requests: u64) -> Result<Option<Duration>> {
    tokio::time::sleep(SETTLE).await;
    let before = cpu_time(pid);
    let outcome = fleet.closed(Until::Requests(requests)).await?;
    tokio::time::sleep(SETTLE).await;
    let after = cpu_time(pid);
    let count = u32::try_from(outcome.requests).map_err(|_| anyhow!("too many requests"))?;
    Ok(before.zip(after).map(|(b, a)| a.saturating_sub(b) / count))
}
