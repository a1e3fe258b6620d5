//! The rows of the table: what is asked, how often, and what was promised for it. Data only; `run` measures it.

use std::time::Duration;

use crate::answers::Behaviour;
use crate::bodies::Kind;

/// A part of the table, as `--only` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Section {
    /// CPU of a 1 KB call, answered whole.
    Whole,
    /// CPU of a 1 MB call of prose.
    Prose,
    /// CPU of a 1 MB call of code full of escapes.
    Code,
    /// CPU of a stream that comes in one burst.
    Burst,
    /// CPU of a stream whose events are 3 ms apart.
    Paced,
    /// Added latency of a whole answer, open loop.
    OpenWhole,
    /// Added latency of a stream's first byte, open loop.
    OpenFirst,
    /// Resident memory.
    Memory,
    /// Time to the first answer.
    Start,
    /// CPU with many active providers, beside one.
    Active,
    /// A list of two targets, of which the first is a black hole.
    Blackhole,
    /// Memory of streams that wait.
    Held,
    /// CPU of what is translated, beside what is passed through.
    Translated,
    /// The most memory while long answers are translated.
    TranslatedMemory,
}

/// A row whose figure is CPU time a request, as a ratio to the floor's.
pub struct CpuRow {
    /// Its name for `--only`.
    pub section: Section,
    /// What it is called in the table.
    pub title: &'static str,
    /// What is sent.
    pub body: Kind,
    /// What is answered.
    pub behaviour: Behaviour,
    /// Requests of one round.
    pub requests: u64,
    /// The ratio promised.
    pub target: f64,
}

/// Connections of a closed loop.
pub const CONNECTIONS: usize = 16;

/// The CPU rows.
pub const CPU: [CpuRow; 5] = [
    CpuRow {
        section: Section::Whole,
        title: "1 KB chat call, whole",
        body: Kind::Small,
        behaviour: Behaviour::Whole,
        requests: 10_000,
        target: 2.0,
    },
    CpuRow {
        section: Section::Prose,
        title: "1 MB of prose, whole",
        body: Kind::Prose,
        behaviour: Behaviour::Whole,
        requests: 500,
        target: 1.8,
    },
    CpuRow {
        section: Section::Code,
        title: "1 MB of code full of escapes, whole",
        body: Kind::Code,
        behaviour: Behaviour::Whole,
        requests: 500,
        target: 2.5,
    },
    CpuRow {
        section: Section::Burst,
        title: "1 KB, 68 events in one burst",
        body: Kind::Small,
        behaviour: Behaviour::Burst,
        requests: 1_000,
        target: 0.35,
    },
    CpuRow {
        section: Section::Paced,
        title: "1 KB, 64 events 3 ms apart",
        body: Kind::Small,
        behaviour: Behaviour::Paced,
        requests: 240,
        target: 1.15,
    },
];

/// A row whose figure is latency added to a direct call, at a fixed rate.
pub struct OpenRow {
    /// Its name for `--only`.
    pub section: Section,
    /// What it is called in the table.
    pub title: &'static str,
    /// What is answered.
    pub behaviour: Behaviour,
    /// True: to the first byte of the body; false: to its end.
    pub first_byte: bool,
}

/// The open-loop rows.
pub const OPEN: [OpenRow; 2] = [
    OpenRow {
        section: Section::OpenWhole,
        title: "500/s, whole answer",
        behaviour: Behaviour::Whole,
        first_byte: false,
    },
    OpenRow {
        section: Section::OpenFirst,
        title: "500/s, first byte of a stream",
        behaviour: Behaviour::Short,
        first_byte: true,
    },
];

/// Requests a second of the open loop.
pub const RATE: u32 = 500;
/// Connections that wait for a due request: enough for a stall of 60 ms.
pub const OPEN_CONNECTIONS: usize = 32;
/// One round of the open loop.
pub const OPEN_SPAN: Duration = Duration::from_secs(4);

/// A quantile of the open loop and the milliseconds it may be above a direct call's.
pub const QUANTILES: [(&str, f64, f64); 2] = [("p50", 0.5, 0.3), ("p99", 0.99, 1.5)];

/// Megabytes (2^20 bytes) an idle gateway may keep resident.
pub const MEMORY_TARGET: f64 = 60.0;
/// Milliseconds from the start of the process to the first 200, with a warm cache.
pub const START_TARGET: f64 = 50.0;
/// How often the start is timed.
pub const STARTS: usize = 10;

/// How long requests fall due while the first of two targets is a black hole.
pub const BLACKHOLE_SPAN: Duration = Duration::from_secs(60);
/// The same load on the healthy target alone, before.
pub const HEALTHY_SPAN: Duration = Duration::from_secs(15);
/// And before that, uncounted.
pub const WARM_UP_SPAN: Duration = Duration::from_secs(1);
/// One request of so many is streamed.
pub const STREAMED: u64 = 5;
/// An answer that took longer is counted, whatever it says of itself.
pub const SLOW: Duration = Duration::from_millis(100);
/// Percent of the requests that may wait on a dead target.
pub const WAITED_TARGET: f64 = 1.0;

/// A row whose figure is what each of many waiting streams adds to the resident memory.
pub struct HeldRow {
    /// Over TLS and HTTP/2, or by plain HTTP/1.1.
    pub tls: bool,
    /// What is held, as the row's title goes on after the number.
    pub title: &'static str,
    /// The component that serves it: built in, or one of the tests'.
    pub provider: &'static str,
    /// What the upstream does until it lets them go.
    pub behaviour: Behaviour,
    /// What is sent.
    pub body: Kind,
    /// How many at once.
    pub streams: u64,
    /// How many of them are opened at once.
    pub opened_at_once: usize,
    /// Kilobytes (1,024 bytes) that were promised for each.
    pub target: f64,
}

/// The provider that is built in; every other is a component of the tests.
pub const BUILT_IN: &str = "openai";

/// The held streams. 9,000 take 18,000 file descriptors of a proxy over HTTP/1.1, which is what common limits allow.
/// Rewriters are as many as one component may have: three quarters of `REWRITERS` in `crates/plugin/src/engine.rs`.
pub const HELD: [HeldRow; 4] = [
    HeldRow { streams: 9_000, ..PASSED_THROUGH },
    HeldRow {
        title: "with an event every 0.2 s",
        behaviour: Behaviour::Tick,
        body: Kind::Small,
        streams: 1_000,
        opened_at_once: 1_000,
        ..PASSED_THROUGH
    },
    HeldRow { title: "through a rewriter", provider: "rewriting", streams: 576, target: 150.0, ..PASSED_THROUGH },
    HeldRow { tls: true, streams: 10_000, ..PASSED_THROUGH },
];

/// What most of them have in common.
pub const PASSED_THROUGH: HeldRow = HeldRow {
    tls: false,
    title: "passed through",
    provider: BUILT_IN,
    behaviour: Behaviour::Hold,
    body: Kind::Turns,
    streams: 0,
    opened_at_once: 64,
    target: 40.0,
};
