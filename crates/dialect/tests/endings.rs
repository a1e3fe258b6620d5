//! How the tap tells that an answer is over, that it is whole, and that it reports an error which its client cannot read.

use bitrouter_dialect::{
    ApiError, Dialect, End, ErrorKind, First, Fold, FoldError, Framing, LastWord, Observer, Report, Splitter, Tap,
    is_error_of,
};
use proptest::prelude::*;

use Dialect::{ChatCompletions as Chat, GenerateContent, Messages, Responses};

fn content(dialect: Dialect) -> &'static str {
    match dialect {
        Chat => "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n",
        Responses => "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\",\"sequence_number\":4}\n\n",
        Messages => "data: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"hi\"}}\n\n",
        GenerateContent => "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]}}]}\n\n",
    }
}

fn after(dialect: Dialect, last_word: LastWord, stream: &str) -> Tap {
    let mut tap = Tap::new(dialect, Framing::Sse).ending_with(last_word);
    tap.feed(stream.as_bytes());
    tap
}

fn end(mut tap: Tap) -> End {
    let Report { end, .. } = tap.finish();
    end
}

#[test]
fn the_last_word_of_a_dialect_is_over_and_what_may_be_followed_is_not() {
    let cases = [
        (Chat, "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n", true, false),
        (Chat, "data: [DONE]\n\n", true, true),
        (Responses, "data: {\"type\":\"response.completed\",\"response\":{}}\n\n", true, true),
        (Responses, "data: {\"type\":\"response.incomplete\",\"response\":{}}\n\n", true, true),
        (Messages, "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n", false, false),
        (Messages, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", true, true),
        (GenerateContent, "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n", true, false),
    ];
    for (dialect, event, complete, over) in cases {
        let tap = after(dialect, LastWord::Dialect, &[content(dialect), event].concat());
        assert_eq!((tap.is_complete(), tap.is_over()), (complete, over), "{dialect}: {event}");
        assert_eq!(end(tap) == End::Complete, complete, "{dialect}: {event}");
    }
}

#[test]
fn an_endpoint_without_a_dialect_has_its_own_last_word_or_none() {
    let transcript = LastWord::Once("transcript.text.done");
    let images = LastWord::Each("image_generation.completed");
    let delta = "data: {\"type\":\"transcript.text.delta\",\"delta\":\"a\"}\n\n";
    let done = "event: transcript.text.done\ndata: {\"type\":\"transcript.text.done\",\"text\":\"a\",\"usage\":{\"input_tokens\":3,\"output_tokens\":5}}\n\n";
    let image =
        "event: image_generation.completed\ndata: {\"type\":\"image_generation.completed\",\"b64_json\":\"AA\"}\n\n";
    for (last_word, stream, complete, over) in [
        (transcript, delta.to_owned(), false, false),
        (transcript, [delta, done].concat(), true, true),
        (transcript, [delta, "data: [DONE]\n\n"].concat(), true, true),
        (images, image.to_owned(), true, false),
        (images, [image, "data: [DONE]\n\n"].concat(), true, true),
        (transcript, "data: {\"text\":\"a server of its own kind\"}\n\n".to_owned(), true, false),
        (LastWord::Nothing, delta.to_owned(), true, false),
        (LastWord::Nothing, "data: {\"error\":{\"message\":\"no\"}}\n\n".to_owned(), false, true),
    ] {
        let mut tap = after(Chat, last_word, &stream);
        assert_eq!(tap.is_over(), over, "{last_word:?}: {stream}");
        let report = tap.finish();
        assert_eq!(report.end == End::Complete, complete, "{last_word:?}: {stream}");
        if stream.contains("usage") {
            assert_eq!((report.usage.input, report.usage.output), (Some(3), Some(5)));
        }
    }
}

/// Errors where the clients of a dialect do not look for one, and what they say.
fn untold() -> Vec<(Dialect, &'static str, &'static str)> {
    let mut all = Vec::new();
    for dialect in Dialect::ALL {
        all.push((
            dialect,
            "error: {\"code\":400,\"message\":\"the context is too long\"}\n\n",
            "the context is too long",
        ));
        all.push((dialect, "error: out of memory\n\n", "out of memory"));
        all.push((dialect, "{\"error\":{\"message\":\"bare\",\"type\":\"x\"}}\n\n", "bare"));
        all.push((dialect, "{\n \"error\": {\"message\": \"bare\"}\n}\n\n", "bare"));
    }
    all.push((Chat, "event: error\ndata: {\"message\":\"named\"}\n\n", "named"));
    all.push((Chat, "data: {\"object\":\"error\",\"message\":\"old vLLM\",\"code\":400}\n\n", "old vLLM"));
    all.push((Chat, "data: {\"type\":\"error\",\"message\":\"flat\"}\n\n", "flat"));
    all.push((Responses, "event: error\ndata: {\"message\":\"named\"}\n\n", "named"));
    all.push((
        Messages,
        "data: {\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"unnamed\"}}\n\n",
        "unnamed",
    ));
    all
}

#[test]
fn an_error_that_clients_do_not_see_is_read_and_neither_it_nor_what_follows_is_theirs() {
    for (dialect, error, message) in untold() {
        let stream = [content(dialect), error, "data: [DONE]\n\n"].concat();
        // In one piece, and cut anywhere: what has left of the error already is ignored by clients, and ends in a blank line.
        for at in 0..stream.len() {
            let mut tap = Tap::new(dialect, Framing::Sse);
            let (first, rest) = stream.split_at(at);
            let mut shown = first[..tap.feed(first.as_bytes())].to_owned();
            shown += &rest[..tap.feed(rest.as_bytes())];
            let context = format!("{dialect}: {error:?} cut at {at}: {shown:?}");
            assert!(tap.has_unreadable_error() && tap.is_over(), "{context}");
            assert!(shown.starts_with(content(dialect)) && !shown.contains("[DONE]"), "{context}");
            assert!(shown.ends_with("\n\n"), "{context}");
            assert_eq!(tap.error().unwrap().error.message, message, "{context}");
            assert_eq!(tap.feed(b"data: more\n\n"), 0, "{context}");
        }
    }
}

#[test]
fn an_error_of_the_dialect_is_the_clients_as_it_came() {
    for (dialect, error) in [
        (Chat, "data: {\"error\":{\"message\":\"no\"}}\n\n"),
        (
            Responses,
            "event: response.failed\ndata: {\"type\":\"response.failed\",\"response\":{\"error\":{\"message\":\"no\"}}}\n\n",
        ),
        (Responses, "data: {\"type\":\"error\",\"message\":\"no\"}\n\n"),
        (Messages, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"x\",\"message\":\"no\"}}\n\n"),
        (GenerateContent, "data: {\"error\":{\"code\":500,\"message\":\"no\",\"status\":\"INTERNAL\"}}\n\n"),
    ] {
        let mut tap = Tap::new(dialect, Framing::Sse);
        let stream = [content(dialect), error].concat();
        assert_eq!(tap.feed(stream.as_bytes()), stream.len(), "{error}");
        assert!(tap.is_over() && !tap.has_unreadable_error(), "{error}");
        assert_eq!(tap.error().unwrap().error.message, "no", "{error}");
    }
}

#[test]
fn text_that_speaks_of_errors_is_none() {
    for text in ["\"error\"", "\"\\\"error\\\": {}\"", "\"object\\\":\\\"error\""] {
        let stream = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{text}}}}}]}}\n\n");
        let tap = after(Chat, LastWord::Dialect, &[content(Chat), &stream].concat());
        assert!(tap.error().is_none() && !tap.is_over(), "{stream}");
    }
}

