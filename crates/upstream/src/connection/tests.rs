//! One exchange over a pipe in memory: what the upstream does in which order, and what becomes of the connection.

use proptest::prelude::*;
use proptest::sample::Index;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

type Near = Connection<TokioIo<DuplexStream>>;

fn pipe(capacity: usize) -> (Near, DuplexStream) {
    let (near, far) = tokio::io::duplex(capacity);
    (Connection::new(TokioIo::new(near)), far)
}

fn post(body: impl Into<Bytes>) -> Request<Outgoing> {
    Request::post("http://upstream.test/v1").body(Outgoing::from(body.into())).unwrap()
}

async fn exchange(near: &mut Near, request: &Request<Outgoing>) -> Result<Response<()>, Unanswered> {
    near.exchange(request, request.uri().authority().unwrap()).await
}

async fn next(near: &mut Near) -> Option<Result<Bytes, Fault>> {
    std::future::poll_fn(|context| near.poll_data(context)).await
}

/// Reads a body to its end: its data, and the fault that it ended with.
async fn rest(near: &mut Near) -> (Vec<u8>, Option<String>) {
    let mut data = Vec::new();
    let mut fault = None;
    while let Some(piece) = next(near).await {
        match piece {
            Ok(piece) => data.extend_from_slice(&piece),
            Err(error) => fault = Some(error.to_string()),
        }
    }
    (data, fault)
}

async fn look(near: &mut Near) -> Seen {
    std::future::poll_fn(|context| Poll::Ready(near.look(context))).await
}

async fn alive(near: &mut Near) -> bool {
    look(near).await == Seen::Silence
}

/// Reads a request up to the end of its head and this many bytes more.
async fn take(far: &mut DuplexStream, body: usize) -> String {
    let mut taken = Vec::new();
    loop {
        taken.push(far.read_u8().await.unwrap());
        if taken.ends_with(b"\r\n\r\n") {
            let head = taken.len();
            taken.resize(head + body, 0);
            far.read_exact(&mut taken[head..]).await.unwrap();
            return String::from_utf8(taken).unwrap();
        }
    }
}

#[tokio::test]
async fn a_connection_takes_one_request_after_the_other() {
    let (mut near, mut far) = pipe(1024);
    for body in ["{}", "[1]"] {
        let upstream = async {
            let request = take(&mut far, body.len()).await;
            far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            request
        };
        let request = post(body);
        let (answer, request) = tokio::join!(exchange(&mut near, &request), upstream);
        assert_eq!(answer.unwrap().status(), 200);
        assert!(request.starts_with("POST /v1 HTTP/1.1\r\nhost: upstream.test\r\n") && request.ends_with(body));
        assert!(!alive(&mut near).await, "its answer was not read");
        assert_eq!(rest(&mut near).await, (b"ok".to_vec(), None));
        assert!(alive(&mut near).await);
    }
}

#[tokio::test]
async fn what_one_read_brought_is_one_piece() {
    let (mut near, mut far) = pipe(64 << 10);
    far.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    exchange(&mut near, &post("{}")).await.unwrap();
    far.write_all(&b"4\r\nab\n\n\r\n".repeat(100)).await.unwrap();
    assert_eq!(next(&mut near).await.unwrap().unwrap(), b"ab\n\n".repeat(100));
    far.write_all(b"0\r\n\r\n").await.unwrap();
    assert!(next(&mut near).await.is_none());
    assert!(alive(&mut near).await);
}

#[tokio::test]
async fn an_early_answer_is_read_while_the_request_is_still_being_sent() {
    let (mut near, mut far) = pipe(64);
    let body = "a".repeat(10_000);
    far.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let request = post(body.clone());
    assert_eq!(exchange(&mut near, &request).await.unwrap().status(), 200);
    // Now the upstream reads, and answers with what it has read.
    let upstream = async {
        let request = take(&mut far, body.len()).await;
        far.write_all(b"2\r\nok\r\n0\r\n\r\n").await.unwrap();
        request
    };
    let (read, request) = tokio::join!(rest(&mut near), upstream);
    assert_eq!(read, (b"ok".to_vec(), None));
    assert!(request.ends_with(&body));
    assert_eq!(
        look(&mut near).await,
        Seen::End,
        "it may have been the answer to nothing, and the real one still to come"
    );
}

#[tokio::test]
async fn a_refusal_counts_although_the_request_could_not_be_sent() {
    let (mut near, mut far) = pipe(128);
    far.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    drop(far);
    assert_eq!(exchange(&mut near, &post("a".repeat(10_000))).await.unwrap().status(), 413);
    assert_eq!(rest(&mut near).await, (b"no".to_vec(), None));
    assert!(!alive(&mut near).await);
}

