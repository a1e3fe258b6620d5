//! Answers that come over a socket in many pieces: nothing is lost, doubled or reordered, however they were gathered.

use std::sync::{Arc, Mutex};

use http::Request;
use http::uri::{Authority, Scheme};
use http_body_util::BodyExt;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::Outgoing;
use super::super::connection::Connection;
use super::super::pool::Pool;
use super::super::socket::Socket;
use super::*;

/// What a watch saw.
#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    end: Option<Option<String>>,
}

struct Watching(Arc<Mutex<Seen>>);

impl Watch for Watching {
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.lock().unwrap().bytes.extend_from_slice(bytes);
    }

    fn commits(&self) -> bool {
        !self.0.lock().unwrap().bytes.is_empty()
    }

    fn end(&mut self, error: Option<&str>) {
        let twice = self.0.lock().unwrap().end.replace(error.map(str::to_owned));
        assert!(twice.is_none(), "it ends once");
    }
}

/// An answer that comes over this socket, its head included.
async fn answer(near: TcpStream) -> (Answer<Watching>, Arc<Mutex<Seen>>) {
    let authority = Authority::from_static("upstream.test");
    let request = Request::get("http://upstream.test/").body(Outgoing::default()).unwrap();
    let mut connection = Connection::new(MaybeHttpsStream::Http(TokioIo::new(Socket::new(near))));
    connection.exchange(&request, &authority).await.unwrap();
    let received = Received::over(connection, (Arc::new(Pool::default()), (Scheme::HTTP, authority)));
    let minute = Duration::from_secs(60);
    let deadlines = Deadlines { first_byte: minute, idle: minute, total: None };
    let seen = Arc::new(Mutex::new(Seen::default()));
    (Answer::new(received, None, Watching(Arc::clone(&seen)), deadlines, Instant::now(), true), seen)
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
    assert!(forwarded == expected, "{} of {} bytes", forwarded.len(), expected.len());
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
