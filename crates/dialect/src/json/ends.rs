//! Where the long values of one text end. A walk down to a value that lies deep passes over the text once for each level;
//! whoever walks all over a large body, as the translation of requests does, has it measured once instead. This is an
//! address book and nothing more: what it does not know is walked over as ever.

use std::cell::RefCell;

use super::end_of_text;

/// Shorter values are walked over faster than they are looked up.
pub(super) const NEAR: usize = 96;
/// A shorter text is walked over faster than it is measured, however deep it goes.
const SHORT: usize = 4 << 10;

struct Ends {
    /// Where the text begins in memory.
    text: usize,
    length: usize,
    /// The offsets of each long value's first byte and of the byte behind its last, in order.
    values: Vec<(u32, u32)>,
}

thread_local! {
    static ENDS: RefCell<Option<Ends>> = const { RefCell::new(None) };
}

/// Forgets the text at the end, whatever happens: another may come to lie where it was.
struct Forget;

impl Drop for Forget {
    fn drop(&mut self) {
        ENDS.set(None);
    }
}

/// Does work that walks all over a text, which is valid JSON.
pub(crate) fn measured<T>(text: &[u8], work: impl FnOnce() -> T) -> T {
    let _forget = Forget;
    if text.len() > SHORT && u32::try_from(text.len()).is_ok() {
        ENDS.set(Some(Ends { text: text.as_ptr() as usize, length: text.len(), values: values(text) }));
    }
    work()
}

/// The length of the value that `bytes` begin with, if it is a long one of the text that is worked on.
pub(super) fn length_of(bytes: &[u8]) -> Option<usize> {
    ENDS.with_borrow(|ends| {
        let ends = ends.as_ref()?;
        let start = (bytes.as_ptr() as usize).checked_sub(ends.text).filter(|start| *start < ends.length)?;
        let start = u32::try_from(start).ok()?;
        let found = ends.values.binary_search_by_key(&start, |value| value.0).ok()?;
        let length = ends.values[found].1.checked_sub(start)? as usize;
        (1..=bytes.len()).contains(&length).then_some(length)
    })
}

fn values(text: &[u8]) -> Vec<(u32, u32)> {
    let mut values: Vec<(u32, u32)> = Vec::with_capacity(text.len() / 256);
    let mut open = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].iter().position(|byte| matches!(byte, b'"' | b'{' | b'[' | b'}' | b']')) {
        at += found;
        match text[at] {
            b'"' => {
                let Some(end) = end_of_text(text, at + 1, &mut false) else { return Vec::new() };
                if end - at > NEAR {
                    values.push((at as u32, end as u32));
                }
                at = end;
                continue;
            }
            b'{' | b'[' => {
                open.push(values.len());
                values.push((at as u32, 0));
            }
            _ => {
                let Some(opened) = open.pop() else { return Vec::new() };
                if at + 1 - values[opened].0 as usize > NEAR {
                    values[opened].1 = at as u32 + 1;
                } else {
                    // What is within a short value is shorter still.
                    values.truncate(opened);
                }
            }
        }
        at += 1;
    }
    if open.is_empty() { values } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{get, items, members};

    #[test]
    fn a_measured_text_is_walked_over_as_any_other() {
        let long = "a\\\"}]".repeat(600);
        let text = format!(r#"{{"a":[{{"b":"{long}"}},[],{{"c":["{long}",1]}}],"d":"{long}","e":{{}}}}"#);
        let walk = || {
            let all: Vec<Vec<u8>> = members(text.as_bytes()).map(|(_, value)| value.to_vec()).collect();
            let list = get(text.as_bytes(), "a").unwrap();
            let inner: Vec<Vec<u8>> = items(list).flat_map(members).map(|(_, value)| value.to_vec()).collect();
            (all, inner)
        };
        let plain = walk();
        assert_eq!(measured(text.as_bytes(), walk), plain);
        assert_eq!(values(text.as_bytes()).len(), 8);
        assert_eq!(length_of(text.as_bytes()), None, "it is forgotten");
    }

    #[test]
    fn what_is_no_json_is_not_measured() {
        for text in ["{", "[}", "]", "\"", "{\"a"] {
            let long = format!("{text}{}", " ".repeat(2 * SHORT));
            measured(long.as_bytes(), || members(long.as_bytes()).count());
        }
    }
}
