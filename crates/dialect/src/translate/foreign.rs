//! States that the gateway wrapped, in a body that goes to a target of its own dialect: who moves from one vendor to another
//! within a session brings them along, and a vendor that checks states refuses what is none of its own. The host calls it
//! for every request that is not translated; where there is none it costs one search for a few bytes.

use super::opaque::{is_wrapped, may_be_wrapped};
use super::run::messages::MADE;
use crate::dialect::Dialect;
use crate::json;

/// What Google documents for a call whose signature is lost.
const NO_SIGNATURE: &[u8] = b"\"skip_thought_signature_validator\"";

/// The body without what the gateway wrapped for another target; none if there is nothing to take out, which is the rule.
pub fn strip_foreign(dialect: Dialect, body: &[u8]) -> Option<Vec<u8>> {
    if !may_be_wrapped(dialect, body) {
        return None;
    }
    serde_json::from_slice::<&serde_json::value::RawValue>(body).ok()?;
    let edited = match dialect {
        Dialect::ChatCompletions => within(body, b"messages", &|message| object(message, &chat_member)),
        Dialect::Responses => within(body, b"input", &response_item),
        Dialect::Messages => within(body, b"messages", &claude_message),
        Dialect::GenerateContent => within(body, b"contents", &|content| {
            object(content, &|key, value| if key == b"parts" { array(value, &google_part) } else { Edit::Keep })
        }),
    };
    if let Edit::Replace(edited) = edited { Some(edited) } else { None }
}

/// What becomes of a value.
enum Edit {
    Keep,
    Drop,
    Replace(Vec<u8>),
}

fn within(body: &[u8], list: &[u8], item: &dyn Fn(&[u8]) -> Edit) -> Edit {
    object(body, &|key, value| if key == list { array(value, item) } else { Edit::Keep })
}

/// A string that the gateway wrapped.
fn is_foreign(value: &[u8]) -> bool {
    value.strip_prefix(b"\"").and_then(|it| it.strip_suffix(b"\"")).is_some_and(is_wrapped)
}

fn claude_message(message: &[u8]) -> Edit {
    // Sources that another vendor named, of words that stay.
    let citation = |citation: &[u8]| {
        let foreign = json::get(citation, "encrypted_index").is_some_and(is_foreign);
        if foreign { Edit::Drop } else { Edit::Keep }
    };
    let block = |block: &[u8]| {
        let foreign = json::members(block).any(|(key, value)| match key {
            b"signature" | b"data" => is_foreign(value),
            b"id" | b"tool_use_id" => json::inside(value).is_some_and(|id| id.starts_with(MADE.as_bytes())),
            _ => false,
        });
        if foreign {
            return Edit::Drop;
        }
        object(block, &|key, value| match key {
            b"citations" => match array(value, &citation) {
                Edit::Replace(left) if left == b"[]" => Edit::Drop,
                edit => edit,
            },
            _ => Edit::Keep,
        })
    };
    or_nothing(
        object(message, &|key, value| if key == b"content" { array(value, &block) } else { Edit::Keep }),
        "content",
    )
}

/// A message of which nothing is left is none.
fn or_nothing(edit: Edit, list: &str) -> Edit {
    match edit {
        Edit::Replace(message) if json::get(&message, list) == Some(b"[]") => Edit::Drop,
        edit => edit,
    }
}

fn response_item(item: &[u8]) -> Edit {
    let foreign = json::members(item)
        .any(|(key, value)| matches!(key, b"encrypted_content" | b"container_id") && is_foreign(value));
    if foreign { Edit::Drop } else { Edit::Keep }
}

fn google_part(part: &[u8]) -> Edit {
    let calls = json::members(part).any(|(key, _)| matches!(key, b"functionCall" | b"function_call"));
    object(part, &|key, value| match key {
        b"thoughtSignature" | b"thought_signature" if is_foreign(value) => {
            if calls {
                Edit::Replace(NO_SIGNATURE.to_vec())
            } else {
                Edit::Drop
            }
        }
        _ => Edit::Keep,
    })
}

fn chat_member(key: &[u8], value: &[u8]) -> Edit {
    let detail = |detail: &[u8]| {
        let foreign =
            json::members(detail).any(|(key, value)| matches!(key, b"signature" | b"data") && is_foreign(value));
        if foreign { Edit::Drop } else { Edit::Keep }
    };
    let call = |call: &[u8]| {
        object(call, &|key, value| {
            let google = if key == b"extra_content" { json::get(value, "google") } else { None };
            let foreign = google.and_then(|it| json::get(it, "thought_signature")).is_some_and(is_foreign);
            if foreign { Edit::Drop } else { Edit::Keep }
        })
    };
    match key {
        b"reasoning_details" => match array(value, &detail) {
            Edit::Replace(left) if left == b"[]" => Edit::Drop,
            edit => edit,
        },
        b"tool_calls" => array(value, &call),
        _ => Edit::Keep,
    }
}

/// An object with some of its members edited; the others keep their bytes.
fn object(object: &[u8], member: &dyn Fn(&[u8], &[u8]) -> Edit) -> Edit {
    if !object.starts_with(b"{") {
        return Edit::Keep;
    }
    rebuilt(object, [b'{', b'}'], json::members(object).map(|(key, value)| (Some(key), value, member(key, value))))
}

