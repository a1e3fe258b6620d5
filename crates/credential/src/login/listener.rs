//! The loopback address that the browser comes back to (RFC 8252, section 7.3).
//!
//! The browser flow opens it for one login. It takes any number of connections and requests, in any pieces, because
//! browsers open some that they never use and ask for icons; only the right path with the right state ends the wait.
//! Every request that brings the code is answered with how the login ended.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bitrouter_contract::description::Redirect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::LoginError;
use super::pages::Page;
use super::pasted::Pasted;

/// How often a port is tried again after its holder was asked to give it up, and how long apart.
const RETRIES: u32 = 10;
const RETRY_AFTER: Duration = Duration::from_millis(200);
/// How long a program on this machine may take to say that it gives up.
const CANCEL_WITHIN: Duration = Duration::from_secs(1);
/// How long the last page may take to reach the browser.
const LAST_PAGE: Duration = Duration::from_secs(2);

/// What the browser brought.
pub(super) enum Callback {
    /// The code.
    Code(String),
    /// The issuer's error and its description.
    Refused(String, Option<String>),
    /// Another login asks for the port.
    Cancelled,
}

/// An open listener.
pub(super) struct Listener {
    /// What the issuer is told, and told again at the exchange.
    pub redirect_uri: String,
    /// The port.
    pub port: u16,
    callbacks: mpsc::Receiver<Callback>,
    outcome: watch::Sender<Option<Page>>,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
}

struct Shared {
    path: String,
    cancel: Option<String>,
    state: String,
    callbacks: mpsc::Sender<Callback>,
    outcome: watch::Receiver<Option<Page>>,
}

impl Listener {
    /// Listens on the first of the ports that is free. A holder is asked to give its port up where the description says
    /// how. `told` is shown what happens.
    pub(super) async fn open(redirect: &Redirect, state: &str, told: impl Fn(&str)) -> Result<Self, LoginError> {
        let any = [0];
        let ports = if redirect.ports.is_empty() { &any[..] } else { &redirect.ports[..] };
        for &port in ports {
            if let Some(sockets) = bind(redirect, port).await? {
                return Ok(Self::serve(redirect, state, sockets));
            }
            let Some(cancel) = &redirect.cancel else { continue };
            if !ask_to_cancel(port, cancel).await {
                continue;
            }
            told(&format!("port {port} was held by another login, which was asked to give it up"));
            for _ in 0..RETRIES {
                sleep(RETRY_AFTER).await;
                if let Some(sockets) = bind(redirect, port).await? {
                    return Ok(Self::serve(redirect, state, sockets));
                }
            }
        }
        Err(LoginError::PortsBusy { ports: ports.to_vec() })
    }

    fn serve(redirect: &Redirect, state: &str, sockets: Vec<TcpListener>) -> Self {
        let port = sockets.first().and_then(|socket| socket.local_addr().ok()).map_or(0, |address| address.port());
        let (sender, callbacks) = mpsc::channel(1);
        let (outcome, seen) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            path: redirect.path.clone(),
            cancel: redirect.cancel.clone(),
            state: state.to_owned(),
            callbacks: sender,
            outcome: seen,
        });
        let mut servers = JoinSet::new();
        for socket in sockets {
            let router = axum::Router::new().fallback(answer).with_state(Arc::clone(&shared));
            let mut stopped = stopped.clone();
            servers.spawn(async move {
                let until = async move { drop(stopped.wait_for(|stopped| *stopped).await) };
                // An error here is the listener's end, which the wait for it notices.
                drop(axum::serve(socket, router).with_graceful_shutdown(until).await);
            });
        }
        Listener { redirect_uri: redirect_uri(redirect, port), port, callbacks, outcome, stop, servers }
    }

    /// Waits for the browser.
    pub(super) async fn callback(&mut self) -> Callback {
        // It has no end while the servers hold the other side.
        self.callbacks.recv().await.unwrap_or(Callback::Cancelled)
    }

    /// Shows the browser how the login ended, and gives the port free.
    pub(super) async fn finish(mut self, page: Page) {
        self.outcome.send_replace(Some(page));
        self.stop.send_replace(true);
        // A connection that a browser opened for nothing must not keep the command from ending.
        let _ = timeout(LAST_PAGE, async { while self.servers.join_next().await.is_some() {} }).await;
    }
}

