//! `bitrouter plugin`: which components are loaded, and which files the user accepts.
//!
//! `trust` asks a component in the sandbox what it wants, shows all of it, and writes the answer to `plugins.lock`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use super::print::{self, Table};
use super::providers::{RefusedRow, Row, not_loaded};
use super::setup::{self, Setup};
use super::{Components, Global, Outcome};
use crate::app;
use crate::plugin::compile::MAX_COMPONENT;
use crate::plugin::description::{Attach, Auth, Description, Login, Place};
use crate::plugin::trust::{Grant, Lock};
use crate::plugin::{Digest, file};

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// List the components that are loaded, and those that are not
    List(List),
    /// Show what a component asks for, and accept it
    Trust(Trust),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bitrouter plugin list
  bitrouter plugin list --plugins ./plugins --json")]
pub(super) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What you accept is this very file: its digest, where it may send requests, and which credentials go there. \
Another build asks again. A component that wants no credential and takes no built-in provider's place needs no \
acceptance.

Examples:
  bitrouter plugin trust ~/Downloads/example.wasm
  bitrouter plugin trust example.wasm --yes")]
pub(super) struct Trust {
    /// The component
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Accept without asking, for scripts
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    components: Components,
}

impl Plugin {
    pub(super) fn run(self, global: &Global) -> Outcome {
        match self {
            Plugin::List(command) => command.run(global),
            Plugin::Trust(command) => command.run(global),
        }
    }
}

