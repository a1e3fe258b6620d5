//! Sending a request to a provider and bringing its answer back as it comes.
//!
//! The pipeline hands over a finished request, credentials attached. Nothing here knows providers or models; redirects
//! are never followed, since a credential goes only where its owner agreed.

#![forbid(unsafe_code)]

mod client;
mod connect;
mod connection;
mod outgoing;
mod pool;
mod proxy;
mod reason;
mod received;
mod shared;
mod socket;
mod tls;
mod unpack;
mod websocket;
mod wiping;

pub use client::{Deadlines, SendError, Upstream};
pub use connection::Fault;
pub use outgoing::Outgoing;
pub use proxy::SettingError;
pub use received::{ReceiveError, Received};
pub use tls::TlsError;
pub use unpack::unpack;
pub use websocket::{WebSocket, WebSocketError};
pub use wiping::wiping;

/// Checks what the environment says of the way to providers: proxies, and whom TLS trusts. Commands that go it or show it
/// call this first.
pub fn check_environment(env: &dyn Fn(&str) -> Option<std::ffi::OsString>) -> Result<(), SettingError> {
    proxy::check(env)?;
    tls::check(env)
}

/// What errors call the proxy on the way to an origin, where there is one: its address, without a password that may stand in
/// it, and the setting that names it. Loopback has none.
pub fn proxy_to(
    origin: &http::Uri,
    env: &dyn Fn(&str) -> Option<std::ffi::OsString>,
) -> Result<Option<String>, SettingError> {
    if connect::is_near(origin) {
        return Ok(None);
    }
    let proxies = proxy::Proxies::new(env)?;
    Ok(proxies.on_the_way_to(origin).map(|proxy| proxy.shown()))
}

/// The body of an answer that comes over this socket, once its head has come.
#[cfg(any(test, feature = "test-support"))]
pub async fn received_over(near: tokio::net::TcpStream) -> Received {
    use http::uri::{Authority, Scheme};
    use hyper_rustls::MaybeHttpsStream;
    use hyper_util::rt::TokioIo;

    let authority = Authority::from_static("upstream.test");
    let request = http::Request::get("http://upstream.test/").body(Outgoing::default()).expect("it is a request");
    let mut connection = connection::Connection::new(MaybeHttpsStream::Http(TokioIo::new(socket::Socket::new(near))));
    connection.exchange(&request, &authority).await.expect("it answers");
    Received::over(connection, (std::sync::Arc::default(), (Scheme::HTTP, authority)))
}
