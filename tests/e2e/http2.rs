//! An upstream over HTTP/2 that takes few streams on a connection: no request waits for the stream of another to end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use bitrouter_tests::{Gateway, Open, eventually};
use bytes::Bytes;
use h2::Reason;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot, watch};
use tokio_rustls::TlsAcceptor;

use crate::tls;

/// How many streams the upstream takes on a connection.
const STREAMS: u32 = 4;

/// An upstream that answers each request with an event, and with the end of the stream when it is told to. It stops when
/// it is dropped.
struct Upstream {
    address: SocketAddr,
    authority: NamedTempFile,
    told: Controls,
    counted: Arc<Counted>,
    _stop: oneshot::Sender<()>,
}

#[derive(Clone)]
struct Controls {
    release: watch::Sender<bool>,
    leave: watch::Sender<()>,
    /// Whether streams end without their last word.
    half: Arc<AtomicBool>,
    /// What happens to the next request instead of an answer.
    next: Arc<Mutex<Option<Mishap>>>,
}

#[derive(Clone, Copy)]
enum Mishap {
    /// The connection dies.
    Death,
    /// Its stream is ended for this reason.
    Reset(Reason),
}

#[derive(Default)]
struct Counted {
    connections: AtomicUsize,
    streams: AtomicUsize,
    requests: AtomicUsize,
}

