//! One GET: over TLS or to this machine, bounded, with redirects that never carry a credential, and a bar where it takes long.

use std::time::Duration;

use bitrouter_contract::is_loopback;
use bitrouter_upstream::{Deadlines, Outgoing, Received, Upstream};
use bitrouter_wait::Ends;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, LOCATION, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use url::Url;

use super::FetchError;

/// How long a connection may take, and the silence between two pieces.
const CONNECT: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(30);
/// Redirects that are followed: a registry needs one to its store.
const REDIRECTS: usize = 5;
/// How often a server that is busy is asked, and how long it is waited for at most.
const TRIES: usize = 3;
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// From here on a person wonders how much is left, in bytes.
const WORTH_A_BAR: u64 = 256 << 10;
/// What is read of an answer that is a failure.
const FAILURE: u64 = 16 << 10;

/// What asks.
pub(super) struct Web {
    upstream: Upstream,
}

/// What came.
#[derive(Debug)]
pub(super) struct Got {
    /// The URL that was asked for in the end, for errors.
    pub url: Url,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

/// Whether a URL may be asked for.
///
/// # Errors
///
/// It may not; as the end of a sentence.
pub(super) fn check(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        _ if host.is_empty() => return Err("names no server".into()),
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => {
            return Err(format!(
                "is without TLS, so anybody on the way could put other code there: write https://{host}"
            ));
        }
        other => return Err(format!("is {other}, and neither https nor oci")),
    }
    match url.username().is_empty() && url.password().is_none() {
        true => Ok(()),
        false => Err("has a name or password in it, which would be written into plugins.lock".into()),
    }
}

impl Web {
    /// Must be called inside a runtime.
    pub(super) fn new() -> Self {
        Web { upstream: Upstream::new(CONNECT) }
    }

    /// Asks for a URL. `credential` goes to its very server, and along no redirect. No more than `most` bytes are read.
    pub(super) async fn get(
        &self,
        url: &Url,
        accept: &str,
        credential: Option<&HeaderValue>,
        most: u64,
    ) -> Result<Got, FetchError> {
        let mut tries = 1;
        loop {
            let got = self.once(url, accept, credential, most).await?;
            let is_busy = matches!(got.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if !is_busy || tries == TRIES {
                return Ok(got);
            }
            let Some(wait) = got.asks_to_wait() else { return Ok(got) };
            tries += 1;
            tokio::time::sleep(wait).await;
        }
    }

    async fn once(
        &self,
        url: &Url,
        accept: &str,
        credential: Option<&HeaderValue>,
        most: u64,
    ) -> Result<Got, FetchError> {
        let (mut url, mut credential) = (url.clone(), credential);
        for _ in 0..=REDIRECTS {
            let answer = self.send(&url, accept, credential).await?;
            let next = answer.headers().get(LOCATION).filter(|_| answer.status().is_redirection());
            let Some(next) = next else { return read(url, answer, most).await };
            let next = next.to_str().ok().and_then(|next| url.join(next).ok());
            let next = next.ok_or_else(|| FetchError::refused(&url, "it redirects to what is no URL"))?;
            check(&next).map_err(|why| FetchError::refused(&url, format!("it redirects to {next}, which {why}")))?;
            url = next;
            credential = None;
        }
        Err(FetchError::refused(&url, format!("it redirects more than {REDIRECTS} times")))
    }

    async fn send(
        &self,
        url: &Url,
        accept: &str,
        credential: Option<&HeaderValue>,
    ) -> Result<Response<Received>, FetchError> {
        let mut request = Request::get(url.as_str())
            .header(ACCEPT, accept)
            .header(USER_AGENT, concat!("bitrouter/", env!("CARGO_PKG_VERSION")));
        if let Some(credential) = credential {
            request = request.header(AUTHORIZATION, credential);
        }
        let request = request.body(Outgoing::default()).map_err(|error| FetchError::refused(url, error.to_string()))?;
        let deadlines = Deadlines { first_byte: SILENCE, idle: SILENCE, total: None };
        let sent = self.upstream.send(request, &deadlines, None).await;
        sent.map_err(|error| FetchError::refused(url, error.to_string()))
    }
}

impl Got {
    /// Its bytes, where it was given.
    pub(super) fn body(self) -> Result<Vec<u8>, FetchError> {
        match self.status {
            StatusCode::OK => Ok(self.bytes),
            _ => Err(self.failure()),
        }
    }

    /// What is wrong with it.
    pub(super) fn failure(&self) -> FetchError {
        let next = match self.status {
            StatusCode::NOT_FOUND => ": there is nothing by that name",
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": it wants a login, or yours may not read it",
            StatusCode::TOO_MANY_REQUESTS => ": it was asked too often. Try again later",
            _ => "",
        };
        FetchError::refused(&self.url, format!("it answers {}{next}", self.status))
    }

    /// How long it asks to be left alone, where that is short enough to be waited for.
    fn asks_to_wait(&self) -> Option<Duration> {
        match Ends::read(self.headers.get(RETRY_AFTER)?.to_str().ok()?)? {
            Ends::After(after) => Some(Duration::from_millis(after)).filter(|wait| *wait <= LONGEST_WAIT),
            Ends::At(_) => None,
        }
    }
}

/// Reads an answer to its end, which has to come: one that breaks off is none.
async fn read(url: Url, answer: Response<Received>, most: u64) -> Result<Got, FetchError> {
    let (head, mut body) = answer.into_parts();
    let most = if head.status.is_success() { most } else { FAILURE };
    let too_large = |has: u64| FetchError::refused(&url, format!("it has {has} bytes or more; the limit is {most}"));
    let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = length.filter(|length| *length > most && head.status.is_success()) {
        return Err(too_large(length));
    }
    let bar = bar(&url, length);
    let mut bytes = Vec::new();
    loop {
        let next = tokio::time::timeout(SILENCE, body.frame()).await;
        let next = next.map_err(|_| FetchError::refused(&url, format!("nothing came for {} s", SILENCE.as_secs())))?;
        let Some(frame) = next else { break };
        let frame = frame.map_err(|error| FetchError::refused(&url, format!("it broke off: {error}")))?;
        let Ok(piece) = frame.into_data() else { continue };
        if bytes.len() as u64 + piece.len() as u64 > most {
            if !head.status.is_success() {
                break;
            }
            return Err(too_large(bytes.len() as u64 + piece.len() as u64));
        }
        bytes.extend_from_slice(&piece);
        bar.inc(piece.len() as u64);
    }
    bar.finish_and_clear();
    if length.is_some_and(|length| length != bytes.len() as u64 && head.status.is_success()) {
        return Err(FetchError::refused(&url, "it broke off before its end"));
    }
    Ok(Got { url, status: head.status, headers: head.headers, bytes })
}

/// How far it is, on a terminal, for what takes a while.
fn bar(url: &Url, length: Option<u64>) -> ProgressBar {
    match length {
        Some(length) if length >= WORTH_A_BAR => {
            // Hidden by itself where standard error is no terminal.
            let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes} of {total_bytes}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let plain = if crate::cli::print::is_plain() { "#>." } else { "█▓░" };
            bar.set_style(style.progress_chars(plain));
            bar.set_message(url.host_str().unwrap_or_default().to_owned());
            bar
        }
        _ => ProgressBar::hidden(),
    }
}
