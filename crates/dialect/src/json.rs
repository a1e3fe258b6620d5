//! Finds values inside JSON text by walking over what stands before them, without building a tree. The tap and
//! the error reader use it on events and bodies that serde would take ten times as long to parse. It does not
//! check that the text is JSON: on nonsense it finds nothing, and it must never panic.

mod ends;

use std::borrow::Cow;

use memchr::{memchr2, memchr3};

pub(crate) use ends::measured;

/// The walk over one value, which may be interrupted at any byte and go on with the next chunk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Skip {
    /// Inside a string; `escaped` if the last byte was a backslash that opens an escape.
    Text { escaped: bool },
    /// Inside an object or array. Only its own kind of bracket is counted: in JSON the others nest inside.
    Nested { open: u8, close: u8, depth: usize, text: bool, escaped: bool },
    /// Inside a number, `true`, `false` or `null`, which end where something else begins.
    Word,
}

impl Skip {
    /// The walk over the value whose first byte is `first`; `run` gets what follows that byte.
    pub(crate) fn after(first: u8) -> Self {
        let nested = |close| Self::Nested { open: first, close, depth: 1, text: false, escaped: false };
        match first {
            b'"' => Self::Text { escaped: false },
            b'{' => nested(b'}'),
            b'[' => nested(b']'),
            _ => Self::Word,
        }
    }

    /// Walks on; the offset one past the value's last byte, or `None` if `bytes` ends inside it.
    pub(crate) fn run(&mut self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Text { escaped } => end_of_text(bytes, 0, escaped),
            Self::Word => bytes.iter().position(|byte| b",]} \t\r\n".contains(byte)),
            Self::Nested { open, close, depth, text, escaped } => {
                let mut at = 0;
                loop {
                    if *text {
                        at = end_of_text(bytes, at, escaped)?;
                        *text = false;
                    }
                    at += quote_or_bracket(&bytes[at..], *open, *close)? + 1;
                    let byte = bytes[at - 1];
                    if byte == b'"' {
                        *text = true;
                    } else if byte == *open {
                        *depth += 1;
                    } else {
                        *depth -= 1;
                        if *depth == 0 {
                            return Some(at);
                        }
                    }
                }
            }
        }
    }
}

/// The offset one past the quote that closes the string in which `at` lies.
fn end_of_text(bytes: &[u8], mut at: usize, escaped: &mut bool) -> Option<usize> {
    if *escaped && at < bytes.len() {
        *escaped = false;
        at += 1;
    }
    loop {
        at += quote_or_backslash(bytes.get(at..)?)? + 1;
        if bytes[at - 1] == b'"' {
            return Some(at);
        }
        if at == bytes.len() {
            *escaped = true;
            return None;
        }
        at += 1;
    }
}

/// Where the next quote or backslash stands. In code escapes are a few bytes apart, and in JSON quotes are: there a search
/// that sets up vectors costs more than it saves, so the first bytes are looked at a word at a time.
fn quote_or_backslash(bytes: &[u8]) -> Option<usize> {
    const WORDS: usize = 4;
    let mut at = 0;
    for word in bytes.chunks_exact(8).take(WORDS) {
        let word = u64::from_le_bytes(word.try_into().ok()?);
        let found = zero_bytes(word ^ each(b'"')) | zero_bytes(word ^ each(b'\\'));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    memchr2(b'"', b'\\', &bytes[at..]).map(|found| at + found)
}

/// Where the next quote or one of these brackets stands.
fn quote_or_bracket(bytes: &[u8], open: u8, close: u8) -> Option<usize> {
    const NEAR: usize = 8;
    let is_one = |byte: &u8| *byte == b'"' || *byte == open || *byte == close;
    let near = bytes.len().min(NEAR);
    let found = bytes[..near].iter().position(is_one);
    found.or_else(|| memchr3(b'"', open, close, &bytes[near..]).map(|found| near + found))
}

const EACH_BYTE: u64 = 0x0101_0101_0101_0101;

/// A word of that byte alone.
const fn each(byte: u8) -> u64 {
    EACH_BYTE * byte as u64
}

/// The highest bit of each byte that is zero, exact up to the first one that is.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(EACH_BYTE) & !word & (EACH_BYTE << 7)
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip_space(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Splits the first value off `bytes`, which must not begin with white space.
fn split_value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let mut skip = Skip::after(*first);
    let near = rest.len().min(ends::NEAR);
    let end = match skip.run(&rest[..near]) {
        Some(end) => end,
        // A lone number may end with the text; nothing else may.
        None if near == rest.len() => matches!(skip, Skip::Word).then_some(near)?,
        None => match ends::length_of(bytes) {
            Some(length) => length - 1,
            None => match skip.run(&rest[near..]) {
                Some(end) => near + end,
                None => matches!(skip, Skip::Word).then_some(rest.len())?,
            },
        },
    };
    Some(bytes.split_at(end + 1))
}

/// The members of an object as (key between its quotes, value); nothing if `value` is not an object.
pub(crate) fn members(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = skip_space(value).strip_prefix(b"{").unwrap_or_default();
    std::iter::from_fn(move || {
        rest = skip_space(rest);
        rest = skip_space(rest.strip_prefix(b",").unwrap_or(rest));
        if rest.first() != Some(&b'"') {
            return None;
        }
        let (key, after) = split_value(rest)?;
        let after = skip_space(skip_space(after).strip_prefix(b":")?);
        let (value, after) = split_value(after)?;
        rest = after;
        Some((&key[1..key.len() - 1], value))
    })
}

/// The items of an array; nothing if `value` is not an array.
pub(crate) fn items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = skip_space(value).strip_prefix(b"[").unwrap_or_default();
    std::iter::from_fn(move || {
        rest = skip_space(rest);
        rest = skip_space(rest.strip_prefix(b",").unwrap_or(rest));
        if matches!(rest.first(), None | Some(b']')) {
            return None;
        }
        let (value, after) = split_value(rest)?;
        rest = after;
        Some(value)
    })
}

