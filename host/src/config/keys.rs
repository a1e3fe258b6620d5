//! Every key of `bitrouter.yaml`: where it stands, what it takes, what holds without it, what it does and what it decides.
//!
//! The sections are the config as the other rooms read it. The reader, the "did you mean" of unknown keys, the JSON Schema,
//! the table in docs/configuration.md and what `init` writes come from here, so a key that is not here does not exist. A
//! sentence speaks of the key as the file has it; here spans of time are `Duration`s, and sizes are bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bitrouter_contract::{Origin, Quirk};
use bitrouter_credential::SecretsIn;
use bitrouter_route::Strategy;
use serde_json::{Map, Value as Json};

use super::addresses::{self, Folder, HOST_NAME, Listen, URL, Urls, WEB_ORIGIN};
use super::kinds::{Choice, Flag, List, Maybe, Open, Whole, Word, mebibytes, millis, size, whole};
use super::models::{Named, Names};
use super::providers::{DIALECT, PROVIDER, Providers};
use super::read::{Entry, Reader};
use super::secrets::{ApiKey, Argv, ClientKeys, Secret};
use super::section::{self, Block, Body, Key, Keys, Member, Section, section};
use super::signers::SignerKeys;
use super::{Guarded, Position};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The port when none is configured.
const PORT: u16 = 4356;

/// Every key that holds a value, in the order of the documentation.
pub(super) fn all() -> Vec<Key> {
    section::keys(Config::members())
}

section! {
    /// Everything that `bitrouter.yaml` can say.
    pub struct Config {
        /// Where the gateway listens and who may ask.
        server: Server = Server::default(), Keys;
        /// The components: where they are and what they may use.
        plugins: Plugins = Plugins::default(), Keys;
        /// The providers, by id. None is needed: an API key in the environment is enough.
        providers: BTreeMap<String, Provider> = BTreeMap::new(), Providers;
        /// Names of your own, each for one address or an ordered list of up to 8. A `*` in a name stands for any letters, and
        /// a `*` in its addresses for what that matched.
        models: Vec<Named> = Vec::new(), Names, decides Money;
        /// Whether a request is refused of which a member is lost in its translation into another dialect. Otherwise the member
        /// is left out, and the answer's `x-bitrouter-dropped` names it.
        strict: bool = false, Flag, decides Limits;
        /// After how many milliseconds the next target is asked, too, where a call is not streamed and costs no plan. The
        /// first answer wins and ends the other call, which may have cost money by then. Without it, targets are asked one
        /// after the other.
        hedge_after ("hedge_after_ms"): Option<Duration> = None, Maybe(timeout(), "2000"), decides Money;
        /// Whether the gateway asks providers for their live lists of models and for how much of a plan is used: at start,
        /// hourly and after a login. `false`: nothing is asked but what clients ask, and the components' own lists hold.
        side_requests: bool = true, Flag, decides SideRequests;
        /// Where stored credentials are.
        credentials: Credentials = Credentials::default(), Keys;
        /// Where the gateway keeps what clients cannot.
        state: State = State::default(), Keys;
    }
}

section! {
    /// Where the gateway listens and who may ask.
    pub struct Server {
        /// Where the gateway listens: one address with a port, or a list. Beyond this machine only with `server.keys`.
        listen: Vec<SocketAddr> = addresses::on_loopback(PORT), Listen, decides Listen;
        /// The keys that clients must send, as `Authorization: Bearer`, `x-api-key`, `x-goog-api-key` or `?key=`; at least 16
        /// characters each. Without any, every program on this machine may ask.
        keys: Vec<Secret> = Vec::new(), ClientKeys, decides Exposure;
        /// The web pages that may call the gateway from a browser, each as `scheme://host[:port]`. All others are refused.
        allowed_origins: Vec<String> = Vec::new(), List(WEB_ORIGIN), decides AllowedOrigins;
        /// The names, beside those of loopback, by which a gateway that listens on this machine alone may be called: from a
        /// container, or behind a proxy or a tunnel that passes its own name on. Without ports. Every other `Host` is refused.
        allowed_hosts: Vec<String> = Vec::new(), List(HOST_NAME), decides AllowedHosts;
        /// How many connections clients may have open at a time; fewer where the limit of open files (`ulimit -n`) has no
        /// room for as many calls to providers. A new one closes those that are silent; where all are busy, calls are
        /// answered 503.
        connections: u64 = 10_000,
            whole(8, 1_000_000, "each takes memory and one of the process's open files"), decides Limits;
        /// The largest request body, after decompression: `64MiB`, `10MB`, or a number of bytes.
        body_limit: u64 = 64 * MIB,
            size(KIB, GIB, "a body is kept in memory while its request runs"), decides Limits;
        /// How much memory the bodies of all requests under way may hold together, at least three times `server.body_limit`.
        /// Where that is not enough, the largest that is still being read is answered 503.
        bodies_limit: u64 = 192 * MIB,
            size(MIB, 1024 * GIB, "bodies are kept in memory while their requests run"), decides Limits;
        /// How long a request body may take to arrive, in milliseconds, beside a second for each 8 KiB of it.
        body_timeout ("body_timeout_ms"): Duration = Duration::from_secs(30),
            millis(1000, 86_400_000, "a body takes memory for as long as it is read"), decides Limits;
        /// How long open streams may go on once the gateway was told to stop, in milliseconds. Then they are cut.
        drain ("drain_ms"): Duration = Duration::from_secs(30),
            millis(0, 3_600_000, "whoever stops a gateway waits for its end, and service managers do not for long"),
            decides Nothing;
    }
    beside {
        /// Whether somebody named the addresses. One of the two defaults may fail where a machine has no IPv6; a named one
        /// may not.
        listen_named: bool = false;
    }
}

