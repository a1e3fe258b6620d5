//! What a stream costs while nothing happens on it: many are opened, each after its first event, and the resident memory
//! is read while they wait. Called by `run`. Afterwards the upstream ends them all: who does not read the end was not
//! held, whatever the memory says. Streams that cannot be opened are counted, and after some the rest is not tried.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Incoming;
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::accounting::{kernel, resident};
use crate::answers::DONE;
use crate::child::{Child, Gateway, Program};
use crate::connection::{Call, Connection, Target};
use crate::report::{Comparison, Row};
use crate::table::{BUILT_IN, HeldRow, Section};
use crate::tls;

/// A stream whose first event has not come by then is not held.
const OPENS: Duration = Duration::from_secs(10);
/// After so many failures the rest is not tried: they would fail as well, one deadline after the other.
const GIVE_UP: u64 = 64;
/// From the release until the last stream has ended.
const ENDS: Duration = Duration::from_secs(60);
/// Streams that are held and ended before anything counts.
const WARM_UP: u64 = 1;
/// File descriptors of a proxy that are no stream's.
const SPARE: u64 = 500;
/// What the first event says, and no heartbeat or preamble does.
const FIRST: &[u8] = br#"{"content":"wait"}"#;

/// Holds the row's streams through the gateway, and, where the floor can, through the floor. `descriptors` is how many
/// a process may have.
pub async fn measure(
    row: &HeldRow,
    streams: u64,
    program: Program,
    components: &Path,
    descriptors: Option<u64>,
) -> Result<(Vec<Row>, Vec<String>)> {
    let title = format!("{streams} streams {}, held", row.title);
    // An HTTP/2 connection to the upstream carries a hundred streams or more; an HTTP/1.1 connection is one stream's.
    let needed = if row.tls { streams + streams / 50 } else { 2 * streams } + SPARE;
    if let Some(limit) = descriptors.filter(|&limit| limit < needed) {
        let note = format!(
            "{title}: not measured. It takes {needed} file descriptors and the limit is {limit}: see `ulimit -H -n`."
        );
        return Ok((rows(row, &title, streams, None, None), vec![note]));
    }
    let files = TempDir::with_prefix("bitrouter-bench-")?;
    let ca = row.tls.then(|| files.path().join("ca.pem"));
    let upstream = Child::upstream(ca.as_deref())?;
    let behind = Target { addr: upstream.addr, tls: ca.as_deref().map(tls::client_http2).transpose()? };

    let mut gateway_files = Gateway::new(program, upstream.addr, ca.as_deref())?;
    if row.provider != BUILT_IN {
        gateway_files = gateway_files.with_component(components, row.provider, upstream.addr)?;
    }
    let prefix = match gateway_files.model_prefix() {
        "" => String::new(),
        _ => format!("{}:", row.provider),
    };
    let (gateway, _) = gateway_files.start()?;
    let gateway = hold(&gateway, &prefix, row, streams, &behind).await;
    let gateway = gateway.map_err(|error| anyhow!("{error:#}\n{}", gateway_files.last_words()))?;
    // The floor has one HTTP/2 connection, and no rewriter.
    let floor = match row.tls || row.provider != BUILT_IN {
        true => None,
        false => Some(hold(&Child::floor(upstream.addr, None)?, "", row, streams, &behind).await?),
    };
    let mut notes = vec![gateway.note(&title, "gateway", streams)];
    notes.extend(floor.as_ref().map(|floor| floor.note(&title, "floor", streams)));
    Ok((rows(row, &title, streams, Some(&gateway), floor.as_ref()), notes))
}

/// What came of holding streams through one process.
#[derive(Default)]
struct Held {
    /// Opened.
    held: u64,
    /// Of those, how many were read to their end after the release.
    alive: u64,
    /// How many the upstream let go.
    released: usize,
    /// Resident memory before and while they were held, in bytes.
    resident: Option<(u64, u64)>,
    /// What the kernel's own memory grew by meanwhile.
    kernel: Option<i64>,
    first_error: Option<String>,
}

