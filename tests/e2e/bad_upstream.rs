//! What upstreams do wrong: each costs one request, and the client can tell that its answer is none.

use std::net::TcpListener;

use bitrouter_tests::{Gateway, Reply, Upstream, eventually};
use serde_json::{Value, json};

const DELTA: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"he\"}}]}\n\n";

fn hello() -> Value {
    json!({"model": "openai:gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
}

fn hello_streamed() -> Value {
    json!({"model": "openai:gpt-4o", "messages": [], "stream": true})
}

#[test]
fn an_upstream_that_is_not_there_is_named() {
    // A port that was just free: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let setup = Gateway::start().with_key("OPENAI_API_KEY", "sk-0123456789abcdef");
    let gateway = setup.with("/providers/openai/api_base", json!(format!("http://{address}/v1"))).run();
    gateway.chat(&hello()).status(502).says(&address.to_string()).says("openai");
}

#[test]
fn an_upstream_that_closes_without_an_answer_is_named() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().status(0).cut());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    gateway.chat(&hello()).status(502).says("openai");
    upstream.answers(json!({}));
    gateway.chat(&hello()).status(200);
}

#[test]
fn an_upstream_that_speaks_nonsense_costs_one_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    for nonsense in [
        "SSH-2.0-OpenSSH_9.9\r\n".to_owned(),
        "HTTP/1.1 99 Low\r\n\r\n".to_owned(),
        format!("{head}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
        format!("{head}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}"),
        format!("{head}x\0y: z\r\n\r\n"),
        format!("{head}x-long: {}\r\n\r\n", "a".repeat(2 << 20)),
        format!("{head}{}\r\n", "x-many: a\r\n".repeat(50_000)),
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_owned(),
        format!("{head}content-length: +2\r\n\r\n{{}}"),
        format!("{head}transfer-encoding: chunked\r\n\r\n10000000000000002\r\n{{}}\r\n0\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n2\n{{}}\r\n0\r\n\r\n"),
        format!("{head}transfer-encoding: gzip, chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"),
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_owned(),
        format!("{head}x: a\r\n folded: b\r\ncontent-length: 2\r\n\r\n{{}}"),
        format!("{head}x: a\rcontent-length: 2\r\n\r\n{{}}"),
    ] {
        upstream.replies(Reply::raw(nonsense.clone()));
        let answer = gateway.chat(&hello());
        let shown = &nonsense[..nonsense.len().min(80)];
        assert!(answer.code == 502 || !answer.complete, "{shown:?}: {} {}", answer.code, answer.text());
        upstream.answers(json!({}));
        gateway.chat(&hello()).status(200);
    }
}

#[test]
fn interim_answers_and_old_ones_are_understood() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    for answer in [
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{\"id\":1}",
        "HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{\"id\":1}",
        "HTTP/1.1 200 OK\r\ncontent-length: 8, 8\r\n\r\n{\"id\":1}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;a=b\r\n{\"i\r\n05 \r\nd\":1}\r\n0\r\nx-trailer: a\r\n\r\n",
    ] {
        upstream.replies(Reply::raw(answer));
        gateway.chat(&hello()).status(200).says("{\"id\":1}");
    }
}

#[test]
fn a_connection_whose_answer_had_two_ends_is_not_used_again() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    upstream.replies(Reply::sse().header("content-length", "5").send(DELTA).send("data: [DONE]\n\n"));
    gateway.chat(&hello_streamed()).status(200).says("[DONE]");
    upstream.answers(json!({}));
    gateway.chat(&hello()).status(200);
    assert_eq!(upstream.connections(), 2);
    gateway.chat(&hello()).status(200);
    assert_eq!(upstream.connections(), 2, "an ordinary answer leaves its connection to the next");
}

#[test]
fn a_request_is_not_repeated_once_a_byte_of_its_answer_came() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    gateway.chat(&hello()).status(200);
    upstream.replies(Reply::raw("HTTP/1.1 200 OK\r\ncontent-le"));
    gateway.chat(&hello()).status(502).says("lost before an answer came");
    assert_eq!(upstream.requests().len(), 2);
    // Without a byte it is: once.
    upstream.answers(json!({}));
    gateway.chat(&hello()).status(200);
    upstream.replies(Reply::raw(""));
    gateway.chat(&hello()).status(502).says("lost before an answer came");
    assert_eq!(upstream.requests().len(), 5);
}

#[test]
fn a_stream_that_is_cut_does_not_look_complete() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(DELTA).pause(50).cut());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    let answer = gateway.chat(&hello_streamed()).status(200).says("he").never_says("[DONE]");
    let told = answer.text().contains("\"error\"");
    assert!(told || !answer.complete, "the client cannot tell: {}", answer.text());
    gateway.logs("failed");
}

#[test]
fn a_stream_that_is_cut_at_once_still_has_its_beginning() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(DELTA).cut());
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    // Whether the end comes with the first event or after it is a matter of luck.
    for _ in 0..20 {
        let answer = gateway.chat(&hello_streamed());
        assert!(answer.code == 502 || answer.text().contains("he"), "{answer:?}");
    }
}

#[test]
fn an_answer_that_is_cut_does_not_look_complete() {
    let upstream = Upstream::start();
    let gateway = Gateway::start().with_openai_at(&upstream).run();
    upstream.replies(Reply::sse().header("content-type", "application/json").send("{\"id\":").pause(50).cut());
    let answer = gateway.chat(&hello());
    assert!(answer.code >= 500 || !answer.complete, "the client cannot tell: {answer:?}");
}

#[test]
fn an_upstream_that_does_not_begin_is_given_up() {
    let upstream = Upstream::start();
    upstream.replies(Reply::silence());
    let setup = Gateway::start().with_openai_at(&upstream);
    let gateway = setup.with("/providers/openai/timeouts/first_byte_ms", json!(300)).run();
    gateway.chat(&hello()).status(504).says("did not begin to answer");
    assert!(eventually(|| upstream.hung_up() == 1), "the upstream still waits");
}

#[test]
fn a_stream_that_falls_silent_is_given_up() {
    let upstream = Upstream::start();
    upstream.replies(Reply::sse().send(DELTA).wait_until_gone());
    let setup = Gateway::start().with_openai_at(&upstream);
    let gateway = setup.with("/providers/openai/timeouts/idle_ms", json!(300)).run();
    let answer = gateway.chat(&hello_streamed()).status(200).says("he");
    assert!(!answer.complete || answer.text().contains("\"error\""), "{}", answer.text());
    assert!(eventually(|| upstream.hung_up() == 1), "the upstream still waits");
}
