//! Sending a request: over a connection that is there, or a fresh one, within the deadlines.
//!
//! The pool and HTTP/1.1 connections are our own, HTTP/2 is hyper's: `docs/decisions/0008` and `0010` have the reasons.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::Connection as _;
use tower::Service;

use super::Outgoing;
use super::connect::{Connect, is_loopback};
use super::connection::{Connection, Seen, Stream, Unanswered};
use super::pool::{self, Key, Pool};
use super::reason::{is_timeout, of_opening, reason};
use super::received::{Home, Received};
use super::shared::{Next, Shared};
use super::tls::{self, TlsError};
use super::websocket::Refusals;

/// The system takes this much for a server that does not read.
const LEAST_WINDOW: u64 = 32 << 10;

/// How long a connection without TLS is listened to before anything is sent: an upstream that speaks first does so once it
/// has accepted.
const LISTEN: Duration = Duration::from_millis(1);

/// A stream that is being opened.
type Opening = Pin<Box<dyn Future<Output = Result<Stream, SendError>> + Send>>;

/// A request that is being sent.
type Sending<'s> = Pin<Box<dyn Future<Output = Result<Response<Received>, SendError>> + Send + 's>>;

/// How long each part of an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the request to the first byte of the answer. Models think for minutes.
    pub first_byte: Duration,
    /// Between two reads of the answer.
    pub idle: Duration,
    /// The whole exchange; none by default.
    pub total: Option<Duration>,
}

/// Why an exchange brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No connection was made.
    #[error("no connection to {origin}: {reason}")]
    Connect {
        /// Host and port.
        origin: String,
        /// What the system said.
        reason: String,
    },
    /// None was made within the time that the request allowed. Nothing was sent.
    #[error("no connection to {origin} within {} s", .after.as_secs_f32())]
    Slow {
        /// Host and port.
        origin: String,
        /// That time.
        after: Duration,
    },
    /// TLS has nothing to work with.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The connection was lost before the answer began.
    #[error("the connection to {origin} was lost before an answer came: {reason}")]
    Lost {
        /// Host and port.
        origin: String,
        /// What the system said.
        reason: String,
    },
    /// Something came over a fresh connection before anything was sent. Nothing was.
    #[error("{origin} began to answer before it was asked anything: what it sends belongs to no request")]
    Unasked {
        /// Host and port.
        origin: String,
    },
    /// The first byte did not come in time.
    #[error("{origin} did not begin to answer within {} s", .after.as_secs_f32())]
    FirstByte {
        /// Host and port.
        origin: String,
        /// The deadline.
        after: Duration,
    },
}

impl SendError {
    /// Why, without where.
    pub fn reason(&self) -> String {
        match self {
            SendError::Connect { reason, .. } | SendError::Lost { reason, .. } => reason.clone(),
            other => other.to_string(),
        }
    }

    /// Whether the other side may have read the request.
    pub fn may_have_been_read(&self) -> bool {
        matches!(self, SendError::Lost { .. } | SendError::FirstByte { .. })
    }
}

/// What sends requests to providers.
pub struct Upstream {
    connect: Duration,
    pool: Arc<Pool>,
    plain: Connect,
    secure: OnceLock<Result<Secure, TlsError>>,
    /// Origins that have no WebSockets.
    pub(super) refusals: Refusals,
}

/// What opens TLS connections.
struct Secure {
    /// In the newest protocol that both sides speak.
    newest: HttpsConnector<Connect>,
    /// For origins that want nothing else.
    http1: HttpsConnector<Connect>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("connect", &self.connect).finish_non_exhaustive()
    }
}

impl Upstream {
    /// Connections that may take this long to be made, TLS included. Must be called inside a tokio runtime.
    pub fn new(connect: Duration) -> Self {
        let (plain, refusals) = (Connect::new(connect), Refusals::default());
        Upstream { connect, pool: Pool::start(), plain, secure: OnceLock::new(), refusals }
    }

    /// Sends a request and waits for the head of the answer. A reused idle connection that died before any byte of the
    /// answer is replaced by a fresh one, once. A connection that has to be opened may take as long as the connect deadline,
    /// or as the `connect_within` of a request that has somewhere else to go.
    pub async fn send(
        &self,
        request: Request<Outgoing>,
        deadlines: &Deadlines,
        connect_within: Option<Duration>,
    ) -> Result<Response<Received>, SendError> {
        let key = key_of(request.uri())?;
        let first_byte = deadlines.total.map_or(deadlines.first_byte, |total| total.min(deadlines.first_byte));
        match tokio::time::timeout(first_byte, self.exchange(request, &key, connect_within)).await {
            Ok(answer) => answer,
            Err(_) => Err(SendError::FirstByte { origin: origin(&key), after: first_byte }),
        }
    }

    /// Sends over a connection of its own, and not again: for what must not be done twice. The caller sets the deadline.
    pub async fn send_once(&self, request: Request<Outgoing>) -> Result<Response<Received>, SendError> {
        let key = key_of(request.uri())?;
        Box::pin(self.fresh(request, &key, None)).await
    }

