//! Who sits in front of the terminal: shows lines, opens a browser, asks and reads what is typed.
//!
//! `login` and `logout` call it. All of it is on standard error, so that standard output stays the answer's.

use std::error::Error;
use std::io::{self, BufRead, ErrorKind, IsTerminal};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use bitrouter_credential::login::Person;
use dialoguer::console::Term;
use dialoguer::theme::{ColorfulTheme, SimpleTheme, Theme};
use dialoguer::{Password, Select};
use secrecy::SecretString;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{open_page, print};

/// The exit code of a command that was interrupted, as shells have it: 128 and the signal's number.
const INTERRUPTED: i32 = 130;

/// The terminal of this process.
#[derive(Default)]
pub(super) struct Terminal {
    /// What is typed, line by line. One thread reads it for as long as the process lasts.
    lines: OnceLock<Mutex<UnboundedReceiver<String>>>,
}

impl Terminal {
    /// Whether somebody is there to be asked.
    pub(super) fn is_there() -> bool {
        io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Lets Ctrl-C end the process with the terminal as it was before, from now on. Must be called inside a runtime.
    pub(super) fn ends_on_interrupt() {
        // Listened to at once: a task may not have begun when the first menu is there.
        #[cfg(unix)]
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        #[cfg(windows)]
        let signal = tokio::signal::windows::ctrl_c();
        let Ok(mut signal) = signal else { return };
        tokio::spawn(async move {
            if signal.recv().await.is_some() {
                interrupted();
            }
        });
    }

    /// Lets the person choose one of several, the first unless they say otherwise. Escape is a no to all. Before any line is
    /// read.
    pub(super) fn choose(&self, question: &str, items: &[String]) -> Result<usize, Box<dyn Error>> {
        let theme = theme();
        let menu = Select::with_theme(&*theme).with_prompt(question).items(items).default(0);
        menu.interact_on_opt(&Term::stderr()).map_err(failed)?.map_or_else(|| interrupted(), Ok)
    }

    /// Asks for a secret that is not shown. Before any line is read.
    pub(super) fn secret(&self, question: &str) -> Result<SecretString, Box<dyn Error>> {
        let theme = theme();
        let typed = Password::with_theme(&*theme).with_prompt(question).interact_on(&Term::stderr());
        typed.map(SecretString::from).map_err(failed)
    }

    /// Asks for a line.
    pub(super) async fn ask(&self, question: &str) -> String {
        self.tell(question);
        self.line().await.unwrap_or_default().trim().to_owned()
    }
}

/// How a menu looks: its marks are no ASCII unless they must be.
fn theme() -> Box<dyn Theme> {
    if print::is_plain() { Box::new(SimpleTheme) } else { Box::new(ColorfulTheme::default()) }
}

/// Ends the process as an interrupted one, with the terminal as it was before.
fn interrupted() -> ! {
    static ENDS: AtomicBool = AtomicBool::new(false);
    // One Ctrl-C may come as a signal and to the menu: the first of the two ends the process.
    while ENDS.swap(true, Ordering::Relaxed) {
        std::thread::park();
    }
    // A menu hides the cursor, and a hidden answer what is typed.
    let _ = Term::stderr().show_cursor();
    if cfg!(unix) && io::stdin().is_terminal() {
        let _ = std::process::Command::new("stty").arg("echo").status();
    }
    print::note("\ncancelled");
    std::process::exit(INTERRUPTED)
}

/// Why nothing was chosen or typed. A terminal in raw mode may give Ctrl-C to the menu instead of a signal to us.
fn failed(error: dialoguer::Error) -> Box<dyn Error> {
    let dialoguer::Error::IO(error) = error;
    match error.kind() {
        ErrorKind::Interrupted => interrupted(),
        _ => error.into(),
    }
}

impl Person for Terminal {
    fn tell(&self, line: &str) {
        // What an issuer says is in it.
        let line = line.replace(|letter: char| letter.is_control() && letter != '\n', "\u{fffd}");
        print::note(&line);
    }

    fn open(&self, url: &str) -> bool {
        open_page::open(url)
    }

    async fn line(&self) -> Option<String> {
        let lines = self.lines.get_or_init(|| {
            let (sender, lines) = unbounded_channel();
            // Not a task: nothing can end a read of the terminal, and the process must end without it.
            std::thread::spawn(move || {
                for line in io::stdin().lock().lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
            Mutex::new(lines)
        });
        lines.lock().await.recv().await
    }
}
