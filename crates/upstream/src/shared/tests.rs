//! The pool's HTTP/2 connections against a server that takes few streams at once. TLS plays no part in it.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use http::uri::{Authority, Scheme};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::super::pool::{Key, Pool};
use super::super::received::Received;
use super::super::socket::Socket;
use super::*;

/// What a server tells, and what it is told.
struct Server {
    listener: TcpListener,
    streams: u32,
    /// Held answers end when this changes.
    released: watch::Sender<()>,
    /// Connections close gracefully when this changes.
    leaving: watch::Sender<()>,
}

impl Server {
    async fn with_room_for(streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server { listener, streams, released: watch::Sender::new(()), leaving: watch::Sender::new(()) }
    }

    /// A connection to it, in the pool. The server has said by then what it takes.
    async fn open(&self, pool: &Pool) {
        let near = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = self.listener.accept().await.unwrap();
        let released = self.released.subscribe();
        let service = service_fn(move |_: Request<Incoming>| {
            let mut released = released.clone();
            released.mark_unchanged();
            let events = stream::unfold((true, released), |(first, mut released)| async move {
                if first {
                    let event = Frame::data(Bytes::from_static(b"data: 1\n\n"));
                    return Some((Ok::<_, Infallible>(event), (false, released)));
                }
                let _ = released.changed().await;
                None
            });
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(Box::pin(events)))) }
        });
        let mut builder = server::Builder::new(TokioExecutor::new());
        let connection = builder.max_concurrent_streams(self.streams).serve_connection(TokioIo::new(far), service);
        let mut leaving = self.leaving.subscribe();
        tokio::spawn(async move {
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                _ = leaving.changed() => connection.as_mut().graceful_shutdown(),
            }
            let _ = connection.await;
        });
        let stream = MaybeHttpsStream::Http(TokioIo::new(Socket::new(near)));
        let mut shared = Shared::open(stream).await.unwrap();
        let first = shared.take();
        let said = Arc::clone(&shared.driver);
        pool.share(key(), shared);
        // Its first answer comes after its settings.
        assert_eq!(first_event(&mut send(first).await).await, "data: 1\n\n");
        let most = lock(&said).connection.as_ref().map_or(0, http2::Connection::current_max_send_streams);
        assert_eq!(most, self.streams as usize);
    }
}

fn key() -> Key {
    (Scheme::HTTPS, Authority::from_static("upstream.test"))
}

async fn try_send((mut sender, slot): (Sender, StreamSlot)) -> Result<Received, Option<Request<Outgoing>>> {
    let request = Request::post("https://upstream.test/v1").body(Outgoing::default()).unwrap();
    match sender.try_send_request(request).await {
        Ok(answer) => Ok(Received::shared(answer.into_body(), slot)),
        Err(mut unsent) => Err(unsent.take_message()),
    }
}

async fn send(slot: (Sender, StreamSlot)) -> Received {
    try_send(slot).await.map_err(|_| "it was not answered").unwrap()
}

async fn first_event(answer: &mut Received) -> Bytes {
    answer.frame().await.unwrap().unwrap().into_data().unwrap()
}

/// Takes slots until there is none, and holds their streams.
async fn fill(pool: &Pool) -> Vec<Received> {
    let mut held = Vec::new();
    while let Some(slot) = pool.shared(&key()) {
        held.push(send(slot).await);
    }
    held
}

#[tokio::test]
async fn a_connection_takes_as_many_requests_as_its_server_and_the_next_opens_another() {
    let (pool, server) = (Pool::default(), Server::with_room_for(4).await);
    let mut held = Vec::new();
    for opened in 1..=5 {
        server.open(&pool).await;
        held.extend(fill(&pool).await);
        assert_eq!(held.len(), 4 * opened);
    }
    for answer in &mut held {
        assert_eq!(first_event(answer).await, "data: 1\n\n");
    }
    // One that ends makes room for one.
    held.pop();
    assert_eq!(fill(&pool).await.len(), 1);
}

#[tokio::test]
async fn a_slot_is_free_again_once_its_answer_has_been_read() {
    let (pool, server) = (Pool::default(), Server::with_room_for(1).await);
    server.open(&pool).await;
    for _ in 0..3 {
        let mut answer = send(pool.shared(&key()).unwrap()).await;
        assert!(pool.shared(&key()).is_none());
        server.released.send_replace(());
        while answer.frame().await.is_some() {}
        assert!(pool.shared(&key()).is_some(), "the answer is complete, though nobody has dropped it");
    }
}

#[tokio::test]
async fn the_server_may_change_how_many_requests_it_takes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let mut far = listener.accept().await.unwrap().0;
    let mut shared = Shared::open(MaybeHttpsStream::Http(TokioIo::new(Socket::new(near)))).await.unwrap();
    let first = shared.slot();
    assert!(first.is_some() && shared.slot().is_none(), "until it has said so it takes the one it was opened for");
    far.read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()]).await.unwrap();
    let mut held = vec![first];
    for (most, free) in [(3, 2), (5, 2), (2, 0), (6, 1)] {
        // RFC 9113, section 6.5: a frame of one setting, SETTINGS_MAX_CONCURRENT_STREAMS.
        far.write_all(&[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, most]).await.unwrap();
        settings_are_acknowledged(&mut far).await;
        for _ in 0..free {
            held.push(shared.slot());
        }
        assert!(held.iter().all(Option::is_some) && shared.slot().is_none(), "{most}");
    }
}

/// Reads frames up to the one that says so.
async fn settings_are_acknowledged(far: &mut TcpStream) {
    loop {
        let mut head = [0; 9];
        far.read_exact(&mut head).await.unwrap();
        let [_, high, low, kind, flags, ..] = head;
        far.read_exact(&mut vec![0; usize::from(u16::from_be_bytes([high, low]))]).await.unwrap();
        if (kind, flags) == (4, 1) {
            return;
        }
    }
}

#[tokio::test]
async fn connections_are_filled_in_turn_so_that_spare_ones_are_closed() {
    let (pool, server) = (Pool::default(), Server::with_room_for(2).await);
    server.open(&pool).await;
    let mut held = fill(&pool).await;
    server.open(&pool).await;
    held.extend(fill(&pool).await);
    // The streams of the second end; the first goes on.
    held.truncate(2);
    pool.close_idle(Instant::now() + Duration::from_secs(89));
    assert_eq!(fill(&pool).await.len(), 2, "it may be used again for a while");
    pool.close_idle(Instant::now() + Duration::from_secs(91));
    assert!(fill(&pool).await.is_empty(), "the spare one is closed");
    drop(held);
    assert_eq!(fill(&pool).await.len(), 2, "the first was in use all the time");
}

#[tokio::test]
async fn a_connection_that_the_server_gives_up_hands_requests_back_and_ends_its_streams_well() {
    let (pool, server) = (Pool::default(), Server::with_room_for(4).await);
    server.open(&pool).await;
    let mut held = send(pool.shared(&key()).unwrap()).await;
    assert_eq!(first_event(&mut held).await, "data: 1\n\n");
    server.leaving.send_replace(());
    // The connection says so once it has heard it. No request is lost meanwhile.
    while let Some(slot) = pool.shared(&key()) {
        match try_send(slot).await {
            Ok(answered) => drop(answered),
            Err(unsent) => assert!(unsent.is_some(), "it never left"),
        }
    }
    server.released.send_replace(());
    assert!(held.collect().await.unwrap().to_bytes().is_empty(), "the stream ended as it should");
}