/// A walk over JSON that goes into values as it meets them, where [`members`] and [`items`] find the end of a value first:
/// of a long history with its messages, blocks and texts each byte is looked at once. On nonsense it ends.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A walk that begins before that value.
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Self { rest: skip_space(text) }
    }

    /// The first byte of the value that it stands before.
    pub(crate) fn first(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Passes the value; the value.
    pub(crate) fn value(&mut self) -> &'a [u8] {
        let (value, rest) = split_value(self.rest).unwrap_or_default();
        self.rest = rest;
        value
    }

    /// Passes an object, and hands out each key with the walk before its value, which `each` may pass or leave; the
    /// object. Any other value is passed.
    pub(crate) fn members(&mut self, mut each: impl FnMut(&'a [u8], &mut Self)) -> &'a [u8] {
        self.within(b'{', b'}', |walk| {
            let (key, after) = split_value(walk.rest).filter(|(key, _)| key.len() >= 2 && key.starts_with(b"\""))?;
            walk.rest = skip_space(skip_space(after).strip_prefix(b":")?);
            let before = walk.rest.len();
            each(&key[1..key.len() - 1], walk);
            Some(before)
        })
    }

    /// The same for the items of an array.
    pub(crate) fn items(&mut self, mut each: impl FnMut(&mut Self)) -> &'a [u8] {
        self.within(b'[', b']', |walk| {
            let before = walk.rest.len();
            each(walk);
            Some(before)
        })
    }

    /// `each` says how much stood before it where it handed the walk out.
    fn within(&mut self, open: u8, close: u8, mut each: impl FnMut(&mut Self) -> Option<usize>) -> &'a [u8] {
        let start = self.rest;
        if start.first() != Some(&open) {
            return self.value();
        }
        self.rest = &start[1..];
        loop {
            self.rest = skip_space(self.rest);
            self.rest = skip_space(self.rest.strip_prefix(b",").unwrap_or(self.rest));
            match self.rest.first() {
                Some(first) if *first == close => {
                    self.rest = &self.rest[1..];
                    break;
                }
                Some(_) => match each(self) {
                    Some(before) if before == self.rest.len() => {
                        if self.value().is_empty() {
                            self.rest = &[];
                        }
                    }
                    Some(_) => {}
                    None => self.rest = &[],
                },
                None => break,
            }
        }
        let whole = &start[..start.len() - self.rest.len()];
        self.rest = skip_space(self.rest);
        whole
    }
}

/// The member of that name; `null` counts as absent, as every API here treats it.
pub(crate) fn get<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    members(object).find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| value).filter(|value| *value != b"null")
}

/// What stands between a string's quotes, escapes as they are, or `None` if the value is not a string.
pub(crate) fn inside(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

/// A string's text, or `None` if the value is not a string.
pub(crate) fn text(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = inside(value)?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice(value).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// The text of the member of that name, if it is a string.
pub(crate) fn get_text<'a>(object: &'a [u8], name: &str) -> Option<Cow<'a, str>> {
    text(get(object, name)?)
}

/// A count: a whole number of zero or more. `12.0` is taken too, as some servers write it.
pub(crate) fn count(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        // Casting saturates, and what is not finite or is negative is no count.
        (number.is_finite() && number >= 0.0).then_some(number as u64)
    })
}

/// Whether a value says nothing: `null`, `""`, `[]` or `{}`.
pub(crate) fn is_blank(value: &[u8]) -> bool {
    let blank_inside = |open: &[u8], close: &[u8]| {
        value
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
            .is_some_and(|inner| skip_space(inner).is_empty())
    };
    value == b"null" || value == b"\"\"" || blank_inside(b"[", b"]") || blank_inside(b"{", b"}")
}