    async fn exchange(
        &self,
        mut request: Request<Outgoing>,
        key: &Key,
        connect_within: Option<Duration>,
    ) -> Result<Response<Received>, SendError> {
        while let Some((mut sender, slot)) = self.pool.shared(key) {
            let again = request.clone();
            let mut unsent = match sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(|body| Received::shared(body, slot))),
                Err(unsent) => unsent,
            };
            if let Some(message) = unsent.take_message() {
                // It never left: the connection is going away, and out of the pool by now.
                request = message;
                continue;
            }
            return match slot.next(&unsent.into_error()).await {
                Next::OverHttp1 => self.over_http1(again, key, connect_within).await,
                Next::OnceMore(reason) => {
                    tracing::debug!(origin = origin(key), reason, "a shared connection died: one retry on a fresh one");
                    self.once_more(again, key, connect_within).await
                }
                Next::Fail(reason) => Err(SendError::Lost { origin: origin(key), reason }),
            };
        }
        if let Some(mut idle) = self.idle(key) {
            match idle.exchange(&request, &key.1).await {
                // Said to nobody: the server was about to close the connection, and has not read the request.
                Ok(head) if head.status() == StatusCode::REQUEST_TIMEOUT => {
                    tracing::debug!(
                        origin = origin(key),
                        "a reused connection had timed out: one retry on a fresh one"
                    );
                }
                Ok(head) => return Ok(head.map(|()| Received::over(idle, self.home(key)))),
                Err(unanswered) if !unanswered.untouched => return Err(lost(key, &unanswered.fault)),
                Err(Unanswered { fault, .. }) => {
                    tracing::debug!(origin = origin(key), %fault, "a reused connection died: one retry on a fresh one");
                }
            }
        }
        // Boxed: making a connection is rare, and its state is large.
        Box::pin(self.fresh_or_another(request, key, connect_within)).await
    }

    /// Sends over a fresh connection, or over another where the first one spoke before it was asked: nothing was sent then.
    async fn fresh_or_another(
        &self,
        request: Request<Outgoing>,
        key: &Key,
        connect_within: Option<Duration>,
    ) -> Result<Response<Received>, SendError> {
        match self.fresh(request.clone(), key, connect_within).await {
            Err(SendError::Unasked { .. }) => self.fresh(request, key, connect_within).await,
            sent => sent,
        }
    }

    /// Sends over a connection that is made for it, and kept afterwards.
    async fn fresh(
        &self,
        request: Request<Outgoing>,
        key: &Key,
        connect_within: Option<Duration>,
    ) -> Result<Response<Received>, SendError> {
        let mut opening = self.open(request.uri(), key, self.pool.uses_only_http1(key))?;
        let stream = match connect_within.filter(|connect_within| *connect_within < self.connect) {
            None => opening.await?,
            Some(after) => match tokio::time::timeout(after, &mut opening).await {
                Ok(stream) => stream?,
                Err(_) => {
                    self.keep_when_open(opening, key);
                    return Err(SendError::Slow { origin: origin(key), after });
                }
            },
        };
        if stream.connected().is_negotiated_h2() {
            let mut shared = Shared::open(stream).await.map_err(|error| lost(key, &error))?;
            let (mut sender, slot) = shared.take();
            self.pool.share(key.clone(), shared);
            let again = request.clone();
            return match sender.send_request(request).await {
                Ok(response) => Ok(response.map(|body| Received::shared(body, slot))),
                Err(error) => match slot.next(&error).await {
                    Next::OverHttp1 => self.over_http1(again, key, connect_within).await,
                    Next::OnceMore(reason) | Next::Fail(reason) => Err(SendError::Lost { origin: origin(key), reason }),
                },
            };
        }
        let mut connection = Connection::new(stream);
        if key.0 == Scheme::HTTP {
            // With TLS there was a handshake to speak in.
            let _ = tokio::time::timeout(LISTEN, connection.readable()).await;
        }
        if connection.look_now() == Seen::Surplus {
            self.pool.surplus_came(key);
            return Err(SendError::Unasked { origin: origin(key) });
        }
        match connection.exchange(&request, &key.1).await {
            Ok(head) => Ok(head.map(|()| Received::over(connection, self.home(key)))),
            Err(Unanswered { fault, untouched: true }) if is_timeout(&fault) && may_be_unread(&request) => {
                tracing::debug!(origin = origin(key), %fault, "a local upstream does not read: once more");
                self.once_more(request, key, connect_within).await
            }
            Err(unanswered) => Err(lost(key, &unanswered.fault)),
        }
    }

    /// Sends once more to an origin that will not have it over HTTP/2 (RFC 9113, section 8.7), and remembers that.
    fn over_http1<'s>(
        &'s self,
        request: Request<Outgoing>,
        key: &'s Key,
        connect_within: Option<Duration>,
    ) -> Sending<'s> {
        tracing::info!(
            origin = origin(key),
            "the upstream wants HTTP/1.1: it is spoken to in nothing else from now on"
        );
        self.pool.use_only_http1(key);
        self.once_more(request, key, connect_within)
    }

    /// Sends over a fresh connection what got no answer over another. Its type is erased, for sending comes here again.
    fn once_more<'s>(
        &'s self,
        request: Request<Outgoing>,
        key: &'s Key,
        connect_within: Option<Duration>,
    ) -> Sending<'s> {
        Box::pin(self.fresh(request, key, connect_within))
    }

    /// Where a connection goes back to.
    fn home(&self, key: &Key) -> Home {
        (Arc::clone(&self.pool), key.clone())
    }

    /// An idle connection that is still alive, and on which nothing came since its last answer.
    fn idle(&self, key: &Key) -> Option<Connection<Stream>> {
        loop {
            let mut connection = self.pool.take(key)?;
            match connection.look_now() {
                Seen::Silence => return Some(connection),
                Seen::End => {}
                Seen::Surplus => self.pool.surplus_came(key),
            }
        }
    }

    /// Opens a stream to an origin: TCP or a proxy's tunnel, and TLS. It borrows nothing, so that it can go on when the
    /// request that wanted it has gone elsewhere.
    fn open(&self, uri: &Uri, key: &Key, only_http1: bool) -> Result<Opening, TlsError> {
        let tls = if key.0 == Scheme::HTTPS {
            let secure = self.secure.get_or_init(|| self.make_secure()).as_ref().map_err(Clone::clone)?;
            Some(if only_http1 { secure.http1.clone() } else { secure.newest.clone() })
        } else {
            None
        };
        let (mut plain, uri, origin, deadline) = (self.plain.clone(), uri.clone(), origin(key), self.connect);
        let proxy = plain.proxy(&uri).ok().flatten();
        let through = proxy.map(|proxy| format!(" through {}", proxy.shown())).unwrap_or_default();
        Ok(Box::pin(async move {
            let stream = async {
                match tls {
                    Some(mut tls) => tls.call(uri).await,
                    None => plain.call(uri).await.map(MaybeHttpsStream::Http),
                }
            };
            let reason = match tokio::time::timeout(deadline, stream).await {
                Ok(Ok(stream)) => return Ok(stream),
                // Each address of a name has its share of the deadline.
                Ok(Err(error)) if !is_timeout(&*error) => of_opening(&*error),
                Ok(Err(_)) | Err(_) => format!("nothing answered within {} s{through}", deadline.as_secs_f32()),
            };
            Err(SendError::Connect { origin, reason })
        }))
    }

    /// Opens a stream of HTTP/1.1 for somebody alone.
    pub(super) async fn open_http1(
        &self,
        uri: &Uri,
        key: &Key,
        connect_within: Option<Duration>,
    ) -> Result<Stream, SendError> {
        let opening = self.open(uri, key, true)?;
        match connect_within.filter(|connect_within| *connect_within < self.connect) {
            None => opening.await,
            Some(after) => match tokio::time::timeout(after, opening).await {
                Ok(stream) => stream,
                Err(_) => Err(SendError::Slow { origin: origin(key), after }),
            },
        }
    }

    /// How long a connection may take to be made.
    pub(super) fn connect_within(&self) -> Duration {
        self.connect
    }

    /// Keeps a connection for later requests once it is open. One for each origin is enough to find out that it can be
    /// reached after all.
    fn keep_when_open(&self, opening: Opening, key: &Key) {
        let (pool, key) = (Arc::clone(&self.pool), key.clone());
        let Some(only) = pool.opens(&key) else { return };
        tokio::spawn(async move {
            if let Ok(stream) = opening.await {
                if stream.connected().is_negotiated_h2() {
                    if let Ok(shared) = Shared::open(stream).await {
                        pool.share(key, shared);
                    }
                } else {
                    pool.put(key, Connection::new(stream));
                }
            }
            drop(only);
        });
    }

    fn make_secure(&self) -> Result<Secure, TlsError> {
        let config = tls::config()?;
        let builder = |config| HttpsConnectorBuilder::new().with_tls_config(config).https_only();
        let newest = builder(config.clone()).enable_http1().enable_http2().wrap_connector(self.plain.clone());
        let http1 = builder(config).enable_http1().wrap_connector(self.plain.clone());
        Ok(Secure { newest, http1 })
    }
}

pub(super) fn key_of(uri: &Uri) -> Result<Key, SendError> {
    pool::key(uri)
        .ok_or_else(|| SendError::Connect { origin: uri.to_string(), reason: "the URL is not absolute".into() })
}

/// Host and port, for errors.
pub(super) fn origin((scheme, authority): &Key) -> String {
    let port = authority.port_u16().unwrap_or(if *scheme == Scheme::HTTPS { 443 } else { 80 });
    format!("{}:{port}", authority.host())
}

/// Whether a request that was not acknowledged may lie before a server that has not read it to its end, being busy with
/// another. Nothing gets lost on loopback, and how long that takes is for the first-byte deadline to say.
fn may_be_unread(request: &Request<Outgoing>) -> bool {
    is_loopback(request.uri()) && request.body().len() > LEAST_WINDOW
}

pub(super) fn lost(key: &Key, error: &(dyn StdError + 'static)) -> SendError {
    SendError::Lost { origin: origin(key), reason: reason(error) }
}
