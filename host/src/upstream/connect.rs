//! Opening a TCP connection to an origin, through the system's proxy where one is set. Loopback is never proxied.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::{SocksV5, Tunnel};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower::Service;

use super::socket::Socket;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects straight or through a proxy, as the system's settings (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, and on macOS
/// and Windows the system's own) say.
#[derive(Clone)]
pub(super) struct Connect {
    tcp: HttpConnector,
    proxies: Arc<Matcher>,
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
        Connect { tcp, proxies: Arc::new(Matcher::from_system()) }
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
        let proxy = if is_loopback(&origin) { None } else { self.proxies.intercept(&origin) };
        let mut tcp = self.tcp.clone();
        let Some(proxy) = proxy else {
            return Box::pin(async move { Ok(socket(tcp.call(origin).await?)) });
        };
        let at = proxy.uri().clone();
        match at.scheme_str() {
            Some("http") => {
                let mut tunnel = Tunnel::new(at.clone(), tcp);
                if let Some(auth) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(auth.clone());
                }
                Box::pin(async move {
                    tunnel
                        .call(origin)
                        .await
                        .map(socket)
                        .map_err(|error| format!("through the proxy {}: {error}", shown(&at)).into())
                })
            }
            Some("socks5" | "socks5h") => {
                let mut socks = SocksV5::new(at.clone(), tcp).local_dns(at.scheme_str() == Some("socks5"));
                if let Some((user, password)) = proxy.raw_auth() {
                    socks = socks.with_auth(user.to_owned(), password.to_owned());
                }
                Box::pin(async move {
                    socks
                        .call(origin)
                        .await
                        .map(socket)
                        .map_err(|error| format!("through the proxy {}: {error}", shown(&at)).into())
                })
            }
            _ => Box::pin(async move {
                Err(format!("the proxy {} is of a kind that is not supported: use http:// or socks5://", shown(&at))
                    .into())
            }),
        }
    }
}

fn socket(stream: TokioIo<TcpStream>) -> TokioIo<Socket> {
    TokioIo::new(Socket::new(stream.into_inner()))
}

/// A proxy's address without a password that may stand in it.
fn shown(proxy: &Uri) -> String {
    format!(
        "{}://{}:{}",
        proxy.scheme_str().unwrap_or("http"),
        proxy.host().unwrap_or("?"),
        proxy.port_u16().unwrap_or(80)
    )
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
