//! The mock upstream: answers chat calls by the model's name, over plain HTTP/1.1 or TLS with HTTP/2.
//! Started as a child by `run`, or by hand. It reads every body to its end and looks at the first bytes only.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::answers::{Answer, Behaviour, floods};
use crate::release::release;
use crate::tls;

/// Where held streams are let go; the answer is how many there were.
pub const RELEASE: &str = "/release";

/// Where the upstream says how many endless answers it is sending.
pub const FLOODS: &str = "/floods";

/// A client's header that is nobody's organization here, as it is for OpenAI where the key is of another one.
pub const FOREIGN: &str = "openai-organization";

/// How far into a body the model's name is searched, and how far from its end: there are clients that name it last.
const HEAD: usize = 256;

/// Options of the `upstream` command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where to listen; port 0 lets the system pick.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Speak TLS with HTTP/2, and write the certificate authority (PEM) here.
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Serves until the task is dropped; `ready` is told the address once connections are accepted.
pub async fn serve(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let tls = match &options.ca {
        Some(ca) => Some(TlsAcceptor::from(tls::server(ca)?)),
        None => None,
    };
    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("listen on {}", options.listen))?;
    ready(listener.local_addr()?);
    let tls = Arc::new(tls);
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        stream.set_nodelay(true)?;
        let tls = tls.clone();
        tokio::spawn(async move {
            if let Err(error) = connection(stream, tls.as_ref().as_ref()).await {
                report(&error);
            }
        });
    }
}

async fn connection(stream: TcpStream, tls: Option<&TlsAcceptor>) -> Result<()> {
    match tls {
        None => {
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await?;
        }
        Some(tls) => {
            let stream = tls.accept(stream).await.context("TLS handshake")?;
            hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await?;
        }
    }
    Ok(())
}

/// A client that leaves is no news (a held stream ends that way); anything else is.
fn report(error: &anyhow::Error) {
    let left = error
        .downcast_ref::<hyper::Error>()
        .is_some_and(|e| e.is_incomplete_message() || e.is_canceled() || e.is_closed());
    let cut = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|e| {
            use std::io::ErrorKind as Kind;
            matches!(e.kind(), Kind::ConnectionReset | Kind::BrokenPipe | Kind::UnexpectedEof | Kind::NotConnected)
        })
    });
    // The first few tell what is wrong; a client that tries again and again would fill the screen.
    static REPORTED: AtomicUsize = AtomicUsize::new(0);
    if !left && !cut && REPORTED.fetch_add(1, Relaxed) < 5 {
        eprintln!("upstream: {error:#}");
    }
}

type Reply = Response<Either<Answer, Full<Bytes>>>;

async fn answer(request: Request<Incoming>) -> Result<Reply> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/chat/completions" | "/v1/responses") if request.headers().contains_key(FOREIGN) => {
            let error = "{\"error\":{\"message\":\"OpenAI-Organization header should match organization for API key\",\
                         \"type\":\"invalid_request_error\",\"param\":null,\"code\":\"mismatched_organization\"}}";
            let mut answer = reply(StatusCode::UNAUTHORIZED, error)?;
            answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
            Ok(answer)
        }
        (&Method::POST, "/v1/chat/completions" | "/v1/responses") => generate(request.into_body()).await,
        (&Method::GET, FLOODS) => reply(StatusCode::OK, floods().to_string()),
        (&Method::GET, "/health") => reply(StatusCode::OK, "ok"),
        (&Method::POST, RELEASE) => reply(StatusCode::OK, release().to_string()),
        (method, path) => {
            let text = format!("the mock upstream has no {method} {path}");
            reply(StatusCode::NOT_FOUND, text)
        }
    }
}

async fn generate(mut body: Incoming) -> Result<Reply> {
    let (mut head, mut last) = (Vec::with_capacity(HEAD), Bytes::new());
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.context("read the request's body")?.into_data() {
            let missing = HEAD - head.len();
            head.extend_from_slice(&data[..data.len().min(missing)]);
            last = if data.len() < HEAD { [last, data].concat().into() } else { data };
        }
    }
    let tail = &last[last.len().saturating_sub(HEAD)..];
    let Some(behaviour) = Behaviour::asked_for_in(&head).or_else(|| Behaviour::asked_for_in(tail)) else {
        let text =
            format!("the first and the last {HEAD} bytes name no bench model: {}", String::from_utf8_lossy(&head));
        return reply(StatusCode::NOT_FOUND, text);
    };
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, behaviour.content_type())
        .body(Either::Left(behaviour.answer()))?)
}

fn reply(status: StatusCode, text: impl Into<Bytes>) -> Result<Reply> {
    Ok(Response::builder().status(status).body(Either::Right(Full::new(text.into())))?)
}
