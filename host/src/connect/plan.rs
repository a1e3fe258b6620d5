//! What a client is, where its settings stand on this machine, and what they have to say: a plan, which touches no file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::ConnectError;
use super::edit::{Format, Place, place};

/// What a client is told as its key where the gateway asks for none: most send nothing without one.
const PLACEHOLDER: &str = "unused";

/// A program that asks models.
pub struct Client {
    /// What the command line calls it.
    pub id: &'static str,
    /// What its makers call it.
    pub name: &'static str,
    /// What it is started with; the first is shown.
    pub programs: &'static [&'static str],
    /// What in the environment has its way whatever its files say.
    pub overruled_by: &'static [&'static str],
    /// How it is pointed at a gateway.
    pub way: Way,
}

/// How a client is pointed at a gateway.
pub enum Way {
    /// By its files.
    Files(fn(&Machine<'_>, &Gateway) -> Result<Plan, ConnectError>),
    /// By hand, in its own windows: the steps, one a line.
    Steps(fn(&Gateway) -> Vec<String>),
}

/// What a client's files are to say.
#[derive(Debug, Default)]
pub struct Plan {
    /// The files. The settings of the first say where the gateway is.
    pub files: Vec<FilePlan>,
    /// What its user has to know or do besides, one sentence each.
    pub notes: Vec<String>,
}

/// What one file is to say.
#[derive(Debug)]
pub struct FilePlan {
    /// The file.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
    /// In this order.
    pub settings: Vec<Setting>,
}

/// One setting.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Where it stands.
    pub place: Place,
    /// What is to stand there; `None` takes out what does.
    pub value: Option<Value>,
    /// For the gateway's key: the variable that can say it in the file's stead.
    pub secret: Option<&'static str>,
    /// Whether it is only for a file that does not say it at all.
    pub unless_there: bool,
    /// Whether the client says it anew by itself, so that it is taken out whatever it says by then.
    pub restless: bool,
}

impl Setting {
    fn new(place: Place, value: Option<Value>) -> Self {
        Setting { place, value, secret: None, unless_there: false, restless: false }
    }
}

impl FilePlan {
    /// A file in which nothing is set yet.
    pub fn new(path: PathBuf, format: Format) -> Self {
        FilePlan { path, format, settings: Vec::new() }
    }

    /// Says something.
    pub fn says(self, keys: &[&str], value: impl Into<Value>) -> Self {
        self.at(place(keys), value)
    }

    /// Says something at any place.
    pub fn at(self, place: Place, value: impl Into<Value>) -> Self {
        self.with(Setting::new(place, Some(value.into())))
    }

    /// Says something in a file that does not say it at all.
    pub fn says_unless_there(self, keys: &[&str], value: impl Into<Value>) -> Self {
        self.with(Setting { unless_there: true, ..Setting::new(place(keys), Some(value.into())) })
    }

    /// The same of what the client says anew by itself.
    pub fn says_for_now(self, keys: &[&str], value: impl Into<Value>) -> Self {
        self.with(Setting { unless_there: true, restless: true, ..Setting::new(place(keys), Some(value.into())) })
    }

    /// Takes something out.
    pub fn says_no(self, keys: &[&str]) -> Self {
        self.with(Setting::new(place(keys), None))
    }

    /// Says the gateway's key, or a placeholder where it asks for none. `variable` can say it in the file's stead.
    pub fn says_key(self, keys: &[&str], gateway: &Gateway, variable: &'static str) -> Self {
        let secret = gateway.key.is_some().then_some(variable);
        self.with(Setting { secret, ..Setting::new(place(keys), Some(gateway.key().into())) })
    }

    /// The same where there is something to say.
    pub fn maybe(self, keys: &[&str], value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.says(keys, value),
            None => self,
        }
    }

    fn with(mut self, setting: Setting) -> Self {
        self.settings.push(setting);
        self
    }
}

/// The gateway as its clients see it.
#[derive(Debug, Default)]
pub struct Gateway {
    /// Such as `http://127.0.0.1:4356`.
    pub origin: String,
    /// The key that it asks for.
    pub key: Option<SecretString>,
    /// What can be asked for, the best first.
    pub models: Vec<Model>,
    /// The model that the user named.
    pub model: Option<String>,
}

/// A model that can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// What requests call it.
    pub id: String,
    /// How many tokens a request and its answer may have together, where that is known.
    pub context: Option<u64>,
}

