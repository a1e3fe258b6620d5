//! Takes a credential's secret out of what a provider sends back: bodies, headers and texts.
//!
//! Upstream passes every answer through here before a component, a log or a client sees it. A secret is found as it
//! is, JSON-escaped, percent-encoded and in base64; one shorter than [`SHORTEST_SECRET`] is not looked for.

mod known;
mod needles;
mod stream;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use aho_corasick::{AhoCorasick, Input, MatchKind};
use bytes::{Bytes, BytesMut};
use http::HeaderValue;
use secrecy::zeroize::Zeroize as _;
use secrecy::{ExposeSecret as _, SecretString};

pub use known::scrub_log;
pub use stream::ScrubStream;

/// What stands in the place of a secret.
pub const MARK: &str = "[secret]";

/// The fewest bytes that a secret must have to be looked for. A shorter one would be found by chance in what a model
/// writes, and no provider gives keys that short.
pub const SHORTEST_SECRET: usize = 8;

/// How many bytes of a needle the automaton knows: the whole of a needle would make it a hundred times larger, and few
/// texts get further by chance. No needle is shorter.
const HEAD: usize = SHORTEST_SECRET;

/// Finds a set of secrets in all their encodings. Made once for each credential, shared by its requests.
pub struct Scrubber {
    /// What is looked for, as it is.
    secrets: Vec<SecretString>,
    /// Made when it is first needed: most credentials of a gateway with many wait for a request that never comes, and this
    /// is a hundred times as large as the rest of one.
    prepared: OnceLock<Prepared>,
    /// Whether the log has none of its secrets.
    in_log: AtomicBool,
}

/// The secrets in the form in which they are found.
struct Prepared {
    /// Finds the heads; pattern `n` stands for all of `needles[n]`.
    heads: AhoCorasick,
    /// The needles by head, each list the longest first.
    needles: Vec<Vec<Box<[u8]>>>,
    longest: usize,
    /// The bytes that occur in some needle.
    alphabet: [bool; 256],
}

impl Prepared {
    fn new(secrets: &[SecretString]) -> Self {
        let mut found: Vec<Box<[u8]>> = secrets
            .iter()
            .flat_map(|secret| needles::of(secret.expose_secret()))
            .filter(|needle| needle.len() >= HEAD)
            .map(Vec::into_boxed_slice)
            .collect();
        found.sort_by(|a, b| a[..HEAD].cmp(&b[..HEAD]).then(b.len().cmp(&a.len())).then(a.cmp(b)));
        found.dedup();
        let mut alphabet = [false; 256];
        found.iter().flatten().for_each(|&byte| alphabet[usize::from(byte)] = true);
        let longest = found.iter().map(|needle| needle.len()).max().unwrap_or(0);
        let needles: Vec<Vec<Box<[u8]>>> =
            found.chunk_by(|a, b| a[..HEAD] == b[..HEAD]).map(<[Box<[u8]>]>::to_vec).collect();
        let heads = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(needles.iter().map(|group| &group[0][..HEAD]))
            .expect("an automaton of eight-byte patterns is far below any limit");
        Prepared { heads, needles, longest, alphabet }
    }
}

impl Scrubber {
    /// A scrubber for these secrets. Those shorter than [`SHORTEST_SECRET`] bytes are left out.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let secrets = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST_SECRET).map(SecretString::from);
        Scrubber { secrets: secrets.collect(), prepared: OnceLock::new(), in_log: AtomicBool::new(false) }
    }

    /// Another for the same secrets, for one answer that has nothing to do with requests: what it needs is gone with it.
    pub fn for_once(&self) -> Self {
        Scrubber::new(self.secrets.iter().map(SecretString::expose_secret))
    }

    /// None where there is nothing to look for.
    fn prepared(&self) -> Option<&Prepared> {
        (!self.secrets.is_empty()).then(|| self.prepared.get_or_init(|| Prepared::new(&self.secrets)))
    }

    /// A scrubber that finds nothing, for a provider without a credential.
    pub fn none() -> Self {
        Scrubber::new([])
    }

    /// The bytes without a secret in them; the same bytes, not copied, where there is none.
    pub fn scrub_bytes(&self, bytes: Bytes) -> Bytes {
        let Some(first) = self.find(&bytes, 0) else {
            return bytes;
        };
        let mut clean = BytesMut::with_capacity(bytes.len());
        let mut from = 0;
        let mut next = Some(first);
        while let Some(found) = next {
            clean.extend_from_slice(&bytes[from..found.start]);
            clean.extend_from_slice(MARK.as_bytes());
            from = found.end;
            next = self.find(&bytes, from);
        }
        clean.extend_from_slice(&bytes[from..]);
        clean.freeze()
    }

    /// The text without a secret in it.
    pub fn scrub_text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.find(text.as_bytes(), 0).is_none() {
            return Cow::Borrowed(text);
        }
        let clean = self.scrub_bytes(Bytes::copy_from_slice(text.as_bytes()));
        // Needles and mark are UTF-8, which is self-synchronising, so the rest is made of whole characters.
        Cow::Owned(String::from_utf8_lossy(&clean).into_owned())
    }

    /// The header value without a secret in it.
    pub fn scrub_header<'v>(&self, value: &'v HeaderValue) -> Cow<'v, HeaderValue> {
        if self.find(value.as_bytes(), 0).is_none() {
            return Cow::Borrowed(value);
        }
        let clean = self.scrub_bytes(Bytes::copy_from_slice(value.as_bytes()));
        // Cannot fail, as the mark is visible ASCII; were it to, the whole value goes.
        Cow::Owned(HeaderValue::from_maybe_shared(clean).unwrap_or(HeaderValue::from_static(MARK)))
    }

    /// The first match at or after `from`, the longest of those that begin there.
    fn find(&self, text: &[u8], from: usize) -> Option<Range<usize>> {
        let Prepared { heads, needles, .. } = self.prepared()?;
        let mut from = from;
        loop {
            let head = heads.find(Input::new(text).span(from..text.len()))?;
            let rest = &text[head.start()..];
            if let Some(needle) = needles[head.pattern().as_usize()].iter().find(|needle| rest.starts_with(needle)) {
                return Some(head.start()..head.start() + needle.len());
            }
            from = head.start() + 1;
        }
    }

    /// The first place at or after `from` where the end of the text may be the beginning of a needle; the text's length
    /// where there is none.
    fn open_end(&self, text: &[u8], from: usize) -> usize {
        let Some(prepared) = self.prepared() else { return text.len() };
        let from = from.max(text.len().saturating_sub(prepared.longest.saturating_sub(1)));
        // An event ends in a line break, which no needle holds: then this looks at one byte.
        let strangers = text[from..].iter().rposition(|&byte| !prepared.alphabet[usize::from(byte)]);
        let from = strangers.map_or(from, |at| from + at + 1);
        (from..text.len()).find(|&at| prepared.may_begin(&text[at..])).unwrap_or(text.len())
    }
}

impl Prepared {
    fn may_begin(&self, tail: &[u8]) -> bool {
        let group_may = |group: &Vec<Box<[u8]>>| {
            let head = tail.len().min(HEAD);
            group[0][..head] == tail[..head]
                && group.iter().any(|needle| needle.len() > tail.len() && needle.starts_with(tail))
        };
        self.needles.iter().any(group_may)
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.needles.iter_mut().flatten().for_each(|needle| needle.zeroize());
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        if *self.in_log.get_mut() {
            known::forget();
        }
    }
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrubber").field("secrets", &self.secrets.len()).finish()
    }
}

#[cfg(test)]
mod tests;
