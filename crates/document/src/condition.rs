//! What a match must be to count, decided where the value lies: nothing is copied, and nothing is decoded but a string
//! with escapes that may be the one asked for. `find` asks before it reads, `each` before it edits.

use std::borrow::Cow;

use crate::{
    Error, Kind,
    error::kept,
    find::Left,
    limits,
    pointer::Pointer,
    tree::{At, Node, Tree},
};

/// A condition on a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition<'a> {
    /// The value that is looked at, as a pointer below the match; the empty one is the match itself.
    pub at: &'a str,
    /// What it must be.
    pub test: Test<'a>,
    /// True if it must not be that. A value that is not there passes no test, so it passes each that is negated.
    pub negated: bool,
}

/// What a value is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test<'a> {
    /// It is there.
    Present,
    /// It is of one of these kinds.
    OfKind(Vec<Kind>),
    /// It is one of these scalars, given as JSON text. Strings are compared as what they say, numbers as they are written.
    OneOf(Vec<&'a str>),
    /// It is a string that begins with one of these texts, which are given as they are.
    BeginsWith(Vec<&'a str>),
    /// Its JSON text has more bytes than this.
    LongerThan(u32),
}

/// A condition that is ready to be asked of many matches.
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    at: Below<'a>,
    test: PreparedTest<'a>,
    negated: bool,
    /// What it costs to ask, beside finding the value.
    steps: usize,
}

#[derive(Debug)]
enum PreparedTest<'a> {
    Present,
    OfKind(&'a [Kind]),
    OneOf(Vec<Scalar<'a>>),
    BeginsWith(&'a [&'a str]),
    LongerThan(u32),
}

#[derive(Debug)]
enum Scalar<'a> {
    /// What a string says.
    Text(Cow<'a, str>),
    /// A number, `true`, `false` or `null`, as it is written.
    Other(&'a str),
}

/// A pointer below a match.
#[derive(Debug)]
pub(crate) struct Below<'a> {
    pub(crate) tokens: Vec<Cow<'a, str>>,
}

impl<'a> Below<'a> {
    pub(crate) fn parse(pointer: &'a str) -> Result<Self, Error> {
        Ok(Self { tokens: Pointer::parse(pointer)?.steps().map(|(_, token)| token).collect() })
    }
}

/// Checks all conditions of a call.
pub(crate) fn prepared<'a>(conditions: &'a [Condition<'a>]) -> Result<Vec<Prepared<'a>>, Error> {
    if conditions.len() > limits::CONDITIONS {
        return Err(Error::TooManyConditions { conditions: conditions.len() });
    }
    conditions.iter().map(Prepared::of).collect()
}

impl<'a> Prepared<'a> {
    fn of(condition: &'a Condition<'a>) -> Result<Self, Error> {
        let (test, texts) = match &condition.test {
            Test::Present => (PreparedTest::Present, &[][..]),
            Test::OfKind(kinds) => (PreparedTest::OfKind(kinds), &[][..]),
            Test::OneOf(values) => {
                let scalars = values.iter().map(|value| scalar(value).ok_or_else(|| not_a_scalar(condition.at, value)));
                (PreparedTest::OneOf(scalars.collect::<Result<_, _>>()?), values.as_slice())
            }
            Test::BeginsWith(texts) => (PreparedTest::BeginsWith(texts), texts.as_slice()),
            Test::LongerThan(bytes) => (PreparedTest::LongerThan(*bytes), &[][..]),
        };
        let steps = 1 + texts.iter().map(|text| 1 + text.len() / 16).sum::<usize>();
        Ok(Self { at: Below::parse(condition.at)?, test, negated: condition.negated, steps })
    }
}

fn scalar(value: &str) -> Option<Scalar<'_>> {
    let value = value.trim_ascii();
    match value.bytes().next()? {
        b'"' => serde_json::from_str(value).ok().map(Scalar::Text),
        b'{' | b'[' => None,
        _ => serde_json::from_str::<serde::de::IgnoredAny>(value).ok().map(|_| Scalar::Other(value)),
    }
}

fn not_a_scalar(at: &str, value: &str) -> Error {
    Error::Condition { at: kept(at), value: kept(value) }
}

