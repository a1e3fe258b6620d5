//! Speaking to the issuer of a login: one POST, and its answer as tokens or as a reason.
//!
//! Login, refresh and logout call it, off the way of a request. It sends to the origin that it is given and nowhere else:
//! redirects are never followed. It goes the way that requests go: the same proxies, roots and deadlines. No error holds what was sent or answered, except an
//! error code.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use bitrouter_contract::description::{Encoding, Endpoint, Refresh};
use bitrouter_contract::{JoinError, Origin};
use bitrouter_files::Timestamp;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderName, HeaderValue, USER_AGENT};
use http_body_util::BodyExt;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;

use super::claims;
use super::wipe::wipe;
use bitrouter_upstream::{Outgoing, SendError, TlsError, Upstream, wiping};

/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an exchange may take in all.
const TOTAL: Duration = Duration::from_secs(30);
/// The longest answer: a few tokens, of which none fits a header if it is longer.
const LONGEST_ANSWER: usize = 256 << 10;

/// Why an issuer gave no answer that can be used.
#[derive(Clone, Debug, Error)]
pub enum IssuerError {
    /// No connection, or it ended early. Whether the request was taken is known only where it was not sent.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The issuer's host.
        host: String,
        /// What the network says.
        why: String,
        /// Whether the issuer may have taken the request.
        sent: bool,
    },
    /// An error, as RFC 6749 (section 5.2) or the issuer has it.
    #[error("{host} answered {status}{}", Code(.code))]
    Refused {
        /// The issuer's host.
        host: String,
        /// The HTTP status.
        status: u16,
        /// Its error code, in lower case, where it gave one that can be shown.
        code: Option<String>,
    },
    /// A success without what it must hold.
    #[error("{host} answered {status} with something else than tokens")]
    Malformed {
        /// The issuer's host.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The path leaves the origin.
    #[error(transparent)]
    Path(#[from] JoinError),
    /// The description's header has a value that no header takes.
    #[error(
        "the header `{0}` cannot hold what stands in its place: store the credential anew, as one line of plain text"
    )]
    Header(String),
    /// No TLS connection can be made from here.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What an issuer is asked.
pub(crate) struct Ask<'a> {
    /// Below its origin.
    pub path: &'a str,
    /// A GET, whose members are its query.
    pub is_get: bool,
    /// How the members are written else.
    pub encoding: Encoding,
    /// What is sent.
    pub members: &'a [(&'a str, &'a str)],
    /// Headers beside the usual ones.
    pub headers: &'a [(&'a str, &'a str)],
}

/// A whole answer.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, where it is JSON. It may hold secrets.
    pub body: Option<Value>,
    /// When it was made, by the issuer's clock; by ours where it does not say.
    pub at: Timestamp,
    host: String,
}

/// What an issuer gave. Whatever is missing stays as it was.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access_token: Option<SecretString>,
    /// The refresh token that takes the place of the one before.
    pub refresh_token: Option<SecretString>,
    /// The id token.
    pub id_token: Option<SecretString>,
    /// How long the access token is good for, from `at` on.
    pub expires_in: Option<Duration>,
    /// When they were issued, by the issuer's clock.
    pub at: Timestamp,
}

/// Speaks to issuers, each time over a connection of its own: what it sends may be good for one time only, so it is never sent
/// again by itself.
#[derive(Debug, Default)]
pub struct Issuer {
    upstream: OnceLock<Upstream>,
}

impl Issuer {
    /// Sends these members to an endpoint, in its encoding.
    pub async fn post(
        &self,
        origin: &Origin,
        endpoint: &Endpoint,
        members: &[(&str, &str)],
    ) -> Result<Reply, IssuerError> {
        let Endpoint { path, encoding } = endpoint;
        self.ask(origin, Ask { path, is_get: false, encoding: *encoding, members, headers: &[] }).await
    }

