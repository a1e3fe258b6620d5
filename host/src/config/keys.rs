//! The table of keys: each key of `bitrouter.yaml`, what it takes, what it is without, and what it does.
//!
//! The reader, the "did you mean" of unknown keys, the "not there yet" of announced ones, the JSON Schema and the table
//! in docs/configuration.md all come from here. A key that is not in this table does not exist.

use crate::route::Strategy;

/// One key.
pub(super) struct Key {
    /// Where it stands: `server.listen`. A segment in angle brackets stands for any name.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What holds without it, as it would be written; empty where that is nothing.
    pub default: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Whether it works.
    pub state: State,
}

/// Whether a key works already.
#[derive(Clone, Copy)]
pub(super) enum State {
    /// It does, and this is the value it sets.
    Landed(Field),
    /// It does not: what it will do.
    NotYet(&'static str),
}

/// The values that a config can set. The reader has one arm for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Listen,
    Keys,
    AllowedOrigins,
    AllowedHosts,
    Connections,
    BodyLimit,
    BodiesLimit,
    BodyTimeout,
    Drain,
    PluginDir,
    Budget,
    Memory,
    ApiKey,
    ApiBase,
    Origins,
    Enabled,
    Priority,
    Accounts,
    Connect,
    FirstByte,
    Idle,
    Total,
    Settings,
    Auth,
    Models,
    HedgeAfter,
    CredentialStore,
    SideRequests,
}

