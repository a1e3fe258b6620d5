//! An upstream that will not have requests over HTTP/2 is asked again over HTTP/1.1, and in nothing else from then on (RFC
//! 9113, section 7: HTTP_1_1_REQUIRED).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bitrouter_tests::Gateway;
use h2::Reason;
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

use crate::tls;

/// How it says so.
#[derive(Clone, Copy)]
enum Says {
    /// By ending the stream of a request.
    Reset,
    /// By closing the connection.
    GoAway,
}

/// The protocol of each request.
type Protocols = Arc<Mutex<Vec<&'static str>>>;

fn upstream(says: Says, reason: Reason) -> (SocketAddr, NamedTempFile, Protocols) {
    let (config, authority) = tls::certified(&["h2", "http/1.1"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Protocols::default());
    let asks = Arc::clone(&asked);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The process ends it.
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&config), says, reason, Arc::clone(&asks)));
            }
        });
    });
    (address, authority, asked)
}

async fn serve(socket: TcpStream, config: Arc<rustls::ServerConfig>, says: Says, reason: Reason, asked: Protocols) {
    let Ok(stream) = TlsAcceptor::from(config).accept(socket).await else { return };
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return answer(stream, asked).await;
    }
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_, mut respond))) = connection.accept().await {
        asked.lock().unwrap().push("h2");
        match says {
            Says::Reset => respond.send_reset(reason),
            Says::GoAway => connection.abrupt_shutdown(reason),
        }
    }
    // It goes away once it has been heard.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// Answers each request of an HTTP/1.1 connection.
async fn answer(mut stream: TlsStream<TcpStream>, asked: Protocols) {
    let mut request = Vec::new();
    while stream.read_buf(&mut request).await.is_ok_and(|bytes| bytes > 0) {
        // The bodies here are short and come with their head.
        if request.ends_with(b"}") {
            asked.lock().unwrap().push("http/1.1");
            request.clear();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\n\r\n{\"choices\":[]}").await.unwrap();
            stream.flush().await.unwrap();
        }
    }
}

fn ask(gateway: &Gateway) -> bitrouter_tests::Answer {
    gateway.chat(&json!({"model": "openai:gpt-4o", "messages": []}))
}

#[test]
fn an_origin_that_wants_http1_is_asked_again_in_it_and_in_nothing_else_from_then_on() {
    for says in [Says::Reset, Says::GoAway] {
        let (address, authority, asked) = upstream(says, Reason::HTTP_1_1_REQUIRED);
        let gateway = tls::gateway(address, &authority);
        for _ in 0..3 {
            ask(&gateway).status(200).is("{\"choices\":[]}");
        }
        assert_eq!(*asked.lock().unwrap(), ["h2", "http/1.1", "http/1.1", "http/1.1"]);
    }
}

#[test]
fn what_an_upstream_says_over_http2_is_told_in_a_sentence() {
    for (says, reason, told) in [
        (Says::Reset, Reason::INTERNAL_ERROR, "it ended the request's HTTP/2 stream (INTERNAL_ERROR)"),
        (Says::GoAway, Reason::ENHANCE_YOUR_CALM, "ENHANCE_YOUR_CALM"),
    ] {
        let (address, authority, _) = upstream(says, reason);
        let gateway = tls::gateway(address, &authority);
        ask(&gateway).status(502).says(told).never_says("hyper").never_says("unspecific");
    }
}
