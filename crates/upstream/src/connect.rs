//! Opening a TCP connection to an origin, through the proxy that is set. Loopback is never proxied.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bitrouter_contract::origin::is_of_a_network;
use http::Uri;
use http::uri::Scheme;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tower::Service;

use super::proxy::{Proxies, Proxy, SettingError};
use super::reason::Sentence;
use super::socket::Socket;

/// How long what was sent may stay without acknowledgement. A network that has forgotten a connection says nothing; a model
/// that thinks has acknowledged the request.
#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects straight or through a proxy, as the settings (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, and on macOS and Windows
/// the system's own) say.
#[derive(Clone)]
pub(super) struct Connect {
    tcp: HttpConnector,
    /// Where a setting cannot be used, nothing that may need a proxy is connected to.
    proxies: Arc<Result<Proxies, SettingError>>,
}

impl Connect {
    pub(super) fn new(connect_timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(connect_timeout));
        // A peer that has vanished while it was silent, as after a change of networks, is noticed in a minute and a half.
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.set_keepalive_interval(Some(Duration::from_secs(10)));
        tcp.set_keepalive_retries(Some(3));
        #[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        Connect { tcp, proxies: Arc::new(Proxies::new(&|name| std::env::var_os(name))) }
    }

    /// The proxy on the way to an origin.
    pub(super) fn proxy(&self, origin: &Uri) -> Result<Option<Proxy>, SettingError> {
        if is_near(origin) {
            return Ok(None);
        }
        self.proxies.as_ref().as_ref().map(|proxies| proxies.on_the_way_to(origin)).map_err(Clone::clone)
    }
}

impl Service<Uri> for Connect {
    type Response = TokioIo<Socket>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, origin: Uri) -> Self::Future {
        let (proxy, mut tcp) = (self.proxy(&origin), self.tcp.clone());
        Box::pin(async move {
            let stream = match proxy.map_err(|error| Sentence(error.to_string()))? {
                None => {
                    let in_the_clear = origin.scheme() == Some(&Scheme::HTTP) && !is_loopback(&origin);
                    let stream = tcp.call(origin).await?.into_inner();
                    // A name that the network's own server is asked for may lead anywhere.
                    match stream.peer_addr()?.ip() {
                        ip if in_the_clear && !is_of_a_network(ip) => {
                            let why =
                                format!("its name leads to {ip}, and nothing goes there unencrypted: write https://");
                            return Err(Sentence(why).into());
                        }
                        _ => stream,
                    }
                }
                Some(proxy) => {
                    let stream = tcp.call(proxy.address()).await.map_err(|error| proxy.unreachable(&error))?;
                    proxy.pass(stream.into_inner(), &origin).await?
                }
            };
            Ok(TokioIo::new(Socket::new(stream)))
        })
    }
}

/// Whether an origin is this machine, or one of its network that is asked in the clear: no proxy stands before either.
pub(super) fn is_near(uri: &Uri) -> bool {
    is_loopback(uri) || uri.scheme() == Some(&Scheme::HTTP)
}

/// Whether an origin is this machine.
pub(super) fn is_loopback(uri: &Uri) -> bool {
    bitrouter_contract::is_loopback(uri.host().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn what_is_not_acknowledged_ends_a_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let socket = Connect::new(Duration::from_secs(5)).call(origin).await.unwrap().into_inner();
        let option = socket2::SockRef::from(socket.stream()).tcp_user_timeout().unwrap();
        assert_eq!(option, Some(UNACKNOWLEDGED));
    }
}
