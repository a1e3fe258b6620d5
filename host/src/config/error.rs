//! What can be wrong with a config, each with its sentence.
//!
//! `load` and `trust` return a [`ConfigError`]; the CLI prints it as it is. A sentence names the key and the next step,
//! and never shows the value of a key that holds a secret.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_contract::origin::OriginError;
use bitrouter_files::shell_word;
use thiserror::Error;

use super::Position;

/// Why there is no config. What is first is the file.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// `-c`, or `config trust`, named a file that is not there.
    #[error("{}: there is no such file: check the path", .0.display())]
    Missing(PathBuf),
    /// The file is there and cannot be read.
    #[error("{}: it cannot be read ({}): check who may read it", .0.display(), .1)]
    Unreadable(PathBuf, io::Error),
    /// The file is far larger than any config: more than so many bytes.
    #[error("{}: it is larger than {} bytes, so it is no config: check the path", .0.display(), .1)]
    TooLarge(PathBuf, u64),
    /// The file is not UTF-8.
    #[error("{}: it is not UTF-8 text: save it as such", .0.display())]
    NotText(PathBuf),
    /// The file was read, and these are its problems: at least one, in the order of the file.
    #[error("{}", lines(file, problems).join("\n"))]
    Invalid {
        /// The file.
        file: PathBuf,
        /// Its problems.
        problems: Vec<Problem>,
    },
    /// A flag of the command line that stands for a key was refused as the key would be.
    #[error(transparent)]
    Flag(Fault),
    /// Neither a home folder nor a variable says where things are kept.
    #[error("no home folder was found to keep config and data in: set BITROUTER_HOME to a folder")]
    NoFolder,
    /// `BITROUTER_HOME` is relative.
    #[error("BITROUTER_HOME is `{}`, which depends on where you stand: set it to an absolute path", .0.display())]
    HomeNotAbsolute(PathBuf),
    /// The list of trusted configs is not what we wrote. It is left as it is.
    #[error("{}: the list of trusted configs cannot be understood ({}): it was left as it is. Repair it or move it away, then trust your configs again", .0.display(), .1)]
    TrustListCorrupt(PathBuf, String),
    /// The list of trusted configs cannot be read.
    #[error("{}: the list of trusted configs cannot be read ({}): check who may read it", .0.display(), .1)]
    TrustListUnreadable(PathBuf, io::Error),
    /// The list of trusted configs cannot be written.
    #[error("{}: the list of trusted configs cannot be written ({}): check the folder's owner and its free space", .0.display(), .1)]
    TrustListUnwritable(PathBuf, io::Error),
    /// A path that JSON cannot hold.
    #[error("{}: its path is not UTF-8, so it cannot be recorded as trusted: move it, or name it with -c", .0.display())]
    PathNotText(PathBuf),
    /// It was accepted, and is another by now.
    #[error("{}: it has changed since you accepted it, so it is not read. Read it, then run: bitrouter config trust {}", .0.display(), shell_word(.0))]
    Changed(PathBuf),
    /// A gateway runs with a config that was accepted, and its acceptance was withdrawn.
    #[error("{}: it is not accepted any more, and what it said holds until the gateway is started anew. To accept it: bitrouter config trust {}", .0.display(), shell_word(.0))]
    Withdrawn(PathBuf),
    /// A gateway runs with a config whose file is gone.
    #[error("{}: it is gone, and what it said holds until it is there again. To go without a config, start the gateway anew", .0.display())]
    Gone(PathBuf),
}

impl ConfigError {
    /// Each problem as a line of its own.
    pub fn lines(&self) -> Vec<String> {
        match self {
            ConfigError::Invalid { file, problems } => lines(file, problems),
            other => vec![other.to_string()],
        }
    }
}

fn lines(file: &Path, problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|problem| problem.line(file)).collect()
}

/// What is wrong, and where.
#[derive(Debug)]
pub struct Problem {
    /// Where it stands.
    pub position: Position,
    /// What it is.
    pub fault: Fault,
}

impl Problem {
    /// `file:line:column: sentence`, as compilers and editors have it.
    pub fn line(&self, file: &Path) -> String {
        let Position { line, column } = self.position;
        let line = format!("{}:{line}:{column}: {}", file.display(), self.fault);
        // A key is somebody else's text: it may hold what a terminal obeys.
        let obeyed = |letter: char| letter.is_control() && letter != '\n';
        line.replace(obeyed, "\u{fffd}")
    }
}