    /// Asks an issuer something.
    pub(crate) async fn ask(&self, origin: &Origin, ask: Ask<'_>) -> Result<Reply, IssuerError> {
        let members = ask.members;
        let query = if ask.is_get { members } else { &[] };
        let url = origin.join(ask.path, query)?;
        let (content_type, body) = match ask.encoding {
            _ if ask.is_get => (None, String::new()),
            Encoding::Form => {
                let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(members).finish();
                (Some("application/x-www-form-urlencoded"), form)
            }
            Encoding::Json => {
                let object = members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
                (Some("application/json"), Value::Object(object.collect()).to_string())
            }
        };
        let mut request = Request::new(Outgoing::from(wiping(body.into_bytes())));
        let method = if ask.is_get { http::Method::GET } else { http::Method::POST };
        (*request.method_mut(), *request.uri_mut()) = (method, url);
        let fixed = [
            (ACCEPT, Some("application/json")),
            (CONTENT_TYPE, content_type),
            (USER_AGENT, Some(concat!("bitrouter/", env!("CARGO_PKG_VERSION")))),
        ];
        let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_static(value?))));
        request.headers_mut().extend(fixed);
        for (name, value) in ask.headers {
            let header =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| IssuerError::Header((*name).to_owned()))?;
            let value = HeaderValue::from_maybe_shared(wiping(value.as_bytes().to_vec()));
            let mut value = value.map_err(|_| IssuerError::Header((*name).to_owned()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header, value);
        }
        let exchange = tokio::time::timeout(TOTAL, self.exchange(origin.host(), request));
        exchange.await.unwrap_or_else(|_| Err(unreachable(origin.host(), "it did not answer in time".into(), true)))
    }

    async fn exchange(&self, host: &str, request: Request<Outgoing>) -> Result<Reply, IssuerError> {
        let upstream = self.upstream.get_or_init(|| Upstream::new(CONNECT));
        let answer = upstream.send_once(request).await.map_err(|error| match error {
            SendError::Tls(error) => IssuerError::Tls(error),
            error => unreachable(host, error.reason(), error.may_have_been_read()),
        })?;
        let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
        let at = date.and_then(|date| httpdate::parse_http_date(date).ok()).map(Timestamp::from);
        let (status, mut whole) = (answer.status().as_u16(), Zeroizing::new(Vec::with_capacity(16 << 10)));
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| unreachable(host, error.to_string(), true))?;
            let Ok(piece) = frame.into_data() else { continue };
            if whole.len() + piece.len() > LONGEST_ANSWER {
                return Err(IssuerError::Malformed { host: host.to_owned(), status });
            }
            whole.extend_from_slice(&piece);
        }
        let (body, at) = (serde_json::from_slice(&whole).ok(), at.unwrap_or_else(Timestamp::now));
        Ok(Reply { status, body, at, host: host.to_owned() })
    }

    /// Sends these members to a token endpoint (RFC 6749, section 3.2).
    pub async fn tokens(
        &self,
        origin: &Origin,
        endpoint: &Endpoint,
        members: &[(&str, &str)],
    ) -> Result<Tokens, IssuerError> {
        self.post(origin, endpoint, members).await?.tokens()
    }
}

fn unreachable(host: &str, why: String, sent: bool) -> IssuerError {
    IssuerError::Unreachable { host: host.to_owned(), why, sent }
}

impl Reply {
    /// Whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The error code: `error` as RFC 6749 has it, `error.code` or `code`; in lower case, and only if it looks like one.
    pub fn error_code(&self) -> Option<String> {
        let body = self.body.as_ref()?;
        let places = ["/error/code", "/error", "/error/type", "/code"];
        let code = places.iter().find_map(|place| body.pointer(place)?.as_str())?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        ((1..=64).contains(&code.len()) && code.bytes().all(plain)).then(|| code.to_ascii_lowercase())
    }

    /// The failure that it is.
    pub fn refusal(&self) -> IssuerError {
        IssuerError::Refused { host: self.host.clone(), status: self.status, code: self.error_code() }
    }

    /// The tokens that it holds (RFC 6749, section 5.1).
    pub fn tokens(self) -> Result<Tokens, IssuerError> {
        let tokens = Tokens::read(self.object()?, self.at);
        let none = tokens.access_token.is_none() && tokens.refresh_token.is_none() && tokens.id_token.is_none();
        if none { Err(self.malformed()) } else { Ok(tokens) }
    }

    /// The body of a success, as JSON.
    pub fn success(self) -> Result<Vec<u8>, IssuerError> {
        serde_json::to_vec(self.object()?).map_err(|_| self.malformed())
    }

    /// The object that a success is; a failure where it is none, or holds an error all the same.
    pub(crate) fn object(&self) -> Result<&Map<String, Value>, IssuerError> {
        let is_error = self.body.as_ref().is_some_and(|body| body.get("error").is_some_and(|error| !error.is_null()));
        if !self.is_success() || is_error {
            return Err(self.refusal());
        }
        self.body.as_ref().and_then(Value::as_object).ok_or_else(|| self.malformed())
    }

    fn malformed(&self) -> IssuerError {
        IssuerError::Malformed { host: self.host.clone(), status: self.status }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.body.iter_mut().for_each(wipe);
    }
}

impl Tokens {
    /// When the access token is over, if anything says so: after a login as after a refresh. The issuer's `expires_in` (RFC
    /// 6749, section 5.1) is meant for clients; the `exp` inside the token is meant for whom it is shown to (RFC 9068,
    /// section 6), and counts where the issuer says nothing.
    pub fn expiry(&self) -> Option<Timestamp> {
        let token = self.access_token.as_ref()?;
        let said = self.expires_in.map(|lifetime| self.at.plus(lifetime));
        said.or_else(|| claims::expires_at(token.expose_secret()))
    }

