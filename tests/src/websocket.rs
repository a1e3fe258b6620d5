//! A client that speaks Responses over a WebSocket, or whatever a test has it send. Dropping it is a client that goes away.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket as Socket, client};

/// An open connection.
pub struct WebSocket {
    socket: Socket<TcpStream>,
}

impl WebSocket {
    /// Opens one at this path with these headers; the status and the body where that is refused.
    pub fn open(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{to}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(to).unwrap();
        // No test may hang: what does not come within this time never comes.
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        match client::client(request, stream) {
            Ok((socket, _)) => Ok(WebSocket { socket }),
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let (head, body) = response.into_parts();
                Err((head.status.as_u16(), String::from_utf8_lossy(&body.unwrap_or_default()).into_owned()))
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Sends a message.
    pub fn sends(&mut self, message: &Value) -> &mut Self {
        self.sends_raw(Message::text(message.to_string()))
    }

    /// Sends a frame of any kind. One that the gateway does not read to its end is no failure of the test.
    pub fn sends_raw(&mut self, message: Message) -> &mut Self {
        let _ = self.socket.send(message);
        self
    }

    /// Sends bytes as they are, or what of them is taken within two seconds.
    pub fn writes_what_is_taken(&mut self, bytes: &[u8]) -> &mut Self {
        let socket = self.socket.get_mut();
        socket.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        let _ = socket.write_all(bytes);
        self
    }

    /// The next message.
    #[track_caller]
    pub fn message(&mut self) -> Value {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).unwrap(),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no message came: {other:?}"),
            }
        }
    }

    /// The messages up to and with the first of one of these types.
    #[track_caller]
    pub fn until(&mut self, types: &[&str]) -> Vec<Value> {
        let mut read = Vec::new();
        loop {
            let message = self.message();
            let last = types.iter().any(|kind| message["type"] == *kind);
            read.push(message);
            if last {
                return read;
            }
        }
    }

    /// The next frame of any kind.
    #[track_caller]
    pub fn frame(&mut self) -> Message {
        self.socket.read().unwrap()
    }

    /// The code with which the gateway closes the connection.
    #[track_caller]
    pub fn is_closed_with(&mut self) -> u16 {
        loop {
            match self.socket.read() {
                Ok(Message::Close(Some(frame))) => {
                    // The answer leaves, and then the connection ends.
                    while self.socket.read().is_ok() {}
                    return frame.code.into();
                }
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                other => panic!("no close frame came: {other:?}"),
            }
        }
    }
}
