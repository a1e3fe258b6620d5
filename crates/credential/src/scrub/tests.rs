//! Every encoding is found, nothing else is touched, and a body in chunks is scrubbed like a whole one.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

const KEY: &str = "sk-canary-J3/x+Tr\"9=\\Qz_<&>.~";

/// The length of an OpenAI project key.
fn long_key() -> String {
    format!("sk-proj-{}", "aZ09_bY18-cX27".repeat(12))[..164].to_owned()
}

fn scrubbed(scrubber: &Scrubber, text: &str) -> String {
    let one_shot = String::from_utf8(scrubber.scrub_bytes(Bytes::copy_from_slice(text.as_bytes())).to_vec()).unwrap();
    assert_eq!(scrubber.scrub_text(text), one_shot);
    one_shot
}

fn in_chunks(scrubber: &Arc<Scrubber>, chunks: &[&[u8]]) -> Vec<u8> {
    let mut stream = ScrubStream::new(scrubber.clone());
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&stream.push(Bytes::copy_from_slice(chunk)));
        assert!(stream.held_back() < scrubber.prepared().map_or(1, |prepared| prepared.longest));
    }
    out.extend_from_slice(&stream.finish());
    out
}

#[test]
fn a_secret_is_replaced_and_the_rest_stays() {
    let scrubber = Scrubber::new([KEY]);
    assert_eq!(scrubbed(&scrubber, &format!("key: {KEY}, and {KEY}!")), "key: [secret], and [secret]!");
    assert_eq!(scrubbed(&scrubber, "sk-canary-J3 is not it"), "sk-canary-J3 is not it");
}

#[test]
fn a_json_escaped_secret_is_found() {
    let scrubber = Scrubber::new([KEY]);
    let json = serde_json::to_string(KEY).unwrap();
    let nested = serde_json::to_string(&json).unwrap();
    let go = json.replace('<', "\\u003c").replace('&', "\\u0026").replace('>', "\\u003e");
    for form in [json.clone(), json.replace('/', "\\/"), go] {
        assert_eq!(scrubbed(&scrubber, &form), "\"[secret]\"", "{form}");
    }
    assert_eq!(scrubbed(&scrubber, &nested), "\"\\\"[secret]\\\"\"");
}

/// Whichever of its characters a writer escapes by number, and in whichever case it writes the digits.
#[test]
fn a_secret_is_found_whatever_a_json_writer_escapes_by_number() {
    for key in ["sk-proj_ab+cd/ef=gh.ij", "sk-ant-api03-aZ_9", "a&b<c>d-e_f=g+h'i\"j\\k.l~m"] {
        let scrubber = Scrubber::new([key]);
        let by_number = |set: &str, upper: bool, text: &str| -> String {
            let one = |character: char| match (set.contains(character), upper) {
                (true, true) => format!("\\u{:04X}", u32::from(character)),
                (true, false) => format!("\\u{:04x}", u32::from(character)),
                (false, _) if "\"\\".contains(character) => format!("\\{character}"),
                (false, _) => character.to_string(),
            };
            text.chars().map(one).collect()
        };
        let all: String = key.chars().filter(|character| !character.is_ascii_alphanumeric()).collect();
        // Go and Rails, Flask, Gson, .NET, an encoder that trusts letters and digits alone, and what no known one does.
        let mut sets: Vec<String> = ["<>&", "<>&'", "<>&'=", "<>&'\"+`", &all].map(str::to_owned).to_vec();
        let distinct: std::collections::BTreeSet<char> = all.chars().collect();
        if distinct.len() <= 6 {
            sets.extend(distinct.iter().flat_map(|one| [one.to_string(), format!("{one}-"), format!("{one}_")]));
        }
        for (set, upper) in sets.iter().flat_map(|set| [(set, true), (set, false)]) {
            let once = by_number(set, upper, key);
            let twice = once.replace('\\', "\\\\").replace('"', "\\\"");
            for form in [once, twice] {
                assert_eq!(scrubbed(&scrubber, &form), MARK, "{form}");
            }
        }
    }
}

#[test]
fn a_long_token_has_not_more_needles_than_the_memory_of_a_credential_allows() {
    let token = format!("eyJhbGciOi.{}-_.x", "aZ09".repeat(400));
    let needles = needles::of(&token);
    assert!(needles.iter().map(Vec::len).sum::<usize>() < 256 << 10, "{}", needles.len());
}

