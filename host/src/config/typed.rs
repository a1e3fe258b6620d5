//! The config as the other rooms read it: plain typed values, every default filled in.
//!
//! `Debug` shows no secret. Nothing here knows of YAML.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bitrouter_contract::Origin;
use bitrouter_credential::SecretsIn;
use secrecy::{ExposeSecret, SecretString};

use super::{ConfigError, Fault, Paths, Place, value};
use crate::route::Strategy;

/// The port when none is configured.
const PORT: u16 = 4356;

/// Everything that `bitrouter.yaml` can say today.
#[derive(Clone, Debug)]
pub struct Config {
    /// The door.
    pub server: Server,
    /// The components.
    pub plugins: Plugins,
    /// The blocks under `providers:`, by id. [`Config::provider`] answers for ids without a block too.
    pub providers: BTreeMap<String, Provider>,
    /// How long a call that is not streamed and costs no plan is alone with its target; for ever by default.
    pub hedge_after: Option<Duration>,
    /// Whether providers are asked beside calls, for their models and for how much of a plan is used.
    pub side_requests: bool,
    /// Where stored secrets are kept; nothing where the config does not say.
    pub secrets_in: Option<SecretsIn>,
    /// The names under `models:`, in the order of the file.
    pub models: Vec<Named>,
    /// What holds for a provider without a block.
    no_block: Provider,
}

/// Where the gateway listens and who may ask.
#[derive(Clone, Debug)]
pub struct Server {
    /// The addresses to listen on, at least one.
    pub listen: Vec<SocketAddr>,
    /// Whether the config named them. One of the two defaults may fail where a machine has no IPv6; a named one may not.
    pub listen_named: bool,
    /// The keys that clients must send; none means that every program on this machine may ask.
    pub keys: Vec<SecretString>,
    /// The browser origins that may ask, as `scheme://host[:port]` in lower case, as an `Origin` header has them.
    pub allowed_origins: Vec<String>,
    /// The names beside loopback's by which others call a gateway on this machine, without ports.
    pub allowed_hosts: Vec<String>,
    /// How many connections clients may have open at a time.
    pub connections: u64,
    /// The largest request body after decompression, in bytes.
    pub body_limit: u64,
    /// The most that the bodies of all requests may hold together, in bytes.
    pub bodies_limit: u64,
    /// How long a body may take to arrive, beside a second for each 8 KiB of it.
    pub body_timeout: Duration,
    /// How long open streams may go on after the gateway was told to stop.
    pub drain: Duration,
}

/// Where the components are and what they may use.
#[derive(Clone, Debug)]
pub struct Plugins {
    /// The folder of `.wasm` files, absolute.
    pub dir: PathBuf,
    /// CPU time that one hook may take.
    pub budget: Duration,
    /// Memory that one instance may hold, in bytes.
    pub memory: u64,
}

/// One block under `providers:`.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Where the block stands in the file; 0:0 for a provider without one.
    pub place: Place,
    /// The API key, account label `config`.
    pub api_key: Option<SecretString>,
    /// Origins that replace the component's own, by name; `api_base` is here as `api`.
    pub origins: BTreeMap<String, Origin>,
    /// Whether routing may use it.
    pub enabled: bool,
    /// Lower first.
    pub priority: u32,
    /// How its accounts share the work.
    pub strategy: Strategy,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// What is put in the place of the component's own login, member by member.
    pub auth: serde_json::Map<String, serde_json::Value>,
    /// The component's own settings, which it reads.
    pub settings: serde_json::Map<String, serde_json::Value>,
}

/// One name under `models:`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Where the name stands in the file.
    pub place: Place,
    /// The name, with any number of `*`.
    pub name: String,
    /// What it stands for, each with its place: at least one address, none with more `*` than the name has.
    pub addresses: Vec<(Place, String)>,
}

/// How long an upstream may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// To open a connection, TLS included.
    pub connect: Duration,
    /// From the request sent to the first byte of the answer.
    pub first_byte: Duration,
    /// Between two reads of an answer.
    pub idle: Duration,
    /// For the whole answer.
    pub total: Option<Duration>,
}

