//! What an abuse is done with: the gateway's address, raw connections to it, and a count of what became of them. The
//! abuses call it; it knows nothing of the calm client beside them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// An answer that has not come by then is counted as none.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// A connection that is not made by then is not made.
const CONNECTS: Duration = Duration::from_secs(10);
/// After an answer that is no 200, so that a refusal does not become a flood of its own.
const PAUSE: Duration = Duration::from_millis(50);

/// Where an abuse happens.
pub struct Scene {
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// What became of the abuser's requests and connections: how many of each.
    told: Mutex<BTreeMap<String, u64>>,
    under_way: Notify,
}

impl Scene {
    /// Nothing has happened yet.
    pub fn new(gateway: SocketAddr) -> Arc<Self> {
        Arc::new(Self { gateway, told: Mutex::default(), under_way: Notify::new() })
    }

    /// Counts something that happened.
    pub fn tell(&self, what: impl Into<String>) {
        *self.lock().entry(what.into()).or_default() += 1;
    }

    /// What happened, as one line.
    pub fn told(&self) -> String {
        let told = self.lock();
        let parts: Vec<String> = told.iter().map(|(what, times)| format!("{what} × {times}")).collect();
        parts.join(", ")
    }

    /// Says that the abuse is in full swing.
    pub fn is_under_way(&self) {
        self.under_way.notify_one();
    }

    /// Waits for that.
    pub async fn wait_until_under_way(&self) {
        self.under_way.notified().await;
    }

    /// A connection of the abuser's.
    pub async fn connect(&self) -> Result<TcpStream> {
        let stream =
            timeout(CONNECTS, TcpStream::connect(self.gateway)).await.context("no connection within 10 s")??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Has `workers` of them do this again and again, for as long as it is awaited. The first request counts as the
    /// abuse's beginning.
    pub async fn again_and_again<F>(
        self: &Arc<Self>,
        workers: usize,
        deed: impl Fn(Arc<Self>, usize) -> F + Clone + Send + 'static,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for worker in 0..workers {
            let (scene, deed) = (self.clone(), deed.clone());
            tasks.spawn(async move {
                loop {
                    if let Err(error) = deed(scene.clone(), worker).await {
                        scene.tell(format!("{}", error.root_cause()));
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            });
        }
        self.is_under_way();
        // None ends but by a panic, which is the abuse's end.
        tasks.join_next().await.transpose().map(drop).context("one who does it panicked")
    }

    /// Sends this and reads the answer to its end; counts its status.
    pub async fn post(&self, post: &Post) -> Result<()> {
        let status = timeout(ANSWER_WITHIN, self.exchange(post)).await;
        match status {
            Ok(Ok(200)) => self.tell("200"),
            Ok(Ok(status)) => {
                self.tell(status.to_string());
                tokio::time::sleep(PAUSE).await;
            }
            Ok(Err(error)) => return Err(error),
            Err(_) => self.tell("no answer"),
        }
        Ok(())
    }

    async fn exchange(&self, post: &Post) -> Result<u16> {
        let stream = self.connect().await?;
        let (mut from, mut to) = stream.into_split();
        let (head, body) = (post.head(self.gateway), post.body.clone());
        // Beside the reading: who is refused is told so before all is sent.
        let sending = async move {
            let _ = to.write_all(&head).await;
            let _ = to.write_all(&body).await;
            to
        };
        let reading = async {
            let mut status = [0; 12];
            from.read_exact(&mut status).await.context("closed without an answer")?;
            let code = std::str::from_utf8(&status[9..]).ok().and_then(|code| code.parse().ok());
            let mut rest = vec![0; 16 << 10];
            while matches!(from.read(&mut rest).await, Ok(1..)) {}
            anyhow::Ok(code.unwrap_or_default())
        };
        let mut reading = std::pin::pin!(reading);
        tokio::select! {
            code = &mut reading => code,
            _to = sending => reading.await,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        // Nothing that runs under the lock can leave it half changed.
        self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A request of an abuser's.
#[derive(Clone)]
pub struct Post {
    path: &'static str,
    headers: String,
    /// What follows the head, as it goes over the wire.
    pub body: Bytes,
}

impl Post {
    /// A JSON body for this path.
    pub fn new(path: &'static str, body: impl Into<Bytes>) -> Self {
        Self { path, headers: String::new(), body: body.into() }
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers += &format!("{name}: {value}\r\n");
        self
    }

    /// Its head, which says the body's whole length and that the connection ends with the answer.
    pub fn head(&self, host: SocketAddr) -> Vec<u8> {
        let Self { path, headers, body } = self;
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        )
        .into_bytes()
    }
}
