//! Which headers may pass, in the three directions: from a component up, from a client up, from an answer back.
//!
//! Upstream asks for each header of a request, the gateway for those of an answer. Headers that carry a credential or
//! frame the message are set by the host alone; nothing here ever reads or shows a value.

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

use crate::description::{AttachTo, Auth};
use crate::pattern::Pattern;

/// Why a header of a component's request, or a name that its description forwards, is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// It would carry a credential.
    #[error(
        "a component may not set the header `{0}`, which carries credentials: declare it under `attach` in the description, and the host sets it"
    )]
    Credential(HeaderName),
    /// It would frame the message, or is the connection's affair.
    #[error("a component may not set the header `{0}`: the host frames the message. Leave it out")]
    Framing(HeaderName),
    /// It says where a request came from, or is one of the host's own.
    #[error("a component may not set the header `{0}`, which only a gateway sets. Leave it out")]
    Gateway(HeaderName),
    /// No header has such a name.
    #[error("`{0}` is not a header name: it takes letters, digits and hyphens")]
    Name(String),
    /// A line break or another control character, which could begin a header of its own.
    #[error("the value of the header `{0}` holds a line break or another control character: take it out")]
    Value(HeaderName),
}

/// What only the host sets: the fixed list, and the headers that the description's own attach rules name.
#[derive(Clone, Debug, Default)]
pub struct Reserved {
    attached: Vec<HeaderName>,
}

impl Reserved {
    /// The reserved headers of a provider with these ways of paying.
    pub fn new(auth: &[Auth]) -> Self {
        let places = auth.iter().flat_map(Auth::attach).map(|attach| &attach.place);
        let attached = places.filter_map(|place| match place {
            AttachTo::Header(name) => HeaderName::from_bytes(name.as_bytes()).ok(),
            AttachTo::Query(_) => None,
        });
        let own = auth.iter().flat_map(Auth::headers).map(|name| HeaderName::from_static(name));
        Reserved { attached: attached.chain(own).collect() }
    }

    /// A component's header as it goes into the request, or why it does not.
    pub fn component_header(&self, name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name(shown(name)))?;
        match self.class(&name) {
            Class::Credential => return Err(HeaderError::Credential(name)),
            Class::Framing => return Err(HeaderError::Framing(name)),
            Class::Gateway => return Err(HeaderError::Gateway(name)),
            Class::Free => {}
        }
        match HeaderValue::from_str(value) {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(HeaderError::Value(name)),
        }
    }

    /// Whether neither a component nor a client may set this header.
    pub fn holds(&self, name: &HeaderName) -> bool {
        self.class(name) != Class::Free
    }

    fn class(&self, name: &HeaderName) -> Class {
        if self.attached.contains(name) { Class::Credential } else { class(name.as_str()) }
    }
}

/// The client's headers that go up: those that the description's patterns name, less the reserved ones.
#[derive(Clone, Debug, Default)]
pub struct Forward {
    names: Vec<HeaderName>,
    /// What stands before the `*`.
    prefixes: Vec<Box<str>>,
    reserved: Reserved,
}

impl Forward {
    /// Prepares a description's `forward` list: names in lower case, or beginnings with `*` behind them. A reserved name
    /// in it never matches; what no header can be called is an error.
    pub fn new(patterns: &[String], reserved: Reserved) -> Result<Self, HeaderError> {
        let mut forward = Forward { reserved, ..Forward::default() };
        for pattern in patterns {
            let header =
                |text: &str| HeaderName::from_bytes(text.as_bytes()).map_err(|_| HeaderError::Name(shown(pattern)));
            match Pattern::of(pattern) {
                Pattern::Beginning("") => forward.prefixes.push("".into()),
                Pattern::Beginning(beginning) => forward.prefixes.push(header(beginning)?.as_str().into()),
                Pattern::Name(name) => {
                    forward.names.extend(Some(header(name)?).filter(|name| !forward.reserved.holds(name)))
                }
            }
        }
        Ok(forward)
    }

    /// The headers of a client's request that go up, in the client's order, repeated ones each time.
    pub fn headers<'h>(&'h self, client: &'h HeaderMap) -> impl Iterator<Item = (&'h HeaderName, &'h HeaderValue)> {
        let hops = Hops::of(client);
        client.iter().filter(move |(name, _)| self.names(name) && !hops.name(name))
    }

    fn names(&self, name: &HeaderName) -> bool {
        self.names.contains(name)
            || (self.prefixes.iter().any(|prefix| name.as_str().starts_with(&**prefix)) && !self.reserved.holds(name))
    }
}

/// The headers of a provider's answer that go back to the client.
///
/// What stays behind: the headers of one hop (RFC 9110, section 7.6.1), the length, which the host frames anew, cookies,
/// the host's own `x-bitrouter-*`, and what speaks for the whole origin that a client sees, which is the gateway and not
/// the provider: `access-control-*` would open the gateway's loopback port to any web page.
pub fn answer_headers(answer: &HeaderMap) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
    let hops = Hops::of(answer);
    answer.iter().filter(move |(name, _)| !stays_behind(name.as_str()) && !hops.name(name))
}

fn stays_behind(name: &str) -> bool {
    match name {
        "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade" => true,
        "content-length" | "set-cookie" | "set-cookie2" => true,
        "alt-svc" | "clear-site-data" | "strict-transport-security" => true,
        _ => name.starts_with("proxy-") || name.starts_with("x-bitrouter-") || name.starts_with("access-control-"),
    }
}

#[derive(PartialEq, Eq)]
enum Class {
    Free,
    Credential,
    Framing,
    Gateway,
}

/// Whether a header frames the message, so that not even an attach rule may set it.
pub fn frames_message(name: &HeaderName) -> bool {
    matches!(class(name.as_str()), Class::Framing | Class::Gateway)
}

fn class(name: &str) -> Class {
    match name {
        "authorization" | "cookie" | "cookie2" | "set-cookie" | "set-cookie2" => Class::Credential,
        "ocp-apim-subscription-key" | "x-amz-security-token" | "x-auth-token" | "x-access-token" => Class::Credential,
        "host" | "content-length" | "content-encoding" | "transfer-encoding" | "connection" | "te" => Class::Framing,
        "trailer" | "upgrade" | "keep-alive" | "expect" | "accept-encoding" | "http2-settings" => Class::Framing,
        "forwarded" | "via" | "x-real-ip" => Class::Gateway,
        // `api-key`, `x-api-key`, `x-goog-api-key`, and what other gateways call theirs.
        _ if name.ends_with("api-key") => Class::Credential,
        _ if name.starts_with("proxy-") => Class::Credential,
        _ if name.starts_with("x-forwarded-") || name.starts_with("x-bitrouter-") => Class::Gateway,
        _ => Class::Free,
    }
}

/// The names that a message's own `connection` header declares to be of this hop only.
struct Hops<'h>(Option<http::header::GetAll<'h, HeaderValue>>);

impl<'h> Hops<'h> {
    fn of(headers: &'h HeaderMap) -> Self {
        Hops(headers.contains_key(CONNECTION).then(|| headers.get_all(CONNECTION)))
    }

    fn name(&self, name: &HeaderName) -> bool {
        let Some(values) = &self.0 else { return false };
        let mut listed = values.iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        listed.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()))
    }
}

fn shown(name: &str) -> String {
    name.escape_debug().take(100).collect()
}

#[cfg(test)]
mod tests;
