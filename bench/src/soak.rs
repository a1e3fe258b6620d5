//! What a gateway keeps after minutes of faults: calls that go right beside ones that go wrong in every way, and a config
//! that changes meanwhile. Each minute its memory, descriptors and threads are printed, and in the end whether they stood
//! still. Called by the `soak` command.

mod upstream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until};

use self::upstream::{FAULTS, Upstream};
use crate::abuse::calm::Calm;
use crate::abuse::scene::{Post, Scene};
use crate::accounting::{open_descriptors, resident, threads};
use crate::answers::Behaviour;
use crate::child::{Child, Gateway, Program};
use crate::clients::usual_calls;
use crate::statistics::Spread;

/// Clients that ask for what goes wrong, one call after the other each.
const CLIENTS: usize = 4;
/// Models of each fault: one that failed is given a rest, and its neighbours go on.
const MODELS: usize = 25;
/// Between two calls of such a client.
const PAUSE: Duration = Duration::from_millis(20);
/// Between two changes of the config.
const RELOADS: Duration = Duration::from_secs(20);
/// How long a stream may be silent.
const IDLE_MS: u64 = 2_000;
/// Before this minute it warms up.
const FROM_MINUTE: u64 = 2;
/// How often a minute's figures are read before its end, and how far apart: each figure is the median.
const SAMPLES: u32 = 9;
/// See [`SAMPLES`].
const BETWEEN: Duration = Duration::from_millis(500);

/// By how much each figure may be larger at the end than in minute 2: megabytes, descriptors, threads.
const MORE: Figures = Figures { megabytes: 16.0, descriptors: 16.0, threads: 2.0 };

/// Options of the `soak` command.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// The bitrouter binary.
    #[arg(long, value_name = "PATH")]
    gateway: PathBuf,
    /// How long it goes on; judged from the second minute on.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..=600))]
    pub minutes: u64,
    /// Where the tests' components are.
    #[arg(long, value_name = "FOLDER", default_value = "target/components/tests")]
    components: PathBuf,
}

/// What a process has.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    megabytes: f64,
    descriptors: f64,
    threads: f64,
}

/// Runs it, and fails where something grew or a call that should go right did not.
pub async fn run(options: &Options) -> Result<()> {
    let faulty = Upstream::start().await?;
    let healthy = Child::upstream(None)?;
    let files = Gateway::new(Program::at(&options.gateway)?, healthy.addr, None)?
        .with_component(&options.components, "echo", faulty.addr)?
        .with_component(&options.components, "rewriting", faulty.addr)?;
    let timeouts = json!({ "idle_ms": IDLE_MS });
    let files =
        files.with_provider("echo", "timeouts", timeouts.clone()).with_provider("rewriting", "timeouts", timeouts);
    let (mut gateway, _) = files.start()?;
    let calm = Calm::clients(gateway.addr, usual_calls("openai:"))?;
    let scene = Scene::new(gateway.addr);
    let faults = tokio::spawn(fail(scene.clone()));
    println!(
        "calls that go right: {} a second; flat: at most {} MB, {} descriptors and {} threads more at the end than in minute {FROM_MINUTE}",
        crate::abuse::RATE,
        MORE.megabytes,
        MORE.descriptors,
        MORE.threads
    );

    let begun = Instant::now();
    let reloads = reload_until(&files, gateway.addr, begun + Duration::from_secs(60 * options.minutes));
    let minutes = watch(options.minutes, begun, &calm, gateway.pid());
    let (reloads, minutes) = tokio::join!(reloads, minutes);
    let (reloads, (figures, errors)) = (reloads?, minutes?);
    if faults.is_finished() {
        faults.await??;
        bail!("the faults ended by themselves");
    }
    faults.abort();
    if let Some(status) = gateway.ended()? {
        bail!("the gateway ended: {status}. {}", files.last_words());
    }
    println!("config changed {reloads} times, of which the log has {}", files.logged("reloaded")?);
    println!("calls that go wrong: {}", scene.told());
    if errors > 0 {
        bail!("{errors} calls that should go right did not");
    }
    let Some([from, to]) = figures else { bail!("memory, descriptors and threads are not told by this system") };
    let grown = grown(from, to);
    if !grown.is_empty() {
        bail!("not flat from minute {FROM_MINUTE} to minute {}: {}", options.minutes, grown.join(", "));
    }
    println!("flat from minute {FROM_MINUTE} to minute {}", options.minutes);
    Ok(())
}

