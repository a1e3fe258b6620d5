//! Answers that show what a gateway keeps of what goes through it: far longer than any that is told for its time.

use std::sync::Arc;

use bytes::Bytes;

use super::{DONE, USAGE, event};

/// Events of so many are sent as one piece.
const PACKED: usize = 16;
/// Bytes of text in one event.
const EVENT: usize = 4096;

/// Words as they stand inside a string, and inside a string of JSON in a string.
const TEXT: &str = r#"words and \"more\" words "#;
const ARGUMENTS: &str = r#"words and \\\"more\\\" words "#;

/// A whole answer with a megabyte of text, a few escapes in it.
pub(super) fn whole() -> Bytes {
    let line = r#"The floor is what \"any proxy\" on this machine pays.\n"#;
    let text = line.repeat((1 << 20) / line.len());
    super::document(&text)
}

/// A stream of `megabytes` of text.
pub(super) fn text(megabytes: usize) -> Arc<[Bytes]> {
    let said = event(&format!(r#"{{"content":"{}"}}"#, words(TEXT)), "null", "");
    let packed = Bytes::from(said.repeat(PACKED));
    let pieces = std::iter::repeat_n(packed, (megabytes << 20) / (PACKED * EVENT));
    pieces.chain(end("stop")).collect()
}

/// A stream of `calls` calls, side by side, each with `megabytes` of arguments, which come in turns.
pub(super) fn calls(calls: usize, kilobytes: usize) -> Arc<[Bytes]> {
    let each = |said: &dyn Fn(usize) -> String| -> Vec<Bytes> {
        (0..calls).map(|n| event(&format!(r#"{{"tool_calls":[{}]}}"#, said(n)), "null", "")).collect()
    };
    let arguments = |text: &str| each(&|n| format!(r#"{{"index":{n},"function":{{"arguments":"{text}"}}}}"#));
    let begun = each(&|n| {
        format!(
            r#"{{"index":{n},"id":"call_{n:06}","type":"function","function":{{"name":"write_file","arguments":""}}}}"#
        )
    });
    let middle = pack(&arguments(&words(ARGUMENTS)));
    let rounds = (kilobytes << 10) / EVENT;
    let middle = (0..rounds).flat_map(|_| middle.iter().cloned());
    let before = pack(&[begun, arguments(r#"{\"content\":\""#)].concat());
    let after = pack(&arguments(r#"\"}"#));
    before.into_iter().chain(middle).chain(after).chain(end("tool_calls")).collect()
}

/// Bytes of arguments or text of that many kilobytes at the least, as an answer in any dialect has them.
pub(super) fn least(kilobytes: usize) -> usize {
    (kilobytes << 10) / EVENT * EVENT
}

/// A delta's text: `unit` again and again.
fn words(unit: &str) -> String {
    let mut words = unit.repeat(EVENT / unit.len());
    words.extend(std::iter::repeat_n('.', EVENT - words.len()));
    words
}

fn pack(events: &[Bytes]) -> Vec<Bytes> {
    events.chunks(PACKED).map(|events| events.concat().into()).collect()
}

fn end(reason: &str) -> [Bytes; 3] {
    let finish = event("{}", &format!("\"{reason}\""), "");
    let usage = event("{}", "null", &format!(",{USAGE}"));
    [finish, usage, Bytes::from_static(DONE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_json_and_says_what_was_promised() {
        let pieces = calls(3, 8);
        let stream = pieces.concat();
        let stream = std::str::from_utf8(&stream).unwrap();
        let mut arguments = vec![String::new(); 3];
        for data in stream.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]") {
            let event: serde_json::Value = serde_json::from_str(data).unwrap();
            let call = &event["choices"][0]["delta"]["tool_calls"][0];
            if let Some(at) = call["index"].as_u64() {
                arguments[at as usize] += call["function"]["arguments"].as_str().unwrap();
            }
        }
        for text in arguments {
            let file: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(file["content"].as_str().unwrap().len() > 6000);
        }
    }

    #[test]
    fn the_text_is_as_long_as_it_says() {
        let length: usize = text(1).iter().map(Bytes::len).sum();
        assert!((1 << 20..2 << 20).contains(&length), "{length}");
        assert!(whole().len() > 1 << 20 && serde_json::from_slice::<serde_json::Value>(&whole()).is_ok());
    }
}
