//! Ids of tool calls: what one dialect takes another may refuse, and both the call and its result must have the same.
//! An id that every dialect takes passes unchanged; any other is mapped, by itself alone, to one that they take.

use super::writer::{Inside, escaped, unescaped};

/// The longest that Chat Completions and Responses take.
const LONGEST: usize = 64;

/// The id as every dialect takes it: `[A-Za-z0-9_-]`, 1 to 64 of them.
pub(crate) fn conforming<'a>(id: &Inside<'a>) -> Inside<'a> {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.len() <= LONGEST && id.iter().all(fits) {
        return id.clone();
    }
    let hash = format!("_{:08x}", hash(id));
    let text = unescaped(id);
    let clean = text.as_deref().map_or(&id[..], str::as_bytes).iter().copied().filter(fits).take(LONGEST - hash.len());
    Inside::Owned(clean.chain(hash.bytes()).collect())
}

/// FNV-1a of the text, however it is escaped, so that a client that escapes otherwise still names the same call.
pub(crate) fn hash(inside: &[u8]) -> u32 {
    let text = unescaped(inside).map(|text| escaped(&text));
    let bytes = text.as_deref().unwrap_or(inside);
    bytes.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(id: &str) -> String {
        String::from_utf8(conforming(&Inside::Borrowed(id.as_bytes())).into_owned()).unwrap()
    }

    #[test]
    fn an_id_that_all_take_passes_unchanged() {
        assert_eq!(mapped("toolu_01-A"), "toolu_01-A");
        assert_eq!(mapped(&"x".repeat(64)), "x".repeat(64));
    }

    #[test]
    fn any_other_is_mapped_by_itself_alone() {
        let long = mapped(&"x".repeat(65));
        assert_eq!(long.len(), 64);
        assert_ne!(long, mapped(&"x".repeat(66)));
        assert_eq!(mapped("functions.read:0"), mapped("functions.read:0"));
        assert_ne!(mapped("functions.read:0"), mapped("functions.read.0"));
        assert_eq!(mapped(r"a\u002e"), mapped("a."), "the same id, escaped otherwise");
        assert!(mapped("").starts_with('_'));
        assert_eq!(mapped(&mapped("a:b")), mapped("a:b"), "what was mapped stays");
    }
}