#[test]
fn a_fold_fails_with_an_error_in_a_field_of_its_own() {
    let mut fold = Fold::new(Chat);
    fold.feed(b"error: {\"code\":400,\"message\":\"the context is too long\"}\n\ndata: [DONE]\n\n");
    let Err(FoldError::Failed(error)) = fold.finish() else { panic!("it is no document") };
    assert_eq!(error.error.message, "the context is too long");
}

#[test]
fn an_error_of_ours_goes_on_counting_where_the_stream_of_responses_stood() {
    let created = "data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_9\"},\"sequence_number\":0}\n\n";
    let error = ApiError::new(ErrorKind::Upstream, "it broke");
    let stands = |stream: &str| {
        let tap = after(Responses, LastWord::Dialect, stream);
        let event = error.as_event(Responses, tap.position());
        let text = String::from_utf8(event.to_vec()).unwrap();
        let (error, failed) = text.trim_end().split_once("\n\n").unwrap();
        let read =
            |event: &str| -> serde_json::Value { serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap() };
        let (error, failed) = (read(error), read(failed));
        (error["sequence_number"].clone(), failed["sequence_number"].clone(), failed["response"]["id"].clone())
    };
    let long = format!(
        "data: {{\"type\":\"response.output_text.delta\",\"delta\":\"{}\",\"sequence_number\":40}}\n\n",
        "x".repeat(5000)
    );
    assert_eq!(stands(&[created, content(Responses)].concat()), (5.into(), 6.into(), "resp_9".into()));
    assert_eq!(stands(&[created, &long].concat()), (41.into(), 42.into(), "resp_9".into()));
    let unnumbered = content(Responses).replace(",\"sequence_number\":4", "");
    assert_eq!(stands(&[created, &unnumbered, &unnumbered].concat()), (3.into(), 4.into(), "resp_9".into()));
}

