//! A script in another language that leads conversations: it is started once, reads a line of JSON for each and answers with
//! one. Tests with libraries as clients call it: starting Python anew takes longer than a conversation.

use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A script that runs.
pub struct Conversing {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// What it writes to standard error.
    complaints: std::fs::File,
}

impl Conversing {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        let complaints = tempfile::tempfile().unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(complaints.try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Conversing { child, to, from, complaints }
    }

    /// Has it lead a conversation; what was said in the end. Where it fails, the test does, with what the script said.
    #[track_caller]
    pub fn lead(&mut self, conversation: &Value) -> String {
        // One that has ended cannot be written to, and says why below.
        let _ = writeln!(self.to, "{conversation}");
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{conversation}: {}", self.said()))
    }

    fn said(&mut self) -> String {
        let _ = self.child.wait();
        let mut said = String::new();
        self.complaints.rewind().unwrap();
        self.complaints.read_to_string(&mut said).unwrap();
        said
    }
}

impl Drop for Conversing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
