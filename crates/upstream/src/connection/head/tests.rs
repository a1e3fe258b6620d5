//! What heads are read as, what is refused, and that it does not matter how they are cut into reads.

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn read(head: &str) -> Result<Option<Head>, Fault> {
    Reader::new(&Method::POST).read(head.as_bytes())
}

fn complete(head: &str) -> Head {
    read(head).unwrap().unwrap()
}

fn refused(head: &str) -> String {
    read(head).expect_err(head).to_string()
}

fn with(fields: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}\r\n")
}

fn sent(method: Method, url: &str, body: &'static str) -> String {
    let mut sent = Request::new(Outgoing::from(Bytes::from(body)));
    *sent.method_mut() = method;
    *sent.uri_mut() = url.parse().unwrap();
    sent.headers_mut().append("x-a", HeaderValue::from_static("1"));
    sent.headers_mut().append("x-a", HeaderValue::from_static("2"));
    sent.headers_mut().append("content-length", HeaderValue::from_static("99"));
    sent.headers_mut().append("host", HeaderValue::from_static("elsewhere"));
    sent.headers_mut().append("transfer-encoding", HeaderValue::from_static("chunked"));
    let host = sent.uri().authority().unwrap().clone();
    String::from_utf8(request(&sent, &host).to_vec()).unwrap()
}

#[test]
fn a_request_names_its_host_and_length_once() {
    let head = sent(Method::POST, "http://api.example:81/v1/chat?a=b", "{}");
    let expected =
        "POST /v1/chat?a=b HTTP/1.1\r\nhost: api.example:81\r\nx-a: 1\r\nx-a: 2\r\ncontent-length: 2\r\n\r\n";
    assert_eq!(head, expected);
}

#[test]
fn a_request_without_a_body_says_so_where_one_is_usual() {
    assert!(sent(Method::POST, "http://h/", "").ends_with("content-length: 0\r\n\r\n"));
    assert!(sent(Method::GET, "http://h", "").starts_with("GET / HTTP/1.1\r\nhost: h\r\n"));
    assert!(!sent(Method::GET, "http://h", "").contains("content-length"));
}

#[test]
fn a_head_has_its_status_fields_and_what_follows_it() {
    let head = complete("HTTP/1.1 201 \r\nContent-Length:  3 \r\nx-a: b\r\nX-A:\r\n\r\nabcd");
    assert_eq!(head.response.status(), 201);
    assert_eq!(head.response.headers().get_all("x-a").iter().collect::<Vec<_>>(), ["b", ""]);
    assert!(matches!(head.body, Decoder::Length(3)));
    assert_eq!(&*head.rest, b"abcd");
    assert!(head.keep_alive);
}

#[test]
fn interim_answers_are_passed_over() {
    let head =
        complete("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 204 No\r\n\r\n");
    assert_eq!(head.response.status(), 204);
    assert!(head.body.is_complete());
    assert!(read("HTTP/1.1 100 Continue\r\n\r\n").unwrap().is_none());
    let many = "HTTP/1.1 100 Continue\r\nx: y\r\n\r\n".repeat(MAX_HEAD / 20);
    assert_eq!(refused(&many), "the head of the answer is too large");
}

#[test]
fn switching_protocols_is_an_answer_and_the_last_one() {
    let head = complete("HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nx");
    assert_eq!(head.response.status(), 101);
    assert!(head.body.is_complete() && !head.keep_alive);
}

#[test]
fn answers_that_have_no_body_have_none_whatever_they_say() {
    for status in ["204 No Content", "304 Not Modified"] {
        assert!(complete(&format!("HTTP/1.1 {status}\r\ncontent-length: 5\r\n\r\n")).body.is_complete());
    }
    let head = Reader::new(&Method::HEAD).read(with("transfer-encoding: chunked\r\n").as_bytes());
    assert!(head.unwrap().unwrap().body.is_complete());
}

#[test]
fn a_body_ends_as_the_head_says() {
    assert!(matches!(complete(&with("content-length: 0\r\n")).body, Decoder::Length(0)));
    assert!(matches!(complete(&with("content-length: 7, 7\r\ncontent-length: 7\r\n")).body, Decoder::Length(7)));
    assert!(matches!(complete(&with("Transfer-Encoding:\tCHUNKED\r\n")).body, Decoder::Chunked(_)));
    assert!(matches!(complete(&with("")).body, Decoder::UntilClose));
}

