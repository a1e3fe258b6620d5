//! Where lines of the log go: to standard error, several in one write.
//!
//! A write for each request would be a tenth of what a small request costs. So lines are gathered for a moment, unless
//! somebody watches: a terminal gets each at once, and so does everyone a warning or an error with all that came before.
//! Whatever wrote a line, no secret that is in use leaves in it.
//! `serve` flushes at its end; a process that is killed loses the last `HOLD` of its ordinary lines.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use crate::credential::scrub_log;

/// How long a line may wait for others.
const HOLD: Duration = Duration::from_millis(50);
/// Lines are written without waiting once there are so many bytes.
const FULL: usize = 32 << 10;

/// The log's way out. A clone is the same way.
#[derive(Clone)]
pub struct Lines {
    shared: Arc<Shared>,
    /// Whether ordinary lines may wait.
    gather: bool,
}

#[derive(Default)]
struct Shared {
    gathered: Mutex<Vec<u8>>,
    /// Rings when the first line of a batch is there.
    begun: Condvar,
    /// Whether all lines wait.
    held: AtomicBool,
}

impl Lines {
    /// Gathers lines, unless standard error is a terminal.
    pub fn start() -> Self {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        let start = || std::thread::Builder::new().name("log".into()).spawn(move || writer.write_for_ever());
        Lines { gather: !io::stderr().is_terminal() && start().is_ok(), shared }
    }

    /// Writes what has been gathered.
    pub fn flush(&self) {
        self.shared.write(self.shared.lock());
    }

    /// Gathers every line, whatever its level, until [`Lines::release`]: what is shown to a person meanwhile stays whole.
    pub fn hold(&self) {
        self.shared.held.store(true, Ordering::Relaxed);
    }

    /// Writes what was held, and goes on as before.
    pub fn release(&self) {
        self.shared.held.store(false, Ordering::Relaxed);
        self.flush();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // A line is appended whole or not at all.
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lock is held meanwhile, so that lines keep their order.
    fn write(&self, mut gathered: MutexGuard<'_, Vec<u8>>) {
        // There is nobody to tell when the log cannot be written.
        let _ = io::stderr().write_all(&scrub_log(&gathered));
        gathered.clear();
    }

    fn write_for_ever(&self) {
        loop {
            let waiting = self.begun.wait_while(self.lock(), |gathered| gathered.is_empty());
            drop(waiting.unwrap_or_else(PoisonError::into_inner));
            std::thread::sleep(HOLD);
            self.write(self.lock());
        }
    }
}

/// Takes one line.
pub struct Line<'l> {
    shared: &'l Shared,
    now: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut gathered = self.shared.lock();
        if gathered.is_empty() && !self.now {
            self.shared.begun.notify_one();
        }
        gathered.extend_from_slice(line);
        let now = self.now && !self.shared.held.load(Ordering::Relaxed);
        if now || gathered.len() >= FULL {
            self.shared.write(gathered);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = Line<'l>;

    fn make_writer(&'l self) -> Line<'l> {
        Line { shared: &self.shared, now: true }
    }

    fn make_writer_for(&'l self, metadata: &Metadata<'_>) -> Line<'l> {
        Line { shared: &self.shared, now: !self.gather || *metadata.level() <= Level::WARN }
    }
}