impl List {
    fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let providers = setup.providers()?;
        let folder = setup.loaded.config.plugins.dir.display().to_string();
        let refused = RefusedRow::all(&providers);
        let loaded: Vec<(Row, &str)> =
            providers.by_id.values().map(|provider| (Row::of(provider), provider.plugin.digest.as_str())).collect();
        if self.json {
            let loaded: Vec<_> = loaded
                .iter()
                .map(
                    |(row, sha256)| json!({ "id": row.id, "version": row.version, "file": row.file, "sha256": sha256 }),
                )
                .collect();
            print::json(&json!({ "folder": folder, "loaded": loaded, "refused": refused }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::new(&["id", "version", "from", "sha256"]);
        loaded.iter().for_each(|(row, sha256)| table.row([&row.id, &row.version, row.source(), sha256]));
        let folder = format!("\nplugin folder: {}\n", print::printable(&folder));
        print::answer(&(table.text() + &not_loaded(&refused) + &folder))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Trust {
    fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let file = std::path::absolute(&self.file)?;
        // Read once: what is shown is what is accepted.
        let bytes = file::read(&file, MAX_COMPONENT as u64)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let digest = Digest::of(&bytes);
        let (description, built_in) = describe(&setup, &bytes, &digest).map_err(|error| {
            format!("{} cannot be accepted: {}", file.display(), print::printable(&error.to_string()))
        })?;
        let grant = Grant::of(&digest, &description);
        let lock_file = setup.paths.plugins_lock();
        let lock = Lock::read(&lock_file)?;

        print::answer(&wants(&file, bytes.len(), &digest, &description))?;
        print::answer(&standing(&lock, &description, &built_in))?;
        let folder = &setup.loaded.config.plugins.dir;
        if lock.accepts(&grant) {
            print::answer(&format!("It is accepted already.\n{}", next_step(&file, folder)))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes && !agreed()? {
            print::note("not accepted: nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        lock.accept(grant, &lock_file)?;
        print::answer(&format!("accepted: kept in {}\n{}", lock_file.display(), next_step(&file, folder)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What the component says of itself, and what the built-in ones do. It runs in the sandbox, with nothing to reach.
fn describe(setup: &Setup, bytes: &[u8], digest: &Digest) -> Result<(Description, Vec<Description>), Box<dyn Error>> {
    let loader = app::loader(&setup.loaded.config, &setup.paths)?;
    let work = async {
        let description = loader.describe(bytes, digest).await?;
        let mut built_in = Vec::new();
        for (_, bytes) in app::built_in() {
            built_in.push(loader.describe(bytes, &Digest::of(bytes)).await?);
        }
        Ok((description, built_in))
    };
    setup::runtime()?.block_on(setup::with_progress(work, || "compiling 1 component…".to_owned()))
}

/// Everything that the user is asked to accept.
fn wants(file: &Path, bytes: usize, digest: &Digest, description: &Description) -> String {
    let mut table = Table::indented();
    table.row(["id", &description.id]);
    table.row(["name", &description.name]);
    table.row(["version", &description.version]);
    table.row(["file", &format!("{} ({} KB)", file.display(), bytes.div_ceil(1000))]);
    table.row(["sha256", digest.as_str()]);
    for (index, (name, url)) in description.origins.iter().enumerate() {
        table.row([if index == 0 { "sends to" } else { "" }, &format!("{url} ({name})")]);
    }
    if description.auth.is_empty() {
        table.row(["credentials", "none"]);
    }
    for (index, auth) in description.auth.iter().enumerate() {
        table.row([if index == 0 { "credentials" } else { "" }, &credential(auth, description)]);
    }
    table.row(["is shown", &shown(&description.claims)]);
    format!("The component asks for:\n{}", table.text())
}

/// Which credential goes where, and in which place of the request.
fn credential(auth: &Auth, description: &Description) -> String {
    let url = |name: &String| description.origins.get(name).map(String::as_str);
    let to: Vec<&str> = auth.origins().iter().filter_map(url).collect();
    let places: Vec<String> = auth.attach().iter().map(place).collect();
    let sent = format!("sent to {} in {}", print::list(&to), print::list(&places));
    match auth {
        Auth::ApiKey(key) if key.env.is_empty() => format!("API key, {sent}"),
        Auth::ApiKey(key) => format!("API key from {}, {sent}", key.env.join(" or ")),
        Auth::Oauth(oauth) => {
            let issuer = url(&oauth.origin).unwrap_or("-");
            let imports = oauth.login.iter().filter_map(|login| match login {
                Login::Import(import) => Some(format!(", or imported from {}", import.source)),
                Login::Browser(_) | Login::Device(_) => None,
            });
            format!("account logged in at {issuer}{}, {sent}", imports.collect::<String>())
        }
    }
}

fn place(attach: &Attach) -> String {
    let place = match &attach.place {
        Place::Header(name) => format!("the header {name}"),
        Place::Query(name) => format!("the query parameter {name}"),
    };
    match &attach.claim {
        Some(claim) => format!("{place} (claim {claim})"),
        None => place,
    }
}

fn shown(claims: &[String]) -> String {
    match claims {
        [] => "nothing of your account but its label".to_owned(),
        claims => format!("of your account: its label, {}", claims.join(", ")),
    }
}

/// How the component stands to what is there already, and what deserves a second look.
fn standing(lock: &Lock, description: &Description, built_in: &[Description]) -> String {
    let id = description.id.as_str();
    let places = |origins: &BTreeMap<String, String>| {
        print::printable(&origins.values().map(String::as_str).collect::<Vec<_>>().join(", "))
    };
    let mut text = String::new();
    if let Some(replaced) = built_in.iter().find(|built_in| built_in.id == id) {
        text += &format!("It takes the place of the built-in provider `{id}`.\n");
        if replaced.origins != description.origins {
            text += &format!("CAUTION: the built-in `{id}` sends to {}.\n", places(&replaced.origins));
        }
    } else if description.auth.is_empty() {
        text += "It asks for no credential, so it serves without being accepted too.\n";
    }
    let wanted: Vec<&String> = description.auth.iter().flat_map(Auth::env).collect();
    for other in built_in.iter().filter(|built_in| built_in.id != id) {
        for variable in other.auth.iter().flat_map(Auth::env).filter(|variable| wanted.contains(variable)) {
            text += &format!("CAUTION: {variable} is the key of another provider, the built-in `{}`.\n", other.id);
        }
    }
    if let Some(known) = lock.plugins.iter().find(|grant| grant.id == id && grant.origins != description.origins) {
        text += &format!("CAUTION: the `{id}` that you accepted before sends to {}.\n", places(&known.origins));
    }
    text
}

fn agreed() -> Result<bool, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Err("nobody is there to be asked. Read the above, then run it again with --yes".into());
    }
    let mut err = io::stderr();
    write!(err, "Accept it? [y/N] ")?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Where the file has to be, unless it is there.
fn next_step(file: &Path, folder: &Path) -> String {
    let parent = file.parent().and_then(|parent| parent.canonicalize().ok());
    let is_there = parent.is_some() && parent == folder.canonicalize().ok();
    let is_component = file.extension().is_some_and(|extension| extension == "wasm");
    match (is_there, is_component) {
        (true, true) => "It is in the plugin folder: the next `bitrouter serve` loads it.\n".to_owned(),
        (true, false) => {
            "It is in the plugin folder, but only files that end in .wasm are loaded: rename it.\n".to_owned()
        }
        (false, _) => format!("It is not in the plugin folder yet. Copy it there: {}\n", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(auth: &str, claims: &str) -> Description {
        let json = format!(
            r#"{{"id": "example", "name": "Ex\u001bample", "version": "2.0.1", "serves": {{"generate": ["responses"]}},
                "origins": {{"api": "https://api.example.com", "auth": "https://login.example.com"}},
                "auth": {auth}, "claims": {claims}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn shown(description: &Description) -> String {
        wants(Path::new("/p/example.wasm"), 55_001, &Digest::of(b""), description)
    }

    #[test]
    fn everything_that_a_component_asks_for_is_shown() {
        let auth = r#"[{"method": "api-key", "env": ["EXAMPLE_KEY", "EX_KEY"],
            "attach": [{"header": "authorization", "format": "Bearer {}"}, {"query": "org", "claim": "org"}]}]"#;
        assert_eq!(
            shown(&description(auth, r#"["plan"]"#)),
            "\
The component asks for:
  id           example
  name         Ex\u{fffd}ample
  version      2.0.1
  file         /p/example.wasm (56 KB)
  sha256       e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
  sends to     https://api.example.com (api)
               https://login.example.com (auth)
  credentials  API key from EXAMPLE_KEY or EX_KEY, sent to https://api.example.com in the header authorization, the query parameter org (claim org)
  is shown     of your account: its label, plan
"
        );
    }

    #[test]
    fn a_login_is_shown_with_where_it_is_made_and_where_its_token_goes() {
        let auth = r#"[{"method": "oauth", "client_id": "app", "token": {"path": "/token"},
            "login": [{"flow": "import", "source": "codex-cli"}],
            "attach": [{"header": "authorization", "format": "Bearer {}"}]}]"#;
        let line = "credentials  account logged in at https://login.example.com, or imported from codex-cli, sent to \
                    https://api.example.com in the header authorization\n";
        let text = shown(&description(auth, "[]"));
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn a_component_without_a_credential_says_so() {
        let text = shown(&description("[]", "[]"));
        assert!(text.contains("credentials  none\n"), "{text}");
        assert!(text.contains("is shown     nothing of your account but its label\n"), "{text}");
    }

    #[test]
    fn a_build_that_sends_elsewhere_than_the_accepted_one_is_marked() {
        let description = description("[]", "[]");
        let mut before = Grant::of(&Digest::of(b"old"), &description);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plugins.lock");
        let standing_after = |grant: &Grant| {
            Lock::default().accept(grant.clone(), &file).unwrap();
            standing(&Lock::read(&file).unwrap(), &description, &[])
        };
        assert!(!standing_after(&before).contains("CAUTION"));
        before.origins = BTreeMap::from([("api".into(), "https://elsewhere.example".into())]);
        assert_eq!(
            standing_after(&before).lines().last(),
            Some("CAUTION: the `example` that you accepted before sends to https://elsewhere.example.")
        );
    }

    #[test]
    fn another_providers_key_and_another_address_are_marked() {
        let key = r#"[{"method": "api-key", "env": ["EXAMPLE_KEY"], "attach": [{"header": "authorization"}]}]"#;
        let mut built_in = description(key, "[]");
        let same = standing(&Lock::default(), &description(key, "[]"), &[built_in.clone()]);
        assert_eq!(same, "It takes the place of the built-in provider `example`.\n");

        let mut elsewhere = description(key, "[]");
        elsewhere.origins = BTreeMap::from([("api".into(), "https://elsewhere.example".into())]);
        let text = standing(&Lock::default(), &elsewhere, &[built_in.clone()]);
        assert!(text.ends_with(
            "CAUTION: the built-in `example` sends to https://api.example.com, https://login.example.com.\n"
        ));

        built_in.id = "other".into();
        let text = standing(&Lock::default(), &elsewhere, &[built_in]);
        assert_eq!(text, "CAUTION: EXAMPLE_KEY is the key of another provider, the built-in `other`.\n");
    }

    #[test]
    fn the_next_step_is_the_copy_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("x.wasm"), Path::new("/nowhere/x.wasm"));
        assert!(next_step(&inside, folder.path()).contains("the next `bitrouter serve` loads it"));
        assert!(next_step(&inside.with_extension("bin"), folder.path()).contains("rename it"));
        assert!(next_step(outside, folder.path()).contains(&folder.path().display().to_string()));
    }
}
