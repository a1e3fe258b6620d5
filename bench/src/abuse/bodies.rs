//! Abuses by request bodies: bombs, drips, bodies of a million parts, names without an end. Called by the rows. What is
//! sent is made once, before anything is measured.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until};

use super::scene::{Post, Scene};
use crate::answers::Behaviour;

/// Between two bytes of a body that drips.
const DRIP: Duration = Duration::from_secs(2);
/// What the bombs that are refused decode to, and what those decode to that are just below the limit.
pub const BEYOND: usize = 512 << 20;
/// See [`BEYOND`].
pub const WITHIN: usize = 62 << 20;

/// How a body is compressed.
#[derive(Clone, Copy, Debug)]
pub enum Coding {
    /// Of RFC 1952.
    Gzip,
    /// Of RFC 7932.
    Brotli,
    /// Of RFC 8878.
    Zstd,
}

impl Coding {
    /// All that the gateway decodes.
    pub const ALL: [Self; 3] = [Self::Gzip, Self::Brotli, Self::Zstd];

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// A chat call that decodes to about this size: one long text.
    pub fn bomb(self, size: usize) -> Result<Post> {
        let packed = match self {
            Self::Gzip => {
                let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
                write_call(&mut to, size)?;
                to.finish()?
            }
            Self::Brotli => {
                let mut packed = Vec::new();
                let mut to = brotli::CompressorWriter::new(&mut packed, 64 << 10, 5, 22);
                write_call(&mut to, size)?;
                drop(to);
                packed
            }
            Self::Zstd => {
                let mut to = zstd::Encoder::new(Vec::new(), 3)?;
                write_call(&mut to, size)?;
                to.finish()?
            }
        };
        let path = Behaviour::Whole.path();
        Ok(Post::new(path, packed).header("content-encoding", self.name()))
    }
}