impl Tree {
    /// Whether a match passes all of these.
    #[inline]
    pub(crate) fn passes(
        &mut self,
        found: At,
        only: &[Prepared<'_>],
        left: &mut Left,
        pointer: &dyn Fn(&Self) -> String,
    ) -> Result<bool, Error> {
        for condition in only {
            left.step(condition.steps)?;
            let value = match (condition.at.tokens.as_slice(), self.node(found)) {
                // Nearly all of them, and thousands in a call.
                ([name], Node::Container(id)) if self.container(id).kind == Kind::Object => {
                    let members = self.members(id);
                    left.step(members.len())?;
                    self.position(id, name).map(|place| members[place].value)
                }
                _ => self.below(found, &condition.at, left, pointer)?.map(|at| self.node(at)),
            };
            let passes = match value {
                Some(value) => self.is(value, &condition.test, left)?,
                None => false,
            };
            if passes == condition.negated {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The value below another, if there is one. `pointer` is for errors.
    #[inline]
    pub(crate) fn below(
        &mut self,
        mut at: At,
        way: &Below<'_>,
        left: &mut Left,
        pointer: &dyn Fn(&Self) -> String,
    ) -> Result<Option<At>, Error> {
        for (depth, token) in way.tokens.iter().enumerate() {
            let id = match self.node(at) {
                Node::Container(id) => id,
                Node::Text(_) => {
                    // The document is lent out while it is indexed, so what an error would say is made in advance, if at all.
                    match self.open_found(at, &|tree| {
                        way.tokens[..depth].iter().fold(pointer(tree), |path, token| format!("{path}/{token}"))
                    })? {
                        Some(id) => id,
                        None => return Ok(None),
                    }
                }
            };
            let container = self.container(id);
            left.step(if container.kind == Kind::Object { container.len as usize } else { 1 })?;
            match self.child(id, token) {
                Some(index) => at = At::Slot(id, index),
                None => return Ok(None),
            }
        }
        Ok(Some(at))
    }

    #[inline]
    fn is(&self, value: Node, test: &PreparedTest<'_>, left: &mut Left) -> Result<bool, Error> {
        match test {
            PreparedTest::Present => Ok(true),
            PreparedTest::OfKind(kinds) => Ok(kinds.contains(&self.kind(value)?)),
            PreparedTest::OneOf(scalars) => self.is_one_of(value, scalars),
            PreparedTest::BeginsWith(texts) => self.begins_with(value, texts, left),
            PreparedTest::LongerThan(bytes) => {
                if self.own_text(value).is_none() {
                    left.step(self.pieces(value).spans.len())?;
                }
                Ok(self.size(value) > *bytes)
            }
        }
    }

    fn is_one_of(&self, value: Node, scalars: &[Scalar<'_>]) -> Result<bool, Error> {
        let Node::Text(span) = value else { return Ok(false) };
        let span = self.text.trimmed(span);
        let bytes = self.text.bytes(span);
        let [b'"', inner @ .., b'"'] = bytes else {
            return Ok(scalars
                .iter()
                .any(|scalar| matches!(scalar, Scalar::Other(other) if other.as_bytes() == bytes)));
        };
        for scalar in scalars {
            let Scalar::Text(text) = scalar else { continue };
            // Six bytes is the longest way to write one of an ASCII text.
            if inner == text.as_bytes() && !inner.contains(&b'\\') {
                return Ok(true);
            }
            let may_be = inner.len() > text.len() && inner.len() <= 6 * text.len();
            if may_be && inner.contains(&b'\\') && self.text.string(span)? == *text {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn begins_with(&self, value: Node, texts: &[&str], left: &mut Left) -> Result<bool, Error> {
        let Node::Text(span) = value else { return Ok(false) };
        let span = self.text.trimmed(span);
        let [b'"', inner @ .., b'"'] = self.text.bytes(span) else { return Ok(false) };
        let mut decoded = None;
        for text in texts {
            let start = &inner[..text.len().min(inner.len())];
            let begins = if !start.contains(&b'\\') {
                start == text.as_bytes()
            } else {
                if decoded.is_none() {
                    left.step(inner.len() / 16)?;
                    decoded = Some(self.text.string(span)?);
                }
                decoded.as_ref().is_some_and(|decoded| decoded.starts_with(text))
            };
            if begins {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
