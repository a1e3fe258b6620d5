//! The abuses, by name: what each needs of its gateway, who its calm client is, and what it does. Data and dispatch; the
//! abuses themselves are in the files beside this one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::bodies::{self, BEYOND, Coding, WITHIN};
use super::scene::{Post, Scene};
use super::{Options, connections, corpus};
use crate::answers::Behaviour;
use crate::bodies::Kind;
use crate::child::{Gateway, Program};
use crate::clients::usual_calls;
use crate::connection::Call;
use crate::table::BUILT_IN;

/// How long an answer may be silent, and how long it may take, where nobody reads it.
const IDLE: Duration = Duration::from_secs(3);
/// See [`IDLE`].
const TOTAL: Duration = Duration::from_secs(6);
/// File descriptors of a process where nobody has raised the limit.
const FEW: u32 = 1024;

/// Between two calls of a client with foreign headers.
const HALF_A_SECOND: Duration = Duration::from_millis(500);
/// How long the component `sleeping` sleeps.
const NAP: Duration = Duration::from_secs(4);

/// An abuse, as `--only` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Abuse {
    /// 2,000 connections that say nothing.
    Silent,
    /// 2,000 connections that say one byte.
    OneByte,
    /// 2,000 connections that send half a head.
    HalfHead,
    /// 2,000 connections that send the preface of HTTP/2 and no more.
    Preface,
    /// 2,000 connections that say nothing, where a process may have 1,024 descriptors.
    FewDescriptors,
    /// 200 clients that send bombs far beyond the limit of a body.
    Bombs,
    /// 200 clients that send bombs just within it.
    WholeBombs,
    /// 200 clients that send such bombs and then drip.
    HeldBombs,
    /// 50 clients whose bodies drip.
    Drips,
    /// A log that nobody reads.
    LogPipe,
    /// 20 clients that never read their stream.
    NeverRead,
    /// Bodies of a million members or rows, for `openai`.
    MembersOpenai,
    /// The same for `openai-codex`.
    MembersCodex,
    /// Bodies of 20,000 unknown members for `openai-codex`.
    FewerMembersCodex,
    /// The same million for a component that rewrites.
    MembersRewriting,
    /// A component that selects 100,000 rows × 1,000 fields.
    FloodSelect,
    /// A component that adds 50,000 members.
    FloodPatch,
    /// A component that moves 20,000 rows.
    FloodMoves,
    /// A component that doubles an array 20 times.
    FloodDoubles,
    /// A component that reads without an end.
    FloodReads,
    /// A component that logs without an end.
    FloodLogs,
    /// A component that makes a thousand events and lines of each event.
    FloodPushes,
    /// A component whose failures are megabytes.
    FloodFailure,
    /// A component that sleeps by WASI, 400 calls of it at once.
    Sleeps,
    /// A component that loops.
    Loops,
    /// A component that takes all memory it can get.
    Grows,
    /// A client whose own header makes the provider refuse it, twice a second.
    ForeignHeaders,
    /// Six such calls at once, twice a second.
    ForeignBursts,
    /// Models with names of 20 MB.
    LongNames,
    /// All that `tests/hostile` holds: a component's behaviours, several at once, in a folder full of those that must not load.
    Corpus,
    /// Clients that vanish without a word; needs network namespaces.
    Vanished,
}

