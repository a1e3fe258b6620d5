//! Answers beyond all measure: what is a failure fails over with little of it in memory, what is an answer passes whole.

use bitrouter_tests::{Answer, Gateway, Reply, Upstream};

use crate::dialects::{DIALECTS, Wire, ask, data, echo_at};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// Two targets of `echo`, with names of their own for each call.
struct Pair {
    upstream: Upstream,
    gateway: Gateway,
    asked: usize,
}

impl Pair {
    fn start() -> Self {
        let upstream = Upstream::start();
        let gateway = echo_at(&upstream);
        Pair { upstream, gateway, asked: 0 }
    }

    /// Asks both; the first answers with this.
    fn ask(&mut self, wire: Wire, streamed: bool, first: Reply) -> Answer {
        self.asked += 1;
        let models = ["first", "second"].map(|name| format!("{name}-{}", self.asked));
        let is_first = models[0].clone();
        self.upstream.follows(move |seen| match seen.json()["model"] == is_first.as_str() {
            true => first.clone(),
            false => wire.second(streamed),
        });
        let addresses = models.map(|model| format!("echo:{model}"));
        ask(&self.gateway, wire, &addresses.each_ref().map(String::as_str), streamed)
    }
}

#[track_caller]
fn is_the_second(answer: &Answer) {
    let shown: String = answer.text().chars().take(300).collect();
    assert!(answer.code == 200 && answer.text().contains("second"), "{}: {shown}", answer.code);
    assert!(!answer.text().contains("because"), "{shown}");
    assert_eq!(answer.header("x-bitrouter-attempts"), Some("2"));
}

#[track_caller]
fn is_the_first(answer: &Answer, body: &[u8]) {
    assert_eq!((answer.code, answer.header("x-bitrouter-attempts")), (200, Some("1")));
    assert!(answer.complete && answer.body == body, "{} of {} bytes", answer.body.len(), body.len());
}

/// An event of this size, which means what the given one means.
fn grown(event: &str, size: usize) -> String {
    data(&event.replacen('{', &format!("{{\"padding\":\"{}\",", "x".repeat(size)), 1))
}

/// The most memory that a process ever had.
#[cfg(target_os = "linux")]
pub(crate) fn peak(gateway: &Gateway) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.process())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * KIB
}

#[cfg(target_os = "linux")]
#[test]
fn a_huge_error_fails_over_and_little_of_it_is_in_memory() {
    let mut pair = Pair::start();
    let page = || Reply::body("text/html", vec![b'x'; 64 * MIB]).status(503);
    let small = || Reply::body("text/html", "x").status(503);
    for wire in DIALECTS {
        is_the_second(&pair.ask(wire, false, small()));
    }
    let before = peak(&pair.gateway);
    for wire in DIALECTS {
        for streamed in [false, true] {
            is_the_second(&pair.ask(wire, streamed, page()));
        }
    }
    let more = peak(&pair.gateway) - before;
    assert!(more < 32 * MIB, "{} MiB", more / MIB);
}

#[test]
fn a_component_is_shown_64_kib_of_an_error() {
    let mut pair = Pair::start();
    let error = r#""error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"because"}"#;
    let padding = |size: usize| format!("\"padding\":\"{}\"", "x".repeat(size));
    for wire in DIALECTS {
        for streamed in [false, true] {
            let refused = |body: String| Reply::body("application/json", body).status(400);
            // Read, it moves on. Not read, a 400 is the client's.
            is_the_second(&pair.ask(wire, streamed, refused(format!("{{{error},{}}}", padding(4 * MIB)))));
            is_the_second(&pair.ask(wire, streamed, refused(format!("{{{},{error}}}", padding(32 * KIB)))));
            let answer = pair.ask(wire, streamed, refused(format!("{{{},{error}}}", padding(64 * KIB))));
            assert_eq!((answer.code, answer.header("x-bitrouter-attempts")), (400, Some("1")));
            assert!(answer.text().contains("because"), "the client reads more than the component");
        }
    }
}

#[test]
fn a_huge_answer_passes_whole() {
    let mut pair = Pair::start();
    for wire in DIALECTS {
        let document = format!("{{\"said\":\"{}\"}}", "half ".repeat(4 * MIB)).into_bytes();
        is_the_first(&pair.ask(wire, false, Reply::body("application/json", document.clone())), &document);
        let chunks = Reply::body("application/json", "").chunked();
        let chunked = document.chunks(MIB / 3).fold(chunks, |reply, chunk| reply.send(chunk));
        is_the_first(&pair.ask(wire, false, chunked), &document);

        let events: Vec<String> = (0..20).map(|_| grown(wire.content, MIB)).collect();
        let stream =
            events.iter().fold(Reply::sse().send(data(wire.preamble)), |reply, event| reply.send(event.as_str()));
        let body = [data(wire.preamble), events.concat(), data(wire.last)].concat();
        is_the_first(&pair.ask(wire, true, stream.send(data(wire.last))), body.as_bytes());
    }
}

#[test]
fn an_error_behind_a_long_preamble_fails_over() {
    let mut pair = Pair::start();
    for wire in DIALECTS {
        let long = [grown(wire.preamble, 900 * KIB), data(wire.error)].concat();
        is_the_second(&pair.ask(wire, true, Reply::sse().send(long)));
        is_the_second(&pair.ask(wire, true, Reply::sse().send(data(wire.preamble)).send(grown(wire.error, 200 * KIB))));
    }
}

#[test]
fn what_is_longer_than_is_held_back_is_the_clients() {
    let mut pair = Pair::start();
    for wire in DIALECTS {
        let (preamble, content) = (grown(wire.preamble, 3 * MIB), grown(wire.content, 3 * MIB));
        for body in [
            [preamble.as_str(), &data(wire.content), &data(wire.last)].concat(),
            [data(wire.preamble), content, data(wire.last)].concat(),
            // There is no way back from what has left already, so an error is told.
            [preamble.as_str(), &data(wire.error)].concat(),
            [data(wire.preamble), grown(wire.error, 3 * MIB)].concat(),
        ] {
            is_the_first(&pair.ask(wire, true, Reply::sse().send(body.as_str())), body.as_bytes());
        }
    }
}
