//! The canary: a secret is planted, an upstream echoes it wherever it can, every hook of a component that copies what
//! it is shown runs, and the gateway's process is searched. The secret may be in the host's memory, never in a guest's.
#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bitrouter_tests::{Gateway, KEY, Reply, SERVICE_ACCOUNT_KEY, Seen, Setup, Upstream, key_file};
use memchr::memmem;
use serde_json::json;

/// Puts the secrets of one way of paying where they are found.
type Plant<'p> = &'p dyn Fn(Setup, &Upstream) -> Setup;

/// Text that a guest is meant to see, sent beside the secret: where it is not found, the search is broken.
const MARKER: &str = "marker-that-a-guest-may-see";
/// The pool gives each instance's memory a slot, and what a slot does not use is closed: far more than follows anything
/// else that a process maps.
const CLOSED: u64 = 32 << 20;
/// The pool's slots are reserved as one range: 256 of 64 MiB or more.
const POOL: u64 = 16 << 30;

#[test]
fn no_secret_is_ever_in_the_memory_of_a_guest() {
    let upstream = echoing(&[KEY]);
    let gateway = probed("probe", &upstream).with_key("PROBE_API_KEY", KEY).run();
    search(&gateway, &[KEY]);
    let sent = upstream.requests();
    assert!(sent.iter().any(|request| request.path.starts_with("/v1/token")), "`ask` was never used");
    assert!(sent.iter().all(|request| request.header("x-probe-key") == Some(KEY)), "the secret was not attached");
}

#[test]
fn no_secret_that_signs_or_mints_is_ever_in_the_memory_of_a_guest() {
    const MINTED: &str = "minted-canary-0123456789";
    const SECRET: &str = "secret-canary-0123456789";
    const SESSION: &str = "session-canary-0123456789";
    let exchange = |setup: Setup, _: &Upstream| {
        setup.with_key("PROBE_CLIENT_ID", "client-1").with_key("PROBE_CLIENT_SECRET", SECRET)
    };
    let aws = |setup: Setup, _: &Upstream| {
        let setup = setup.with_key("PROBE_AWS_ID", "AKIDEXAMPLE").with_key("PROBE_AWS_SECRET", SECRET);
        setup.with_key("PROBE_AWS_SESSION", SESSION)
    };
    let google = |setup: Setup, upstream: &Upstream| {
        let file = setup.home().join("key.json");
        fs::write(&file, key_file(&format!("{}/v1/exchange", upstream.origin())).to_string()).unwrap();
        setup.with_key("PROBE_KEY_FILE", file.to_str().unwrap())
    };
    let private_key = SERVICE_ACCOUNT_KEY.lines().nth(7).unwrap();
    // The secret key of a signature is sent to nobody, and is echoed all the same. Of a private key a line is looked for, and
    // a line of it that somebody knew is no secret any more.
    let kinds: [(Plant<'_>, &[&'static str], usize, &str, &str); 3] = [
        (&exchange, &[MINTED, SECRET], 2, "x-probe-key", MINTED),
        (&aws, &[SECRET, SESSION], 2, "x-amz-security-token", SESSION),
        (&google, &[MINTED, private_key], 1, "x-probe-key", MINTED),
    ];
    for (planted, secrets, echoed, header, sent) in kinds {
        let upstream = echoing(&secrets[..echoed]);
        let gateway = planted(probed("minting", &upstream), &upstream).run();
        search(&gateway, secrets);
        let calls = upstream.requests().into_iter().filter(|request| request.path.contains("completions"));
        assert!(
            calls.into_iter().all(|request| request.header(header) == Some(sent)),
            "the credential was not attached"
        );
    }
}

fn probed(guest: &str, upstream: &Upstream) -> Setup {
    // The search takes the processor for itself.
    let setup = Gateway::start().with("/plugins/budget_ms", json!(1000));
    setup.with_plugin(guest).trusting(guest).with_origin("probe", upstream)
}

/// Runs every hook of a component that copies what it is shown, while the memory of all of them is searched.
fn search(gateway: &Gateway, secrets: &[&'static str]) {
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
                    let answer = gateway.chat(&body);
                    secrets.iter().fold(answer, |answer, secret| answer.never_says(secret));
                }
            });
        }
        let searched = (0..10).try_for_each(|_| guests_hold_no_secret(gateway.process(), secrets));
        stop.store(true, Ordering::SeqCst);
        searched.unwrap();
    });
    let all = writable(gateway.process());
    let held = found(gateway.process(), &all, secrets);
    assert!(held.iter().any(|secret| secrets.contains(secret)), "the search finds not even what the host itself holds");
    secrets.iter().for_each(|secret| assert!(!gateway.log().contains(secret), "{}", gateway.log()));
}

/// An upstream that says these secrets, and the marker beside them, in headers, bodies, events and errors, in three encodings;
/// and that gives the first of them as a token.
fn echoing(secrets: &[&'static str]) -> Upstream {
    let (upstream, secrets) = (Upstream::start(), secrets.to_vec());
    upstream.follows(move |request| {
        if request.path.starts_with("/v1/exchange") {
            return Reply::json(&json!({"access_token": secrets[0], "expires_in": 3600}));
        }
        let each = secrets.iter().map(|secret| format!("{secret} {} {}", STANDARD.encode(secret), json!(secret)));
        echo_everything(request, &format!("{MARKER} {}", each.collect::<Vec<_>>().join(" ")))
    });
    upstream
}

fn echo_everything(request: &Seen, said: &str) -> Reply {
    let with_headers = |reply: Reply| reply.header("x-ratelimit-remaining-requests", said).header("x-probe-echo", said);
    if request.path.starts_with("/v1/token") {
        return with_headers(Reply::body("text/plain", said));
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

/// Searches the memory of all guests once. An error if a secret is there, or if not even the marker is.
fn guests_hold_no_secret(process: u32, secrets: &[&'static str]) -> Result<(), String> {
    let slots = slots(process);
    let mut texts: Vec<String> = Vec::new();
    for secret in secrets {
        texts.extend([
            (*secret).to_owned(),
            json!(secret).to_string().trim_matches('"').to_owned(),
            STANDARD.encode(secret),
        ]);
        texts.extend(secret.find("canary").map(|at| secret[at..].to_owned()));
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).chain([MARKER]).collect();
    let found = found(process, &slots, &texts);
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
