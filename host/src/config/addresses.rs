//! Kinds of keys that say where something is: addresses to listen on, origins, names of machines, folders.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use bitrouter_contract::Origin;
use serde_json::json;

use super::Fault;
use super::kinds::{Kind, Parsed, Takes, list, text};
use super::read::{Entry, ReadResult, Reader, join};
use super::tree::Value;

/// The addresses that the gateway listens on.
pub(super) struct Listen;

impl Kind for Listen {
    type Value = Vec<SocketAddr>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        let mut addresses = Vec::new();
        for item in entry.items() {
            let text = reader.text(&item, "an address with a port, such as `127.0.0.1:4356`")?.text;
            let Some(found) = listen(&text) else {
                return Err(item.problem(|key| Fault::Listen { key, text }));
            };
            if let Some(open) = found.iter().find(|address| !address.ip().is_loopback()) {
                reader.open.get_or_insert((item.node.position, *open));
            }
            addresses.extend(found);
        }
        match addresses.is_empty() {
            true => Err(entry.problem_of_key(|key| Fault::NowhereToListen { key })),
            false => Ok(addresses),
        }
    }

    fn shown(&self, value: &Self::Value) -> String {
        list(value.iter().map(ToString::to_string))
    }

    fn takes(&self) -> Takes {
        Takes::list(&Takes::text("text"))
    }
}

/// The addresses of one text of `server.listen`; `localhost:PORT` is both loopback addresses.
pub(super) fn listen(text: &str) -> Option<Vec<SocketAddr>> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(on_loopback),
        None => text.parse().ok().map(|address| vec![address]),
    }
}

/// Both loopback addresses.
pub(super) fn on_loopback(port: u16) -> Vec<SocketAddr> {
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    loopback.map(|ip| SocketAddr::new(ip, port)).to_vec()
}

/// The origin of a web page, as a browser's `Origin` header has it.
pub(super) const WEB_ORIGIN: Parsed<String> = Parsed {
    takes: "the origin of a web page, such as `https://chat.example.com`",
    words: "text",
    of: |key, text| web_origin(&text).ok_or(Fault::AllowedOrigin { key, text }),
};

/// `scheme://host[:port]` in the form a browser sends it, or `None`. They are compared as text later, so there is one form:
/// lower case, no path, no default port. Other schemes than `https` are taken, because desktop and extension pages have
/// their own.
fn web_origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://")?;
    let scheme_is_fine = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority: http::uri::Authority = rest.parse().ok()?;
    let host = authority.host();
    // Without a port the authority is the host; what is left over then is a port that is no number of one.
    let port_is_fine = authority.port().is_some() || authority.as_str() == host;
    let host_is_fine = !host.is_empty() && !rest.contains(['@', '*']) && port_is_fine;
    if !scheme_is_fine || !host_is_fine {
        return None;
    }
    let default_port = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    match authority.port() {
        Some(port) if Some(port.as_u16()) != default_port => Some(format!("{scheme}://{host}:{}", port.as_u16())),
        _ => Some(format!("{scheme}://{host}")),
    }
}

/// A name of this machine, in lower case and without a port.
pub(super) const HOST_NAME: Parsed<String> = Parsed {
    takes: "a name by which others call this machine, such as `host.docker.internal`",
    words: "text",
    of: |key, text| {
        let name = text.trim_start_matches('[').trim_end_matches(']');
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        match !name.is_empty() && (is_name || name.parse::<Ipv6Addr>().is_ok()) {
            true => Ok(name.to_ascii_lowercase()),
            false => Err(Fault::WrongType {
                key,
                takes: "names without a port or a `*`, such as `host.docker.internal`".to_owned(),
            }),
        }
    },
};

/// Where requests of a provider go.
pub(super) const URL: Parsed<Origin> = Parsed {
    takes: "a URL such as `https://api.example.com/v1`",
    words: "a URL",
    of: |key, text| Origin::of_config(&text).map_err(|reason| Fault::Origin { key, reason }),
};

/// URLs by name.
pub(super) struct Urls;

impl Kind for Urls {
    type Value = BTreeMap<String, Origin>;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<Self::Value> {
        let Value::Map(urls) = &entry.node.value else {
            return Err(entry.wrong("URLs by name, such as `api: https://api.example.com/v1`"));
        };
        let url = |(name, node): &(super::tree::Name, _)| {
            let origin =
                URL.read(&Entry { key: &join(entry.key, &name.text), position: name.position, node }, reader)?;
            Ok((name.text.clone(), origin))
        };
        urls.iter().map(url).collect()
    }

    fn shown(&self, value: &Self::Value) -> String {
        let urls: Vec<String> = value.iter().map(|(name, origin)| format!("{name}: \"{origin}\"")).collect();
        format!("{{{}}}", urls.join(", "))
    }

    fn takes(&self) -> Takes {
        Takes::new("URLs by name", json!({ "type": "object", "additionalProperties": text() }))
    }
}

/// A folder. A relative path starts at the folder of the config.
pub(super) struct Folder;

impl Kind for Folder {
    type Value = PathBuf;

    fn read(&self, entry: &Entry<'_>, reader: &mut Reader<'_>) -> ReadResult<PathBuf> {
        let text = reader.text(entry, "the path of a folder")?.text;
        if text == "~" || text.starts_with("~/") {
            return Err(entry.problem(|key| Fault::Tilde { key }));
        }
        Ok(reader.guard.file.parent().unwrap_or(Path::new(".")).join(text))
    }

    fn shown(&self, value: &PathBuf) -> String {
        value.display().to_string()
    }

    fn takes(&self) -> Takes {
        Takes { example: "plugins", ..Takes::text("a path") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_host_and_a_port() {
        assert_eq!(listen("0.0.0.0:80").map(|list| list.len()), Some(1));
        assert_eq!(listen("[::1]:0").map(|list| list.len()), Some(1));
        assert_eq!(listen("localhost:4356").map(|list| list.len()), Some(2));
        for text in ["4356", ":4356", "127.0.0.1", "example.com:80", "localhost:", "localhost:x", "::1:80000"] {
            assert_eq!(listen(text), None, "{text}");
        }
    }

    #[test]
    fn an_origin_is_brought_into_the_form_a_browser_sends() {
        for (text, wanted) in [
            ("https://chat.example.com", Some("https://chat.example.com")),
            ("HTTPS://Chat.Example.com:443", Some("https://chat.example.com")),
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("http://[::1]:80", Some("http://[::1]")),
            ("chrome-extension://abcdef", Some("chrome-extension://abcdef")),
            ("*", None),
            ("https://*", None),
            ("https://*.example.com", None),
            ("null", None),
            ("example.com", None),
            ("https://", None),
            ("https://a/", None),
            ("https://a/b", None),
            ("https://a?b", None),
            ("https://me@a", None),
            ("https://a:", None),
            ("https://a:99999", None),
            ("1x://a", None),
        ] {
            assert_eq!(web_origin(text).as_deref(), wanted, "{text}");
        }
    }
}
