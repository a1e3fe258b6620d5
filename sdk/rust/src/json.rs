//! A small reader of JSON texts: settings, answers and error bodies, of a few KiB. Providers and the SDK's defaults call
//! it. It borrows, never recurses, and never fails: what is not there, or is malformed, is not found. The body of a
//! call is not read with it; that is what `Document` is for.

use std::borrow::Cow;

/// One JSON value inside a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// The first value of a text.
    pub fn parse(text: &'a str) -> Self {
        Self(text.trim_start_matches(is_space))
    }

    /// The member of this name, if this is an object that has it.
    pub fn get(self, name: &str) -> Option<Self> {
        self.members().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// The member under these names, one level after the other.
    pub fn at(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// An object's members in their order; nothing for anything else.
    pub fn members(self) -> impl Iterator<Item = (Self, Self)> {
        let mut rest = self.0.strip_prefix('{');
        std::iter::from_fn(move || {
            let (key, after) = value(rest?)?;
            let after = after.trim_start_matches(is_space).strip_prefix(':')?;
            let (member, after) = value(after)?;
            rest = Some(after);
            Some((key, member))
        })
    }

    /// An array's items in their order; nothing for anything else.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let mut rest = self.0.strip_prefix('[');
        std::iter::from_fn(move || {
            let (item, after) = value(rest?)?;
            rest = Some(after);
            Some(item)
        })
    }

    /// The text, if this is a string.
    pub fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?;
        let end = string_end(self.0.as_bytes())?;
        let inner = inner.get(..end - 2)?;
        Some(if inner.contains('\\') { unescape(inner).into() } else { inner.into() })
    }

    /// The number, if this is a whole one that is not negative.
    pub fn integer(self) -> Option<u64> {
        let digits = self.0.len() - self.0.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.0.get(..digits)?.parse().ok()
    }

    /// The number, if this is one: with a sign, a fraction and an exponent where it has them.
    pub fn number(self) -> Option<f64> {
        let number = self.raw();
        // What Rust reads and JSON does not know, such as `inf` and `nan`, begins with a letter.
        let first = number.trim_start_matches('-');
        first.starts_with(|c: char| c.is_ascii_digit()).then(|| number.parse().ok())?
    }

    /// True if this is `null`.
    pub fn is_null(self) -> bool {
        self.raw() == "null"
    }

    /// The value at a JSON pointer (RFC 6901): below names and indexes, `~1` for `/` and `~0` for `~`.
    pub fn pointer(self, pointer: &str) -> Option<Self> {
        if pointer.is_empty() {
            return Some(self);
        }
        pointer.strip_prefix('/')?.split('/').try_fold(self, |value, step| match value.0.starts_with('[') {
            true => value.items().nth(step.parse().ok()?),
            false if step.contains('~') => value.get(&step.replace("~1", "/").replace("~0", "~")),
            false => value.get(step),
        })
    }

    /// True if this is `true`.
    pub fn is_true(self) -> bool {
        self.0.starts_with("true")
    }

    /// True if this is a string that reads so.
    pub fn is(self, text: &str) -> bool {
        self.text().is_some_and(|own| own == text)
    }

    /// The value's JSON text.
    pub fn raw(self) -> &'a str {
        value(self.0).map_or("", |(value, _)| value.0)
    }
}

/// A text as a JSON string, with its quotes.
pub fn quote(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\0'..='\x1f' => {
                quoted.push_str("\\u00");
                quoted.extend([HEX[c as usize >> 4] as char, HEX[c as usize & 15] as char]);
            }
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The value at the start of a text, past white space and one comma, and the text behind it.
fn value(text: &str) -> Option<(Json<'_>, &str)> {
    let text = text.trim_start_matches(|c| is_space(c) || c == ',');
    let end = value_end(text.as_bytes())?;
    Some((Json(text.get(..end)?), text.get(end..)?))
}

fn value_end(bytes: &[u8]) -> Option<usize> {
    match bytes.first()? {
        b'"' => string_end(bytes),
        b'{' | b'[' => nested_end(bytes),
        b'}' | b']' | b':' => None,
        _ => Some(bytes.iter().position(|byte| b",}] \t\r\n".contains(byte)).unwrap_or(bytes.len())),
    }
}