#[tokio::test]
async fn a_request_that_was_not_read_to_its_end_is_the_last() {
    let (mut near, mut far) = pipe(128);
    far.write_all(b"HTTP/1.1 429 Slow down\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
    exchange(&mut near, &post("a".repeat(10_000))).await.unwrap();
    assert_eq!(rest(&mut near).await, (b"no".to_vec(), None));
    assert!(!alive(&mut near).await);
}

#[tokio::test]
async fn only_a_connection_that_died_before_the_first_byte_may_be_replaced() {
    for (answer, untouched) in [("", true), ("H", false), ("HTTP/1.1 100 Continue\r\n\r\n", false), ("?", false)] {
        let (mut near, mut far) = pipe(1024);
        far.write_all(answer.as_bytes()).await.unwrap();
        far.shutdown().await.unwrap();
        let unanswered = exchange(&mut near, &post("{}")).await.unwrap_err();
        assert_eq!(unanswered.untouched, untouched, "{answer:?}: {}", unanswered.fault);
        assert!(!alive(&mut near).await);
    }
}

#[tokio::test]
async fn a_body_that_is_cut_hands_out_what_came_and_then_the_fault() {
    for (framing, body) in [("content-length: 9", "abc"), ("transfer-encoding: chunked", "3\r\nabc\r\n")] {
        let (mut near, mut far) = pipe(1024);
        far.write_all(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}").as_bytes()).await.unwrap();
        drop(far);
        exchange(&mut near, &post("")).await.unwrap();
        let (data, fault) = rest(&mut near).await;
        assert_eq!(
            (&*data, fault.as_deref()),
            (&b"abc"[..], Some("the connection was closed before the end that the answer's head promised"))
        );
        assert!(!alive(&mut near).await);
    }
}

#[tokio::test]
async fn a_chunk_that_lies_does_not_take_those_before_it_along() {
    let (mut near, mut far) = pipe(1024);
    far.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n1\r\nbcd").await.unwrap();
    exchange(&mut near, &post("")).await.unwrap();
    assert_eq!(next(&mut near).await.unwrap().unwrap(), "ab");
    assert!(next(&mut near).await.unwrap().unwrap_err().to_string().contains("longer than its size"));
    assert!(next(&mut near).await.is_none());
    assert!(!alive(&mut near).await);
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_the_connection() {
    let (mut near, mut far) = pipe(1024);
    far.write_all(b"HTTP/1.0 200 OK\r\n\r\nabc").await.unwrap();
    exchange(&mut near, &post("")).await.unwrap();
    assert_eq!(next(&mut near).await.unwrap().unwrap(), "abc");
    drop(far);
    assert!(next(&mut near).await.is_none());
    assert!(!alive(&mut near).await);
}

#[tokio::test]
async fn a_connection_with_more_than_its_answer_is_not_used_again() {
    for (head, rest_of_it) in
        [("content-length: 2", "ok!"), ("content-length: 0", "!"), ("transfer-encoding: chunked", "0\r\n\r\n!")]
    {
        let (mut near, mut far) = pipe(1024);
        far.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{rest_of_it}").as_bytes()).await.unwrap();
        exchange(&mut near, &post("")).await.unwrap();
        rest(&mut near).await;
        assert_eq!(look(&mut near).await, Seen::Surplus, "{head}");
    }
}

#[tokio::test]
async fn an_idle_connection_that_is_closed_or_spoken_on_is_dead() {
    for (last_words, seen) in [
        ("", Seen::End),
        ("HTTP/1.1 408 Request Timeout\r\n\r\n", Seen::End),
        ("HTTP/1.0 408 Request Time-out\r\nconnection: close\r\n\r\n", Seen::End),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Seen::Surplus),
        ("HTTP/1.1 100 Continue\r\n\r\n", Seen::Surplus),
        ("\r\n", Seen::Surplus),
        ("0", Seen::Surplus),
    ] {
        let (mut near, mut far) = pipe(1024);
        assert!(alive(&mut near).await);
        far.write_all(last_words.as_bytes()).await.unwrap();
        far.shutdown().await.unwrap();
        assert_eq!(look(&mut near).await, seen, "{last_words:?}");
    }
}

#[tokio::test]
async fn an_answer_whose_end_servers_disagree_on_is_the_last_of_its_connection() {
    for (answer, reusable) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 204 No Content\r\n\r\n", false),
        ("HTTP/1.1 204 No Content\r\ncontent-length: 4\r\n\r\n", false),
        ("HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n", false),
        ("HTTP/1.1 304 Not Modified\r\ncontent-length: 4\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive, Close\r\n\r\n", false),
        ("HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n", false),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", false),
    ] {
        let (mut near, mut far) = pipe(1024);
        far.write_all(answer.as_bytes()).await.unwrap();
        exchange(&mut near, &post("{}")).await.unwrap();
        assert_eq!(rest(&mut near).await, (Vec::new(), None), "{answer}");
        assert_eq!(alive(&mut near).await, reusable, "{answer}");
    }
}