/// What the issuer has to send the browser to.
pub(super) fn redirect_uri(redirect: &Redirect, port: u16) -> String {
    format!("http://{}:{port}{}", redirect.host, redirect.path)
}

/// The sockets of one port; none where it is in use.
async fn bind(redirect: &Redirect, port: u16) -> Result<Option<Vec<TcpListener>>, LoginError> {
    let first = match TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await {
        Ok(first) => first,
        Err(error) if error.kind() == ErrorKind::AddrInUse => return Ok(None),
        Err(error) => return Err(LoginError::Listen(error)),
    };
    let port = first.local_addr().map_err(LoginError::Listen)?.port();
    match TcpListener::bind(SocketAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)).await {
        Ok(second) => Ok(Some(vec![first, second])),
        // Where the browser may go to either, the other would get the code.
        Err(error) if error.kind() == ErrorKind::AddrInUse && redirect.host != "127.0.0.1" => Ok(None),
        Err(error) if redirect.host == "[::1]" => Err(LoginError::Listen(error)),
        // Many machines have no IPv6.
        Err(_) => Ok(Some(vec![first])),
    }
}

/// Asks whoever holds a port to give it up, and says whether it will.
async fn ask_to_cancel(port: u16, path: &str) -> bool {
    let ask = async {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await?;
        let mut status = [0; "HTTP/1.1 200".len()];
        socket.read_exact(&mut status).await?;
        Ok::<_, io::Error>(status.ends_with(b" 200"))
    };
    matches!(timeout(CANCEL_WITHIN, ask).await, Ok(Ok(true)))
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path();
    if !names_this_machine(request.headers()) {
        return (StatusCode::FORBIDDEN, "Forbidden").into_response();
    }
    if request.method() != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if shared.cancel.as_deref() == Some(path) {
        // A page that the user happens to visit is not another login: a browser tells one by these.
        let browsers = ["sec-fetch-site", "origin", "referer", "accept-language"];
        if browsers.iter().any(|name| request.headers().contains_key(*name)) {
            return StatusCode::FORBIDDEN.into_response();
        }
        let _ = shared.callbacks.try_send(Callback::Cancelled);
        return shown(&Page::cancelled());
    }
    if path != shared.path {
        return (StatusCode::NOT_FOUND, "Not Found").into_response();
    }
    let callback = match Pasted::of_query(request.uri().query().unwrap_or_default(), &shared.state) {
        Pasted::Code(code) => Callback::Code(code),
        Pasted::Refused(error, description) => Callback::Refused(error, description),
        Pasted::StateMismatch => return shown(&Page::mismatch()),
        Pasted::Nothing => return shown(&Page::nothing()),
    };
    // The browser may come twice: the first is taken, and each is shown how it ended.
    let _ = shared.callbacks.try_send(callback);
    let mut outcome = shared.outcome.clone();
    match outcome.wait_for(Option::is_some).await {
        Ok(page) => page.as_ref().map_or_else(|| shown(&Page::nothing()), shown),
        Err(_) => shown(&Page::cancelled()),
    }
}

/// Whether the request is to this machine by a name that is always its own. A page at a name that merely leads here, by
/// DNS, is another's.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(Ok(host)), None) = (hosts.next().map(HeaderValue::to_str), hosts.next()) else { return false };
    let Ok(host) = host.parse::<Authority>() else { return false };
    bitrouter_contract::is_loopback(host.host())
}

/// A page as an answer that is kept nowhere and names its address to nobody.
fn shown(page: &Page) -> Response {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::OK);
    let mut response = (status, page.to_string()).into_response();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONNECTION, "close"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