/// Holds `streams` through `proxy`, measures, and lets them end.
async fn hold(proxy: &Child, prefix: &str, row: &HeldRow, streams: u64, upstream: &Target) -> Result<Held> {
    let call = Call::new(prefix, row.body, row.behaviour);
    let target = Target { addr: proxy.addr, tls: None };

    let warm_up = open(&target, &call, WARM_UP, 1).await?;
    if let Some(error) = warm_up.first_error {
        bail!("no stream could be held: {error}");
    }
    Connection::open(upstream).await?.release().await?;
    end(warm_up.streams).await.1.map_or(Ok(()), |error| bail!("a stream did not end: {error}"))?;

    let before = settled(proxy.pid()).await;
    let kernel_before = kernel();
    let Opened { streams: opened, first_error } = open(&target, &call, streams, row.opened_at_once).await?;
    let during = settled(proxy.pid()).await;
    let kernel = kernel().zip(kernel_before).map(|(now, before)| now.cast_signed() - before.cast_signed());
    let held = opened.len() as u64;
    let released = Connection::open(upstream).await?.release().await?;
    let (alive, cut) = end(opened).await;
    let first_error = first_error.or(cut);
    Ok(Held { held, alive, released, resident: before.zip(during), kernel, first_error })
}

/// A stream after its first event.
struct Stream {
    body: Incoming,
    /// Closed when it is dropped.
    _connection: Connection,
}

struct Opened {
    streams: Vec<Stream>,
    first_error: Option<String>,
}

/// Opens this many streams, some at a time.
async fn open(target: &Target, call: &Call, count: u64, at_once: usize) -> Result<Opened> {
    let (next, failures) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut workers = JoinSet::new();
    for _ in 0..at_once {
        let (target, call, next, failures) = (target.clone(), call.clone(), next.clone(), failures.clone());
        workers.spawn(async move {
            let (mut streams, mut first_error) = (Vec::new(), None);
            while failures.load(Relaxed) < GIVE_UP && next.fetch_add(1, Relaxed) < count {
                match begin(&target, &call).await {
                    Ok(stream) => streams.push(stream),
                    Err(error) => {
                        failures.fetch_add(1, Relaxed);
                        first_error.get_or_insert_with(|| format!("{error:#}"));
                    }
                }
            }
            (streams, first_error)
        });
    }
    let mut opened = Opened { streams: Vec::new(), first_error: None };
    while let Some(worker) = workers.join_next().await {
        let (streams, error) = worker?;
        opened.streams.extend(streams);
        opened.first_error = opened.first_error.or(error);
    }
    Ok(opened)
}

/// Sends the call on a connection of its own and reads the first event.
async fn begin(target: &Target, call: &Call) -> Result<Stream> {
    let opening = async {
        let mut connection = Connection::open(target).await?;
        let response = connection.send(call).await?;
        let status = response.status();
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(frame) = body.frame().await {
            text.extend_from_slice(frame?.data_ref().map_or(&[], |data| data));
            if status == StatusCode::OK && text.windows(FIRST.len()).any(|window| window == FIRST) {
                return Ok(Stream { body, _connection: connection });
            }
        }
        bail!("answered {status}: {}", String::from_utf8_lossy(&text))
    };
    match timeout(OPENS, opening).await {
        Ok(stream) => stream,
        Err(_) => bail!("no first event within {} s", OPENS.as_secs()),
    }
}

/// Reads all to their end; how many had one, and what happened to the first that had not.
async fn end(streams: Vec<Stream>) -> (u64, Option<String>) {
    let deadline = Instant::now() + ENDS;
    let (mut alive, mut first_error) = (0, None);
    for stream in streams {
        let rest = async { stream.body.collect().await.map(|rest| rest.to_bytes()) };
        let ended = timeout_at(deadline, rest).await;
        let error = match ended {
            Ok(Ok(rest)) if rest.ends_with(DONE) => {
                alive += 1;
                continue;
            }
            Ok(Ok(_)) => "a held stream ended without [DONE]".to_owned(),
            Ok(Err(error)) => format!("a held stream broke off: {:#}", anyhow!(error)),
            Err(_) => format!("a held stream had not ended {} s after the upstream did", ENDS.as_secs()),
        };
        first_error.get_or_insert(error);
    }
    (alive, first_error)
}

/// The resident memory once it stands still: what was freed is given back with some delay.
async fn settled(pid: u32) -> Option<u64> {
    const PAUSE: Duration = Duration::from_millis(500);
    const STILL: usize = 4;
    let mut last = resident(pid)?;
    let mut still = 0;
    for _ in 0..40 {
        tokio::time::sleep(PAUSE).await;
        let now = resident(pid)?;
        still = if now.abs_diff(last) <= last / 500 { still + 1 } else { 0 };
        last = now;
        if still == STILL {
            break;
        }
    }
    Some(last)
}

