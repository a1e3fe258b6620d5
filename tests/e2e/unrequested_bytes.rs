//! What an upstream sends that no request had asked for: over HTTP/1.1 nothing but the order tells whose answer it is, so a
//! connection on which it came is never used again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bitrouter_tests::{Gateway, KEY, eventually};
use serde_json::json;

/// An upstream that treats each connection as the test says: it is told how many there were before. It stops when it is
/// dropped.
struct Raw {
    address: SocketAddr,
    accepted: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Raw {
    fn start(serve: impl Fn(usize, &mut Far) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (accepted, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stop, serve) = (Arc::clone(&accepted), Arc::clone(&stopped), Arc::new(serve));
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let _ = socket.set_nodelay(true);
                let (number, serve) = (counted.fetch_add(1, Ordering::SeqCst), Arc::clone(&serve));
                std::thread::spawn(move || serve(number, &mut Far(BufReader::new(socket))));
            }
        });
        Raw { address, accepted, stopped }
    }

    fn connections(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    fn gateway(&self) -> Gateway {
        let setup = Gateway::start().with_key("OPENAI_API_KEY", KEY);
        setup.with("/providers/openai/origins", json!({ "api": format!("http://{}/v1", self.address) })).run()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

/// The upstream's end of a connection.
struct Far(BufReader<TcpStream>);

impl Far {
    /// The model that a request asks for; none once the connection is closed.
    fn request(&mut self) -> Option<String> {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(said) = line.strip_prefix("content-length: ") {
                length = said.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).ok()?;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        Some(body["model"].as_str().unwrap().to_owned())
    }

    fn write(&mut self, text: &str) {
        let _ = self.0.get_mut().write_all(text.as_bytes());
    }

    /// Answers every request with the model that it asked for.
    fn answer_all(&mut self) {
        while let Some(model) = self.request() {
            self.write(&answer(&model));
        }
    }
}

fn answer(model: &str) -> String {
    let body = json!({"choices": [], "model": model}).to_string();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// Asks for a model, and is answered for it and no other.
#[track_caller]
fn ask(gateway: &Gateway, model: &str) {
    let body = json!({"model": format!("openai:{model}"), "messages": []});
    let answer = gateway.chat(&body).status(200);
    assert_eq!(answer.json()["model"], model, "it is somebody else's answer");
}

#[test]
fn what_a_fresh_connection_says_before_it_was_asked_is_nobodys_answer() {
    let upstream = Raw::start(|number, far| {
        if number == 0 {
            far.write(&answer("foreign"));
        }
        far.answer_all();
    });
    let gateway = upstream.gateway();
    // Where the upstream's thread comes late, what it says cannot be told from an answer.
    gateway.chat(&json!({"model": "openai:first", "messages": []})).status(200);
    std::thread::sleep(Duration::from_millis(50));
    for model in ["second", "third", "fourth"] {
        ask(&gateway, model);
    }
    assert_eq!(upstream.connections(), 2);
}

#[test]
fn an_upstream_that_always_speaks_first_is_told_so() {
    let upstream = Raw::start(|_, far| {
        far.write(&answer("foreign"));
        let _ = far.request();
    });
    let gateway = upstream.gateway();
    let told = gateway.chat(&json!({"model": "openai:first", "messages": []}));
    // As above, where the thread comes late.
    if told.code != 200 {
        told.status(502).says("before it was asked anything");
    }
}

#[test]
fn the_late_body_of_an_answer_that_has_none_is_nobodys() {
    for head in [
        "HTTP/1.1 204 No Content\r\ncontent-length: 70\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\ncontent-length: 70\r\n\r\n",
    ] {
        let upstream = Raw::start(move |number, far| {
            if number == 0 {
                let _ = far.request();
                far.write(head);
                std::thread::sleep(Duration::from_millis(20));
                far.write(&answer("foreign"));
            }
            far.answer_all();
        });
        let gateway = upstream.gateway();
        gateway.chat(&json!({"model": "openai:none", "messages": []}));
        for model in ["second", "third"] {
            ask(&gateway, model);
        }
        assert_eq!(upstream.connections(), 2, "{head}");
    }
}

#[test]
fn an_answer_too_many_is_not_the_next_ones_even_if_it_comes_late() {
    for late in [0, 1, 30] {
        let upstream = Raw::start(move |number, far| {
            if number == 0 {
                let model = far.request().unwrap();
                far.write(&answer(&model));
                std::thread::sleep(Duration::from_millis(late));
                far.write(&answer("foreign"));
            }
            far.answer_all();
        });
        let gateway = upstream.gateway();
        ask(&gateway, "first");
        // It has come by then, whether the gateway was told of it or not.
        std::thread::sleep(Duration::from_millis(2 * late + 20));
        for model in ["second", "third"] {
            ask(&gateway, model);
        }
        assert_eq!(upstream.connections(), 2, "{late}");
    }
}

#[test]
fn a_timeout_of_an_idle_connection_is_not_the_answer_to_a_request_that_was_never_read() {
    for timeout in [
        "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 408 Request Time-out\r\nconnection: close\r\n\r\n<html>late</html>",
    ] {
        let upstream = Raw::start(move |number, far| {
            if let Some(model) = far.request() {
                far.write(&answer(&model));
            }
            // It comes when the next request is on its way already: that is read, but not by whoever decided to close.
            if number == 0 && far.request().is_some() {
                far.write(timeout);
                return;
            }
            far.answer_all();
        });
        let gateway = upstream.gateway();
        for model in ["first", "second", "third"] {
            ask(&gateway, model);
        }
        assert_eq!(upstream.connections(), 2, "{timeout}");
    }
}

#[test]
fn a_timeout_that_a_fresh_connection_answers_with_is_the_answer() {
    let upstream = Raw::start(|_, far| {
        let _ = far.request();
        far.write("HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    });
    upstream.gateway().chat(&json!({"model": "openai:first", "messages": []})).status(408);
    assert_eq!(upstream.connections(), 1);
}

#[test]
fn an_upstream_that_sends_too_much_again_and_again_answers_each_connection_once() {
    let upstream = Raw::start(|_, far| {
        while let Some(model) = far.request() {
            far.write(&(answer(&model) + &answer("foreign")));
        }
    });
    let gateway = upstream.gateway();
    for model in ["a", "b", "c", "d", "e"] {
        ask(&gateway, model);
    }
    assert_eq!(upstream.connections(), 5);
    gateway.logs("sends what no request asked for");
}

#[test]
fn what_comes_while_a_connection_is_idle_closes_it_at_once() {
    let closed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&closed);
    let upstream = Raw::start(move |_, far| {
        let model = far.request().unwrap();
        far.write(&answer(&model));
        std::thread::sleep(Duration::from_millis(20));
        far.write(&answer("foreign"));
        assert_eq!(far.request(), None);
        seen.fetch_add(1, Ordering::SeqCst);
    });
    let gateway = upstream.gateway();
    ask(&gateway, "first");
    assert!(eventually(|| closed.load(Ordering::SeqCst) == 1), "nobody asks, and it is closed");
}
