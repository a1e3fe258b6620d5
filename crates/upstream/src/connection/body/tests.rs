//! The decoder gives the same however the bytes are cut into reads, and the same as hyper's.

use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

/// What a decoder makes of a whole stream: the data, and whether the body ended as it must.
#[derive(Debug, PartialEq)]
struct Outcome {
    data: Vec<u8>,
    complete: bool,
}

/// Decodes reads that end at these places, and then the end of the connection.
fn decoded(mut decoder: Decoder, input: &[u8], cuts: &[usize]) -> Outcome {
    let mut data = Vec::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&input.len()]) {
        match decoder.decode(&input[from..to], &mut data) {
            Err(_) => return Outcome { data, complete: false },
            Ok(taken) => assert!(taken == to - from || decoder.is_complete(), "it left bytes that are the body's"),
        }
        if decoder.is_complete() {
            return Outcome { data, complete: true };
        }
        from = to;
    }
    let complete = decoder.close().is_ok();
    Outcome { data, complete }
}

/// What hyper makes of the same bytes behind a head.
async fn decoded_by_hyper(framing: &str, input: &[u8]) -> Outcome {
    let (near, mut far) = tokio::io::duplex(1 << 20);
    let answer = [format!("HTTP/1.1 200 OK\r\n{framing}\r\n").as_bytes(), input].concat();
    let upstream = async move {
        let _ = far.read(&mut [0; 1024]).await.unwrap();
        far.write_all(&answer).await.unwrap();
    };
    let client = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(near)).await.unwrap();
        let driver = tokio::spawn(connection);
        let mut response = sender.send_request(http::Request::new(Empty::<bytes::Bytes>::new())).await.unwrap();
        let mut outcome = Outcome { data: Vec::new(), complete: true };
        while let Some(frame) = response.body_mut().frame().await {
            match frame {
                Ok(frame) => outcome.data.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => {
                    outcome.complete = false;
                    break;
                }
            }
        }
        driver.abort();
        outcome
    };
    let (outcome, ()) = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(client, upstream) })
        .await
        .expect("hyper hangs on an answer whose connection was closed");
    outcome
}

/// Chunks as servers write them, with everything the grammar allows.
fn chunked() -> impl Strategy<Value = Vec<u8>> {
    let size = (any::<bool>(), 0_usize..4, select(vec!["", " ", "\t ", ";a=b", " ;q=\"z\"", ";x;y=1"]));
    let chunk = (proptest::collection::vec(any::<u8>(), 1..300), size).prop_map(|(data, (upper, zeros, more))| {
        let size = if upper { format!("{:X}", data.len()) } else { format!("{:x}", data.len()) };
        [format!("{}{size}{more}\r\n", "0".repeat(zeros)).as_bytes(), &data, b"\r\n"].concat()
    });
    let end = select(vec!["0\r\n\r\n", "000;last\r\n\r\n", "0\r\nx-trailer: a\r\ny: b\r\n\r\n", ""]);
    let more = select(vec!["", "HTTP/1.1 200 OK\r\n\r\n"]);
    (proptest::collection::vec(chunk, 0..12), end, more)
        .prop_map(|(chunks, end, more)| [&chunks.concat(), end.as_bytes(), more.as_bytes()].concat())
}

/// The same with a byte of it changed, taken out or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"\r\n 0f;\0\xffg".to_vec()), any::<u8>()];
    (chunked(), any::<Index>(), byte, 0..3).prop_map(|(mut bytes, at, byte, how)| {
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        bytes
    })
}

/// Whether anything stands between the last chunk and the end.
fn has_trailer(input: &[u8]) -> bool {
    let mut decoder = Decoder::chunked();
    for byte in input {
        if matches!(&decoder, Decoder::Chunked(chunks) if chunks.at == At::Line) && *byte != b'\r' {
            return true;
        }
        if decoder.decode(&[*byte], &mut Vec::new()).is_err() {
            return false;
        }
    }
    false
}

fn cuts(places: &[Index], length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = places.iter().map(|place| place.index(length + 1)).collect();
    cuts.sort_unstable();
    cuts
}

