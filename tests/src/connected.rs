//! A real client that only `bitrouter connect` has told of a gateway: it runs in a home of its own, and nothing in its
//! environment or on its command line names the gateway.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::binary;
use crate::gateway::Gateway;
use crate::own_home::OwnHome;
use crate::setup::Ran;

/// Longer than any of them takes to begin and to try again.
const SECONDS: u64 = 180;

/// The client.
pub struct Connected {
    home: OwnHome,
    id: &'static str,
    seeds: BTreeMap<PathBuf, String>,
}

impl Connected {
    /// A client by the name that `connect` has for it, with no file of its own yet.
    pub fn client(id: &'static str) -> Self {
        Connected { home: OwnHome::new(), id, seeds: BTreeMap::new() }
    }

    /// The same with a file of its user's, below the home.
    pub fn with_file(mut self, path: &str, text: &str) -> Self {
        let file = self.home.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        self.seeds.insert(file, text.to_owned());
        self
    }

    /// Runs `bitrouter connect` for it, with the config of a gateway that runs.
    pub fn connect(&self, gateway: &Gateway, arguments: &[&str]) -> Ran {
        let mut command = self.home.command(binary::gateway());
        command.env("BITROUTER_HOME", gateway.home()).env("SHELL", "/bin/bash").envs(gateway.setup().environment());
        command.args(["connect", self.id]).args(arguments);
        self.home.run(command, SECONDS)
    }

    /// Runs the program that the end-to-end verb names in this variable, with nothing but its own words.
    pub fn run(&self, variable: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = self.home.program(variable);
        command.args(arguments).envs(environment.iter().copied());
        self.home.run(command, SECONDS)
    }

    /// Runs it by a line of an interactive shell, which reads its user's file first; the program is `$CLIENT` in it.
    pub fn run_in_a_shell(&self, variable: &str, line: &str) -> Ran {
        let named = self.home.program(variable);
        let mut command = self.home.command("bash");
        command.env("CLIENT", named.get_program()).args(["-i", "-c", line]);
        self.home.run(command, SECONDS)
    }

    /// Checks that its user's files are again what they were, byte for byte, and that `connect` left none of its own.
    #[track_caller]
    pub fn has_its_bytes_back(&self, made: &[&str]) {
        for (path, text) in &self.seeds {
            assert_eq!(&fs::read_to_string(path).unwrap(), text, "{}", path.display());
        }
        for path in made.iter().map(|path| self.home.path().join(path)) {
            assert!(!path.exists() || self.seeds.contains_key(&path), "{} is still there", path.display());
        }
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }
}
