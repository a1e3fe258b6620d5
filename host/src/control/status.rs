//! What a running gateway shows of itself: one document, JSON on the control socket and in `status --json`.
//!
//! Members may be added, none is renamed; a reader takes what it knows. Nothing in it is secret.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bitrouter_credential::AccountError;
use bitrouter_files::Timestamp;
use bitrouter_plugin::{Origin, Plugin, Refused};
use bitrouter_route::Window;
use bitrouter_route::cooldown::Cooling;
use serde::{Deserialize, Serialize};

use super::reload::InForce;
use crate::app::App;
use crate::route::Provider;
use crate::telemetry::{self, LastError, Phase, UnderWay};

/// A gateway at one moment. Times are RFC 3339, durations what their names say.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// The program's.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Whether it takes requests.
    pub state: GatewayState,
    /// When it was started.
    pub started_at: String,
    /// How long ago that is.
    pub uptime_seconds: u64,
    /// Where clients reach it.
    pub listening: Vec<SocketAddr>,
    /// What it runs with.
    pub config: ConfigInForce,
    /// Every account of every provider that is on, in the order in which they are used.
    pub accounts: Vec<Account>,
    /// What is not asked for a while, and why.
    pub cooldowns: Vec<Cooldown>,
    /// Components that rest because they were over their budget again and again.
    pub quarantined: Vec<QuarantinedComponent>,
    /// Components that do not serve.
    pub refused: Vec<Refused>,
    /// The builds that serve of the components which are not built in.
    pub components: Vec<ServingComponent>,
    /// How many components are still being loaded.
    pub loading: usize,
    /// The connections of clients.
    pub connections: Share,
    /// The memory that the bodies of requests hold, in bytes.
    pub bodies: Share,
    /// Lines that the log lacks because nobody read it for a while.
    pub log_lines_dropped: u64,
    /// Requests under way, the oldest first.
    pub requests: Vec<RequestUnderWay>,
    /// The last requests that failed, the newest last.
    pub errors: Vec<FailedRequest>,
}

/// A component that serves, as this gateway has it: its file may be another by now.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServingComponent {
    /// The provider's id.
    pub id: String,
    /// Its own version.
    pub version: String,
    /// SHA-256 of what serves, in hex.
    pub sha256: String,
    /// The file that it came from.
    pub file: String,
    /// Whether it is accepted.
    pub trusted: bool,
    /// What is worth saying where it is another build than the accepted one.
    pub notice: Option<String>,
}

impl ServingComponent {
    fn of(plugin: &Plugin) -> Self {
        ServingComponent {
            id: plugin.id.to_string(),
            version: plugin.says.version.clone(),
            sha256: plugin.digest.as_str().to_owned(),
            file: plugin.file(),
            trusted: plugin.trusted,
            notice: plugin.notice.as_deref().map(str::to_owned),
        }
    }
}

/// How much of something is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Share {
    /// So much is.
    pub used: usize,
    /// So much may be.
    pub limit: usize,
}

impl From<(usize, usize)> for Share {
    fn from((used, limit): (usize, usize)) -> Self {
        Share { used, limit }
    }
}

/// Whether a gateway takes requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayState {
    /// It does.
    #[default]
    Serving,
    /// It was told to stop, and lets open streams finish.
    Stopping,
}

/// The config that a gateway runs with.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfigInForce {
    /// The file; none where the defaults hold.
    pub file: Option<PathBuf>,
    /// Since when it is in force.
    pub loaded_at: String,
    /// How often it was reloaded.
    pub reloads: u32,
    /// What is worth saying about it.
    pub warnings: Vec<String>,
    /// The last reload, if it was refused.
    pub refused: Option<RefusedConfig>,
}

/// A reload that was refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusedConfig {
    /// When.
    pub at: String,
    /// Every problem, a line each.
    pub problems: Vec<String>,
}

/// One account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    /// The provider's id.
    pub provider: String,
    /// The account's label.
    pub label: String,
    /// Whether requests can go out with it.
    pub health: Health,
    /// What is wrong and the next step, where something is.
    pub reason: Option<String>,
    /// Whose it is, where that is known.
    pub email: Option<String>,
    /// The plan that it has.
    pub plan: Option<String>,
    /// When its access token expires.
    pub expires_at: Option<String>,
    /// Its limits, as its provider last told them.
    pub windows: Vec<Window>,
}

impl Account {
    /// What a login's claims say of its account.
    pub(crate) fn of(provider: &str, label: &str, claims: &[(String, String)]) -> Self {
        let claim = |name: &str| claims.iter().find(|(claim, _)| claim == name).map(|(_, value)| value.clone());
        Account {
            provider: provider.to_owned(),
            label: label.to_owned(),
            email: claim("email"),
            plan: claim("plan"),
            ..Account::default()
        }
    }

    /// `provider@label`.
    pub(crate) fn address(&self) -> String {
        format!("{}@{}", self.provider, self.label)
    }
}

/// Whether requests can go out with an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// They can.
    #[default]
    Ok,
    /// Only a new login helps.
    LogInAgain,
    /// Something else, which the reason names.
    Unusable,
}

impl Health {
    /// That of an account which cannot be used.
    pub(crate) fn of(fault: &AccountError) -> Self {
        match fault {
            AccountError::LogInAgain { .. } => Health::LogInAgain,
            _ => Health::Unusable,
        }
    }

    /// For a person.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::LogInAgain => "log in again",
            Health::Unusable => "unusable",
        }
    }
}

