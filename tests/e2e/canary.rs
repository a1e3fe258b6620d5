//! The canary: a secret is planted, an upstream echoes it wherever it can, every hook of a component that copies what
//! it is shown runs, and the gateway's process is searched. The secret may be in the host's memory, never in a guest's.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_tests::{Gateway, KEY, Reply, Seen, Upstream};
use memchr::memmem;
use serde_json::json;

/// Text that a guest is meant to see, sent beside the secret: where it is not found, the search is broken.
const MARKER: &str = "marker-that-a-guest-may-see";
/// The pool gives each instance's memory a slot, and what a slot does not use is closed: far more than follows anything
/// else that a process maps.
const CLOSED: u64 = 32 << 20;
/// The pool's slots are reserved as one range: 256 of 64 MiB or more.
const POOL: u64 = 16 << 30;

#[test]
fn no_secret_is_ever_in_the_memory_of_a_guest() {
    let upstream = Upstream::start();
    upstream.follows(echo_everything);
    let setup = Gateway::start().with_plugin("probe").with_key("PROBE_API_KEY", KEY).trusting("probe");
    let gateway = setup.with_origin("probe", &upstream).run();
    let body =
        |mode: &str| json!({"model": "probe:probe-1", "messages": [{"role": "user", "content": MARKER}], "mode": mode});

    // A rewriter lives as long as its stream, so this one holds all that it was shown while the memory is searched.
    let mut streamed = body("stream");
    streamed["stream"] = json!(true);
    let mut stream = gateway.post("/v1/chat/completions").json(&streamed).header("x-probe-seen", MARKER).open();
    assert_eq!(stream.head().0, 200);
    stream.read_until(MARKER);

    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        // The other hooks' instances live for microseconds: they run all the time meanwhile.
        for mode in ["whole", "fail"] {
            let (gateway, stop, body) = (&gateway, &stop, body(mode));
            threads.spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    gateway.chat(&body).never_says(KEY);
                }
            });
        }
        let searched = (0..10).try_for_each(|_| guests_hold_no_secret(gateway.process()));
        stop.store(true, Ordering::SeqCst);
        searched.unwrap();
    });
    let all = writable(gateway.process());
    assert_eq!(found(gateway.process(), &all, &[KEY]), [KEY], "the search finds not even what the host itself holds");
    let sent = upstream.requests();
    assert!(sent.iter().any(|request| request.path.starts_with("/v1/token")), "`ask` was never used");
    assert!(sent.iter().all(|request| request.header("x-probe-key") == Some(KEY)), "the secret was not attached");
    assert!(!gateway.log().contains(KEY), "{}", gateway.log());
}

/// Says the secret, and the marker beside it, in headers, bodies, events and errors, in three encodings.
fn echo_everything(request: &Seen) -> Reply {
    let said = format!("{MARKER} {KEY} {} {}", STANDARD.encode(KEY), json!(KEY));
    let with_headers =
        |reply: Reply| reply.header("x-ratelimit-remaining-requests", &said).header("x-probe-echo", &said);
    if request.path.starts_with("/v1/token") {
        return with_headers(Reply::body("text/plain", said.clone()));
    }
    let body = json!({"error": {"message": said}, "choices": []});
    match request.json()["mode"].as_str() {
        Some("stream") => {
            let event = json!({"choices": [{"index": 0, "delta": {"content": said}}]});
            let limits =
                format!("event: probe.limits\ndata: {{\"type\":\"probe.limits\",\"said\":{}}}\n\n", json!(said));
            let event = format!("data: {event}\n\n");
            // The secret comes in two reads as well.
            let (first, second) = event.split_at(event.find("canary").unwrap_or_default());
            let split = Reply::sse().send(limits).send(first).pause(30).send(second).send(event.as_str());
            with_headers(split).wait_until_gone()
        }
        Some("fail") => with_headers(Reply::json(&body).status(429)),
        _ => with_headers(Reply::json(&body)),
    }
}

/// Searches the memory of all guests once. An error if the secret is there, or if not even the marker is.
fn guests_hold_no_secret(process: u32) -> Result<(), String> {
    let slots = slots(process);
    let escaped = json!(KEY).to_string();
    let encoded = STANDARD.encode(KEY);
    let found = found(process, &slots, &[KEY, escaped.trim_matches('"'), &encoded, "canary-0123456789", MARKER]);
    match found.as_slice() {
        [MARKER] => Ok(()),
        [] => Err(format!("no guest's memory was found among {} ranges", slots.len())),
        more => Err(format!("a guest has seen {more:?}")),
    }
}

/// One line of `/proc/PID/maps`.
struct Mapping {
    start: u64,
    end: u64,
    access: String,
}

fn mappings(process: u32) -> Vec<Mapping> {
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mapping = |line: &str| {
        let (range, rest) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text: &str| u64::from_str_radix(text, 16).unwrap();
        Mapping { start: number(start), end: number(end), access: rest.chars().take(4).collect() }
    };
    maps.lines().map(mapping).collect()
}

/// All that the process may write to.
fn writable(process: u32) -> Vec<(u64, u64)> {
    let writable = mappings(process).into_iter().filter(|mapping| mapping.access.starts_with("rw"));
    writable.map(|mapping| (mapping.start, mapping.end)).collect()
}

/// The open parts of the pool's slots: writable, within a reserved range as large as the pool, and with the closed rest
/// of the slot behind them.
fn slots(process: u32) -> Vec<(u64, u64)> {
    let mappings = mappings(process);
    let reserved = mappings.chunk_by(|one, next| one.end == next.start);
    let pools = reserved.filter(|run| run[run.len() - 1].end - run[0].start >= POOL);
    let closed = |mapping: &Mapping| mapping.access.starts_with("---") && mapping.end - mapping.start >= CLOSED;
    let mut slots = Vec::new();
    for pool in pools {
        // A slot's image and what grew behind it are mappings of their own.
        for parts in pool.split(|mapping| !mapping.access.starts_with("rw")) {
            let Some(last) = parts.last() else { continue };
            let behind = pool.iter().find(|mapping| mapping.start == last.end);
            if behind.is_some_and(closed) {
                slots.push((parts[0].start, last.end));
            }
        }
    }
    slots
}

/// Which of these texts are anywhere in these ranges.
fn found<'t>(process: u32, ranges: &[(u64, u64)], texts: &[&'t str]) -> Vec<&'t str> {
    const STEP: u64 = 1 << 20;
    /// Longer than any text, so that one that lies across two steps is seen whole in the first.
    const OVERLAP: u64 = 1 << 10;
    let memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut part = vec![0; (STEP + OVERLAP) as usize];
    let finders: Vec<_> = texts.iter().map(|text| (*text, memmem::Finder::new(*text))).collect();
    let mut found = Vec::new();
    for &(start, end) in ranges {
        for at in (start..end).step_by(STEP as usize) {
            // A page that was given back meanwhile cannot be read, and holds nothing.
            let wanted = (STEP + OVERLAP).min(end - at) as usize;
            let read = memory.read_at(&mut part[..wanted], at).unwrap_or(0);
            let here = finders.iter().filter(|(_, finder)| finder.find(&part[..read]).is_some());
            found.extend(here.map(|(text, _)| *text));
        }
    }
    texts.iter().copied().filter(|text| found.contains(text)).collect()
}
