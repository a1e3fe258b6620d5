//! `bitrouter connect`: points clients at the gateway by their own settings, shows which do, and takes that back. Here are the
//! flags, which clients are meant, and the gateway as they find it.

mod desk;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use secrecy::{ExposeSecret, SecretString};

use super::print::{self, Table};
use super::serve::reachable;
use super::setup::{self, Setup};
use super::terminal::Terminal;
use super::{Global, Outcome, WRONG_LINE, as_client};
use crate::connect::{CLIENTS, Client, Gateway, KEY_VARIABLE, Machine, Model, Way};
use crate::route::Providers;

pub(super) use desk::Desk;

/// How long a gateway elsewhere may take to list its models.
const LIST_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(after_help = "\
Each client's own settings are changed, and of them only what says where requests go; comments and all else stay. What a \
file was before is kept, and --undo gives it back. A client that only its own windows can change is told by steps. \
docs/clients.md has each client: what is changed, and what to know.

The gateway's address is that of server.listen, its key the first of server.keys. With --url the gateway there is asked \
for its models, and its key is taken from BITROUTER_API_KEY. A client that asks for its vendor's own models goes on doing so where the gateway has them.

Examples:
  bitrouter connect                          asks which, on a terminal
  bitrouter connect claude-code codex
  bitrouter connect opencode --model openai-codex:gpt-6.1-sol
  bitrouter connect --list                   what is installed, and what points here
  bitrouter connect codex --print            what would be written
  bitrouter connect codex --undo")]
pub(super) struct Connect {
    /// The clients
    #[arg(value_name = "CLIENT", value_parser = PossibleValuesParser::new(CLIENTS.map(|client| client.id)))]
    clients: Vec<String>,
    /// All clients that are installed here; with --undo all that were connected
    #[arg(long, conflicts_with = "clients")]
    all: bool,
    /// Take it back: the client's settings are again what they were
    #[arg(long, conflicts_with_all = ["url", "model", "print", "list"])]
    undo: bool,
    /// Show what would be written, and write nothing
    #[arg(long, conflicts_with = "list")]
    print: bool,
    /// List the clients: what is installed, and where each sends its requests
    #[arg(long, conflicts_with_all = ["clients", "all"])]
    list: bool,
    /// With --list: print JSON
    #[arg(long, requires = "list")]
    json: bool,
    /// Where the gateway is, instead of `server.listen`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The model that the client asks for, as `bitrouter models` lists it
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
}

impl Connect {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, None)?;
        let env = |name: &str| std::env::var_os(name);
        let desk = Desk { machine: Machine::of(&env), records: setup.paths.connected() };
        if self.undo {
            return self.undo(&desk);
        }
        let gateway = gateway(&setup, self.url.as_deref(), self.model.clone())?;
        if self.list {
            let rows = desk.rows(&gateway);
            match self.json {
                true => print::json(&rows)?,
                false => print::answer(&desk::table(&rows))?,
            }
            return Ok(ExitCode::SUCCESS);
        }
        let Some(clients) = self.chosen(&desk, &gateway)? else { return Ok(ExitCode::from(WRONG_LINE)) };
        let mut all_well = true;
        for client in clients {
            let done = match self.print {
                true => desk.preview(client, &gateway),
                false => desk.connect(client, &gateway),
            };
            match done {
                Ok(text) => print::answer(&text)?,
                // The others are connected all the same.
                Err(error) if self.clients.len() != 1 => {
                    all_well = false;
                    print::note(&format!("error: {}: {error}", client.id));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn undo(&self, desk: &Desk<'_>) -> Outcome {
        let clients: Vec<&Client> = match self.clients.is_empty() {
            false => self.named(),
            true => CLIENTS.into_iter().filter(|client| desk.connection(client).is_recorded()).collect(),
        };
        if self.clients.is_empty() && !self.all {
            let connected: Vec<&str> = clients.iter().map(|client| client.id).collect();
            print::note(&format!(
                "error: name the clients, or add --all. Connected from here: {}",
                print::list(&connected)
            ));
            return Ok(ExitCode::from(WRONG_LINE));
        }
        for client in clients {
            print::answer(&desk.undo(client)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The clients that are meant; none where nobody is there to be asked.
    fn chosen(&self, desk: &Desk<'_>, gateway: &Gateway) -> Result<Option<Vec<&'static Client>>, Box<dyn Error>> {
        if !self.clients.is_empty() {
            return Ok(Some(self.named()));
        }
        let installed = || CLIENTS.into_iter().filter(|client| desk.is_installed(client));
        if self.all {
            // One that has to be changed by hand was not asked for by name.
            let found: Vec<_> = installed().filter(|client| matches!(client.way, Way::Files(_))).collect();
            return match found.is_empty() {
                true => Err("no client that can be connected was found here. See all: bitrouter connect --list".into()),
                false => Ok(Some(found)),
            };
        }
        if !Terminal::is_there() {
            let ids = CLIENTS.map(|client| client.id).join(", ");
            print::note(&format!("error: name a client, or add --all for what is installed. There are: {ids}"));
            return Ok(None);
        }
        let mut offered: Vec<&Client> = installed().collect();
        if offered.is_empty() {
            offered = CLIENTS.to_vec();
        }
        let mut table = Table::indented();
        for client in &offered {
            let row = desk.row(client, gateway);
            table.row([client.id, client.name, if row.points == "here" { "points here" } else { "" }]);
        }
        let items: Vec<String> = table.text().lines().map(|line| line.trim().to_owned()).collect();
        let at = Terminal::default().choose("Which client is to use the gateway?", &items)?;
        Ok(Some(vec![offered[at]]))
    }

    /// Those that the command line names, each once.
    fn named(&self) -> Vec<&'static Client> {
        CLIENTS.into_iter().filter(|client| self.clients.iter().any(|id| id == client.id)).collect()
    }
}

/// The gateway as clients find it: as this machine's config has it, or as the flag says.
pub(super) fn gateway(setup: &Setup, url: Option<&str>, model: Option<String>) -> Result<Gateway, Box<dyn Error>> {
    let server = &setup.loaded.config.server;
    let (origin, key, models) = match url.map(base_of).transpose()? {
        Some(url) => {
            let key = std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty()).map(SecretString::from);
            let models = models_of_another(&url, key.as_ref())?;
            (url, key, models)
        }
        None => {
            let first = server.listen.first().ok_or("server.listen names no address")?;
            let key = server.keys.first().map(|key| SecretString::from(key.expose_secret().to_owned()));
            (format!("http://{}", reachable(*first)), key, models(&*setup.providers_with_local_models()?))
        }
    };
    Ok(Gateway { origin, key, models, model })
}

/// What a gateway elsewhere lists; nothing, with a warning, where it does not answer.
fn models_of_another(url: &str, key: Option<&SecretString>) -> Result<Vec<Model>, Box<dyn Error>> {
    let asked = setup::runtime()?.block_on(as_client::ask(&format!("{url}/v1/models"), key, None, LIST_WITHIN));
    let listed = match asked {
        Ok(listed) => listed,
        Err(why) => {
            let why = print::printable(&why);
            print::note(&format!(
                "warning: its models are not known: {why}. A client that has to be told one: --model MODEL"
            ));
            return Ok(Vec::new());
        }
    };
    let entries = listed["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let model = |entry: &serde_json::Value| {
        Some(Model { id: entry["id"].as_str()?.to_owned(), context: entry["context_window"].as_u64() })
    };
    Ok(entries.iter().filter_map(model).collect())
}

/// What can be asked for: the names of the config, then what providers list, each once.
fn models(providers: &Providers) -> Vec<Model> {
    let mut models: Vec<Model> =
        providers.names.exact().map(|(name, _)| Model { id: name.to_owned(), context: None }).collect();
    for entry in providers.models() {
        let id = entry.name();
        let speaks = entry.operations.is_empty() || entry.operations.iter().any(|operation| operation == "generate");
        if speaks && !models.iter().any(|model| model.id == id) {
            let known = providers.by_id.get(&entry.provider).map(|provider| provider.known(&entry.id).facts());
            models.push(Model { id, context: known.and_then(|facts| facts.context_window) });
        }
    }
    models
}
/// The address of a gateway, without the path that clients add.
fn base_of(url: &str) -> Result<String, String> {
    let refused = |why: &str| {
        let url = print::printable(url);
        format!("--url `{url}`: {why}. Write it as http://HOST:PORT, such as --url http://gateway.lan:4356")
    };
    let parsed: http::Uri =
        url.parse().map_err(|error: http::uri::InvalidUri| refused(&format!("it is no address ({error})")))?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) || parsed.authority().is_none() {
        return Err(refused("it does not begin with http:// and a host"));
    }
    if url.contains(['?', '#']) {
        return Err(refused("it has more than a path behind the host"));
    }
    Ok(url.trim_end_matches('/').trim_end_matches("/v1").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_with_and_without_its_path() {
        for url in ["http://gateway.lan:4356", "http://gateway.lan:4356/", "http://gateway.lan:4356/v1/"] {
            assert_eq!(base_of(url).as_deref(), Ok("http://gateway.lan:4356"));
        }
    }

    #[test]
    fn a_url_that_is_none_is_quoted_with_an_example() {
        for url in ["not a url", "gateway.lan:4356", "ftp://gateway.lan", "http://", "http://h/?a=b", "", "h\u{1b}[2J"]
        {
            let error = base_of(url).unwrap_err();
            let quoted = format!("--url `{}`: ", print::printable(url));
            assert!(error.starts_with(&quoted) && error.ends_with("such as --url http://gateway.lan:4356"), "{error}");
        }
    }
}