/// What can be wrong at a place of the file. `key` is the key's whole path.
#[derive(Debug, Error)]
#[allow(missing_docs, reason = "the sentence above each variant says it")]
pub enum Fault {
    #[error("this is not YAML: {0}")]
    Yaml(String),
    #[error("the key `{0}` is here for the second time: keep one of them")]
    DuplicateKey(String),
    #[error("a second document begins here: a config is one document")]
    SeveralDocuments,
    #[error(
        "this is {what}, and a config is made of keys, each with its value behind it or below it, such as `providers:`. What can stand here is {}", takes.join(", ")
    )]
    NoKeys { what: &'static str, takes: Vec<&'static str> },
    #[error(
        "the file says nothing, as one does that is being written: what it said holds. To go back to the defaults, write `{{}}`"
    )]
    SaysNothing,
    #[error("the file is too deep or too large to be a config: take out what repeats itself")]
    TooComplex,
    #[error("unknown key `{key}`: {}", unknown(near, takes))]
    UnknownKey { key: String, near: Option<String>, takes: Vec<&'static str> },
    #[error("`{key}`: unknown word `{}`: {}", word.escape_debug(), unknown(near, takes))]
    UnknownWord { key: String, word: String, near: Option<String>, takes: &'static [&'static str] },
    #[error("`{key}` takes {takes}")]
    WrongType { key: String, takes: String },
    #[error("`{key}` has no value: give it one, or take the line out")]
    NoValue { key: String },
    #[error(
        "`{id}` is not a provider's id: an id is made of a-z, 0-9 and `-`, begins with a letter and has at most 32 characters"
    )]
    ProviderId { id: String },
    #[error("unknown provider `{id}`: {}", unknown_provider(near))]
    UnknownProvider { id: String, near: Option<String> },
    #[error("`{key}` must be between {min} and {max}: {why}")]
    OutOfBounds { key: String, min: u64, max: u64, why: &'static str },
    #[error("`{key}` takes a number of bytes, or a number with B, KB, MB, GB, KiB, MiB or GiB, such as `64MiB`")]
    Size { key: String },
    #[error("`{key}` has fewer than {min} characters, which can be guessed. Make one with: openssl rand -hex 24")]
    ShortKey { key: String, min: usize },
    #[error(
        "`{key}` holds white space or a character that no HTTP header may hold: check what was pasted. What is wanted is the key alone, without `Bearer` or a name before it"
    )]
    SecretCharacter { key: String },
    #[error("`{key}`: `{text}` is not an address with a port: write one such as `127.0.0.1:4356` or `[::1]:4356`")]
    Listen { key: String, text: String },
    #[error("`{key}` is an empty list: name an address, or take the line out")]
    NowhereToListen { key: String },
    #[error(
        "`{key}`: {address} can be reached from other machines, so clients need a key. Add:\n\n  server:\n    keys:\n      - \"…\"   # what this prints: openssl rand -hex 24\n"
    )]
    Exposed { key: String, address: String },
    #[error("`{key}`: {reason}")]
    Origin { key: String, reason: OriginError },
    #[error("`{key}` and `origins.api` differ: `api_base` is short for `origins.api`, so keep one of them")]
    OriginsDiffer { key: String },
    #[error(
        "`{key}`: `{text}` is not a web page's origin: write `scheme://host` or `scheme://host:port`, such as `https://chat.example.com`"
    )]
    AllowedOrigin { key: String, text: String },
    #[error("`{key}`: {reason}")]
    Address { key: String, reason: String },
    #[error("`{key}` has {count} addresses: it takes 1 to {most}")]
    AddressCount { key: String, count: usize, most: usize },
    #[error("`{key}`: `{address}` has more `*` than the name: each stands for what one of the name's matched")]
    Stars { key: String, address: String },
    #[error("`{key}` is never asked for: what begins with `{provider}:` is an address of that provider")]
    NameIsAddress { key: String, provider: String },
    #[error("`{key}` begins with `~`, which is not expanded: write ${{HOME}} instead")]
    Tilde { key: String },
    #[error(
        "`{key}` needs the environment variable {variable}, which is not set: set it, or write ${{{variable}:-…}} with a default"
    )]
    Unset { key: String, variable: String },
    #[error("`{key}` needs the environment variable {variable}, which is not UTF-8 text: set it to text")]
    VariableNotText { key: String, variable: String },
    #[error("`{key}` has a `${{` that is no ${{NAME}} or ${{NAME:-default}}: write $${{ for a plain one")]
    NotAVariable { key: String },
    #[error("`{key}`: a config from the working directory may not {guarded} until you accept it{}. Read it, then run: bitrouter config trust {}", again(*changed), shell_word(file))]
    Untrusted { key: String, guarded: Guarded, changed: bool, file: PathBuf },
}