impl Gateway {
    /// Where Chat Completions, Responses and Messages are below.
    pub fn v1(&self) -> String {
        format!("{}/v1", self.origin)
    }

    /// What a client sends as its key.
    pub fn key(&self) -> String {
        self.key.as_ref().map_or(PLACEHOLDER, |key| key.expose_secret()).to_owned()
    }

    /// The model for a client that has to be told one.
    pub fn model(&self, client: &Client) -> Result<Model, ConnectError> {
        self.chosen().ok_or(ConnectError::NoModel { client: client.name })
    }

    /// The model for a client that asks for its vendor's own unless it is told another: none where these are here.
    pub fn model_instead_of(&self, own: &[&str]) -> Option<Model> {
        let is_own = |model: &Model| own.iter().any(|prefix| model.id.starts_with(prefix));
        match self.model.is_none() && self.models.iter().any(is_own) {
            true => None,
            false => self.chosen(),
        }
    }

    fn chosen(&self) -> Option<Model> {
        match &self.model {
            Some(id) => {
                let known = self.models.iter().find(|model| model.id == *id);
                Some(known.cloned().unwrap_or_else(|| Model { id: id.clone(), context: None }))
            }
            None => self.models.first().cloned(),
        }
    }

    /// The models for a client that has to be told all of them, with the one that was named.
    pub fn listed(&self, client: &Client) -> Result<Vec<Model>, ConnectError> {
        let first = self.model(client)?;
        let others = self.models.iter().filter(|model| model.id != first.id).cloned();
        Ok(std::iter::once(first.clone()).chain(others).collect())
    }
}

/// The machine on which clients are looked for.
pub struct Machine<'a> {
    /// Its environment.
    pub env: &'a dyn Fn(&str) -> Option<OsString>,
    /// The home folder of the user.
    pub home: Option<PathBuf>,
}

impl<'a> Machine<'a> {
    /// This machine, as this process sees it.
    pub fn of(env: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Machine { env, home: etcetera::home_dir().ok() }
    }

    /// A folder or file that a variable names.
    pub fn named(&self, variable: &str) -> Option<PathBuf> {
        (self.env)(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// A path below the home folder.
    pub fn home(&self, below: &str, client: &Client) -> Result<PathBuf, ConnectError> {
        let home = self.home.as_ref().ok_or(ConnectError::NoHome { client: client.name })?;
        Ok(home.join(below))
    }

    /// A path below `$XDG_CONFIG_HOME`, by default `~/.config`: what most clients use on every system.
    pub fn config(&self, below: &str, client: &Client) -> Result<PathBuf, ConnectError> {
        match self.named("XDG_CONFIG_HOME").filter(|folder| folder.is_absolute()) {
            Some(folder) => Ok(folder.join(below)),
            None => Ok(self.home(".config", client)?.join(below)),
        }
    }

    /// A path below `$XDG_DATA_HOME`, by default `~/.local/share`.
    pub fn data(&self, below: &str, client: &Client) -> Result<PathBuf, ConnectError> {
        match self.named("XDG_DATA_HOME").filter(|folder| folder.is_absolute()) {
            Some(folder) => Ok(folder.join(below)),
            None => Ok(self.home(".local/share", client)?.join(below)),
        }
    }

    /// A path below the folder where programs with windows keep their settings.
    pub fn application(&self, below: &str, client: &Client) -> Result<PathBuf, ConnectError> {
        if cfg!(target_vendor = "apple") {
            return Ok(self.home("Library/Application Support", client)?.join(below));
        }
        if cfg!(windows) {
            let roaming = self.named("APPDATA");
            return Ok(roaming.map_or_else(|| self.home("AppData/Roaming", client), Ok)?.join(below));
        }
        self.config(below, client)
    }

    /// Whether one of a client's programs can be started by its name.
    pub fn has(&self, client: &Client) -> bool {
        let path = (self.env)("PATH").unwrap_or_default();
        let suffixes: &[&str] = if cfg!(windows) { &["", ".exe", ".cmd"] } else { &[""] };
        let is_file = |folder: &Path, program: &str| {
            suffixes.iter().any(|suffix| folder.join(format!("{program}{suffix}")).is_file())
        };
        std::env::split_paths(&path).any(|folder| client.programs.iter().any(|program| is_file(&folder, program)))
    }
}
