//! A running gateway: the real binary as a child process. It is killed when it is dropped.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use serde_json::Value;
use tempfile::NamedTempFile;

use crate::client::{Open, Request};
use crate::disk::Disk;
use crate::setup::{Ran, Setup, replace};
use crate::wait::eventually;
use crate::websocket::WebSocket;
use crate::{Answer, binary};

/// How often another port is tried where one turns out to be in use.
const PORTS_TRIED: u32 = 10;

/// A running gateway.
pub struct Gateway {
    child: Child,
    address: SocketAddr,
    setup: Arc<Setup>,
    /// Outside of the home, whose disk a test may fill.
    log: NamedTempFile,
}

impl Gateway {
    /// Begins the description of one.
    #[allow(clippy::new_ret_no_self, reason = "it reads as a sentence that ends with `run`")]
    pub fn start() -> Setup {
        Setup::new()
    }

    /// The same, with its home on this disk.
    pub fn start_on(disk: &Disk) -> Setup {
        Setup::on(disk)
    }

    /// Starts one in a home that the test goes on to use.
    pub fn in_home(setup: &Arc<Setup>) -> Self {
        let gateway = (0..PORTS_TRIED).find_map(|_| Self::try_port(setup, free_port()));
        gateway.expect("no free port was found")
    }

    /// Starts on a port; nothing where something else had it by then.
    fn try_port(setup: &Arc<Setup>, address: SocketAddr) -> Option<Self> {
        let log = NamedTempFile::new().unwrap();
        let mut command = setup.prepared();
        command.args(["serve", "--listen", &address.to_string()]);
        command.stdin(Stdio::null()).stdout(append(&log));
        command.stderr(if setup.log_unread { Stdio::piped() } else { append(&log).into() });
        let mut gateway = Gateway { child: command.spawn().unwrap(), address, setup: Arc::clone(setup), log };
        let mut ended = false;
        let answers = eventually(|| {
            ended = gateway.child.try_wait().unwrap().is_some();
            ended || TcpStream::connect(address).is_ok() && gateway.get("/health").send().code == 200
        });
        if answers && !ended {
            return Some(gateway);
        }
        let log = gateway.log();
        assert!(log.contains("in use"), "the gateway did not start: {log}");
        None
    }

    /// The home that it runs in.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The folder of its files.
    pub fn home(&self) -> &std::path::Path {
        self.setup.home()
    }

    /// The pipe that its log goes to, to be read from now on.
    pub fn take_log(&mut self) -> std::process::ChildStderr {
        self.child.stderr.take().expect("the log goes to a pipe that was not taken before")
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop, as a service manager does.
    pub fn stop(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal: `TERM`, `HUP`, `KILL`, …
    pub fn signal(&self, name: &str) {
        let sent =
            std::process::Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Changes a key of its config while it runs.
    pub fn configure(&mut self, pointer: &str, value: Value) -> &mut Self {
        self.own_setup().set(pointer, value);
        self.setup.write_config();
        self
    }

    /// Writes its config as it stands, right or wrong, until [`Gateway::configure`] sets a key.
    pub fn write_config(&mut self, text: &str) {
        self.own_setup().write_by_hand(text);
    }

    /// Puts a component into its plugin folder, in the place of one of the same name.
    pub fn put_plugin(&self, file: &str, bytes: &[u8]) {
        replace(&self.setup.plugin(file), bytes);
    }

    /// The home, for a change: of a gateway that has it to itself.
    fn own_setup(&mut self) -> &mut Setup {
        Arc::get_mut(&mut self.setup).expect("no other gateway runs in this home")
    }

    /// How it is, as `bitrouter status --json` has it.
    pub fn status(&self) -> Value {
        self.command(&["status", "--json"]).ok().json()
    }

    /// Waits for its end; answers whether it ended well.
    pub fn ends_well(&mut self) -> bool {
        let mut status = None;
        eventually(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.is_some_and(|status| status.success())
    }

    /// A request with any method.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    /// A GET.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A POST.
    pub fn post(&self, path: &str) -> Request {
        self.request("POST", path)
    }

    /// Asks for a chat completion with this body.
    pub fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions").json(body).send()
    }

    /// Opens a connection and sends nothing.
    pub fn connect(&self) -> Open {
        Open::to(self.address)
    }

    /// Opens a WebSocket for Responses, with the key that a gateway without keys does not look at.
    #[track_caller]
    pub fn websocket(&self) -> WebSocket {
        WebSocket::open(self.address, "/v1/responses", &[]).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// All that it wrote to its log so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log.path()).unwrap()).into_owned()
    }

    /// Checks that the log says something, now or soon.
    #[track_caller]
    pub fn logs(&self, text: &str) -> &Self {
        assert!(eventually(|| self.log().contains(text)), "`{text}` is not in the log: {}", self.log());
        self
    }

    /// Runs a command in the same home.
    pub fn command(&self, arguments: &[&str]) -> Ran {
        self.setup.command(arguments)
    }

    /// What its token file holds.
    pub fn tokens(&self) -> Value {
        serde_json::from_slice(&fs::read(self.setup.token_file()).unwrap()).unwrap()
    }

    /// A file of this crate, such as a client's script.
    pub fn script(name: &str) -> PathBuf {
        binary::own(name)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both streams of a process go to the end of one file.
fn append(log: &NamedTempFile) -> File {
    OpenOptions::new().append(true).open(log.path()).unwrap()
}

/// A port of which nobody knows yet. It is taken below the range from which the system gives ports to connections, so
/// that no other test's connection gets it in between.
pub fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let spread = u16::try_from(std::process::id() % 200).unwrap_or_default() * 100;
    loop {
        let port = 10_000 + (spread + NEXT.fetch_add(1, Ordering::SeqCst)) % 20_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