impl Fault {
    /// Whether the file could not even be parsed.
    pub(super) fn is_of_yaml(&self) -> bool {
        matches!(self, Fault::Yaml(_) | Fault::DuplicateKey(_) | Fault::SeveralDocuments | Fault::TooComplex)
    }
}

/// What a config may not do that nobody accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarded {
    /// `api_base` and `origins`.
    Origins,
    /// `auth`.
    Login,
    /// `api_key`, `settings` and `accounts`: who owns the account reads what is stored under it, and a setting such as
    /// `organization` names who is charged.
    Account,
    /// `key_command` and its span: a program that is run.
    Program,
    /// `plugins.dir`.
    PluginDir,
    /// `plugins.lock` and `plugins.signers`.
    Acceptance,
    /// `${VAR}`.
    Environment,
    /// `server.listen`: clients and `connect` go by it.
    Listen,
    /// `server.keys`.
    Exposure,
    /// `server.allowed_origins`: a web page could spend the user's plan.
    AllowedOrigins,
    /// `server.allowed_hosts`: a page whose name leads to this machine could ask.
    AllowedHosts,
    /// `credentials.store`: secrets would leave the keyring.
    Secrets,
    /// `models`, `priority`, `enabled`, `hedge_after_ms` and timeouts: a request that a plan pays for could move to one
    /// that costs money, or cost it twice.
    Money,
    /// `side_requests`: live lists decide which provider a bare name finds.
    SideRequests,
    /// What requests and components may use of this machine.
    Limits,
}

impl fmt::Display for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Guarded::Origins => "say where keys are sent",
            Guarded::Login => "say how accounts log in",
            Guarded::Account => "say whose account is used",
            Guarded::Program => "name a program to be run",
            Guarded::PluginDir => "name a folder of plugins",
            Guarded::Acceptance => "say which components are accepted",
            Guarded::Environment => "read environment variables",
            Guarded::Listen => "say where the gateway listens",
            Guarded::Exposure => "say who may ask the gateway",
            Guarded::AllowedOrigins => "let web pages in",
            Guarded::AllowedHosts => "let the gateway be called by other names",
            Guarded::Secrets => "say where secrets are kept",
            Guarded::Money => "say what pays for requests",
            Guarded::SideRequests => "say what providers are asked for",
            Guarded::Limits => "say what the gateway may use",
        })
    }
}

/// What is worth saying, but stops nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Warning {
    /// A config holds keys in plain text and other users may read it.
    #[error("{}: it holds keys, and other users of this machine can read it. Run: chmod 600 {}", file.display(), shell_word(file))]
    ReadableByOthers {
        /// The config.
        file: PathBuf,
    },
    /// The working directory has a config that nobody accepted, and another holds.
    #[error("{} is not read, as {}; {} holds. If it is yours, read it, then run: bitrouter config trust {}", unread.display(), unaccepted(*changed), holds(used), shell_word(unread))]
    NotAccepted {
        /// The one in the working directory.
        unread: PathBuf,
        /// Whether it was accepted, as it was before.
        changed: bool,
        /// The one that holds; none where the defaults do.
        used: Option<PathBuf>,
    },
    /// The working directory has a config that was accepted, beside a gateway that runs with another.
    #[error("{} is not read: a gateway keeps to the config that it was started with, and this one holds from the next start on", unread.display())]
    FromNextStart {
        /// The one in the working directory.
        unread: PathBuf,
    },
    /// The working directory's config is used, and the user's own is not read at all.
    #[error("{} is used, so {} is not read. To use that one, run with: -c {}", used.display(), unread.display(), shell_word(unread))]
    Shadowed {
        /// The one in the working directory.
        used: PathBuf,
        /// The user's own.
        unread: PathBuf,
    },
}

fn unaccepted(changed: bool) -> &'static str {
    if changed { "it has changed since you accepted it" } else { "you have not accepted it" }
}

fn holds(used: &Option<PathBuf>) -> String {
    used.as_ref().map_or_else(|| "what the gateway was started with".to_owned(), |used| used.display().to_string())
}

fn unknown(near: &Option<String>, takes: &[&str]) -> String {
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("what can stand here is {}", takes.join(", ")),
    }
}

fn unknown_provider(near: &Option<String>) -> String {
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => "put its .wasm file into the plugin folder, or take the block out".to_owned(),
    }
}

fn again(changed: bool) -> &'static str {
    if changed { " again: it has changed since" } else { "" }
}
