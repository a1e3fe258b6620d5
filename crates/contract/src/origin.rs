//! An origin: the scheme, host, port and path prefix that a credential may go to.
//!
//! Descriptions, the config and the store give origins as text; binding compares them, upstream joins request paths to
//! them. Whatever `join` returns lies under its origin, and nothing here ever asks a name server.

pub mod template;

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, PathAndQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use thiserror::Error;

use super::path::{self, PathError};

/// What RFC 3986 (section 2.3) calls unreserved goes into a query as it is, all else is percent-encoded.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A scheme, host, port and path prefix, in one canonical form: equal origins are equal values.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: Box<str>,
    port: u16,
    /// Empty, or `/` and whole segments without a `/` at the end.
    prefix: Box<str>,
    /// `host`, or `host:port` where the port is not the scheme's own: ready for `join`.
    authority: Authority,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Https,
    Http,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Https => 443,
            Scheme::Http => 80,
        }
    }

    fn of_http(self) -> http::uri::Scheme {
        match self {
            Scheme::Https => http::uri::Scheme::HTTPS,
            Scheme::Http => http::uri::Scheme::HTTP,
        }
    }
}

/// Why a text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the address `{address}` {why}")]
pub struct OriginError {
    /// The address, without anything that may be a secret in it (user information, query).
    address: String,
    why: OriginFault,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
enum OriginFault {
    #[error("begins with neither `https://` nor `http://`: write it in full, such as `https://api.example.com/v1`")]
    Scheme,
    #[error("holds a user name or password: take out what stands before the `@`")]
    UserInfo,
    #[error("holds a query: take out the `?` and what follows")]
    Query,
    #[error("holds a fragment: take out the `#` and what follows")]
    Fragment,
    #[error("holds a character that is not ASCII: write a host name in its `xn--` form")]
    NotAscii,
    #[error("holds white space, a control character or a backslash: take it out")]
    Character,
    #[error("names no valid host: it takes a name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    #[error("has a port that is not a number from 1 to 65535")]
    Port,
    #[error(
        "uses `http` to a host other than this machine: use `https`, or `http` to localhost, 127.0.0.1 or [::1]; your own \
        config may also name a machine of your network, such as 192.168.1.20 or `gpu-box.local`"
    )]
    PlainHttp,
    #[error("has an empty, `.` or `..` segment in its path: write the path that is meant")]
    Segment,
    #[error("is percent-encoded in its path, which two programs may read as two addresses: write it without `%`")]
    Encoded,
    #[error("has a path with a character that no URL path may hold")]
    PathCharacter,
}

/// Why a path cannot be joined to an origin.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JoinError {
    /// The path itself.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The whole is longer than an address may be (65,534 bytes in the `http` crate).
    #[error("the request's address is too long: shorten its path or query")]
    TooLong,
}

impl Origin {
    /// The host in lower case, IPv6 without its brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, the scheme's own where the address gave none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path prefix: empty, or `/` and whole segments without a `/` at the end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether requests leave encrypted.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Whether this is 127.0.0.0/8, `[::1]` or `localhost`: such requests may go in the clear, and never to a proxy.
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// Whether requests leave unencrypted for another machine: one of the own network, which only the user's own config
    /// names.
    pub fn is_in_the_clear(&self) -> bool {
        self.scheme == Scheme::Http && !self.is_loopback()
    }

    /// The origin that a text of the user's own config says: as any other, and `http` to a machine of the own network, too.
    ///
    /// # Errors
    ///
    /// As for any other text.
    pub fn of_config(text: &str) -> Result<Self, OriginError> {
        parse(text, is_near).map_err(|why| OriginError { address: shown(text).into_owned(), why })
    }

    /// Whether this is a server of the open internet, as far as its name says: `https` to a name of two labels or more, none
    /// of those that stand for this machine or its network. An address in numbers is none, whichever it is.
    pub fn is_public(&self) -> bool {
        self.is_https() && is_public_name(self.host())
    }

    /// Whether all that lies under `other` lies under this origin too.
    pub fn covers(&self, other: &Origin) -> bool {
        self.scheme == other.scheme
            && self.port == other.port
            && self.host == other.host
            && path::is_under(&other.prefix, &self.prefix)
    }

