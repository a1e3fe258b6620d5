//! The proxy on the way to an origin, as the environment or the system names it, and the way through it.
//!
//! The commands check the settings before they do anything: one that cannot be used is an error, since whoever set it does
//! not want to go around it. Loopback is never proxied, and nothing else is spoken to without TLS, so of all variables only
//! those for `https` decide anything.

use std::ffi::OsString;

use http::{HeaderValue, StatusCode, Uri};
use hyper_util::client::legacy::connect::proxy::SocksV5;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::Service;

use super::reason::{Sentence, reason};

/// The variables that name a proxy, in the order in which they count for `https`; the others are checked with them.
const HTTPS: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
const HTTP: [&str; 2] = ["HTTP_PROXY", "http_proxy"];
const EXCEPT: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// Where a SOCKS proxy listens unless its address says otherwise.
const SOCKS_PORT: u16 = 1080;
/// The longest head of a proxy's answer.
const MAX_HEAD: usize = 16 << 10;

/// A variable that cannot be used. What names a proxy is not shown: it may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} {problem}")]
pub struct SettingError {
    pub(super) variable: &'static str,
    pub(super) problem: String,
}

/// The environment's variables.
pub(super) type Env<'e> = &'e dyn Fn(&str) -> Option<OsString>;

/// Checks every variable that names a proxy, or what needs none.
pub(super) fn check(env: Env<'_>) -> Result<(), SettingError> {
    Proxies::new(env).map(drop)
}

/// The proxies that are set.
pub(super) struct Proxies {
    matcher: Matcher,
    /// Where the setting stands.
    named_by: &'static str,
}

impl Proxies {
    /// Those of the environment; where it names none, those of the system (macOS and Windows have such settings).
    pub(super) fn new(env: Env<'_>) -> Result<Self, SettingError> {
        let mut used = None;
        let mut any = false;
        for variable in HTTPS.into_iter().chain(HTTP) {
            let Some(value) = read(env, variable)? else { continue };
            check_url(&value).map_err(|problem| SettingError { variable, problem })?;
            any = true;
            if used.is_none() && HTTPS.contains(&variable) {
                used = Some((variable, value));
            }
        }
        let mut except = None;
        for variable in EXCEPT {
            let Some(value) = read(env, variable)?.filter(|_| any) else { continue };
            let hosts = hosts(&value).map_err(|problem| SettingError { variable, problem })?;
            except = except.or(Some(hosts));
        }
        Ok(match used {
            Some((named_by, value)) => {
                Proxies { matcher: Matcher::builder().https(value).no(except.unwrap_or_default()).build(), named_by }
            }
            None => Proxies { matcher: Matcher::from_system(), named_by: "the system's settings" },
        })
    }

    /// The proxy on the way to an origin.
    pub(super) fn on_the_way_to(&self, origin: &Uri) -> Option<Proxy> {
        self.matcher.intercept(origin).map(|intercept| Proxy { intercept, named_by: self.named_by })
    }
}

/// A variable's value, if it has one. An empty one says that there is no proxy.
fn read(env: Env<'_>, variable: &'static str) -> Result<Option<String>, SettingError> {
    let Some(value) = env(variable) else { return Ok(None) };
    let value = value.into_string().map_err(|_| SettingError { variable, problem: "is not UTF-8".into() })?;
    Ok(Some(value).filter(|value| !value.is_empty()))
}

/// Refuses what would be ignored, or would lead somewhere else than its author meant.
fn check_url(value: &str) -> Result<(), String> {
    let example = "expected is an address such as http://proxy.example:3128 or socks5://127.0.0.1:1080";
    let uri: Uri = value.parse().map_err(|_| match value.contains('@') {
        true => format!(
            "is not the address of a proxy: {example}. In a user or password write %40 for @, %2F for / and so on"
        ),
        false => format!("is not the address of a proxy: {example}"),
    })?;
    match uri.scheme_str() {
        None | Some("http" | "socks5" | "socks5h") => {}
        Some("https") => {
            return Err("names a proxy that is spoken to over TLS, which is not supported: use http://, in which the \
                        connection to a provider is encrypted all the same, or socks5://"
                .into());
        }
        Some(other) => {
            return Err(format!(
                "names a proxy of the kind `{other}`, which is not supported: use http:// or socks5://"
            ));
        }
    }
    let Some(authority) = uri.authority() else { return Err(format!("names no host: {example}")) };
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    if authority.as_str().matches('@').count() > 1 || path.contains('@') {
        return Err("has an @ or a / in its user or password: write %40 or %2F".into());
    }
    if !matches!(path, "" | "/") {
        return Err(format!(
            "names a path, which a proxy has not, and files that configure one are not read: {example}"
        ));
    }
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = place.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.ends_with(']'));
    if authority.host().is_empty() || port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Err(format!("names no host and port that can be: {example}"));
    }
    Ok(())
}

/// The hosts that need no proxy, as they are matched: names with all that is below them, addresses, networks, or `*`.
fn hosts(value: &str) -> Result<String, String> {
    let mut hosts = Vec::new();
    for entry in value.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|entry| !entry.is_empty()) {
        let host = entry.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(entry);
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = bare.parse::<std::net::IpAddr>().is_ok() || is_network(bare);
        let name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
        // Loopback is never proxied: it may be written in whatever way.
        let loopback = bare.starts_with("localhost:") || bare.starts_with("127.0.0.1:");
        match host {
            "*" => hosts.push(host.to_owned()),
            _ if is_address => hosts.push(bare.to_owned()),
            _ if name(host) && !looks_like_address(host) => hosts.push(host.to_owned()),
            _ if loopback => {}
            _ => {
                return Err(format!(
                    "names `{}`, which cannot be matched: hosts (example.com, .example.com), addresses (10.0.0.1), networks \
                     (10.0.0.0/8) and `*` can, ports and schemes cannot",
                    shown(entry)
                ));
            }
        }
    }
    Ok(hosts.join(","))
}

