//! Abuses by connections: ones that say nothing or half of something, and clients that do not read or are gone without
//! a word. Called by the rows.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::scene::{Post, Scene};
use crate::answers::Behaviour;
use crate::bodies::{self, Kind};
use crate::upstream::FLOODS;

/// Connections that are opened at once: the backlog of a listener is not what is abused.
const AT_ONCE: usize = 50;

/// The address of clients that vanish. Not one of 127.0.0.0/8, which a system always has.
const VANISHES: &str = "10.255.255.1/32";
/// By then the gateway must have noticed that they are gone.
pub const FORGOTTEN: Duration = Duration::from_secs(90);

/// What a connection says before it falls silent.
pub const NOTHING: &[u8] = b"";
/// One byte of a method.
pub const ONE_BYTE: &[u8] = b"P";
/// A head that does not end.
pub const HALF_A_HEAD: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-";
/// What HTTP/2 begins with, and nothing after it.
pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Opens `number` connections which say this and then nothing, and keeps them, for as long as it is awaited.
pub async fn silent(scene: &Arc<Scene>, number: usize, says: &'static [u8]) -> Result<()> {
    let mut waiting = JoinSet::new();
    let mut opening = JoinSet::new();
    for begun in 0..number {
        if begun >= AT_ONCE {
            keep(scene, &mut opening, &mut waiting).await?;
        }
        let scene = scene.clone();
        opening.spawn(async move {
            let mut stream = scene.connect().await?;
            stream.write_all(says).await?;
            anyhow::Ok(stream)
        });
    }
    while !opening.is_empty() {
        keep(scene, &mut opening, &mut waiting).await?;
    }
    scene.is_under_way();
    while let Some(closed) = waiting.join_next().await {
        closed?;
    }
    // All were closed by the gateway: the calm client goes on beside what is left of the abuse, which is nothing.
    std::future::pending().await
}

/// Takes the next connection that is open, and waits beside the others for its end.
async fn keep(scene: &Arc<Scene>, opening: &mut JoinSet<Result<TcpStream>>, waiting: &mut JoinSet<()>) -> Result<()> {
    match opening.join_next().await.transpose()? {
        Some(Ok(stream)) => {
            scene.tell("opened");
            let scene = scene.clone();
            waiting.spawn(async move {
                until_closed(stream).await;
                scene.tell("closed by the gateway");
            });
        }
        Some(Err(error)) => scene.tell(format!("not opened: {}", error.root_cause())),
        None => {}
    }
    Ok(())
}

async fn until_closed(mut stream: TcpStream) {
    let mut said = [0; 1024];
    while matches!(stream.read(&mut said).await, Ok(1..)) {}
}

/// `number` clients that ask for an endless stream and never read. They stay for as long as it is awaited.
pub async fn never_read(scene: &Arc<Scene>, number: usize) -> Result<()> {
    let model = format!("openai:{}", Behaviour::Flood.model());
    let post = Post::new(Behaviour::Flood.path(), bodies::chat(Kind::Small, &model, true));
    let mut held = Vec::new();
    for _ in 0..number {
        let mut stream = scene.connect().await?;
        stream.write_all(&post.head(scene.gateway)).await?;
        stream.write_all(&post.body).await?;
        scene.tell("opened");
        held.push(stream);
    }
    // Until the buffers on the way are full.
    sleep(Duration::from_secs(1)).await;
    scene.is_under_way();
    std::future::pending().await
}

/// Waits until the upstream sends no endless answer any more; says how many there still are after so long.
pub async fn still_sent(upstream: SocketAddr, limit: Duration) -> Result<Option<String>> {
    let begun = Instant::now();
    loop {
        let sent = floods(upstream).await?;
        if sent == 0 {
            return Ok(None);
        }
        if begun.elapsed() > limit {
            let seconds = limit.as_secs();
            return Ok(Some(format!("{sent} answers that nobody reads are still being sent after {seconds} s")));
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// How many endless answers the upstream is sending.
async fn floods(upstream: SocketAddr) -> Result<u64> {
    let mut stream = TcpStream::connect(upstream).await?;
    let request = format!("GET {FLOODS} HTTP/1.1\r\nhost: {upstream}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let number = answer.rsplit("\r\n").next().and_then(|number| number.trim().parse().ok());
    number.with_context(|| format!("the upstream answered `{answer}` to {FLOODS}"))
}

/// `number` clients with an address of their own ask for an endless stream and read it; then the address is taken away, so that
/// no packet comes back, not even a FIN. Only in a network of one's own.
pub async fn vanish(scene: &Arc<Scene>, number: usize) -> Result<()> {
    ip(&["addr", "add", VANISHES, "dev", "lo"])?;
    let model = format!("openai:{}", Behaviour::Flood.model());
    let post = Post::new(Behaviour::Flood.path(), bodies::chat(Kind::Small, &model, true));
    let address = VANISHES.split('/').next().unwrap_or_default();
    let from: SocketAddr = format!("{address}:0").parse()?;
    let mut held = Vec::new();
    for _ in 0..number {
        let socket = TcpSocket::new_v4()?;
        socket.bind(from)?;
        let mut stream = socket.connect(scene.gateway).await?;
        stream.write_all(&post.head(scene.gateway)).await?;
        stream.write_all(&post.body).await?;
        let mut first = [0; 1024];
        stream.read_exact(&mut first).await?;
        scene.tell("opened");
        held.push(stream);
    }
    ip(&["addr", "del", VANISHES, "dev", "lo"])?;
    scene.is_under_way();
    std::future::pending().await
}

fn ip(arguments: &[&str]) -> Result<()> {
    let status = std::process::Command::new("ip").args(arguments).status().context("run `ip`")?;
    if !status.success() {
        bail!("`ip {}` ended with {status}", arguments.join(" "));
    }
    Ok(())
}