#[test]
fn a_percent_encoded_secret_is_found_in_both_cases() {
    let scrubber = Scrubber::new([KEY]);
    let minimal = Rfc3986::encode(KEY);
    let all: String = KEY.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let alphanumeric: String = percent_encoding::utf8_percent_encode(KEY, percent_encoding::NON_ALPHANUMERIC).collect();
    for form in [minimal, all, alphanumeric] {
        let lower = form.split('%').enumerate().map(|(at, part)| match at {
            0 => part.to_owned(),
            _ => format!("%{}{}", part[..2].to_lowercase(), &part[2..]),
        });
        let lower: String = lower.collect();
        assert_eq!(scrubbed(&scrubber, &format!("?key={form}&x=1")), "?key=[secret]&x=1");
        assert_eq!(scrubbed(&scrubber, &format!("?key={lower}&x=1")), "?key=[secret]&x=1");
    }
}

/// Gives the percent-encoding of RFC 3986 a name here.
struct Rfc3986;

impl Rfc3986 {
    fn encode(text: &str) -> String {
        const SET: percent_encoding::AsciiSet =
            percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
        percent_encoding::utf8_percent_encode(text, &SET).collect()
    }
}

#[test]
fn a_secret_inside_base64_is_found_wherever_it_stands() {
    let scrubber = Scrubber::new([KEY]);
    for before in ["", "u", "u:", "me:", "user:", "\u{fffd}é"] {
        for after in ["", "!", "\"}", "and more"] {
            let whole = format!("{before}{KEY}{after}");
            for encoded in [STANDARD.encode(&whole), URL_SAFE.encode(&whole)] {
                let clean = scrubbed(&scrubber, &encoded);
                assert!(clean.contains(MARK), "{before:?} {after:?}");
                assert!(clean.len() < encoded.len() - KEY.len(), "{before:?} {after:?}");
            }
        }
    }
}

#[test]
fn what_holds_no_secret_is_not_copied() {
    let scrubber = Arc::new(Scrubber::new([KEY]));
    let event = Bytes::from_static(b"data: {\"delta\":\"sk\"}\n\n");
    assert_eq!(scrubber.scrub_bytes(event.clone()).as_ptr(), event.as_ptr());
    let mut stream = ScrubStream::new(scrubber.clone());
    let out = stream.push(event.clone());
    assert_eq!((out.as_ptr(), out.len()), (event.as_ptr(), event.len()));
    assert!(matches!(scrubber.scrub_text("plain"), Cow::Borrowed(_)));
    assert!(matches!(scrubber.scrub_header(&HeaderValue::from_static("plain")), Cow::Borrowed(_)));
}

#[test]
fn only_what_may_begin_a_secret_is_held_back() {
    let mut stream = ScrubStream::new(Arc::new(Scrubber::new([KEY])));
    assert_eq!(stream.push(Bytes::from_static(b"ask me")), "ask me");
    assert_eq!(stream.push(Bytes::from_static(b"see sk-ca")), "see ");
    assert_eq!(stream.push(Bytes::from_static(b"rd,")), "sk-card,");
    assert_eq!(stream.push(Bytes::from_static(b"end: sk-can")), "end: ");
    assert_eq!(stream.finish(), "sk-can");
    assert_eq!(stream.finish(), "");
}

#[test]
fn of_overlapping_secrets_the_leftmost_longest_goes() {
    let scrubber = Arc::new(Scrubber::new(["abcdefgh", "abcdefghijkl", "fghijklmnop"]));
    for (text, clean) in [
        ("abcdefghijkl", "[secret]"),
        ("abcdefghijk", "[secret]ijk"),
        ("abcdefghijklmnop", "[secret]mnop"),
        ("xabcdefgfghijklmnop", "xabcdefg[secret]"),
    ] {
        assert_eq!(scrubbed(&scrubber, text), clean);
        for at in 0..text.len() {
            let (a, b) = text.as_bytes().split_at(at);
            assert_eq!(in_chunks(&scrubber, &[a, b]), clean.as_bytes(), "split at {at} of {text}");
        }
    }
}

#[test]
fn short_secrets_are_not_looked_for() {
    let scrubber = Scrubber::new(["", "1234567"]);
    assert_eq!(scrubbed(&scrubber, "1234567"), "1234567");
    assert_eq!(scrubbed(&Scrubber::new(["12345678"]), "12345678"), MARK);
    assert_eq!(scrubbed(&Scrubber::none(), "anything"), "anything");
}

#[test]
fn a_header_value_is_scrubbed() {
    let scrubber = Scrubber::new([KEY]);
    let value = HeaderValue::from_str(&format!("Bearer {KEY}")).unwrap();
    assert_eq!(scrubber.scrub_header(&value).as_ref(), "Bearer [secret]");
}

