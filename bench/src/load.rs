//! The load generator: many connections, driven in a closed loop (each sends when its last answer is read) or an
//! open one (requests fall due at a fixed rate, whether or not answers come). Called by `run` and the `load` command.
//! It shares two cores with what it measures, so it runs on one thread and does nothing but send, read and count.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::connection::{Call, Connection, Target, Timing};

/// A section that takes longer hangs.
const SECTION_LIMIT: Duration = Duration::from_secs(120);

/// How long a closed loop goes on.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// This many requests were sent.
    Requests(u64),
    /// This long has passed; requests under way are finished.
    Elapsed(Duration),
}

/// What a loop measured.
pub struct Outcome {
    /// Requests answered.
    pub requests: u64,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// To the first byte of the body, in nanoseconds.
    pub first: Histogram<u64>,
    /// To the end of the body, in nanoseconds.
    pub whole: Histogram<u64>,
}

/// Open connections to one target, with the call they send.
pub struct Fleet {
    target: Target,
    connections: Vec<Connection>,
    call: Arc<Call>,
}

impl Fleet {
    /// Opens `size` connections.
    pub async fn open(target: &Target, call: Call, size: usize) -> Result<Self> {
        let mut connections = Vec::with_capacity(size);
        for _ in 0..size {
            connections.push(Connection::open(target).await?);
        }
        Ok(Self { target: target.clone(), connections, call: Arc::new(call) })
    }

    /// Opens connections anew that were closed while others had their turn, and uses each once: idle ones do not live long.
    pub async fn refresh(&mut self) -> Result<()> {
        for connection in &mut self.connections {
            if !connection.is_open() {
                *connection = Connection::open(&self.target).await?;
            }
        }
        let each = self.connections.len() as u64;
        self.closed(Until::Requests(each)).await.map(drop)
    }

    /// Every connection sends again as soon as its answer is read. Latencies count from the send.
    pub async fn closed(&mut self, until: Until) -> Result<Outcome> {
        let sent = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        self.drive(move |mut connection, call, record| {
            let sent = sent.clone();
            async move {
                while until.admits(&sent, start) {
                    let from = Instant::now();
                    let timing = connection.exchange(&call).await?;
                    record.add(from, &timing)?;
                }
                Ok(connection)
            }
        })
        .await
    }

    /// `rate` requests a second fall due, for `span`. A request goes out on an idle connection; if there is none it
    /// waits, and its latency counts from when it was due, so that a stall is charged to all whom it delayed
    /// (no coordinated omission).
    pub async fn open_loop(&mut self, rate: u32, span: Duration) -> Result<Outcome> {
        let (tick, due) = mpsc::unbounded_channel();
        let due = Arc::new(tokio::sync::Mutex::new(due));
        let clock = std::thread::spawn(move || beat(rate, span, &tick));
        let outcome = self
            .drive(move |mut connection, call, record| {
                let due = due.clone();
                async move {
                    loop {
                        let next = due.lock().await.recv().await;
                        let Some(from) = next else {
                            return Ok(connection);
                        };
                        let timing = connection.exchange(&call).await?;
                        record.add(from, &timing)?;
                    }
                }
            })
            .await;
        // It ends by itself: when the span is over, or when nobody listens any more.
        clock.join().map_err(|_| anyhow!("the open loop's clock panicked"))?;
        outcome
    }

