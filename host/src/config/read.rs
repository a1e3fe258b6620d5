//! The tree into the sections: what comes out is the typed config, or every problem of the file.
//!
//! `load` calls it, and `trust` to learn what a file would do. It goes on after a problem, so that one run shows all.
//! Variables are expanded here, because only a value, never a key, may hold one.

use std::net::SocketAddr;
use std::path::Path;

use bitrouter_route::nearest::nearest;
use serde_json::Value as Json;

use super::expand::{self, Piece};
use super::keys;
use super::kinds::Kind;
use super::section::Section;
use super::tree::{self, Name, Node, Value};
use super::trust::{Guard, Standing};
use super::{Config, ConfigError, Env, Fault, Guarded, Position, Problem};

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
    let mut config = defaults;
    let mut reader = Reader::new(Guard { file, standing }, env);
    match tree::parse(text) {
        Ok(root) => {
            reader.says_something = matches!(&root.value, Value::Map(entries) if entries.is_empty());
            reader.section(&Entry { key: "", position: root.position, node: &root }, &mut config);
            config.server.listen_named = root.value_of("server", "listen").is_some();
            reader.check_exposure(&root);
        }
        Err(problem) => reader.problem(problem),
    }
    let (literal_secret, says_nothing) = (reader.literal_secret, !reader.says_something);
    let problems = reader.problems();
    match problems.is_empty() {
        true => Ok(Read { config, literal_secret, says_nothing }),
        false => Err(ConfigError::Invalid { file: file.to_owned(), problems }),
    }
}

pub(super) type ReadResult<T> = Result<T, Problem>;

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Entry<'a> {
    /// The key's whole path as the file has it; empty for the file itself.
    pub key: &'a str,
    /// Where the key stands.
    pub position: Position,
    pub node: &'a Node,
}

impl<'a> Entry<'a> {
    /// A problem of the value.
    pub(crate) fn problem(&self, fault: impl FnOnce(String) -> Fault) -> Problem {
        Problem { position: self.node.position, fault: fault(self.key.to_owned()) }
    }

    /// A problem of the key as a whole.
    pub(crate) fn problem_of_key(&self, fault: impl FnOnce(String) -> Fault) -> Problem {
        Problem { position: self.position, fault: fault(self.key.to_owned()) }
    }

    /// The value is another kind of thing than the key takes.
    pub(crate) fn wrong(&self, takes: &str) -> Problem {
        self.problem(|key| Fault::WrongType { key, takes: takes.to_owned() })
    }

    /// The values of a list; one value is a list of one.
    pub(crate) fn items(self) -> impl Iterator<Item = Entry<'a>> {
        let items = match &self.node.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(self.node),
        };
        items.iter().map(move |node| Entry { node, ..self })
    }
}

/// A text of the config, expanded.
pub(super) struct Text {
    pub text: String,
    /// Whether a variable had a part in it.
    pub expanded: bool,
}