/// A provider, an account or a model that is not asked for a while.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Cooldown {
    /// What cools down, as an address: `provider@label:model`, without what it does not depend on.
    pub address: String,
    /// Why, as a sentence.
    pub reason: String,
    /// Since when.
    pub since: String,
    /// Until when. Where it has passed, a request that works ends it.
    pub until: String,
    /// From when on a request may go through to find out.
    pub next_probe: String,
    /// Whether one is finding out.
    pub probing: bool,
}

/// A component that rests.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QuarantinedComponent {
    /// The provider's id.
    pub provider: String,
    /// Why, and for how long.
    pub reason: String,
}

/// A request under way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestUnderWay {
    /// The gateway's id of it.
    pub id: String,
    /// The client's dialect.
    pub dialect: String,
    /// How far it is.
    pub phase: Phase,
    /// The provider that was asked last; empty while none was.
    pub provider: String,
    /// The account's label.
    pub account: String,
    /// The provider's own name of the model.
    pub model: String,
    /// Targets asked.
    pub attempts: u32,
    /// How long ago it came.
    pub age_ms: u64,
}

/// A request that failed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedRequest {
    /// When it ended.
    pub at: String,
    /// The gateway's id of it.
    pub request: String,
    /// The provider, empty where none was asked.
    pub provider: String,
    /// The account's label.
    pub account: String,
    /// The model, as far as it is known.
    pub model: String,
    /// The status that the client was sent.
    pub status: u16,
    /// What went wrong.
    pub error: String,
}

/// What a gateway knows of itself beside what it serves with.
pub(super) struct Process {
    pub state: GatewayState,
    pub started: SystemTime,
    pub uptime: Duration,
    pub listening: Vec<SocketAddr>,
    pub connections: (usize, usize),
}

impl Status {
    /// Takes a picture. May read the token store, which blocks briefly.
    pub(super) fn of(app: &App, process: Process, in_force: InForce) -> Self {
        let providers = app.directory.now();
        let quarantined = |provider: &std::sync::Arc<Provider>| {
            Some(QuarantinedComponent { provider: provider.id().to_owned(), reason: provider.plugin.quarantined()? })
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            state: process.state,
            started_at: time(process.started),
            uptime_seconds: process.uptime.as_secs(),
            listening: process.listening,
            config: in_force.into(),
            accounts: providers.on().flat_map(|provider| accounts(provider)).collect(),
            cooldowns: app.directory.cooldowns().list(SystemTime::now()).into_iter().map(Into::into).collect(),
            quarantined: providers.on().filter_map(quarantined).collect(),
            refused: providers.refused.clone(),
            components: components(app),
            loading: providers.pending,
            connections: process.connections.into(),
            bodies: app.bodies.held().into(),
            log_lines_dropped: telemetry::lines_dropped(),
            requests: app.requests.in_flight.list().into_iter().map(Into::into).collect(),
            errors: app.requests.errors.list().into_iter().map(Into::into).collect(),
        }
    }
}

fn components(app: &App) -> Vec<ServingComponent> {
    let snapshot = app.registry.now();
    let of_files = snapshot.plugins.values().filter(|plugin| plugin.origin != Origin::BuiltIn);
    of_files.map(|plugin| ServingComponent::of(plugin)).collect()
}

fn accounts(provider: &Provider) -> Vec<Account> {
    let listing = provider.accounts.list();
    let id = provider.id();
    let usable = listing.accounts().map(|credential| Account {
        expires_at: credential.expires_at.map(|at| at.to_string()),
        windows: provider.learned.windows.get(id, &credential.label),
        ..Account::of(id, &credential.label, &credential.claims)
    });
    let faulty = listing.faults().map(|fault| Account {
        health: Health::of(fault),
        reason: Some(fault.to_string()),
        ..Account::of(id, fault.label().unwrap_or("-"), &[])
    });
    usable.chain(faulty).collect()
}

impl From<Cooling> for Cooldown {
    fn from(cooling: Cooling) -> Self {
        Cooldown {
            address: cooling.subject.to_string(),
            reason: cooling.reason.to_string(),
            since: time(cooling.since),
            until: time(cooling.until),
            next_probe: time(cooling.next_probe),
            probing: cooling.probing,
        }
    }
}

impl From<InForce> for ConfigInForce {
    fn from(in_force: InForce) -> Self {
        let refused = in_force.refused.map(|(at, refused)| RefusedConfig { at: time(at), problems: refused.problems });
        let InForce { file, since, reloads, warnings, .. } = in_force;
        ConfigInForce { file, loaded_at: time(since), reloads, warnings, refused }
    }
}

impl From<UnderWay> for RequestUnderWay {
    fn from(request: UnderWay) -> Self {
        RequestUnderWay {
            id: request.id.to_string(),
            dialect: request.dialect.to_owned(),
            phase: request.phase,
            provider: request.provider.to_string(),
            account: request.account.to_string(),
            model: request.model,
            attempts: request.attempts,
            age_ms: u64::try_from(request.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<LastError> for FailedRequest {
    fn from(error: LastError) -> Self {
        FailedRequest {
            at: time(error.at),
            request: error.request.to_string(),
            provider: error.provider.to_string(),
            account: error.account.to_string(),
            model: error.model,
            status: error.status,
            error: error.error,
        }
    }
}

fn time(time: SystemTime) -> String {
    Timestamp::from(time).to_string()
}
