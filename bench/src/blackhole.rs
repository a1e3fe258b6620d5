//! A list of two targets whose first is a black hole: its system neither takes a connection nor refuses it. Called by
//! `run` once. An open loop counts what its clients see of it; an error is a figure here, and ends nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use hdrhistogram::Histogram;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::answers::Behaviour;
use crate::bodies::{self, Kind};
use crate::child::{Gateway, Program};
use crate::connection::{Call, Connection, Target};
use crate::load::beat;
use crate::report::{Comparison, Row};
use crate::table::{self, Section};

/// The component that stands for the provider that is down: one that needs no credential.
const DEAD: &str = "echo";
/// A request that has no answer by then is an error.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections of clients; who finds none waits, and the wait counts. Below what ports and descriptors allow.
const MOST: usize = 8_000;
/// A kept connection is not used after this: the gateway closes idle ones after 10 s, which is no error of its own.
const KEPT: Duration = Duration::from_secs(5);
/// A connection that is not made by then is not made at all, on loopback.
const HANGS: Duration = Duration::from_millis(1500);

/// Measures both loads through a gateway of its own, so that nothing is known of the dead target when it begins.
pub async fn measure(
    program: Program,
    components: &Path,
    healthy: SocketAddr,
    quick: bool,
) -> Result<(Vec<Row>, Vec<String>)> {
    let hole = BlackHole::dig().await?;
    let names = |provider: &str| format!("{provider}:*");
    let files = Gateway::new(program, healthy, None)?
        .with_component(components, DEAD, hole.addr)?
        .with_model("dead-first-*", &[&names(DEAD), &names(table::BUILT_IN)]);
    let (gateway, _) = files.start()?;
    let clients = Clients::new(gateway.addr);
    let short = |span| if quick { span / 4 } else { span };
    let loads = async {
        // What the first requests load is not the dead target's doing. That one is not asked, so nothing is known of it.
        clients.load(files.model_prefix(), table::WARM_UP_SPAN).await?;
        let alone = clients.load(files.model_prefix(), short(table::HEALTHY_SPAN)).await?;
        let both = clients.load("dead-first-", short(table::BLACKHOLE_SPAN)).await?;
        anyhow::Ok((alone, both))
    };
    let (alone, both) = loads.await.map_err(|error| anyhow!("{error:#}\n{}", files.last_words()))?;
    hole.check().await.context("after the load")?;
    Ok((rows(&alone, &both), notes(&alone, &both)))
}

/// A listener whose backlog is full.
struct BlackHole {
    addr: SocketAddr,
    _listener: TcpListener,
    _filling: Vec<TcpStream>,
}

impl BlackHole {
    /// Listens without accepting, and connects until nothing gets in.
    async fn dig() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(1)?;
        let addr = listener.local_addr()?;
        let mut filling = Vec::new();
        // Twice in a row: a machine that stood still for a moment is not full.
        let mut hung = 0;
        while hung < 2 {
            match tokio::time::timeout(HANGS, TcpStream::connect(addr)).await {
                Err(_) => hung += 1,
                Ok(stream) => {
                    hung = 0;
                    filling.push(stream.context("fill the backlog")?);
                }
            }
            if filling.len() > 64 {
                bail!("this system goes on taking connections that nobody accepts: it has no full backlog to measure");
            }
        }
        Ok(Self { addr, _listener: listener, _filling: filling })
    }

    /// That a connection hangs, rather than being made or refused.
    async fn check(&self) -> Result<()> {
        match tokio::time::timeout(HANGS, TcpStream::connect(self.addr)).await {
            Err(_) => Ok(()),
            Ok(Ok(_)) => bail!("the black hole at {} took a connection: nothing was measured", self.addr),
            Ok(Err(error)) => bail!("the black hole at {} refuses: {error}. Nothing was measured", self.addr),
        }
    }
}

/// As many connections as the requests need that are under way.
struct Clients {
    target: Target,
    idle: Mutex<Vec<(Connection, Instant)>>,
    room: Semaphore,
}

