//! Where lines of the log go: to standard error, by a thread of their own, several in one write.
//!
//! Whoever logs appends to a queue and goes on: a log that nobody reads, such as a full pipe, stops its thread alone. What does
//! not fit into the queue is dropped and counted, which the log says once it is read again, and `status` at once. Lines wait a
//! moment for others, since a write for each request would be a tenth of what a small request costs; unless somebody watches:
//! a terminal gets each at once, and so does everyone a warning or an error with all that came before.
//! Whatever wrote a line, no secret that is in use leaves in it.
//! `serve` flushes at its end; a process that is killed loses the last `HOLD` of its ordinary lines.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bitrouter_credential::scrub_log;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const HOLD: Duration = Duration::from_millis(50);
/// Lines are written without waiting once there are so many bytes.
const FULL: usize = 32 << 10;
/// The most bytes that wait to be written: some 10,000 lines.
const QUEUE: usize = 4 << 20;
/// How long the end of the process waits for a log of which nothing is read.
const FAREWELL: Duration = Duration::from_secs(2);

/// The lines that were dropped, of all logs of this process: there is one.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many lines of the log were dropped so far because nobody read it.
pub fn lines_dropped() -> u64 {
    DROPPED.load(Relaxed)
}

/// The log's way out. A clone is the same way.
#[derive(Clone)]
pub struct Lines {
    shared: Arc<Shared>,
    /// Whether ordinary lines may wait.
    gather: bool,
    /// Whether a thread writes; without one, whoever logs does.
    queued: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    /// Rings when there is something to write, or no more time to wait for more.
    filled: Condvar,
    /// Rings when something was written.
    written: Condvar,
}

#[derive(Default)]
struct Queue {
    lines: Vec<u8>,
    /// Whether they are written without waiting for more.
    urgent: bool,
    /// Whether they wait for as long as it takes.
    held: bool,
    /// Whether the thread is writing what it took out.
    writing: bool,
    /// How often it has.
    batches: u64,
    /// Lines that were dropped since the log said so.
    dropped: u64,
}

impl Lines {
    /// Gathers lines, unless standard error is a terminal.
    pub fn start() -> Self {
        Self::to(io::stderr(), !io::stderr().is_terminal(), |dropped| {
            tracing::warn!(dropped, "nobody read the log for a while: lines are missing here");
        })
    }

    /// The same to anything. `say` is called with the number of lines that are missing.
    fn to(mut out: impl Write + Send + 'static, gather: bool, say: impl Fn(u64) + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let writer = Arc::clone(&shared);
        let write = move || {
            loop {
                // There is nobody to tell when the log cannot be written.
                let _ = out.write_all(&scrub_log(&writer.next())).and_then(|()| out.flush());
                match writer.done() {
                    0 => {}
                    dropped => say(dropped),
                }
            }
        };
        let queued = std::thread::Builder::new().name("log".into()).spawn(write).is_ok();
        Lines { shared, gather, queued }
    }

    /// Waits until all is written, what was held too, as long as somebody reads it.
    pub fn flush(&self) {
        let mut queue = self.shared.lock();
        queue.held = false;
        while self.queued && (queue.writing || !queue.lines.is_empty()) {
            queue.urgent = true;
            self.shared.filled.notify_one();
            let before = queue.batches;
            let waited = self.shared.written.wait_timeout_while(queue, FAREWELL, |queue| queue.batches == before);
            let (after, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                return;
            }
            queue = after;
        }
    }

