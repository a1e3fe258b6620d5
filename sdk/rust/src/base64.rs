//! Reads base64 (RFC 4648, section 4): some upstreams put the JSON of an error into a header that way. Off the hot path.

/// The bytes of a text in base64, with or without padding; none where it is something else.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits) = (Vec::new(), 0);
    for (at, byte) in text.trim_end_matches('=').bytes().enumerate() {
        bits = bits << 6 | DIGITS.iter().position(|digit| *digit == byte)?;
        // The second, third and fourth digit of four each complete a byte.
        bytes.extend((at % 4 > 0).then(|| (bits >> (6 - at % 4 * 2)) as u8));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_read_with_and_without_padding() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(base64(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(base64("/+8="), Some(vec![0xff, 0xef]));
        assert_eq!(base64("Zm9v!"), None);
    }
}
