//! A client of the gateway's: HTTP/1.1 over one socket. It sends whatever a test asks for, well-formed or not, and no
//! header that was not asked for but `host` and the length.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::answer::Answer;
use crate::wire;

/// A request before it is sent.
#[derive(Clone)]
pub struct Request {
    to: SocketAddr,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
}

impl Request {
    /// A request without a body.
    pub fn new(to: SocketAddr, method: &str, path: &str) -> Self {
        let (method, path) = (method.to_owned(), path.to_owned());
        Request { to, method, path, headers: Vec::new(), body: Vec::new(), chunked: false }
    }

    /// Adds a header; `host` takes the place of the usual one.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// Sets a body.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }

    /// Sends the body in chunks, so that its length is not known beforehand.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// Sends it on a connection of its own and reads the whole answer.
    pub fn send(self) -> Answer {
        self.open().answer()
    }

    /// Sends it, and leaves the reading to the test.
    pub fn open(self) -> Open {
        let mut open = Open::to(self.to);
        open.send(&self);
        open
    }

    fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("host: {}\r\n", self.to);
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if self.chunked {
            head += "transfer-encoding: chunked\r\n\r\n";
            let chunks = self
                .body
                .chunks(16 << 10)
                .map(|chunk| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            return [head.into_bytes(), chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat();
        }
        if !self.body.is_empty() || self.method == "POST" {
            head += &format!("content-length: {}\r\n", self.body.len());
        }
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// An open connection to the gateway. Dropping it is a client that goes away.
pub struct Open {
    socket: TcpStream,
    reader: BufReader<TcpStream>,
    last_method: String,
}

impl Open {
    /// Connects.
    pub fn to(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        // No test may hang: what does not come within this time never comes.
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        socket.set_nodelay(true).unwrap();
        let reader = BufReader::new(socket.try_clone().unwrap());
        Open { socket, reader, last_method: String::new() }
    }

    /// Sends a request. A gateway may answer and close before it has read all of it; its answer is read all the same.
    pub fn send(&mut self, request: &Request) -> &mut Self {
        self.last_method.clone_from(&request.method);
        self.write(&request.bytes())
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) -> &mut Self {
        let _ = self.socket.write_all(bytes);
        self
    }

    /// Waits at most this long for what is read from now on, instead of half a minute.
    pub fn wait_at_most(&mut self, seconds: u64) -> &mut Self {
        self.socket.set_read_timeout(Some(Duration::from_secs(seconds))).unwrap();
        self
    }

    /// Reads one whole answer.
    pub fn answer(&mut self) -> Answer {
        let (code, headers) = self.head();
        if self.last_method == "HEAD" || code == 204 {
            return Answer { code, headers, body: Vec::new(), complete: true };
        }
        let (body, complete) = wire::body(&mut self.reader, &headers, true);
        Answer { code, headers, body, complete }
    }

    /// Reads the status and the headers of an answer.
    pub fn head(&mut self) -> (u16, wire::Headers) {
        self.head_if_any().expect("the gateway answers")
    }

    /// The same; none where nothing comes in the time that is waited at most.
    pub fn head_if_any(&mut self) -> Option<(u16, wire::Headers)> {
        let (first, headers) = wire::head(&mut self.reader)?;
        let code = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        Some((code.unwrap_or_else(|| panic!("no status in `{first}`")), headers))
    }

    /// Reads chunks until a text was there; answers all that was read.
    pub fn read_until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.contains(text) {
            let chunk = wire::chunk(&mut self.reader).filter(|chunk| !chunk.is_empty());
            let chunk = chunk.unwrap_or_else(|| panic!("the stream ended without `{text}`: {read}"));
            read.push_str(&String::from_utf8_lossy(&chunk));
        }
        read
    }

    /// All that comes until the gateway closes the connection, as it is on the wire.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        let _ = self.reader.read_to_end(&mut rest);
        String::from_utf8_lossy(&rest).into_owned()
    }

    /// True if the gateway closes the connection, whatever it may say before.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.reader.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    /// Goes away at once, in both directions.
    pub fn leave(self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
