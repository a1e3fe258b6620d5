//! Every encoding and every way of naming it comes out as it went in; bombs are handed out in small pieces.

use async_compression::tokio::write::{BrotliEncoder, DeflateEncoder, GzipEncoder, ZlibEncoder, ZstdEncoder};
use futures_util::stream;
use http::HeaderValue;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

use super::*;

async fn through(mut encoder: impl AsyncWrite + Unpin, text: &[u8]) {
    encoder.write_all(text).await.unwrap();
    encoder.shutdown().await.unwrap();
}

async fn packed(encoding: &str, text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match encoding {
        "gzip" => through(GzipEncoder::new(&mut out), text).await,
        "br" => through(BrotliEncoder::new(&mut out), text).await,
        "zstd" => through(ZstdEncoder::new(&mut out), text).await,
        "zlib" => through(ZlibEncoder::new(&mut out), text).await,
        _ => through(DeflateEncoder::new(&mut out), text).await,
    }
    out
}

/// An answer with these lines of content encoding, whose body comes in pieces of this size.
fn answer(lines: &[&str], body: &[u8], piece: usize) -> Response<Received> {
    let pieces: Vec<_> = body.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let mut answer = Response::new(Received::unpacked(Box::pin(stream::iter(pieces))));
    for line in lines {
        answer.headers_mut().append(CONTENT_ENCODING, HeaderValue::from_str(line).unwrap());
    }
    answer
}

async fn read(answer: Response<Received>) -> Result<Bytes, ReceiveError> {
    answer.into_body().collect().await.map(http_body_util::Collected::to_bytes)
}

#[tokio::test]
async fn an_answer_is_unpacked_whatever_its_encoding_and_its_pieces() {
    let text = "data: {\"a\":1}\n\n".repeat(5000);
    for (name, how) in
        [("gzip", "gzip"), ("x-gzip", "gzip"), ("BR", "br"), ("zstd", "zstd"), ("deflate", "zlib"), ("deflate", "raw")]
    {
        let body = packed(how, text.as_bytes()).await;
        for piece in [1, 7, body.len()] {
            let opened = unpack(answer(&[name], &body, piece)).map_err(|(name, _)| name).unwrap();
            assert!(opened.headers().get(CONTENT_ENCODING).is_none());
            assert!(read(opened).await.unwrap() == text.as_bytes(), "{name} as {how} in pieces of {piece}");
        }
    }
}

#[tokio::test]
async fn what_changes_nothing_is_no_encoding_and_a_second_line_is_not_passed_over() {
    for lines in [&["identity"][..], &[""], &["identity, identity"], &[" ", "Identity"]] {
        let opened = unpack(answer(lines, b"plain", 2)).map_err(|(name, _)| name).unwrap();
        assert!(opened.headers().get(CONTENT_ENCODING).is_none());
        assert_eq!(read(opened).await.unwrap(), "plain", "{lines:?}");
    }
    let body = packed("gzip", b"text").await;
    for lines in [&["identity", "gzip"][..], &["gzip", "identity"], &["identity, gzip"], &["", "gzip"]] {
        let opened = unpack(answer(lines, &body, 3)).map_err(|(name, _)| name).unwrap();
        assert_eq!(read(opened).await.unwrap(), "text", "{lines:?}");
    }
    let twice = packed("br", &body).await;
    let opened = unpack(answer(&["gzip", "br"], &twice, 3)).map_err(|(name, _)| name).unwrap();
    assert_eq!(read(opened).await.unwrap(), "text");
}

#[tokio::test]
async fn an_encoding_that_is_not_known_leaves_the_head_and_nothing_of_the_body() {
    for lines in [&["compress"][..], &["gzip", "foo"], &["gzip, gzip, gzip, gzip, gzip"]] {
        let Err((name, answer)) = unpack(answer(lines, b"secret", 2)) else { panic!("{lines:?} is known") };
        assert!(name.contains(lines[lines.len() - 1].split(',').next().unwrap()), "{name}");
        assert!(read(answer).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_is_not_what_it_says_breaks_off() {
    let whole = packed("gzip", "a".repeat(100_000).as_bytes()).await;
    for body in [&b"no gzip at all"[..], &whole[..whole.len() / 2]] {
        let opened = unpack(answer(&["gzip"], body, 5)).map_err(|(name, _)| name).unwrap();
        assert!(matches!(read(opened).await, Err(ReceiveError::Packed(_))));
    }
}

#[tokio::test]
async fn a_bomb_is_handed_out_in_small_pieces() {
    for encoding in ["gzip", "br", "zstd"] {
        let bomb = packed(encoding, &vec![0; 64 << 20]).await;
        let opened = unpack(answer(&[encoding], &bomb, bomb.len())).map_err(|(name, _)| name).unwrap();
        let mut body = opened.into_body();
        for _ in 0..100 {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!(piece.len() <= PIECE, "{encoding}: {}", piece.len());
        }
    }
}

#[tokio::test]
async fn an_event_leaves_as_soon_as_it_has_come() {
    let mut packed = Vec::new();
    let mut encoder = GzipEncoder::new(&mut packed);
    encoder.write_all(b"data: 1\n\n").await.unwrap();
    encoder.flush().await.unwrap();
    drop(encoder);
    // Nothing follows, and no end.
    let first = stream::iter([Ok(Bytes::from(packed))]).chain(stream::pending());
    let mut answer = Response::new(Received::unpacked(Box::pin(first)));
    answer.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    let mut body = unpack(answer).map_err(|(name, _)| name).unwrap().into_body();
    let piece = tokio::time::timeout(std::time::Duration::from_secs(20), body.frame()).await.expect("it waits");
    assert_eq!(piece.unwrap().unwrap().into_data().unwrap(), "data: 1\n\n");
}
