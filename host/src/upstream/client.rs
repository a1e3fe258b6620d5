//! The pooled HTTP client, and the deadlines of one exchange.
//!
//! hyper-util's client rather than reqwest on this path: its pool can be tuned, and its bodies let several frames leave
//! in one write.

use std::sync::OnceLock;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::Outgoing;
use super::connect::Connect;
use super::tls::{self, TlsError};

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

/// Providers close idle connections after some minutes; below that a connection is worth keeping.
const POOL_IDLE: Duration = Duration::from_secs(90);

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

type Pool<C> = Client<C, Outgoing>;

/// What sends requests to providers: one pool of connections for all origins.
pub struct Upstream {
    connect: Duration,
    plain: Pool<Connect>,
    secure: OnceLock<Result<Pool<HttpsConnector<Connect>>, TlsError>>,
}

fn builder() -> hyper_util::client::legacy::Builder {
    let mut builder = Client::builder(TokioExecutor::new());
    builder
        .pool_idle_timeout(POOL_IDLE)
        .pool_timer(TokioTimer::new())
        .timer(TokioTimer::new())
        // Windows as large as browsers have, so that a long answer never waits for an update.
        .http2_initial_stream_window_size(2 << 20)
        .http2_initial_connection_window_size(16 << 20)
        .http2_keep_alive_interval(Duration::from_secs(30))
        .http2_keep_alive_timeout(Duration::from_secs(15));
    builder
}

impl Upstream {
    /// A pool whose TCP handshakes may take this long.
    pub fn new(connect: Duration) -> Self {
        Upstream { connect, plain: builder().build(Connect::new(connect)), secure: OnceLock::new() }
    }

    /// Sends a request and waits for the head of the answer. A reused idle connection that died before it took the
    /// request is replaced by a fresh one, once.
    pub async fn send(
        &self,
        request: Request<Outgoing>,
        deadlines: &Deadlines,
    ) -> Result<Response<Incoming>, SendError> {
        let uri = request.uri().clone();
        let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let response =
            async { if secure { Ok(self.secure()?.request(request)) } else { Ok(self.plain.request(request)) } };
        let response = response.await.map_err(SendError::Tls)?;
        let origin =
            || format!("{}:{}", uri.host().unwrap_or("?"), uri.port_u16().unwrap_or(if secure { 443 } else { 80 }));
        let first_byte = deadlines.total.map_or(deadlines.first_byte, |total| total.min(deadlines.first_byte));
        match tokio::time::timeout(first_byte, response).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                Err(SendError::Connect { origin: origin(), reason: innermost(&error) })
            }
            Ok(Err(error)) => Err(SendError::Lost { origin: origin(), reason: innermost(&error) }),
            Err(_) => Err(SendError::FirstByte { origin: origin(), after: first_byte }),
        }
    }

    fn secure(&self) -> Result<&Pool<HttpsConnector<Connect>>, TlsError> {
        let made = self.secure.get_or_init(|| {
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls::config()?)
                .https_only()
                .enable_http1()
                .enable_http2()
                .wrap_connector(Connect::new(self.connect));
            Ok(builder().build(connector))
        });
        made.as_ref().map_err(Clone::clone)
    }
}

/// The cause that says what really happened: "connection refused" rather than "client error (Connect)".
fn innermost(error: &ClientError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
