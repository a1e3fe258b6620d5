//! `bitrouter serve`: runs the gateway until it is told to stop.
//!
//! The door opens before components are loaded, so nothing slow may stand before `bind`.

use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::print::{self, Table};
use super::providers::{RefusedRow, Row, State, missing, not_loaded};
use super::setup::{self, Setup};
use super::{Components, Global, Outcome};
use crate::app::App;
use crate::config::{Loaded, Source};
use crate::gateway;
use crate::route::Providers;
use crate::side;
use crate::telemetry::{self, Lines, LogOptions};

/// How often it is looked for logins that will soon be over. They are refreshed minutes before.
const REFRESH_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// How often it is looked for what is to be asked beside calls: soon after a login, for the first time.
const ASK_EVERY: std::time::Duration = std::time::Duration::from_secs(5);
/// How often what was heard of limits is written, so that commands know it.
const SAVE_EVERY: std::time::Duration = std::time::Duration::from_secs(3);

#[derive(Debug, Args)]
#[command(after_help = "\
No config is needed: an API key in the environment is enough. Ctrl-C lets open streams finish; a second one does not.

Examples:
  OPENAI_API_KEY=sk-… bitrouter serve
  bitrouter serve --listen 127.0.0.1:8080 --plugins ./plugins
  bitrouter serve --log bitrouter=debug --log-json 2> gateway.log")]
pub(super) struct Serve {
    /// The address to listen on, instead of `server.listen` (127.0.0.1:4356 and [::1]:4356)
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    #[command(flatten)]
    components: Components,
    /// What to log, such as `warn` or `bitrouter=debug` [default: $RUST_LOG, else info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log one JSON object a line
    #[arg(long)]
    log_json: bool,
}

/// Who reads standard error.
#[derive(Clone, Copy)]
enum Reader {
    /// A person at a terminal.
    Person,
    /// A file or a log collector.
    Log,
}

impl Serve {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let mut setup = Setup::load(global, self.components.plugins.as_deref())?;
        if let Some(address) = &self.listen {
            setup.loaded.config.listen_on(address)?;
        }
        let reader = if io::stderr().is_terminal() && !self.log_json { Reader::Person } else { Reader::Log };
        let log = telemetry::start(&LogOptions { filter: self.log, json: self.log_json })
            .map_err(|error| format!("--log or RUST_LOG: {error}. Write a level or a filter: warn, bitrouter=debug"))?;
        let outcome = setup::runtime()?.block_on(serve(setup, reader, log.clone()));
        log.flush();
        outcome
    }
}

async fn serve(setup: Setup, reader: Reader, log: Lines) -> Outcome {
    let mut signals = Signals::watch()?;
    let server = &setup.loaded.config.server;
    let listeners = gateway::bind(&server.listen, server.listen_named)?;
    let addresses: Vec<SocketAddr> =
        listeners.iter().map(|listener| listener.local_addr()).collect::<Result<_, _>>()?;
    let app = setup.start()?;
    reader.opened(&addresses, &setup.loaded);
    tokio::spawn(report(Arc::clone(&app), setup.loaded, reader));
    let fresh = tokio::spawn(keep_fresh(Arc::clone(&app)));
    let asking = app.config.side_requests.then(|| tokio::spawn(ask_beside(Arc::clone(&app))));
    let saving = tokio::spawn(save_windows(Arc::clone(&app)));
    let stop = async move {
        signals.next().await;
        reader.say("stopping: open streams may finish. Stop again to end at once");
        tokio::spawn(async move {
            signals.next().await;
            log.flush();
            std::process::exit(1);
        });
    };
    gateway::serve(listeners, gateway::Front::new(Arc::clone(&app)), stop).await;
    fresh.abort();
    saving.abort();
    if let Some(asking) = asking {
        asking.abort();
    }
    app.directory.windows().save();
    app.directory.now().finish_refreshes().await;
    Ok(ExitCode::SUCCESS)
}

/// Keeps accounts logged in for as long as the gateway runs, whether or not they are used.
async fn keep_fresh(app: Arc<App>) {
    app.directory.complete().await;
    let mut ticks = tokio::time::interval(REFRESH_EVERY);
    loop {
        ticks.tick().await;
        app.directory.now().refresh_due().await;
    }
}

/// Keeps what is known beside calls up to date: live lists of models, and how much of each plan is used.
async fn ask_beside(app: Arc<App>) {
    app.directory.complete().await;
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        side::ask_due(&app.directory.now()).await;
    }
}

/// Writes what was heard of limits, every few seconds in which something was.
async fn save_windows(app: Arc<App>) {
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        let windows = Arc::clone(app.directory.windows());
        // It writes a file.
        let _ = tokio::task::spawn_blocking(move || windows.save()).await;
    }
}

/// Says what is ready and what is missing, once that is known.
async fn report(app: Arc<App>, loaded: Loaded, reader: Reader) {
    let providers = app.directory.complete().await;
    // The token store is a file.
    let rows = {
        let providers = Arc::clone(&providers);
        tokio::task::spawn_blocking(move || Row::all(&providers)).await.unwrap_or_default()
    };
    setup::provider_problems(&loaded, &providers).iter().for_each(|line| reader.warn(line));
    reader.ready(&rows, &providers);
}