#[test]
fn debug_shows_no_secret() {
    let mut stream = ScrubStream::new(Arc::new(Scrubber::new([KEY])));
    assert!(stream.push(Bytes::from_static(b"sk-canary-")).is_empty());
    let debug = format!("{stream:?}");
    assert!(!debug.contains("canary") && !debug.contains("115, 107"), "{debug}");
}

fn pieces() -> impl Strategy<Value = String> {
    let key = long_key();
    let other = "Bearer-ab/cd+ef\"gh".to_owned();
    let forms: Vec<String> = [&key, &other]
        .into_iter()
        .flat_map(|secret| needles::of(secret))
        .map(|needle| String::from_utf8(needle).unwrap())
        .collect();
    let count = forms.len();
    let whole = (0..count).prop_map({
        let forms = forms.clone();
        move |at| forms[at].clone()
    });
    let part = (0..count, 0..500usize, 0..500usize).prop_map(move |(at, from, to)| {
        let form = &forms[at];
        let (from, to) = (from % form.len(), to % form.len());
        form[from.min(to)..from.max(to)].to_owned()
    });
    let text = prop_oneof![whole, part, "[a-zA-Z0-9 \n\"\\\\%/+=]{0,6}", ".{0,3}", Just(base64_of(&key))];
    proptest::collection::vec(text, 0..8).prop_map(|pieces| pieces.concat())
}

fn base64_of(text: &str) -> String {
    STANDARD.encode(text)
}

proptest! {
    #[test]
    fn any_split_gives_what_the_whole_gives_and_no_secret_survives(
        text in pieces(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let scrubber = Arc::new(Scrubber::new([long_key().as_str(), "Bearer-ab/cd+ef\"gh"]));
        let whole = scrubber.scrub_bytes(Bytes::copy_from_slice(text.as_bytes()));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &text.as_bytes()[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&in_chunks(&scrubber, &chunks)[..], &whole[..]);
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        prop_assert_eq!(&in_chunks(&scrubber, &bytes)[..], &whole[..]);
        for needle in scrubber.prepared().unwrap().needles.iter().flatten() {
            prop_assert!(!whole.windows(needle.len()).any(|window| window == &needle[..]));
        }
    }

    #[test]
    fn a_search_agrees_with_the_plain_one(text in "[ab]{0,60}") {
        let secrets = ["aaaaaaab", "abababab", "ababababbb", "aaaaaaaaaa"];
        let scrubber = Scrubber::new(secrets);
        let needles: Vec<&[u8]> = scrubber.prepared().unwrap().needles.iter().flatten().map(|needle| &needle[..]).collect();
        let bytes = text.as_bytes();
        let plain = (0..bytes.len()).find_map(|at| {
            let longest = needles.iter().filter(|needle| bytes[at..].starts_with(needle)).map(|needle| needle.len()).max();
            longest.map(|length| at..at + length)
        });
        prop_assert_eq!(scrubber.find(bytes, 0), plain);
    }
}

/// Prints, never judges: `cargo test --release scrub -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn what_scrubbing_costs() {
    let key = long_key();
    let begun = Instant::now();
    let scrubber = Arc::new(Scrubber::new([key.as_str()]));
    let automaton = scrubber.prepared().map(|prepared| prepared.heads.memory_usage());
    println!(
        "building: {:?}, {} needles, automaton of {automaton:?} bytes",
        begun.elapsed(),
        scrubber.prepared().unwrap().needles.iter().flatten().count()
    );
    let event = "data: {\"id\":\"chatcmpl-9x\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
                 \"model\":\"gpt-5\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" sky\"}}]}\n\n";
    let event = Bytes::copy_from_slice(event.as_bytes());
    let cut = event.slice(..event.len() - 8);
    let code = Bytes::from(
        "    let answer = \\\"ask the sk-proj- oracle\\\";\\n    vec![1, 2, 3] // SGVsbG8= %20 c2st\\n".repeat(12_000),
    );
    for (name, text, rounds) in
        [("event", &event, 1_000_000), ("event cut inside", &cut, 1_000_000), ("code", &code, 200)]
    {
        let mut stream = ScrubStream::new(scrubber.clone());
        let begun = Instant::now();
        for _ in 0..rounds {
            std::hint::black_box(stream.push(std::hint::black_box(text).clone()));
        }
        println!("{name}: {} bytes, {:?} a push", text.len(), begun.elapsed() / rounds);
    }
}
