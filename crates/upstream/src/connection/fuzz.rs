//! Mutated answers: head and body are the same however the bytes arrive, and no body is longer than what came.

use bitrouter_fuzz::Fuzz;
use http::Method;

use super::head::{Head, Reader};

const WORDS: &[&str] = &[
    "HTTP/1.1 ",
    "HTTP/1.0 200\r\n",
    "HTTP/1.1 103 Early\r\n\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n\n",
    "content-length: ",
    "Content-Length: 5\r\n",
    "transfer-encoding: chunked\r\n",
    "transfer-encoding: gzip\r\n",
    "connection: close\r\n",
    "0\r\n\r\n",
    "ffffffffffffffff\r\n",
    "10000000000000000",
    ";ext=\"",
    "a\r\n",
    " ",
    "\t",
    "-1",
    "+5",
    "5, 5",
    ",",
    ":",
    "\0",
];

/// What came out: the head as text, the body, and whether it is complete or at fault.
#[derive(Debug, PartialEq)]
struct Read {
    head: Option<String>,
    body: Vec<u8>,
    end: String,
}

fn read(method: &Method, bytes: &[u8], size: usize) -> Read {
    let mut reader = Reader::new(method);
    let mut read = Read { head: None, body: Vec::new(), end: "no head".to_owned() };
    let mut pieces = bytes.chunks(size.max(1));
    let head = loop {
        let Some(piece) = pieces.next() else { return read };
        match reader.read(piece) {
            Ok(Some(head)) => break head,
            Ok(None) => {}
            Err(fault) => return Read { end: fault.to_string(), ..read },
        }
    };
    let Head { response, body: mut decoder, keep_alive, rest } = head;
    read.head = Some(format!("{} {:?} {keep_alive}", response.status(), response.headers()));
    for piece in std::iter::once(&*rest).chain(pieces) {
        match decoder.decode(piece, &mut read.body) {
            Ok(_) if decoder.is_complete() => return Read { end: "complete".to_owned(), ..read },
            Ok(taken) => assert_eq!(taken, piece.len(), "an open body takes all that comes"),
            Err(fault) => return Read { end: fault.to_string(), ..read },
        }
    }
    let end = decoder.close().map_or_else(|fault| fault.to_string(), |()| "closed".to_owned());
    Read { end, ..read }
}

#[test]
fn a_fuzzed_answer_is_the_same_however_it_arrives() {
    Fuzz::new(env!("CARGO_MANIFEST_DIR"), &["fuzz/answers"], WORDS).run(|bytes| {
        for method in [Method::POST, Method::HEAD] {
            let whole = read(&method, bytes, bytes.len());
            assert!(whole.body.len() <= bytes.len());
            let pieces = read(&method, bytes, 1 + bytes.len() % 7);
            // A head that is no HTTP may be refused for its first fault or its last one; that it is refused is what counts.
            if whole.head.is_some() || pieces.head.is_some() {
                assert_eq!(whole, pieces, "{method}");
            }
        }
    });
}