#[test]
fn a_body_whose_end_is_not_told_is_refused() {
    for fields in [
        "content-length: 2\r\ncontent-length: 3\r\n",
        "content-length: 2, 3\r\n",
        "content-length: +2\r\n",
        "content-length: -1\r\n",
        "content-length: 0x2\r\n",
        "content-length: 2 2\r\n",
        "content-length:\r\n",
        "content-length: ,\r\n",
        "content-length: 18446744073709551616\r\n",
        "transfer-encoding: gzip\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "transfer-encoding: chunked, chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: xchunked\r\n",
        "transfer-encoding:\r\n",
        "transfer-encoding: \u{b}chunked\r\n",
    ] {
        refused(&with(fields));
    }
    refused("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
}

#[test]
fn chunks_count_where_there_is_a_length_too_and_the_connection_is_not_used_again() {
    let head = complete(&with("content-length: 5\r\ntransfer-encoding: chunked\r\n"));
    assert!(matches!(head.body, Decoder::Chunked(_)) && !head.keep_alive);
}

#[test]
fn a_connection_is_kept_as_its_version_and_the_upstream_say() {
    let kept = |version: &str, fields: &str| {
        complete(&format!("HTTP/1.{version} 200 OK\r\ncontent-length: 0\r\n{fields}\r\n")).keep_alive
    };
    assert!(kept("1", ""));
    assert!(!kept("1", "Connection: Close\r\n"));
    assert!(!kept("1", "connection: x, close\r\nconnection: keep-alive\r\n"));
    assert!(!kept("0", ""));
    assert!(!kept("0", "connection: Keep-Alive\r\n"), "it is too old to be relied on");
}

#[test]
fn what_is_no_head_is_refused_before_its_end() {
    for start in
        ["SSH-2.0-OpenSSH_9.9\r\n", "HTTP/2.0 200 OK\r\n", "HTTP/1.1 99 Low\r\n", "HTTP/1.1 abc\r\n", "\0", "{}"]
    {
        refused(start);
    }
}

#[test]
fn lines_are_split_where_everybody_splits_them() {
    for fields in [
        "x: a\r\n folded\r\n",
        "x: a\rcontent-length: 0\r\n",
        "x: a\0b\r\n",
        "x : a\r\n",
        " x: a\r\n",
        "x\r\n",
        ": a\r\n",
        "x\0y: z\r\n",
    ] {
        refused(&with(fields));
    }
}

#[test]
fn heads_are_bounded_in_bytes_and_fields() {
    let too_large = "the head of the answer is too large";
    assert_eq!(refused(&with(&format!("x: {}\r\n", "a".repeat(MAX_HEAD)))), too_large);
    assert_eq!(refused(&with(&"x: a\r\n".repeat(MAX_FIELDS + 1))), too_large);
    assert_eq!(complete(&with(&"x: a\r\n".repeat(MAX_FIELDS))).response.headers().len(), MAX_FIELDS);
    // Without its end, too.
    assert_eq!(refused(&format!("HTTP/1.1 200 OK\r\nx: {}", "a".repeat(MAX_HEAD))), too_large);
    let mut reader = Reader::new(&Method::GET);
    reader.read(b"HTTP/1.1 200 OK\r\nx: ").unwrap();
    let refused = (0..MAX_HEAD).find_map(|_| reader.read(b"a").err());
    assert_eq!(refused.unwrap().to_string(), too_large);
}

#[test]
fn a_byte_is_enough_for_an_answer_to_have_begun() {
    let mut reader = Reader::new(&Method::GET);
    assert!(reader.is_untouched());
    reader.read(b"H").unwrap();
    assert!(!reader.is_untouched());
    let mut reader = Reader::new(&Method::GET);
    reader.read(b"?").unwrap_err();
    assert!(!reader.is_untouched());
}

proptest! {
    #[test]
    fn a_head_is_the_same_however_it_is_cut(
        blank in "(\r\n){0,2}",
        interim in "(HTTP/1\\.1 10[02] \r\n(x: y\r\n)?\r\n){0,2}",
        fields in "(x-[a-c]: [ -~]{0,20}\r\n){0,8}",
        rest in "[ -~\r\n]{0,40}",
        places in proptest::collection::vec(any::<Index>(), 0..8),
    ) {
        let bytes = format!("{blank}{interim}HTTP/1.1 200 OK\r\n{fields}\r\n{rest}");
        let whole = complete(&bytes);
        let mut cuts: Vec<usize> = places.iter().map(|place| place.index(bytes.len())).collect();
        cuts.sort_unstable();
        for cuts in [cuts, (0..bytes.len()).collect()] {
            let mut reader = Reader::new(&Method::POST);
            let mut from = 0;
            let mut found = None;
            for to in cuts.into_iter().chain([bytes.len()]) {
                if from < to {
                    found = reader.read(&bytes.as_bytes()[from..to]).unwrap();
                }
                from = to;
                if found.is_some() {
                    break;
                }
            }
            let head = found.unwrap();
            prop_assert_eq!(head.response.headers(), whole.response.headers());
            let unread = &bytes.as_bytes()[from..];
            prop_assert_eq!([&head.rest, unread].concat(), rest.as_bytes());
        }
    }

    #[test]
    fn nothing_makes_the_reader_panic(
        bytes in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), "HTTP/1.1 [0-9]{3} [ -~\r\n:]{0,200}".prop_map(String::into_bytes)],
        cut in any::<Index>(),
    ) {
        let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut reader = Reader::new(&Method::GET);
        if let Ok(None) = reader.read(first) {
            let _ = reader.read(second);
        }
    }
}
