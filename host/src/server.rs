//! A gateway that serves: its listeners, and the tasks beside them that keep it up to date. `serve` runs one, and so may a
//! test or another program.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use crate::app::{App, Live};
use crate::gateway::{self, Connections, Service};
use crate::queries;

/// How often logins are checked for their expiry. They are refreshed minutes before.
const REFRESH_EVERY: Duration = Duration::from_secs(30);
/// How often due queries are looked for: soon after a login, for the first time.
const QUERY_EVERY: Duration = Duration::from_secs(5);
/// How often servers of this machine are looked for: one that was just started is used within a second.
const LOOK_EVERY: Duration = Duration::from_millis(800);
/// How often unread answers are looked for.
const END_UNREAD_EVERY: Duration = Duration::from_secs(1);
/// How often reported limits are written, so that commands know them.
const SAVE_EVERY: Duration = Duration::from_secs(3);
/// How long a gateway's end waits for reported limits to be written. A disk or a server that hangs would hold it for ever.
const SAVE_WITHIN: Duration = Duration::from_secs(10);

/// A gateway with what it needs to serve.
pub struct Server {
    /// The gateway, whichever serves at a moment.
    pub live: Arc<Live>,
    /// Where it listens.
    pub listeners: Vec<TcpListener>,
    /// The connections of its clients.
    pub connections: Arc<Connections>,
}

impl Server {
    /// Serves until `stop` resolves, then lets open streams finish for as long as it said.
    pub async fn run(self, stop: impl Future<Output = Duration>) -> Stopped {
        let Server { live, listeners, connections } = self;
        let mut tasks = JoinSet::new();
        // It has looked before the first request, for which that would be a wait.
        tasks.spawn(Arc::clone(live.now().directory.store()).watch().await);
        tasks.spawn(keep_fresh(Arc::clone(&live)));
        tasks.spawn(query_providers(Arc::clone(&live)));
        tasks.spawn(look_for_local(Arc::clone(&live)));
        tasks.spawn(save_windows(Arc::clone(&live)));
        tasks.spawn(end_unread(Arc::clone(&live)));
        tasks.spawn(keep_cooldowns(Arc::clone(&live)));
        tasks.spawn(keep_history(Arc::clone(&live)));
        gateway::serve(listeners, Service::new(Arc::clone(&live)), connections, stop).await;
        tasks.shutdown().await;
        Stopped { app: live.now() }
    }
}

/// A gateway that serves no more, and has still to write what must not be lost.
#[must_use]
pub struct Stopped {
    app: Arc<App>,
}

impl Stopped {
    /// Writes it; the error is that of the limits that were reached.
    pub async fn save(self) -> io::Result<()> {
        let Stopped { app } = self;
        // The most precious first: another process may hold up what follows.
        app.directory.now().finish_refreshes().await;
        let (cooldowns, windows) = (app.directory.cooldowns().clone(), Arc::clone(app.directory.windows()));
        let history = app.history.clone();
        let saved = tokio::task::spawn_blocking(move || {
            let saved = cooldowns.exchange(SystemTime::now());
            windows.save();
            if let Err(error) = history.exchange() {
                tracing::warn!("{error}");
            }
            saved
        });
        match tokio::time::timeout(SAVE_WITHIN, saved).await {
            Ok(saved) => saved.map_err(io::Error::other).flatten(),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the place where they are kept did not answer")),
        }
    }
}

/// Keeps accounts logged in for as long as the gateway runs, whether or not they are used.
async fn keep_fresh(live: Arc<Live>) -> Infallible {
    live.now().directory.complete().await;
    let mut ticks = ticks(REFRESH_EVERY);
    loop {
        ticks.tick().await;
        live.now().directory.now().refresh_due().await;
    }
}

/// Keeps the results of queries up to date: live lists of models, and how much of each plan is used.
async fn query_providers(live: Arc<Live>) -> Infallible {
    live.now().directory.complete().await;
    let mut ticks = ticks(QUERY_EVERY);
    loop {
        ticks.tick().await;
        let app = live.now();
        if app.config.side_requests {
            queries::query_due(&app.directory.now()).await;
        }
    }
}

/// Knows which servers of this machine run.
async fn look_for_local(live: Arc<Live>) -> Infallible {
    let mut ticks = ticks(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let app = live.now();
        queries::look_for_local(&app.directory.now(), app.config.side_requests).await;
    }
}

/// Ends the answers whose clients have stopped reading: a deadline of the upstream's holds for them too.
async fn end_unread(live: Arc<Live>) -> Infallible {
    let requests = Arc::clone(&live.now().requests);
    let mut ticks = ticks(END_UNREAD_EVERY);
    loop {
        ticks.tick().await;
        requests.in_flight.end_unread();
    }
}

/// Writes reported limits, every few seconds in which there were new ones.
async fn save_windows(live: Arc<Live>) -> Infallible {
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        let windows = Arc::clone(live.now().directory.windows());
        // It writes a file.
        let _ = tokio::task::spawn_blocking(move || windows.save()).await;
    }
}

/// Keeps limits that were reached for the next start.
async fn keep_cooldowns(live: Arc<Live>) -> Infallible {
    let cooldowns = live.now().directory.cooldowns().clone();
    cooldowns.keep().await
}

/// Keeps the states of calls and the owners of objects for the next start, and reads those of the last one first: until that is
/// done no state is found, and no request waits for it. Forgets what nobody asks for.
async fn keep_history(live: Arc<Live>) -> Infallible {
    let history = live.now().history.clone();
    let mut failed = false;
    loop {
        let kept = history.clone();
        let kept = tokio::task::spawn_blocking(move || kept.exchange());
        match kept.await.map_err(io::Error::other).flatten() {
            Ok(()) => failed = false,
            // Said once, not every few seconds.
            Err(error) if !std::mem::replace(&mut failed, true) => tracing::warn!("{error}"),
            Err(_) => {}
        }
        tokio::time::sleep(SAVE_EVERY).await;
    }
}

fn ticks(every: Duration) -> Interval {
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
