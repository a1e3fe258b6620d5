//! An upstream that ends its answers as the model's name says: over TCP, over TLS, or over HTTP/2. It stops when it is
//! dropped.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use tempfile::NamedTempFile;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::case::{Case, Ending, Framing, Transport};
use crate::tls;

/// Longer than anybody waits here.
const FOR_EVER: Duration = Duration::from_secs(120);
/// So that a piece is read before what ends the answer comes.
const PIECE: Duration = Duration::from_millis(30);

pub(super) struct Upstream {
    address: SocketAddr,
    authority: Option<NamedTempFile>,
    _stop: oneshot::Sender<()>,
}

impl Upstream {
    pub(super) fn start(transport: Transport) -> Self {
        let protocol = if transport == Transport::Http2 { "h2" } else { "http/1.1" };
        let (config, authority) = match transport {
            Transport::Plain => (None, None),
            _ => {
                let (config, authority) = tls::certified(&[protocol]);
                (Some(config), Some(authority))
            }
        };
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                let accept = async {
                    while let Ok((socket, _)) = listener.accept().await {
                        socket.set_nodelay(true).unwrap();
                        tokio::spawn(serve(socket, config.clone().map(TlsAcceptor::from), transport));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, authority, _stop: stop }
    }

    pub(super) fn origin(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/v1", self.address)
    }

    pub(super) fn authority(&self) -> Option<&Path> {
        self.authority.as_ref().map(NamedTempFile::path)
    }
}

async fn serve(socket: TcpStream, tls: Option<TlsAcceptor>, transport: Transport) {
    match tls {
        None => http1(socket).await,
        Some(tls) => {
            let Ok(stream) = tls.accept(socket).await else { return };
            match transport {
                Transport::Http2 => http2(stream).await,
                _ => http1(stream).await,
            }
        }
    }
}

/// A connection that can be ended in every way.
trait Connection: AsyncRead + AsyncWrite + Unpin {
    /// The socket, for an end that TLS does not know of.
    fn socket(self) -> TcpStream;
}

impl Connection for TcpStream {
    fn socket(self) -> TcpStream {
        self
    }
}

impl Connection for TlsStream<TcpStream> {
    fn socket(self) -> TcpStream {
        self.into_inner().0
    }
}

/// One request after the other, until an answer ends the connection.
async fn http1(connection: impl Connection) {
    let mut connection = BufReader::new(connection);
    while let Some(case) = request(&mut connection).await {
        if answer(connection.get_mut(), &case).await.is_err() {
            return;
        }
        match case.ending {
            Ending::Whole | Ending::NoLastWord | Ending::ErrorEvent if !closes(case.framing) => {}
            Ending::Silence | Ending::SilenceAfterLastWord => return tokio::time::sleep(FOR_EVER).await,
            Ending::Reset => {
                let socket = connection.into_inner().socket();
                socket.set_zero_linger().unwrap();
                return;
            }
            Ending::NoFarewell | Ending::NoFarewellAfterLastWord => {
                drop(connection.into_inner().socket());
                return;
            }
            _ => {
                let _ = connection.get_mut().shutdown().await;
                return;
            }
        }
    }
}

fn closes(framing: Framing) -> bool {
    matches!(framing, Framing::Close | Framing::TlsClose)
}

fn is_chunked(framing: Framing) -> bool {
    matches!(framing, Framing::Chunked | Framing::TlsChunked)
}

/// Reads a request; none once the connection is closed.
async fn request(from: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Case> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await.ok()?;
    asked_for(&body)
}

/// The case that a body's model names; none of a body that was cut, whose request comes again.
fn asked_for(body: &[u8]) -> Option<Case> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let model = body["model"].as_str().unwrap();
    Some(Case::named(model).unwrap_or_else(|| panic!("no case is called {model}")))
}

