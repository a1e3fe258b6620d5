//! A moment, to the second: what the token file records and what expiry is reckoned in.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Whole seconds since 1970-01-01T00:00:00Z. Its text is RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text is not RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a time such as 2026-01-31T09:00:00Z")]
pub struct NotATime;

impl Timestamp {
    /// What this machine's clock says.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// This many seconds since 1970 in UTC; nothing for what no calendar shows.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp(seconds).is_ok().then_some(Timestamp(seconds))
    }

    /// Seconds since 1970 in UTC.
    pub fn unix(self) -> i64 {
        self.0
    }

    /// This much later, at most at the end of the calendar.
    pub fn plus(self, duration: Duration) -> Self {
        self.shifted(i64::try_from(duration.as_secs()).unwrap_or(i64::MAX))
    }

    /// This much earlier, at least at the calendar's beginning.
    pub fn minus(self, duration: Duration) -> Self {
        self.shifted(i64::try_from(duration.as_secs()).map_or(i64::MIN, |seconds| -seconds))
    }

    /// How long after `earlier` this is; nothing where it is before.
    pub fn since(self, earlier: Timestamp) -> Option<Duration> {
        u64::try_from(self.0.checked_sub(earlier.0)?).ok().map(Duration::from_secs)
    }

    /// Later by so many seconds, or earlier.
    pub fn shifted(self, seconds: i64) -> Self {
        let (first, last) = (time::PrimitiveDateTime::MIN, time::PrimitiveDateTime::MAX);
        let (first, last) = (first.assume_utc().unix_timestamp(), last.assume_utc().unix_timestamp());
        Timestamp(self.0.saturating_add(seconds).clamp(first, last))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Timestamp(0).shifted(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotATime)?;
        Ok(Timestamp(parsed.unix_timestamp()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = OffsetDateTime::from_unix_timestamp(self.0).map_err(|_| fmt::Error)?;
        f.write_str(&time.format(&Rfc3339).map_err(|_| fmt::Error)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_any_zone_and_written_in_utc_with_whole_seconds() {
        let time: Timestamp = "2026-01-31T10:00:00.987654321+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-01-31T09:00:00Z");
        assert_eq!(time.plus(Duration::from_secs(60)).to_string(), "2026-01-31T09:01:00Z");
        assert_eq!("yesterday".parse::<Timestamp>(), Err(NotATime));
    }

    #[test]
    fn a_sum_beyond_the_calendar_is_its_end() {
        let time = Timestamp::now();
        assert!(time.plus(Duration::MAX) > time && time.minus(Duration::MAX) < time);
        assert!(!time.plus(Duration::MAX).to_string().is_empty());
        assert_eq!(Timestamp::from_unix(i64::MAX), None);
    }
}
