//! `bitrouter plugin try`: runs the gateway with one file of a provider that is trusted for this run alone. What is built anew
//! is served anew. With `--echo` its requests go to an upstream in this process that answers and shows what reached it.

mod answers;
mod echo;
pub(super) mod staged;

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use bitrouter_contract::description::{AttachTo, Auth, Description};
use bitrouter_contract::origin::Origin;
use clap::Args;

use super::asks::wants;
use super::subject::{Subject, signers};
use crate::cli::serve::{Change, Serve};
use crate::cli::setup::{self, Setup};
use crate::cli::{Global, Outcome, print};
use crate::config::{Config, Secret};
use echo::Echo;
use staged::Staged;

/// The key that stands for a real one while requests go to the echo.
const MADE_UP_KEY: &str = "made-up-key-of-plugin-try";

#[derive(Debug, Args)]
#[command(after_help = "\
The file is served as if you had accepted it, until the command ends: plugins.lock stays as it is, and so does what your own \
gateway keeps. Logins, keys and the config are yours. When the file changes it is served anew.

With --echo nothing leaves this machine, and no key is needed: each origin is an upstream here, which answers in the usual \
dialects and shows each request that reached it, without its key.

Examples:
  bitrouter plugin try acme.wasm --echo
  bitrouter plugin try acme.json --listen 127.0.0.1:8080
  bitrouter plugin try acme.wasm --echo --answer stream.sse     answers all with this file
  ACME_API_KEY=… bitrouter plugin try acme.wasm --log bitrouter=debug")]
pub(in crate::cli) struct Try {
    /// The component or description
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Send requests to an upstream in this process, which answers and shows them
    #[arg(long)]
    echo: bool,
    /// What the echo answers to everything: a file that ends in .json, .sse or .ndjson
    #[arg(long, value_name = "FILE", requires = "echo")]
    answer: Option<PathBuf>,
    /// The address to listen on [default: a free port of 127.0.0.1]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// Say nothing but warnings and errors
    #[arg(long, short, conflicts_with = "log")]
    quiet: bool,
    /// What to log, such as `warn` or `bitrouter=debug` [default: $RUST_LOG, else info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Log one JSON object a line
    #[arg(long)]
    log_json: bool,
}

impl Try {
    pub(in crate::cli) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, None)?;
        let staged = Staged::of(&self.file, &setup)?;
        let subject = Subject::read(&self.file, &setup)?;
        for description in &subject.descriptions {
            print::note(wants(&subject, &signers(&setup), description).trim_end());
        }
        let descriptions = staged.renew()?;
        print::note("It is trusted for this run alone.\n");
        let echo = match self.echo {
            true => Some(Echo::start(self.answer.as_deref(), models(&descriptions), attached(&descriptions))?),
            false => None,
        };
        let listen = self.listen.map_or_else(free_address, Ok)?;
        for description in &descriptions {
            print::note(&how_to_ask(description, &listen));
            if echo.is_some() && needs_another_login(description) {
                print::note(&format!(
                    "{}: no key can be made up for the way in which it is paid, so --echo has none to send. Its requests stop \
                     before they leave; `bitrouter plugin test` shows them",
                    description.id
                ));
            }
        }
        let mut options = setup::load_options(global)?;
        options.paths = options.paths.for_one_run(staged.folder());
        let change = change(&staged, &descriptions, echo.as_ref().map(Echo::address))?;
        staged.follow();
        Serve::on(listen, self.quiet, self.log, self.log_json).run_with(options, change)
    }
}

/// What this run's config says otherwise: the folder of components, and where requests go.
fn change(staged: &Staged, descriptions: &[Description], echo: Option<SocketAddr>) -> Result<Change, Box<dyn Error>> {
    let staged = staged.clone();
    let mut elsewhere: Vec<(String, BTreeMap<String, Origin>, bool)> = Vec::new();
    for description in descriptions.iter().filter(|_| echo.is_some()) {
        let mut origins = BTreeMap::new();
        for (name, url) in &description.origins {
            let address = echo.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
            origins.insert(name.clone(), format!("http://{address}{}", path_of(url)).parse()?);
        }
        let has_key = description.auth.iter().any(|auth| matches!(auth, Auth::ApiKey(_)));
        elsewhere.push((description.id.clone(), origins, has_key));
    }
    Ok(Box::new(move |config: &mut Config| {
        staged.enter(config);
        for (id, origins, has_key) in &elsewhere {
            let block = config.providers.entry(id.clone()).or_default();
            block.origins.clone_from(origins);
            block.key_command = None;
            if *has_key {
                block.api_key = Some(Secret::from(MADE_UP_KEY));
            }
        }
    }))
}

/// The path of an address, without what a hole of it could not be.
fn path_of(url: &str) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let segments = path.split('/').filter(|segment| !segment.is_empty() && !segment.contains('{'));
    segments.map(|segment| format!("/{segment}")).collect()
}

/// What the echo lists: the models that the provider says it has, so that they stay its models.
fn models(descriptions: &[Description]) -> Vec<String> {
    let named = descriptions.iter().flat_map(|description| &description.models).map(|model| model.id.clone());
    let named: Vec<String> = named.collect();
    if named.is_empty() { vec!["echo-model".into()] } else { named }
}

/// Where credentials are attached: an account of the user's own may be used beside the made-up key.
fn attached(descriptions: &[Description]) -> Vec<AttachTo> {
    let each = descriptions.iter().flat_map(|description| &description.auth).flat_map(Auth::attach);
    each.map(|attach| attach.place.clone()).collect()
}

fn needs_another_login(description: &Description) -> bool {
    !description.auth.is_empty() && !description.auth.iter().any(|auth| matches!(auth, Auth::ApiKey(_)))
}

/// A line that asks for a model of it.
fn how_to_ask(description: &Description, listen: &str) -> String {
    let model = description.models.first().map_or("MODEL", |model| model.id.as_str());
    let model = print::printable(&format!("{}:{model}", description.id));
    let (path, body) = match description.serves.contains_key("generate") {
        true => ("chat/completions", r#""messages": [{"role": "user", "content": "Hello"}]"#),
        false => ("embeddings", r#""input": "Hello""#),
    };
    format!(
        "To try it, in another terminal:\n  curl http://{listen}/v1/{path} -H 'content-type: application/json' -d '{{\"model\": \
         \"{model}\", {body}}}'\n"
    )
}

/// A port that nobody has. Between now and then somebody may take it: then the command says so.
fn free_address() -> Result<String, Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .map_err(|error| format!("no port of 127.0.0.1 can be had: {error}. Name one with --listen"))?;
    Ok(listener.local_addr()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::path_of;

    #[test]
    fn the_echo_is_asked_below_the_path_that_the_upstream_has() {
        for (url, path) in [
            ("https://api.acme.example/v1", "/v1"),
            ("https://api.acme.example", ""),
            ("https://{resource}.acme.example/{project}/a/b/", "/a/b"),
        ] {
            assert_eq!(path_of(url), path);
        }
    }
}
