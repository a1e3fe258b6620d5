//! The upstream's side of a WebSocket: each message is asked of the same script as a POST, with the conversation that it goes on
//! from put before it, as OpenAI keeps it for a connection.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

use crate::reply::{Reply, Sent};
use crate::wire::{Headers, Seen};

/// How an upstream speaks over WebSockets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Speaks {
    /// How many messages a connection takes before it is too old.
    pub(crate) lasts: Option<usize>,
}

/// Answers a handshake; none where it is no whole one.
pub(crate) fn open(mut socket: TcpStream, headers: &Headers) -> Option<WebSocket<TcpStream>> {
    let accept = derive_accept_key(headers.get("sec-websocket-key")?.as_bytes());
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).ok()?;
    Some(WebSocket::from_raw_socket(socket, Role::Server, None))
}

/// Message after message. `ask` is the script, and is told of the message as it came.
pub(crate) fn serve(
    mut socket: WebSocket<TcpStream>,
    speaks: Speaks,
    path: &str,
    headers: &Headers,
    ask: impl Fn(&Value, Seen) -> Reply,
) -> Sent {
    let mut conversations: HashMap<String, Vec<Value>> = HashMap::new();
    let mut before = 0;
    loop {
        let message: Value = match socket.read() {
            Ok(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
            Ok(_) => continue,
            Err(_) => return Sent::Complete,
        };
        if speaks.lasts == Some(before) {
            let error =
                json!({"type": "invalid_request_error", "code": "websocket_connection_limit_reached", "message": "60"});
            let _ = socket.send(text(&json!({"type": "error", "status": 400, "error": error, "headers": {}})));
            let _ = socket.get_mut().shutdown(Shutdown::Both);
            return Sent::Cut;
        }
        let mut body = message.clone();
        let members = body.as_object_mut().unwrap();
        assert_eq!(members.remove("type"), Some(json!("response.create")));
        let mut input = Vec::new();
        if let Some(previous) = members.remove("previous_response_id").filter(|id| !id.is_null()) {
            let Some(known) = conversations.get(previous.as_str().unwrap()) else {
                let error =
                    json!({"type": "invalid_request_error", "code": "previous_response_not_found", "message": "No."});
                let _ = socket.send(text(&json!({"type": "error", "status": 400, "error": error, "headers": {}})));
                continue;
            };
            input.clone_from(known);
        }
        input.extend(members["input"].as_array().unwrap().iter().cloned());
        members.insert("input".into(), json!(input));
        let sent = [("content-type", "application/json"), ("accept", "text/event-stream")];
        let sent = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let headers = Headers(headers.0.iter().cloned().chain(sent).collect());
        let seen =
            Seen { method: "POST".into(), path: path.into(), headers, body: body.to_string().into_bytes(), before };
        before += 1;
        let reply = ask(&message, seen);
        for event in events(&String::from_utf8_lossy(&reply.bytes())) {
            match event["type"].as_str() {
                Some("response.output_item.done") => {
                    let mut item = event["item"].clone();
                    item.as_object_mut().unwrap().remove("id");
                    input.push(item);
                }
                Some("response.completed") => {
                    conversations.insert(event["response"]["id"].as_str().unwrap().to_owned(), input.clone());
                }
                _ => {}
            }
        }
        match reply.write_messages(&mut socket) {
            Sent::Complete => {}
            ended => return ended,
        }
    }
}

/// The data of these events.
pub(crate) fn events(text: &str) -> Vec<Value> {
    let data =
        |event: &str| event.lines().filter_map(|line| line.strip_prefix("data: ")).collect::<Vec<_>>().join("\n");
    text.split("\n\n").filter_map(|event| serde_json::from_str(&data(event)).ok()).collect()
}

pub(crate) fn text(message: &Value) -> Message {
    Message::text(message.to_string())
}
