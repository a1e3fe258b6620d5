//! What of a call or of a text can be a block: arguments as an object, and no text that is blank.

use super::super::Arguments;
use crate::translate::writer::{Writer, unescaped};

/// The arguments as an object: it is taken out of its string, and not printed again.
pub(super) fn write_input(arguments: &Arguments<'_>, out: &mut Writer) {
    let text = match arguments {
        Arguments::Object(object) => return out.raw(object),
        Arguments::Free(text) => {
            out.open(b'{');
            out.inside_member("input", text);
            return out.close(b'}');
        }
        Arguments::Text(text) => text,
    };
    let object = unescaped(text);
    let object = object.as_deref().map_or("", str::trim);
    if is_blank(text) {
        out.raw(b"{}");
    } else if object.starts_with('{') && serde_json::from_str::<&serde_json::value::RawValue>(object).is_ok() {
        out.raw(object.as_bytes());
    } else {
        out.open(b'{');
        out.inside_member("_raw", text);
        out.close(b'}');
    }
}

/// Whether a text, as it stands inside a string, is nothing but white space, of which no block may consist.
pub(super) fn is_blank(text: &[u8]) -> bool {
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return true,
            [b' ', after @ ..] | [b'\\', b'n' | b't' | b'r', after @ ..] => after,
            _ => return false,
        };
    }
}
