//! What happens around the stages: what an upstream sends is neither lost, doubled nor reordered, however it was gathered;
//! and on a paused clock, when a client is kept awake, when an answer ends, and what its client is told.

use std::sync::{Arc, Mutex};

use bitrouter_upstream::received_over;
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body::Body as _;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a watch saw.
#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    end: Option<Option<String>>,
}

/// A watch that begins with the first byte, and for which `.` ends an answer and `!` is an error that must be told.
struct Watching(Arc<Mutex<Seen>>);

impl Watching {
    fn has(&self, byte: u8) -> bool {
        self.0.lock().unwrap().bytes.contains(&byte)
    }
}

impl Watch for Watching {
    fn bytes(&mut self, bytes: &[u8]) -> usize {
        let most = bytes.iter().position(|byte| *byte == b'!').unwrap_or(bytes.len());
        self.0.lock().unwrap().bytes.extend_from_slice(bytes);
        most
    }

    fn commits(&self) -> bool {
        !self.0.lock().unwrap().bytes.is_empty()
    }

    fn is_over(&self) -> bool {
        self.has(b'.') || self.has(b'!')
    }

    fn must_tell(&self) -> bool {
        self.has(b'!')
    }

    fn heartbeat(&self) -> Option<&'static [u8]> {
        self.0.lock().unwrap().bytes.ends_with(b"\n").then_some(b"beat")
    }

    fn end(&mut self, how: Result<(), Broken>, begun: bool) -> Ending {
        let whole = self.has(b'.');
        let how = if whole { Ok(()) } else { how };
        let twice = self.0.lock().unwrap().end.replace(how.as_ref().err().map(ToString::to_string));
        assert!(twice.is_none(), "it ends once");
        match how {
            Ok(()) => Ending::Whole,
            Err(broken) => Ending::Broken(broken, begun.then(|| Bytes::from_static(b"told"))),
        }
    }
}

const IDLE: Duration = Duration::from_secs(60);

/// An answer from this source.
fn answer_from(source: AnswerSource, total: Option<Duration>) -> (Answer<Watching>, Arc<Mutex<Seen>>) {
    let deadlines = Deadlines { first_byte: IDLE, idle: IDLE, total };
    let seen = Arc::new(Mutex::new(Seen::default()));
    (Answer::new(source, None, Box::new(Watching(Arc::clone(&seen))), deadlines, Instant::now(), true), seen)
}

/// An answer that comes over this socket, its head included.
async fn answer(near: TcpStream) -> (Answer<Watching>, Arc<Mutex<Seen>>) {
    answer_from(AnswerSource::Upstream { first: None, body: received_over(near).await }, None)
}

