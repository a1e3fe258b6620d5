//! Targets that are slow: an address where nobody answers, a connection that opens late, and a call that another is asked
//! beside.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bitrouter_tests::{Answer, ChatGpt, Gateway, Reply, Setup, Turn, Upstream, eventually};
use serde_json::json;

/// An address that takes no connection: its queue is full, and nobody accepts.
struct BlackHole {
    listener: TcpListener,
    _full_of: Vec<TcpStream>,
}

impl BlackHole {
    fn dig() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let listener = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(1).unwrap().into_std().unwrap()
        });
        listener.set_nonblocking(false).unwrap();
        let address = listener.local_addr().unwrap();
        let mut full_of = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            full_of.push(stream);
            assert!(full_of.len() < 100, "the queue takes more than it was told to");
        }
        BlackHole { listener, _full_of: full_of }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    fn origin(&self) -> serde_json::Value {
        json!({"api": format!("http://{}/v1", self.address())})
    }

    /// Accepts from now on, and answers every request. How many connections carried one.
    fn opens(self) -> Arc<AtomicUsize> {
        let carried = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&carried);
        thread::spawn(move || {
            for stream in self.listener.incoming() {
                let (stream, count) = (stream.unwrap(), Arc::clone(&count));
                thread::spawn(move || serve(&stream, &count));
            }
        });
        carried
    }
}

/// Answers each request of a connection with `late`.
fn serve(stream: &TcpStream, carried: &AtomicUsize) {
    let mut reader = BufReader::new(stream);
    let mut first = true;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
        carried.fetch_add(usize::from(first), Ordering::SeqCst);
        first = false;
        let body = r#"{"said": "late"}"#;
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
        let mut writer = stream;
        writer.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
    }
}

/// `echo` leads into the hole, `openai` to the upstream.
fn beside(hole: &BlackHole, upstream: &Upstream, connect_ms: u64) -> Setup {
    let setup = Gateway::start().with_plugin("echo").with("/providers/echo/origins", hole.origin());
    setup.with("/providers/echo/timeouts/connect_ms", json!(connect_ms)).with_openai_at(upstream)
}

fn ask(gateway: &Gateway, models: &[&str], streamed: bool) -> Answer {
    gateway.post("/v1/chat/completions").json(&json!({"models": models, "messages": [], "stream": streamed})).send()
}

const BOTH: [&str; 2] = ["echo:m", "openai:gpt-4o"];

#[test]
fn a_black_hole_is_left_before_its_deadline_and_then_left_alone() {
    let (hole, upstream) = (BlackHole::dig(), Upstream::start());
    upstream.answers(json!({"said": "second"}));
    // A deadline that no test waits for.
    let gateway = beside(&hole, &upstream, 3_600_000).run();
    thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| ask(&gateway, &BOTH, false).status(200).says("second"));
        }
    });
    let status = gateway.status();
    assert_eq!(status["cooldowns"][0]["address"], "echo:m", "{status}");
    assert_eq!(status["cooldowns"][0]["reason"], "slow to connect", "{status}");
    let attempts: Vec<String> = (0..20)
        .map(|_| ask(&gateway, &BOTH, false).status(200).header("x-bitrouter-attempts").unwrap().to_owned())
        .collect();
    // One that looks whether it is over may be among them.
    assert!(attempts.iter().filter(|attempts| *attempts == "1").count() >= 15, "{attempts:?}");
}

#[test]
fn the_only_target_is_waited_for_until_its_deadline() {
    let (hole, upstream) = (BlackHole::dig(), Upstream::start());
    let gateway = beside(&hole, &upstream, 700).run();
    ask(&gateway, &["echo:m"], false).status(502).says("nothing answered within 0.7 s");
}