/// What a key takes.
pub(super) enum Kind {
    Bool,
    /// A whole number within bounds; `why` says where the bounds come from.
    Integer {
        min: u64,
        max: u64,
        why: &'static str,
    },
    /// Bytes: a number, or one with a unit.
    Size {
        min: u64,
        max: u64,
        why: &'static str,
    },
    /// A text that must not be shown.
    Secret,
    /// A list of those.
    Secrets,
    /// A text, or a list of texts.
    Texts(&'static str),
    /// An absolute URL.
    Url,
    /// URLs by name.
    Urls,
    /// A folder.
    Folder,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Lists of addresses by name.
    Lists,
    /// Anything; for keys that are handed on or not there yet.
    Open,
}

const TIMEOUT: Kind =
    Kind::Integer { min: 1, max: 86_400_000, why: "a request that takes longer than a day is a lost one" };

/// Every key, in the order of the documentation.
pub(super) const KEYS: &[Key] = &[
    Key {
        path: "server.listen",
        kind: Kind::Texts("an address with a port, such as `127.0.0.1:4356`"),
        default: "[\"127.0.0.1:4356\", \"[::1]:4356\"]",
        doc: "Where the gateway listens: one address with a port, or a list. Beyond this machine only with `server.keys`.",
        state: State::Landed(Field::Listen),
    },
    Key {
        path: "server.keys",
        kind: Kind::Secrets,
        default: "[]",
        doc: "The keys that clients must send, as `Authorization: Bearer` or `x-api-key`; at least 16 characters each. Without any, every program on this machine may ask.",
        state: State::Landed(Field::Keys),
    },
    Key {
        path: "server.allowed_origins",
        kind: Kind::Texts("the origin of a web page, such as `https://chat.example.com`"),
        default: "[]",
        doc: "The web pages that may call the gateway from a browser, each as `scheme://host[:port]`. All others are refused.",
        state: State::Landed(Field::AllowedOrigins),
    },
    Key {
        path: "server.allowed_hosts",
        kind: Kind::Texts("a name by which others call this machine, such as `host.docker.internal`"),
        default: "[]",
        doc: "The names, beside those of loopback, by which a gateway that listens on this machine alone may be called: from a container, or behind a proxy or a tunnel that passes its own name on. Without ports. Every other `Host` is refused.",
        state: State::Landed(Field::AllowedHosts),
    },
    Key {
        path: "server.connections",
        kind: Kind::Integer { min: 8, max: 1_000_000, why: "each takes memory and one of the process's open files" },
        default: "10000",
        doc: "How many connections clients may have open at a time; fewer where the limit of open files (`ulimit -n`) has no room for as many calls to providers. A new one closes those that are silent; where all are busy, calls are answered 503.",
        state: State::Landed(Field::Connections),
    },
    Key {
        path: "server.body_limit",
        kind: Kind::Size { min: 1024, max: 1024 * 1024 * 1024, why: "a body is kept in memory while its request runs" },
        default: "64MiB",
        doc: "The largest request body, after decompression: `64MiB`, `10MB`, or a number of bytes.",
        state: State::Landed(Field::BodyLimit),
    },
    Key {
        path: "server.bodies_limit",
        kind: Kind::Size {
            min: 1024 * 1024,
            max: 1024 * 1024 * 1024 * 1024,
            why: "bodies are kept in memory while their requests run",
        },
        default: "192MiB",
        doc: "How much memory the bodies of all requests under way may hold together, at least three times `server.body_limit`. Where that is not enough, the largest that is still being read is answered 503.",
        state: State::Landed(Field::BodiesLimit),
    },
    Key {
        path: "server.body_timeout_ms",
        kind: Kind::Integer { min: 1000, max: 86_400_000, why: "a body takes memory for as long as it is read" },
        default: "30000",
        doc: "How long a request body may take to arrive, in milliseconds, beside a second for each 8 KiB of it.",
        state: State::Landed(Field::BodyTimeout),
    },
    Key {
        path: "server.drain_ms",
        kind: Kind::Integer {
            min: 0,
            max: 3_600_000,
            why: "whoever stops a gateway waits for its end, and service managers do not for long",
        },
        default: "30000",
        doc: "How long open streams may go on once the gateway was told to stop, in milliseconds. Then they are cut.",
        state: State::Landed(Field::Drain),
    },
    Key {
        path: "plugins.dir",
        kind: Kind::Folder,
        default: "",
        doc: "The folder whose `.wasm` files are loaded, instead of `plugins` in the data folder. A relative path starts at the config's folder.",
        state: State::Landed(Field::PluginDir),
    },
    Key {
        path: "plugins.budget_ms",
        kind: Kind::Integer {
            min: 1,
            max: 1000,
            why: "the clock ticks once a millisecond, and a hook that computes for longer than a second holds up other requests",
        },
        default: "20",
        doc: "How long one hook of a component may compute, in milliseconds of CPU.",
        state: State::Landed(Field::Budget),
    },
    Key {
        path: "plugins.memory_mb",
        kind: Kind::Integer {
            min: 1,
            max: 1024,
            why: "every request under way may hold this much, and a component needs one to start",
        },
        default: "64",
        doc: "How much memory one instance of a component may hold, in MiB.",
        state: State::Landed(Field::Memory),
    },
    Key {
        path: "providers.<id>.api_key",
        kind: Kind::Secret,
        default: "",
        doc: "The provider's API key. It wins over the environment and over a stored one.",
        state: State::Landed(Field::ApiKey),
    },
    Key {
        path: "providers.<id>.api_base",
        kind: Kind::Url,
        default: "",
        doc: "Short for `origins: {api: URL}`.",
        state: State::Landed(Field::ApiBase),
    },
    Key {
        path: "providers.<id>.origins",
        kind: Kind::Urls,
        default: "{}",
        doc: "Where requests go instead of the component's own origins, by the names it gives them: `https`, or `http` to this machine. An origin that is not named goes along with one on the same server. A stored credential does not follow: it stays with the origins it was obtained for.",
        state: State::Landed(Field::Origins),
    },
    Key {
        path: "providers.<id>.enabled",
        kind: Kind::Bool,
        default: "true",
        doc: "`false` takes the provider out of routing.",
        state: State::Landed(Field::Enabled),
    },
    Key {
        path: "providers.<id>.priority",
        kind: Kind::Integer { min: 0, max: 1_000_000, why: "it only orders providers" },
        default: "100",
        doc: "Which provider answers a model that several serve: the lower first, then a plan before pay-per-token, then by name.",
        state: State::Landed(Field::Priority),
    },
    Key {
        path: "providers.<id>.timeouts.connect_ms",
        kind: TIMEOUT,
        default: "10000",
        doc: "How long a connection may take to open, TLS included.",
        state: State::Landed(Field::Connect),
    },
    Key {
        path: "providers.<id>.timeouts.first_byte_ms",
        kind: TIMEOUT,
        default: "600000",
        doc: "How long the first byte of the answer may take. An answer that is not streamed comes when the model is done.",
        state: State::Landed(Field::FirstByte),
    },
    Key {
        path: "providers.<id>.timeouts.idle_ms",
        kind: TIMEOUT,
        default: "300000",
        doc: "How long a stream may stay silent.",
        state: State::Landed(Field::Idle),
    },
    Key {
        path: "providers.<id>.timeouts.total_ms",
        kind: TIMEOUT,
        default: "",
        doc: "How long the whole answer may take; unlimited without it.",
        state: State::Landed(Field::Total),
    },
    Key {
        path: "providers.<id>.settings",
        kind: Kind::Open,
        default: "{}",
        doc: "The component's own settings. The component reads them, so no secret belongs here.",
        state: State::Landed(Field::Settings),
    },
    Key {
        path: "providers.<id>.accounts",
        kind: Kind::Choice(Strategy::WORDS),
        default: "failover",
        doc: "How several accounts of a provider share the work: `failover` uses the first for as long as it can, `balance` the one that has used the least of its window that ends first, `sticky` keeps each conversation on one account, since prompt caches belong to accounts.",
        state: State::Landed(Field::Accounts),
    },
    Key {
        path: "providers.<id>.auth",
        kind: Kind::Open,
        default: "{}",
        doc: "Members of the login that the component describes, in the place of its own: `client_id`, `scopes`, `login`, `token`, `refresh`, `revoke`, `claims`, `identity`, `attach`, each as in the description's schema. Objects are merged, lists are replaced.",
        state: State::Landed(Field::Auth),
    },
    Key {
        path: "models",
        kind: Kind::Lists,
        default: "",
        doc: "Names of your own, each for one address or an ordered list of up to 8. A `*` in a name stands for any letters, and a `*` in its addresses for what that matched.",
        state: State::Landed(Field::Models),
    },
    Key {
        path: "strict",
        kind: Kind::Open,
        default: "",
        doc: "Whether a field that cannot be passed on refuses the request.",
        state: State::NotYet(
            "it will refuse a request with a field that its target cannot take; today the gateway takes no field out",
        ),
    },
    Key {
        path: "hedge_after_ms",
        kind: TIMEOUT,
        default: "",
        doc: "After how many milliseconds the next target is asked, too, where a call is not streamed and costs no plan. The first answer wins and ends the other call, which may have cost money by then. Without it, targets are asked one after the other.",
        state: State::Landed(Field::HedgeAfter),
    },
    Key {
        path: "side_requests",
        kind: Kind::Bool,
        default: "true",
        doc: "Whether the gateway asks providers for their live lists of models and for how much of a plan is used: at start, hourly and after a login. `false`: nothing is asked but what clients ask, and the components' own lists hold.",
        state: State::Landed(Field::SideRequests),
    },
    Key {
        path: "credentials.store",
        kind: Kind::Choice(&["file", "keyring"]),
        default: "",
        doc: "Where the secrets of stored credentials are: `file`, which is `oauth-tokens.json` in the data folder, or `keyring`, which is the system's; the file has all else. Without it, new ones go into the file and others stay where they are.",
        state: State::Landed(Field::CredentialStore),
    },
];

/// The blocks that keys stand in, and what they are about.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("server", "The door: where the gateway listens and who may ask."),
    ("plugins", "The components: where they are and what they may use."),
    ("providers", "The providers, by id. None is needed: an API key in the environment is enough."),
    ("providers.<id>", "One provider."),
    ("providers.<id>.timeouts", "How long the provider may take."),
    ("credentials", "Where stored credentials are."),
];

