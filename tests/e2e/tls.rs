//! Upstreams over TLS that speak HTTP/1.1, as most that are one's own do: every answer as it is without TLS, and none that was
//! cut taken for a whole one. The certificate is made for each upstream; the gateway is told by `SSL_CERT_FILE`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use bitrouter_tests::{Gateway, KEY, eventually};
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{\"choices\":[]}";
const UNTIL_CLOSE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"choices\":[]}";

type Tls = BufReader<StreamOwned<ServerConnection, TcpStream>>;

/// An upstream over TLS. It stops when it is dropped.
struct Upstream {
    address: SocketAddr,
    authority: NamedTempFile,
    accepted: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Upstream {
    /// Starts one that offers these protocols and treats each connection so.
    fn start(protocols: &[&str], serve: impl Fn(&mut Tls) + Send + Sync + 'static) -> Self {
        let (config, authority) = certified(protocols);
        let serve = Arc::new(serve);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stop) = (Arc::clone(&accepted), Arc::clone(&stopped));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = socket.set_nodelay(true);
                let tls = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(&mut BufReader::new(tls)));
            }
        });
        Upstream { address, authority, accepted, stopped }
    }

    fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    fn gateway(&self) -> Gateway {
        gateway(self.address, &self.authority)
    }
}

/// A server's configuration that offers these protocols, and the file with the authority to be trusted.
pub(crate) fn certified(protocols: &[&str]) -> (Arc<ServerConfig>, NamedTempFile) {
    certified_for("127.0.0.1", protocols)
}

/// The same, for a server of this name.
pub(crate) fn certified_for(name: &str, protocols: &[&str]) -> (Arc<ServerConfig>, NamedTempFile) {
    let mut certified = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
    certified.distinguished_name.push(rcgen::DnType::CommonName, name);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = certified.self_signed(&key).unwrap();
    let mut authority = NamedTempFile::new().unwrap();
    authority.write_all(certificate.pem().as_bytes()).unwrap();
    let key = key.serialize_der().try_into().unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    (Arc::new(config), authority)
}

/// A gateway whose `openai` is there, and which trusts this authority.
pub(crate) fn gateway(address: SocketAddr, authority: &NamedTempFile) -> Gateway {
    let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY);
    let setup = setup.with_key("SSL_CERT_FILE", authority.path().to_str().unwrap());
    setup.with("/providers/openai/origins", json!({ "api": format!("https://{address}/v1") })).run()
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// Reads a request's head; the length of its body. None once the connection is closed.
fn head(tls: &mut Tls) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if tls.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(said) = line.strip_prefix("content-length: ") {
            length = said.trim().parse().unwrap();
        }
        if line == "\r\n" {
            return Some(length);
        }
    }
}

/// Reads a request; whether there was one.
fn request(tls: &mut Tls) -> bool {
    head(tls).is_some_and(|length| tls.read_exact(&mut vec![0; length]).is_ok())
}

/// Writes this in records of its own.
fn write(tls: &mut Tls, text: &str) {
    tls.get_mut().write_all(text.as_bytes()).unwrap();
    tls.get_mut().flush().unwrap();
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// An event with a text of this length.
fn event(length: usize) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": "a".repeat(length)}}]}))
}

/// Says that nothing more comes, as TLS has it.
fn say_farewell(tls: &mut Tls) {
    tls.get_mut().conn.send_close_notify();
    tls.get_mut().flush().unwrap();
}

fn chat() -> Value {
    json!({"model": "openai:gpt-5", "messages": []})
}

fn streamed() -> Value {
    json!({"model": "openai:gpt-5", "messages": [], "stream": true})
}

#[test]
fn answers_follow_each_other_on_one_connection_whether_the_protocol_is_agreed_on_or_not() {
    for protocols in [&["http/1.1"][..], &[]] {
        let upstream = Upstream::start(protocols, |tls| {
            while request(tls) {
                write(tls, WHOLE);
            }
        });
        let gateway = upstream.gateway();
        for _ in 0..3 {
            gateway.chat(&chat()).status(200).is("{\"choices\":[]}");
        }
        assert_eq!(upstream.connections(), 1);
    }
}