/// An object with that member set to a value: in its place if it has one, else behind the others. The other members
/// keep their bytes and their order.
pub(crate) fn with_member(object: &[u8], name: &str, value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(object.len() + name.len() + value.len() + 4);
    text.push(b'{');
    let mut write = |key: &[u8], value: &[u8]| {
        let comma: &[u8] = if text.len() > 1 { b"," } else { b"" };
        text.extend([comma, b"\"", key, b"\":", value].concat());
    };
    let mut there = false;
    for (key, old) in members(object) {
        let named = key == name.as_bytes();
        there |= named;
        write(key, if named { value } else { old });
    }
    if !there {
        write(name.as_bytes(), value);
    }
    text.push(b'}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_are_found_behind_strings_full_of_brackets_and_quotes() {
        let object = br#" { "a" : "}\"]{" , "b":[1,{"usage":2}] ,"c":{"d":null}, "usage" : 7 } "#;
        assert_eq!(get(object, "usage"), Some(&b"7"[..]));
        assert_eq!(get(object, "b"), Some(&br#"[1,{"usage":2}]"#[..]));
        assert_eq!(get(get(object, "c").unwrap(), "d"), None);
    }

    #[test]
    fn items_are_split_at_the_arrays_own_commas() {
        let found: Vec<_> = items(br#"[ {"a":[1,2]} , "x,y" ,3]"#).collect();
        assert_eq!(found, [&br#"{"a":[1,2]}"#[..], br#""x,y""#, b"3"]);
    }

    #[test]
    fn a_truncated_value_is_not_found() {
        assert_eq!(get(br#"{"usage":{"total":1"#, "usage"), None);
    }

    #[test]
    fn a_member_is_set_in_its_place_or_behind_the_others() {
        let object = br#"{ "a" : 1.0e2 , "b":[ ], "c" : "\u00e9" }"#;
        assert_eq!(with_member(object, "b", b"[2]"), br#"{"a":1.0e2,"b":[2],"c":"\u00e9"}"#);
        assert_eq!(with_member(b"{}", "b", b"2"), br#"{"b":2}"#);
        assert_eq!(with_member(br#"{"a":1}"#, "b", b"2"), br#"{"a":1,"b":2}"#);
    }

    #[test]
    fn counts_are_whole_and_not_negative() {
        assert_eq!(count(b"12"), Some(12));
        assert_eq!(count(b"12.0"), Some(12));
        assert_eq!(count(b"-1"), None);
        assert_eq!(count(b"\"12\""), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = members(&bytes).count();
            let _ = items(&bytes).count();
            let _ = text(&bytes);
            let _ = is_blank(&bytes);
            let mut deep = 0;
            Cursor::new(&bytes).members(|_, walk| {
                walk.items(|walk| {
                    walk.members(|_, _| deep += 1);
                });
            });
            Cursor::new(&bytes).items(|_| deep += 1);
        }

        #[test]
        fn a_walk_that_goes_in_finds_what_is_found_from_outside(texts: Vec<String>, enter: bool) {
            let tree = serde_json::json!({"a": [texts, {"k": texts}], " b ": {"c": 1.5, "d": {"}": null}}, "e": []});
            for text in [serde_json::to_vec(&tree).unwrap(), serde_json::to_vec_pretty(&tree).unwrap()] {
                let mut found = Vec::new();
                let whole = Cursor::new(&text).members(|key, walk| {
                    let value = if enter {
                        walk.items(|walk| {
                            walk.items(|_| {});
                        })
                    } else {
                        walk.value()
                    };
                    found.push((key, value));
                });
                prop_assert_eq!(whole, &text[..]);
                prop_assert_eq!(found, members(&text).collect::<Vec<_>>());
            }
        }

        #[test]
        fn walking_agrees_with_serde(before in any::<String>(), key in "[a-z]{1,8}", value in any::<String>()) {
            let tree = serde_json::json!({"aaa": [before, {"x": "}"}], "zz": {key.clone(): value.clone()}});
            let bytes = serde_json::to_vec(&tree).unwrap();
            let found = get_text(get(&bytes, "zz").unwrap(), &key).unwrap().into_owned();
            prop_assert_eq!(found, value);
        }

        #[test]
        fn a_walk_interrupted_anywhere_ends_at_the_same_byte(text in any::<String>(), at in any::<prop::sample::Index>()) {
            let mut bytes = serde_json::to_vec(&serde_json::json!([[text], {"k": [text]}])).unwrap();
            let whole = bytes.len();
            bytes.extend_from_slice(b",1]");
            let cut = 1 + at.index(whole - 1);
            let mut skip = Skip::after(bytes[0]);
            let end = match skip.run(&bytes[1..cut]) {
                Some(end) => end + 1,
                None => cut + skip.run(&bytes[cut..]).unwrap(),
            };
            prop_assert_eq!(end, whole);
        }
    }
}
