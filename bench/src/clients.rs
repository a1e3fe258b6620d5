//! Clients that open as many connections as their requests need, in an open loop: an error is a figure here, and ends
//! nothing. Called by what measures how a gateway does while something is wrong.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use hdrhistogram::Histogram;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::answers::Behaviour;
use crate::bodies::Kind;
use crate::connection::{Call, Connection, Target};
use crate::load::beat;
use crate::table;

/// Connections of clients; who finds none waits, and the wait counts. Below what ports and descriptors allow.
const MOST_CONNECTIONS: usize = 8_000;
/// A kept connection is not used after this: the gateway closes idle ones after 10 s, which is no error of its own.
const KEPT: Duration = Duration::from_secs(5);

/// Small calls of which every fifth is streamed.
pub fn usual_calls(prefix: &str) -> Vec<Call> {
    let behaviour = |n| if n == table::STREAMED { Behaviour::Short } else { Behaviour::Whole };
    (1..=table::STREAMED).map(|n| Call::new(prefix, Kind::Small, behaviour(n))).collect()
}

/// As many connections as the requests need that are under way.
pub struct Clients {
    target: Target,
    /// A request that has no answer by then is an error.
    answer_within: Duration,
    idle: Mutex<Vec<(Connection, Instant)>>,
    room: Semaphore,
}

/// What a client saw.
pub struct Seen {
    /// From when the request was due.
    pub took: Duration,
    /// How many targets the gateway says it tried, or what went wrong.
    pub attempts: Result<Option<u32>>,
}

impl Clients {
    /// Clients of this address, none connected yet.
    pub fn new(addr: SocketAddr, answer_within: Duration) -> Arc<Self> {
        let target = Target { addr, tls: None };
        Arc::new(Self { target, answer_within, idle: Mutex::default(), room: Semaphore::new(MOST_CONNECTIONS) })
    }

    /// Calls fall due at this rate for `span`, one of `calls` after the other; done when the last has its answer or its
    /// error.
    pub async fn load(self: &Arc<Self>, calls: &[Call], rate: u32, span: Duration) -> Result<Tally> {
        let (tick, mut due) = mpsc::unbounded_channel();
        let clock = std::thread::spawn(move || beat(rate, span, &tick));
        let mut tally = Tally::new()?;
        let mut asked = JoinSet::new();
        let mut next_call = calls.iter().cycle();
        loop {
            tokio::select! {
                biased;
                next = due.recv() => {
                    let Some(due) = next else { break };
                    let call = next_call.next().ok_or_else(|| anyhow!("there is nothing to ask"))?;
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
        let attempts = match tokio::time::timeout(self.answer_within, self.exchange(&call)).await {
            Ok(attempts) => attempts,
            Err(_) => Err(anyhow!("no answer within {} s", self.answer_within.as_secs())),
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
pub struct Tally {
    /// How many calls fell due.
    pub asked: u64,
    /// How many of them had no good answer.
    pub errors: u64,
    /// What the first of these said.
    pub first_error: Option<String>,
    /// Tried more than one target, or had an error.
    pub waited: u64,
    /// Of those.
    pub longest_wait: Duration,
    /// Took longer than [`table::SLOW`].
    pub slow: u64,
    /// To the end of the answer or the error, in nanoseconds.
    took: Histogram<u64>,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Result<Self> {
        let took = Histogram::new(3)?;
        Ok(Self { asked: 0, errors: 0, first_error: None, waited: 0, longest_wait: Duration::ZERO, slow: 0, took })
    }

    /// Counts what one client saw.
    pub fn add(&mut self, seen: Seen) -> Result<()> {
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
    pub fn share(&self, part: u64) -> f64 {
        part as f64 * 100.0 / self.asked.max(1) as f64
    }

    /// This quantile of the time to the answer's end, or to the error.
    pub fn milliseconds(&self, quantile: f64) -> f64 {
        self.took.value_at_quantile(quantile) as f64 / 1e6
    }
}

/// What clients saw: after how many milliseconds, and the attempts that the gateway says it took.
#[cfg(test)]
pub(crate) fn tally(seen: impl IntoIterator<Item = (u64, Result<Option<u32>>)>) -> Tally {
    let mut tally = Tally::new().unwrap();
    for (milliseconds, attempts) in seen {
        tally.add(Seen { took: Duration::from_millis(milliseconds), attempts }).unwrap();
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
