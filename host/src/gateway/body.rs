//! Reading a request's body: decompressed, within the limits of one and of all bodies, into one piece.
//!
//! Nothing here waits for ever: a body has to keep coming, and faster than by drips. What is long is unpacked apart.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{BufMut, Bytes};
use futures_util::stream::try_unfold;
use http::header::{CONTENT_ENCODING, HeaderMap};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::Instant;
use tokio_util::io::StreamReader;

use super::apart;
use super::bodies::{Bodies, Share};
use crate::config::Server;
use crate::error::Error;

/// How long a client may send nothing while its body is due.
const STALLED: Duration = Duration::from_secs(30);
/// For each so many bytes a body may take a second longer.
const LEAST_RATE: u64 = 8 << 10;
/// The first piece of a body whose length is not known, and the largest of those after it. A piece is half as large as what is
/// there: the system may give memory in units of 2 MiB, which no body should take with its first bytes.
const FIRST_PIECE: usize = 64 << 10;
const LARGEST_PIECE: usize = 1 << 20;
/// So much is unpacked at once, in some 0.1 ms.
const AT_ONCE: usize = 64 << 10;
/// So much is unpacked where the request is served; a longer body goes on apart.
const HERE: usize = 256 << 10;
/// The largest window that is taken from a zstd frame, as a power of two: RFC 9659.
const ZSTD_WINDOW: u32 = 23;

/// What holds for every body.
pub(super) struct Rules {
    limit: usize,
    /// How long a body may take, whatever its length.
    patience: Duration,
}

impl Rules {
    /// Those of a configuration.
    pub(super) fn of(server: &Server) -> Self {
        Rules { limit: usize::try_from(server.body_limit).unwrap_or(usize::MAX), patience: server.body_timeout }
    }

    fn over(&self) -> Error {
        Error::BodyLimit(self.limit)
    }
}

/// Reads the body to its end.
pub(super) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    rules: Rules,
    bodies: &Arc<Bodies>,
) -> Result<Bytes, Error> {
    let encoding = encoding(headers)?;
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > rules.limit as u64) {
        return Err(rules.over());
    }
    let mut body = Arriving { body, came: 0, due: Instant::now() + rules.patience };
    let share = bodies.share();
    let reader = share.reader();
    let whole = async {
        let Some(encoding) = encoding else {
            let first = body.next().await?.unwrap_or_default();
            // A small body is one frame: it is taken as it is.
            if length.is_some_and(|length| length == first.len() as u64) && first.len() <= AT_ONCE {
                return Ok(first);
            }
            return plain(body, first, length, Gathered::new(share, rules)).await;
        };
        unpacked(encoding, body, length, Gathered::new(share, rules)).await
    };
    tokio::select! {
        biased;
        whole = whole => whole,
        full = reader.gives_way(bodies) => Err(full),
    }
}

/// An encoding that is known.
#[derive(Clone, Copy)]
enum Encoding {
    Zstd,
    Gzip,
    Brotli,
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Encoding::Zstd => "zstd",
            Encoding::Gzip => "gzip",
            Encoding::Brotli => "br",
        }
    }

    /// The most that its decoder holds of what it has written.
    fn window(self) -> usize {
        match self {
            Encoding::Zstd => 1 << ZSTD_WINDOW,
            Encoding::Gzip => 64 << 10,
            Encoding::Brotli => 16 << 20,
        }
    }
}

/// What the body is packed in. Several lines are one list; more than one coding is not taken.
fn encoding(headers: &HeaderMap) -> Result<Option<Encoding>, Error> {
    let mut found = None;
    let lines = headers.get_all(CONTENT_ENCODING).iter().map(|line| line.to_str().unwrap_or("?"));
    for coding in lines.flat_map(|line| line.split(',')).map(str::trim) {
        let known = match coding.to_ascii_lowercase().as_str() {
            "" | "identity" => continue,
            "zstd" => Encoding::Zstd,
            "gzip" | "x-gzip" => Encoding::Gzip,
            "br" => Encoding::Brotli,
            _ => return Err(Error::Encoding(coding.chars().take(40).flat_map(char::escape_debug).collect())),
        };
        if found.replace(known).is_some() {
            return Err(Error::Encoding("several, one in another".into()));
        }
    }
    Ok(found)
}

/// A body as it comes. Silence ends it, and so do drips.
struct Arriving {
    body: Incoming,
    came: u64,
    /// When a body without a byte would have taken too long.
    due: Instant,
}

impl Arriving {
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let (now, due) = (Instant::now(), self.due + Duration::from_secs(self.came / LEAST_RATE));
            let until = due.min(now + STALLED);
            let frame = match tokio::time::timeout_at(until, self.body.frame()).await {
                Ok(frame) => frame.transpose().map_err(|error| Error::BodyLost(error.to_string()))?,
                Err(_) if until == due => {
                    return Err(Error::BodySlow(format!("only {} bytes came in time", self.came)));
                }
                Err(_) => return Err(Error::BodySlow(format!("nothing came for {} s", STALLED.as_secs()))),
            };
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(data) = frame.into_data() {
                self.came += data.len() as u64;
                return Ok(Some(data));
            }
        }
    }
}

