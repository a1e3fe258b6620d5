//! Patterns of pointers: `/messages/*/content/*` names every part of every message.
//! `find` and `each` look for what a pattern names; nothing else reads one.

use std::borrow::Cow;

use crate::{Error, pointer::Pointer};

/// A well-formed pattern: a JSON pointer in which a token `*` stands for every item of an array and every member of an
/// object. What it names lies on one level of the document, so no match is inside another.
#[derive(Debug)]
pub(crate) struct Pattern<'a>(Vec<Token<'a>>);

/// One step of a pattern.
#[derive(Debug)]
pub(crate) enum Token<'a> {
    /// The member of this name, or the item of this index.
    Name(Cow<'a, str>),
    /// All of them.
    Each,
}

impl<'a> Pattern<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let tokens = Pointer::parse(text)?.steps().map(|(_, token)| match token {
            Cow::Borrowed("*") => Token::Each,
            name => Token::Name(name),
        });
        Ok(Self(tokens.collect()))
    }

    pub(crate) fn tokens(&self) -> &[Token<'a>] {
        &self.0
    }
}
