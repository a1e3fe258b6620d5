//! A command that is still running: what it says as it says it, what is typed to it, and how it ends. It is killed when
//! it is dropped.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::setup::Ran;
use crate::wait::eventually;

/// A command under way.
pub struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Arc<Mutex<Vec<u8>>>,
    stderr: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Running {
    pub(crate) fn spawn(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (Arc::default(), Arc::default());
        let readers = vec![
            collect(child.stdout.take().unwrap(), Arc::clone(&stdout)),
            collect(child.stderr.take().unwrap(), Arc::clone(&stderr)),
        ];
        Running { stdin: child.stdin.take(), child, stdout, stderr, readers }
    }

    /// All that it wrote so far, to either stream.
    pub fn text(&self) -> String {
        let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned();
        text(&self.stdout) + &text(&self.stderr)
    }

    /// Waits until it says something.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(eventually(|| self.text().contains(text)), "`{text}` is not in: {}", self.text());
        self
    }

    /// Waits for a line that begins with this, such as the address of a page; answers it without white space around.
    #[track_caller]
    pub fn line(&self, beginning: &str) -> String {
        let mut found = None;
        // The last line may be half of one.
        let whole = |text: &str| text.rfind('\n').map_or(0, |end| end);
        eventually(|| {
            let text = self.text();
            let lines = text[..whole(&text)].lines().map(str::trim);
            found = lines.into_iter().find(|line| line.starts_with(beginning)).map(str::to_owned);
            found.is_some()
        });
        found.unwrap_or_else(|| panic!("no line begins with `{beginning}`: {}", self.text()))
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> &mut Self {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin.write_all(format!("{line}\n").as_bytes()).unwrap();
        self
    }

    /// Types this and no Enter.
    pub fn types_as_it_is(&self, keys: &str) -> &Self {
        self.stdin.as_ref().expect("standard input is open").write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Closes its standard input.
    pub fn types_no_more(&mut self) -> &mut Self {
        self.stdin = None;
        self
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) -> &Self {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self
    }

    /// Waits for its end; its standard input stays open meanwhile.
    #[track_caller]
    pub fn ends(mut self) -> Ran {
        let ended = eventually(|| self.child.try_wait().unwrap().is_some());
        assert!(ended, "it does not end: {}", self.text());
        let status = self.child.wait().unwrap();
        let (ok, code) = (status.success(), status.code());
        self.readers.drain(..).for_each(|reader| reader.join().unwrap());
        let text = |bytes: &Mutex<Vec<u8>>| String::from_utf8_lossy(&bytes.lock().unwrap()).into_owned();
        Ran { ok, code, stdout: text(&self.stdout), stderr: text(&self.stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl Read + Send + 'static, into: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            into.lock().unwrap().extend_from_slice(&piece[..read]);
        }
    })
}