async fn plain(mut body: Arriving, first: Bytes, length: Option<u64>, mut gathered: Gathered) -> Result<Bytes, Error> {
    gathered.expect(length);
    let mut next = Some(first);
    while let Some(data) = next {
        gathered.add(&data).await?;
        next = body.next().await?;
    }
    gathered.whole().await
}

async fn unpacked(
    encoding: Encoding,
    body: Arriving,
    length: Option<u64>,
    mut gathered: Gathered,
) -> Result<Bytes, Error> {
    gathered.window = encoding.window();
    let frames = try_unfold(body, |mut body| async {
        let next = body.next().await.map_err(io::Error::other)?;
        Ok::<_, io::Error>(next.map(|data| (data, body)))
    });
    let packed = StreamReader::new(Box::pin(frames));
    let decoder: Box<dyn AsyncRead + Send + Unpin> = match encoding {
        Encoding::Zstd => {
            let mut decoder = ZstdDecoder::with_params(packed, &[DParameter::window_log_max(ZSTD_WINDOW)]);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Encoding::Gzip => {
            let mut decoder = GzipDecoder::new(packed);
            decoder.multiple_members(true);
            Box::new(decoder)
        }
        Encoding::Brotli => Box::new(BrotliDecoder::new(packed)),
    };
    // JSON is packed to a fifth or so.
    gathered.expect(length.map(|length| (length * 6).clamp(4 << 10, 4 * FIRST_PIECE as u64)));
    let mut unpacking = Unpacking { encoding, decoder, gathered };
    if !unpacking.goes_to(HERE).await? {
        unpacking = apart::run(async move {
            unpacking.goes_to(usize::MAX).await?;
            Ok(unpacking)
        })
        .await?;
    }
    unpacking.gathered.whole().await
}

/// A body that is being unpacked.
struct Unpacking {
    encoding: Encoding,
    decoder: Box<dyn AsyncRead + Send + Unpin>,
    gathered: Gathered,
}

impl Unpacking {
    /// Unpacks until there are so many bytes; true where that is all of them.
    async fn goes_to(&mut self, size: usize) -> Result<bool, Error> {
        let mut at_once = 0;
        while self.gathered.size < size {
            let mut room = self.gathered.room().limit(AT_ONCE);
            match self.decoder.read_buf(&mut room).await {
                Ok(0) => return Ok(true),
                Ok(come) => {
                    self.gathered.grew(come).await?;
                    at_once += come;
                }
                Err(error) => return Err(self.failed(error)),
            }
            if at_once >= AT_ONCE {
                // Others come between: what is packed may be a thousand times as long as what arrives.
                tokio::task::yield_now().await;
                at_once = 0;
            }
        }
        Ok(false)
    }

    /// What did not arrive is told apart from what is packed wrongly.
    fn failed(&self, error: io::Error) -> Error {
        let encoding = self.encoding.name().to_owned();
        error.downcast::<Error>().unwrap_or_else(|error| Error::Decompress { encoding, reason: error.to_string() })
    }
}

/// What has come of a body, in pieces that stay where they are: a buffer that doubles and is copied would hold three times as
/// much at its last step.
struct Gathered {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    size: usize,
    /// What is held beside, as long as the body is shorter.
    window: usize,
    share: Share,
    rules: Rules,
}

impl Gathered {
    fn new(share: Share, rules: Rules) -> Self {
        Gathered { full: Vec::new(), last: Vec::new(), size: 0, window: 0, share, rules }
    }

    /// Makes the first piece as large as the body will be.
    fn expect(&mut self, length: Option<u64>) {
        let length = length.and_then(|length| usize::try_from(length).ok());
        self.last.reserve_exact(length.unwrap_or(FIRST_PIECE).min(self.rules.limit));
    }

    /// The last piece, with room in it.
    fn room(&mut self) -> &mut Vec<u8> {
        if self.last.len() == self.last.capacity() {
            let next = Vec::with_capacity((self.size / 2).clamp(FIRST_PIECE, LARGEST_PIECE));
            let full = std::mem::replace(&mut self.last, next);
            if !full.is_empty() {
                self.full.push(full);
            }
        }
        &mut self.last
    }

    async fn add(&mut self, mut data: &[u8]) -> Result<(), Error> {
        while !data.is_empty() {
            let room = self.room();
            let (now, later) = data.split_at(data.len().min(room.capacity() - room.len()));
            room.extend_from_slice(now);
            data = later;
            self.grew(now.len()).await?;
        }
        Ok(())
    }

    /// So many bytes more are there.
    async fn grew(&mut self, by: usize) -> Result<(), Error> {
        self.size += by;
        if self.size > self.rules.limit {
            return Err(self.rules.over());
        }
        // Several pieces are copied into one at the end, and what is freed then is not given back at once.
        let pieces = if self.full.is_empty() { self.size } else { 2 * self.size };
        self.share.grow(pieces + self.size.min(self.window)).await
    }

    /// All of it in one piece.
    async fn whole(self) -> Result<Bytes, Error> {
        if self.full.is_empty() {
            return Ok(self.share.keeps(self.last));
        }
        let (size, share) = (self.size, self.share);
        let mut whole = Vec::with_capacity(size);
        for piece in self.full.into_iter().chain([self.last]) {
            whole.put_slice(&piece);
            drop(piece);
            tokio::task::yield_now().await;
        }
        Ok(share.keeps(whole))
    }
}
