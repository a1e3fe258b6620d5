//! Arguments that Vertex streams in pieces, each with the path of the value to which it adds. They are put together here,
//! because no other dialect says an object out of order.

use crate::json;

/// How deep a path may go, and how many values arguments may have.
const DEPTH: usize = 32;
const VALUES: usize = 10_000;

/// The arguments of a call so far.
#[derive(Debug)]
pub(super) struct Partial {
    call: u64,
    values: usize,
    root: Tree,
}

#[derive(Debug)]
enum Tree {
    Object(Vec<(Vec<u8>, Tree)>),
    Array(Vec<Tree>),
    /// A string's inside.
    Text(Vec<u8>),
    Raw(Vec<u8>),
}

enum Step<'a> {
    Key(&'a [u8]),
    Index(usize),
}

impl Partial {
    pub(super) fn new(call: u64) -> Self {
        Self { call, values: 0, root: Tree::Object(Vec::new()) }
    }

    pub(super) fn call(&self) -> u64 {
        self.call
    }

    /// Takes in one of `partialArgs`.
    pub(super) fn add(&mut self, piece: &[u8]) {
        let (mut path, mut text, mut raw) = (None, None, None);
        for (key, value) in json::members(piece) {
            match key {
                b"jsonPath" | b"json_path" => path = json::inside(value),
                b"stringValue" | b"string_value" => text = json::inside(value),
                b"numberValue" | b"number_value" | b"boolValue" | b"bool_value" => raw = Some(value),
                b"nullValue" | b"null_value" => raw = Some(&b"null"[..]),
                _ => {}
            }
        }
        let steps = path.map(steps).unwrap_or_default();
        self.values += 1;
        if steps.is_empty() || steps.len() > DEPTH || self.values > VALUES && text.is_none() {
            return;
        }
        let Some(place) = self.root.at(&steps) else { return };
        match (text, raw) {
            (Some(text), _) => match place {
                Tree::Text(before) => before.extend_from_slice(text),
                other => *other = Tree::Text(text.to_vec()),
            },
            (None, Some(raw)) => *place = Tree::Raw(raw.to_vec()),
            (None, None) => {}
        }
    }

    /// The object as JSON.
    pub(super) fn into_arguments(self) -> Vec<u8> {
        let mut out = Vec::new();
        self.root.write(&mut out);
        out
    }
}

/// `$.a.b[0]['c d']`.
fn steps(path: &[u8]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = path.strip_prefix(b"$").unwrap_or(path);
    while let Some((first, after)) = rest.split_first() {
        let (step, next) = match first {
            b'.' => {
                let end = after.iter().position(|byte| matches!(byte, b'.' | b'[')).unwrap_or(after.len());
                (Step::Key(&after[..end]), &after[end..])
            }
            b'[' => {
                let Some(end) = after.iter().position(|byte| *byte == b']') else { return Vec::new() };
                let within = &after[..end];
                let index = std::str::from_utf8(within).ok().and_then(|it| it.parse().ok());
                let quoted = within.strip_prefix(b"'").and_then(|it| it.strip_suffix(b"'"));
                let step = index.map_or(Step::Key(quoted.unwrap_or(within)), Step::Index);
                (step, &after[end + 1..])
            }
            _ => return Vec::new(),
        };
        steps.push(step);
        rest = next;
    }
    steps
}

impl Tree {
    /// The place of a path, made where it is not there yet.
    fn at(&mut self, steps: &[Step<'_>]) -> Option<&mut Self> {
        let Some((step, rest)) = steps.split_first() else { return Some(self) };
        match step {
            Step::Key(key) => {
                if !matches!(self, Self::Object(_)) {
                    *self = Self::Object(Vec::new());
                }
                let Self::Object(members) = self else { return None };
                let at = members.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
                    members.push((key.to_vec(), Self::Raw(b"null".to_vec())));
                    members.len() - 1
                });
                members.get_mut(at)?.1.at(rest)
            }
            Step::Index(index) => {
                if !matches!(self, Self::Array(_)) {
                    *self = Self::Array(Vec::new());
                }
                let Self::Array(items) = self else { return None };
                if *index == items.len() {
                    items.push(Self::Raw(b"null".to_vec()));
                }
                items.get_mut(*index)?.at(rest)
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(raw) => out.extend_from_slice(raw),
            Self::Text(text) => quoted(text, out),
            Self::Object(members) => {
                out.push(b'{');
                for (at, (key, value)) in members.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    quoted(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
            Self::Array(items) => {
                out.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
        }
    }
}

fn quoted(inside: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(inside);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(pieces: &[&str]) -> String {
        let mut partial = Partial::new(0);
        pieces.iter().for_each(|piece| partial.add(piece.as_bytes()));
        String::from_utf8(partial.into_arguments()).unwrap()
    }

    #[test]
    fn pieces_go_where_their_paths_lead() {
        let pieces = [
            r#"{"jsonPath":"$.city","stringValue":"New \u00","willContinue":true}"#,
            r#"{"jsonPath":"$.city","stringValue":"59ork"}"#,
            r#"{"jsonPath":"$.days[0].n","numberValue":1.0}"#,
            r#"{"jsonPath":"$.days[1].n","numberValue":2}"#,
            r#"{"jsonPath":"$['a b']","boolValue":true}"#,
            r#"{"jsonPath":"$.none","nullValue":"NULL_VALUE"}"#,
        ];
        let all = r#"{"city":"New \u0059ork","days":[{"n":1.0},{"n":2}],"a b":true,"none":null}"#;
        assert_eq!(arguments(&pieces), all);
    }

    #[test]
    fn paths_that_lead_nowhere_are_left_out() {
        let deep = format!(r#"{{"jsonPath":"${}","stringValue":"x"}}"#, ".a".repeat(100));
        let pieces =
            [r#"{"jsonPath":"$.a[7]","stringValue":"x"}"#, r#"{"jsonPath":"$[","numberValue":1}"#, "{}", &deep];
        assert_eq!(arguments(&pieces), r#"{"a":[]}"#);
        assert_eq!(arguments(&[]), "{}");
    }
}
