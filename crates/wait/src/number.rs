//! Reads waits: numbers with and without units.

/// A wait such as `6m0s`, `1h2m3s`, `7.66s`, `120ms`, `3seconds` or plain seconds, in milliseconds.
pub fn milliseconds(text: &str) -> Option<u64> {
    after(text, 1000)
}

/// The same, where a number without a unit counts so many milliseconds.
pub(crate) fn after(text: &str, bare: u64) -> Option<u64> {
    let mut milliseconds: u64 = 0;
    let mut rest = text.trim_ascii();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (whole, tail) = digits(rest);
        let (fraction, tail) = tail.strip_prefix('.').map_or(("", tail), digits);
        let (unit, tail) = leading(tail, u8::is_ascii_alphabetic);
        let unit = match unit {
            "" => bare,
            "d" => 86_400_000,
            "h" => 3_600_000,
            "m" => 60_000,
            "s" | "second" | "seconds" => 1000,
            "ms" => 1,
            _ => return None,
        };
        let mut place = unit;
        milliseconds = milliseconds.checked_add(whole.parse::<u64>().ok()?.checked_mul(unit)?)?;
        for digit in fraction.bytes() {
            place /= 10;
            milliseconds = milliseconds.checked_add(u64::from(digit - b'0') * place)?;
        }
        rest = tail;
    }
    Some(milliseconds)
}

fn digits(text: &str) -> (&str, &str) {
    leading(text, u8::is_ascii_digit)
}

/// The ASCII bytes of one class that a text starts with, and the rest.
fn leading(text: &str, class: fn(&u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !class(&byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}