/// What a client saw.
struct Seen {
    /// From when the request was due.
    took: Duration,
    /// How many targets the gateway says it tried, or what went wrong.
    attempts: Result<Option<u32>>,
}

impl Clients {
    fn new(addr: SocketAddr) -> Arc<Self> {
        let target = Target { addr, tls: None };
        Arc::new(Self { target, idle: Mutex::default(), room: Semaphore::new(MOST) })
    }

    /// Calls fall due at the table's rate for `span`; done when the last has its answer or its error.
    async fn load(self: &Arc<Self>, prefix: &str, span: Duration) -> Result<Tally> {
        let [whole, streamed] = [Behaviour::Whole, Behaviour::Short].map(|behaviour| {
            let model = format!("{prefix}{}", behaviour.model());
            Call { body: bodies::chat(Kind::Small, &model, behaviour.streams()).into(), behaviour }
        });
        let (tick, mut due) = mpsc::unbounded_channel();
        let clock = std::thread::spawn(move || beat(table::RATE, span, &tick));
        let mut tally = Tally::new()?;
        let mut asked = JoinSet::new();
        let mut number = 0;
        loop {
            tokio::select! {
                biased;
                next = due.recv() => {
                    let Some(due) = next else { break };
                    number += 1;
                    let call = if number % table::STREAMED == 0 { &streamed } else { &whole };
                    asked.spawn(self.clone().ask(call.clone(), due));
                }
                Some(seen) = asked.join_next() => tally.add(seen?)?,
            }
        }
        while let Some(seen) = asked.join_next().await {
            tally.add(seen?)?;
        }
        // It has ended: it let go of the channel.
        clock.join().map_err(|_| anyhow!("the open loop's clock panicked"))?;
        Ok(tally)
    }

    async fn ask(self: Arc<Self>, call: Call, due: Instant) -> Seen {
        let attempts = match tokio::time::timeout(PATIENCE, self.exchange(&call)).await {
            Ok(attempts) => attempts,
            Err(_) => Err(anyhow!("no answer within {} s", PATIENCE.as_secs())),
        };
        Seen { took: due.elapsed(), attempts }
    }

    async fn exchange(&self, call: &Call) -> Result<Option<u32>> {
        let _room = self.room.acquire().await?;
        let mut connection = match self.kept() {
            Some(connection) => connection,
            None => Connection::open(&self.target).await?,
        };
        let timing = connection.exchange(call).await?;
        self.idle().push((connection, Instant::now()));
        Ok(timing.attempts)
    }

