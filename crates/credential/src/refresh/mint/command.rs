//! A command of the user's own that prints a key. It runs without a shell, with a time limit, and what it prints is bounded.
//!
//! Only the user's config can name one, never a description: it runs with all that the gateway's user may do.

use std::process::Stdio;
use std::time::Duration;

use bitrouter_contract::cut;
use bitrouter_files::Timestamp;
use secrecy::zeroize::Zeroizing;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use super::Minted;

/// How long it may run: it may ask its user for a finger.
const WITHIN: Duration = Duration::from_secs(30);
/// The longest output.
const LONGEST: usize = 64 << 10;
/// As much of its complaint as goes into an error.
const COMPLAINT: usize = 512;

/// A command that prints a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyCommand {
    /// The program and its arguments; at least the program.
    pub argv: Vec<String>,
    /// How long a key is used before it is asked for again.
    pub lasts: Duration,
}

/// Runs the command.
pub(super) async fn mint(command: &KeyCommand, now: Timestamp) -> Result<Minted, String> {
    let name = command.argv.first().map(String::as_str).unwrap_or_default();
    let run = tokio::time::timeout(WITHIN, run(name, &command.argv));
    let printed =
        run.await.unwrap_or_else(|_| Err(format!("it was not done within {} s, and was ended", WITHIN.as_secs())));
    let printed = printed.map_err(|why| format!("`key_command` ({}): {why}", name.escape_debug()))?;
    let text =
        std::str::from_utf8(&printed).map_err(|_| "`key_command` printed something else than text".to_owned())?;
    let key = text.trim_end_matches(['\r', '\n']);
    if key.is_empty() {
        return Err(format!("`key_command` ({}) printed nothing", name.escape_debug()));
    }
    Ok(Minted { token: key.into(), expires_at: Some(now.plus(command.lasts)) })
}

async fn run(name: &str, argv: &[String]) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut command = Command::new(name);
    command.args(argv.get(1..).unwrap_or_default()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().map_err(|error| format!("it cannot be run: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ((printed, complaint), status) =
        tokio::join!(async { tokio::join!(read(stdout, LONGEST + 1), read(stderr, COMPLAINT)) }, child.wait());
    let status = status.map_err(|error| error.to_string())?;
    if !status.success() {
        let complaint = String::from_utf8_lossy(&complaint);
        let complaint = complaint.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = if complaint.is_empty() { String::new() } else { format!(": {}", complaint.escape_debug()) };
        return Err(cut::sentence(format!("it failed ({status}){said}")));
    }
    match printed.len() > LONGEST {
        true => Err(format!("it printed more than {LONGEST} bytes")),
        false => Ok(printed),
    }
}

/// The beginning of what is written there, to its end: a program whose pipe is closed would fail of that.
async fn read(from: Option<impl AsyncRead + Unpin>, most: usize) -> Zeroizing<Vec<u8>> {
    let mut kept = Zeroizing::new(Vec::with_capacity(most));
    let Some(mut from) = from else { return kept };
    let mut piece = Zeroizing::new([0; 4096]);
    while let Ok(read @ 1..) = from.read(&mut *piece).await {
        let room = most - kept.len();
        kept.extend_from_slice(&piece[..read.min(room)]);
    }
    kept
}
