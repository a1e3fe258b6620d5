//! A stream of events as one JSON array: what Google's clients get that ask `:streamGenerateContent` without `alt=sse`.
//!
//! `run` puts it around the finished answer, behind all stages. Each event leaves as an item as soon as it is there. A stream
//! that broke off leaves an array that is not closed.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bitrouter_dialect::{DEFAULT_EVENT_LIMIT, EventKind, Splitter};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body::Frame;

/// Makes an array of an answer that is a stream of events; any other stays as it is.
pub(in crate::pipeline) fn of(mut response: Response) -> Response {
    let content_type = response.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if !content_type.starts_with(b"text/event-stream") {
        return response;
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response.map(|events| Body::new(ArrayBody { events, items: Items::default(), over: false }))
}

/// The events so far, as items.
#[derive(Default)]
struct Items {
    splitter: Splitter,
    /// Whether the array is open.
    open: bool,
    /// Whether an event was too long to be kept.
    lost: bool,
}

impl Items {
    /// What these bytes add to the array.
    fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut items = Vec::with_capacity(bytes.len());
        let Items { splitter, open, lost } = self;
        splitter.feed(bytes, |event| put(&event, &mut items, open, lost));
        if items.is_empty() && splitter.between_events() {
            // A heartbeat stays one: JSON has room for it between any two items.
            items.push(b'\n');
        }
        items
    }

    /// What closes the array.
    fn finish(&mut self) -> Vec<u8> {
        let mut items = Vec::new();
        let Items { splitter, open, lost } = self;
        splitter.finish(|event| put(&event, &mut items, open, lost));
        items.extend_from_slice(if *open { b"]" } else { b"[]" });
        items
    }
}

fn put(event: &bitrouter_dialect::Event<'_>, items: &mut Vec<u8>, open: &mut bool, lost: &mut bool) {
    match event.kind {
        EventKind::Message => {
            items.extend_from_slice(if std::mem::replace(open, true) { b",\n" } else { b"[" });
            items.extend_from_slice(event.data);
        }
        EventKind::Oversized => *lost = true,
        EventKind::Silent | EventKind::Stray | EventKind::Unfinished => {}
    }
}

/// What the server polls.
struct ArrayBody {
    events: Body,
    items: Items,
    over: bool,
}

impl http_body::Body for ArrayBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        while !self.over {
            let items = match std::task::ready!(Pin::new(&mut self.events).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.items.feed(&bytes),
                    Err(_) => continue,
                },
                Some(Err(broken)) => {
                    self.over = true;
                    return Poll::Ready(Some(Err(broken)));
                }
                None => {
                    self.over = true;
                    self.items.finish()
                }
            };
            if self.items.lost {
                self.over = true;
                let sentence = format!("an event is longer than {} MiB: ask with alt=sse", DEFAULT_EVENT_LIMIT >> 20);
                return Poll::Ready(Some(Err(axum::Error::new(sentence))));
            }
            if !items.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(items.into()))));
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;

    use super::*;

    fn answer(pieces: Vec<Result<&'static [u8], &'static str>>) -> Response {
        let body = Body::from_stream(stream::iter(pieces));
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        response
    }

    /// The pieces of the array, and whether it broke off.
    async fn pieces(events: Vec<Result<&'static [u8], &'static str>>) -> (Vec<String>, bool) {
        let response = of(answer(events));
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json; charset=UTF-8");
        let (mut body, mut pieces) = (response.into_body(), Vec::new());
        loop {
            match body.frame().await {
                None => return (pieces, false),
                Some(Err(_)) => return (pieces, true),
                Some(Ok(frame)) => pieces.push(String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()),
            }
        }
    }

    #[tokio::test]
    async fn each_event_leaves_as_an_item_as_soon_as_it_is_there() {
        let events: Vec<Result<&[u8], _>> = vec![
            Ok(b"data: {\"a\":1}\n\n"),
            Ok(b"data: {\"b\":\"x"),
            Ok(b"\\n\"}\r\n\r\ndata: {\"c\":3}\r\n"),
            Ok(b"\r\n"),
        ];
        let (pieces, broken) = pieces(events).await;
        assert_eq!(pieces, ["[{\"a\":1}", ",\n{\"b\":\"x\\n\"}", ",\n{\"c\":3}", "]"]);
        assert!(!broken);
        let whole: serde_json::Value = serde_json::from_str(&pieces.concat()).unwrap();
        assert_eq!(whole, serde_json::json!([{ "a": 1 }, { "b": "x\n" }, { "c": 3 }]));
    }

    #[tokio::test]
    async fn the_array_is_the_same_however_the_stream_is_cut() {
        let whole: &'static [u8] = b"\n\ndata: {\"a\":[1,\r\ndata: 2]}\r\n\r\n: x\n\ndata: {}\n\n";
        for size in 1..whole.len() {
            let (pieces, _) = pieces(whole.chunks(size).map(Ok).collect()).await;
            let array: serde_json::Value = serde_json::from_str(&pieces.concat()).unwrap();
            assert_eq!(array, serde_json::json!([{ "a": [1, 2] }, {}]), "{size}");
        }
    }

    #[tokio::test]
    async fn a_heartbeat_stays_one_and_nothing_at_all_is_an_empty_array() {
        assert_eq!(pieces(vec![]).await.0, ["[]"]);
        let (pieces, _) = pieces(vec![Ok(b"\n\n"), Ok(b"data: {}\n\n"), Ok(b"\n\n")]).await;
        assert_eq!(pieces, ["\n", "[{}", "\n", "]"]);
    }

    #[tokio::test]
    async fn a_stream_that_breaks_off_leaves_the_array_open() {
        let (pieces, broken) = pieces(vec![Ok(b"data: {\"error\":{}}\n\n"), Err("cut")]).await;
        assert_eq!((pieces, broken), (vec!["[{\"error\":{}}".to_owned()], true));
    }

    #[tokio::test]
    async fn what_is_no_stream_of_events_stays_as_it_is() {
        let mut response = Response::new(Body::from("{}"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = of(response);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "{}");
    }
}
