//! Runs the tools of languages: shows what is run, leaves their words to standard error, and says how a missing one is got.

use std::error::Error;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::cli::print;

/// A command of a language's tool, in the project's folder.
pub(in crate::cli::plugin) struct Tool {
    command: Command,
    /// The command that installs it.
    install: &'static str,
}

impl Tool {
    /// The tool, where it is to run, and how somebody without it gets it.
    pub(super) fn new(program: impl AsRef<OsStr>, folder: &Path, install: &'static str) -> Self {
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        Tool { command, install }
    }

    /// Adds arguments.
    pub(super) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment.
    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it aloud to its end; answers what it wrote to standard output.
    ///
    /// # Errors
    /// It is not installed, or it failed: what it said is on standard error already.
    pub(super) fn run(mut self) -> Result<String, Box<dyn Error>> {
        print::note(&format!("running: {}", self.line()));
        self.command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let output = self.command.output().map_err(|error| self.missing(&error))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => {
                // Some tools say on standard output what is wrong.
                let said = String::from_utf8_lossy(&output.stdout);
                said.lines().filter(|line| !line.starts_with('{')).for_each(print::note);
                Err(format!("`{}` failed ({})", self.line(), output.status).into())
            }
        }
    }

    /// What it answers, if it is there and succeeds; nothing of it is shown.
    pub(super) fn answer(mut self) -> Option<String> {
        let output = self.command.stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn missing(&self, error: &io::Error) -> Box<dyn Error> {
        let program = self.command.get_program().display();
        match error.kind() {
            io::ErrorKind::NotFound => format!("{program} is not installed. Run: {}", self.install).into(),
            _ => format!("{program} cannot be run: {error}").into(),
        }
    }

    fn line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        words.map(|word| bitrouter_files::shell_word(Path::new(word)).to_string()).collect::<Vec<_>>().join(" ")
    }
}
