//! Listening and accepting, with the deadlines that axum's own server does not set.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::future::join;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::Service;
use super::connections::{Connections, FIRST_REQUEST};
use super::read_limits::LimitedReads;
use super::service::After;

/// What waits to be written to one client, at most; a request's head has no more, either.
const BUFFER: usize = 128 << 10;
/// How long a client may acknowledge nothing of what it is sent, or of what asks whether it is there.
const VANISHED: Duration = Duration::from_secs(60);
/// How long streams that are cut may take to tell their clients.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Something else listens there.
    #[error(
        "{0} is in use, perhaps by another bitrouter. Stop it, or choose another address with --listen or server.listen"
    )]
    InUse(SocketAddr),
    /// Anything else.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, io::Error),
}

/// Binds every address. With the default addresses a machine without IPv6 is fine: one is enough then.
pub fn bind(addresses: &[SocketAddr], all_needed: bool) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners = Vec::new();
    let mut missing = None;
    for address in addresses {
        match listen(*address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(BindError::InUse(*address)),
            Err(error) => missing = Some(BindError::Other(*address, error)),
        }
    }
    match missing {
        Some(error) if all_needed || listeners.is_empty() => Err(error),
        _ => Ok(listeners),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart may take the port of connections that are still in TIME_WAIT. Not on Windows, where it means more.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until `stop` resolves, then lets open streams finish for as long as it said.
pub async fn serve(
    listeners: Vec<TcpListener>,
    service: Service,
    connections: Arc<Connections>,
    stop: impl Future<Output = Duration>,
) {
    let (streams, websockets) = (service.streams(), service.sockets());
    let graceful = GracefulShutdown::new();
    let builder = protocols();
    let (sockets, mut accepted) = tokio::sync::mpsc::channel(8);
    let mut tasks = JoinSet::new();
    for listener in listeners {
        tasks.spawn(accept(listener, Arc::clone(&connections), sockets.clone()));
    }
    drop(sockets);
    let (sweeping, allowing) = (Arc::clone(&connections), service.clone());
    tasks.spawn(async move { sweeping.sweep(move || allowing.connections()).await });
    tokio::pin!(stop);
    let drain = loop {
        let socket = tokio::select! {
            socket = accepted.recv() => socket,
            drain = &mut stop => break drain,
        };
        // The acceptors never end by themselves.
        let Some(socket) = socket else { break Duration::ZERO };
        let entered = connections.enter(|seat, seated| {
            let (socket, read_limit) = LimitedReads::new(socket);
            let (service, after) = (service.clone(), Arc::<After>::default());
            let then = Arc::clone(&after);
            let service = service_fn(move |request| {
                read_limit.expect(&request);
                service.answer(request, &seat, &after)
            });
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(socket), service).into_owned();
            let connection = graceful.watch(connection);
            let task = tokio::spawn(async move {
                let _seated = seated;
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "connection ended");
                }
                let then = then.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(websocket) = then {
                    websocket.await;
                }
            });
            task.abort_handle()
        });
        if !entered {
            tracing::debug!("a connection was closed at once: all places are taken by busy ones");
        }
    };
    tasks.abort_all();
    websockets.stop();
    let mut closing = std::pin::pin!(join(graceful.shutdown(), websockets.closed()));
    if tokio::time::timeout(drain, &mut closing).await.is_err() {
        tracing::warn!("some streams were still open after {} s and are cut", drain.as_secs_f32());
        // Their clients are told so.
        streams.stop();
        let _ = tokio::time::timeout(LAST_WORDS, closing).await;
    }
}

/// HTTP/1.1 and HTTP/2, with their deadlines and with little memory for clients that read slowly.
fn protocols() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(FIRST_REQUEST).max_buf_size(BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_concurrent_streams(256)
        .max_send_buf_size(BUFFER)
        .keep_alive_interval(Duration::from_secs(60));
    builder
}

async fn accept(listener: TcpListener, connections: Arc<Connections>, sockets: tokio::sync::mpsc::Sender<TcpStream>) {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                prepare(&socket);
                if sockets.send(socket).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: connections wait in the backlog meanwhile.
                tracing::warn!(%error, "a connection could not be accepted");
                connections.make_room();
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Sets what a client's socket needs. A client that vanishes without a word ends its call, and so does one that reads nothing.
fn prepare(socket: &TcpStream) {
    // A delayed acknowledgement would cost the first event of every stream 40 ms.
    let _ = socket.set_nodelay(true);
    let socket = SockRef::from(socket);
    let keepalive = TcpKeepalive::new().with_time(VANISHED / 3).with_interval(VANISHED / 6);
    #[cfg(not(target_os = "openbsd"))]
    let keepalive = keepalive.with_retries(4);
    // Where the system has no such options, a client is gone when it says so.
    let _ = socket.set_tcp_keepalive(&keepalive);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(Some(VANISHED));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_client_that_vanishes_without_a_word_is_gone_after_a_minute() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        prepare(&socket);
        let socket = SockRef::from(&socket);
        assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
        let probes = socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
        assert_eq!(socket.tcp_keepalive_time().unwrap() + probes, VANISHED);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(VANISHED));
    }
}