fn write_call(to: &mut impl Write, size: usize) -> Result<()> {
    write!(to, r#"{{"model":"openai:{}","messages":[{{"role":"user","content":""#, Behaviour::Whole.model())?;
    let piece = vec![b'a'; 1 << 20];
    for written in (0..size).step_by(piece.len()) {
        to.write_all(&piece[..piece.len().min(size - written)])?;
    }
    to.write_all(br#""}]}"#).context("write a body")
}

/// `number` clients send one of these each, one after the other's answer.
pub async fn bombs(scene: &Arc<Scene>, number: usize, bombs: Arc<[Post]>) -> Result<()> {
    scene
        .again_and_again(number, move |scene, worker| {
            let bombs = bombs.clone();
            async move { scene.post(&bombs[worker % bombs.len()]).await }
        })
        .await
}

/// `number` clients send the first part of one of these at once, and then a byte now and then. `held_back` bytes are left
/// for that.
pub async fn drips(scene: &Arc<Scene>, number: usize, posts: Arc<[Post]>, held_back: usize) -> Result<()> {
    scene
        .again_and_again(number, move |scene, worker| {
            let posts = posts.clone();
            async move { drip(&scene, &posts[worker % posts.len()], held_back).await }
        })
        .await
}

async fn drip(scene: &Scene, post: &Post, held_back: usize) -> Result<()> {
    let mut stream = scene.connect().await?;
    stream.write_all(&post.head(scene.gateway)).await?;
    let at_once = post.body.len().saturating_sub(held_back);
    stream.write_all(&post.body[..at_once]).await?;
    scene.tell("began");
    let (mut from, mut to) = stream.into_split();
    let sending = async {
        for byte in &post.body[at_once..] {
            sleep(DRIP).await;
            if to.write_all(&[*byte]).await.is_err() {
                break;
            }
        }
        std::future::pending::<()>().await;
    };
    let mut answer = [0; 12];
    let ended = tokio::select! {
        read = from.read(&mut answer) => read,
        () = sending => Ok(0),
    };
    match ended {
        Ok(read @ 9..) => scene.tell(format!("ended with {}", String::from_utf8_lossy(&answer[9..read]))),
        _ => scene.tell("closed by the gateway"),
    }
    // It is not this that is abused here: who is refused comes back, but not at once.
    sleep(DRIP).await;
    Ok(())
}

/// The body of `number` clients that drip: plain, longer than they will ever send.
pub fn dripping() -> Post {
    let mut body =
        format!(r#"{{"model":"openai:{}","messages":[{{"role":"user","content":""#, Behaviour::Whole.model());
    body += &"a".repeat(100_000);
    body += r#""}]}"#;
    Post::new(Behaviour::Whole.path(), body)
}

/// Calls of a million members, and of 900,000 messages.
pub fn millions(prefix: &str, behaviour: Behaviour) -> Arc<[Post]> {
    let head = format!(r#"{{"model":"{prefix}{}","stream":{}"#, behaviour.model(), behaviour.streams());
    let list = if behaviour == Behaviour::Responses { "input" } else { "messages" };
    let mut members = head.clone() + &format!(r#","{list}":[]"#);
    for n in 0..1_000_000 {
        members += &format!(",\"m{n}\":0");
    }
    members.push('}');
    let rows = format!(r#"{head},"{list}":[{}{{}}]}}"#, "{},".repeat(899_999));
    [members, rows].map(|body| Post::new(behaviour.path(), body)).into()
}

/// A body of 204 KB with 20,000 members that nobody knows.
pub fn many_members(prefix: &str, behaviour: Behaviour) -> Arc<[Post]> {
    let mut body = format!(r#"{{"model":"{prefix}{}","stream":true,"input":[]"#, behaviour.model());
    for n in 0..20_000 {
        body += &format!(",\"m{n}\":0");
    }
    body.push('}');
    [Post::new(behaviour.path(), body)].into()
}

/// Calls whose model has a name of 20 MB.
pub fn long_names() -> Arc<[Post]> {
    let name = |prefix: &str| format!(r#"{{"model":"{prefix}{}","messages":[]}}"#, "m".repeat(20 << 20));
    ["openai:", ""].map(|prefix| Post::new(Behaviour::Whole.path(), name(prefix))).into()
}

/// A call to the component `hostile` that makes it do this. The upstream answers what goes up as it answers a whole call.
pub fn hostile(deed: &str) -> Post {
    let rows = "{},".repeat(99_999);
    // The name the upstream looks for stands where it looks.
    let whole = Behaviour::Whole.model();
    let body =
        format!(r#"{{"model":"hostile:{deed}","user":"{whole}","stream":false,"messages":[],"rows":[{rows}{{}}]}}"#);
    Post::new(Behaviour::Whole.path(), body)
}

/// The same, streamed.
pub fn hostile_stream(deed: &str) -> Post {
    let burst = Behaviour::Burst.model();
    let body = format!(r#"{{"model":"hostile:{deed}","user":"{burst}","stream":true,"messages":[]}}"#);
    Post::new(Behaviour::Whole.path(), body)
}

/// `number` clients send one of these each so often, and no sooner than they have the answer to the one before.
pub async fn paced(scene: &Arc<Scene>, number: usize, every: Duration, posts: Arc<[Post]>) -> Result<()> {
    scene
        .again_and_again(number, move |scene, worker| {
            let posts = posts.clone();
            async move {
                let due = Instant::now() + every;
                let answered = scene.post(&posts[worker % posts.len()]).await;
                sleep_until(due).await;
                answered
            }
        })
        .await
}

/// A call of a client that says which organization pays, and is wrong.
pub fn foreign() -> Post {
    let call: Bytes = crate::bodies::chat(crate::bodies::Kind::Small, "openai:bench-whole", false).into();
    Post::new(Behaviour::Whole.path(), call).header(crate::upstream::FOREIGN, "org-of-somebody-else")
}
