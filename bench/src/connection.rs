//! One client connection and one exchange on it: send a chat call, read the answer to its end, time both.
//! Used by the load generator. An answer that is not what the mock upstream sends is an error with its first
//! text, never a fast result.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::answers::Behaviour;
use crate::bodies::{self, Kind};
use crate::upstream::RELEASE;

/// Where requests go: by plain HTTP/1.1, or by TLS with HTTP/2 where `tls` is given.
#[derive(Clone)]
pub struct Target {
    /// The address, on loopback.
    pub addr: SocketAddr,
    /// Set to measure a TLS upstream directly.
    pub tls: Option<Arc<ClientConfig>>,
}

/// A request that is sent again and again.
#[derive(Clone)]
pub struct Call {
    /// The JSON body.
    pub body: Bytes,
    /// Where it is sent.
    pub path: String,
    /// The fewest bytes that its answer can have.
    pub least: usize,
    /// What the last bytes of its answer hold, where that is a stream.
    pub last_word: Option<&'static [u8]>,
    /// Where a number stands in the body that is another one in each request.
    pub number: Option<Range<usize>>,
}

/// A number's place, before there is one.
const NUMBER: &str = "-00000000";
/// The number of the next numbered request.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Call {
    /// A call of this kind and size.
    pub fn new(prefix: &str, body: Kind, behaviour: Behaviour) -> Self {
        let model = format!("{prefix}{}", behaviour.model());
        let body = match behaviour {
            Behaviour::Responses => bodies::responses(&model),
            _ => bodies::chat(body, &model, behaviour.streams()),
        };
        Self {
            body: body.into(),
            path: behaviour.path().to_owned(),
            least: behaviour.length(),
            last_word: behaviour.streams().then(|| behaviour.last_word()),
            number: None,
        }
    }

    /// The same, each time for a model of another name.
    pub fn numbered(mut self) -> Result<Self> {
        let text = std::str::from_utf8(&self.body)?;
        let model = Behaviour::Whole.model();
        let at = text.find(model).context("the body names no model that answers whole")? + model.len();
        self.body = [&text[..at], NUMBER, &text[at..]].concat().into();
        self.number = Some(at + 1..at + NUMBER.len());
        Ok(self)
    }

    /// The body of the next request.
    fn next_body(&self) -> Bytes {
        let Some(number) = &self.number else { return self.body.clone() };
        let mut body = self.body.to_vec();
        let next = format!("{:08}", NEXT.fetch_add(1, Relaxed) % 100_000_000);
        body[number.clone()].copy_from_slice(next.as_bytes());
        body.into()
    }
}

/// When an answer's body began and ended, and how it came.
pub struct Timing {
    /// The first byte of the body.
    pub first: Instant,
    /// The last.
    pub end: Instant,
    /// How many targets the gateway says it tried; none from the floor, or if it did not know yet when it began.
    pub attempts: Option<u32>,
}

/// An open connection.
pub struct Connection {
    sender: Sender,
    /// Put before a path: HTTP/2 sends the whole URL.
    base: String,
    host: header::HeaderValue,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Connects, with TCP_NODELAY.
    pub async fn open(target: &Target) -> Result<Self> {
        let Target { addr, tls } = target;
        let stream = TcpStream::connect(addr).await.with_context(|| format!("connect to {addr}"))?;
        stream.set_nodelay(true)?;
        let (sender, base) = match tls {
            None => {
                let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                (Sender::Http1(sender), String::new())
            }
            Some(config) => {
                let stream = TlsConnector::from(config.clone())
                    .connect(ServerName::from(addr.ip()), stream)
                    .await
                    .with_context(|| format!("TLS handshake with {addr}"))?;
                let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                (Sender::Http2(sender), format!("https://{addr}"))
            }
        };
        Ok(Self { sender, base, host: addr.to_string().parse()? })
    }

    /// Sends the call and reads the answer to its end.
    pub async fn exchange(&mut self, call: &Call) -> Result<Timing> {
        let mut response = self.send(call).await?;
        let mut first = None;
        let mut length = 0;
        let mut tail = Vec::new();
        let mut text = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            let Ok(data) = frame.context("read the answer's body")?.into_data() else {
                continue;
            };
            if data.is_empty() {
                continue;
            }
            first.get_or_insert_with(Instant::now);
            length += data.len();
            if text.len() < SHOWN {
                text.extend_from_slice(&data[..data.len().min(SHOWN - text.len())]);
            }
            tail.extend_from_slice(&data[data.len().saturating_sub(TAIL)..]);
            if tail.len() > 4 * TAIL {
                tail.drain(..tail.len() - TAIL);
            }
        }
        let end = Instant::now();

        let status = response.status();
        let text = String::from_utf8_lossy(&text);
        if status != StatusCode::OK {
            bail!("answered {status}: {text}");
        }
        if length < call.least {
            bail!("answered {length} bytes where the upstream sends {}: {text}", call.least);
        }
        let tail = &tail[tail.len().saturating_sub(TAIL)..];
        let said = |word: &[u8]| tail.windows(word.len()).any(|window| window == word);
        if let Some(word) = call.last_word.filter(|word| !said(word)) {
            bail!("the stream does not end with {}: {text}", String::from_utf8_lossy(word));
        }
        Ok(Timing { first: first.unwrap_or(end), end, attempts: attempts(response.headers()) })
    }

    /// Sends the call and waits for the head of the answer, whatever its status.
    pub async fn send(&mut self, call: &Call) -> Result<Response<Incoming>> {
        let uri = format!("{}{}", self.base, call.path).parse()?;
        self.post(uri, call.next_body()).await
    }

    /// Has the mock upstream let go of its held streams; answers how many it had.
    pub async fn release(&mut self) -> Result<usize> {
        let uri = format!("{}{RELEASE}", self.base).parse()?;
        let answer = self.post(uri, Bytes::new()).await?;
        let text = answer.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&text);
        text.parse().with_context(|| format!("the upstream answered `{text}` to {RELEASE}"))
    }

    /// Whether it may be sent another request, as far as is known here.
    pub fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    async fn post(&mut self, uri: Uri, body: Bytes) -> Result<Response<Incoming>> {
        let mut request = Request::post(uri).header(header::CONTENT_TYPE, "application/json").body(Full::new(body))?;
        let response = match &mut self.sender {
            Sender::Http1(sender) => {
                request.headers_mut().insert(header::HOST, self.host.clone());
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        };
        response.context("send a request")
    }
}

/// How many targets were tried, in the gateway's own words.
fn attempts(headers: &header::HeaderMap) -> Option<u32> {
    headers.get("x-bitrouter-attempts")?.to_str().ok()?.parse().ok()
}

/// How much of a wrong answer is shown.
const SHOWN: usize = 600;
/// How far before its end the last word of an answer may stand: Responses repeats all that was said behind it.
const TAIL: usize = 4096;