impl Abuse {
    /// What the table calls it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Silent => "2,000 silent connections",
            Self::OneByte => "2,000 connections with one byte",
            Self::HalfHead => "2,000 connections with half a head",
            Self::Preface => "2,000 connections with an HTTP/2 preface",
            Self::FewDescriptors => "2,000 silent connections, 1,024 descriptors",
            Self::Bombs => "200 bombs of 512 MiB (gzip, br, zstd)",
            Self::WholeBombs => "200 bombs of 62 MiB",
            Self::HeldBombs => "200 bombs of 62 MiB that then drip",
            Self::Drips => "50 dripped bodies",
            Self::LogPipe => "a log that nobody reads",
            Self::NeverRead => "20 readers that never read",
            Self::MembersOpenai => "a million members or rows, openai",
            Self::MembersCodex => "a million members or rows, openai-codex",
            Self::FewerMembersCodex => "20,000 unknown members, openai-codex",
            Self::MembersRewriting => "a million members or rows, a rewriter",
            Self::FloodSelect => "a component: 100,000 rows × 1,000 fields",
            Self::FloodPatch => "a component: 50,000 members added",
            Self::FloodMoves => "a component: 20,000 rows moved",
            Self::FloodDoubles => "a component: an array doubled 20 times",
            Self::FloodReads => "a component: reads without an end",
            Self::FloodLogs => "a component: logs without an end",
            Self::FloodPushes => "a component: 1,000 events and lines an event",
            Self::FloodFailure => "a component: failures of megabytes",
            Self::Sleeps => "a component: sleeps by WASI, 400 calls",
            Self::Loops => "a component: loops",
            Self::Grows => "a component: takes memory",
            Self::ForeignHeaders => "a client with a foreign organization, 2/s",
            Self::ForeignBursts => "6 clients with a foreign organization, 2/s each",
            Self::LongNames => "model names of 20 MB",
            Self::Corpus => "the hostile corpus, 4 at once",
            Self::Vanished => "200 clients that vanish without a FIN",
        }
    }

    /// The gateway that it is done to.
    pub fn gateway(self, program: Program, options: &Options, upstream: SocketAddr) -> Result<Gateway> {
        let (gateway, components) = (Gateway::new(program, upstream, None)?, options.components.as_path());
        let component = |gateway: Gateway, id: &str| gateway.with_component(components, id, upstream);
        match self {
            Self::FewDescriptors => Ok(gateway.with_descriptors(FEW)),
            Self::NeverRead => {
                let limits = json!({ "idle_ms": IDLE.as_millis() as u64, "total_ms": TOTAL.as_millis() as u64 });
                Ok(gateway.with_provider(BUILT_IN, "timeouts", limits))
            }
            Self::MembersCodex | Self::FewerMembersCodex => gateway.with_codex(upstream),
            Self::MembersRewriting => component(gateway, "rewriting"),
            Self::Sleeps => component(gateway, "sleeping"),
            Self::Corpus => corpus::fill(component(gateway, "hostile")?, &options.corpus),
            Self::FloodSelect
            | Self::FloodPatch
            | Self::FloodMoves
            | Self::FloodDoubles
            | Self::FloodReads
            | Self::FloodLogs
            | Self::FloodPushes
            | Self::FloodFailure
            | Self::Loops
            | Self::Grows => component(gateway, "hostile"),
            _ => Ok(gateway),
        }
    }

    /// What the calm client asks for. Where one client's body is another's harm it is of the same provider.
    pub fn calm_calls(self) -> Vec<Call> {
        let mut calls = usual_calls("openai:");
        match self {
            Self::MembersCodex | Self::FewerMembersCodex => {
                let codex = Call::new("openai-codex:", Kind::Small, Behaviour::Responses);
                calls.extend(vec![codex; calls.len()]);
            }
            // What is rewritten is a stream: the rig's upstream answers with a document wherever none was asked for.
            Self::MembersRewriting => {
                let stream = Call::new("rewriting:", Kind::Small, Behaviour::Short);
                calls.extend(vec![stream; calls.len()]);
            }
            _ => {}
        }
        calls
    }

    /// Makes what it will send: that takes time, and is nobody's harm.
    pub fn prepare(self, options: &Options) -> Result<Prepared> {
        let all_codings = |size| Coding::ALL.into_iter().map(|coding| coding.bomb(size)).collect::<Result<Vec<_>>>();
        let hostile = |deed| vec![bodies::hostile(deed)];
        let posts = match self {
            Self::Bombs => all_codings(BEYOND)?,
            Self::WholeBombs | Self::HeldBombs => all_codings(WITHIN)?,
            Self::Drips => vec![bodies::dripping()],
            Self::MembersOpenai => bodies::millions("openai:", Behaviour::Whole).to_vec(),
            Self::MembersCodex => bodies::millions("openai-codex:", Behaviour::Responses).to_vec(),
            Self::FewerMembersCodex => bodies::many_members("openai-codex:", Behaviour::Responses).to_vec(),
            Self::MembersRewriting => bodies::millions("rewriting:", Behaviour::Short).to_vec(),
            Self::FloodSelect => hostile("flood-find"),
            Self::FloodPatch => hostile("flood-patch"),
            Self::FloodMoves => hostile("flood-moves"),
            Self::FloodDoubles => hostile("flood-doubles"),
            Self::FloodReads => hostile("flood-reads"),
            Self::FloodLogs => hostile("flood-logs"),
            Self::FloodFailure => hostile("flood-failure"),
            Self::Loops => hostile("loop"),
            Self::Grows => hostile("grow"),
            Self::Sleeps => {
                let call = crate::bodies::chat(Kind::Small, "sleeping:bench-whole", false);
                vec![Post::new(Behaviour::Whole.path(), call)]
            }
            Self::FloodPushes => vec![bodies::hostile_stream("flood-pushes")],
            Self::LongNames => bodies::long_names().to_vec(),
            Self::ForeignHeaders | Self::ForeignBursts => vec![bodies::foreign()],
            Self::Corpus => corpus::calls(&options.corpus)?,
            _ => Vec::new(),
        };
        Ok(Prepared { abuse: self, posts: posts.into() })
    }
}

