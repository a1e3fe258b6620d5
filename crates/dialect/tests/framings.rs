//! The framings that are no Server-Sent Events, chunk by chunk: AWS's event stream as AWS's own crate writes it, and NDJSON.

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::DateTime;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bitrouter_dialect::{EventKind, EventReader, FrameError, StreamFraming};
use bytes::Bytes;
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    kind: EventKind,
    name: Option<String>,
    headers: Vec<(String, String)>,
    data: Vec<u8>,
    exception: bool,
}

/// What is read of a stream that comes in these chunks, and what was wrong with it.
fn read_with(mut reader: EventReader, chunks: &[&[u8]]) -> (Vec<Seen>, Option<FrameError>) {
    let mut all = Vec::new();
    let mut see = |framed: bitrouter_dialect::Framed<'_>| {
        all.push(Seen {
            kind: framed.event.kind,
            name: framed.event.name.map(|name| String::from_utf8_lossy(name).into_owned()),
            headers: framed.headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect(),
            data: framed.event.data.to_vec(),
            exception: framed.is_exception(),
        });
    };
    for chunk in chunks {
        if let Err(error) = reader.feed(chunk, &mut see) {
            return (all, Some(error));
        }
    }
    reader.finish(&mut see);
    (all, None)
}

fn read(framing: StreamFraming, stream: &[u8]) -> (Vec<Seen>, Option<FrameError>) {
    read_with(EventReader::new(framing), &[stream])
}

fn frames(stream: &[u8]) -> (Vec<Seen>, Option<FrameError>) {
    read(StreamFraming::AwsEventStream, stream)
}

fn lines(stream: &str) -> Vec<(EventKind, String)> {
    let (all, error) = read(StreamFraming::Ndjson, stream.as_bytes());
    assert_eq!(error, None);
    all.into_iter().map(|one| (one.kind, String::from_utf8(one.data).unwrap())).collect()
}

fn frame(headers: &[(&str, HeaderValue)], payload: &[u8]) -> Vec<u8> {
    let headers = headers.iter().map(|(name, value)| Header::new((*name).to_owned(), value.clone())).collect();
    let message = Message::new_from_parts(headers, Bytes::copy_from_slice(payload));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::String(value.to_owned().into())
}

fn delta(payload: &str) -> Vec<u8> {
    frame(&[(":event-type", text("contentBlockDelta")), (":message-type", text("event"))], payload.as_bytes())
}

