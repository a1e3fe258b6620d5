//! Asking a running gateway over its control socket. `status` and `reload` call it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use http::StatusCode;
use serde::de::DeserializeOwned;

use super::{Cleared, NotCleared, NotReloaded, Reloaded, Status, Which};
use crate::config::Paths;

/// How long a gateway may take to say how it is. A reload may compile components, and takes what it takes.
const ANSWER: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no gateway is running with this home ({}). Start one: bitrouter serve", .0.display())]
    NotRunning(PathBuf),
    /// There are no such sockets here.
    #[error("a running gateway cannot be asked on this system yet: there is no control socket. Its log says how it is")]
    NotHere,
    /// Something went wrong on the way.
    #[error("{}: {reason}", path.display())]
    Failed {
        /// The socket.
        path: PathBuf,
        /// What.
        reason: String,
    },
}

/// Asks the gateway of one home.
pub struct Client {
    path: PathBuf,
}

impl Client {
    /// For the gateway of this home.
    pub fn new(paths: &Paths) -> Self {
        Client { path: paths.control_socket() }
    }

    /// How the gateway is.
    pub async fn status(&self) -> Result<Status, AskError> {
        let asked = tokio::time::timeout(ANSWER, self.ask("GET", "/status", String::new())).await;
        let late = |_| self.failed(format!("the gateway did not answer within {} s", ANSWER.as_secs()));
        let (_, body) = asked.map_err(late)??;
        self.read(&body)
    }

    /// Lets the gateway read its config and its components again.
    pub async fn reload(&self) -> Result<Result<Reloaded, NotReloaded>, AskError> {
        let (status, body) = self.ask("POST", "/reload", String::new()).await?;
        match status {
            StatusCode::CONFLICT => Ok(Err(self.read(&body)?)),
            _ => Ok(Ok(self.read(&body)?)),
        }
    }

    /// Lifts cooldowns.
    pub async fn clear(&self, which: &Which) -> Result<Result<Cleared, NotCleared>, AskError> {
        let body = serde_json::to_string(which).map_err(|error| self.failed(error.to_string()))?;
        let (status, body) = self.ask("POST", "/clear", body).await?;
        match status {
            StatusCode::CONFLICT => Ok(Err(self.read(&body)?)),
            _ => Ok(Ok(self.read(&body)?)),
        }
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, AskError> {
        serde_json::from_slice(body).map_err(|error| {
            self.failed(format!("the gateway's answer is not understood ({error}): it may be of another version"))
        })
    }

    fn failed(&self, reason: String) -> AskError {
        AskError::Failed { path: self.path.clone(), reason }
    }

    #[cfg(unix)]
    async fn ask(&self, method: &str, path: &str, body: String) -> Result<(StatusCode, bytes::Bytes), AskError> {
        use http::header::{CONTENT_TYPE, HOST};
        use http_body_util::BodyExt;

        let stream = tokio::net::UnixStream::connect(&self.path).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning(self.path.clone()),
            _ => self.failed(error.to_string()),
        })?;
        let lost = |error: hyper::Error| self.failed(format!("the gateway went away: {error}"));
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.map_err(lost)?;
        tokio::spawn(connection);
        let request = http::Request::builder().method(method).uri(path).header(HOST, "gateway");
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|error| self.failed(error.to_string()))?;
        let response = sender.send_request(request).await.map_err(lost)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(lost)?.to_bytes();
        match status {
            StatusCode::OK | StatusCode::CONFLICT => Ok((status, body)),
            StatusCode::NOT_FOUND => {
                Err(self.failed("the gateway that runs does not know this: it is of an older version".into()))
            }
            _ => Err(self.failed(format!("{status}: {}", String::from_utf8_lossy(&body)))),
        }
    }

    #[cfg(not(unix))]
    async fn ask(&self, _: &str, _: &str, _: String) -> Result<(StatusCode, bytes::Bytes), AskError> {
        Err(AskError::NotHere)
    }
}
