//! The arguments of a custom tool that its target knows as a function, `{"input":"…"}`, turned back into free text while
//! they come, and the reverse. They may be cut anywhere: within the key, within an escape of either level.

use crate::translate::normalize::quoted;
use crate::translate::writer::unescaped;

/// How much is kept of arguments that do not look as they should, until they pass as they are.
const KEPT: usize = 4 * 1024 * 1024;

/// What is done to the arguments of one call.
#[derive(Debug)]
pub(super) enum Conversion {
    /// A function's arguments become a custom tool's text.
    ToText(Box<ToText>),
    /// A custom tool's text becomes a function's arguments.
    ToInput { begun: bool },
}

impl Conversion {
    pub(super) fn to_text() -> Self {
        Self::ToText(Box::default())
    }

    /// Converts what follows; both are what stands inside a string.
    pub(super) fn feed(&mut self, text: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::ToText(reading) => reading.feed(text, out),
            Self::ToInput { begun } => {
                begin(begun, out);
                out.extend_from_slice(&quoted(text));
            }
        }
    }

    /// What is still to be said when the call is whole.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) {
        match self {
            Self::ToText(reading) => reading.finish(out),
            Self::ToInput { begun } => {
                begin(begun, out);
                out.extend_from_slice(br#"\"}"#);
            }
        }
    }
}