section! {
    /// Where the components are and what they may use.
    pub struct Plugins {
        /// The folder whose `.wasm` and `.json` files are loaded, instead of `plugins` in the data folder. A relative path starts at the
        /// config's folder.
        dir: PathBuf = PathBuf::new(), Folder, decides PluginDir;
        /// A `plugins.lock` that somebody prepared, such as one that is committed beside the config: what is accepted stands there
        /// instead of in the data folder, for the very builds that it names. A relative path starts at the config's folder.
        lock: Option<PathBuf> = None, Maybe(Folder, "plugins.lock"), decides Acceptance;
        /// The public keys of those who sign components, by names of your own, as minisign prints them. `plugin trust` and
        /// `plugin inspect` say then whose signature a component has.
        signers: BTreeMap<String, String> = BTreeMap::new(), SignerKeys, decides Acceptance;
        /// How long one hook of a component may compute, in milliseconds of CPU.
        budget ("budget_ms"): Duration = Duration::from_millis(20),
            millis(1, 1000, "the clock ticks once a millisecond, and a hook that computes for longer than a second holds up \
                other requests"),
            decides Limits;
        /// How much memory one instance of a component may hold, in MiB.
        memory ("memory_mb"): u64 = 64 * MIB,
            mebibytes(1, 1024, "every request under way may hold this much, and a component needs one to start"),
            decides Limits;
    }
}

