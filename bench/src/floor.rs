//! The floor: a bare reverse proxy of hyper and its pooled client, which streams both bodies through unseen.
//! What the gateway costs is told as a ratio to this. It must stay bare: no logging, no buffering, no limits,
//! and as many worker threads as the gateway has.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, header};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;

use crate::tls;

/// Options of the `floor` command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where to listen; port 0 lets the system pick.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// The upstream's address.
    #[arg(long)]
    pub upstream: SocketAddr,
    /// Reach the upstream by TLS with HTTP/2, trusting this authority (PEM).
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
}

/// Proxies until the task is dropped; `ready` is told the address once connections are accepted.
pub async fn serve(options: Options, ready: impl FnOnce(SocketAddr)) -> Result<()> {
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    match &options.ca {
        None => proxy(&options, tcp, false, ready).await,
        Some(ca) => {
            let https: HttpsConnector<_> = HttpsConnectorBuilder::new()
                .with_tls_config(tls::client(ca)?)
                .https_only()
                .enable_http2()
                .wrap_connector(tcp);
            proxy(&options, https, true, ready).await
        }
    }
}

async fn proxy<C>(options: &Options, connector: C, tls: bool, ready: impl FnOnce(SocketAddr)) -> Result<()>
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let client: Client<C, Incoming> = Client::builder(TokioExecutor::new()).http2_only(tls).build(connector);
    let scheme = if tls { "https" } else { "http" };
    let origin = format!("{scheme}://{}", options.upstream);

    let listener = TcpListener::bind(options.listen).await.with_context(|| format!("listen on {}", options.listen))?;
    ready(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        stream.set_nodelay(true)?;
        let client = client.clone();
        let origin = origin.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| forward(&client, &origin, request));
            // A client that leaves ends its connection, which is all there is to do about it.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward<C>(
    client: &Client<C, Incoming>,
    origin: &str,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>>
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let Some(path) = request.uri().path_and_query() else {
        bail!("a request without a path");
    };
    *request.uri_mut() = format!("{origin}{path}").parse::<Uri>()?;
    request.headers_mut().remove(header::HOST);
    Ok(client.request(request).await?)
}