impl Upstream {
    fn start() -> Self {
        let (config, authority) = tls::certified(&["h2"]);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let told = Controls {
            release: watch::Sender::new(false),
            leave: watch::Sender::new(()),
            half: Arc::default(),
            next: Arc::default(),
        };
        let counted = Arc::new(Counted::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let (tells, counts) = (told.clone(), Arc::clone(&counted));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    while let Ok((socket, _)) = listener.accept().await {
                        counts.connections.fetch_add(1, Ordering::SeqCst);
                        let tls = TlsAcceptor::from(Arc::clone(&config));
                        tokio::spawn(serve(socket, tls, tells.clone(), Arc::clone(&counts)));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Upstream { address, authority, told, counted, _stop: stop }
    }

    fn gateway(&self) -> Gateway {
        tls::gateway(self.address, &self.authority)
    }

    fn connections(&self) -> usize {
        self.counted.connections.load(Ordering::SeqCst)
    }

    fn streams(&self) -> usize {
        self.counted.streams.load(Ordering::SeqCst)
    }
}

async fn serve(socket: TcpStream, tls: TlsAcceptor, told: Controls, counted: Arc<Counted>) {
    let _ = socket.set_nodelay(true);
    let Ok(stream) = tls.accept(socket).await else { return };
    let death = Arc::new(Notify::new());
    let service = service_fn(|request: Request<Incoming>| {
        counted.requests.fetch_add(1, Ordering::SeqCst);
        let mishap = told.next.lock().unwrap().take();
        let death = Arc::clone(&death);
        counted.streams.fetch_add(1, Ordering::SeqCst);
        let mut released = told.release.subscribe();
        let end: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
            let _ = released.wait_for(|released| *released).await;
        });
        let held = Held {
            event: Some(Bytes::from_static(b"data: {}\n\n")),
            end: Some(end),
            half: told.half.load(Ordering::SeqCst),
            counted: Arc::clone(&counted),
        };
        async move {
            let _ = request.into_body().collect().await;
            match mishap {
                Some(Mishap::Reset(reason)) => return Err(h2::Error::from(reason)),
                Some(Mishap::Death) => {
                    death.notify_one();
                    std::future::pending::<()>().await;
                }
                None => {}
            }
            Ok(Response::builder().header("content-type", "text/event-stream").body(held).unwrap())
        }
    });
    let mut leave = told.leave.subscribe();
    let mut builder = http2::Builder::new(TokioExecutor::new());
    let connection = builder.max_concurrent_streams(STREAMS).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = death.notified() => return,
        _ = leave.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// An event, and the end of the stream when it may.
struct Held {
    event: Option<Bytes>,
    end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    half: bool,
    counted: Arc<Counted>,
}

impl Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(event) = self.event.take() {
            return Poll::Ready(Some(Ok(Frame::data(event))));
        }
        let Some(end) = &mut self.end else { return Poll::Ready(None) };
        ready!(end.as_mut().poll(context));
        self.end = None;
        if self.half {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data: [DONE]\n\n")))))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counted.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Asks for a stream and waits for its first event.
fn ask(gateway: &Gateway) -> Open {
    let body = json!({"model": "openai:gpt-4o", "messages": [], "stream": true});
    let mut stream = gateway.post("/v1/chat/completions").json(&body).open();
    assert_eq!(stream.head().0, 200);
    stream.read_until("data: {}\n\n");
    stream
}

#[test]
fn every_stream_gets_its_first_event_while_all_others_are_held() {
    let upstream = Upstream::start();
    let gateway = upstream.gateway();
    let held: Vec<Open> = (0..20).map(|_| ask(&gateway)).collect();
    assert_eq!((upstream.streams(), upstream.connections()), (20, 5), "each connection is filled before the next");
    held.into_iter().for_each(Open::leave);
    assert!(eventually(|| upstream.streams() == 0));
    // One after the other they all go over the first.
    for _ in 0..6 {
        ask(&gateway).leave();
        assert!(eventually(|| upstream.streams() == 0));
    }
    assert_eq!(upstream.connections(), 5);
}

#[test]
fn streams_that_all_begin_at_once_get_their_first_event_too() {
    let upstream = Upstream::start();
    let gateway = upstream.gateway();
    for _ in 0..2 {
        let held: Vec<Open> = std::thread::scope(|threads| {
            let asking: Vec<_> = (0..20).map(|_| threads.spawn(|| ask(&gateway))).collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        assert_eq!(upstream.streams(), 20);
        held.into_iter().for_each(Open::leave);
        assert!(eventually(|| upstream.streams() == 0));
    }
}

#[test]
fn streams_end_well_on_a_connection_that_the_upstream_gives_up_and_new_ones_go_elsewhere() {
    let upstream = Upstream::start();
    let gateway = upstream.gateway();
    let mut held: Vec<Open> = (0..2).map(|_| ask(&gateway)).collect();
    assert_eq!(upstream.connections(), 1);
    upstream.told.leave.send_replace(());
    // Until the gateway has heard of it, it may go on asking there, and is answered.
    assert!(eventually(|| {
        held.push(ask(&gateway));
        upstream.connections() == 2
    }));
    upstream.told.release.send_replace(true);
    for mut stream in held {
        stream.read_until("[DONE]");
    }
}

#[test]
fn a_request_that_the_upstream_did_nothing_with_is_sent_once_more_over_a_fresh_connection() {
    for mishap in [Mishap::Death, Mishap::Reset(Reason::REFUSED_STREAM)] {
        let upstream = Upstream::start();
        let gateway = upstream.gateway();
        ask(&gateway).leave();
        assert!(eventually(|| upstream.streams() == 0));
        *upstream.told.next.lock().unwrap() = Some(mishap);
        ask(&gateway).leave();
        let requests = upstream.counted.requests.load(Ordering::SeqCst);
        assert_eq!((requests, upstream.connections()), (3, 2));
    }
}

#[test]
fn a_stream_that_ends_well_without_its_last_word_is_told_not_to_be_whole() {
    let upstream = Upstream::start();
    let gateway = upstream.gateway();
    upstream.told.release.send_replace(true);
    let body = json!({"model": "openai:gpt-4o", "messages": [], "stream": true});
    let ask = || gateway.post("/v1/chat/completions").json(&body).send().status(200);
    assert!(ask().complete);
    upstream.told.half.store(true, Ordering::SeqCst);
    let half = ask().says("data: {}\n\ndata: {\"error\":{").says("without saying that it is whole");
    assert!(!half.complete);
}

#[test]
fn a_request_whose_stream_the_upstream_ends_is_not_sent_again() {
    let upstream = Upstream::start();
    let gateway = upstream.gateway();
    ask(&gateway).leave();
    *upstream.told.next.lock().unwrap() = Some(Mishap::Reset(Reason::INTERNAL_ERROR));
    let body = json!({"model": "openai:gpt-4o", "messages": [], "stream": true});
    gateway.post("/v1/chat/completions").json(&body).send().status(502);
    assert_eq!(upstream.counted.requests.load(Ordering::SeqCst), 2);
}
