//! Unpacking a body: at once where it is short, in turns and apart where it is long.
//!
//! What is packed has arrived before any of it is unpacked. A decoder may hold a window of 16 MiB, and thousands of clients could
//! have one each and then say nothing; so it is made when it can run, and run until it is done or has had its turn. There are
//! three turns, for ever longer bodies: what turns out to be longer begins again in the next, where it waits for its like only. So
//! a body of the usual length does not wait for those of a thousand times its length, of which nothing is known before.

use std::io::{self, Cursor};
use std::sync::Arc;
use std::time::Duration;

use async_compression::tokio::bufread::{BrotliDecoder, GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use bytes::{BufMut, Bytes};
use http::header::{CONTENT_ENCODING, HeaderMap};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::apart;

use crate::call::{Bodies, Share};
use crate::error::Error;

/// So much is unpacked at once, in some 0.1 ms.
const AT_ONCE: usize = 64 << 10;
/// So much is unpacked where the request is served; a longer body is unpacked apart.
const HERE: usize = 256 << 10;
/// JSON is packed to a fifth or so.
const USUAL_RATIO: usize = 6;
/// The largest window that is taken from a zstd frame, as a power of two: RFC 9659.
const ZSTD_WINDOW: u32 = 23;
/// One body has each of these at a time, and unpacks up to so many bytes in it.
static TURNS: [(Semaphore, usize); 3] =
    [(Semaphore::const_new(1), 2 << 20), (Semaphore::const_new(1), 16 << 20), (Semaphore::const_new(1), usize::MAX)];
/// How long a body waits for all of its turns together.
const TURN_WITHIN: Duration = Duration::from_secs(10);

/// An encoding that is known.
#[derive(Clone, Copy)]
pub(super) enum Encoding {
    Zstd,
    Gzip,
    Brotli,
}

impl Encoding {
    /// What the body is packed in. Several lines are one list; more than one coding is not taken.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Error> {
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

    fn name(self) -> &'static str {
        match self {
            Encoding::Zstd => "zstd",
            Encoding::Gzip => "gzip",
            Encoding::Brotli => "br",
        }
    }

    fn decoder(self, packed: Bytes) -> Box<dyn AsyncRead + Send + Unpin> {
        let packed = Cursor::new(packed);
        match self {
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
        }
    }
}

/// Unpacks a body that may have so many bytes.
pub(super) async fn unpack(
    encoding: Encoding,
    packed: Bytes,
    limit: usize,
    bodies: &Arc<Bodies>,
) -> Result<Bytes, Error> {
    let share = bodies.share();
    let reader = share.reader();
    let whole = async {
        let guess = packed.len().saturating_mul(USUAL_RATIO);
        if guess <= 2 * HERE {
            let turn = here().await;
            // Nothing waits before the decoder is gone.
            let most = HERE.min(limit);
            let mut unpacking = Unpacking::new(encoding, packed.clone(), guess.max(4 << 10).min(most + 1));
            let done = unpacking.goes_to(most).await?;
            drop(turn);
            if done {
                let (mut share, whole) = (share, unpacking.whole());
                share.grow(whole.len()).await?;
                return Ok(share.keeps(whole));
            }
        }
        in_turns(encoding, packed, limit, share).await
    };
    tokio::select! {
        biased;
        whole = whole => whole,
        full = reader.gives_way(bodies) => Err(full),
    }
}

/// One at a time: of 200 that come at once each takes a millisecond, and whoever is served beside them would wait for all.
async fn here() -> Option<SemaphorePermit<'static>> {
    static TURN: Semaphore = Semaphore::const_new(1);
    if let Ok(turn) = TURN.try_acquire() {
        return Some(turn);
    }
    let turn = TURN.acquire().await.ok();
    tokio::task::yield_now().await;
    turn
}

async fn in_turns(encoding: Encoding, packed: Bytes, limit: usize, mut share: Share) -> Result<Bytes, Error> {
    let _one = apart::one_more();
    let until = Instant::now() + TURN_WITHIN;
    for (turn, most) in &TURNS {
        let turn = timeout_at(until, turn.acquire()).await.map_err(|_| Error::BodiesWait(TURN_WITHIN.as_secs()))?;
        let (most, packed) = (limit.min(*most), packed.clone());
        let (whole, came_with) = apart::run(async move {
            let unpacking = Unpacking::new(encoding, packed, most.saturating_add(1));
            let whole = unpacking.all(most, &mut share).await?;
            Ok((whole, share))
        })
        .await?;
        drop(turn);
        share = came_with;
        if let Some(whole) = whole {
            return Ok(share.keeps(whole));
        }
        if most == limit {
            break;
        }
        share.shrink(0);
    }
    Err(Error::BodyLimit(limit))
}

/// A body that is being unpacked.
struct Unpacking {
    encoding: Encoding,
    decoder: Box<dyn AsyncRead + Send + Unpin>,
    whole: Vec<u8>,
}

