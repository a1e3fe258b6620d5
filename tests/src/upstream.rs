//! A provider's API that does as a test tells it: it records what it is sent and answers from a script. It listens on
//! loopback, on a port of its own, and is gone when it is dropped.

use std::collections::HashMap;
use std::io::BufReader;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::Request;
use crate::reply::{Reply, Sent};
use crate::upstream_websocket::{self, Speaks};
use crate::wait::eventually;
use crate::wire::{self, Seen};

type Script = Box<dyn Fn(&Seen) -> Reply + Send>;

/// The upstream.
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Script>,
    seen: Mutex<Vec<Seen>>,
    /// The connections that are open, by their numbers.
    sockets: Mutex<HashMap<usize, TcpStream>>,
    accepted: AtomicUsize,
    gone: AtomicUsize,
    stopped: AtomicBool,
    /// Whether and how it speaks over WebSockets; who asks for one where it does not is sent to POST.
    speaks: Mutex<Option<Speaks>>,
    /// How often one was asked for.
    handshakes: AtomicUsize,
    /// How many of those that were opened are closed.
    closed: AtomicUsize,
    /// What came over them, as it came.
    messages: Mutex<Vec<Value>>,
}

impl Upstream {
    /// Starts one that answers every request with `{}`.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// The same, at this address.
    pub fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(|_| Reply::json(&json!({})))),
            seen: Mutex::default(),
            sockets: Mutex::default(),
            accepted: AtomicUsize::new(0),
            gone: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
            speaks: Mutex::default(),
            handshakes: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            messages: Mutex::default(),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || serving.accept(&listener));
        Upstream { address, shared }
    }

    /// Where it listens, as `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers every request from now on with this JSON.
    pub fn answers(&self, body: Value) -> &Self {
        self.replies(Reply::json(&body))
    }

    /// Answers every request from now on with a stream of these pieces, each written by itself.
    pub fn streams(&self, pieces: &[&str]) -> &Self {
        self.replies(pieces.iter().fold(Reply::sse(), |reply, piece| reply.send(*piece)))
    }

    /// Answers every request from now on in this way.
    pub fn replies(&self, reply: Reply) -> &Self {
        self.follows(move |_| reply.clone())
    }

    /// Answers every request from now on with what the script says to it.
    pub fn follows(&self, script: impl Fn(&Seen) -> Reply + Send + 'static) -> &Self {
        *self.shared.script.lock().unwrap() = Box::new(script);
        self
    }

    /// Speaks over WebSockets from now on, too.
    pub fn speaks_websockets(&self) -> &Self {
        *self.shared.speaks.lock().unwrap() = Some(Speaks::default());
        self
    }

    /// The same, each connection for so many messages.
    pub fn speaks_websockets_for(&self, messages: usize) -> &Self {
        *self.shared.speaks.lock().unwrap() = Some(Speaks { lasts: Some(messages) });
        self
    }

    /// How often a WebSocket was asked for.
    pub fn handshakes(&self) -> usize {
        self.shared.handshakes.load(Ordering::SeqCst)
    }

    /// How many WebSockets were open and are closed by now.
    pub fn closed_websockets(&self) -> usize {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// What came over WebSockets, as it came. Each is among the requests as well, with the conversation that it goes on from.
    pub fn messages(&self) -> Vec<Value> {
        self.shared.messages.lock().unwrap().clone()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The last request.
    pub fn last(&self) -> Seen {
        self.requests().pop().expect("the upstream was sent nothing")
    }

    /// How many connections were ever opened to it.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Waits until all that was sent by somebody who is gone by now has been read and answered.
    #[track_caller]
    pub fn settles(&self) {
        // Connections are taken in their order: whatever came before this one has its thread by then.
        Request::new(self.address, "GET", "/settled").send();
        assert!(eventually(|| self.shared.sockets.lock().unwrap().is_empty()), "somebody is connected still");
    }

    /// How many answers waited until the gateway had gone, and saw it go.
    pub fn hung_up(&self) -> usize {
        self.shared.gone.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; the others end with their sockets.
        let _ = TcpStream::connect(self.address);
        for socket in self.shared.sockets.lock().unwrap().values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for socket in listener.incoming().flatten() {
            if self.stopped.load(Ordering::SeqCst) {
                return;
            }
            let number = self.accepted.fetch_add(1, Ordering::SeqCst);
            let _ = socket.set_nodelay(true);
            self.sockets.lock().unwrap().insert(number, socket.try_clone().unwrap());
            let shared = Arc::clone(self);
            std::thread::spawn(move || {
                shared.serve(socket);
                shared.sockets.lock().unwrap().remove(&number);
            });
        }
    }

    /// One connection, request after request.
    fn serve(&self, mut socket: TcpStream) {
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut before = 0;
        while let Some((first, headers)) = wire::head(&mut reader) {
            let (body, complete) = wire::body(&mut reader, &headers, false);
            if !complete {
                return;
            }
            let mut words = first.split(' ').map(str::to_owned);
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if headers.get("upgrade") == Some("websocket") {
                self.handshakes.fetch_add(1, Ordering::SeqCst);
                let speaks = *self.speaks.lock().unwrap();
                let Some(speaks) = speaks else {
                    let _ = Reply::json(&json!({"error": {"message": "Use POST."}})).status(426).write(&mut socket);
                    continue;
                };
                let Some(websocket) = upstream_websocket::open(socket, &headers) else { return };
                let ask = |message: &Value, seen: Seen| {
                    let reply = (self.script.lock().unwrap())(&seen);
                    self.messages.lock().unwrap().push(message.clone());
                    self.seen.lock().unwrap().push(seen);
                    reply
                };
                if upstream_websocket::serve(websocket, speaks, &path, &headers, ask) == Sent::Gone {
                    self.gone.fetch_add(1, Ordering::SeqCst);
                }
                self.closed.fetch_add(1, Ordering::SeqCst);
                return;
            }
            let seen = Seen { method, path, headers, body, before };
            before += 1;
            let reply = (self.script.lock().unwrap())(&seen);
            self.seen.lock().unwrap().push(seen);
            match reply.write(&mut socket) {
                Ok(Sent::Complete) => {}
                Ok(Sent::Gone) => {
                    self.gone.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                Ok(Sent::Cut) | Err(_) => return,
            }
        }
    }
}
