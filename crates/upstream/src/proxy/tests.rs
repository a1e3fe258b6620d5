//! Settings that can be used and those that cannot, and what proxies answer.

use tokio::net::TcpListener;

use super::*;

fn proxies(settings: &[(&str, &str)]) -> Result<Proxies, SettingError> {
    Proxies::new(&|name| settings.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value)))
}

fn said(settings: &[(&str, &str)]) -> String {
    proxies(settings).map(drop).unwrap_err().to_string()
}

fn on_the_way(settings: &[(&str, &str)], host: &str) -> Option<String> {
    let origin = format!("https://{host}/v1").parse().unwrap();
    proxies(settings).unwrap().on_the_way_to(&origin).map(|proxy| proxy.shown())
}

#[test]
fn a_setting_that_cannot_be_used_is_named_whichever_variable_it_is() {
    for variable in HTTPS.into_iter().chain(HTTP) {
        for (value, problem) in [
            ("not a url", "is not the address of a proxy"),
            (" http://proxy:1", "is not the address of a proxy"),
            ("http://", "is not the address of a proxy"),
            ("http:/proxy", "is not the address of a proxy"),
            ("/proxy", "names no host"),
            ("ftp://proxy:1", "of the kind `ftp`"),
            ("socks://proxy:1", "of the kind `socks`"),
            ("socks4://proxy:1", "of the kind `socks4`"),
            ("https://proxy:1", "over TLS"),
            ("http://proxy:99999", "host and port"),
            ("http://proxy:0", "host and port"),
            ("http://proxy/proxy.pac", "names a path"),
            ("http://user:p@ss@proxy:1", "%40"),
            ("http://user:12/3@proxy:1", "%2F"),
        ] {
            let said = said(&[(variable, value)]);
            assert!(said.starts_with(&format!("{variable} ")) && said.contains(problem), "{value}: {said}");
            assert!(!said.contains("p@ss") && !said.contains("12/3"), "{said}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_setting_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStringExt;
    let env = |name: &str| (name == "https_proxy").then(|| OsString::from_vec(vec![b'a', 0xff]));
    assert_eq!(check(&env).unwrap_err().to_string(), "https_proxy is not UTF-8");
}

#[test]
fn what_can_be_used_is_used_and_the_setting_is_named() {
    for (value, shown) in [
        ("http://proxy.test:3128", "http://proxy.test:3128"),
        ("http://proxy.test", "http://proxy.test:80"),
        ("proxy.test:3128", "http://proxy.test:3128"),
        ("http://user:p%40ss@proxy.test:3128/", "http://proxy.test:3128"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("socks5://proxy.test", "socks5://proxy.test:1080"),
        ("socks5h://user:pass@proxy.test:1", "socks5h://proxy.test:1"),
    ] {
        for variable in HTTPS {
            let expected = format!("the proxy {shown} ({variable})");
            assert_eq!(on_the_way(&[(variable, value)], "api.test"), Some(expected), "{value}");
        }
    }
    // The first that says something counts; an empty one does not stand in the way of the next.
    let settings = [("HTTPS_PROXY", ""), ("https_proxy", "http://a.test:1"), ("ALL_PROXY", "http://b.test:1")];
    assert_eq!(on_the_way(&settings, "api.test").unwrap(), "the proxy http://a.test:1 (https_proxy)");
}

#[test]
fn hosts_that_need_no_proxy_are_understood_or_refused() {
    let with = |except| [("HTTPS_PROXY", "http://proxy.test:1"), ("NO_PROXY", except)];
    for except in [
        "api.test",
        ".api.test",
        "*.test",
        "*",
        "other.test, api.test",
        "other.test api.test",
        "10.0.0.0/8,api.test",
        "localhost:8080,api.test",
    ] {
        assert_eq!(on_the_way(&with(except), "v1.api.test"), None, "{except}");
        assert_eq!(on_the_way(&with(except), "api.example").is_none(), except == "*");
    }
    assert_eq!(on_the_way(&with("10.0.0.0/8"), "10.1.2.3"), None);
    for except in ["api.test:443", "https://api.test", "10.0.0.0/40", "192.168.*", "api.*.test", "10.0.0.256", "a;b"] {
        let said = said(&with(except));
        assert!(said.starts_with("NO_PROXY names `") && said.contains("cannot be matched"), "{except}: {said}");
        // Without a proxy it says nothing.
        assert!(proxies(&[("NO_PROXY", except)]).is_ok());
    }
}

/// What is said when a proxy answers so.
async fn answered(answer: &'static str, scheme: &str) -> Result<(), String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxies = proxies(&[("ALL_PROXY", &format!("{scheme}://{address}"))]).unwrap();
    let origin: Uri = "https://api.test/v1".parse().unwrap();
    let proxy = proxies.on_the_way_to(&origin).unwrap();
    let near = TcpStream::connect(address).await.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let serve = async {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") && !request.starts_with(&[5, 1, 0]) {
            far.read_buf(&mut request).await.unwrap();
        }
        if scheme == "http" {
            assert_eq!(request, b"CONNECT api.test:443 HTTP/1.1\r\nhost: api.test:443\r\n\r\n");
        }
        far.write_all(answer.as_bytes()).await.unwrap();
        far.shutdown().await.unwrap();
        far
    };
    let (passed, _far) = tokio::join!(proxy.pass(near, &origin), serve);
    let passed = passed.map(drop).map_err(|Sentence(said)| said);
    passed.map_err(|said| said.replace(&address.to_string(), "PROXY"))
}

#[tokio::test]
async fn what_a_proxy_refuses_is_said_with_its_address_its_variable_and_its_status() {
    assert_eq!(answered("HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n", "http").await, Ok(()));
    assert_eq!(answered("HTTP/1.0 204 Fine\r\n\r\n", "http").await, Ok(()));
    for (answer, said) in [
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "does not let this through to api.test:443: it answered 403 Forbidden"),
        ("HTTP/1.1 407 Who\r\n\r\n", "wants a user and a password (407): write them as http://USER:PASSWORD@HOST:PORT"),
        ("HTTP/1.1 502 No\r\n\r\n", "does not let this through to api.test:443: it answered 502 Bad Gateway"),
        ("HTTP/1.1 200 OK\r\n\r\nhello", "sends more than its answer"),
        ("SSH-2.0\r\n\r\n", "does not answer as an HTTP proxy does"),
        ("HTTP/1.1 2", "closed the connection without an answer"),
        ("", "closed the connection without an answer"),
    ] {
        let expected = format!("the proxy http://PROXY (ALL_PROXY) {said}");
        assert_eq!(answered(answer, "http").await, Err(expected), "{answer}");
    }
    let said = answered("no SOCKS at all", "socks5h").await.unwrap_err();
    assert!(said.starts_with("the proxy socks5h://PROXY (ALL_PROXY) did not connect: "), "{said}");
}
