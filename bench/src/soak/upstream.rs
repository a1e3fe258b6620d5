//! An upstream that fails in the way that the model's name says, over bare HTTP/1.1. It stops when it is dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What can go wrong, as the model's name begins. `slow` and `huge` go right, and cost something.
pub const FAULTS: [&str; 10] =
    ["cut", "reset", "early-reset", "error-event", "nonsense", "server-error", "rate-limit", "silence", "slow", "huge"];

const EVENT: &str = "data: {\"id\":\"soak\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"soak\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"},\"finish_reason\":null}]}\n\n";
const DONE: &str = "data: {\"id\":\"soak\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"soak\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

/// The upstream.
pub struct Upstream {
    /// Where it listens.
    pub addr: SocketAddr,
    accepts: JoinHandle<()>,
}

impl Upstream {
    /// Starts it on the runtime of the caller.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        let accepts = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    // Whoever went away is no news here.
                    let _ = serve(stream).await;
                });
            }
        });
        Ok(Self { addr, accepts })
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(body) = request(&mut stream).await? {
        let fault = FAULTS.into_iter().find(|fault| {
            let name = format!("\"model\":\"{fault}.");
            body.windows(name.len()).any(|window| window == name.as_bytes())
        });
        if !answer(stream.get_mut(), fault.unwrap_or("server-error")).await? {
            if fault.is_some_and(|fault| fault.ends_with("reset")) {
                stream.get_ref().set_zero_linger()?;
            }
            return Ok(());
        }
    }
    Ok(())
}

/// Reads a request; its body, or none once the connection is closed.
async fn request(from: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = said.trim().parse().unwrap_or_default();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    from.read_exact(&mut body).await?;
    Ok(Some(body))
}

/// Answers; whether the connection goes on.
async fn answer(to: &mut TcpStream, fault: &str) -> std::io::Result<bool> {
    let error = r#"{"error":{"message":"it broke","type":"server_error","param":null,"code":"server_error"}}"#;
    let whole = |status: &str, more: &str| {
        let length = error.len();
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}content-length: {length}\r\n\r\n{error}")
    };
    match fault {
        "cut" | "reset" => {
            write(to, STREAM).await?;
            write(to, &chunk(&EVENT.repeat(3))).await?;
            sleep(Duration::from_millis(20)).await;
            Ok(false)
        }
        "early-reset" => Ok(false),
        "nonsense" => write(to, "SSH-2.0-OpenSSH_9.9\r\n").await.map(|()| false),
        "server-error" => write(to, &whole("500 Internal Server Error", "")).await.map(|()| true),
        "rate-limit" => write(to, &whole("429 Too Many Requests", "retry-after: 1\r\n")).await.map(|()| true),
        "error-event" => {
            let event = chunk(&format!("data: {error}\n\n"));
            write(to, &format!("{STREAM}{}{event}0\r\n\r\n", chunk(EVENT))).await.map(|()| true)
        }
        "silence" => {
            write(to, &format!("{STREAM}{}", chunk(EVENT))).await?;
            // Until the gateway gives up.
            let mut nothing = [0; 64];
            while to.read(&mut nothing).await? > 0 {}
            Ok(false)
        }
        "slow" => {
            write(to, STREAM).await?;
            for _ in 0..20 {
                write(to, &chunk(EVENT)).await?;
                sleep(Duration::from_millis(50)).await;
            }
            write(to, &format!("{}0\r\n\r\n", chunk(DONE))).await.map(|()| true)
        }
        // `huge`: 8 MB in events of 200 KB.
        _ => {
            write(to, STREAM).await?;
            let event = chunk(&EVENT.replace("word ", &"word ".repeat(40_000)));
            for _ in 0..40 {
                write(to, &event).await?;
            }
            write(to, &format!("{}0\r\n\r\n", chunk(DONE))).await.map(|()| true)
        }
    }
}

async fn write(to: &mut TcpStream, text: &str) -> std::io::Result<()> {
    to.write_all(text.as_bytes()).await
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}