#[test]
fn each_event_of_a_paced_stream_is_there_before_the_next_is_sent() {
    let (go_on, next) = mpsc::channel::<()>();
    let next = std::sync::Mutex::new(next);
    let upstream = Upstream::start(&["http/1.1"], move |tls| {
        while request(tls) {
            write(tls, STREAM);
            for length in 1..=5 {
                write(tls, &chunk(&event(length)));
                next.lock().unwrap().recv().unwrap();
            }
            write(tls, &(chunk("data: [DONE]\n\n") + "0\r\n\r\n"));
        }
    });
    let gateway = upstream.gateway();
    let mut stream = gateway.post("/v1/chat/completions").json(&streamed()).open();
    assert_eq!(stream.head().0, 200);
    for length in 1..=5 {
        stream.read_until(&event(length));
        go_on.send(()).unwrap();
    }
    stream.read_until("[DONE]");
}

#[test]
fn a_burst_is_whole_however_it_lies_in_records() {
    // Many of the size of one token, some that fill a record, some that fill several, some beyond one read.
    let sizes: Vec<usize> = (0..68).map(|n| [3, 40, 700, 5_000, 16_300, 40_000, 1][n % 7] + n).collect();
    let events: Vec<String> = sizes.iter().map(|&size| event(size)).collect();
    let expected = events.concat() + "data: [DONE]\n\n";
    let chunks: String = events.iter().map(|event| chunk(event)).collect();
    let body = chunks + &chunk("data: [DONE]\n\n") + "0\r\n\r\n";
    // The records of each connection's n-th answer: a chunk each, odd sizes, all at once.
    let upstream = Upstream::start(&["http/1.1"], move |tls| {
        for size in [150, 1_021, 16_384, 30_011, usize::MAX] {
            if !request(tls) {
                return;
            }
            write(tls, STREAM);
            for record in body.as_bytes().chunks(size) {
                write(tls, std::str::from_utf8(record).unwrap());
            }
        }
    });
    let gateway = upstream.gateway();
    for _ in 0..5 {
        gateway.chat(&streamed()).status(200).is(&expected);
    }
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_answer_comes_while_a_large_request_is_still_being_sent() {
    let (go_on, next) = mpsc::channel::<()>();
    let next = std::sync::Mutex::new(next);
    let upstream = Upstream::start(&["http/1.1"], move |tls| {
        while let Some(length) = head(tls) {
            write(tls, &(STREAM.to_owned() + &chunk(&event(1))));
            // Only when the client has it is the request read.
            next.lock().unwrap().recv().unwrap();
            tls.read_exact(&mut vec![0; length]).unwrap();
            write(tls, &(chunk("data: [DONE]\n\n") + "0\r\n\r\n"));
        }
    });
    let gateway = upstream.gateway();
    let mut body = streamed();
    body["messages"] = json!([{"role": "user", "content": "a".repeat(16 << 20)}]);
    for _ in 0..2 {
        let mut stream = gateway.post("/v1/chat/completions").json(&body).open();
        assert_eq!(stream.head().0, 200);
        stream.read_until(&event(1));
        go_on.send(()).unwrap();
        stream.read_until("[DONE]");
    }
    assert_eq!(upstream.connections(), 2, "what began before its request had left may have been an answer to nothing");
}

#[test]
fn a_body_that_ends_with_the_connection_is_complete_only_if_tls_says_so() {
    for farewell in [true, false] {
        let upstream = Upstream::start(&["http/1.1"], move |tls| {
            if request(tls) {
                write(tls, UNTIL_CLOSE);
                if farewell {
                    say_farewell(tls);
                }
                let _ = tls.get_ref().sock.shutdown(Shutdown::Both);
            }
        });
        let answer = upstream.gateway().chat(&chat());
        if farewell {
            answer.status(200).is("{\"choices\":[]}");
        } else {
            // Anybody on the way could have cut it there.
            answer.status(502).says("close_notify").never_says("docs.rs");
        }
    }
}

#[test]
fn a_stream_is_whole_where_its_last_word_came_and_not_where_the_connection_ends_well() {
    for (last, farewell) in [("data: [DONE]\n\n", true), ("data: [DONE]\n\n", false), ("", true), ("", false)] {
        let upstream = Upstream::start(&["http/1.1"], move |tls| {
            if request(tls) {
                write(tls, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
                write(tls, &(event(3) + last));
                if farewell {
                    say_farewell(tls);
                }
                let _ = tls.get_ref().sock.shutdown(Shutdown::Both);
            }
        });
        let answer = upstream.gateway().chat(&streamed()).status(200);
        let told = answer.text().contains("broke off");
        assert_eq!(
            (answer.complete, told),
            (!last.is_empty(), last.is_empty()),
            "{last} {farewell}: {}",
            answer.text()
        );
    }
}

#[test]
fn an_idle_connection_that_the_upstream_closed_is_replaced() {
    for farewell in [true, false] {
        let upstream = Upstream::start(&["http/1.1"], move |tls| {
            if request(tls) {
                write(tls, WHOLE);
                if farewell {
                    say_farewell(tls);
                }
                let _ = tls.get_ref().sock.shutdown(Shutdown::Both);
            }
        });
        let gateway = upstream.gateway();
        for _ in 0..3 {
            gateway.chat(&chat()).status(200).is("{\"choices\":[]}");
        }
        assert!(eventually(|| upstream.connections() == 3));
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_told_with_what_helps() {
    let upstream = Upstream::start(&["http/1.1"], |tls| {
        request(tls);
    });
    for (other, said) in [("other.test", "not trusted here"), ("127.0.0.1", "not signed by the authority")] {
        let answer = gateway(upstream.address, &certified_for(other, &[]).1).chat(&chat());
        answer.status(502).says(said).says("SSL_CERT_FILE").never_says("UnknownIssuer");
    }
    let (config, authority) = certified_for("elsewhere.test", &[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let socket = listener.accept().unwrap().0;
        let _ = StreamOwned::new(ServerConnection::new(config).unwrap(), socket).read(&mut [0]);
    });
    gateway(address, &authority).chat(&chat()).status(502).says("its certificate is for another name");
}

#[test]
fn an_upstream_that_speaks_no_tls_is_told_from_one_that_hangs_up() {
    for (spoken, said) in [("HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"), ("", "Does it speak TLS there?")]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut socket = listener.accept().unwrap().0;
            let _ = socket.read(&mut [0; 4096]);
            let _ = socket.write_all(spoken.as_bytes());
        });
        let (_, authority) = certified(&[]);
        gateway(address, &authority).chat(&chat()).status(502).says(said);
    }
}

#[test]
fn what_comes_unasked_over_tls_is_nobodys_either_but_what_tls_says_itself_is_no_surplus() {
    let upstream = Upstream::start(&["http/1.1"], |tls| {
        let mut times = 0;
        while request(tls) {
            write(tls, WHOLE);
            times += 1;
            // Keys are changed at any time, as tickets come; neither is an answer.
            tls.get_mut().conn.refresh_traffic_keys().unwrap();
            tls.get_mut().flush().unwrap();
            if times == 2 {
                std::thread::sleep(std::time::Duration::from_millis(5));
                write(tls, "HTTP/1.1 500 Foreign\r\ncontent-length: 0\r\n\r\n");
            }
        }
    });
    let gateway = upstream.gateway();
    for connections in [1, 1, 2, 2] {
        std::thread::sleep(std::time::Duration::from_millis(30));
        gateway.chat(&chat()).status(200).is("{\"choices\":[]}");
        assert_eq!(upstream.connections(), connections);
    }
}
