//! The forms in which a secret may come back: what the scrubber looks for.
//!
//! Only the scrubber calls this, once for each credential.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// The secret as it is and in every encoding of it, some of them twice.
pub(super) fn of(secret: &str) -> Vec<Vec<u8>> {
    let mut needles = vec![secret.as_bytes().to_vec()];
    needles.extend(json(secret).into_iter().map(String::into_bytes));
    needles.extend(percent(secret.as_bytes()).into_iter().map(String::into_bytes));
    needles.extend(base64(secret.as_bytes()));
    needles
}

/// Inside a JSON string: as most writers escape (`"` and `\` alone), with `\/` (PHP), with what may be markup as
/// lower-case `\u003c` (Go) or upper-case `\u003C` and more (.NET), and as JSON inside a JSON string.
fn json(secret: &str) -> Vec<String> {
    let plain = |character: char| match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        other => other.to_string(),
    };
    let escape = |one: &dyn Fn(char) -> String, text: &str| text.chars().map(one).collect::<String>();
    let once = escape(&plain, secret);
    let slashes = escape(&|c| if c == '/' { "\\/".into() } else { plain(c) }, secret);
    let go = escape(
        &|c| {
            if "<>&".contains(c) { format!("\\u{:04x}", u32::from(c)) } else { plain(c) }
        },
        secret,
    );
    let dot_net = escape(
        &|c| {
            if "<>&'\"+`".contains(c) { format!("\\u{:04X}", u32::from(c)) } else { plain(c) }
        },
        secret,
    );
    let twice = escape(&plain, &once);
    vec![once, slashes, go, dot_net, twice]
}

/// Percent-encoded, with upper-case and lower-case digits: as JavaScript's `encodeURIComponent`, as RFC 3986 and as an
/// HTML form would; all but letters and digits; and every byte.
fn percent(secret: &[u8]) -> Vec<String> {
    let kept: [&dyn Fn(u8) -> bool; 5] = [
        &|byte| b"-_.!~*'()".contains(&byte),
        &|byte| b"-_.~".contains(&byte),
        &|byte| b"-_.*".contains(&byte),
        &|_| false,
        // What `encodeURI` keeps: a key in a path or query that was encoded as a whole.
        &|byte| b"-_.!~*'();/?:@&=+$,#".contains(&byte),
    ];
    let one = |byte: u8, keep: bool, upper: bool| match (keep, upper) {
        (true, _) => char::from(byte).to_string(),
        (false, true) => format!("%{byte:02X}"),
        (false, false) => format!("%{byte:02x}"),
    };
    let mut forms = Vec::new();
    for upper in [true, false] {
        for keep in kept {
            forms.push(
                secret.iter().map(|&byte| one(byte, byte.is_ascii_alphanumeric() || keep(byte), upper)).collect(),
            );
        }
        let form = |byte| {
            if byte == b' ' { "+".into() } else { one(byte, byte.is_ascii_alphanumeric(), upper) }
        };
        forms.push(secret.iter().map(|&byte| form(byte)).collect());
        forms.push(secret.iter().map(|&byte| one(byte, false, upper)).collect());
    }
    forms
}

/// Inside base64 of both alphabets. A character of base64 holds six bits, so a secret reads differently after 0, 1 or 2
/// bytes of something else (`Basic` user names, JSON around it): for each, the characters that hold its bits alone.
fn base64(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut text = vec![0; before];
        text.extend_from_slice(secret);
        let (first, end) = ((8 * before).div_ceil(6), 8 * text.len() / 6);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            forms.push(engine.encode(&text).as_bytes()[first..end].to_vec());
        }
    }
    forms
}