fn by_hyper(framing: &str, input: &[u8]) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(decoded_by_hyper(framing, input))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn chunks_are_the_same_however_they_are_cut(
        input in prop_oneof![chunked(), damaged()],
        places in proptest::collection::vec(any::<Index>(), 0..20),
    ) {
        let whole = decoded(Decoder::chunked(), &input, &[]);
        prop_assert_eq!(&decoded(Decoder::chunked(), &input, &cuts(&places, input.len())), &whole);
        let every_byte: Vec<usize> = (0..input.len()).collect();
        prop_assert_eq!(&decoded(Decoder::chunked(), &input, &every_byte), &whole);
    }

    #[test]
    fn chunks_are_what_hyper_takes_them_for(input in prop_oneof![chunked(), damaged()]) {
        let ours = decoded(Decoder::chunked(), &input, &[]);
        let hypers = by_hyper("transfer-encoding: chunked\r\n", &input);
        prop_assert_eq!(&ours.data, &hypers.data);
        // Trailers are skipped here: hyper reads them, finds other faults in them, and takes a line feed alone for a line's end.
        prop_assert!(ours.complete == hypers.complete || has_trailer(&input), "{:?} {:?}", ours, hypers);
    }

    #[test]
    fn a_length_is_what_hyper_takes_it_for(
        input in proptest::collection::vec(any::<u8>(), 0..300),
        length in 1_u64..300,
        places in proptest::collection::vec(any::<Index>(), 0..5),
    ) {
        let ours = decoded(Decoder::Length(length), &input, &cuts(&places, input.len()));
        prop_assert_eq!(ours, by_hyper(&format!("content-length: {length}\r\n"), &input));
    }
}

#[test]
fn all_chunks_of_one_read_become_one_piece() {
    let burst = b"5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n";
    let mut data = Vec::new();
    let mut decoder = Decoder::chunked();
    assert_eq!(decoder.decode(burst, &mut data).unwrap(), burst.len());
    assert_eq!((&*data, decoder.is_complete()), (&b"hello world"[..], true));
}

#[test]
fn what_follows_the_end_is_left() {
    let mut data = Vec::new();
    assert_eq!(Decoder::chunked().decode(b"1\r\na\r\n0\r\n\r\nHTTP", &mut data).unwrap(), 11);
    assert_eq!(Decoder::Length(3).decode(b"abcd", &mut data).unwrap(), 3);
    assert_eq!(data, b"aabc");
}

#[test]
fn a_size_that_no_number_holds_is_refused_and_the_largest_is_not() {
    let decode = |input: &str| Decoder::chunked().decode(input.as_bytes(), &mut Vec::new());
    assert!(decode("ffffffffffffffff\r\nabc").is_ok());
    let error = decode("10000000000000000\r\nabc").unwrap_err();
    assert!(error.to_string().contains("beyond all bounds"), "{error}");
}

#[test]
fn a_line_feed_alone_ends_no_line() {
    for input in
        ["1\na\r\n", "1;x\n", "1\r\na\n", "0\r\n\n", "0\r\nx: y\n\r\n", "1\r\na\r\n0\n", "1\r\r\na", "\r\n1\r\na"]
    {
        assert!(Decoder::chunked().decode(input.as_bytes(), &mut Vec::new()).is_err(), "{input:?}");
    }
}

#[test]
fn sizes_are_digits_and_nothing_else() {
    for input in ["-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 1\r\n", "g\r\n", ";a\r\n", "\u{661}\r\n"] {
        assert!(Decoder::chunked().decode(input.as_bytes(), &mut Vec::new()).is_err(), "{input:?}");
    }
}

#[test]
fn endless_extensions_padding_and_trailers_are_refused() {
    let long = "a".repeat(MAX_SKIPPED + 1);
    let many = "1;a\r\nb\r\n".repeat(MAX_SKIPPED + 1);
    for input in [format!("1;{long}"), format!("1{}", " ".repeat(MAX_SKIPPED + 1)), format!("0\r\n{long}"), many] {
        let error = Decoder::chunked().decode(input.as_bytes(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
}

#[test]
fn only_a_body_without_a_length_may_end_with_the_connection() {
    let mut decoder = Decoder::UntilClose;
    decoder.decode(b"abc", &mut Vec::new()).unwrap();
    assert!(decoder.close().is_ok() && decoder.is_complete());
    assert!(matches!(Decoder::Length(1).close(), Err(Fault::Cut)));
    assert!(matches!(Decoder::chunked().close(), Err(Fault::Cut)));
}
