//! Answers that are compressed although they were asked not to be: some servers and the proxies before them compress
//! whatever was asked for, errors above all. Unpacked, they are watched and scrubbed like any other.
//!
//! What is unpacked is handed out piece by piece, as it is read: a few compressed bytes never hold more than one piece.

use std::io;
use std::pin::Pin;

use async_compression::tokio::bufread::{BrotliDecoder, DeflateDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use http::Response;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http_body_util::BodyExt;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncReadExt as _, BufReader};
use tokio_util::io::{ReaderStream, StreamReader};

use super::{ReceiveError, Received};

/// One piece of what is unpacked.
const PIECE: usize = 16 << 10;
/// Encodings that may lie within each other; nobody means more.
const MOST_LAYERS: usize = 4;
/// The largest window that a decoder of zstd has to offer (RFC 9659, section 3): 8 MiB.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A body that is unpacked.
pub(super) type Unpacked = Pin<Box<dyn Stream<Item = Result<Bytes, ReceiveError>> + Send + Sync>>;

type Reader = Pin<Box<dyn AsyncBufRead + Send + Sync>>;

/// The answer with its body unpacked and without the header; with an encoding that is not known, its name, and the answer
/// without its body, as that could be neither watched nor scrubbed.
pub fn unpack(answer: Response<Received>) -> Result<Response<Received>, (String, Response<Received>)> {
    let (mut head, body) = answer.into_parts();
    let encodings = encodings(&head.headers);
    head.headers.remove(CONTENT_ENCODING);
    let known = |encoding: &String| matches!(encoding.as_str(), "gzip" | "x-gzip" | "br" | "zstd" | "deflate");
    if encodings.len() > MOST_LAYERS || !encodings.iter().all(known) {
        let shown = encodings.join(", ").chars().take(40).flat_map(char::escape_debug).collect();
        return Err((shown, Response::from_parts(head, Received::none())));
    }
    if encodings.is_empty() {
        return Ok(Response::from_parts(head, body));
    }
    // The last that was applied is the first to be taken off.
    let opened = async move {
        let bytes = body.into_data_stream().map_err(io::Error::other);
        let mut reader: Reader = Box::pin(StreamReader::new(bytes));
        for encoding in encodings.iter().rev() {
            let decoder = decoder(encoding, reader).await?;
            reader = Box::pin(BufReader::new(decoder));
        }
        Ok::<_, io::Error>(ReaderStream::with_capacity(reader, PIECE))
    };
    let pieces = futures_util::stream::once(opened).try_flatten().map(|piece| piece.map_err(ReceiveError::from));
    Ok(Response::from_parts(head, Received::unpacked(Box::pin(pieces))))
}

/// The encodings of all lines, in the order in which they were applied; those that change nothing are left out.
fn encodings(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(CONTENT_ENCODING).iter().map(|line| line.to_str().unwrap_or("?"));
    let names = lines.flat_map(|line| line.split(',')).map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty() && name != "identity").collect()
}

async fn decoder(encoding: &str, mut reader: Reader) -> io::Result<Pin<Box<dyn AsyncRead + Send + Sync>>> {
    Ok(match encoding {
        "br" => Box::pin(BrotliDecoder::new(reader)),
        "zstd" => {
            let mut decoder = ZstdDecoder::with_params(reader, &[DParameter::window_log_max(ZSTD_WINDOW_LOG)]);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        "deflate" => {
            // Meant is zlib; some send what is inside of it alone. Its two first bytes tell (RFC 1950, section 2.2).
            let mut first = Vec::with_capacity(2);
            (&mut reader).take(2).read_to_end(&mut first).await?;
            let is_zlib = matches!(*first, [one, two] if one & 0x0f == 8 && u16::from_be_bytes([one, two]) % 31 == 0);
            let reader = io::Cursor::new(first).chain(reader);
            if is_zlib { Box::pin(ZlibDecoder::new(reader)) } else { Box::pin(DeflateDecoder::new(reader)) }
        }
        _ => {
            let mut decoder = GzipDecoder::new(reader);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
    })
}

#[cfg(test)]
mod tests;