/// An address and how many of its bits count.
fn is_network(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let most = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    bits.parse::<u8>().is_ok_and(|bits| bits <= most)
}

/// Whether it was meant as an address, which it is none: no name ends in a number.
fn looks_like_address(host: &str) -> bool {
    host.rsplit('.').next().is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

fn shown(text: &str) -> String {
    text.rsplit('@').next().unwrap_or_default().chars().take(80).flat_map(char::escape_debug).collect()
}

/// A proxy.
pub(super) struct Proxy {
    intercept: Intercept,
    named_by: &'static str,
}

impl Proxy {
    /// Its address with a port, without a password that may stand in it.
    pub(super) fn address(&self) -> Uri {
        let uri = self.intercept.uri();
        let default = if self.is_socks() { SOCKS_PORT } else { 80 };
        let authority = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(default));
        let built = Uri::builder().scheme(uri.scheme_str().unwrap_or("http")).authority(authority).path_and_query("/");
        built.build().unwrap_or_else(|_| uri.clone())
    }

    /// What errors call it: where it is and which setting says so.
    pub(super) fn shown(&self) -> String {
        format!("the proxy {} ({})", self.address().to_string().trim_end_matches('/'), self.named_by)
    }

    fn is_socks(&self) -> bool {
        self.intercept.uri().scheme_str().is_some_and(|scheme| scheme.starts_with("socks"))
    }

    /// It could not be connected to.
    pub(super) fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> Sentence {
        Sentence(format!("{} cannot be reached: {}", self.shown(), reason(error)))
    }

    /// Asks for a way through it, on a connection that was just made to it.
    pub(super) async fn pass(&self, stream: TcpStream, origin: &Uri) -> Result<TcpStream, Sentence> {
        if self.is_socks() { self.pass_socks(stream, origin).await } else { self.tunnel(stream, origin).await }
    }

    async fn pass_socks(&self, stream: TcpStream, origin: &Uri) -> Result<TcpStream, Sentence> {
        let mut stream = Some(TokioIo::new(stream));
        let there = tower::service_fn(move |_: Uri| std::future::ready(stream.take().ok_or(Sentence("used".into()))));
        let local_dns = self.intercept.uri().scheme_str() == Some("socks5");
        let mut socks = SocksV5::new(self.address(), there).local_dns(local_dns);
        if let Some((user, password)) = self.intercept.raw_auth() {
            socks = socks.with_auth(user.to_owned(), password.to_owned());
        }
        let passed = socks.call(origin.clone()).await.map(TokioIo::into_inner);
        passed.map_err(|error| {
            let said = error.to_string();
            Sentence(format!("{} did not connect: {}", self.shown(), said.trim_start_matches("SOCKS error: ")))
        })
    }

    /// RFC 9110, section 9.3.6.
    async fn tunnel(&self, mut stream: TcpStream, origin: &Uri) -> Result<TcpStream, Sentence> {
        let failed = |what: String| Sentence(format!("{} {what}", self.shown()));
        let lost = |error: std::io::Error| failed(format!("was lost: {}", reason(&error)));
        let to = format!("{}:{}", origin.host().unwrap_or_default(), origin.port_u16().unwrap_or(443));
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nhost: {to}\r\n").into_bytes();
        if let Some(auth) = self.intercept.basic_auth() {
            request.extend_from_slice(b"proxy-authorization: ");
            request.extend_from_slice(HeaderValue::as_bytes(auth));
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        stream.write_all(&request).await.map_err(lost)?;
        let mut head = Vec::new();
        let (length, status) = loop {
            if stream.read_buf(&mut head).await.map_err(lost)? == 0 {
                return Err(failed("closed the connection without an answer".into()));
            }
            let mut fields = [httparse::EMPTY_HEADER; 100];
            let mut answer = httparse::Response::new(&mut fields);
            match answer.parse(&head) {
                Ok(httparse::Status::Complete(length)) => break (length, answer.code.unwrap_or_default()),
                Ok(httparse::Status::Partial) if head.len() < MAX_HEAD => {}
                _ => return Err(failed("does not answer as an HTTP proxy does".into())),
            }
        };
        match StatusCode::from_u16(status) {
            // Nobody at the other end speaks first.
            Ok(status) if status.is_success() && head.len() > length => {
                Err(failed("sends more than its answer".into()))
            }
            Ok(status) if status.is_success() => Ok(stream),
            Ok(StatusCode::PROXY_AUTHENTICATION_REQUIRED) if self.intercept.basic_auth().is_none() => {
                Err(failed("wants a user and a password (407): write them as http://USER:PASSWORD@HOST:PORT".into()))
            }
            Ok(StatusCode::PROXY_AUTHENTICATION_REQUIRED) => {
                Err(failed("does not accept the user and password (407)".into()))
            }
            Ok(status) => Err(failed(format!("does not let this through to {to}: it answered {status}"))),
            Err(_) => Err(failed("does not answer as an HTTP proxy does".into())),
        }
    }
}

#[cfg(test)]
mod tests;