/// Prints each minute's figures; those of the second and of the last, and how many of the calm calls failed.
async fn watch(minutes: u64, begun: Instant, calm: &Calm, pid: u32) -> Result<(Option<[Figures; 2]>, u64)> {
    let (mut from, mut to, mut errors) = (None, None, 0);
    for minute in 1..=minutes {
        let end = begun + Duration::from_secs(60 * minute);
        // The calls fall due until just before the minute's end; then the figures are read, while faults go on.
        let seen = calm.see(end.duration_since(Instant::now()).saturating_sub(BETWEEN * SAMPLES)).await?;
        to = figures(pid).await;
        sleep_until(end).await;
        errors += seen.errors;
        let told = to.map_or("not told".to_owned(), |Figures { megabytes, descriptors, threads }| {
            format!("{megabytes:.1} MB, {descriptors:.0} descriptors, {threads:.0} threads")
        });
        let (p99, failed, asked) = (seen.milliseconds(0.99), seen.errors, seen.asked);
        println!("minute {minute}: {told}; calm p99 {p99:.1} ms, {failed} of {asked} failed");
        if let Some(error) = seen.first_error {
            println!("  the first: {error}");
        }
        if minute == FROM_MINUTE {
            from = to;
        }
    }
    Ok((from.zip(to).map(|(from, to)| [from, to]), errors))
}

/// The medians of what is read for some seconds.
async fn figures(pid: u32) -> Option<Figures> {
    let (mut megabytes, mut descriptors, mut running) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        megabytes.push(resident(pid)? as f64 / f64::from(1 << 20));
        descriptors.push(open_descriptors(pid)? as f64);
        running.push(threads(pid)? as f64);
        sleep(BETWEEN).await;
    }
    let median = |values: &[f64]| Spread::of(values).map(|spread| spread.median);
    Some(Figures { megabytes: median(&megabytes)?, descriptors: median(&descriptors)?, threads: median(&running)? })
}

/// What has grown by more than it may, a phrase each.
fn grown(from: Figures, to: Figures) -> Vec<String> {
    let all = [
        ("MB", from.megabytes, to.megabytes, MORE.megabytes),
        ("descriptors", from.descriptors, to.descriptors, MORE.descriptors),
        ("threads", from.threads, to.threads, MORE.threads),
    ];
    let grown = all.into_iter().filter(|(_, from, to, more)| to - from > *more);
    grown.map(|(name, from, to, _)| format!("{from:.0} to {to:.0} {name}")).collect()
}

/// Changes the config now and then; answers how often.
async fn reload_until(files: &Gateway, addr: std::net::SocketAddr, end: Instant) -> Result<u32> {
    let mut changes = 0;
    while Instant::now() + RELOADS < end {
        sleep(RELOADS).await;
        changes += 1;
        files.rewrite_config(addr, "first_byte_ms", json!(60_000 + changes))?;
    }
    Ok(changes)
}

/// Asks for each fault in turn, for as long as it is awaited. One client in so many leaves in the middle.
async fn fail(scene: Arc<Scene>) -> Result<()> {
    let number = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    scene
        .again_and_again(CLIENTS, move |scene, _| {
            let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            async move {
                let fault = FAULTS[number % FAULTS.len()];
                // What limits a rate is a provider's word about an account: it must not silence the other faults.
                let provider = if fault == "rate-limit" { "rewriting" } else { "echo" };
                let model = number / FAULTS.len() % MODELS;
                let body = format!(r#"{{"model":"{provider}:{fault}.{model}","stream":true,"messages":[]}}"#);
                let post = Post::new(Behaviour::Whole.path(), body);
                let leaves = number.is_multiple_of(3 * FAULTS.len() + 1);
                if leaves {
                    let _ = tokio::time::timeout(PAUSE, scene.post(&post)).await;
                } else {
                    scene.post(&post).await?;
                }
                sleep(PAUSE).await;
                Ok(())
            }
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_still_within_the_rule_is_flat_and_each_that_grows_is_named() {
        let from = Figures { megabytes: 50.0, descriptors: 20.0, threads: 8.0 };
        assert!(grown(from, Figures { megabytes: 66.0, descriptors: 36.0, threads: 10.0 }).is_empty());
        let to = Figures { megabytes: 66.5, descriptors: 37.0, threads: 11.0 };
        assert_eq!(grown(from, to), ["50 to 66 MB", "20 to 37 descriptors", "8 to 11 threads"]);
        assert!(grown(from, Figures { megabytes: 10.0, descriptors: 1.0, threads: 1.0 }).is_empty());
    }
}
