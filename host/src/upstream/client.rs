//! Sending a request: over a connection that is there, or a fresh one, within the deadlines.
//!
//! The pool and HTTP/1.1 connections are our own, HTTP/2 is hyper's: `docs/decisions/0008` and `0010` have the reasons.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::uri::Scheme;
use http::{Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::Connection as _;
use tower::Service;

use super::Outgoing;
use super::connect::Connect;
use super::connection::{Connection, Stream, Unanswered};
use super::pool::{self, Key, Pool};
use super::received::{Home, Received};
use super::shared::{self, Shared};
use super::tls::{self, TlsError};

/// A stream that is being opened.
type Opening = Pin<Box<dyn Future<Output = Result<Stream, SendError>> + Send>>;

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
    /// None was made within the patience that the request had. Nothing was sent.
    #[error("no connection to {origin} within {} s", .after.as_secs_f32())]
    Slow {
        /// Host and port.
        origin: String,
        /// The patience.
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
    /// The first byte did not come in time.
    #[error("{origin} did not begin to answer within {} s", .after.as_secs_f32())]
    FirstByte {
        /// Host and port.
        origin: String,
        /// The deadline.
        after: Duration,
    },
}

/// What sends requests to providers.
pub struct Upstream {
    connect: Duration,
    pool: Arc<Pool>,
    plain: Connect,
    secure: OnceLock<Result<HttpsConnector<Connect>, TlsError>>,
}

impl Upstream {
    /// Connections that may take this long to be made, TLS included. Must be called inside a tokio runtime.
    pub fn new(connect: Duration) -> Self {
        Upstream { connect, pool: Pool::start(), plain: Connect::new(connect), secure: OnceLock::new() }
    }

    /// Sends a request and waits for the head of the answer. A reused idle connection that died before any byte of the
    /// answer is replaced by a fresh one, once. A connection that has to be opened may take as long as the connect deadline,
    /// or as the `patience` of a request that has somewhere else to go.
    pub async fn send(
        &self,
        request: Request<Outgoing>,
        deadlines: &Deadlines,
        patience: Option<Duration>,
    ) -> Result<Response<Received>, SendError> {
        let Some(key) = pool::key(request.uri()) else {
            return Err(SendError::Connect {
                origin: request.uri().to_string(),
                reason: "the URL is not absolute".into(),
            });
        };
        let first_byte = deadlines.total.map_or(deadlines.first_byte, |total| total.min(deadlines.first_byte));
        match tokio::time::timeout(first_byte, self.exchange(request, &key, patience)).await {
            Ok(answer) => answer,
            Err(_) => Err(SendError::FirstByte { origin: origin(&key), after: first_byte }),
        }
    }

    async fn exchange(
        &self,
        mut request: Request<Outgoing>,
        key: &Key,
        patience: Option<Duration>,
    ) -> Result<Response<Received>, SendError> {
        while let Some((mut sender, place)) = self.pool.shared(key) {
            let again = request.clone();
            let mut unsent = match sender.try_send_request(request).await {
                Ok(response) => return Ok(response.map(|body| Received::shared(body, place))),
                Err(unsent) => unsent,
            };
            if let Some(message) = unsent.take_message() {
                // It never left: the connection is going away, and out of the pool by now.
                request = message;
                continue;
            }
            let error = unsent.into_error();
            if !shared::may_repeat(&error) {
                return Err(lost(key, &error));
            }
            tracing::debug!(origin = origin(key), %error, "a shared connection died: one retry on a fresh one");
            return Box::pin(self.fresh(again, key, patience)).await;
        }
        if let Some(mut idle) = self.idle(key).await {
            match idle.exchange(&request, &key.1).await {
                Ok(head) => return Ok(head.map(|()| Received::over(idle, self.home(key)))),
                Err(unanswered) if !unanswered.untouched => return Err(lost(key, &unanswered.fault)),
                Err(Unanswered { fault, .. }) => {
                    tracing::debug!(origin = origin(key), %fault, "a reused connection died: one retry on a fresh one");
                }
            }
        }
        // Boxed: making a connection is rare, and its state is large.
        Box::pin(self.fresh(request, key, patience)).await
    }

    /// Sends over a connection that is made for it, and kept afterwards.
    async fn fresh(
        &self,
        request: Request<Outgoing>,
        key: &Key,
        patience: Option<Duration>,
    ) -> Result<Response<Received>, SendError> {
        let mut opening = self.open(request.uri(), origin(key))?;
        let stream = match patience.filter(|patience| *patience < self.connect) {
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
            let lost = |error| lost(key, &error);
            let mut shared = Shared::open(stream).await.map_err(lost)?;
            let (mut sender, place) = shared.take();
            self.pool.share(key.clone(), shared);
            let response = sender.send_request(request).await.map_err(lost)?;
            return Ok(response.map(|body| Received::shared(body, place)));
        }
        let mut connection = Connection::new(stream);
        match connection.exchange(&request, &key.1).await {
            Ok(head) => Ok(head.map(|()| Received::over(connection, self.home(key)))),
            Err(unanswered) => Err(lost(key, &unanswered.fault)),
        }
    }

    /// Where a connection goes back to.
    fn home(&self, key: &Key) -> Home {
        (Arc::clone(&self.pool), key.clone())
    }

    /// An idle connection that is still alive.
    async fn idle(&self, key: &Key) -> Option<Connection<Stream>> {
        loop {
            let mut connection = self.pool.take(key)?;
            let alive = std::future::poll_fn(|context| std::task::Poll::Ready(connection.poll_alive(context))).await;
            if alive {
                return Some(connection);
            }
        }
    }

    /// Opens a stream to an origin: TCP or a proxy's tunnel, and TLS. It borrows nothing, so that it can go on when the
    /// request that wanted it has gone elsewhere.
    fn open(&self, uri: &Uri, origin: String) -> Result<Opening, TlsError> {
        let tls = if uri.scheme() == Some(&Scheme::HTTPS) { Some(self.secure()?.clone()) } else { None };
        let (mut plain, uri, deadline) = (self.plain.clone(), uri.clone(), self.connect);
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
                Ok(Err(error)) if !is_timeout(&*error) => innermost(&*error),
                Ok(Err(_)) | Err(_) => format!("nothing answered within {} s", deadline.as_secs_f32()),
            };
            Err(SendError::Connect { origin, reason })
        }))
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

    fn secure(&self) -> Result<&HttpsConnector<Connect>, TlsError> {
        let made = self.secure.get_or_init(|| {
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls::config()?)
                .https_only()
                .enable_http1()
                .enable_http2()
                .wrap_connector(Connect::new(self.connect));
            Ok(connector)
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// Host and port, for errors.
fn origin((scheme, authority): &Key) -> String {
    let port = authority.port_u16().unwrap_or(if *scheme == Scheme::HTTPS { 443 } else { 80 });
    format!("{}:{port}", authority.host())
}

fn lost(key: &Key, error: &(dyn StdError + 'static)) -> SendError {
    SendError::Lost { origin: origin(key), reason: innermost(error) }
}

fn is_timeout(error: &(dyn StdError + 'static)) -> bool {
    let here = error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == ErrorKind::TimedOut);
    here || error.source().is_some_and(is_timeout)
}

/// The cause that says what really happened: "connection refused" rather than "client error (Connect)".
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    match cause.downcast_ref::<h2::Error>().and_then(h2::Error::reason) {
        // What HTTP/2 calls "not a result of an error".
        Some(h2::Reason::NO_ERROR) => "the server ended it early and gave no reason".to_owned(),
        _ => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_ended_without_a_reason_reads_as_that() {
        let ended = h2::Error::from(h2::Reason::NO_ERROR);
        assert_eq!(innermost(&ended), "the server ended it early and gave no reason");
        assert!(innermost(&h2::Error::from(h2::Reason::INTERNAL_ERROR)).contains("internal error"));
    }
}