    /// Gathers every line, whatever its level, until [`Lines::flush`]: what is shown to a person meanwhile stays whole.
    pub fn hold(&self) {
        self.shared.lock().held = true;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A line is appended whole or not at all.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8], urgent: bool) {
        let mut queue = self.lock();
        let before = queue.lines.len();
        // One line alone always fits, however long it is.
        if before > 0 && before + line.len() > QUEUE {
            queue.dropped += 1;
            DROPPED.fetch_add(1, Relaxed);
            return;
        }
        // Where writing takes long, a secret may be out of use by the time that the line is written.
        let line = if queue.writing { scrub_log(line) } else { line.into() };
        queue.lines.extend_from_slice(&line);
        let hurries = urgent || queue.lines.len() >= FULL;
        if before == 0 || hurries && !queue.urgent {
            self.filled.notify_one();
        }
        queue.urgent |= hurries;
    }

    /// Takes out what is to be written next, once there is something.
    fn next(&self) -> Vec<u8> {
        let mut queue = self.lock();
        loop {
            let filled = self.filled.wait_while(queue, |queue| queue.lines.is_empty() || queue.held);
            queue = filled.unwrap_or_else(PoisonError::into_inner);
            let gathered = self.filled.wait_timeout_while(queue, HOLD, |queue| !queue.urgent);
            queue = gathered.unwrap_or_else(PoisonError::into_inner).0;
            if !queue.held {
                queue.urgent = false;
                queue.writing = true;
                return std::mem::take(&mut queue.lines);
            }
        }
    }

    /// What was taken out is written. How many lines are missing after it.
    fn done(&self) -> u64 {
        let mut queue = self.lock();
        queue.writing = false;
        queue.batches += 1;
        self.written.notify_all();
        std::mem::take(&mut queue.dropped)
    }
}

/// Takes one line.
pub struct Line<'l> {
    lines: &'l Lines,
    urgent: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.lines.queued {
            true => self.lines.shared.add(line, self.urgent),
            false => io::stderr().write_all(&scrub_log(line))?,
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
        Line { lines: self, urgent: true }
    }

    fn make_writer_for(&'l self, metadata: &Metadata<'_>) -> Line<'l> {
        Line { lines: self, urgent: !self.gather || *metadata.level() <= Level::WARN }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::sync::mpsc;

    use super::*;

    fn line(number: usize) -> String {
        format!("line {number} {}\n", "x".repeat(1000))
    }

    #[test]
    fn a_log_that_nobody_reads_stops_nobody_and_says_how_many_lines_are_missing() {
        let (reader, writer) = io::pipe().unwrap();
        let (say, said) = mpsc::channel();
        let log = Lines::to(writer, true, move |dropped| say.send(dropped).unwrap());
        let before = lines_dropped();
        // Far more than the pipe and the queue hold: it would block for ever.
        let sent = 2 * QUEUE / 1000;
        (0..sent).for_each(|number| log.make_writer().write_all(line(number).as_bytes()).unwrap());
        let dropped = lines_dropped() - before;
        assert!(dropped > 0);
        // The end of a process is not stopped for ever, either.
        log.flush();

        let kept = sent - dropped as usize;
        let lines: Vec<String> = BufReader::new(reader).lines().take(kept).map(Result::unwrap).collect();
        let number = |text: &String| text.split(' ').nth(1).unwrap().parse::<usize>().unwrap();
        assert!(lines.iter().all(|text| *text == line(number(text)).trim_end()), "all that are kept are whole");
        assert!(lines.is_sorted_by_key(number), "and in order");
        let mut missing = 0;
        while missing < dropped {
            missing += said.recv().unwrap();
        }
        assert_eq!(missing, dropped);
    }

    #[test]
    fn what_was_logged_is_written_at_a_clean_end() {
        let (mut reader, writer) = io::pipe().unwrap();
        let log = Lines::to(writer, true, |_| {});
        let reading = std::thread::spawn(move || {
            let mut text = vec![0; line(7).len() * 500];
            reader.read_exact(&mut text).unwrap();
            text
        });
        // None of them hurries.
        let calm = Line { lines: &log, urgent: false };
        (0..500).for_each(|_| calm.lines.shared.add(line(7).as_bytes(), calm.urgent));
        log.flush();
        assert!(log.shared.lock().lines.is_empty() && !log.shared.lock().writing);
        assert_eq!(reading.join().unwrap(), line(7).repeat(500).into_bytes());
    }
}