#[test]
fn the_first_bytes_of_a_body_tell_how_it_is_framed() {
    for (bytes, first) in [
        ("data: {}", Some(First::Events)),
        ("event: x", Some(First::Events)),
        ("id: 1", Some(First::Events)),
        ("retry: 1", Some(First::Events)),
        (": hello", Some(First::Events)),
        ("\u{feff}data: {}", Some(First::Events)),
        ("\r\n\n data: {}", Some(First::Events)),
        ("  {\"id\":1}", Some(First::Json)),
        ("\u{feff}[{", Some(First::Json)),
        ("<!doctype html>", Some(First::Markup)),
        ("Hello", Some(First::Other)),
        ("", None),
        ("\n \n", None),
    ] {
        assert_eq!(Framing::of_first_bytes(bytes.as_bytes()), first, "{bytes:?}");
    }
    assert_eq!(Framing::of_first_bytes(b"\xEF"), None);
    assert_eq!(Framing::of_first_bytes(b"\xEF\xBB"), None);
    assert_eq!(Framing::of_first_bytes(b"\xEF\xBB\xBF"), None);
}

#[test]
fn a_document_is_over_when_its_last_bracket_closes() {
    for (text, over) in [("{\"a\":[1,{\"b\":2}]", false), ("{\"a\":1}", true), ("[{\"a\":1},", false), ("[{}]\n", true)]
    {
        let mut tap = Tap::new(Chat, Framing::Json);
        tap.feed(text.as_bytes());
        assert_eq!(tap.is_over(), over, "{text}");
    }
}

#[test]
fn an_event_is_observed_by_its_name_and_by_its_type() {
    let mut observer = Observer::new(["acme.*".to_owned(), "codex.rate_limits".to_owned()].into());
    let stream = "event: acme.quota\ndata: {\"left\":1}\n\nevent: acme.quota\ndata: {\"type\":\"other\",\"left\":2}\n\n\
                  event: message\ndata: {\"type\":\"codex.rate_limits\",\"left\":3}\n\ndata: {\"left\":4}\n\n";
    Splitter::default().feed(stream.as_bytes(), |event| observer.see(&event));
    let kept = observer.take();
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().zip(1..).all(|(data, n)| data.ends_with(format!("\"left\":{n}}}").as_bytes())));
}

#[test]
fn a_body_is_an_error_of_a_dialect_where_its_clients_would_read_it() {
    let openai = r#"{"error":{"message":"no","type":"invalid_request_error","param":null,"code":null}}"#;
    let codex = r#"{"error":{"type":"usage_limit_reached","plan_type":"plus","resets_at":1}}"#;
    let anthropic = r#"{"type":"error","error":{"type":"overloaded_error","message":"no"}}"#;
    let google = r#"[{"error":{"code":400,"message":"no","status":"INVALID_ARGUMENT"}}]"#;
    let of = |body: &str| Dialect::ALL.map(|dialect| is_error_of(dialect, body.as_bytes()));
    assert_eq!(of(openai), [true, true, false, false]);
    assert_eq!(of(codex), [true, true, false, false]);
    assert_eq!(of(anthropic), [true, true, true, false]);
    assert_eq!(of(google), [false, false, false, true]);
    for alien in [
        "",
        "<html>no</html>",
        "{\"detail\":\"no\"}",
        "{\"error\":\"no\"}",
        "{\"error\":{}}",
        "{\"error\":{\"message\":\"no\"}",
    ] {
        assert_eq!(of(alien), [false; 4], "{alien}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(bitrouter_fuzz::cases(256)))]

    #[test]
    fn what_a_tap_lets_through_is_never_more_than_came(chunks: Vec<Vec<u8>>) {
        for dialect in Dialect::ALL {
            let mut tap = Tap::new(dialect, Framing::Sse);
            for chunk in &chunks {
                prop_assert!(tap.feed(chunk) <= chunk.len());
            }
        }
    }
}