/// An abuse with what it sends.
#[derive(Clone)]
pub struct Prepared {
    abuse: Abuse,
    posts: Arc<[Post]>,
}

impl Prepared {
    /// Does it for as long as it is awaited.
    pub async fn commit(self, scene: Arc<Scene>) -> Result<()> {
        let Self { abuse, posts } = self;
        match abuse {
            Abuse::Silent | Abuse::FewDescriptors => connections::silent(&scene, 2_000, connections::NOTHING).await,
            Abuse::OneByte => connections::silent(&scene, 2_000, connections::ONE_BYTE).await,
            Abuse::HalfHead => connections::silent(&scene, 2_000, connections::HALF_A_HEAD).await,
            Abuse::Preface => connections::silent(&scene, 2_000, connections::PREFACE).await,
            Abuse::Bombs | Abuse::WholeBombs => bodies::bombs(&scene, 200, posts).await,
            Abuse::HeldBombs => bodies::drips(&scene, 200, posts, 20).await,
            Abuse::Drips => bodies::drips(&scene, 50, posts, 100_000).await,
            Abuse::NeverRead => connections::never_read(&scene, 20).await,
            Abuse::ForeignHeaders => bodies::paced(&scene, 1, HALF_A_SECOND, posts).await,
            Abuse::ForeignBursts => bodies::paced(&scene, 6, HALF_A_SECOND, posts).await,
            Abuse::FewerMembersCodex => bodies::bombs(&scene, 8, posts).await,
            // What nobody reads is written by the calm client's calls, and by many more.
            Abuse::LogPipe => {
                let call = crate::bodies::chat(Kind::Small, "openai:bench-whole", false);
                let posts = [Post::new(Behaviour::Whole.path(), call)];
                bodies::bombs(&scene, 4, posts.into()).await
            }
            // No oftener than they could if each slept as long as it asks for: what is abused is the time, not the load.
            Abuse::Sleeps => bodies::paced(&scene, 400, NAP, posts).await,
            Abuse::LongNames => bodies::bombs(&scene, 1, posts).await,
            Abuse::Corpus => corpus::play(&scene, posts).await,
            Abuse::Vanished => connections::vanish(&scene, 200).await,
            _ => bodies::bombs(&scene, 2, posts).await,
        }
    }

    /// What must be true while it goes on, beside what is asked of every row; answers what is not.
    pub async fn faults(&self, upstream: SocketAddr) -> Result<Vec<String>> {
        let ends = match self.abuse {
            Abuse::NeverRead => TOTAL + Duration::from_secs(5),
            Abuse::Vanished => connections::FORGOTTEN,
            _ => return Ok(Vec::new()),
        };
        Ok(connections::still_sent(upstream, ends).await?.into_iter().collect())
    }
}