    /// Runs one task for each connection and puts the connections back. The first error ends all.
    async fn drive<W, F>(&mut self, work: W) -> Result<Outcome>
    where
        W: Fn(Connection, Arc<Call>, Record) -> F,
        F: Future<Output = Result<Connection>> + Send + 'static,
    {
        let record = Record::new()?;
        let start = Instant::now();
        let mut tasks = JoinSet::new();
        for connection in self.connections.drain(..) {
            tasks.spawn(work(connection, self.call.clone(), record.clone()));
        }
        let all = async {
            while let Some(done) = tasks.join_next().await {
                self.connections.push(done??);
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(SECTION_LIMIT, all)
            .await
            .with_context(|| format!("no end after {} s", SECTION_LIMIT.as_secs()))??;
        record.finish(start.elapsed())
    }
}

impl Until {
    fn admits(self, sent: &AtomicU64, start: Instant) -> bool {
        match self {
            Self::Requests(count) => sent.fetch_add(1, Relaxed) < count,
            Self::Elapsed(span) => start.elapsed() < span,
        }
    }
}

/// Hands out due times until the span is over or nobody listens. A thread of its own, because the runtime's timers are a millisecond coarse, which is more
/// than what is measured.
pub fn beat(rate: u32, span: Duration, tick: &mpsc::UnboundedSender<Instant>) {
    #[cfg(target_os = "linux")]
    {
        // Threads wake up to 50 µs late by default. If it is refused, both sides are measured that late.
        let _ = nix::sys::prctl::set_timerslack(1);
    }
    let interval = Duration::from_secs(1) / rate;
    let start = Instant::now() + interval;
    let count = (span.as_secs_f64() * f64::from(rate)) as u32;
    for beat in 0..count {
        let due = start + interval * beat;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if tick.send(due).is_err() {
            return;
        }
    }
}

/// Both histograms, shared by the tasks of one thread: the lock is never contended.
#[derive(Clone)]
struct Record(Arc<Mutex<(Histogram<u64>, Histogram<u64>)>>);

impl Record {
    fn new() -> Result<Self> {
        // Three significant digits; grows to what it is given.
        let histograms = (Histogram::new(3)?, Histogram::new(3)?);
        Ok(Self(Arc::new(Mutex::new(histograms))))
    }

    fn add(&self, from: Instant, timing: &Timing) -> Result<()> {
        let mut histograms = self.0.lock().map_err(|_| anyhow!("a load task panicked"))?;
        histograms.0.record(nanoseconds(from, timing.first))?;
        histograms.1.record(nanoseconds(from, timing.end))?;
        Ok(())
    }

    fn finish(self, elapsed: Duration) -> Result<Outcome> {
        let histograms = self.0.lock().map_err(|_| anyhow!("a load task panicked"))?;
        let (first, whole) = histograms.clone();
        Ok(Outcome { requests: whole.len(), elapsed, first, whole })
    }
}

fn nanoseconds(from: Instant, to: Instant) -> u64 {
    u64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_a_known_series_are_right_to_three_digits() {
        let record = Record::new().unwrap();
        let from = Instant::now();
        for step in 1..=1000 {
            let [first, end] = [step, step * 2].map(|micros| from + Duration::from_micros(micros));
            let timing = Timing { first, end, attempts: None };
            record.add(from, &timing).unwrap();
        }
        let outcome = record.finish(Duration::from_secs(1)).unwrap();
        let close = |got: u64, want: u64| got.abs_diff(want) <= want / 500;
        assert_eq!(outcome.requests, 1000);
        assert!(close(outcome.first.value_at_quantile(0.5), 500_000));
        assert!(close(outcome.first.value_at_quantile(0.99), 990_000));
        assert!(close(outcome.whole.value_at_quantile(0.5), 1_000_000));
    }

    #[test]
    fn a_count_admits_exactly_that_many() {
        let sent = AtomicU64::new(0);
        let admitted = (0..20).filter(|_| Until::Requests(7).admits(&sent, Instant::now())).count();
        assert_eq!(admitted, 7);
    }

    #[test]
    fn due_times_are_evenly_spaced_whenever_the_thread_wakes() {
        let (tick, mut due) = mpsc::unbounded_channel();
        beat(1000, Duration::from_millis(20), &tick);
        drop(tick);
        let times: Vec<_> = std::iter::from_fn(|| due.blocking_recv()).collect();
        assert_eq!(times.len(), 20);
        for pair in times.windows(2) {
            assert_eq!(pair[1] - pair[0], Duration::from_millis(1));
        }
    }
}
