//! The description inside a component's file: a custom section, so that it is shown and decided upon before anything of the
//! component is compiled.
//!
//! Whatever builds components adds it; the host reads it, and holds what `describe` says later against it.

/// The section's name. Its content is the text that `describe` returns: UTF-8, JSON.
pub const NAME: &str = "bitrouter:description";

/// A component with its description in a section behind all others, where it is found without reading what it describes.
/// `component` must have no such section yet, and be whole: nothing of it is looked at.
pub fn with_description(component: &[u8], json: &str) -> Vec<u8> {
    /// The id of a custom section in the binary format, of modules and of components.
    const CUSTOM: u8 = 0;
    let name_length = leb128(NAME.len());
    let mut whole = Vec::with_capacity(component.len() + json.len() + NAME.len() + 16);
    whole.extend_from_slice(component);
    whole.push(CUSTOM);
    whole.extend(leb128(name_length.len() + NAME.len() + json.len()));
    whole.extend(name_length);
    whole.extend_from_slice(NAME.as_bytes());
    whole.extend_from_slice(json.as_bytes());
    whole
}

/// A length as the binary format writes it: seven bits a byte, the lowest first.
fn leb128(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        if length == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_written_as_the_binary_format_has_it() {
        let whole = with_description(b"component", &"x".repeat(300));
        assert_eq!(&whole[..9], b"component");
        // 1 byte that says how long the name is, the name, the text: 322 bytes, in two.
        assert_eq!(&whole[9..13], [0, 0xc2, 0x02, 21]);
        assert_eq!((&whole[13..34], whole.len()), (NAME.as_bytes(), 334));
    }
}
