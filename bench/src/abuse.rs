//! What one client or one component can do to the others: each abuse runs beside calm clients, against a gateway of its
//! own, and is judged by what these see, by memory, and by whether the gateway can still be asked how it is. Called by
//! the `abuse` command. Everything is on loopback, where possible in a network of its own, and ends by itself.

mod bodies;
pub mod calm;
mod connections;
mod corpus;
mod row;
pub mod scene;
mod verdict;

use std::io::Read;
use std::path::PathBuf;
use std::process::{ChildStderr, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use self::calm::{Calm, Watch};
use self::row::{Abuse, Prepared};
use self::scene::Scene;
use self::verdict::{Memory, Seen, Verdict};
use crate::accounting::{forget_peak, peak_resident, resident};
use crate::child::{Child, Gateway, Program};
use crate::clients::usual_calls;
use crate::descriptors;

/// Calls of the calm clients, a second.
pub const RATE: u32 = 50;
/// How often a row is measured whose latency alone fails: a noisy machine does not repeat itself, an abuse does.
const MEASURED_AT_MOST: u32 = 3;
/// By then an abuse must be in full swing.
const BEGINS: Duration = Duration::from_secs(60);
/// Between an abuse and what is measured after it.
const SETTLE: Duration = Duration::from_secs(2);
/// When memory must be given back.
const LATER: Duration = Duration::from_secs(60);
/// What is asked before anything counts, and before memory is read the last time.
const SHORT: Duration = Duration::from_secs(1);

/// Options of the `abuse` command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The bitrouter binary.
    #[arg(long, value_name = "PATH")]
    gateway: PathBuf,
    /// Do these only.
    #[arg(long, value_name = "ROW", value_delimiter = ',')]
    only: Vec<Abuse>,
    /// Also write what was seen here.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How long calm clients are looked at before, beside and after each abuse.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Read memory a minute after each row, instead of a minute after the last.
    #[arg(long)]
    wait: bool,
    /// A second for each look, and nothing about latency or later memory: to see that it works.
    #[arg(long, conflicts_with = "wait")]
    quick: bool,
    /// Where the tests' components are, of which some rows need one.
    #[arg(long, value_name = "FOLDER", default_value = "target/components/tests")]
    components: PathBuf,
    /// Where the hostile corpus is, which one row plays.
    #[arg(long, value_name = "FOLDER", default_value = "tests/hostile")]
    corpus: PathBuf,
    /// Give up after this many minutes.
    #[arg(long, default_value_t = 45)]
    pub minutes: u64,
    /// Set for the run inside a network of its own.
    #[arg(long, hide = true)]
    own_network: bool,
}

impl Options {
    fn rows(&self) -> Vec<Abuse> {
        let here = |row: &Abuse| *row != Abuse::Vanished || self.own_network;
        let asked = if self.only.is_empty() { Abuse::value_variants() } else { &self.only };
        asked.iter().copied().filter(here).collect()
    }

    fn span(&self) -> Duration {
        Duration::from_secs(if self.quick { 1 } else { self.seconds })
    }
}

/// Goes on in a network of its own, where one of the rows needs it and the system lets this user have one.
pub fn enter_own_network(options: &Options) -> Result<()> {
    let wanted = options.only.is_empty() || options.only.contains(&Abuse::Vanished);
    if options.own_network {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().context("run `ip`")?;
        return if up.success() { Ok(()) } else { bail!("`ip link set lo up` ended with {up}") };
    }
    let unshare = ["--map-root-user", "--net"];
    let quiet = |command: &mut Command| command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let can = wanted
        && quiet(Command::new("unshare").args(unshare).args(["ip", "link", "set", "lo", "up"]))
            .is_ok_and(|status| status.success());
    if can {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            let mut command = Command::new("unshare");
            command.args(unshare).arg(std::env::current_exe()?).args(std::env::args_os().skip(1)).arg("--own-network");
            return Err(command.exec()).context("go on in a network of its own");
        }
    } else if wanted {
        eprintln!(
            "{}: NOT MEASURED: it needs a network namespace, and this system gives none",
            Abuse::Vanished.title()
        );
    }
    Ok(())
}

/// A gateway that an abuse was done to, and which must give its memory back.
struct Survivor {
    gateway: Child,
    _files: Gateway,
    calm: Calm,
    over: Instant,
    _log: Option<ChildStderr>,
}

