//! `bitrouter serve`: runs the gateway until it is told to stop.
//!
//! The door opens before components are loaded, so nothing slow may stand before `bind`.

mod descriptors;
mod reader;
mod signals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use bitrouter_route::Cooldowns;
use clap::Args;

use super::providers::Row;
use super::setup::{self, Setup};
use super::{Components, Global, Outcome};
use crate::app::{self, App, Live};
use crate::config::{self, ConfigError, Held, LoadOptions, Loaded};
use crate::control::{self, Control, Fingerprint, Reloader, Socket};
use crate::gateway;
use crate::side;
use crate::telemetry::{self, Lines, LogOptions};
use reader::Reader;
pub(super) use reader::{NO_CONFIG, reachable};
use signals::{Signal, Signals};

/// How often it is looked for logins that will soon be over. They are refreshed minutes before.
const REFRESH_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// How often it is looked for what is to be asked beside calls: soon after a login, for the first time.
const ASK_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
/// How often it is looked for answers that nobody reads.
const END_UNREAD_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// How often what was heard of limits is written, so that commands know it.
const SAVE_EVERY: std::time::Duration = std::time::Duration::from_secs(3);

#[derive(Debug, Args)]
#[command(after_help = "\
No config is needed: an API key in the environment is enough. A changed config or component is picked up while the gateway \
runs. Ctrl-C lets open streams finish; a second one does not.

Examples:
  OPENAI_API_KEY=sk-… bitrouter serve
  bitrouter serve --listen 127.0.0.1:8080 --plugins ./plugins
  bitrouter serve --quiet
  bitrouter serve --log bitrouter=debug --log-json 2> gateway.log")]
pub(super) struct Serve {
    /// The address to listen on, instead of `server.listen` (127.0.0.1:4356 and [::1]:4356)
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    components: Components,
    /// Say nothing but warnings and errors
    #[arg(long, short, conflicts_with = "log")]
    quiet: bool,
    /// What to log, such as `warn` or `bitrouter=debug` [default: $RUST_LOG, else info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log one JSON object a line
    #[arg(long)]
    log_json: bool,
}

impl Serve {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let options = setup::load_options(global)?;
        let reads = Reads {
            options: options.clone(),
            listen: self.listen,
            plugins: self.components.plugins.map(|folder| options.working_dir.join(folder)),
        };
        let seen = Fingerprint::before_start(&options);
        let loaded = reads.read().map_err(setup::headed)?;
        let setup = Setup { loaded, paths: options.paths };
        let reader = Reader::of_standard_error(!self.log_json && !self.quiet);
        let filter = if self.quiet { Some("warn".to_owned()) } else { self.log };
        let log = telemetry::start(&LogOptions { filter, json: self.log_json })
            .map_err(|error| format!("--log or RUST_LOG: {error}. Write a level or a filter: warn, bitrouter=debug"))?;
        if let Some(lacking) = app::not_built_in() {
            tracing::warn!("{lacking}");
        }
        let descriptors = descriptors::raise_limit();
        let outcome = setup::runtime()?.block_on(serve(setup, reads, seen, reader, log.clone(), descriptors));
        log.flush();
        outcome
    }
}

/// How the config is read, at the start and whenever it is reloaded: the command line's flags stand above it.
struct Reads {
    options: LoadOptions,
    listen: Option<String>,
    plugins: Option<PathBuf>,
}

impl Reads {
    fn read(&self) -> Result<Loaded, ConfigError> {
        self.with_flags(config::load(&self.options, &|name| std::env::var_os(name))?)
    }

    fn read_again(&self, held: &Held) -> Result<Loaded, ConfigError> {
        self.with_flags(config::load_again(held, &self.options, &|name| std::env::var_os(name))?)
    }

    fn with_flags(&self, mut loaded: Loaded) -> Result<Loaded, ConfigError> {
        if let Some(folder) = &self.plugins {
            loaded.config.plugins.dir.clone_from(folder);
        }
        if let Some(address) = &self.listen {
            loaded.config.listen_on(address)?;
        }
        Ok(loaded)
    }
}

