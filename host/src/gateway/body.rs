//! Reading a request's body: within the limits of one and of all bodies, into one piece. What is packed, `unpack` unpacks.
//!
//! Nothing here waits for ever: a body has to keep coming, and faster than by drips.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use futures_util::FutureExt as _;
use http::header::HeaderMap;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::unpack::{self, Encoding};
use crate::call::{Bodies, Share};
use crate::config::Server;
use crate::error::Error;

/// How long a client may send nothing while its body is due.
pub(super) const STALLED: Duration = Duration::from_secs(30);
/// For each so many bytes a body may take a second longer.
const LEAST_RATE: u64 = 8 << 10;
/// The first piece of a body whose length is not known, and the largest of those after it. A piece is half as large as what is
/// there: the system may give memory in units of 2 MiB, which no body should take with its first bytes.
const FIRST_PIECE: usize = 64 << 10;
const LARGEST_PIECE: usize = 1 << 20;
/// The longest body that is taken as it comes.
const ONE_FRAME: usize = 64 << 10;

/// What holds for every body.
pub(super) struct Rules {
    limit: usize,
    /// How long a body may take, whatever its length.
    timeout: Duration,
}

impl Rules {
    /// Those of a configuration.
    pub(super) fn of(server: &Server) -> Self {
        Rules { limit: usize::try_from(server.body_limit).unwrap_or(usize::MAX), timeout: server.body_timeout }
    }

    /// The most bytes that a body may have.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// How long one may take of which so many bytes have come.
    pub(super) fn within(&self, came: u64) -> Duration {
        self.timeout + Duration::from_secs(came / LEAST_RATE)
    }

    pub(super) fn over(&self) -> Error {
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
    let encoding = Encoding::of(headers)?;
    let limit = rules.limit;
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > limit as u64) {
        return Err(rules.over());
    }
    let mut body = Arriving { body, came: 0, due: Instant::now() + rules.timeout };
    let first = body.next().await?.unwrap_or_default();
    // A small body is one frame: it is taken as it is.
    let came = match length.is_some_and(|length| length == first.len() as u64) && first.len() <= ONE_FRAME {
        true => first,
        false => Box::pin(gathered(body, first, length, rules, bodies)).await?,
    };
    match encoding {
        None => Ok(came),
        Some(encoding) => Box::pin(unpack::unpack(encoding, came, limit, bodies)).await,
    }
}

/// The body as it was sent, unless others need the room.
async fn gathered(
    mut body: Arriving,
    first: Bytes,
    length: Option<u64>,
    rules: Rules,
    bodies: &Arc<Bodies>,
) -> Result<Bytes, Error> {
    let share = bodies.share();
    let reader = share.reader();
    let all = async {
        let mut gathered = Gathered::new(share, rules);
        gathered.expect(length);
        gathered.add(&first).await?;
        // Whoever reads the socket reads into the same memory again only once nobody holds what it last held: else each read
        // takes cold memory, and a body of 1 MB costs a fifth more.
        drop(first);
        while let Some(data) = body.next().await? {
            gathered.add(&data).await?;
        }
        gathered.whole().await
    };
    tokio::select! {
        biased;
        came = all => came,
        full = reader.gives_way(bodies) => Err(full),
    }
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
            let frame = match self.body.frame().now_or_never() {
                Some(there) => there,
                None => self.wait().await?,
            };
            let frame = frame.transpose().map_err(|error| Error::BodyLost(error.to_string()))?;
            let Some(frame) = frame else { return Ok(None) };
            if let Ok(data) = frame.into_data() {
                self.came += data.len() as u64;
                return Ok(Some(data));
            }
        }
    }

    async fn wait(&mut self) -> Result<Option<Result<Frame<Bytes>, hyper::Error>>, Error> {
        let (now, due) = (Instant::now(), self.due + Duration::from_secs(self.came / LEAST_RATE));
        let until = due.min(now + STALLED);
        match tokio::time::timeout_at(until, self.body.frame()).await {
            Ok(frame) => Ok(frame),
            Err(_) if until == due => Err(Error::BodySlow(format!("only {} bytes came in time", self.came))),
            Err(_) => Err(Error::BodySlow(format!("nothing came for {} s", STALLED.as_secs()))),
        }
    }
}

/// What has come of a body, in pieces that stay where they are: a buffer that doubles and is copied would hold three times as
/// much at its last step.
struct Gathered {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
    size: usize,
    share: Share,
    rules: Rules,
}

impl Gathered {
    fn new(share: Share, rules: Rules) -> Self {
        Gathered { full: Vec::new(), last: Vec::new(), size: 0, share, rules }
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
        self.share.grow(pieces).await
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