/// Does all rows, prints the table, and fails where one does not hold.
pub async fn run(options: &Options) -> Result<()> {
    let program = Program::at(&options.gateway)?;
    descriptors::raise();
    let upstream = Child::upstream(None)?;
    let floor = Child::floor(upstream.addr, None)?;
    let bare = Calm::clients(floor.addr, usual_calls(""))?;
    let (mut verdicts, mut survivors) = (Vec::new(), Vec::new());
    for abuse in options.rows() {
        eprintln!("{}", abuse.title());
        let prepared = abuse.prepare(options).with_context(|| abuse.title())?;
        let stage = Stage { options, program: &program, upstream: &upstream, bare: &bare };
        let (mut verdict, survivor) =
            stage.measure_until_quiet(abuse, &prepared).await.with_context(|| abuse.title())?;
        if options.wait {
            verdict.memory.later = survivor.memory_later().await?;
        }
        survivors.push(survivor);
        if options.wait {
            survivors.clear();
        }
        verdicts.push(verdict);
    }
    if !options.wait && !options.quick {
        eprintln!("memory a minute after");
        for (verdict, survivor) in verdicts.iter_mut().zip(&survivors) {
            verdict.memory.later = survivor.memory_later().await?;
        }
    }
    println!("{}", verdict::table(&verdicts));
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&verdicts)?;
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    let failed: Vec<&str> =
        verdicts.iter().filter(|verdict| !verdict.holds()).map(|verdict| verdict.abuse.title()).collect();
    if !failed.is_empty() {
        bail!("{} of {} rows do not hold: {}", failed.len(), verdicts.len(), failed.join("; "));
    }
    Ok(())
}

/// What all rows share.
struct Stage<'a> {
    options: &'a Options,
    program: &'a Program,
    upstream: &'a Child,
    bare: &'a Calm,
}

impl Stage<'_> {
    async fn measure_until_quiet(&self, abuse: Abuse, prepared: &Prepared) -> Result<(Verdict, Survivor)> {
        let mut measured = 1;
        loop {
            let (mut verdict, survivor) = self.measure(abuse, prepared).await?;
            verdict.measured = measured;
            if measured == MEASURED_AT_MOST || !verdict.may_be_noise() {
                return Ok((verdict, survivor));
            }
            measured += 1;
            eprintln!("{}: p99 {:.1} ms, measured again", abuse.title(), verdict.during.p99);
        }
    }

    async fn measure(&self, abuse: Abuse, prepared: &Prepared) -> Result<(Verdict, Survivor)> {
        let span = self.options.span();
        let files = abuse.gateway(self.program.clone(), self.options, self.upstream.addr)?;
        let (mut gateway, log) = match abuse {
            Abuse::LogPipe => {
                let (gateway, pipe) = files.start_with_pipe()?;
                (gateway, Some(Drain::begin(pipe)))
            }
            _ => (files.start()?.0, None),
        };
        let calm = Calm::clients(gateway.addr, abuse.calm_calls())?;
        calm.see(SHORT).await?;
        let before = Seen::from(calm.see(span).await?);
        let calm_memory = resident(gateway.pid()).map(megabytes);
        forget_peak(gateway.pid());

        let scene = Scene::new(gateway.addr);
        let deed = tokio::spawn(prepared.clone().commit(scene.clone()));
        timeout(BEGINS, scene.wait_until_under_way()).await.context("the abuse does not begin")?;
        let unread = match log {
            Some(log) => Some(tokio::task::spawn_blocking(|| log.stop()).await??),
            None => None,
        };
        let watch = Watch::begin(gateway.addr, &files)?;
        let (during, bare, faults) =
            tokio::join!(calm.see(span), self.bare.see(span), prepared.faults(self.upstream.addr));
        let looks = tokio::task::spawn_blocking(|| watch.end()).await??;
        let mut faults = faults?;
        if deed.is_finished() {
            let why = deed.await?.err().map_or(String::new(), |error| format!(": {error:#}"));
            faults.push(format!("the abuse ended by itself{why}"));
        } else {
            deed.abort();
        }
        let over = Instant::now();
        sleep(SETTLE).await;
        let after = Seen::from(calm.see(span).await?);
        if let Some(status) = gateway.ended()? {
            faults.push(format!("the gateway ended: {status}. {}", files.last_words()));
        }
        let memory = Memory { calm: calm_memory, peak: peak_resident(gateway.pid()).map(megabytes), later: None };
        let verdict = Verdict {
            abuse,
            before,
            during: during?.into(),
            after,
            bare: bare?.into(),
            looks,
            memory,
            told: scene.told(),
            faults,
            measured: 1,
            judges_latency: !self.options.quick,
        };
        Ok((verdict, Survivor { gateway, _files: files, calm, over, _log: unread }))
    }
}

impl Survivor {
    /// Resident memory once a minute has passed, beside a calm client.
    async fn memory_later(&self) -> Result<Option<f64>> {
        sleep_until(self.over + LATER).await;
        self.calm.see(SHORT).await?;
        Ok(resident(self.gateway.pid()).map(megabytes))
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Reads a log until it is told to stop, and hands the pipe back unread.
struct Drain {
    stop: Arc<AtomicBool>,
    reads: std::thread::JoinHandle<ChildStderr>,
}

impl Drain {
    fn begin(mut pipe: ChildStderr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let reads = std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while !stopped.load(Relaxed) && matches!(pipe.read(&mut piece), Ok(1..)) {}
            pipe
        });
        Self { stop, reads }
    }

    /// The thread that reads ends with the next line that is written.
    fn stop(self) -> Result<ChildStderr> {
        self.stop.store(true, Relaxed);
        self.reads.join().map_err(|_| anyhow::anyhow!("who read the log panicked"))
    }
}