impl Held {
    /// Kilobytes for each; `None` where it was not measured.
    fn each(&self) -> Option<f64> {
        let (before, during) = self.resident?;
        (self.held > 0).then(|| (during as f64 - before as f64) / 1024.0 / self.held as f64)
    }

    fn note(&self, title: &str, proxy: &str, streams: u64) -> String {
        let megabytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let mut note = format!("{title}, {proxy}: held {} of {streams}, alive {} of {0}", self.held, self.alive);
        note += &format!("; the upstream let go of {}", self.released);
        if let (Some((before, during)), Some(each)) = (self.resident, self.each()) {
            let (before, during) = (megabytes(before), megabytes(during));
            note += &format!("; resident {before:.1} MB before, {during:.1} MB with them, {each:.1} KB each");
        }
        if let Some(kernel) = self.kernel {
            let each = kernel as f64 / 1024.0 / self.held.max(1) as f64;
            note += &format!("; the kernel's slab grew by {each:.1} KB each, all processes together");
        }
        if let Some(error) = &self.first_error {
            note += &format!("; the first error: {error}");
        }
        note + "."
    }
}

/// Two rows: how many were lost, and what each cost, which is a figure only where none was.
fn rows(row: &HeldRow, title: &str, streams: u64, gateway: Option<&Held>, floor: Option<&Held>) -> Vec<Row> {
    let lost = |held: Option<&Held>| held.map(|held| (streams - held.alive) as f64).into_iter().collect();
    let each =
        |held: Option<&Held>| held.filter(|held| held.alive == streams).and_then(Held::each).into_iter().collect();
    let new =
        |comparison, what: &str, unit| Row::of_gateway(Section::Held, comparison, format!("{title}: {what}"), unit);
    vec![
        Row {
            target: Some(0.0),
            floor: lost(floor),
            gateway: lost(gateway),
            ..new(Comparison::Count, "not held to the end", "streams")
        },
        Row {
            target: Some(row.target),
            floor: each(floor),
            gateway: each(gateway),
            ..new(Comparison::Itself, "resident memory of each", "KB")
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answers::Behaviour;
    use crate::bodies::Kind;
    use crate::table::PASSED_THROUGH;

    const ROW: HeldRow = HeldRow { streams: 10, ..PASSED_THROUGH };

    fn held(held: u64, alive: u64, grew_by: u64) -> Held {
        Held { held, alive, resident: Some((50 << 20, (50 << 20) + grew_by)), ..Held::default() }
    }

    #[test]
    fn what_each_stream_costs_is_the_growth_over_all_of_them() {
        let rows = rows(&ROW, "10 streams", 10, Some(&held(10, 10, 350 << 10)), None);
        assert_eq!(rows[0].gateway, [0.0]);
        assert_eq!(rows[1].gateway, [35.0]);
        assert_eq!((rows[0].met(), rows[1].met()), (Some(true), Some(true)));
    }

    #[test]
    fn kept_request_bodies_miss_the_target() {
        let kept = Kind::Turns.size() as u64 + (8 << 10);
        let rows = rows(&ROW, "10 streams", 10, Some(&held(10, 10, 10 * kept)), None);
        assert_eq!(rows[1].met(), Some(false));
    }

    #[test]
    fn streams_that_were_lost_fail_their_row_and_leave_no_figure_of_memory() {
        for lost in [held(9, 9, 9 << 10), held(10, 9, 10 << 10), held(0, 0, 0)] {
            let rows = rows(&ROW, "10 streams", 10, Some(&lost), None);
            assert_eq!((rows[0].met(), rows[1].met()), (Some(false), None));
            assert!(rows[1].gateway.is_empty());
        }
    }

    #[test]
    fn what_was_not_measured_is_no_pass() {
        let rows = rows(&ROW, "10 streams", 10, None, None);
        assert!(rows.iter().all(|row| row.met().is_none()));
    }

    #[test]
    fn the_first_event_is_the_one_that_is_waited_for() {
        let first = Behaviour::Hold.first();
        assert!(first.windows(FIRST.len()).any(|window| window == FIRST));
    }
}
