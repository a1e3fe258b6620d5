//! The origin of a web page, as a browser's `Origin` header has it.
//!
//! Only `server.allowed_origins` holds these. They are compared as text later, so there is one form here: lower case,
//! no path, no default port.

/// `scheme://host[:port]` in the form a browser sends it, or `None`. Other schemes than `https` are taken, because
/// desktop and extension pages have their own.
pub(super) fn parse(text: &str) -> Option<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(parse(text).as_deref(), wanted, "{text}");
        }
    }
}
