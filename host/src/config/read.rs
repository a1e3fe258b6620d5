//! The tree against the table of keys: what comes out is the typed config, or every problem of the file.
//!
//! `load` calls it, and `trust` to learn what a file would do. It goes on after a problem, so that one run shows all.

use std::net::SocketAddr;
use std::path::Path;

use super::expand::{self, Piece};
use super::keys::{self, Child, Key, State};
use super::set::Entry;
use super::tree::{self, Name, Node, Value};
use super::trust::{Guard, Standing};
use super::value::Expander;
use super::{Config, ConfigError, Env, Fault, Guarded, Place, Problem};
use crate::route::nearest::nearest;

/// What a file says.
pub(super) struct Read {
    pub config: Config,
    /// Whether a secret stands in the file itself, rather than in a variable.
    pub literal_secret: bool,
    /// Whether it holds nothing: no key, not even the `{}` of somebody who means that.
    pub says_nothing: bool,
}

/// Reads a whole file over the defaults.
pub(super) fn read(
    file: &Path,
    text: &str,
    standing: Standing,
    env: Env<'_>,
    defaults: Config,
) -> Result<Read, ConfigError> {
    let guard = Guard { file, standing };
    let mut reader = Reader {
        guard,
        expander: Expander { env, guard },
        config: defaults,
        problems: Vec::new(),
        literal_secret: false,
        says_something: false,
        keys_written: false,
        open: None,
    };
    match tree::parse(text) {
        Ok(root) => {
            reader.says_something = matches!(&root.value, Value::Map(entries) if entries.is_empty());
            reader.section("", "", None, root.place, &root.value);
        }
        Err(problem) => reader.problems.push(problem),
    }
    reader.check_door();
    let Reader { config, mut problems, literal_secret, says_something, .. } = reader;
    if problems.is_empty() {
        return Ok(Read { config, literal_secret, says_nothing: !says_something });
    }
    problems.sort_by_key(|problem| (problem.place.line, problem.place.column));
    Err(ConfigError::Invalid { file: file.to_owned(), problems })
}

/// The state of one walk.
pub(super) struct Reader<'a> {
    pub guard: Guard<'a>,
    pub expander: Expander<'a>,
    pub config: Config,
    problems: Vec<Problem>,
    pub literal_secret: bool,
    says_something: bool,
    pub keys_written: bool,
    /// An address that other machines can reach, and where it stands.
    pub open: Option<(Place, SocketAddr)>,
}

impl Reader<'_> {
    /// Walks a section. `pattern` is its path in the table, `path` the one in the file.
    fn section(&mut self, pattern: &str, path: &str, id: Option<&str>, place: Place, value: &Value) {
        let entries = match value {
            Value::Map(entries) => entries,
            // A section whose lines are all commented out.
            Value::Null => return,
            other if path.is_empty() => {
                let what = if matches!(other, Value::List(_)) { "a list" } else { "one value" };
                return self.problem(place, Fault::NoKeys { what, takes: keys::names(pattern) });
            }
            _ => {
                let (key, names) = (path.to_owned(), keys::names(pattern).join(", "));
                return self.problem(place, Fault::WrongType { key, takes: format!("keys of its own: {names}") });
            }
        };
        for (name, node) in entries {
            let here = keys::join(path, &name.text);
            match keys::wildcard(pattern) {
                Some(any) if is_provider_id(&name.text) => {
                    let block = self.config.providers.entry(name.text.clone()).or_default();
                    block.place = name.place;
                    self.section(&keys::join(pattern, any), &here, Some(&name.text), name.place, &node.value);
                }
                Some(_) => self.problem(name.place, Fault::ProviderId { id: name.text.clone() }),
                None => match keys::child(pattern, &name.text) {
                    Some(Child::Section) => {
                        self.section(&keys::join(pattern, &name.text), &here, id, name.place, &node.value);
                    }
                    Some(Child::Key(key)) => self.key(key, &here, id.unwrap_or_default(), name, node),
                    None => self.unknown(pattern, here, name),
                },
            }
        }
    }

    fn key(&mut self, key: &'static Key, path: &str, id: &str, name: &Name, node: &Node) {
        self.says_something = true;
        if !key.is_harmless()
            && let Err(fault) = self.guard.check(path, key.decides)
        {
            self.problem(name.place, fault);
            if let Some(place) = mentioned(node) {
                self.refuse_variable(path, place);
            }
            return;
        }
        let field = match key.state {
            State::Landed(field) => field,
            State::NotYet(what) => {
                return self.problem(name.place, Fault::NotYet { key: path.to_owned(), what });
            }
        };
        if matches!(node.value, Value::Null) {
            return self.problem(name.place, Fault::NoValue { key: path.to_owned() });
        }
        let entry = Entry { path, id, kind: &key.kind, place: name.place, node };
        if let Err((place, fault)) = self.set(field, &entry) {
            self.problem(place, fault);
        }
    }

    /// A key that is refused is not read, so what its value would read of the environment is said here.
    fn refuse_variable(&mut self, path: &str, place: Place) {
        if let Err(fault) = self.guard.check(path, Guarded::Environment) {
            self.problem(place, fault);
        }
    }

    fn unknown(&mut self, pattern: &str, key: String, name: &Name) {
        let takes = keys::names(pattern);
        let near = nearest(&name.text, takes.iter().copied(), 1).first().map(|near| (*near).to_owned());
        let near = near.or_else(|| keys::elsewhere(&name.text).map(str::to_owned));
        self.problem(name.place, Fault::UnknownKey { key, near, takes });
    }

    fn check_door(&mut self) {
        if let Some((place, address)) = self.open
            && !self.keys_written
        {
            let fault = Fault::OpenDoor { key: "server.listen".to_owned(), address: address.to_string() };
            self.problem(place, fault);
        }
    }

    fn problem(&mut self, place: Place, fault: Fault) {
        self.problems.push(Problem { place, fault });
    }
}

/// Where a value first names an environment variable.
fn mentioned(node: &Node) -> Option<Place> {
    match &node.value {
        Value::Text(text) => {
            let pieces = expand::pieces(text).unwrap_or_default();
            pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })).then_some(node.place)
        }
        Value::List(items) => items.iter().find_map(mentioned),
        Value::Map(entries) => entries.iter().find_map(|(_, value)| mentioned(value)),
        _ => None,
    }
}

/// The grammar that a description's id has.
fn is_provider_id(id: &str) -> bool {
    id.len() <= 32
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}
