//! Writes JSON piece by piece into one buffer, and puts the commas. All writers of the translation use it.

use std::borrow::Cow;

/// What stands between the quotes of a JSON string, as it was written: escapes are not touched, so that text passes
/// byte for byte, even half a surrogate pair at the seam of two deltas.
pub(crate) type Inside<'a> = Cow<'a, [u8]>;

/// A JSON text that grows.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// A writer with room for this many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Opens an object or an array, as an item or as the value of the key before it.
    pub(crate) fn open(&mut self, bracket: u8) {
        self.separate();
        self.out.push(bracket);
    }

    /// Closes what was opened.
    pub(crate) fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
    }

    /// A member's name. It is one of ours, and needs no escapes.
    pub(crate) fn key(&mut self, name: &str) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
    }

    /// A value as it came.
    pub(crate) fn raw(&mut self, value: &[u8]) {
        self.separate();
        self.out.extend_from_slice(value);
    }

    /// A string of which the inside came from a string.
    pub(crate) fn inside(&mut self, inside: &[u8]) {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(inside);
        self.out.push(b'"');
    }

    /// A string.
    pub(crate) fn text(&mut self, text: &str) {
        self.separate();
        self.out.push(b'"');
        escape(text, &mut self.out);
        self.out.push(b'"');
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: u64) {
        self.separate();
        self.out.extend_from_slice(number.to_string().as_bytes());
    }

    /// A member with a value as it came.
    pub(crate) fn member(&mut self, name: &str, value: &[u8]) {
        self.key(name);
        self.raw(value);
    }

    /// A member with a value as it came, if there is one.
    pub(crate) fn optional(&mut self, name: &str, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.member(name, value);
        }
    }

    /// A member with a string.
    pub(crate) fn text_member(&mut self, name: &str, text: &str) {
        self.key(name);
        self.text(text);
    }

    /// A member with a string of which the inside came from a string.
    pub(crate) fn inside_member(&mut self, name: &str, inside: &[u8]) {
        self.key(name);
        self.inside(inside);
    }

    /// A member with a whole number.
    pub(crate) fn number_member(&mut self, name: &str, number: u64) {
        self.key(name);
        self.number(number);
    }

    /// Bytes that are no JSON: the lines around an event's data. What follows begins a new value.
    pub(crate) fn frame(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// What was written so far.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// What was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Takes back the last bytes.
    pub(crate) fn cut(&mut self, bytes: usize) {
        self.out.truncate(self.out.len().saturating_sub(bytes));
    }

    /// Forgets what was written so far.
    pub(crate) fn clear(&mut self) {
        self.out.clear();
    }

    /// Takes what was written so far.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    fn separate(&mut self) {
        // A frame ends in a space (`data: `) or a line end, a key in a colon.
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b' ' | b'\n')) {
            self.out.push(b',');
        }
    }
}

/// Appends text as it stands between the quotes of a JSON string.
pub(crate) fn escape(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut clean = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0C => b'f',
            0..0x20 => 0,
            _ => continue,
        };
        out.extend_from_slice(&bytes[clean..at]);
        clean = at + 1;
        if short == 0 {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        } else {
            out.extend_from_slice(&[b'\\', short]);
        }
    }
    out.extend_from_slice(&bytes[clean..]);
}

/// Text as it stands between the quotes of a JSON string.
pub(crate) fn escaped(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    escape(text, &mut out);
    out
}

/// JSON as it stands inside a string, without the space between its values.
pub(crate) fn compact(json: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(json.len() + json.len() / 8);
    let (mut quoted, mut escaped) = (false, false);
    for byte in json {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' if !quoted => continue,
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', *byte]),
            byte => text.push(*byte),
        }
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && *byte == b'\\' && !escaped;
    }
    text
}

/// The text that stands between the quotes of a JSON string; none if it is no string's inside. A lone half of a
/// surrogate pair, which a seam of two deltas may leave, becomes U+FFFD.
pub(crate) fn unescaped(inside: &[u8]) -> Option<Cow<'_, str>> {
    if !inside.contains(&b'\\') {
        return std::str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", inside, b"\""].concat();
    if let Ok(text) = serde_json::from_slice::<String>(&quoted) {
        return Some(Cow::Owned(text));
    }
    // serde reads lone surrogates only into bytes.
    let bytes: LossyText = serde_json::from_slice(&quoted).ok()?;
    Some(Cow::Owned(String::from_utf8_lossy(&bytes.0).into_owned()))
}

/// A string that may hold halves of surrogate pairs.
struct LossyText(Vec<u8>);

impl<'de> serde::Deserialize<'de> for LossyText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = LossyText;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string")
            }
            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<LossyText, E> {
                Ok(LossyText(bytes.to_vec()))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<LossyText, E> {
                Ok(LossyText(text.as_bytes().to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn commas_stand_between_members_and_items_alone() {
        let mut json = Writer::default();
        json.frame(b"data: ");
        json.open(b'{');
        json.text_member("a", "x\n\u{1}\"");
        json.key("b");
        json.open(b'[');
        json.number(1);
        json.open(b'{');
        json.close(b'}');
        json.inside(b"\\ud83d");
        json.close(b']');
        json.optional("c", None);
        json.member("d", b"1.0e2");
        json.close(b'}');
        assert_eq!(json.into_bytes(), br#"data: {"a":"x\n\u0001\"","b":[1,{},"\ud83d"],"d":1.0e2}"#);
    }

    #[test]
    fn half_a_surrogate_pair_is_no_reason_to_lose_a_text() {
        assert_eq!(unescaped(br"a\ud83d b").unwrap(), "a\u{FFFD}\u{FFFD}\u{FFFD} b");
        assert_eq!(unescaped(br"\ud83d\ude00").unwrap(), "\u{1F600}");
        assert_eq!(unescaped(br"a\x"), None);
    }

    proptest! {
        #[test]
        fn text_survives_its_escapes(text: String) {
            let inside = escaped(&text);
            let quoted = [b"\"", &inside[..], b"\""].concat();
            prop_assert_eq!(&serde_json::from_slice::<String>(&quoted).unwrap(), &text);
            prop_assert_eq!(unescaped(&inside).unwrap(), text);
        }
    }
}