fn begin(begun: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::replace(begun, true) {
        out.extend_from_slice(br#"{\"input\":\""#);
    }
}

/// Reads `{"input":"…"}` as it stands inside a string.
#[derive(Debug, Default)]
pub(super) struct ToText {
    outer: Outer,
    inner: Inner,
    /// All that came before the text was found.
    seen: Vec<u8>,
    found: bool,
}

/// Where it stands in an escape of the string in which the arguments travel.
#[derive(Debug, Default)]
enum Outer {
    #[default]
    Plain,
    Backslash,
    Unicode(Vec<u8>),
}

/// Where it stands in the arguments.
#[derive(Debug, Default)]
enum Inner {
    #[default]
    Begin,
    BeforeKey,
    Key {
        name: Vec<u8>,
        escaped: bool,
    },
    BeforeValue {
        wanted: bool,
    },
    /// Within another member's value.
    Other {
        depth: usize,
        text: bool,
        escaped: bool,
    },
    Text,
    TextEscape,
    TextUnicode(Vec<u8>),
    /// Behind the text, or behind all.
    Done,
    /// These are no arguments of the kind; they are the text themselves.
    Raw,
}

/// One character of the arguments, or the escape of one beyond ASCII.
enum Unit<'a> {
    Byte(u8),
    Unicode(&'a [u8]),
}

impl ToText {
    fn feed(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let mut rest = text;
        while let Some((&first, after)) = rest.split_first() {
            if matches!(self.inner, Inner::Raw) {
                out.extend_from_slice(rest);
                return;
            }
            if matches!((&self.inner, &self.outer), (Inner::Text, Outer::Plain)) {
                // What has no escape is the text as it stands.
                let clean = memchr::memchr2(b'\\', b'"', rest).unwrap_or(rest.len());
                out.extend_from_slice(&rest[..clean]);
                if clean > 0 {
                    rest = &rest[clean..];
                    continue;
                }
            }
            if !self.found {
                self.seen.push(first);
            }
            self.byte(first, out);
            rest = after;
            if !self.found && self.seen.len() > KEPT {
                self.inner = Inner::Raw;
            }
            if matches!(self.inner, Inner::Raw) && !std::mem::replace(&mut self.found, true) {
                out.append(&mut self.seen);
                // An escape is not to be torn.
                let _ = std::mem::take(&mut self.outer);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let says_nothing = |seen: &[u8]| {
            let text = unescaped(seen).unwrap_or_default();
            matches!(text.trim(), "" | "{}")
        };
        if !std::mem::replace(&mut self.found, true) && !says_nothing(&self.seen) {
            out.append(&mut self.seen);
        }
    }

    /// Takes in a byte of the string in which the arguments travel.
    fn byte(&mut self, byte: u8, out: &mut Vec<u8>) {
        match &mut self.outer {
            Outer::Plain if byte == b'\\' => self.outer = Outer::Backslash,
            Outer::Plain => self.unit(&Unit::Byte(byte), out),
            Outer::Backslash if byte == b'u' => self.outer = Outer::Unicode(Vec::new()),
            Outer::Backslash => {
                self.outer = Outer::Plain;
                let meant = match byte {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 0x08,
                    b'f' => 0x0C,
                    other => other,
                };
                self.unit(&Unit::Byte(meant), out);
            }
            Outer::Unicode(digits) => {
                digits.push(byte);
                if digits.len() < 4 {
                    return;
                }
                let digits = std::mem::take(digits);
                self.outer = Outer::Plain;
                let code = std::str::from_utf8(&digits).ok().and_then(|it| u32::from_str_radix(it, 16).ok());
                match code.and_then(|code| u8::try_from(code).ok()).filter(u8::is_ascii) {
                    Some(ascii) => self.unit(&Unit::Byte(ascii), out),
                    None if code.is_some() => self.unit(&Unit::Unicode(&digits), out),
                    None => {}
                }
            }
        }
    }

    /// Takes in a character of the arguments.
    fn unit(&mut self, unit: &Unit<'_>, out: &mut Vec<u8>) {
        let byte = if let Unit::Byte(byte) = unit { Some(*byte) } else { None };
        let space = byte.is_some_and(|byte| byte.is_ascii_whitespace());
        match &mut self.inner {
            Inner::Begin if space => {}
            Inner::Begin => self.inner = if byte == Some(b'{') { Inner::BeforeKey } else { Inner::Raw },
            Inner::BeforeKey => match byte {
                Some(b'"') => self.inner = Inner::Key { name: Vec::new(), escaped: false },
                Some(b'}') => self.inner = Inner::Done,
                _ => {}
            },
            Inner::Key { name, escaped } => match byte {
                Some(b'"') if !*escaped => {
                    let wanted = unescaped(name).is_some_and(|name| name == "input");
                    self.inner = Inner::BeforeValue { wanted };
                }
                Some(byte) => {
                    *escaped = byte == b'\\' && !*escaped;
                    name.push(byte);
                }
                None => put(unit, name),
            },
            Inner::BeforeValue { wanted } => match byte {
                Some(b':') => {}
                _ if space => {}
                Some(b'"') if *wanted => {
                    self.inner = Inner::Text;
                    self.found = true;
                    self.seen = Vec::new();
                }
                Some(b'"') => self.inner = Inner::Other { depth: 0, text: true, escaped: false },
                Some(b'{' | b'[') => self.inner = Inner::Other { depth: 1, text: false, escaped: false },
                _ => self.inner = Inner::Other { depth: 0, text: false, escaped: false },
            },
            Inner::Other { depth, text, escaped } => {
                if *text {
                    let ends = byte == Some(b'"') && !*escaped;
                    *escaped = byte == Some(b'\\') && !*escaped;
                    *text = !ends;
                    if ends && *depth == 0 {
                        self.inner = Inner::BeforeKey;
                    }
                    return;
                }
                match byte {
                    Some(b'"') => *text = true,
                    Some(b'{' | b'[') => *depth += 1,
                    Some(b'}' | b']') if *depth == 0 => self.inner = Inner::Done,
                    Some(b'}' | b']') => {
                        *depth -= 1;
                        if *depth == 0 {
                            self.inner = Inner::BeforeKey;
                        }
                    }
                    Some(b',') if *depth == 0 => self.inner = Inner::BeforeKey,
                    _ => {}
                }
            }
            Inner::Text => match byte {
                Some(b'\\') => self.inner = Inner::TextEscape,
                Some(b'"') => self.inner = Inner::Done,
                _ => put(unit, out),
            },
            Inner::TextEscape => {
                self.inner = Inner::Text;
                match byte {
                    Some(b'u') => self.inner = Inner::TextUnicode(Vec::new()),
                    Some(byte @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => {
                        out.extend_from_slice(&[b'\\', byte]);
                    }
                    // No escape at all: a backslash that the model forgot to escape.
                    _ => {
                        out.extend_from_slice(br"\\");
                        put(unit, out);
                    }
                }
            }
            Inner::TextUnicode(digits) => {
                if byte.is_some_and(|byte| byte.is_ascii_hexdigit()) {
                    put(unit, digits);
                    if digits.len() == 4 {
                        out.extend_from_slice(&[br"\u", &digits[..]].concat());
                        self.inner = Inner::Text;
                    }
                    return;
                }
                out.extend_from_slice(&[br"\\u", &digits[..]].concat());
                self.inner = Inner::Text;
                self.unit(unit, out);
            }
            Inner::Done | Inner::Raw => {}
        }
    }
}

/// Appends a character as it stands inside a string.
fn put(unit: &Unit<'_>, out: &mut Vec<u8>) {
    match unit {
        Unit::Byte(b'\n') => out.extend_from_slice(br"\n"),
        Unit::Byte(b'\r') => out.extend_from_slice(br"\r"),
        Unit::Byte(b'\t') => out.extend_from_slice(br"\t"),
        Unit::Byte(byte @ 0..0x20) => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        Unit::Byte(byte) => out.push(*byte),
        Unit::Unicode(digits) => {
            out.extend_from_slice(br"\u");
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::writer::escaped;
    use proptest::prelude::*;

    fn text_of(parts: &[&str]) -> String {
        let (mut conversion, mut out) = (Conversion::to_text(), Vec::new());
        for part in parts {
            let before = out.len();
            conversion.feed(part.as_bytes(), &mut out);
            assert!(unescaped(&out[before..]).is_some(), "what a delta gives is a string by itself");
        }
        conversion.finish(&mut out);
        unescaped(&out).unwrap().into_owned()
    }

    /// Arguments as a delta carries them, in pieces that are cut between characters.
    fn pieces(json: &str, size: usize) -> Vec<String> {
        let chars: Vec<char> = json.chars().collect();
        chars.chunks(size).map(|it| String::from_utf8(escaped(&it.iter().collect::<String>())).unwrap()).collect()
    }

    #[test]
    fn the_text_is_found_however_the_arguments_are_written() {
        let found = |json: &str| text_of(&[std::str::from_utf8(&escaped(json)).unwrap()]);
        assert_eq!(found(r#"{"input":"a\nb\"c\\d\u00e9\ud83d\ude00"}"#), "a\nb\"c\\d\u{e9}\u{1F600}");
        assert_eq!(found(r#" { "why" : {"input":["}"]} , "n":1.5, "input" : "x" , "more":1}"#), "x");
        assert_eq!(found(r#"{"\u0069nput":"x"}"#), "x");
        assert_eq!(found("{\"input\":\"a\nb\"}"), "a\nb", "a newline that was not escaped");
        assert_eq!(found(r#"{"input":"\d+"}"#), r"\d+", "a backslash that was not escaped");
        assert_eq!(found("*** Begin Patch\n\"x\""), "*** Begin Patch\n\"x\"", "no arguments at all");
        assert_eq!(found(r#"{"patch":"x"}"#), r#"{"patch":"x"}"#, "another name");
        assert_eq!(found("{}"), "");
        assert_eq!(found(""), "");
        assert_eq!(
            text_of(&[r#"{\"input\":\"\u00e9\u005c\u006e\u000a\"}"#]),
            "\u{e9}\n\n",
            "escapes of the delta's own"
        );
    }

    #[test]
    fn text_becomes_arguments_and_text_again() {
        let (mut to_input, mut input) = (Conversion::ToInput { begun: false }, Vec::new());
        for part in ["a\n\"", "\\u", "\u{1F600}"] {
            to_input.feed(&escaped(part), &mut input);
        }
        to_input.finish(&mut input);
        assert_eq!(unescaped(&input).unwrap(), r#"{"input":"a\n\"\\u😀"}"#);
        assert_eq!(text_of(&[std::str::from_utf8(&input).unwrap()]), "a\n\"\\u\u{1F600}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

        #[test]
        fn any_cut_gives_the_same_text(text: String, size in 1_usize..5) {
            let json = serde_json::json!({"a": [1, {"b": "\"}"}], "input": text}).to_string();
            let pieces = pieces(&json, size);
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            prop_assert_eq!(text_of(&pieces), text);
        }

        #[test]
        fn nothing_panics(parts: Vec<Vec<u8>>) {
            let (mut conversion, mut out) = (Conversion::to_text(), Vec::new());
            parts.iter().for_each(|part| conversion.feed(part, &mut out));
            conversion.finish(&mut out);
        }
    }
}
