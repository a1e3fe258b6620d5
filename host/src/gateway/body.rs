//! Reading a request's body: decompressed, within the limit, into one piece.

use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt, BufReader};
use tokio_util::io::StreamReader;

use crate::error::Error;

/// How long a client may send nothing while its body is due.
const STALLED: Duration = Duration::from_secs(30);

/// Reads the body to its end.
pub(super) async fn read(headers: &HeaderMap, body: Incoming, limit: usize) -> Result<Bytes, Error> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some("" | "identity") => plain(body, limit).await,
        Some(encoding) => {
            let compressed = BufReader::new(StreamReader::new(TryStreamExt::map_err(
                body.into_data_stream(),
                std::io::Error::other,
            )));
            match encoding {
                "zstd" => Box::pin(decoded(ZstdDecoder::new(compressed), encoding, limit)).await,
                "gzip" | "x-gzip" => Box::pin(decoded(GzipDecoder::new(compressed), encoding, limit)).await,
                "br" => Box::pin(decoded(BrotliDecoder::new(compressed), encoding, limit)).await,
                other => Err(Error::Encoding(other.chars().take(40).collect())),
            }
        }
    }
}

async fn plain(mut body: Incoming, limit: usize) -> Result<Bytes, Error> {
    let expected = body.size_hint().exact();
    if expected.is_some_and(|expected| expected > limit as u64) {
        return Err(Error::BodyLimit(limit));
    }
    let mut whole = BytesMut::new();
    let mut first = None;
    while let Some(frame) = next(&mut body).await? {
        let Ok(data) = frame.into_data() else { continue };
        // A small body is one frame: it is taken as it is.
        if first.is_none() && whole.is_empty() {
            first = Some(data);
            continue;
        }
        if let Some(first) = first.take() {
            whole.reserve(expected.map_or(first.len() + data.len(), |expected| expected as usize));
            whole.extend_from_slice(&first);
        }
        if whole.len() + data.len() > limit {
            return Err(Error::BodyLimit(limit));
        }
        whole.extend_from_slice(&data);
    }
    let whole = first.unwrap_or_else(|| whole.freeze());
    if whole.len() > limit { Err(Error::BodyLimit(limit)) } else { Ok(whole) }
}

async fn next(body: &mut Incoming) -> Result<Option<http_body::Frame<Bytes>>, Error> {
    match tokio::time::timeout(STALLED, body.frame()).await {
        Ok(frame) => frame.transpose().map_err(|error| Error::BodyLost(error.to_string())),
        Err(_) => Err(Error::BodyLost(format!("nothing came for {} s", STALLED.as_secs()))),
    }
}

async fn decoded(decoder: impl AsyncRead + Unpin, encoding: &str, limit: usize) -> Result<Bytes, Error> {
    // One byte more than is allowed tells a body at the limit from one beyond it.
    let mut decoder = decoder.take(limit as u64 + 1);
    let mut whole = BytesMut::with_capacity(64 << 10);
    loop {
        if whole.capacity() - whole.len() < 16 << 10 {
            whole.reserve(whole.len().max(64 << 10));
        }
        match tokio::time::timeout(STALLED, decoder.read_buf(&mut whole)).await {
            Ok(Ok(0)) => break,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                return Err(Error::Decompress { encoding: encoding.to_owned(), reason: error.to_string() });
            }
            Err(_) => return Err(Error::BodyLost(format!("nothing came for {} s", STALLED.as_secs()))),
        }
    }
    if whole.len() > limit { Err(Error::BodyLimit(limit)) } else { Ok(whole.freeze()) }
}
