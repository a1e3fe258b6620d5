//! An upstream in this process for `plugin try --echo`: it answers each dialect in its own form, and shows what reached it,
//! without the credential.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode, header};
use bitrouter_contract::description::AttachTo;
use serde_json::Value;

use super::MADE_UP_KEY;
use super::answers;
use crate::cli::print;

/// The longest body that is read; a gateway's own limit is lower.
const MOST: usize = 64 << 20;
/// Bytes of a body that are shown.
const SHOWN: usize = 4 << 10;
/// Headers whose value is a credential in whole or in part, whatever it looks like.
const SECRET: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "x-amz-security-token",
];
/// Query parameters of the same kind.
const SECRET_QUERY: [&str; 5] = ["key", "api_key", "apikey", "token", "access_token"];

/// The upstream, which lasts as long as the process.
pub(super) struct Echo {
    address: SocketAddr,
}

/// What it says, and what it does not show.
struct Says {
    /// To everything, where its user said so: the media type, and the text.
    fixed: Option<(&'static str, String)>,
    models: Vec<String>,
    attached: Vec<AttachTo>,
}

impl Echo {
    /// Listens on a free port of this machine. `models` are those that it lists, `attached` is where credentials are.
    pub(super) fn start(
        answer: Option<&Path>,
        models: Vec<String>,
        attached: Vec<AttachTo>,
    ) -> Result<Self, Box<dyn Error>> {
        let says = Arc::new(Says { fixed: answer.map(read).transpose()?, models, attached });
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(|error| format!("the echo finds no port on 127.0.0.1: {error}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        // Beside the gateway's own threads: what it measures is not what a test's upstream costs.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                let service = Router::new().fallback(answer_one).with_state(says);
                if let Err(error) = axum::serve(listener, service).await {
                    print::note(&format!("warning: the echo has ended: {error}"));
                }
            });
        });
        Ok(Echo { address })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The file that is answered, with its media type.
fn read(file: &Path) -> Result<(&'static str, String), Box<dyn Error>> {
    let kind = match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => "application/json",
        Some("sse") => "text/event-stream",
        Some("ndjson") => "application/x-ndjson",
        _ => return Err(format!("{}: an answer ends in .json, .sse or .ndjson", file.display()).into()),
    };
    let text = fs::read_to_string(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    Ok((kind, text))
}

async fn answer_one(State(says): State<Arc<Says>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MOST).await.unwrap_or_default();
    let path = head.uri.path().to_owned();
    print::note(&says.shown(head.method.as_str(), &path, head.uri.query(), &head.headers, &body));
    let (kind, text) = match &says.fixed {
        Some((kind, text)) => (*kind, text.clone()),
        None => {
            let json: Value = serde_json::from_slice(&body).unwrap_or_default();
            answers::to(&path, &json, &says.models)
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

impl Says {
    /// A request as a person reads it.
    fn shown(&self, method: &str, path: &str, query: Option<&str>, headers: &HeaderMap, body: &[u8]) -> String {
        let query = query.map_or(String::new(), |query| self.masked_query(query));
        let mut lines = vec![format!("the echo was asked: {method} {path}{query}")];
        for (name, value) in headers {
            let value = self.masked(name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
            lines.push(format!("  {name}: {value}"));
        }
        let text = match serde_json::from_slice::<Value>(body) {
            Ok(json) => serde_json::to_string_pretty(&json).unwrap_or_default(),
            Err(_) => String::from_utf8_lossy(body).into_owned(),
        };
        let cut = text.floor_char_boundary(SHOWN);
        lines.extend(text[..cut].lines().map(|line| format!("  {line}")));
        if cut < text.len() {
            lines.push(format!("  … {} bytes more", text.len() - cut));
        }
        // Of a client's choosing: line by line, so that none commands the terminal.
        let whole: Vec<String> =
            lines.iter().map(|line| line.replace(char::is_control, "\u{fffd}").replace(MADE_UP_KEY, "****")).collect();
        whole.join("\n")
    }

    /// A header's value; of a credential the scheme alone.
    fn masked(&self, name: &str, value: &str) -> String {
        let is_attached = |to: &AttachTo| matches!(to, AttachTo::Header(header) if header.eq_ignore_ascii_case(name));
        if !SECRET.contains(&name) && !self.attached.iter().any(is_attached) {
            return value.to_owned();
        }
        match value.split_once(' ') {
            Some((scheme, _)) => format!("{scheme} ****"),
            None => "****".into(),
        }
    }

    fn masked_query(&self, query: &str) -> String {
        let is_secret = |name: &str| {
            SECRET_QUERY.contains(&name)
                || self.attached.iter().any(|to| matches!(to, AttachTo::Query(parameter) if parameter == name))
        };
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if is_secret(name) => format!("{name}=****"),
            _ => pair.to_owned(),
        };
        format!("?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_shown_without_its_credential() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer sk-secret".parse().unwrap());
        headers.insert("x-odd", MADE_UP_KEY.parse().unwrap());
        headers.insert("x-acme-key", "sk-secret".parse().unwrap());
        headers.insert("x-acme-region", "eu".parse().unwrap());
        let attached = vec![AttachTo::Header("x-acme-key".into()), AttachTo::Query("acme".into())];
        let says = Says { fixed: None, models: Vec::new(), attached };
        let text = says.shown(
            "POST",
            "/v1/x",
            Some("key=sk-secret&b=1&acme=sk-secret"),
            &headers,
            br#"{"a": "made-up-key-of-plugin-try"}"#,
        );
        assert!(!text.contains("sk-secret") && !text.contains(MADE_UP_KEY), "{text}");
        for part in [
            "POST /v1/x?key=****&b=1&acme=****",
            "x-acme-key: ****",
            "authorization: Bearer ****",
            "x-odd: ****",
            "x-acme-region: eu",
            "\"a\": \"****\"",
        ] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
    }
}