/// A source that sends each piece after so many seconds of silence, and then ends or stays open.
fn script(pieces: &[(u64, &'static str)], ends: bool) -> AnswerSource {
    let pieces = pieces.to_vec();
    let sent = stream::iter(pieces).then(|(after, piece)| async move {
        tokio::time::sleep(Duration::from_secs(after)).await;
        Ok(Bytes::from_static(piece.as_bytes()))
    });
    match ends {
        true => AnswerSource::Stage(Box::pin(sent)),
        false => AnswerSource::Stage(Box::pin(sent.chain(stream::pending()))),
    }
}

/// What a client reads and when, in seconds since the beginning, and how it ends.
async fn client(answer: Answer<Watching>) -> (Vec<(u64, String)>, Result<(), String>) {
    let start = Instant::now();
    let mut read = Vec::new();
    let mut body = answer.begin().await.map_err(|(broken, _)| broken).unwrap();
    loop {
        match body.frame().await {
            None => return (read, Ok(())),
            Some(Err(broken)) => return (read, Err(broken.to_string())),
            Some(Ok(frame)) => {
                let text = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
                read.push((start.elapsed().as_secs(), text));
            }
        }
    }
}

fn at(times: &[(u64, &str)]) -> Vec<(u64, String)> {
    times.iter().map(|(at, text)| (*at, (*text).to_owned())).collect()
}

#[tokio::test(start_paused = true)]
async fn whenever_nothing_was_written_for_15_seconds_the_client_is_kept_awake() {
    let pieces = [(0, "a\n"), (35, "b\n"), (14, "c\n"), (20, "d\n.")];
    let (answer, _) = answer_from(script(&pieces, true), None);
    let (read, end) = client(answer).await;
    let told = [(0, "a\n"), (15, "beat"), (30, "beat"), (35, "b\n"), (49, "c\n"), (64, "beat"), (69, "d\n.")];
    assert_eq!(read, at(&told));
    assert_eq!(end, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_into_an_event() {
    let (answer, _) = answer_from(script(&[(0, "half an"), (40, " event\n"), (20, ".")], true), None);
    let (read, _) = client(answer).await;
    assert_eq!(read, at(&[(0, "half an"), (40, " event\n"), (55, "beat"), (60, ".")]));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_do_not_count_as_something_that_the_upstream_sent() {
    let (answer, seen) = answer_from(script(&[(0, "a\n")], false), None);
    let (read, end) = client(answer).await;
    assert_eq!(read, at(&[(0, "a\n"), (15, "beat"), (30, "beat"), (45, "beat"), (60, "told")]));
    assert_eq!(end, Err("the upstream sent nothing for 60 s".into()));
    assert_eq!(seen.lock().unwrap().bytes, b"a\n");
}

#[tokio::test(start_paused = true)]
async fn what_a_stage_keeps_to_itself_is_something_that_came_and_nothing_that_was_written() {
    let (answer, _) = answer_from(script(&[(0, "a\n"), (40, ""), (40, ""), (40, "b\n.")], true), None);
    let (read, end) = client(answer).await;
    let beats = (1..8).map(|n| (n * 15, "beat"));
    let told: Vec<_> = [(0, "a\n")].into_iter().chain(beats).chain([(120, "b\n.")]).collect();
    assert_eq!(read, at(&told));
    assert_eq!(end, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn the_whole_may_take_no_longer_than_the_total_deadline_whatever_comes() {
    let pieces: Vec<_> = (0..100).map(|_| (10, "a\n")).collect();
    let (answer, _) = answer_from(script(&pieces, false), Some(Duration::from_secs(35)));
    let (read, end) = client(answer).await;
    assert_eq!(read.last(), Some(&(35, "told".to_owned())));
    assert_eq!(end, Err("the answer was not complete after 35 s".into()));
}

#[tokio::test(start_paused = true)]
async fn after_its_last_word_an_answer_ends_although_its_connection_does_not() {
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let open = stream::once(async { Ok(Bytes::from_static(b"a\n.")) }).chain(stream::pending()).map(move |next| {
        let _ = &held;
        next
    });
    let (answer, seen) = answer_from(AnswerSource::Stage(Box::pin(open)), None);
    let (read, end) = client(answer).await;
    assert_eq!((read, end), (at(&[(0, "a\n.")]), Ok(())));
    assert_eq!(seen.lock().unwrap().end, Some(None), "it is whole");
    assert_eq!(Arc::strong_count(&dropped), 1, "the upstream is let go");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_clients_cannot_read_is_told_in_its_place() {
    let (answer, _) = answer_from(script(&[(0, "a\n"), (1, "b\n! and more"), (1, "more")], false), None);
    let (read, end) = client(answer).await;
    assert_eq!(read, at(&[(0, "a\n"), (1, "b\n"), (1, "told")]));
    assert_eq!(end, Err("the upstream reported an error".into()));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_loses_its_call_when_a_deadline_has_passed() {
    for (total, after, reason) in [
        (None, 63, "the client read nothing of the answer for 60 s"),
        (Some(Duration::from_secs(20)), 23, "the answer was not complete after 20 s"),
    ] {
        let dropped = Arc::new(());
        let held = Arc::clone(&dropped);
        let endless = stream::repeat_with(move || {
            let _ = &held;
            Ok(Bytes::from_static(b"a\n"))
        });
        let (answer, seen) = answer_from(AnswerSource::Stage(Box::pin(endless)), total);
        let mut body = answer.begin().await.map_err(|(broken, _)| broken).unwrap();
        let under_way = body.under_way().unwrap().upgrade().unwrap();
        let look = || under_way.lock().unwrap().look();
        tokio::time::advance(Duration::from_secs(after - 3)).await;
        look();
        assert_eq!(Arc::strong_count(&dropped), 2, "it may still be read");
        tokio::time::advance(Duration::from_secs(3)).await;
        look();
        assert_eq!(Arc::strong_count(&dropped), 1, "the upstream's call is over");
        assert_eq!(seen.lock().unwrap().end, Some(Some(reason.to_owned())));
        look();
        // Should it read after all, it is told.
        let mut last = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            last = frame.into_data().unwrap().to_vec();
        }
        assert!(last.ends_with(b"told"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_stops_tells_a_client_that_waits() {
    let (answer, _) = answer_from(script(&[(0, "a\n")], false), None);
    let mut body = answer.begin().await.map_err(|(broken, _)| broken).unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a\n");
    let under_way = body.under_way().unwrap().upgrade().unwrap();
    let waiting = tokio::spawn(async move {
        let told = body.frame().await.unwrap().unwrap().into_data().unwrap();
        (told, body.frame().await.unwrap().unwrap_err().to_string())
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    under_way.lock().unwrap().stop();
    let (told, broken) = waiting.await.unwrap();
    assert!(told == "told" && broken.contains("stopping"), "{broken}");
}

async fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let far = listener.accept().await.unwrap().0;
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// Sends these events, each as a chunk of its own, and the end unless the connection breaks.
async fn send(far: &mut TcpStream, events: &[Vec<u8>], end: bool) {
    // A socket that is closed with something unread takes back what it has sent.
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(far.read_u8().await.unwrap());
    }
    far.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    for event in events {
        let chunk = [format!("{:x}\r\n", event.len()).as_bytes(), event, b"\r\n"].concat();
        far.write_all(&chunk).await.unwrap();
        tokio::task::yield_now().await;
    }
    if end {
        far.write_all(b"0\r\n\r\n").await.unwrap();
    }
    far.shutdown().await.unwrap();
}

/// Events of the sizes that streams have, with one now and then that is never gathered.
fn events() -> Vec<Vec<u8>> {
    let sizes = [200, 7, 1_500, GATHER - 1, 30, GATHER, 1, 3 * GATHER];
    (0..400u32).map(|n| n.to_string().into_bytes().repeat(sizes[n as usize % sizes.len()] / 3 + 1)).collect()
}

#[tokio::test]
async fn a_long_burst_is_forwarded_byte_for_byte() {
    let (near, mut far) = pair().await;
    let events = events();
    let expected = events.concat();
    let sending = tokio::spawn(async move { send(&mut far, &events, true).await });
    let (answer, seen) = answer(near).await;
    let body = answer.begin().await.map_err(|(broken, _)| broken).unwrap();
    let forwarded = body.collect().await.unwrap().to_bytes();
    sending.await.unwrap();
    assert!(forwarded == expected, "{} of {} bytes", forwarded.len(), expected.len());
    let seen = seen.lock().unwrap();
    assert!(seen.bytes == expected && seen.end == Some(None));
}

#[tokio::test]
async fn what_came_before_a_break_leaves_before_it_is_told() {
    let (near, mut far) = pair().await;
    let events = events();
    let expected = events.concat();
    let sending = tokio::spawn(async move { send(&mut far, &events, false).await });
    let (answer, seen) = answer(near).await;
    let mut body = answer.begin().await.map_err(|(broken, _)| broken).unwrap();
    let mut forwarded = Vec::new();
    let broken = loop {
        match body.frame().await.expect("it breaks off before it ends") {
            Ok(frame) => forwarded.extend_from_slice(&frame.into_data().unwrap()),
            Err(broken) => break broken.to_string(),
        }
    };
    sending.await.unwrap();
    let told = [&expected, &b"told"[..]].concat();
    assert!(forwarded == told, "{} of {} bytes", forwarded.len(), told.len());
    assert!(body.frame().await.is_none());
    let seen = seen.lock().unwrap();
    assert!(seen.bytes == expected && seen.end == Some(Some(broken)));
}

#[tokio::test]
async fn the_first_content_does_not_wait_for_what_may_follow() {
    let (near, mut far) = pair().await;
    far.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await.unwrap();
    let (answer, _) = answer(near).await;
    let mut body = answer.begin().await.map_err(|(broken, _)| broken).unwrap();
    // It is there at the first look: no timer has to ring.
    let first = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut body).poll_frame(context))).await;
    let Poll::Ready(Some(Ok(first))) = first else { panic!("it waits") };
    assert_eq!(first.into_data().unwrap(), "one");
}