#[test]
fn a_frame_is_an_event_with_the_name_and_the_headers_that_it_has() {
    let (seen, error) = frames(&delta("{\"p\":\"abc\"}"));
    assert_eq!(error, None);
    let headers = [(":event-type", "contentBlockDelta"), (":message-type", "event")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let name = Some("contentBlockDelta".to_owned());
    assert_eq!(
        seen,
        [Seen { kind: EventKind::Message, name, headers, data: b"{\"p\":\"abc\"}".to_vec(), exception: false }]
    );
}

#[test]
fn a_header_of_every_type_is_told_as_a_text() {
    let all = [
        ("true", HeaderValue::Bool(true), "true"),
        ("false", HeaderValue::Bool(false), "false"),
        ("byte", HeaderValue::Byte(-50), "-50"),
        ("short", HeaderValue::Int16(20_000), "20000"),
        ("int", HeaderValue::Int32(i32::MIN), "-2147483648"),
        ("long", HeaderValue::Int64(i64::MAX), "9223372036854775807"),
        ("bytes", HeaderValue::ByteArray(Bytes::from_static(b"some bytes")), "c29tZSBieXRlcw=="),
        ("text", text("söme text"), "söme text"),
        ("time", HeaderValue::Timestamp(DateTime::from_secs(5_000_000)), "5000000000"),
        ("uuid", HeaderValue::Uuid(0xb79b_c914_de21_4e13_b8b2_bc47_e85b_7f0b), "b79bc914-de21-4e13-b8b2-bc47e85b7f0b"),
        ("empty", text(""), ""),
    ];
    let headers: Vec<_> = all.iter().map(|(name, value, _)| (*name, value.clone())).collect();
    let (seen, error) = frames(&frame(&headers, b"some payload"));
    assert_eq!(error, None);
    let expected: Vec<_> = all.iter().map(|(name, _, told)| ((*name).to_owned(), (*told).to_owned())).collect();
    assert_eq!((&seen[0].headers, &seen[0].data[..], &seen[0].name), (&expected, &b"some payload"[..], &None));
}

#[test]
fn an_exception_and_an_error_are_named_by_what_they_say() {
    let exception = [(":message-type", text("exception")), (":exception-type", text("throttlingException"))];
    let error = [(":message-type", text("error")), (":error-code", text("500")), (":error-message", text("broken"))];
    let stream = [frame(&exception, br#"{"message":"slow down"}"#), frame(&error, b"")].concat();
    let seen: Vec<_> =
        frames(&stream).0.into_iter().map(|seen| (seen.exception, seen.name.unwrap_or_default())).collect();
    assert_eq!(seen, [(true, "throttlingException".to_owned()), (true, "500".to_owned())]);
}

#[test]
fn a_frame_without_headers_or_payload_is_one() {
    let stream = [frame(&[], b"x"), frame(&[], b""), delta("")].concat();
    let data: Vec<_> = frames(&stream).0.into_iter().map(|seen| (seen.kind, seen.data)).collect();
    assert_eq!(data, [b"x".to_vec(), Vec::new(), Vec::new()].map(|data| (EventKind::Message, data)));
}

#[test]
fn the_events_are_the_same_however_the_stream_is_cut() {
    let stream = [delta("{}"), frame(&[], b""), delta("{\"text\":\"\\n\"}")].concat();
    let whole = frames(&stream);
    for size in 1..stream.len() {
        let chunks: Vec<_> = stream.chunks(size).collect();
        assert_eq!(read_with(EventReader::new(StreamFraming::AwsEventStream), &chunks), whole, "{size}");
    }
}

#[test]
fn a_stream_that_ends_within_a_frame_is_unfinished() {
    let stream = [delta("{\"a\":1}"), delta("{\"b\":2}")].concat();
    let first = delta("{\"a\":1}").len();
    for end in first + 1..stream.len() {
        let (seen, error) = frames(&stream[..end]);
        assert_eq!(error, None);
        let kinds: Vec<_> = seen.iter().map(|seen| seen.kind).collect();
        assert_eq!(kinds, [EventKind::Message, EventKind::Unfinished], "{end}");
        assert!(seen[1].data.is_empty(), "nothing of it is told");
    }
}

#[test]
fn no_frame_is_read_in_which_a_bit_is_wrong() {
    let stream = [delta("{\"a\":1}"), delta("{\"b\":2}")].concat();
    let first = delta("{\"a\":1}").len();
    for bit in 0..8 * stream.len() {
        let mut damaged = stream.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let (seen, error) = frames(&damaged);
        let before = usize::from(bit / 8 >= first);
        assert_eq!(seen.len(), before, "bit {bit}");
        let place = format!("frame {} of the aws-event-stream, at byte {},", before + 1, first * before);
        assert!(error.unwrap().to_string().starts_with(&place), "bit {bit}");
    }
}

/// A frame with these lengths, whose checksums are right.
fn sound(total: u32, headers: u32, rest: &[u8]) -> Vec<u8> {
    let lengths = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    let mut frame = [&lengths[..], &crc32fast::hash(&lengths).to_be_bytes(), rest].concat();
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

#[test]
fn lengths_that_contradict_each_other_are_refused_before_anything_is_kept() {
    for (total, headers) in [(0, 0), (15, 0), (16, 1), (u32::MAX, u32::MAX), (1 << 20, 129 << 10)] {
        let error = frames(&sound(total, headers, b"")[..12]).1.unwrap().to_string();
        assert!(error.ends_with(&format!("{headers} bytes of headers in a frame of {total}")), "{error}");
    }
}

#[test]
fn headers_that_are_not_whole_are_refused() {
    let broken: [&[u8]; 8] = [
        b"\x05name",
        b"\x01a",
        b"\x01a\x0a",
        b"\x01a\x04\0\0",
        b"\x01a\x07\0\x09x",
        b"\x01a\x07\0",
        b"\x01a\x07\0\x01\xff",
        b"\x01\xff\0",
    ];
    for headers in broken {
        let length = u32::try_from(headers.len()).unwrap();
        let error = frames(&sound(16 + length, length, headers)).1.unwrap().to_string();
        assert!(error.ends_with("its headers are not whole"), "{headers:?}: {error}");
    }
}

#[test]
fn an_event_over_the_limit_is_told_and_those_behind_it_are_read() {
    let long = "x".repeat(500);
    let (frames, lines) = ([delta("1"), delta(&long), delta("2")].concat(), ["1\n", &long, "\n2\n"].concat());
    for (framing, stream) in [(StreamFraming::AwsEventStream, &frames[..]), (StreamFraming::Ndjson, lines.as_bytes())] {
        for size in [1, 7, 200, 10_000] {
            let chunks: Vec<_> = stream.chunks(size).collect();
            let (seen, error) = read_with(EventReader::with_limit(framing, 200), &chunks);
            assert_eq!(error, None);
            let kinds: Vec<_> = seen.iter().map(|seen| (seen.kind, &seen.data[..])).collect();
            let expected: [(EventKind, &[u8]); 3] =
                [(EventKind::Message, b"1"), (EventKind::Oversized, b""), (EventKind::Message, b"2")];
            assert_eq!(kinds, expected, "{framing:?} {size}");
        }
    }
}

#[test]
fn a_line_is_an_event_and_one_without_anything_on_it_is_none() {
    use EventKind::{Message, Silent};
    let expected = [(Message, "{\"a\":1}"), (Silent, ""), (Message, "{\"b\":2}"), (Silent, ""), (Message, "3")];
    let expected = expected.map(|(kind, data)| (kind, data.to_owned()));
    assert_eq!(lines("{\"a\":1}\n\n {\"b\":2}\r\n\r\n3\n"), expected);
    let stream = b"{\"a\":1}\n\n {\"b\":2}\r\n\r\n3\n";
    for size in 1..stream.len() {
        let chunks: Vec<_> = stream.chunks(size).collect();
        let (seen, _) = read_with(EventReader::new(StreamFraming::Ndjson), &chunks);
        let seen: Vec<_> = seen.into_iter().map(|one| (one.kind, String::from_utf8(one.data).unwrap())).collect();
        assert_eq!(seen, expected, "{size}");
    }
}

#[test]
fn a_last_line_without_its_end_counts_where_it_is_whole() {
    assert_eq!(lines("1\n{\"a\":2}").last().unwrap(), &(EventKind::Message, "{\"a\":2}".to_owned()));
    assert_eq!(lines("1\n{\"a\":").last().unwrap(), &(EventKind::Unfinished, "{\"a\":".to_owned()));
    assert_eq!(lines("1\n  ").last().unwrap().0, EventKind::Silent);
}

fn any_value() -> impl Strategy<Value = HeaderValue> {
    prop_oneof![
        any::<bool>().prop_map(HeaderValue::Bool),
        any::<i32>().prop_map(HeaderValue::Int32),
        any::<i64>().prop_map(HeaderValue::Int64),
        ".{0,12}".prop_map(|value| text(&value)),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|value| HeaderValue::ByteArray(value.into())),
        any::<u128>().prop_map(HeaderValue::Uuid),
    ]
}

type Parts = (Vec<(String, HeaderValue)>, Vec<u8>);

fn any_frame() -> impl Strategy<Value = Parts> {
    let headers = proptest::collection::vec((".{1,8}", any_value()), 0..4);
    (headers, proptest::collection::vec(any::<u8>(), 0..64))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(128)))]

    #[test]
    fn what_the_crate_of_aws_writes_is_read_as_it_was_written(all in proptest::collection::vec(any_frame(), 0..5), size in 1_usize..40) {
        let write = |(headers, payload): &Parts| {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            frame(&headers, payload)
        };
        let stream: Vec<u8> = all.iter().flat_map(write).collect();
        let chunks: Vec<_> = stream.chunks(size).collect();
        let (seen, error) = read_with(EventReader::new(StreamFraming::AwsEventStream), &chunks);
        prop_assert_eq!(error, None);
        prop_assert_eq!(seen.len(), all.len());
        for (seen, (headers, payload)) in seen.iter().zip(&all) {
            prop_assert_eq!(&seen.data, payload);
            prop_assert_eq!(seen.headers.len(), headers.len());
            for ((name, told), (wanted, value)) in seen.headers.iter().zip(headers) {
                prop_assert_eq!(name, wanted);
                if let HeaderValue::String(text) = value {
                    prop_assert_eq!(told, text.as_str());
                }
            }
        }
    }
}