/// Where a string that starts here ends, past its closing quote.
fn string_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Where an object or array that starts here ends, past its closing bracket.
fn nested_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at += string_end(bytes.get(at..)?)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Decodes the escapes of a string; a broken one reads as U+FFFD.
fn unescape(inner: &str) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut chars = escaped.chars();
        let decoded = match chars.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('u') => {
                let (c, after) = code_point(chars.as_str());
                chars = after.chars();
                c
            }
            Some(c) => c,
            None => char::REPLACEMENT_CHARACTER,
        };
        text.push(decoded);
        rest = chars.as_str();
    }
    text.push_str(rest);
    text
}

/// The character of the hexadecimal digits behind `\u`, surrogate pairs included, and the text behind it.
fn code_point(text: &str) -> (char, &str) {
    let Some((high, after)) = unit(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    if (0xd800..0xdc00).contains(&high)
        && let Some((low, after)) = after.strip_prefix("\\u").and_then(unit)
        && (0xdc00..0xe000).contains(&low)
    {
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), after);
    }
    (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), after)
}

fn unit(text: &str) -> Option<(u32, &str)> {
    Some((u32::from_str_radix(text.get(..4)?, 16).ok()?, text.get(4..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_at_any_depth_and_past_strings_that_hold_brackets() {
        let json = Json::parse(r#" {"a":"}]\"", "b" : {"c":[1,{"d":"x"}], "e": true}, "n": 12.5 }"#);
        assert_eq!(json.at(&["b", "e"]).map(Json::is_true), Some(true));
        assert_eq!(json.get("a").and_then(Json::text).as_deref(), Some("}]\""));
        assert_eq!(json.at(&["b", "c"]).map(|c| c.items().map(Json::raw).collect()), Some(vec!["1", r#"{"d":"x"}"#]));
        assert_eq!(json.get("n").and_then(Json::integer), Some(12));
        assert_eq!(json.get("z"), None);
    }

    #[test]
    fn numbers_are_read_with_sign_fraction_and_exponent() {
        let json = Json::parse(r#"{"a":-1.5,"b":2e-3,"c":"7","d":nan,"e":12,"f":null,"g":-inf}"#);
        let number = |name| json.get(name).and_then(Json::number);
        let numbers = ["a", "b", "c", "d", "e", "f", "g", "h"].map(number);
        assert_eq!(numbers, [Some(-1.5), Some(0.002), None, None, Some(12.0), None, None, None]);
        assert!(json.get("f").is_some_and(Json::is_null) && !json.get("e").is_some_and(Json::is_null));
    }

    #[test]
    fn a_pointer_leads_through_objects_and_arrays() {
        let json = Json::parse(r#"{"data":[{"id":"x","a/b":{"~":3}},[4, 5]]}"#);
        for (pointer, expected) in [
            ("/data/0/id", Some(r#""x""#)),
            ("/data/0/a~1b/~0", Some("3")),
            ("/data/1/1", Some("5")),
            ("/data/2", None),
            ("/data/x", None),
            ("data", None),
            ("/data/0/id/0", None),
        ] {
            assert_eq!(json.pointer(pointer).map(Json::raw), expected, "{pointer}");
        }
        assert_eq!(json.pointer(""), Some(json));
    }

    #[test]
    fn a_text_that_is_cut_off_or_no_json_finds_nothing() {
        for text in ["", "{", "{\"a", "{\"a\":", "{\"a\":\"x", "{\"a\":{\"b\":1", "<html>", "]", "{:}", "{\"a\":\"\\"] {
            assert_eq!(Json::parse(text).get("a").and_then(|a| a.get("b")).and_then(Json::text), None, "{text}");
        }
    }

    #[test]
    fn what_comes_before_the_cut_is_still_found() {
        let json = Json::parse(r#"{"error":{"message":"slow down","more":["#);
        assert_eq!(json.get("error"), None);
        assert_eq!(json.raw(), "");
        let json = Json::parse(r#"{"code":"slow","more":["#);
        assert_eq!(json.get("code").and_then(Json::text).as_deref(), Some("slow"));
    }

    #[test]
    fn a_quoted_text_reads_back_as_itself() {
        for text in ["", "plain", "a\"b\\c\nd\u{1}é😀", "\\u0041"] {
            assert_eq!(Json::parse(&quote(text)).text().as_deref(), Some(text));
        }
        assert_eq!(Json::parse(r#""\ud83d\ude00 \u00e9 \ud83d\n\/""#).text().as_deref(), Some("😀 é \u{fffd}\n/"));
    }
}