section! {
    /// One provider.
    pub struct Provider {
        /// The provider that this one is another of, under the id of the block: `openai-compatible` or `anthropic-compatible`
        /// for any server of that API, or any other for a second entry with its own key, address, settings and priority.
        /// Its key is the block's own or one that is stored under this id; no variable of the environment is read.
        base ("use"): Option<String> = None, Maybe(PROVIDER, "openai-compatible"), decides Origins;
        /// The dialects in which a model's answers are asked for, the best first, instead of the provider's own:
        /// `chat-completions`, `responses`, `messages`, `generate-content`.
        dialects: Vec<String> = Vec::new(), List(DIALECT), decides Money;
        /// The provider's API key. It wins over the environment and over a stored one.
        api_key: Option<Secret> = None, Maybe(ApiKey, "${OPENAI_API_KEY}"), decides Account;
        /// A command that prints the provider's API key: the program and its arguments, run without a shell, for at most 30
        /// seconds. What it prints is used until `key_command_ttl_ms` is over or the provider refuses it.
        key_command: Option<Vec<String>> = None, Maybe(Argv, "[op, read, op://work/openai/key]"), decides Program;
        /// How long a key that `key_command` printed is used, in milliseconds.
        key_command_ttl ("key_command_ttl_ms"): Duration = Duration::from_secs(300),
            millis(1000, 86_400_000, "the command runs while a request waits, and keys that it prints may end"),
            decides Program;
        /// Short for `origins: {api: URL}`.
        api_base: Option<Origin> = None, Maybe(URL, "http://127.0.0.1:8000/v1"), decides Origins;
        /// Where requests go instead of the component's own origins, by the names it gives them: `https`, or `http` to this
        /// machine or one of your network, where no key of the environment goes. An origin that is not named goes along with one on the same server. A stored credential does not follow:
        /// it stays with the origins it was obtained for.
        origins: BTreeMap<String, Origin> = BTreeMap::new(), Urls, decides Origins;
        /// `false` takes the provider out of routing.
        enabled: bool = true, Flag, decides Money;
        /// Which provider answers a model that several serve: the lower first, then a plan before pay-per-token, then by name.
        priority: u64 = 100, whole(0, 1_000_000, "it only orders providers"), decides Money;
        /// How long the provider may take.
        timeouts: Timeouts = Timeouts::default(), Keys;
        /// The component's own settings. The component reads them, so no secret belongs here.
        settings: Map<String, Json> = Map::new(), Open("keys of the component's own"), decides Account;
        /// What the provider takes differently from everybody else, beside what its description says, as words of
        /// [Quirks](provider-without-code.md#quirks). The gateway edits bodies accordingly.
        quirks: Vec<Quirk> = Vec::new(), List(QUIRK), decides Limits;
        /// How several accounts of a provider share the work: `failover` uses the first for as long as it can, `balance` the
        /// one that has used the least of its window that ends first, `sticky` keeps each conversation on one account, since
        /// prompt caches belong to accounts.
        strategy ("accounts"): Strategy = Strategy::default(),
            Choice { words: Strategy::WORDS, of: Strategy::of_word }, decides Account;
        /// Members of the login that the component describes, in the place of its own: `client_id`, `scopes`, `login`,
        /// `token`, `refresh`, `revoke`, `claims`, `identity`, `attach`, each as in the description's schema. Objects are
        /// merged, lists are replaced.
        auth: Map<String, Json> = Map::new(), Open("members of the component's login, such as `client_id`"), decides Login;
    }
    beside {
        /// Where the block stands in the file; 0:0 for a provider without one.
        position: Position = Position::default();
    }
}

section! {
    /// How long a provider may take.
    pub struct Timeouts {
        /// How long a connection may take to open, TLS included.
        connect ("connect_ms"): Duration = Duration::from_secs(10), timeout(), decides Money;
        /// How long the first byte of the answer may take. An answer that is not streamed comes when the model is done.
        first_byte ("first_byte_ms"): Duration = Duration::from_secs(600), timeout(), decides Money;
        /// How long a stream may stay silent.
        idle ("idle_ms"): Duration = Duration::from_secs(300), timeout(), decides Money;
        /// How long the whole answer may take; unlimited without it.
        total ("total_ms"): Option<Duration> = None, Maybe(timeout(), "900000"), decides Money;
    }
}

section! {
    /// Where stored credentials are.
    pub struct Credentials {
        /// Where the secrets of stored credentials are: `file`, which is `oauth-tokens.json` in the data folder, or
        /// `keyring`, which is the system's; the file has all else. Without it, new ones go into the file and others stay
        /// where they are.
        store: Option<SecretsIn> = None, Maybe(Choice { words: &["file", "keyring"], of: secrets_in }, "file"), decides Secrets;
    }
}

section! {
    /// Where the gateway keeps what clients cannot.
    pub struct State {
        /// Where opaque state of tool calls is, which goes back to the model that made it where the client has no place for it:
        /// `file`, which is `call-states.jsonl` in the data folder and survives a restart, or `memory`. It is a model's
        /// thinking, sealed by its vendor or not.
        calls: CallsIn = CallsIn::default(), Choice { words: CallsIn::WORDS, of: CallsIn::of_word }, decides Secrets;
    }
}

/// Where opaque state of tool calls is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallsIn {
    /// In memory, and in a file for the next start.
    #[default]
    File,
    /// In memory alone.
    Memory,
}

impl CallsIn {
    const WORDS: &[&str] = &["file", "memory"];

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "file" => Some(CallsIn::File),
            "memory" => Some(CallsIn::Memory),
            _ => None,
        }
    }
}

const QUIRK: Word<Quirk> = Word { what: "a word of Quirks", words: Quirk::WORDS, of: Quirk::of_word, to: Quirk::word };

fn timeout() -> Whole<Duration> {
    millis(1, 86_400_000, "a request that takes longer than a day is a lost one")
}

fn secrets_in(word: &str) -> Option<SecretsIn> {
    match word {
        "file" => Some(SecretsIn::File),
        "keyring" => Some(SecretsIn::Keyring),
        _ => None,
    }
}
