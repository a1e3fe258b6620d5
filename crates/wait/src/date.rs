//! Reads moments: the three forms of an HTTP date (RFC 9110, section 5.6.7) and RFC 3339.

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY: i64 = 24 * 60 * 60;

/// A date with a time of day, in seconds since 1970: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`,
/// `Sun Nov  6 08:49:37 1994` or `1994-11-06T08:49:37Z`. None for any other text, and for what is before 1970.
pub fn date(text: &str) -> Option<u64> {
    let text = text.trim_ascii();
    let seconds = if text.starts_with(|c: char| c.is_ascii_digit()) { rfc3339(text)? } else { http(text)? };
    u64::try_from(seconds).ok()
}

/// The three forms have their parts in two orders: of the numbers the first is the day, and the last the year.
fn http(text: &str) -> Option<i64> {
    let (mut day, mut month, mut year, mut time) = (None, None, None, None);
    // What stands first is the day of the week, which adds nothing.
    let words = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).skip(1);
    for word in words {
        let number =
            || Some(word).filter(|word| (1..=4).contains(&word.len())).and_then(|word| word.parse::<i64>().ok());
        if word.contains(':') {
            time = Some(time_of_day(word)?);
        } else if let Some(found) = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(word)) {
            month = Some(found as i64 + 1);
        } else if let Some(number) = number() {
            if day.is_none() {
                day = Some(number);
            } else if year.is_none() {
                year = Some(if word.len() == 2 { number + if number < 70 { 2000 } else { 1900 } } else { number });
            } else {
                return None;
            }
        } else if !["GMT", "UTC", "Z"].contains(&word) {
            return None;
        }
    }
    moment(year?, month?, day?, time?)
}

fn rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let mut parts = date.split('-');
    let mut part = || parts.next().filter(|part| part.len() >= 2).and_then(|part| part.parse::<i64>().ok());
    let (year, month, day) = (part()?, part()?, part()?);
    let (time, rest) = rest.split_at_checked(8)?;
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|c: char| c.is_ascii_digit()),
        None => rest,
    };
    let offset = match rest.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        ("+", offset) => minutes(offset)?,
        ("-", offset) => -minutes(offset)?,
        _ => return None,
    };
    Some(moment(year, month, day, time_of_day(time)?)? - offset * 60)
}

/// `01:30` in minutes.
fn minutes(offset: &str) -> Option<i64> {
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then(|| i64::from(hours) * 60 + i64::from(minutes))
}

/// `08:49:37` in seconds; a leap second is the next one.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| part.parse::<u8>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let sound = hours < 24 && minutes < 60 && seconds <= 60 && parts.next().is_none();
    sound.then(|| i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds))
}

/// Seconds since 1970 of a day of the Gregorian calendar and a time. The way of counting is Howard Hinnant's
/// `days_from_civil`: years begin in March, so that the leap day is the last of one.
fn moment(year: i64, month: i64, day: i64, time: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * DAY + time)
}