impl Unpacking {
    /// Room for so many bytes is made at once: it costs nothing before it is written to, and a buffer that grows would be
    /// copied, and hold three times as much at its last step.
    fn new(encoding: Encoding, packed: Bytes, room: usize) -> Self {
        let mut whole = Vec::new();
        // Where there is no room for all that a body might have, there may be for what it has.
        let _ = whole.try_reserve_exact(room);
        Unpacking { encoding, decoder: encoding.decoder(packed), whole }
    }

    /// Unpacks up to so many bytes; true where that is all of them. It never waits.
    async fn goes_to(&mut self, most: usize) -> Result<bool, Error> {
        while self.whole.len() <= most {
            if self.step().await? == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Unpacks all, if it is up to so many bytes. Others come between: what is packed may be thousands of times as long.
    async fn all(mut self, most: usize, share: &mut Share) -> Result<Option<Vec<u8>>, Error> {
        while self.step().await? > 0 {
            if self.whole.len() > most {
                return Ok(None);
            }
            share.grow(self.whole.len()).await?;
            apart::between().await;
        }
        let mut whole = self.whole();
        whole.shrink_to_fit();
        Ok(Some(whole))
    }

    /// What there is, without the decoder.
    fn whole(self) -> Vec<u8> {
        self.whole
    }

    async fn step(&mut self) -> Result<usize, Error> {
        let mut room = (&mut self.whole).limit(AT_ONCE);
        let encoding = self.encoding.name();
        let failed = |error: io::Error| Error::Decompress { encoding: encoding.to_owned(), reason: error.to_string() };
        self.decoder.read_buf(&mut room).await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use async_compression::tokio::bufread::{BrotliEncoder, GzipEncoder, ZstdEncoder};

    use super::*;
    use crate::config::{Config, Paths};

    const ALL: [Encoding; 3] = [Encoding::Zstd, Encoding::Gzip, Encoding::Brotli];
    const MIB: usize = 1 << 20;

    async fn packed(encoding: Encoding, size: usize) -> Bytes {
        let plain = Cursor::new(vec![b'a'; size]);
        let mut encoder: Box<dyn AsyncRead + Unpin> = match encoding {
            Encoding::Zstd => Box::new(ZstdEncoder::new(plain)),
            Encoding::Gzip => Box::new(GzipEncoder::new(plain)),
            Encoding::Brotli => Box::new(BrotliEncoder::with_quality(plain, async_compression::Level::Fastest)),
        };
        let mut packed = Vec::new();
        encoder.read_to_end(&mut packed).await.unwrap();
        packed.into()
    }

    fn bodies() -> Arc<Bodies> {
        Bodies::new(&Config::defaults(&Paths::for_tests()).server)
    }

    #[tokio::test]
    async fn a_body_of_any_length_is_unpacked_and_counted_as_long_as_it_is_held() {
        let bodies = bodies();
        for size in [1, 100 << 10, HERE, HERE + 1, 2 * MIB, 2 * MIB + 1, 17 * MIB] {
            for encoding in ALL {
                let packed = packed(encoding, size).await;
                let whole = unpack(encoding, packed, 17 * MIB, &bodies).await.unwrap();
                assert!(whole.len() == size && whole.iter().all(|byte| *byte == b'a'), "{size}");
                let held = bodies.held().0;
                assert!(held <= size + AT_ONCE && (held >= size || size <= 16 << 10), "{size}: {held}");
                drop(whole);
                assert_eq!(bodies.held().0, 0);
            }
        }
    }

    #[tokio::test]
    async fn a_body_beyond_the_limit_is_refused_in_whichever_turn_it_is() {
        let bodies = bodies();
        for limit in [1 << 10, HERE, MIB, 2 * MIB, 3 * MIB, 17 * MIB] {
            for encoding in ALL {
                let packed = packed(encoding, limit + 1).await;
                let refused = unpack(encoding, packed, limit, &bodies).await.unwrap_err();
                assert!(matches!(refused, Error::BodyLimit(said) if said == limit), "{limit}: {refused}");
                assert_eq!(bodies.held().0, 0);
            }
        }
    }

    #[tokio::test]
    async fn a_body_waits_only_for_those_that_are_about_as_long() {
        let longest = TURNS[2].0.acquire().await.unwrap();
        for encoding in ALL {
            let packed = packed(encoding, 3 * MIB).await;
            assert_eq!(unpack(encoding, packed, 64 * MIB, &bodies()).await.unwrap().len(), 3 * MIB);
        }
        drop(longest);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_whose_turn_does_not_come_is_told_to_come_back() {
        let bodies = bodies();
        let packed = packed(Encoding::Gzip, 3 * MIB).await;
        let _others = TURNS[1].0.acquire().await.unwrap();
        let refused = unpack(Encoding::Gzip, packed, 64 * MIB, &bodies).await.unwrap_err();
        assert!(matches!(refused, Error::BodiesWait(10)), "{refused}");
        assert_eq!((refused.meaning().ends.is_some(), bodies.held().0), (true, 0));
    }
}
