//! The forms in which a secret may come back: what the scrubber looks for.
//!
//! Only the scrubber calls this, once for each credential.

use std::collections::BTreeSet;

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

/// How many kinds of characters that are neither letter nor digit a secret may have for every choice among them to be
/// looked for: each doubles the number of needles. Keys and tokens have two or three.
const EVERY_CHOICE: usize = 6;

/// What known writers of JSON escape by number: none (most), markup (Go, Rails), quotes too (Flask, Gson, PHP, .NET).
const WRITERS: [&str; 6] = ["", "<>&", "<>&'", "<>&'=", "<>&'\"", "<>&'\"+`"];

/// Inside a JSON string, and inside a JSON string in a JSON string. A writer escapes some characters as `\u002d`, with
/// lower-case or upper-case digits. Nobody knows which the next one escapes, so every choice among the characters that a
/// secret has is looked for; where it has many kinds, those of known writers and all. `/` may be `\/` (PHP). Letters and
/// digits are escaped by no writer.
fn json(secret: &str) -> Vec<String> {
    let special: BTreeSet<char> = secret.chars().filter(|character| !character.is_ascii_alphanumeric()).collect();
    let special: Vec<char> = special.into_iter().collect();
    let escaped: Vec<Vec<char>> = match special.len() {
        0..=EVERY_CHOICE => (0..1_usize << special.len())
            .map(|choice| (0..special.len()).filter(|at| choice & (1 << at) != 0).map(|at| special[at]).collect())
            .collect(),
        _ => WRITERS.iter().map(|set| set.chars().collect()).chain([special]).collect(),
    };
    let mut forms = BTreeSet::new();
    for set in escaped {
        for (upper, slash) in [(false, "/"), (false, "\\/"), (true, "/"), (true, "\\/")] {
            let one = |character: char| match character {
                character if set.contains(&character) => unicode(character, upper),
                '/' => slash.to_owned(),
                other => short(other),
            };
            forms.insert(secret.chars().map(one).collect::<String>());
        }
    }
    let twice: Vec<String> = forms.iter().map(|once| once.chars().map(short).collect()).collect();
    forms.into_iter().chain(twice).collect()
}

/// A character as a JSON writer has it that escapes what it must and nothing else.
fn short(character: char) -> String {
    match character {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        other => other.to_string(),
    }
}

/// A character by its number: as `\u002d`, in UTF-16.
fn unicode(character: char, upper: bool) -> String {
    let unit = |unit: &u16| if upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
    character.encode_utf16(&mut [0; 2]).iter().map(unit).collect()
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