#[tokio::test]
async fn a_request_whose_body_the_server_may_not_read_is_the_last_of_its_connection() {
    for (method, body, reusable) in
        [("GET", "", true), ("DELETE", "", true), ("POST", "{}", true), ("GET", "{}", false), ("DELETE", "{}", false)]
    {
        let (mut near, mut far) = pipe(1024);
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        let mut request = post(body);
        *request.method_mut() = method.parse().unwrap();
        exchange(&mut near, &request).await.unwrap();
        assert_eq!(rest(&mut near).await, (Vec::new(), None));
        assert_eq!(alive(&mut near).await, reusable, "{method} {body}");
    }
}

#[tokio::test]
async fn nothing_is_read_that_nobody_asked_for() {
    let (mut near, mut far) = pipe(1024);
    far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
    exchange(&mut near, &post("")).await.unwrap();
    let mut written = 0;
    let mut write = || {
        let piece = [b'a'; 1000];
        let poll = Pin::new(&mut far).poll_write(&mut Context::from_waker(std::task::Waker::noop()), &piece);
        if let Poll::Ready(Ok(bytes)) = poll {
            written += bytes;
        }
        poll.is_ready()
    };
    while write() {}
    assert!(!write());
    assert_eq!(next(&mut near).await.unwrap().unwrap().len(), 1024);
    assert!(write());
    assert_eq!(written, 2024);
}

proptest! {
    #[test]
    fn an_answer_is_the_same_however_it_arrives(
        chunks in proptest::collection::vec("[ -~\r\n]{1,40}", 0..6),
        framing in 0..3,
        excess in prop_oneof![Just(""), Just("HTTP/1.1 200 OK\r\n\r\n")],
        places in proptest::collection::vec(any::<Index>(), 0..12),
        closed in any::<bool>(),
    ) {
        let data = chunks.concat();
        let (head, body) = match framing {
            0 => (format!("content-length: {}", data.len()), data.clone()),
            1 => {
                let chunks = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len()));
                ("transfer-encoding: chunked".to_owned(), chunks.collect::<String>() + "0\r\n\r\n")
            }
            _ => ("connection: close".to_owned(), data.clone()),
        };
        let until_close = framing == 2;
        let excess = if until_close { "" } else { excess };
        let bytes = format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}{excess}");
        let mut cuts: Vec<usize> = places.iter().map(|place| place.index(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut near, mut far) = pipe(1 << 16);
            let upstream = async {
                let mut from = 0;
                for to in cuts {
                    far.write_all(&bytes.as_bytes()[from..to]).await.unwrap();
                    from = to;
                    tokio::task::yield_now().await;
                }
                if closed || until_close {
                    far.shutdown().await.unwrap();
                }
                far
            };
            let client = async {
                let answer = exchange(&mut near, &post("{}")).await.unwrap();
                assert_eq!(answer.status(), 200);
                rest(&mut near).await
            };
            let (read, _far) = tokio::join!(client, upstream);
            assert_eq!(read, (data.into_bytes(), None));
            assert_eq!(alive(&mut near).await, excess.is_empty() && !closed && !until_close);
        });
    }
}

#[tokio::test]
async fn a_large_body_leaves_in_parts_so_that_others_have_their_turn() {
    let body: Bytes = (0..5 * WRITE).map(|at| (at % 251) as u8).collect::<Vec<_>>().into();
    let (mut near, mut far) = pipe(2 * body.len());
    let request = post(body.clone());
    let mut exchange = std::pin::pin!(exchange(&mut near, &request));
    let begun = std::future::poll_fn(|context| Poll::Ready(exchange.as_mut().poll(context))).await;
    assert!(begun.is_pending());
    let mut sent = vec![0; 2 * body.len()];
    let first = far.read(&mut sent).await.unwrap();
    assert_eq!(first, WRITE);
    let server = async {
        let head = sent[..first].windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let whole = head + body.len();
        far.read_exact(&mut sent[first..whole]).await.unwrap();
        far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        assert!(sent[head..whole] == body[..]);
    };
    let (answer, ()) = tokio::join!(exchange, server);
    assert_eq!(answer.unwrap().status(), 200);
}