    /// What a success says, made at this moment by the issuer's clock. What is not of the right kind is not there.
    pub fn read(body: &Map<String, Value>, at: Timestamp) -> Self {
        let text = |name: &str| body.get(name)?.as_str().filter(|text| !text.is_empty()).map(SecretString::from);
        Tokens {
            access_token: text("access_token"),
            refresh_token: text("refresh_token"),
            id_token: text("id_token"),
            expires_in: body.get("expires_in").and_then(seconds),
            at,
        }
    }
}

impl IssuerError {
    /// The error code after which only a new login helps; none where it is worth trying again.
    pub fn permanent(&self, refresh: &Refresh) -> Option<String> {
        let IssuerError::Refused { status, code: Some(code), .. } = self else { return None };
        let listed = refresh.permanent.iter().any(|known| known.eq_ignore_ascii_case(code));
        (listed || code == "invalid_grant" || *status == 401).then(|| code.clone())
    }

    /// Whether the issuer may have taken the request although nothing came back.
    pub(super) fn leaves_open(&self) -> bool {
        matches!(self, IssuerError::Unreachable { sent: true, .. } | IssuerError::Malformed { .. })
    }
}

/// A number of seconds, which some issuers write as a text.
fn seconds(value: &Value) -> Option<Duration> {
    let seconds = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
    Duration::try_from_secs_f64(seconds.floor()).ok()
}

struct Code<'c>(&'c Option<String>);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |code| write!(f, " ({code})"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reply(status: u16, body: Value) -> Reply {
        Reply { status, body: Some(body), at: Timestamp::now(), host: "auth.example".into() }
    }

    fn refresh() -> Refresh {
        serde_json::from_value(json!({ "path": "/token", "permanent": ["refresh_token_reused"] })).unwrap()
    }

    #[test]
    fn an_error_code_is_found_wherever_it_stands() {
        for body in [
            json!({ "error": "Refresh_Token_Reused", "error_description": "canary" }),
            json!({ "error": { "code": "refresh_token_reused", "message": "canary" } }),
            json!({ "code": "refresh_token_reused" }),
        ] {
            let error = reply(400, body).tokens().unwrap_err();
            assert_eq!(error.permanent(&refresh()).as_deref(), Some("refresh_token_reused"), "{error}");
            assert_eq!(error.to_string(), "auth.example answered 400 (refresh_token_reused)");
        }
    }

    #[test]
    fn what_only_a_login_helps_against_is_told_from_what_may_pass() {
        let permanent = |status, body| reply(status, body).tokens().unwrap_err().permanent(&refresh());
        assert!(permanent(400, json!({ "error": "invalid_grant" })).is_some());
        assert!(permanent(401, json!({ "error": { "code": "token_expired" } })).is_some());
        assert!(permanent(200, json!({ "error": "refresh_token_reused" })).is_some());
        assert_eq!(permanent(400, json!({ "error": "temporarily_unavailable" })), None);
        assert_eq!(permanent(500, json!({ "error": { "message": "x" } })), None);
        assert_eq!(permanent(401, json!("a proxy's page")), None);
        assert_eq!(permanent(503, json!(null)), None);
    }

    #[test]
    fn a_code_that_may_hold_anything_is_not_shown() {
        let error = reply(400, json!({ "error": "your token canary is bad" })).tokens().unwrap_err();
        assert_eq!(error.to_string(), "auth.example answered 400");
        assert!(matches!(reply(200, json!({})).tokens().unwrap_err(), IssuerError::Malformed { .. }));
    }

    #[test]
    fn what_the_issuer_says_of_expiry_counts_before_what_stands_in_the_token() {
        let token = claims::tests::jwt(&json!({ "exp": 1_800_000_000 }));
        let tokens = |body: Value| reply(200, body).tokens().unwrap();
        let both = tokens(json!({ "access_token": token, "expires_in": 60 }));
        assert_eq!(both.expiry(), Some(both.at.plus(Duration::from_secs(60))));
        assert_eq!(tokens(json!({ "access_token": token })).expiry(), Timestamp::from_unix(1_800_000_000));
        assert_eq!(tokens(json!({ "access_token": "opaque" })).expiry(), None);
        assert_eq!(
            tokens(json!({ "refresh_token": "r", "expires_in": 60 })).expiry(),
            None,
            "no access token, no expiry"
        );
    }

    #[test]
    fn tokens_are_read_with_whatever_is_there() {
        let tokens = reply(200, json!({ "access_token": "canary", "expires_in": "3600" })).tokens().unwrap();
        assert_eq!(tokens.expires_in, Some(Duration::from_secs(3600)));
        assert!(tokens.refresh_token.is_none() && tokens.id_token.is_none());
        assert!(!format!("{tokens:?}").contains("canary"));
        for odd in [json!(-1), json!("soon"), json!(null), json!(1e300)] {
            let tokens = reply(200, json!({ "access_token": "canary", "expires_in": odd })).tokens().unwrap();
            assert_eq!(tokens.expires_in, None);
        }
    }
}
