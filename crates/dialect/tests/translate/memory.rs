//! What a translation keeps of an answer that never ends: nothing that grows with it where the client's dialect says
//! things piece by piece, and no more than a limit where its last events repeat them. Linux says how much memory there is,
//! and it is looked at in processes of their own: what other tests take would count.
#![cfg(target_os = "linux")]

use bitrouter_dialect::Dialect;

use super::answers::{pairs, translation};
use super::spoken::Spoken;

/// How much goes through each pair: far more than may be kept.
const STREAM: usize = if cfg!(debug_assertions) { 96 << 20 } else { 200 << 20 };
/// What buffers and the allocator hold.
const SLACK: usize = 24 << 20;
/// What is kept at most where anything must be, with the copy that is made of it at the end.
const REPEATED: usize = 3 * (64 << 20);

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<usize>().unwrap() << 10
}

/// Feeds the events before, then `middle` again and again, and returns how much memory grew at most, and whether the answer failed for it.
fn grows(from: Dialect, to: Dialect, before: &[String], middle: &[String]) -> (usize, bool) {
    let mut translation = translation(from, to);
    before.iter().for_each(|event| drop(translation.feed(event.as_bytes())));
    let start = resident();
    let middle = middle.concat().repeat(16);
    let (mut fed, mut most, mut fails) = (0, 0, false);
    while fed < STREAM && !fails {
        let said = translation.feed(middle.as_bytes());
        // What may be kept is said in the error.
        fails = memchr::memmem::find(&said, b" MiB").is_some();
        fed += middle.len();
        most = most.max(resident().saturating_sub(start));
    }
    (most, fails)
}

/// Runs a test of this program alone.
fn alone(test: &str) {
    let mut program = std::process::Command::new(std::env::current_exe().unwrap());
    let output = program.args(["--exact", "--ignored", "--nocapture", test]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn spoken(text: &str, calls: usize) -> Spoken {
    let calls = (0..calls).map(|at| ("read", serde_json::json!({"at": at, "text": text}))).collect();
    Spoken { thinking: None, signed: false, text: text.to_owned(), calls, cut: false, delta: usize::MAX }
}

/// The events up to the one that says the mark, and those that say it as deltas.
fn around(spoken: &Spoken, from: Dialect, mark: &str) -> (Vec<String>, Vec<String>) {
    let events = spoken.events(from);
    let first = events.iter().position(|event| event.contains(mark)).unwrap();
    let is_delta = |event: &&String| {
        // Responses repeats what its deltas said.
        event.contains(mark)
            && (from != Dialect::Responses || event.starts_with("event: response.") && event[..80].contains(".delta"))
    };
    let middle: Vec<String> = events[first..].iter().filter(is_delta).cloned().collect();
    assert!(!middle.is_empty(), "{from}");
    (events[..first].to_vec(), middle)
}

#[test]
fn two_hundred_megabytes_of_text_are_not_kept() {
    alone("translate::memory::text_without_an_end");
}

#[test]
fn two_hundred_calls_that_never_end_are_not_kept() {
    alone("translate::memory::calls_without_an_end");
}

#[test]
#[ignore = "the test above runs it alone"]
fn text_without_an_end() {
    let mark = "never ends. ".repeat(400);
    let spoken = spoken(&mark, 0);
    for (from, to) in pairs() {
        let (before, middle) = around(&spoken, from, &mark);
        let (most, fails) = grows(from, to, &before, &middle);
        // The last events of Responses repeat the text: too much of it is an error.
        let repeats = to == Dialect::Responses;
        assert_eq!(fails, repeats, "{from} to {to}");
        let allowed = SLACK + if repeats { REPEATED } else { 0 };
        assert!(most < allowed, "{from} to {to}: {} MB", most >> 20);
    }
}

#[test]
#[ignore = "the test above runs it alone"]
fn calls_without_an_end() {
    let mark = "never ends. ".repeat(400);
    // generateContent has its calls whole.
    for from in [Dialect::ChatCompletions, Dialect::Responses, Dialect::Messages] {
        let begun = spoken("x", 200).events(from);
        let (_, middle) = around(&spoken(&mark, 200), from, &mark);
        for to in Dialect::ALL.into_iter().filter(|to| *to != from) {
            let is_begin = |event: &&String| {
                !event.contains("finish_reason\":\"") && !event.contains(".done") && !event.contains("_stop")
            };
            let before: Vec<_> = begun[..begun.len() - 3].iter().filter(is_begin).cloned().collect();
            let middle: Vec<_> = middle
                .iter()
                .filter(|event| !event.contains("text_delta") && !event.contains("\"content\":\""))
                .cloned()
                .collect();
            let (most, fails) = grows(from, to, &before, &middle);
            // generateContent has no part of a call either.
            let repeats = matches!(to, Dialect::Responses | Dialect::GenerateContent);
            assert_eq!(fails, repeats, "{from} to {to}");
            let allowed = SLACK + if repeats { REPEATED } else { 0 };
            assert!(most < allowed, "{from} to {to}: {} MB", most >> 20);
        }
    }
}
