//! JSON pointers, RFC 6901: checked once, then walked token by token.

use std::borrow::Cow;

use crate::{Error, error::kept, limits};

/// A well-formed pointer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pointer<'a>(&'a str);

impl<'a> Pointer<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Error> {
        let fault = |reason| Err(Error::Pointer { pointer: kept(text), reason });
        if !text.is_empty() && !text.starts_with('/') {
            return fault("a pointer is empty or starts with a slash");
        }
        let mut depth = 0;
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'/' => depth += 1,
                b'~' if !matches!(bytes.next(), Some(b'0' | b'1')) => {
                    return fault("a tilde is written ~0 and a slash ~1");
                }
                _ => {}
            }
        }
        if depth > limits::POINTER {
            return fault("it has more than 64 tokens");
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }

    /// The decoded tokens, each with the pointer of the value that it is looked up in.
    pub(crate) fn steps(self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> {
        let mut start = 0;
        std::iter::from_fn(move || {
            let rest = self.0.get(start + 1..)?;
            let parent = &self.0[..start];
            let token = &rest[..rest.find('/').unwrap_or(rest.len())];
            start += 1 + token.len();
            Some((parent, decoded(token)))
        })
    }

    /// The pointer of the value that holds this one, and the last token; none for the whole document.
    pub(crate) fn parent(self) -> Option<(Self, Cow<'a, str>)> {
        let (parent, token) = self.0.rsplit_once('/')?;
        Some((Self(parent), decoded(token)))
    }

    /// True if the other pointer is this one or leads through it.
    pub(crate) fn holds(self, other: Self) -> bool {
        other.0.strip_prefix(self.0).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A token as the index of an array: digits without a leading zero.
pub(crate) fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let canonical = token == "0" || !token.starts_with('0');
    if digits && canonical { token.parse().ok() } else { None }
}

fn decoded(token: &str) -> Cow<'_, str> {
    if token.contains('~') { Cow::Owned(token.replace("~1", "/").replace("~0", "~")) } else { Cow::Borrowed(token) }
}
