//! Listening and accepting, with the deadlines that axum's own server does not set.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::Front;
use super::paced::Paced;

/// How long a client may take to send the head of a request: slow-loris defence.
const HEAD: Duration = Duration::from_secs(10);
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
pub async fn serve(listeners: Vec<TcpListener>, front: Front, stop: impl Future<Output = Duration>) {
    let graceful = GracefulShutdown::new();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(512 << 10);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .max_concurrent_streams(256)
        .keep_alive_interval(Duration::from_secs(60));
    let (sockets, mut accepted) = tokio::sync::mpsc::channel(64);
    let acceptors: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(accept(listener, sockets.clone()))).collect();
    drop(sockets);
    tokio::pin!(stop);
    let drain = loop {
        let socket = tokio::select! {
            socket = accepted.recv() => socket,
            drain = &mut stop => break drain,
        };
        // The acceptors never end by themselves.
        let Some(socket) = socket else { break Duration::ZERO };
        let (socket, pace) = Paced::new(socket);
        let front = front.clone();
        let service = service_fn(move |request| {
            pace.expect(&request);
            front.call(request)
        });
        let connection = builder.serve_connection(TokioIo::new(socket), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    };
    acceptors.iter().for_each(tokio::task::JoinHandle::abort);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!("some streams were still open after {} s and are cut", drain.as_secs_f32());
    }
}

async fn accept(listener: TcpListener, sockets: tokio::sync::mpsc::Sender<TcpStream>) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                // A delayed acknowledgement would cost the first event of every stream 40 ms.
                let _ = socket.set_nodelay(true);
                if sockets.send(socket).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: connections wait in the backlog meanwhile.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