impl Config {
    /// What holds without any file.
    pub fn defaults(paths: &Paths) -> Self {
        Config {
            server: Server {
                listen: vec![
                    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT),
                    SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), PORT),
                ],
                listen_named: false,
                keys: Vec::new(),
                allowed_origins: Vec::new(),
                allowed_hosts: Vec::new(),
                connections: 10_000,
                body_limit: 64 * 1024 * 1024,
                bodies_limit: 192 * 1024 * 1024,
                body_timeout: Duration::from_secs(30),
                drain: Duration::from_secs(30),
            },
            plugins: Plugins { dir: paths.plugins_dir(), budget: Duration::from_millis(20), memory: 64 * 1024 * 1024 },
            providers: BTreeMap::new(),
            hedge_after: None,
            side_requests: true,
            secrets_in: None,
            models: Vec::new(),
            no_block: Provider::default(),
        }
    }

    /// What `--listen` says, in place of `server.listen`, under the same rule: beyond this machine only with keys.
    pub fn listen_on(&mut self, text: &str) -> Result<(), ConfigError> {
        let Some(addresses) = value::listen(text) else {
            let (key, text) = ("--listen".to_owned(), text.to_owned());
            return Err(ConfigError::Flag(Fault::Listen { key, text }));
        };
        self.server.listen = addresses;
        self.server.listen_named = true;
        self.check_door("--listen")
    }

    /// Keeps to the addresses of a gateway that runs, whatever the config says by now: under the same rule.
    pub fn listen_still(&mut self, running: &Server) -> Result<(), ConfigError> {
        self.server.listen.clone_from(&running.listen);
        self.server.listen_named = running.listen_named;
        self.check_door("server.keys")
    }

    fn check_door(&self, key: &str) -> Result<(), ConfigError> {
        let open = self.server.listen.iter().find(|address| !address.ip().is_loopback());
        match open.filter(|_| self.server.keys.is_empty()) {
            Some(open) => Err(ConfigError::Flag(Fault::OpenDoor { key: key.to_owned(), address: open.to_string() })),
            None => Ok(()),
        }
    }

    /// What holds for a provider, with or without a block of its own.
    pub fn provider(&self, id: &str) -> &Provider {
        self.providers.get(id).unwrap_or(&self.no_block)
    }
}

impl Provider {
    /// Whether two blocks mean the same, wherever in the file they stand.
    pub fn says_the_same_as(&self, other: &Provider) -> bool {
        // Named one by one, so that a new member is not forgotten here.
        let Provider { place: _, api_key, origins, enabled, priority, strategy, timeouts, auth, settings } = self;
        fn key(key: &Option<SecretString>) -> Option<&str> {
            key.as_ref().map(ExposeSecret::expose_secret)
        }
        key(api_key) == key(&other.api_key)
            && *origins == other.origins
            && *enabled == other.enabled
            && *priority == other.priority
            && *strategy == other.strategy
            && *timeouts == other.timeouts
            && *auth == other.auth
            && *settings == other.settings
    }
}

impl Default for Provider {
    fn default() -> Self {
        Provider {
            place: Place::default(),
            api_key: None,
            origins: BTreeMap::new(),
            enabled: true,
            priority: 100,
            strategy: Strategy::default(),
            timeouts: Timeouts::default(),
            auth: serde_json::Map::new(),
            settings: serde_json::Map::new(),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            connect: Duration::from_secs(10),
            // What the vendors' own SDKs wait by default.
            first_byte: Duration::from_secs(600),
            idle: Duration::from_secs(300),
            total: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        Config::defaults(&Paths::for_tests())
    }

    #[test]
    fn a_gateway_that_others_can_reach_takes_no_config_without_keys() {
        let mut running = config();
        running.server.keys.push("a-key-of-sixteen".into());
        running.listen_on("0.0.0.0:4356").unwrap();
        let mut next = config();
        let refused = next.listen_still(&running.server).unwrap_err().to_string();
        assert!(refused.contains("`server.keys`: 0.0.0.0:4356 can be reached"), "{refused}");
        next.server.keys.push("another-key-of-sixteen".into());
        next.listen_still(&running.server).unwrap();
        assert_eq!(next.server.listen, running.server.listen);
    }

    #[test]
    fn a_block_that_only_moved_in_the_file_says_the_same() {
        let block = Provider { api_key: Some("sk-1".into()), ..Provider::default() };
        let moved = Provider { place: Place { line: 7, column: 3 }, ..block.clone() };
        assert!(block.says_the_same_as(&moved));
        for other in [
            Provider { api_key: Some("sk-2".into()), ..block.clone() },
            Provider { api_key: None, ..block.clone() },
            Provider { enabled: false, ..block.clone() },
            Provider { priority: 1, ..block.clone() },
            Provider {
                timeouts: Timeouts { total: Some(Duration::from_secs(1)), ..Timeouts::default() },
                ..block.clone()
            },
        ] {
            assert!(!block.says_the_same_as(&other), "{other:?}");
        }
    }
}