#[test]
fn a_slow_connection_is_waited_for_where_the_others_fail() {
    let (hole, upstream) = (BlackHole::dig(), Upstream::start());
    upstream.follows(|_| Reply::json(&json!({"error": {"message": "because"}})).status(503));
    let gateway = beside(&hole, &upstream, 900).run();
    let answer = ask(&gateway, &BOTH, false).status(503).says("because");
    assert_eq!(answer.header("x-bitrouter-attempts"), Some("3"));
    gateway.logs("no connection to").logs("within 0.5 s").logs("nothing answered within 0.9 s");
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn a_slow_network_moves_nothing_from_a_plan_to_what_costs_money() {
    let (hole, upstream, chatgpt) = (BlackHole::dig(), Upstream::start(), ChatGpt::start());
    upstream.answers(json!({"said": "paid"}));
    let origins = json!({"api": format!("http://{}/backend-api/codex", hole.address()), "auth": chatgpt.origin()});
    let setup = Gateway::start().with_openai_at(&upstream).with("/providers/openai-codex/origins", origins);
    let setup = setup.logged_in("openai-codex", "default", chatgpt.login());
    let gateway = setup.with("/providers/openai-codex/timeouts/connect_ms", json!(900)).run();
    let body = json!({"models": ["openai-codex:gpt-5.5", "openai:gpt-5.5"], "input": "hi"});
    gateway.post("/v1/responses").json(&body).send().status(200).says("paid");
    gateway.logs("nothing answered within 0.9 s");
    assert!(!gateway.log().contains("within 0.5 s"), "{}", gateway.log());
}

#[test]
fn a_connection_that_opens_late_serves_the_requests_that_come_then() {
    let (hole, upstream) = (BlackHole::dig(), Upstream::start());
    upstream.answers(json!({"said": "second"}));
    let gateway = beside(&hole, &upstream, 60_000).run();
    ask(&gateway, &BOTH, false).status(200).says("second");
    let carried = hole.opens();
    let answers_late = || ask(&gateway, &BOTH, false).status(200).text().contains("late");
    assert!(eventually(answers_late), "{}", gateway.status());
    ask(&gateway, &["echo:m"], false).status(200).says("late");
    assert_eq!(carried.load(Ordering::SeqCst), 1, "the connection that opened late is the one that is used");
}

/// Model `slow` answers after a while, `silent` never, and every other one at once.
fn slow_and_fast() -> Upstream {
    let upstream = Upstream::start();
    upstream.follows(|seen| {
        let body = seen.json();
        if body["model"] == "silent" {
            return Reply::silence();
        }
        let (slow, streamed) = (body["model"] == "slow", body["stream"] == true);
        let said = if slow { "slow" } else { "fast" };
        let event = format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": said}}]}));
        match (slow, streamed) {
            (false, false) => Reply::json(&json!({"said": said})),
            (false, true) => Reply::sse().send(event),
            (true, false) => Reply::sse().pause(1500).send(format!("{{\"said\": \"{said}\"}}")),
            (true, true) => Reply::sse().pause(1500).send(event),
        }
    });
    upstream
}

fn hedging(upstream: &Upstream) -> Setup {
    let setup = Gateway::start().with_plugin("echo").with_origin("echo", upstream).with_openai_at(upstream);
    setup.with("/hedge_after_ms", json!(100))
}

#[test]
fn a_slow_call_is_hedged_and_the_first_answer_ends_the_other() {
    let upstream = slow_and_fast();
    let gateway = hedging(&upstream).run();
    let answer = ask(&gateway, &["echo:silent", "openai:fast"], false).status(200).says("fast");
    assert_eq!(answer.header("x-bitrouter-provider"), Some("openai"));
    assert_eq!(answer.header("x-bitrouter-attempts"), Some("2"));
    assert!(eventually(|| upstream.hung_up() == 1), "the slow call goes on");
    // It was slow, not broken.
    assert_eq!(gateway.status()["cooldowns"], json!([]));
    // Nor is one asked twice that answers in time.
    let answer = ask(&gateway, &["echo:fast", "openai:fast"], false).status(200);
    assert_eq!(answer.header("x-bitrouter-attempts"), Some("1"));
}

#[test]
fn a_call_that_fails_leaves_the_answer_to_its_hedge() {
    let upstream = Upstream::start();
    upstream.follows(|seen| match seen.json()["model"].as_str() {
        Some("late-503") => Reply::json(&json!({"error": {"message": "because"}})).status(503),
        Some("slow") => Reply::sse().pause(600).send("{\"said\": \"slow\"}"),
        _ => Reply::json(&json!({"said": "third"})),
    });
    let gateway = hedging(&upstream).run();
    let answer = ask(&gateway, &["echo:slow", "openai:late-503", "echo:third"], false).status(200).says("slow");
    assert_eq!(answer.header("x-bitrouter-attempts"), Some("2"));
}

#[test]
fn a_stream_has_one_target_at_a_time() {
    let upstream = slow_and_fast();
    let gateway = hedging(&upstream).run();
    let answer = ask(&gateway, &["echo:slow", "openai:fast"], true).status(200).says("slow");
    assert_eq!(answer.header("x-bitrouter-attempts"), Some("1"));
    assert_eq!(upstream.requests().len(), 1);
}

#[test]
fn without_the_key_and_for_a_plan_nothing_is_hedged() {
    let upstream = slow_and_fast();
    let gateway = Gateway::start().with_plugin("echo").with_origin("echo", &upstream).run();
    ask(&gateway, &["echo:slow", "echo:fast"], false).status(200).says("slow");
    assert_eq!(upstream.requests().len(), 1);

    let chatgpt = ChatGpt::start().then_always(Turn::says("from the plan"));
    let setup = hedging(&upstream).with_chatgpt(&chatgpt);
    let gateway = setup.run();
    let both = |first: &str, second: &str| {
        let body = json!({"models": [first, second], "input": "hi", "stream": false});
        gateway.post("/v1/responses").json(&body).send().status(200)
    };
    both("echo:slow", "openai-codex:gpt-5.5").says("slow");
    assert_eq!(chatgpt.requests().len(), 0, "a plan is not asked beside another");
}