/// The state of one walk.
pub(super) struct Reader<'a> {
    pub guard: Guard<'a>,
    env: Env<'a>,
    problems: Vec<Problem>,
    says_something: bool,
    pub literal_secret: bool,
    /// An address that other machines can reach, and where it stands.
    pub open: Option<(Position, SocketAddr)>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(guard: Guard<'a>, env: Env<'a>) -> Self {
        let (problems, says_something, literal_secret, open) = (Vec::new(), false, false, None);
        Reader { guard, env, problems, says_something, literal_secret, open }
    }

    /// Reads a section over what `into` says.
    pub(crate) fn section<T: Section>(&mut self, entry: &Entry<'_>, into: &mut T) {
        for (name, node) in self.entries(entry, T::NAMES) {
            let key = join(entry.key, &name.text);
            if !into.read(&name.text, &Entry { key: &key, position: name.position, node }, self) {
                self.unknown::<T>(key, name);
            }
        }
    }

    /// The keys below a key that has keys of its own.
    pub(crate) fn entries<'n>(&mut self, entry: &Entry<'n>, names: &[&'static str]) -> &'n [(Name, Node)] {
        let (position, key) = (entry.position, entry.key.to_owned());
        let fault = match &entry.node.value {
            Value::Map(entries) => return entries,
            // A section whose lines are all commented out.
            Value::Null => return &[],
            Value::List(_) if key.is_empty() => Fault::NoKeys { what: "a list", takes: names.to_vec() },
            _ if key.is_empty() => Fault::NoKeys { what: "one value", takes: names.to_vec() },
            _ => Fault::WrongType { key, takes: format!("keys of its own: {}", names.join(", ")) },
        };
        self.problem(Problem { position, fault });
        &[]
    }

    /// Reads the value of a key, unless the file may not decide what it decides.
    pub(crate) fn value<K: Kind>(
        &mut self,
        entry: &Entry<'_>,
        kind: &K,
        decides: Option<Guarded>,
        into: &mut K::Value,
    ) {
        self.says_something = true;
        let refused = decides.and_then(|guarded| self.guard.check(entry.key, guarded).err());
        if let Some(fault) = refused {
            self.problem(Problem { position: entry.position, fault });
            // It is not read, so what its value would read of the environment is said here.
            if let Some(position) = mentioned(entry.node)
                && let Err(fault) = self.guard.check(entry.key, Guarded::Environment)
            {
                self.problem(Problem { position, fault });
            }
            return;
        }
        let empty = matches!(entry.node.value, Value::Null);
        let value = match empty {
            true => Err(entry.problem_of_key(|key| Fault::NoValue { key })),
            false => kind.read(entry, self),
        };
        match value {
            Ok(value) => *into = value,
            Err(problem) => self.problem(problem),
        }
    }

    fn unknown<T: Section>(&mut self, key: String, name: &Name) {
        let takes = T::NAMES.to_vec();
        let near = nearest(&name.text, takes.iter().copied(), 1).first().map(|near| (*near).to_owned());
        // The one place where a key of this name belongs, for who wrote it in another.
        let elsewhere =
            || keys::all().into_iter().map(|key| key.path).find(|path| path.rsplit('.').next() == Some(&name.text));
        self.problem(Problem {
            position: name.position,
            fault: Fault::UnknownKey { key, near: near.or_else(elsewhere), takes },
        });
    }

    /// A key with a problem is reported as such, not as a missing one: so the tree is asked, not the config.
    fn check_exposure(&mut self, root: &Node) {
        let keys = root.value_of("server", "keys");
        let has_keys = keys.is_some_and(|keys| matches!(&keys.value, Value::List(items) if !items.is_empty()));
        if let Some((position, address)) = self.open.filter(|_| !has_keys) {
            let fault = Fault::Exposed { key: "server.listen".to_owned(), address: address.to_string() };
            self.problem(Problem { position, fault });
        }
    }

    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// What was wrong, in the order of the file.
    pub(crate) fn problems(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|problem| problem.position);
        self.problems
    }

    /// A text that is not empty. `takes` says what the key takes when it is something else.
    pub(crate) fn text(&self, entry: &Entry<'_>, takes: &str) -> ReadResult<Text> {
        let missing = || entry.problem(|key| Fault::NoValue { key });
        match &entry.node.value {
            Value::Text(text) => {
                let text = self.expand(entry.key, text).map_err(|fault| entry.problem(|_| fault))?;
                if text.text.is_empty() { Err(missing()) } else { Ok(text) }
            }
            Value::Null => Err(missing()),
            _ => Err(entry.wrong(takes)),
        }
    }

    /// Any value, as JSON. Variables are expanded in its texts, not in its keys.
    pub(crate) fn json(&self, entry: &Entry<'_>) -> ReadResult<Json> {
        let of = |node| self.json(&Entry { node, ..*entry });
        Ok(match &entry.node.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::from(*value),
            Value::Integer(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::Text(text) => {
                Json::from(self.expand(entry.key, text).map_err(|fault| entry.problem(|_| fault))?.text)
            }
            Value::List(items) => Json::Array(items.iter().map(of).collect::<ReadResult<_>>()?),
            Value::Map(entries) => {
                let pairs = entries.iter().map(|(name, node)| Ok((name.text.clone(), of(node)?)));
                Json::Object(pairs.collect::<ReadResult<_>>()?)
            }
        })
    }

    /// The text with its variables filled in, or a refusal where the config may not read them.
    fn expand(&self, key: &str, text: &str) -> Result<Text, Fault> {
        let pieces = expand::pieces(text).map_err(|_| Fault::NotAVariable { key: key.to_owned() })?;
        let mut filled = Text { text: String::new(), expanded: false };
        for piece in pieces {
            match piece {
                Piece::Text(text) => filled.text.push_str(text),
                Piece::Variable { name, default } => {
                    filled.text.push_str(&self.variable(key, name, default)?);
                    filled.expanded = true;
                }
            }
        }
        Ok(filled)
    }

    fn variable(&self, key: &str, name: &str, default: Option<&str>) -> Result<String, Fault> {
        self.guard.check(key, Guarded::Environment)?;
        let (key, variable) = (key.to_owned(), name.to_owned());
        match ((self.env)(name), default) {
            // As in a shell, `:-` stands in for an empty variable too.
            (None, Some(default)) => Ok(default.to_owned()),
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (Some(value), _) => value.into_string().map_err(|_| Fault::VariableNotText { key, variable }),
            (None, None) => Err(Fault::Unset { key, variable }),
        }
    }
}

/// Where a value first names an environment variable.
fn mentioned(node: &Node) -> Option<Position> {
    match &node.value {
        Value::Text(text) => {
            let pieces = expand::pieces(text).unwrap_or_default();
            pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. })).then_some(node.position)
        }
        Value::List(items) => items.iter().find_map(mentioned),
        Value::Map(entries) => entries.iter().find_map(|(_, value)| mentioned(value)),
        _ => None,
    }
}

/// A path with one more segment.
pub(super) fn join(section: &str, name: &str) -> String {
    match section {
        "" => name.to_owned(),
        section => format!("{section}.{name}"),
    }
}