/// Writes the head and the body, up to what ends it.
async fn answer(to: &mut (impl AsyncWrite + Unpin), case: &Case) -> std::io::Result<()> {
    let body = case.body();
    let length: usize = body.iter().map(String::len).sum();
    let said = match case.ending {
        Ending::LengthTooShort => length - 20,
        Ending::Whole | Ending::NoLastWord | Ending::ErrorEvent => length,
        _ => length + 1_000,
    };
    let framing = match case.framing {
        Framing::Length | Framing::TlsLength => format!("content-length: {said}\r\n"),
        framing if is_chunked(framing) => "transfer-encoding: chunked\r\n".to_owned(),
        _ => String::new(),
    };
    let content_type = if case.streamed { "text/event-stream" } else { "application/json" };
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n{framing}\r\n");
    to.write_all(head.as_bytes()).await?;
    for piece in body {
        let piece = if is_chunked(case.framing) { format!("{:x}\r\n{piece}\r\n", piece.len()) } else { piece };
        to.write_all(piece.as_bytes()).await?;
        to.flush().await?;
        tokio::time::sleep(PIECE).await;
    }
    let ends = matches!(case.ending, Ending::Whole | Ending::NoLastWord | Ending::ErrorEvent);
    if is_chunked(case.framing) && ends {
        to.write_all(b"0\r\n\r\n").await?;
    }
    to.flush().await
}

/// A connection with one stream after the other, each of which may end it.
async fn http2(connection: TlsStream<TcpStream>) {
    // One stream at a time: a connection that ends takes no other case with it.
    let handshake = h2::server::Builder::new().max_concurrent_streams(1).handshake(connection);
    let Ok(mut connection) = handshake.await else { return };
    let (ends, mut ended) = tokio::sync::mpsc::unbounded_channel();
    // A client frees its place at the last word, before the connection ends: what comes then is not answered half, but
    // goes away unseen, and is asked again.
    let closing = Arc::new(AtomicBool::new(false));
    let mut unseen = Vec::new();
    loop {
        let ending = tokio::select! {
            accepted = connection.accept() => {
                let Some(Ok((request, mut respond))) = accepted else { return };
                if closing.load(Ordering::Relaxed) {
                    unseen.push((request, respond));
                    continue;
                }
                let (ends, closing) = (ends.clone(), Arc::clone(&closing));
                tokio::spawn(async move {
                    let Some(case) = asked_for(&whole(request.into_body()).await) else { return };
                    closing.store(case.ending.ends_connection(), Ordering::Relaxed);
                    let content_type = if case.streamed { "text/event-stream" } else { "application/json" };
                    let head = hyper::Response::builder().header("content-type", content_type).body(()).unwrap();
                    let Ok(body) = respond.send_response(head, false) else { return };
                    send(body, &case, &ends).await;
                });
                continue;
            }
            Some(ending) = ended.recv() => ending,
        };
        match ending {
            Ending::GoAwayThenWhole => connection.graceful_shutdown(),
            Ending::GoAway => {
                connection.abrupt_shutdown(Reason::INTERNAL_ERROR);
                // Until it is written.
                let _ = std::future::poll_fn(|cx| connection.poll_closed(cx)).await;
                return;
            }
            _ => return,
        }
    }
}

async fn whole(mut body: RecvStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        bytes.extend_from_slice(&data);
    }
    bytes
}

/// Sends a body; what ends the connection is told to its task.
async fn send(mut to: SendStream<Bytes>, case: &Case, ends: &tokio::sync::mpsc::UnboundedSender<Ending>) {
    let pieces = case.body();
    let before_farewell = pieces.len() / 2;
    for (number, piece) in pieces.into_iter().enumerate() {
        if number == before_farewell && case.ending == Ending::GoAwayThenWhole {
            let _ = ends.send(case.ending);
        }
        if to.send_data(piece.into(), false).is_err() {
            return;
        }
        tokio::time::sleep(PIECE).await;
    }
    match case.ending {
        Ending::Whole | Ending::NoLastWord | Ending::ErrorEvent | Ending::GoAwayThenWhole => {
            let _ = to.send_data(Bytes::new(), true);
        }
        Ending::StreamReset | Ending::StreamResetAfterLastWord => {
            // A reset overtakes what is not written yet.
            tokio::time::sleep(10 * PIECE).await;
            let after_last_word = case.ending == Ending::StreamResetAfterLastWord;
            to.send_reset(if after_last_word { Reason::NO_ERROR } else { Reason::INTERNAL_ERROR });
        }
        Ending::Silence | Ending::SilenceAfterLastWord => tokio::time::sleep(FOR_EVER).await,
        ending => {
            let _ = ends.send(ending);
            // The stream lives until the connection has ended.
            tokio::time::sleep(FOR_EVER).await;
        }
    }
}