/// What stands under a section.
pub(super) enum Child {
    Section,
    Key(&'static Key),
}

/// The child `name` of a section; `""` is the top. The name of a section of any name is its pattern.
pub(super) fn child(section: &str, name: &str) -> Option<Child> {
    let path = join(section, name);
    if let Some(key) = KEYS.iter().find(|key| key.path == path) {
        return Some(Child::Key(key));
    }
    SECTIONS.iter().any(|(section, _)| *section == path).then_some(Child::Section)
}

/// The names that may stand in a section, in the table's order.
pub(super) fn names(section: &str) -> Vec<&'static str> {
    let mut names = Vec::new();
    let paths = KEYS.iter().map(|key| key.path);
    for path in paths.filter_map(|path| below(section, path)) {
        let name = path.split('.').next().unwrap_or(path);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The segment that stands for any name in a section, such as `<id>`.
pub(super) fn wildcard(section: &str) -> Option<&'static str> {
    names(section).into_iter().find(|name| name.starts_with('<'))
}

/// The one place where a key of this name belongs, for who wrote it in another.
pub(super) fn elsewhere(name: &str) -> Option<&'static str> {
    KEYS.iter().map(|key| key.path).find(|path| path.rsplit('.').next() == Some(name))
}

/// A path with one more segment.
pub(super) fn join(section: &str, name: &str) -> String {
    match section {
        "" => name.to_owned(),
        section => format!("{section}.{name}"),
    }
}

fn below(section: &str, path: &'static str) -> Option<&'static str> {
    match section {
        "" => Some(path),
        section => path.strip_prefix(section)?.strip_prefix('.'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_once_and_in_a_section_of_the_table() {
        for (at, key) in KEYS.iter().enumerate() {
            assert!(KEYS[..at].iter().all(|other| other.path != key.path), "{} is twice in the table", key.path);
            if let Some((section, _)) = key.path.rsplit_once('.') {
                assert!(SECTIONS.iter().any(|(name, _)| *name == section), "{section} is no section");
            }
        }
    }

    #[test]
    fn a_child_is_a_section_or_a_key() {
        assert!(matches!(child("", "server"), Some(Child::Section)));
        assert!(matches!(child("server", "listen"), Some(Child::Key(key)) if key.path == "server.listen"));
        assert!(matches!(child("", "models"), Some(Child::Key(_))));
        assert!(child("", "listen").is_none());
        assert_eq!(wildcard("providers"), Some("<id>"));
        assert_eq!(wildcard("server"), None);
        assert_eq!(names("plugins"), ["dir", "budget_ms", "memory_mb"]);
        assert_eq!(elsewhere("listen"), Some("server.listen"));
    }
}
