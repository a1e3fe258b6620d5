//! Ids of tool calls in a form that a server takes. A call and its result have the same id, and the same id becomes the same
//! in every request: what a server has cached of a conversation stays good.

use bitrouter_document::{Cell, Document, Edit, Error, Find, limits};
use serde_json::Value;

use crate::Dialect;

/// Replaces all ids for which there is another.
pub(super) fn replace(
    document: &mut Document,
    dialect: Option<Dialect>,
    other: fn(&str) -> Option<String>,
) -> Result<(), Error> {
    let patterns: &[&str] = match dialect {
        Some(Dialect::ChatCompletions) => &["/messages/*/tool_calls/*/id", "/messages/*/tool_call_id"],
        Some(Dialect::Responses) => &["/input/*/call_id"],
        _ => &[],
    };
    for pattern in patterns {
        let mut replaced = Vec::new();
        for (pointer, cells) in document.find(&Find { fields: &[""], ..Find::all(pattern) })?.rows() {
            let [Cell::Value(json)] = cells else { continue };
            let Ok(id) = serde_json::from_str::<String>(json) else { continue };
            replaced.extend(other(&id).map(|id| (pointer.to_owned(), Value::from(id).to_string())));
        }
        let edits: Vec<_> = replaced.iter().map(|(path, value)| Edit::Replace { path, value }).collect();
        edits.chunks(limits::EDITS).try_for_each(|edits| document.patch(edits))?;
    }
    Ok(())
}

/// Nine letters and digits, as Mistral has them.
pub(super) fn of_nine(id: &str) -> Option<String> {
    let fits = id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!fits).then(|| digest(id))
}

/// At most 64 characters, as OpenAI has them.
pub(super) fn up_to_64(id: &str) -> Option<String> {
    let fits = id.chars().count() <= 64;
    (!fits).then(|| format!("{}_{}", &id[..id.floor_char_boundary(54)], digest(id)))
}

/// Nine letters and digits for a text: FNV-1a, as nobody has to be kept from finding two of the same, who would mix up
/// nothing but a conversation of their own.
fn digest(text: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in text.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    // The last bytes have touched only the low bits.
    hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^= hash >> 32;
    (0..9)
        .map(|_| {
            let digit = DIGITS[(hash % 62) as usize];
            hash /= 62;
            char::from(digit)
        })
        .collect()
}
