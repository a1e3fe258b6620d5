//! The proxy on the way to a provider: it is used where it is set, errors name it and the variable that names it, and a
//! setting that cannot be used is an error at the start.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use bitrouter_tests::{Gateway, KEY, Setup};
use rustls::{ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::tls;

/// A proxy that answers each CONNECT with this, and serves what comes through it as the test says.
fn proxy(answer: &'static str, through: impl Fn(TcpStream) + Send + 'static) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = Arc::clone(&asked);
    thread::spawn(move || {
        // The process ends it.
        for mut socket in listener.incoming().flatten() {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if socket.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.push(byte[0]);
            }
            asks.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
            let _ = socket.write_all(answer.as_bytes());
            through(socket);
        }
    });
    (address, asked)
}

/// A provider that is not on this machine.
fn elsewhere() -> Setup {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY);
    setup.with("/providers/openai/origins", json!({ "api": "https://provider.test/v1" }))
}

fn hello() -> Value {
    json!({"model": "openai:gpt-4o", "messages": []})
}

#[test]
fn a_proxy_that_refuses_is_named_with_its_variable_and_its_status() {
    for (answer, said) in [
        ("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", "answered 403 Forbidden"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a user and a password (407)"),
        ("HTTP/1.1 200 Connection established\r\n\r\n", "in the middle of the TLS handshake"),
    ] {
        let (address, asked) = proxy(answer, drop);
        let gateway = elsewhere().with_key("HTTPS_PROXY", &format!("http://{address}")).run();
        let answer = gateway.chat(&hello()).status(502).says(said).never_says("tunnel error");
        if !said.contains("TLS") {
            answer.says(&format!("the proxy http://{address} (HTTPS_PROXY)"));
        }
        assert!(asked.lock().unwrap()[0].starts_with("CONNECT provider.test:443 HTTP/1.1\r\n"));
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named_with_its_variable() {
    // A port that was just free: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (variable, scheme) in [("https_proxy", "http"), ("ALL_PROXY", "socks5h")] {
        let gateway = elsewhere().with_key(variable, &format!("{scheme}://user:canary-password@{address}")).run();
        let expected = format!("the proxy {scheme}://{address} ({variable}) cannot be reached: nothing listens there");
        gateway.chat(&hello()).status(502).says(&expected).never_says("canary-password");
    }
}

#[test]
fn a_request_goes_through_the_proxy_with_its_user_and_past_it_where_that_is_said() {
    let (config, authority) = tls::certified_for("provider.test", &["http/1.1"]);
    let (address, asked) = proxy("HTTP/1.1 200 Connection established\r\n\r\n", move |socket| {
        let mut tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
        let mut request = [0; 4096];
        let _ = tls.read(&mut request);
        let _ = tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{\"choices\":[]}");
        let _ = tls.flush();
        tls.conn.send_close_notify();
        let _ = tls.flush();
    });
    let setup = elsewhere().with_key("SSL_CERT_FILE", authority.path().to_str().unwrap());
    let gateway = setup.with_key("ALL_PROXY", &format!("http://me:p%40ss@{address}")).run();
    gateway.chat(&hello()).status(200).is("{\"choices\":[]}");
    let request = asked.lock().unwrap()[0].clone();
    assert!(request.contains("proxy-authorization: Basic bWU6cEBzcw==\r\n"), "{request}");

    let setup = elsewhere().with_key("ALL_PROXY", &format!("http://{address}"));
    let gateway = setup.with_key("NO_PROXY", "provider.test").run();
    gateway.chat(&hello()).status(502).says("its name is not found").says("provider.test:443");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[test]
fn a_setting_that_cannot_be_used_is_an_error_at_the_start_that_names_the_variable() {
    for (variable, value, problem) in [
        ("HTTPS_PROXY", "not a url", "is not the address of a proxy"),
        ("https_proxy", "ftp://proxy:21", "of the kind `ftp`"),
        ("ALL_PROXY", "socks4://proxy:1080", "of the kind `socks4`"),
        ("HTTP_PROXY", "http://proxy:99999", "host and port"),
        ("HTTPS_PROXY", "http://me:canary-p@ss@proxy:1", "%40"),
    ] {
        for command in [
            &["serve", "--listen", "127.0.0.1:0"][..],
            &["route", "openai:gpt-4o"],
            &["login", "openai-codex"],
            &["models"],
            &["providers"],
            &["accounts"],
        ] {
            let ran = Gateway::start().with_key(variable, value).command(command).fails();
            ran.says(&format!("error: {variable} ")).says(problem);
        }
        // What does not speak to anybody does not mind.
        Gateway::start().with_key(variable, value).command(&["completions", "bash"]).ok();
    }
    let setup = Gateway::start().with_key("HTTPS_PROXY", "http://proxy:1").with_key("NO_PROXY", "https://a.test");
    setup.command(&["route", "openai:gpt-4o"]).fails().says("NO_PROXY names `https://a.test`");
}
