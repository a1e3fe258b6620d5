//! Wiping what held secrets, so that freed memory does not hold them on. What reads or writes them calls this; a `Value`
//! by itself only frees.

use secrecy::zeroize::Zeroize as _;
use serde_json::Value;

/// Overwrites every text in a value.
pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A value that is wiped when it is dropped.
pub(super) struct Wiped(pub Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_text_is_overwritten_wherever_it_stands() {
        let mut value = json!({ "a": "canary", "b": [1, "canary", { "c": "canary", "d": null }], "e": true });
        wipe(&mut value);
        assert_eq!(value, json!({ "a": "", "b": [1, "", { "c": "", "d": null }], "e": true }));
    }
}
