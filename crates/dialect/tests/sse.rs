//! The splitter against the WHATWG standard, chunk by chunk.

use std::borrow::Cow;

use bitrouter_dialect::{Event, EventKind, Splitter};
use proptest::prelude::*;

#[derive(Clone, Debug, PartialEq)]
struct Seen {
    kind: EventKind,
    name: Option<String>,
    data: String,
    raw: Vec<u8>,
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn seen(event: Event<'_>) -> Seen {
    Seen {
        kind: event.kind,
        name: event.name.map(|name| text(name).into_owned()),
        data: text(event.data).into_owned(),
        raw: event.raw.to_vec(),
    }
}

fn split_with(mut splitter: Splitter, chunks: &[&[u8]]) -> Vec<Seen> {
    let mut all = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk, |event| all.push(seen(event)));
    }
    splitter.finish(|event| all.push(seen(event)));
    all
}

fn split(stream: &str) -> Vec<Seen> {
    split_with(Splitter::default(), &[stream.as_bytes()])
}

fn messages(stream: &str) -> Vec<(Option<String>, String)> {
    let all = split(stream).into_iter();
    all.filter(|it| it.kind == EventKind::Message).map(|it| (it.name, it.data)).collect()
}

fn data(data: &str) -> (Option<String>, String) {
    (None, data.to_owned())
}

#[test]
fn every_line_end_is_taken_even_mixed() {
    let expected = [data("a"), data("b")];
    assert_eq!(messages("data: a\n\ndata: b\n\n"), expected);
    assert_eq!(messages("data: a\r\rdata: b\r\r"), expected);
    assert_eq!(messages("data: a\r\n\r\ndata: b\r\n\r\n"), expected);
    assert_eq!(messages("data: a\n\r\ndata: b\r\n\r"), expected);
}

#[test]
fn only_one_space_after_the_colon_is_taken_off() {
    assert_eq!(messages("data:a\n\n"), [data("a")]);
    assert_eq!(messages("data:  a\n\n"), [data(" a")]);
}

#[test]
fn several_data_lines_are_joined_by_line_feeds() {
    assert_eq!(messages("data: a\ndata\ndata: b\n\n"), [data("a\n\nb")]);
}

#[test]
fn a_byte_order_mark_is_taken_off_at_the_start_only() {
    assert_eq!(messages("\u{feff}data: a\n\n\u{feff}data: b\n\n"), [data("a")]);
}

#[test]
fn the_last_event_field_names_the_event_and_other_fields_are_ignored() {
    let stream = "event: x\nid: 7\nretry: 10\n:comment\ndatabase: no\nevent: y\ndata: a\n\n";
    assert_eq!(messages(stream), [(Some("y".to_owned()), "a".to_owned())]);
    assert_eq!(messages("event: x\nevent\ndata: a\n\n"), [data("a")]);
}

#[test]
fn comments_and_stray_blank_lines_are_silent_frames() {
    let kinds: Vec<_> = split(": ping\n\n\n\ndata: a\n\n").into_iter().map(|it| it.kind).collect();
    use EventKind::{Message, Silent};
    assert_eq!(kinds, [Silent, Silent, Silent, Message]);
}

#[test]
fn what_follows_the_last_blank_line_is_unfinished() {
    let last = split("data: a\n\ndata: b").pop().unwrap();
    assert_eq!((last.kind, last.data.as_str()), (EventKind::Unfinished, "b"));
    let last = split("data: a\n\ndata: b\n").pop().unwrap();
    assert_eq!((last.kind, last.data.as_str()), (EventKind::Unfinished, "b"));
    let last = split("data: a\n\ndata: b\r\r").pop().unwrap();
    assert_eq!((last.kind, last.data.as_str()), (EventKind::Message, "b"));
}

#[test]
fn an_event_in_one_chunk_is_borrowed_from_it() {
    let chunk = b"data: a\n\nevent: x\ndata: b\n\ndata: c";
    let within = chunk.as_ptr_range();
    let mut events = 0;
    Splitter::default().feed(chunk, |event| {
        assert!(within.contains(&event.data.as_ptr()) && within.contains(&event.raw.as_ptr()));
        events += 1;
    });
    assert_eq!(events, 2);
}

#[test]
fn an_event_may_be_written_between_events_only() {
    let mut splitter = Splitter::default();
    assert!(splitter.between_events());
    splitter.feed(b"data: a\n", |_| {});
    assert!(!splitter.between_events());
    splitter.feed(b"\n", |_| {});
    assert!(splitter.between_events());
}

#[test]
fn an_oversized_event_is_flagged_and_the_next_one_is_read() {
    let stream = b"data: 0123456789\ndata: 0123456789\r\n\r\ndata: a\n\n";
    for size in 1..stream.len() {
        let chunks: Vec<_> = stream.chunks(size).collect();
        let all = split_with(Splitter::with_limit(16), &chunks);
        let kinds: Vec<_> = all.iter().map(|it| (it.kind, it.data.as_str())).collect();
        assert_eq!(kinds, [(EventKind::Oversized, ""), (EventKind::Message, "a")], "chunks of {size}");
    }
}

/// Streams made of the pieces that matter, in any order.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        "data: ",
        "data:",
        "data",
        "event: ",
        "event:x",
        ":",
        "id: 1",
        "\n",
        "\r",
        "\r\n",
        "\n\n",
        "\r\n\r\n",
        "a",
        "{}",
        "\u{feff}",
        "long enough to be over the limit",
        "ü",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

fn cut<'a>(stream: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.extend([0, stream.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_events(
        stream in streams(),
        cuts: Vec<prop::sample::Index>,
        limit in prop::sample::select(vec![8, 24, 1 << 20]),
    ) {
        let whole = split_with(Splitter::with_limit(limit), &[&stream]);
        let parts = split_with(Splitter::with_limit(limit), &cut(&stream, &cuts));
        prop_assert_eq!(whole, parts);
    }

    #[test]
    fn the_raw_bytes_of_all_events_are_the_stream(stream in streams(), cuts: Vec<prop::sample::Index>) {
        let all = split_with(Splitter::default(), &cut(&stream, &cuts));
        prop_assert_eq!(all.into_iter().flat_map(|it| it.raw).collect::<Vec<_>>(), stream);
    }
}
