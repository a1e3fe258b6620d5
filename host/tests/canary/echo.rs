//! The secret, in every form in which it may come back, and an upstream that says it in all of them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What must never be found: with characters that JSON, URLs and base64 each write in their own way.
pub(crate) const SECRET: &str = "sk-canary-J3/x+Tr\"9=\\Qz_<&>.~0123456789";

/// The secret as it looks in each encoding, by name.
pub(crate) fn forms() -> Vec<(String, String)> {
    let quoted = serde_json::to_string(SECRET).unwrap();
    let percent = utf8_percent_encode(SECRET, NON_ALPHANUMERIC).to_string();
    let mut forms = vec![
        ("plain".to_owned(), SECRET.to_owned()),
        ("JSON".to_owned(), quoted[1..quoted.len() - 1].to_owned()),
        ("percent".to_owned(), percent.clone()),
        ("percent, lower case".to_owned(), lower(&percent)),
    ];
    for before in 0..3 {
        for (name, engine) in [("base64", STANDARD), ("base64url", URL_SAFE)] {
            let text = engine.encode(format!("{}{SECRET}", &"me:"[..before]));
            // The first and the last characters hold bits of the neighbours too.
            let clean = &text[(8 * before).div_ceil(6)..8 * (before + SECRET.len()) / 6];
            forms.push((format!("{name} after {before} bytes"), clean.to_owned()));
        }
    }
    forms
}

/// The same with lower-case digits after each `%`.
fn lower(percent: &str) -> String {
    let parts = percent.split('%').enumerate();
    parts
        .map(|(at, part)| if at == 0 { part.into() } else { format!("%{}{}", part[..2].to_lowercase(), &part[2..]) })
        .collect()
}

/// All forms in one text.
pub(crate) fn all() -> String {
    forms().into_iter().map(|(name, form)| format!("{name}: {form}")).collect::<Vec<_>>().join("; ")
}

/// What each answer holds beside the secret, for a component to see: where it is not found, the search is broken.
pub(crate) mod marker {
    pub(crate) const ASKED: &str = "marker-answer-of-ask";
    pub(crate) const EVENT: &str = "marker-event-of-stream";
    pub(crate) const FAILED: &str = "marker-failed-answer";
    pub(crate) const HEADER: &str = "marker-answer-header";
}

/// Answers calls at this address, and checks that the secret came with each.
pub(crate) async fn serve(listener: TcpListener) {
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        tokio::spawn(answer(socket));
    }
}

async fn answer(mut socket: TcpStream) {
    let request = read(&mut socket).await;
    let attached = request.contains(&format!("authorization: Bearer {SECRET}\r\n"))
        && request.contains(&format!("x-probe-key: {SECRET}\r\n"))
        && request.lines().next().is_some_and(|line| line.contains("key=sk-canary"));
    let echo = all();
    let head = |status: &str, kind: &str| {
        format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\nx-probe-echo: Bearer {SECRET}\r\n\
             x-probe-all: {echo}; {}\r\nx-probe-status: answered {status}\r\nx-ratelimit-limit-requests: 10\r\n\r\n",
            marker::HEADER
        )
    };
    if !attached {
        let _ = socket.write_all(head("500 Secret Missing", "text/plain").as_bytes()).await;
        return;
    }
    let whole = |marker: &str| {
        json!({"marker": marker, "echo": &echo, "error": {"message": format!("{marker}: {echo}")}}).to_string()
    };
    if request.starts_with("GET /v1/token") {
        let answer = head("200 OK", "application/json") + &whole(marker::ASKED) + &echo;
        let _ = socket.write_all(answer.as_bytes()).await;
    } else if request.contains("\"stream\":true") {
        let begin =
            head("200 OK", "text/event-stream") + "data: " + &whole(marker::EVENT) + "\n\ndata: plain " + &SECRET[..20];
        let _ = socket.write_all(begin.as_bytes()).await;
        let _ = socket.flush().await;
        // Two reads, with the secret split over them.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        let end = format!("{}\n\ndata: {echo}\n\ndata: [DONE]\n\n", &SECRET[20..]);
        let _ = socket.write_all(end.as_bytes()).await;
    } else if request.contains("please fail") {
        let answer = head("429 Too Many Requests", "application/json") + &whole(marker::FAILED);
        let _ = socket.write_all(answer.as_bytes()).await;
    } else {
        let _ = socket.write_all((head("200 OK", "application/json") + &whole("whole")).as_bytes()).await;
    }
}

/// Reads one request: its head, and as much of a body as it says.
async fn read(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return text.into_owned();
            }
        }
        match socket.read(&mut chunk).await.unwrap() {
            0 => return text.into_owned(),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