    /// Where this origin is once its neighbour `from` is at `to`: on the same server as before, below what the neighbour
    /// is below. None where the two are not of one server.
    pub fn beside(&self, from: &Origin, to: &Origin) -> Option<Origin> {
        if (self.scheme, self.port, &self.host) != (from.scheme, from.port, &from.host) {
            return None;
        }
        // What both addresses of the neighbour end in is its own; what stands before that is the server's.
        let (mut before, mut after): (Vec<&str>, Vec<&str>) =
            (from.prefix.split('/').collect(), to.prefix.split('/').collect());
        while before.len() > 1 && after.len() > 1 && before.last() == after.last() {
            before.pop();
            after.pop();
        }
        let (before, after) = (before.join("/"), after.join("/"));
        let prefix = match path::is_under(&self.prefix, &before) {
            true => after + &self.prefix[before.len()..],
            false => self.prefix.to_string(),
        };
        Some(Origin { prefix: prefix.into(), ..to.clone() })
    }

    /// Whether an absolute URL, such as where a redirect leads, lies under this origin. A URL that could be read in two
    /// ways does not.
    pub fn covers_url(&self, url: &Uri) -> bool {
        let Some(authority) = url.authority() else {
            return false;
        };
        if authority.as_str().contains('@') {
            return false;
        }
        url.scheme_str() == Some(self.scheme.name())
            && authority.host().eq_ignore_ascii_case(&self.host)
            && port_of(authority, self.scheme) == Some(self.port)
            && path::check(url.path()).is_ok()
            && path::is_under(url.path(), &self.prefix)
    }

    /// The URL of a path (below the prefix, beginning with `/`, percent-encoded where it must be) and query pairs (as
    /// they are meant: they are encoded here).
    ///
    /// The URL holds the values of the query, so where a credential is attached as a query parameter it is a secret.
    pub fn join<K: AsRef<str>, V: AsRef<str>>(&self, path: &str, query: &[(K, V)]) -> Result<Uri, JoinError> {
        path::check(path)?;
        let mut target = String::with_capacity(self.prefix.len() + path.len() + 32 * query.len());
        target.push_str(&self.prefix);
        target.push_str(path);
        for (at, (name, value)) in query.iter().enumerate() {
            target.push(if at == 0 { '?' } else { '&' });
            target.extend(utf8_percent_encode(name.as_ref(), QUERY));
            target.push('=');
            target.extend(utf8_percent_encode(value.as_ref(), QUERY));
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.of_http());
        parts.authority = Some(self.authority.clone());
        // Every character is checked or encoded by now, so only the length is left to fail.
        parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target).map_err(|_| JoinError::TooLong)?);
        Uri::from_parts(parts).map_err(|_| JoinError::TooLong)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text, is_loopback).map_err(|why| OriginError { address: shown(text).into_owned(), why })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority, self.prefix)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({self})")
    }
}

/// An origin, if it is `https` or its host may be asked without.
fn parse(text: &str, may_be_plain: fn(&str) -> bool) -> Result<Origin, OriginFault> {
    if !text.is_ascii() {
        return Err(OriginFault::NotAscii);
    }
    if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return Err(OriginFault::Character);
    }
    let (scheme, rest) = split_scheme(text).ok_or(OriginFault::Scheme)?;
    if rest.contains('#') {
        return Err(OriginFault::Fragment);
    }
    if rest.contains('?') {
        return Err(OriginFault::Query);
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err(OriginFault::UserInfo);
    }
    let (host, port) = split_port(authority)?;
    let host = parse_host(host).ok_or(OriginFault::Host)?;
    let port = port.unwrap_or(scheme.default_port());
    if scheme == Scheme::Http && !may_be_plain(&host) {
        return Err(OriginFault::PlainHttp);
    }
    let prefix = parse_prefix(path)?;
    let authority = if port == scheme.default_port() { host.clone() } else { format!("{host}:{port}") };
    let authority = Authority::try_from(authority).map_err(|_| OriginFault::Host)?;
    Ok(Origin { scheme, host: host.into(), port, prefix: prefix.into(), authority })
}

fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (name, rest) = text.split_once("://")?;
    match name {
        _ if name.eq_ignore_ascii_case("https") => Some((Scheme::Https, rest)),
        _ if name.eq_ignore_ascii_case("http") => Some((Scheme::Http, rest)),
        _ => None,
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), OriginFault> {
    // The colons of an IPv6 address stand before its bracket.
    let after_host = authority.rfind(']').map_or(0, |bracket| bracket + 1);
    let Some(colon) = authority[after_host..].find(':').map(|at| after_host + at) else {
        return Ok((authority, None));
    };
    let digits = &authority[colon + 1..];
    let all_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(port) if all_digits && port != 0 => Ok((&authority[..colon], Some(port))),
        _ => Err(OriginFault::Port),
    }
}

/// The host in canonical form: lower case, IPv6 as RFC 5952 writes it, in brackets.
fn parse_host(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().ok().map(|address| format!("[{address}]"));
    }
    let host = text.to_ascii_lowercase();
    // `0x7f.1` or `2130706433` is an IPv4 address to some resolvers and a name to others (WHATWG URL, "ends in a
    // number"): only the usual four decimal numbers are taken.
    let last = host.rsplit('.').next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let valid = if numeric { host.parse::<Ipv4Addr>().is_ok() } else { is_name(&host) };
    valid.then_some(host)
}

/// Labels of RFC 1123, with the underscore that names inside a network often have.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

fn parse_prefix(path: &str) -> Result<String, OriginFault> {
    if path.is_empty() || path == "/" {
        return Ok(String::new());
    }
    if path.contains('%') {
        return Err(OriginFault::Encoded);
    }
    path::check(path).map_err(|why| match why {
        PathError::Segment(_) => OriginFault::Segment,
        _ => OriginFault::PathCharacter,
    })?;
    Ok(path.strip_suffix('/').unwrap_or(path).to_owned())
}

fn port_of(authority: &Authority, scheme: Scheme) -> Option<u16> {
    match authority.port() {
        Some(port) => Some(port.as_u16()),
        // `host:` and `host:99999` have a colon but no port that the http crate can read.
        None if authority.as_str().len() == authority.host().len() => Some(scheme.default_port()),
        None => None,
    }
}

/// Whether a host, as it stands in a URL or in `Host`, is this machine by a name that is always its own: `localhost`,
/// 127.0.0.0/8 or `[::1]`. A name that merely leads here, by DNS, is another's.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether a host is of this machine or its own network, as far as its name says: a private address (RFC 1918, RFC 4193, RFC
/// 6598), or a name that the internet does not know. Where such a name leads is looked at again once it is connected.
fn is_near(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => is_of_a_network(address),
        Err(_) => !is_public_name(bare),
    }
}

/// Whether an address is this machine or of a private network. Link-local ones are not: clouds have their metadata there.
pub fn is_of_a_network(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_loopback() || address.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    }
}

/// Endings of names that are not the internet's: RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`, and what routers and
/// offices have taken to.
const LOCAL: [&str; 12] = [
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "arpa",
    "test",
    "onion",
];

fn is_public_name(host: &str) -> bool {
    // `localhost.` is `localhost`.
    let mut labels = host.trim_end_matches('.').rsplit('.');
    let last = labels.next().unwrap_or_default();
    let numeric = last.bytes().all(|byte| byte.is_ascii_digit());
    labels.next().is_some() && !numeric && !host.contains(':') && !LOCAL.contains(&last)
}

/// An address as an error may show it: user information and query, which can hold a secret, are left out.
fn shown(text: &str) -> Cow<'_, str> {
    let end = text.find(['?', '#']).unwrap_or(text.len());
    let start = text[..end].rfind('@').unwrap_or(0);
    let kept = &text[start..end];
    if kept.len() == text.len() && !kept.contains(|c: char| c.is_control()) {
        return Cow::Borrowed(text);
    }
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
    Cow::Owned(format!("{before}{}{after}", kept.escape_debug()))
}

#[cfg(test)]
mod tests;