async fn serve(setup: Setup, reads: Reads, seen: Fingerprint, reader: Reader, log: Lines, descriptors: u64) -> Outcome {
    let mut signals = Signals::watch()?;
    let server = &setup.loaded.config.server;
    let listeners = gateway::bind(&server.listen, server.listen_named)?;
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(|listener| listener.local_addr()).collect::<Result<_, _>>()?;
    let seen = seen.with_components(&setup.loaded.config.plugins.dir);
    if reader == Reader::Person {
        log.hold();
    }
    let live = Live::new(setup.start()?);
    reader.opened(&addresses, &setup.loaded);

    let source = control::Source {
        options: reads.options.clone(),
        read: Box::new(move |held| reads.read_again(held)),
        seen,
        problems: setup::provider_problems,
        tell: Box::new(move |outcome| reader.reloaded(outcome)),
    };
    let reloader = Reloader::new(Arc::clone(&live), source, &setup.loaded);
    let connections = gateway::Connections::new(descriptors);
    let control = Control::new(Arc::clone(&live), Arc::clone(&reloader), Arc::clone(&connections), addresses);
    let mut beside = tokio::task::JoinSet::new();
    match Socket::open(&setup.paths) {
        Ok(socket) => drop(beside.spawn(Arc::clone(&control).serve(socket))),
        Err(error) => reader.warn(&error.to_string()),
    }
    beside.spawn(report(live.now(), setup.loaded, reader, log.clone()));
    beside.spawn(keep_fresh(Arc::clone(&live)));
    beside.spawn(ask_beside(Arc::clone(&live)));
    beside.spawn(save_windows(Arc::clone(&live)));
    beside.spawn(end_unread(Arc::clone(&live)));
    beside.spawn(Arc::clone(&reloader).watch());
    beside.spawn(keep_cooldowns(live.now().directory.cooldowns().clone(), setup.paths.cooldowns()));

    let running = Arc::clone(&live);
    let stop = async move {
        loop {
            match signals.next().await {
                Signal::Stop => break,
                // A terminal that is closed says the same as who wants a reload.
                Signal::Reload if reader.has_left() => break,
                Signal::Reload => drop(tokio::spawn(Arc::clone(&reloader).reload_aloud())),
            }
        }
        control.stops();
        reader.say("stopping: open streams may finish. Stop again to end at once");
        tokio::spawn(async move {
            while signals.next().await != Signal::Stop {}
            log.flush();
            std::process::exit(1);
        });
        running.now().config.server.drain
    };
    gateway::serve(listeners, gateway::Front::new(Arc::clone(&live)), connections, stop).await;
    // Which takes the control socket away, too.
    beside.shutdown().await;
    let app = live.now();
    app.directory.windows().save();
    app.directory.now().finish_refreshes().await;
    if let Err(error) = app.directory.cooldowns().save(&setup.paths.cooldowns()) {
        tracing::warn!(%error, "limits that were reached are not kept for the next start");
    }
    Ok(ExitCode::SUCCESS)
}

/// Keeps accounts logged in for as long as the gateway runs, whether or not they are used.
async fn keep_fresh(live: Arc<Live>) {
    live.now().directory.complete().await;
    let mut ticks = tokio::time::interval(REFRESH_EVERY);
    loop {
        ticks.tick().await;
        live.now().directory.now().refresh_due().await;
    }
}

/// Keeps limits that were reached for the next start.
async fn keep_cooldowns(cooldowns: Cooldowns, file: PathBuf) {
    match cooldowns.keep(&file).await {}
}

/// Keeps what is known beside calls up to date: live lists of models, and how much of each plan is used.
async fn ask_beside(live: Arc<Live>) {
    live.now().directory.complete().await;
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let app = live.now();
        if app.config.side_requests {
            side::ask_due(&app.directory.now()).await;
        }
    }
}

/// Ends the answers whose clients have stopped reading: what an upstream is asked for is over when its time is.
async fn end_unread(live: Arc<Live>) {
    let requests = Arc::clone(&live.now().requests);
    let mut ticks = tokio::time::interval(END_UNREAD_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        requests.in_flight.end_unread();
    }
}

/// Writes what was heard of limits, every few seconds in which something was.
async fn save_windows(live: Arc<Live>) {
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        let windows = Arc::clone(live.now().directory.windows());
        // It writes a file.
        let _ = tokio::task::spawn_blocking(move || windows.save()).await;
    }
}

/// Says what is ready and what is missing, once that is known.
async fn report(app: Arc<App>, loaded: Loaded, reader: Reader, log: Lines) {
    let providers = app.directory.complete().await;
    // The token store is a file.
    let rows = {
        let providers = Arc::clone(&providers);
        tokio::task::spawn_blocking(move || Row::all(&providers)).await.unwrap_or_default()
    };
    setup::provider_problems(&loaded, &providers).iter().for_each(|line| reader.warn(line));
    reader.ready(&rows, &providers);
    log.flush();
}