impl Reader {
    fn say(self, line: &str) {
        match self {
            Reader::Person => print::note(line),
            Reader::Log => tracing::info!("{line}"),
        }
    }

    fn warn(self, line: &str) {
        match self {
            Reader::Person => print::note(&format!("warning: {line}")),
            Reader::Log => tracing::warn!("{line}"),
        }
    }

    fn opened(self, addresses: &[SocketAddr], loaded: &Loaded) {
        match self {
            Reader::Person => print::note(&greeting(addresses, &loaded.source)),
            Reader::Log => {
                let config = loaded.source.path().map(|file| file.display().to_string());
                for address in addresses {
                    tracing::info!(%address, config, version = env!("CARGO_PKG_VERSION"), "listening");
                }
            }
        }
        loaded.warnings.iter().for_each(|warning| self.warn(&warning.to_string()));
    }

    fn ready(self, rows: &[Row], providers: &Providers) {
        match self {
            Reader::Person => {
                print::note((summary(rows) + &not_loaded(&RefusedRow::all(providers))).trim_end());
            }
            Reader::Log => {
                for row in rows {
                    let (provider, accounts) = (&row.id, print::list(&row.accounts));
                    match &row.reason {
                        None => tracing::info!(provider, accounts, "provider active"),
                        Some(reason) => tracing::info!(provider, reason, "provider not active"),
                    }
                    for why in row.unusable.iter().filter(|why| Some(*why) != row.reason.as_ref()) {
                        tracing::warn!(provider, reason = why, "account not used");
                    }
                }
                for refused in &providers.refused {
                    tracing::warn!(file = refused.file, reason = refused.reason, "component not loaded");
                }
            }
        }
    }
}

/// The first lines on a terminal: where clients go.
fn greeting(addresses: &[SocketAddr], source: &Source) -> String {
    let urls: Vec<String> = addresses.iter().map(|&address| format!("http://{}", reachable(address))).collect();
    let first = urls.first().map_or("", String::as_str);
    let config: PathBuf = source.path().map_or_else(|| "none, the defaults hold".into(), PathBuf::from);
    let mut table = Table::indented();
    table.row(["listening on", &urls.join("  ")]);
    table.row(["for clients", &format!("OPENAI_BASE_URL={first}/v1")]);
    table.row(["config", &config.display().to_string()]);
    format!("BitRouter {}\n{}", env!("CARGO_PKG_VERSION"), table.text().trim_end())
}

/// An address that a client on this machine can ask: `0.0.0.0` is none.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => std::net::Ipv4Addr::LOCALHOST.into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        other => other.ip(),
    };
    SocketAddr::new(ip, address.port())
}

/// What is ready, and what is missing.
fn summary(rows: &[Row]) -> String {
    let mut table = Table::indented();
    let active: Vec<&Row> = rows.iter().filter(|row| row.state == State::Active).collect();
    for row in &active {
        let accounts = if row.accounts.is_empty() { "needs no account".into() } else { row.accounts.join(", ") };
        table.row([&row.id, &accounts]);
    }
    let ready = match active.is_empty() {
        true => "no provider is ready\n".to_owned(),
        false => format!("ready:\n{}", table.text()),
    };
    ready + missing(rows).trim_start()
}

/// The signals that ask the process to stop.
struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn watch() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn watch() -> io::Result<Self> {
        Ok(Signals {})
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::providers::tests::row;
    use super::*;

    #[test]
    fn the_start_text_says_where_clients_go() {
        let addresses = ["127.0.0.1:4356".parse().unwrap(), "[::1]:4356".parse().unwrap()];
        let text = greeting(&addresses, &Source::Defaults);
        assert!(text.contains("listening on  http://127.0.0.1:4356  http://[::1]:4356\n"), "{text}");
        assert!(text.contains("for clients   OPENAI_BASE_URL=http://127.0.0.1:4356/v1\n"), "{text}");
        assert!(text.ends_with("config        none, the defaults hold"), "{text}");
    }

    #[test]
    fn clients_are_not_sent_to_an_address_that_stands_for_all() {
        for (listened, asked) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.1.2.3:80", "10.1.2.3:80")]
        {
            assert_eq!(reachable(listened.parse().unwrap()).to_string(), asked);
        }
    }

    #[test]
    fn the_summary_names_accounts_and_what_is_missing() {
        let rows = [
            row("echo", State::Active, None, &[]),
            row("openai", State::Active, None, &["env", "work"]),
            row("other", State::NoCredential, Some("no credential. Set OTHER_KEY"), &[]),
        ];
        assert_eq!(
            summary(&rows),
            "ready:\n  echo    needs no account\n  openai  env, work\nnot used:\n  other  no credential. Set OTHER_KEY\n"
        );
        assert!(summary(&rows[2..]).starts_with("no provider is ready\n"));
    }
}
