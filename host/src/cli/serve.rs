//! `bitrouter serve`: runs the gateway until it is told to stop.
//!
//! The gateway listens before components are loaded, so nothing slow may stand before `bind`.

mod descriptors;
mod reader;
mod signals;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::providers::Row;
use super::setup::{self, Setup};
use super::{Components, Global, Outcome};
use crate::app::{self, App, Live};
use crate::config::{self, Config, ConfigError, HeldConfig, LoadOptions, Loaded};
use crate::control::{self, Control, Fingerprint, Reloader, Socket};
use crate::gateway;
use crate::memory;
use crate::server::Server;
use crate::telemetry::{self, Lines, LogOptions};
use reader::Reader;
pub(super) use reader::{NO_CONFIG, reachable};
use signals::{Signal, Signals};

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

/// What a command changes of the config that a gateway reads, each time that it is read.
pub(super) type Change = Box<dyn Fn(&mut Config) + Send + Sync>;

impl Serve {
    /// A gateway for `plugin try`: on this address, with these words of the log.
    pub(super) fn on(listen: String, quiet: bool, log: Option<String>, log_json: bool) -> Self {
        Serve { listen: Some(listen), components: Components { plugins: None, lock: None }, quiet, log, log_json }
    }

    pub(super) fn run(self, global: &Global) -> Outcome {
        self.run_with(setup::load_options(global)?, Box::new(|_| {}))
    }

    /// The same from these places, with a change of the config.
    pub(super) fn run_with(self, options: LoadOptions, change: Change) -> Outcome {
        let reads = Reads {
            options: options.clone(),
            listen: self.listen,
            plugins: self.components.plugins.map(|folder| options.working_dir.join(folder)),
            change,
            lock: self.components.lock.map(|file| options.working_dir.join(file)),
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
        memory::in_small_pages();
        let descriptors = descriptors::raise_limit();
        let runtime = setup::runtime()?;
        let outcome = runtime.block_on(serve(setup, reads, seen, reader, log.clone(), descriptors));
        // What must be kept is kept. Work that still hangs would hold the process for ever.
        runtime.shutdown_background();
        log.flush();
        outcome
    }
}

/// How the config is read, at the start and whenever it is reloaded: the command line's flags stand above it.
struct Reads {
    options: LoadOptions,
    listen: Option<String>,
    plugins: Option<PathBuf>,
    change: Change,
    lock: Option<PathBuf>,
}

impl Reads {
    fn read(&self) -> Result<Loaded, ConfigError> {
        self.with_flags(config::load(&self.options, &|name| std::env::var_os(name))?)
    }

    fn read_again(&self, held: &HeldConfig) -> Result<Loaded, ConfigError> {
        self.with_flags(config::load_again(held, &self.options, &|name| std::env::var_os(name))?)
    }

    fn with_flags(&self, mut loaded: Loaded) -> Result<Loaded, ConfigError> {
        if let Some(folder) = &self.plugins {
            loaded.config.plugins.dir.clone_from(folder);
        }
        if self.lock.is_some() {
            loaded.config.plugins.lock.clone_from(&self.lock);
        }
        if let Some(address) = &self.listen {
            loaded.config.listen_on(address)?;
        }
        (self.change)(&mut loaded.config);
        Ok(loaded)
    }
}

async fn serve(setup: Setup, reads: Reads, seen: Fingerprint, reader: Reader, log: Lines, descriptors: u64) -> Outcome {
    let mut signals = Signals::watch()?;
    let server = &setup.loaded.config.server;
    let listeners = gateway::bind(&server.listen, server.listen_named)?;
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(|listener| listener.local_addr()).collect::<Result<_, _>>()?;
    let seen = seen.with_components(setup.loaded.config.plugins.lock.as_deref(), &setup.loaded.config.plugins.dir);
    if reader == Reader::Person {
        log.hold();
    }
    let live = Live::new(setup.start()?);
    reader.opened(&addresses, &setup.loaded);

    let source = control::ReloadSource {
        options: reads.options.clone(),
        read: Box::new(move |held| reads.read_again(held)),
        seen,
        problems: setup::provider_problems,
        on_reloaded: Box::new(move |outcome| reader.reloaded(outcome)),
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
    beside.spawn(Arc::clone(&reloader).watch());

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
    let stopped = Server { live, listeners, connections }.run(stop).await;
    // Which takes the control socket away, too: before anything that takes time, for the next gateway has one of that name.
    beside.shutdown().await;
    if let Err(error) = stopped.save().await {
        tracing::warn!(%error, "limits that were reached are not kept for the next start");
    }
    Ok(ExitCode::SUCCESS)
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
