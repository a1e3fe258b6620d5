//! Responses over a WebSocket (docs/endpoints.md): one connection, on which a client sends `response.create` after
//! `response.create`, each with what is new only, and reads the events of each answer as text frames.
//!
//! `service` upgrades a connection here. A turn is a call like any other and takes the pipeline's way; nothing here routes.

mod client;
mod events;
mod frame;
mod meter;
mod session;
mod sockets;
mod turns;

use axum::response::Response;
use http::header::{CONNECTION, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY};
use http::header::{SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::error::Error;

pub(super) use session::serve;
pub(super) use sockets::Sockets;
pub(super) use turns::Opened;

/// The one version that there is: RFC 6455, section 4.1.
const VERSION: &str = "13";

/// Answers a client's handshake: RFC 6455, section 4.2. Extensions and subprotocols are declined by not naming any. What
/// comes after the answer has been sent is the WebSocket.
pub(super) fn upgrade(request: &mut Request<Incoming>) -> Result<(Response, OnUpgrade), Error> {
    let key = handshake(request.version(), request.headers())?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&key) {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    Ok((response, hyper::upgrade::on(request)))
}

/// What the client's key is answered with.
fn handshake(version: Version, headers: &HeaderMap) -> Result<String, Error> {
    let one = |name: HeaderName| {
        let mut lines = headers.get_all(name).iter();
        lines.next().filter(|_| lines.next().is_none()).and_then(|line| line.to_str().ok()).map(str::trim)
    };
    if version != Version::HTTP_11 {
        return Err(Error::Handshake("a WebSocket begins with HTTP/1.1".into()));
    }
    let mut connection = headers.get_all(CONNECTION).iter().filter_map(|line| line.to_str().ok());
    let upgrades = |line: &str| line.split(',').any(|token| token.trim().eq_ignore_ascii_case("upgrade"));
    if !connection.any(upgrades) {
        return Err(Error::Handshake("its header connection does not say upgrade".into()));
    }
    if one(SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Err(Error::Handshake(format!("its header sec-websocket-version is not {VERSION}")));
    }
    // Sixteen bytes in base64.
    let key = one(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24 && key.ends_with("=="));
    let key = key.ok_or_else(|| Error::Handshake("its header sec-websocket-key is not 16 bytes in base64".into()))?;
    Ok(derive_accept_key(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_answered_as_the_rfc_says_and_what_is_none_is_named() {
        let usual = [
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let with = |changed: &str, value: &str| {
            let line = |(name, usual): (&str, &str)| {
                let value = if name == changed { value } else { usual };
                Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
            };
            handshake(Version::HTTP_11, &usual.into_iter().filter_map(line).collect::<HeaderMap>())
        };
        // RFC 6455, section 1.3.
        assert_eq!(with("", "").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for (header, value) in [
            ("connection", "close"),
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "short"),
            ("sec-websocket-key", ""),
        ] {
            let error = with(header, value).unwrap_err().to_string();
            assert!(error.contains(header), "{error}");
        }
        assert!(handshake(Version::HTTP_2, &HeaderMap::new()).is_err());
    }
}