    /// The connection that was used last, so that those behind it grow old.
    fn kept(&self) -> Option<Connection> {
        let mut idle = self.idle();
        idle.retain(|(connection, since)| since.elapsed() < KEPT && connection.is_open());
        idle.pop().map(|(connection, _)| connection)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, Instant)>> {
        // Nothing that runs under the lock can leave it half changed.
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// What all clients saw.
struct Tally {
    asked: u64,
    errors: u64,
    first_error: Option<String>,
    /// Tried more than one target, or had an error.
    waited: u64,
    /// Of those.
    longest_wait: Duration,
    /// Took longer than [`table::SLOW`].
    slow: u64,
    /// To the end of the answer or the error, in nanoseconds.
    took: Histogram<u64>,
}

impl Tally {
    fn new() -> Result<Self> {
        let took = Histogram::new(3)?;
        Ok(Self { asked: 0, errors: 0, first_error: None, waited: 0, longest_wait: Duration::ZERO, slow: 0, took })
    }

    fn add(&mut self, seen: Seen) -> Result<()> {
        self.asked += 1;
        // A gateway that did not know the number when its answer began had been trying for long.
        if !matches!(seen.attempts, Ok(Some(1))) {
            self.waited += 1;
            self.longest_wait = self.longest_wait.max(seen.took);
        }
        if let Err(error) = &seen.attempts {
            self.errors += 1;
            self.first_error.get_or_insert_with(|| format!("{error:#}"));
        }
        self.slow += u64::from(seen.took > table::SLOW);
        self.took.record(u64::try_from(seen.took.as_nanos()).unwrap_or(u64::MAX))?;
        Ok(())
    }

    /// Percent of all requests.
    fn share(&self, part: u64) -> f64 {
        part as f64 * 100.0 / self.asked.max(1) as f64
    }

    fn milliseconds(&self, quantile: f64) -> f64 {
        self.took.value_at_quantile(quantile) as f64 / 1e6
    }
}

fn rows(alone: &Tally, both: &Tally) -> Vec<Row> {
    let row = |comparison, title: &str, unit, target, figure| {
        let title = format!("500/s, first target a black hole: {title}");
        Row { target, gateway: vec![figure], ..Row::of_gateway(Section::Blackhole, comparison, title, unit) }
    };
    let (count, itself) = (Comparison::Count, Comparison::Itself);
    let mut rows = vec![
        row(count, "requests", "requests", None, both.asked as f64),
        row(count, "client errors", "errors", Some(0.0), both.errors as f64),
        row(count, "requests that waited on the dead one", "requests", None, both.waited as f64),
        row(itself, "their share", "%", Some(table::WAITED_TARGET), both.share(both.waited)),
        row(itself, "their longest wait", "ms", None, both.longest_wait.as_secs_f64() * 1e3),
        row(itself, "answers slower than 100 ms", "%", None, both.share(both.slow)),
    ];
    for (name, quantile, _) in table::QUANTILES {
        rows.push(row(itself, name, "ms", None, both.milliseconds(quantile)));
        let title = format!("{name} of the same load on the healthy one alone");
        rows.push(row(itself, &title, "ms", None, alone.milliseconds(quantile)));
    }
    rows
}

fn notes(alone: &Tally, both: &Tally) -> Vec<String> {
    let first = |tally: &Tally, load: &str| {
        let error = tally.first_error.as_ref()?;
        Some(format!("{load}: {} of {} clients saw an error, the first: {error}", tally.errors, tally.asked))
    };
    [first(alone, "The healthy target alone"), first(both, "The black hole first")].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(seen: impl IntoIterator<Item = (u64, Result<Option<u32>>)>) -> Tally {
        let mut tally = Tally::new().unwrap();
        for (milliseconds, attempts) in seen {
            tally.add(Seen { took: Duration::from_millis(milliseconds), attempts }).unwrap();
        }
        tally
    }

    #[test]
    fn who_tried_a_second_target_has_waited_and_so_has_who_saw_an_error() {
        let seen = [(1, Ok(Some(1))), (500, Ok(Some(2))), (900, Err(anyhow!("503"))), (20_000, Ok(None))];
        let tally = tally(seen);
        assert_eq!((tally.asked, tally.errors, tally.waited, tally.slow), (4, 1, 3, 3));
        assert_eq!(tally.share(tally.waited), 75.0);
        assert_eq!(tally.longest_wait, Duration::from_secs(20));
        assert_eq!(tally.first_error.as_deref(), Some("503"));
    }

    #[test]
    fn a_slow_answer_of_the_first_target_is_slow_and_has_not_waited() {
        let tally = tally([(101, Ok(Some(1))), (100, Ok(Some(1)))]);
        assert_eq!((tally.waited, tally.slow), (0, 1));
        assert_eq!(tally.longest_wait, Duration::ZERO);
    }

    #[test]
    fn an_error_fails_its_row_and_more_than_one_in_a_hundred_who_waited_theirs() {
        let calm = || (0..198).map(|_| (1, Ok(Some(1))));
        let met = |both: &Tally| -> Vec<_> { rows(both, both).iter().filter_map(Row::met).collect() };
        assert_eq!(met(&tally(calm().chain([(500, Ok(Some(2))), (500, Ok(Some(2)))]))), [true, true]);
        assert_eq!(met(&tally(calm().chain((0..3).map(|_| (500, Ok(Some(2))))))), [true, false]);
        assert_eq!(met(&tally(calm().chain([(500, Err(anyhow!("502")))]))), [false, true]);
    }

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn a_full_backlog_takes_no_connection_and_refuses_none() {
        let hole = BlackHole::dig().await.unwrap();
        hole.check().await.unwrap();
    }
}
