//! How long a provider asks to be left alone: `Retry-After` and the reset headers of rate limits, in all the forms in
//! which providers write them.
//!
//! Whoever reads an answer's headers or body does it with this, so that all mean the same. Where nothing tells the time,
//! what is a moment stays one, and the pipeline, which knows it, bounds it.

#![forbid(unsafe_code)]

mod date;
mod number;

pub use date::date;
pub use number::milliseconds;

/// The longest wait that is believed, in seconds: some quotas are counted by the month. What is longer is a mistake, and
/// as good as nothing.
pub const LONGEST_WAIT: u64 = 32 * 24 * 60 * 60;

/// No limit ends after this moment, the year 2100, in seconds since 1970.
pub const LAST: u64 = 4_102_444_800;

/// From here on a number of seconds is a moment since 1970, and not a wait of 31 years; and from there on milliseconds.
const EPOCH: u64 = 1_000_000_000;
const EPOCH_MS: u64 = 1_000_000_000_000;

/// When a limit ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// After so many milliseconds.
    After(u64),
    /// At this moment, in seconds since 1970.
    At(u64),
}

impl Ends {
    /// Reads a wait or a moment: `7`, `1.5`, `2m59.56s`, `120ms`, an HTTP date, RFC 3339, or a moment since 1970 in
    /// seconds or milliseconds. A plain number is seconds.
    pub fn read(text: &str) -> Option<Self> {
        let Some(after) = milliseconds(text) else { return date(text).map(Ends::At) };
        Some(match after / 1000 {
            EPOCH_MS.. => Ends::At(after / 1_000_000),
            EPOCH.. => Ends::At(after / 1000),
            _ => Ends::After(after),
        })
    }

    /// What is believed of it: nothing of what has gone by, is no wait at all, or is too long. `now` is in seconds since
    /// 1970; without it a moment is believed up to [`LAST`].
    pub fn believed(self, now: Option<u64>) -> Option<Self> {
        let plausible = match (self, now) {
            (Ends::After(after), _) => after > 0 && after <= LONGEST_WAIT * 1000,
            (Ends::At(at), Some(now)) => at > now && at - now <= LONGEST_WAIT,
            (Ends::At(at), None) => at <= LAST,
        };
        plausible.then_some(self)
    }

    /// Milliseconds from now on, where that can be known.
    fn left(self, now: Option<u64>) -> Option<u64> {
        match self {
            Ends::After(after) => Some(after),
            Ends::At(at) => at.checked_sub(now?)?.checked_mul(1000),
        }
    }
}

/// What an answer's headers say of when to come back: `retry-after-ms` before `retry-after`. Names are in lower case.
///
/// A moment is measured against the answer's own `date` where there is one, so that clocks that differ do not matter, else
/// against `now`, in seconds since 1970.
pub fn retry_after<'h>(headers: impl Iterator<Item = (&'h str, &'h str)> + Clone, now: Option<u64>) -> Option<Ends> {
    dated(headers, now, |headers, now| {
        let named = |wanted: &'static [&'static str], read: fn(&str) -> Option<Ends>| {
            let mut fields = headers.clone().filter(move |(name, _)| wanted.contains(name));
            fields.find_map(|(_, value)| read(value)?.believed(now))
        };
        named(&["retry-after-ms", "x-ms-retry-after-ms"], |value| number::after(value, 1).map(Ends::After))
            .or_else(|| named(&["retry-after"], Ends::read))
    })
}

/// The same of a limit that was reached: where nothing says when to come back, the reset of the window that is used up
/// does, and of several such the last.
pub fn limit_ends<'h>(headers: impl Iterator<Item = (&'h str, &'h str)> + Clone, now: Option<u64>) -> Option<Ends> {
    retry_after(headers.clone(), now).or_else(|| dated(headers, now, |headers, now| reset(headers.clone(), now)))
}

fn dated<'h, H: Iterator<Item = (&'h str, &'h str)> + Clone>(
    headers: H,
    now: Option<u64>,
    read: impl Fn(&H, Option<u64>) -> Option<Ends>,
) -> Option<Ends> {
    let dated = headers.clone().find(|(name, _)| *name == "date").and_then(|(_, value)| date(value));
    let said = read(&headers, dated.or(now))?;
    // Said as a wait, it holds whatever this machine's clock says.
    Some(said.left(dated).map_or(said, Ends::After))
}

/// The last reset of the windows that are used up; of a single window that does not say how much is left, its own.
fn reset<'h>(headers: impl Iterator<Item = (&'h str, &'h str)> + Clone, now: Option<u64>) -> Option<Ends> {
    let is_limit = |name: &str| name.contains("ratelimit") || name.contains("rate-limit");
    let resets = headers.clone().filter(|(name, _)| is_limit(name) && name.contains("reset"));
    let (mut used_up, mut unsaid, mut windows) = (None, None, 0);
    for (name, value) in resets {
        let Some(ends) = Ends::read(value).and_then(|ends| ends.believed(now)) else { continue };
        windows += 1;
        let left = headers.clone().find(|(other, _)| is_partner(name, other)).map(|(_, value)| value.trim());
        match left {
            Some(left) if left.trim_end_matches(['0', '.']).is_empty() && !left.is_empty() => {
                let later = |other: &Ends| ends.left(now) > other.left(now);
                if used_up.as_ref().is_none_or(later) {
                    used_up = Some(ends);
                }
            }
            Some(_) => {}
            None => unsaid = Some(ends),
        }
    }
    used_up.or(unsaid.filter(|_| windows == 1))
}

/// Whether `other` is called as `reset` is, with `remaining` in the place of `reset`.
fn is_partner(reset: &str, other: &str) -> bool {
    let (Some((before, after)), Some((start, end))) = (reset.split_once("reset"), other.split_once("remaining")) else {
        return false;
    };
    before == start && (after == end || (after == "-after" && end.is_empty()))
}

#[cfg(test)]
mod tests;