/// An array with some of its items edited.
fn array(array: &[u8], item: &dyn Fn(&[u8]) -> Edit) -> Edit {
    if !array.starts_with(b"[") {
        return Edit::Keep;
    }
    rebuilt(array, [b'[', b']'], json::items(array).map(|value| (None, value, item(value))))
}

fn rebuilt<'a>(
    whole: &[u8],
    brackets: [u8; 2],
    values: impl Iterator<Item = (Option<&'a [u8]>, &'a [u8], Edit)>,
) -> Edit {
    let mut out = Vec::with_capacity(whole.len());
    let mut edited = false;
    out.push(brackets[0]);
    for (key, value, edit) in values {
        let value = match &edit {
            Edit::Keep => value,
            Edit::Replace(other) => other,
            Edit::Drop => {
                edited = true;
                continue;
            }
        };
        edited |= matches!(edit, Edit::Replace(_));
        if out.len() > 1 {
            out.push(b',');
        }
        if let Some(key) = key {
            out.push(b'"');
            out.extend_from_slice(key);
            out.extend_from_slice(b"\":");
        }
        out.extend_from_slice(value);
    }
    out.push(brackets[1]);
    if edited { Edit::Replace(out) } else { Edit::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(dialect: Dialect, body: &str) -> Option<String> {
        strip_foreign(dialect, body.as_bytes()).map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn a_body_without_any_is_left_alone() {
        for dialect in Dialect::ALL {
            assert_eq!(stripped(dialect, r#"{"messages":[{"role":"user","content":"hi"}]}"#), None);
            assert_eq!(
                stripped(dialect, r#"{"messages":[{"role":"user","content":"what is br1.e30 or YnIxLg"}]}"#),
                None
            );
            assert_eq!(stripped(dialect, "br1. YnIxL no JSON"), None);
        }
    }

    #[test]
    fn thinking_of_another_vendor_is_taken_out_of_messages() {
        let body = r#"{"n": 1.0e2, "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"","signature":"br1.e30"},{"type":"text", "text":"a"}]},{"role":"assistant","content":[{"type":"redacted_thinking","data":"br1.e30"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"EqQB"}]}]}"#;
        let left = r#"{"n":1.0e2,"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"text", "text":"a"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"EqQB"}]}]}"#;
        assert_eq!(stripped(Dialect::Messages, body).unwrap(), left);
    }

    #[test]
    fn reasoning_of_another_vendor_is_taken_out_of_responses() {
        let body = r#"{"input":[{"type":"reasoning","summary":[],"encrypted_content":"br1.e30"},{"role":"user","content":"hi"},{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}]}"#;
        let left = r#"{"input":[{"role":"user","content":"hi"},{"type":"reasoning","summary":[],"encrypted_content":"gAAA"}]}"#;
        assert_eq!(stripped(Dialect::Responses, body).unwrap(), left);
    }

    #[test]
    fn what_another_vendor_ran_is_taken_out_and_the_words_that_rest_on_it_stay() {
        let body = r#"{"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_br1_ws_1","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"srvtoolu_br1_ws_1","content":[]},{"type":"text","text":"a","citations":[{"url":"x","encrypted_index":"br1."}]},{"type":"text","text":"b","citations":[{"url":"x","encrypted_index":"br1."},{"url":"y","encrypted_index":"E"}]}]}]}"#;
        let left = r#"{"messages":[{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b","citations":[{"url":"y","encrypted_index":"E"}]}]}]}"#;
        assert_eq!(stripped(Dialect::Messages, body).unwrap(), left);
        let without_sources = r#"{"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"srvtoolu_br1_ci_1"},{"type":"text","text":"a"}]}]}"#;
        let left = r#"{"messages":[{"role":"assistant","content":[{"type":"text","text":"a"}]}]}"#;
        assert_eq!(stripped(Dialect::Messages, without_sources).unwrap(), left);
        let body = r#"{"input":[{"type":"code_interpreter_call","id":"ci_1","container_id":"br1."},{"type":"code_interpreter_call","id":"ci_2","container_id":"cntr_1"}]}"#;
        let left = r#"{"input":[{"type":"code_interpreter_call","id":"ci_2","container_id":"cntr_1"}]}"#;
        assert_eq!(stripped(Dialect::Responses, body).unwrap(), left);
    }

    #[test]
    fn signatures_of_another_vendor_are_taken_out_of_generate_content_and_off_chats_calls() {
        let body = r#"{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"YnIxLnt9"},{"functionCall":{"name":"f"},"thoughtSignature":"YnIxLnt9"},{"text":"b","thoughtSignature":"CiQB"}]}]}"#;
        let left = r#"{"contents":[{"role":"model","parts":[{"text":"a"},{"functionCall":{"name":"f"},"thoughtSignature":"skip_thought_signature_validator"},{"text":"b","thoughtSignature":"CiQB"}]}]}"#;
        assert_eq!(stripped(Dialect::GenerateContent, body).unwrap(), left);
        let body = r#"{"messages":[{"role":"assistant","reasoning_details":[{"data":"br1.e30"}],"tool_calls":[{"id":"x","extra_content":{"google":{"thought_signature":"br1.e30"}}}]}]}"#;
        let left = r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"x"}]}]}"#;
        assert_eq!(stripped(Dialect::ChatCompletions, body).unwrap(), left);
    }
}
