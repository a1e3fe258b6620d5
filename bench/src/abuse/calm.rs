//! What goes on beside an abuse: calm clients at a fixed rate, and somebody who looks whether the gateway still answers.
//! Each has a thread of its own, so that the abuser's work in this process delays neither.

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::sync::{mpsc, oneshot};

use super::RATE;
use crate::child::{Gateway, healthy_within};
use crate::clients::{Clients, Tally};
use crate::connection::Call;

/// A calm client's answer that has not come by then is an error.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Between two looks at `/health`.
const LOOKS: Duration = Duration::from_millis(250);
/// An answer to `/health` or `status` that has not come by then does not come.
const ANSWERS: Duration = Duration::from_secs(10);

type CalmRequest = (Duration, oneshot::Sender<Result<Tally>>);

/// Calm clients of one address, at [`RATE`].
pub struct Calm(mpsc::UnboundedSender<CalmRequest>);

impl Calm {
    /// Has them ask for these in turn; they begin when they are told to.
    pub fn clients(addr: SocketAddr, calls: Vec<Call>) -> Result<Self> {
        let (ask, mut asked) = mpsc::unbounded_channel::<CalmRequest>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                let clients = Clients::new(addr, ANSWER_WITHIN);
                while let Some((span, answer)) = asked.recv().await {
                    // Whoever asked may have given up.
                    let _ = answer.send(clients.load(&calls, RATE, span).await);
                }
            });
        });
        Ok(Self(ask))
    }

    /// What they see for this long.
    pub async fn see(&self, span: Duration) -> Result<Tally> {
        let (answer, seen) = oneshot::channel();
        self.0.send((span, answer)).map_err(|_| anyhow!("the calm clients have ended"))?;
        seen.await.context("the calm clients have ended")?
    }
}

/// Somebody who looks whether the gateway answers.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looks: JoinHandle<Looks>,
}

/// What was seen.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Looks {
    /// The slowest answer to `/health`.
    pub slowest: Duration,
    /// How often `/health` was not answered.
    pub unanswered: u32,
    /// Why `status` said nothing, if it did not.
    pub status: Option<String>,
}

impl Watch {
    /// Looks at `/health` again and again, on a connection of its own each time, and runs `status` once.
    pub fn begin(addr: SocketAddr, files: &Gateway) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let mut status = files.control(&["status"])?;
        status.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let looks = std::thread::spawn(move || {
            let mut looks =
                Looks { status: answers(&mut status).err().map(|error| format!("{error:#}")), ..Looks::default() };
            while !stopped.load(Relaxed) {
                let asked = Instant::now();
                if healthy_within(addr, ANSWERS) {
                    looks.slowest = looks.slowest.max(asked.elapsed());
                } else {
                    looks.unanswered += 1;
                }
                std::thread::sleep(LOOKS);
            }
            looks
        });
        Ok(Self { stop, looks })
    }

    /// Stops looking, and says what was seen.
    pub fn end(self) -> Result<Looks> {
        self.stop.store(true, Relaxed);
        self.looks.join().map_err(|_| anyhow!("who looked at /health panicked"))
    }
}

/// Whether a command ends well in time.
fn answers(command: &mut std::process::Command) -> Result<()> {
    let mut child = command.spawn().context("start `bitrouter status`")?;
    let begun = Instant::now();
    while begun.elapsed() < ANSWERS {
        if let Some(status) = child.try_wait()? {
            return if status.success() { Ok(()) } else { Err(anyhow!("`bitrouter status` ended with {status}")) };
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
    Err(anyhow!("`bitrouter status` said nothing for {} s", ANSWERS.as_secs()))
}
