//! `bitrouter plugin`: which components are loaded, and which files the user accepts.
//!
//! `trust` asks a component in the sandbox what it wants, shows all of it, and writes the answer to `plugins.lock`.

mod asks;
mod build;
mod check;
mod driver;
mod new;
mod record;
mod test;
mod trial;

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bitrouter_contract::description::Description;
use bitrouter_plugin::compile::MAX_COMPONENT;
use bitrouter_plugin::trust::{Grant, Lock};
use bitrouter_plugin::{Digest, file};
use clap::{Args, Subcommand};
use serde_json::json;

use super::print::{self, Table};
use super::providers::{Row, not_loaded, untrusted};
use super::setup::{self, Setup};
use super::{Components, Global, Outcome};
use crate::app;
use asks::{standing, wants};

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// List the components that are loaded, and those that are not
    List(List),
    /// Look for mistakes in a provider: what it says of itself, and what its hooks do
    Check(check::Check),
    /// Show what a component asks for, and accept it
    Trust(Trust),
    /// Take the acceptance of a component back
    Untrust(Untrust),
    /// Begin a provider: write a project that builds
    New(new::New),
    /// Make the component of a project
    Build(build::Build),
    /// Run the cases of a project against its component
    Test(test::Test),
    /// Run the gateway with one component that is trusted for this run alone
    Try(trial::Try),
    /// Make cases of one real exchange with a provider
    Record(record::Record),
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
What you accept is this very file and all that is shown: where it sends requests, which credentials go there, which \
names it answers to, what it asks by itself. Another build asks again. A component that is not accepted serves nothing if \
it wants a credential, takes another's id, or sends into this machine or its network; else it answers to ID:MODEL alone.

Examples:
  bitrouter plugin trust example
  bitrouter plugin trust ~/Downloads/example.wasm
  bitrouter plugin trust example.wasm --yes")]
pub(super) struct Trust {
    /// The component: a file, one of the plugin folder's, or the id of one there
    #[arg(value_name = "FILE|ID")]
    file: PathBuf,
    /// Accept without asking, for scripts
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    components: Components,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A running gateway notices within some seconds. The file stays where it is.

Examples:
  bitrouter plugin untrust example
  bitrouter plugin untrust example.wasm")]
pub(super) struct Untrust {
    /// The component: its id, or its file
    #[arg(value_name = "ID|FILE")]
    component: PathBuf,
    #[command(flatten)]
    components: Components,
}

impl Plugin {
    pub(super) fn run(self, global: &Global) -> Outcome {
        match self {
            Plugin::List(command) => command.run(global),
            Plugin::Check(command) => command.run(global),
            Plugin::Trust(command) => command.run(global),
            Plugin::Untrust(command) => command.run(global),
            Plugin::New(command) => command.run(),
            Plugin::Build(command) => command.run(),
            Plugin::Test(command) => command.run(global),
            Plugin::Try(command) => command.run(global),
            Plugin::Record(command) => command.run(global),
        }
    }
}

impl List {
    fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let providers = setup.providers()?;
        let folder = setup.loaded.config.plugins.dir.display().to_string();
        let refused = &providers.refused;
        let loaded: Vec<(Row, &str)> =
            providers.by_id.values().map(|provider| (Row::of(provider), provider.plugin.digest.as_str())).collect();
        let lock = Lock::read(&setup.paths.plugins_lock()).unwrap_or_default();
        let absent = |grant: &&Grant| !loaded.iter().any(|(_, sha256)| grant.sha256 == *sha256);
        let absent: Vec<&Grant> = lock.plugins.iter().filter(absent).collect();
        if self.json {
            let loaded: Vec<_> = loaded
                .iter()
                .map(|(row, sha256)| {
                    json!({
                        "id": row.id, "version": row.version, "file": row.file, "sha256": sha256, "trusted": row.trusted,
                    })
                })
                .collect();
            let absent: Vec<_> = absent.iter().map(|grant| json!({ "id": grant.id, "sha256": grant.sha256 })).collect();
            print::json(
                &json!({ "folder": folder, "loaded": loaded, "refused": refused, "accepted_besides": absent }),
            )?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::new(&["id", "version", "trusted", "from", "sha256"]);
        let mut rows = Vec::new();
        for (row, sha256) in loaded {
            table.row([&row.id, &row.version, if row.trusted { "yes" } else { "no" }, row.source(), sha256]);
            rows.push(row);
        }
        let besides = Table::indented().with(absent.iter().map(|grant| [&grant.id, &grant.sha256]));
        let besides = besides.under("accepted, and not loaded:");
        let folder = format!("\nplugin folder: {}\n", print::printable(&folder));
        print::answer(&[table.text(), untrusted(&rows), not_loaded(refused), besides, folder].concat())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What an unchecked description calls itself.
fn id_of(json: &str) -> String {
    let id =
        serde_json::from_str::<serde_json::Value>(json).ok().and_then(|it| Some(it.get("id")?.as_str()?.to_owned()));
    id.unwrap_or_else(|| "one without an id".into())
}

impl Trust {
    fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        // Read once: what is shown is what is accepted.
        let (file, bytes) = find(&self.file, &setup)?;
        let digest = Digest::of(&bytes);
        let (descriptions, built_in) = describe(&setup, &bytes, &digest).map_err(|error| {
            format!("{} cannot be accepted: {}", file.display(), print::printable(&error.to_string()))
        })?;
        let grants: Vec<Grant> = descriptions.iter().map(|description| Grant::of(&digest, description)).collect();
        let lock_file = setup.paths.plugins_lock();
        let lock = Lock::read(&lock_file)?;

        for description in &descriptions {
            print::answer(&wants(&file, bytes.len(), &digest, description))?;
            print::answer(&standing(&lock, description, &built_in))?;
        }
        let folder = &setup.loaded.config.plugins.dir;
        if grants.iter().all(|grant| lock.accepts(grant)) {
            print::answer(&format!("It is accepted already.\n{}", next_step(&file, folder)))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes && !agreed()? {
            print::note("not accepted: nothing was changed");
            return Ok(ExitCode::FAILURE);
        }
        Lock::accept(grants, &lock_file)?;
        print::answer(&format!("accepted: kept in {}\n{}", lock_file.display(), next_step(&file, folder)))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Untrust {
    fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, self.components.plugins.as_deref())?;
        let lock_file = setup.paths.plugins_lock();
        let lock = Lock::read(&lock_file)?;
        let named = self.component.to_str().unwrap_or_default();
        let ids: Vec<String> = match lock.plugins.iter().find(|grant| grant.id == named) {
            Some(grant) => vec![grant.id.clone()],
            None => {
                // What was accepted of this build, else of the providers whose build this is.
                let (file, bytes) = find(&self.component, &setup)?;
                let digest = Digest::of(&bytes);
                let of_build = lock.plugins.iter().filter(|grant| grant.sha256 == digest.as_str());
                let of_build: Vec<String> = of_build.map(|grant| grant.id.clone()).collect();
                match of_build.is_empty() {
                    false => of_build,
                    true => {
                        let (descriptions, _) = describe(&setup, &bytes, &digest)
                            .map_err(|error| format!("{}: {}", file.display(), print::printable(&error.to_string())))?;
                        descriptions.into_iter().map(|description| description.id).collect()
                    }
                }
            }
        };
        let withdrawn = Lock::withdraw(&ids, &lock_file)?;
        if withdrawn.is_empty() {
            let ids = print::printable(&ids.join("`, `"));
            return Err(format!("`{ids}` was not accepted: nothing was changed").into());
        }
        let withdrawn = withdrawn.join(", ");
        print::answer(&format!("not accepted any more: {withdrawn}. Taken out of {}\n", lock_file.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The component that is meant, and its bytes: a file from where the user stands or of the plugin folder, or the one of that
/// folder with this id.
fn find(named: &Path, setup: &Setup) -> Result<(PathBuf, Vec<u8>), Box<dyn Error>> {
    let folder = &setup.loaded.config.plugins.dir;
    let here = std::path::absolute(named)?;
    let is_word = named.components().count() == 1 && named.extension().is_none();
    // What is no file's name is an id first: a file of that name may lie in any folder.
    let inside = folder.join(named);
    let with_id = || named.to_str().filter(|_| is_word).and_then(|id| of_id(id, setup, folder));
    let places = match is_word {
        true => [with_id().unwrap_or_else(|| inside.clone()), here],
        false => [here, inside],
    };
    for place in &places {
        match file::read(place, MAX_COMPONENT as u64) {
            Ok(bytes) => return Ok((std::path::absolute(place)?, bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{} cannot be read: {error}", place.display()).into()),
        }
    }
    let also = if is_word { ", and no component there has this id" } else { "" };
    Err(format!(
        "{}: there is no such file, neither here nor in the plugin folder ({}){also}",
        print::printable(&named.display().to_string()),
        folder.display()
    )
    .into())
}

/// The file of the plugin folder whose component has this id: the one of its name, else whichever says so.
fn of_id(id: &str, setup: &Setup, folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| is_loaded(path)).collect();
    files.sort_by_key(|path| (path.file_stem().is_none_or(|stem| stem != id), path.clone()));
    let has_id = |place: &PathBuf| {
        let bytes = file::read(place, MAX_COMPONENT as u64).ok()?;
        let (descriptions, _) = describe(setup, &bytes, &Digest::of(&bytes)).ok()?;
        descriptions.iter().any(|description| description.id == id).then_some(())
    };
    files.into_iter().find(|place| has_id(place).is_some())
}

/// What the component says of itself, for each of its providers, and what the built-in ones do. It runs in the sandbox, with nothing to reach.
fn describe(
    setup: &Setup,
    bytes: &[u8],
    digest: &Digest,
) -> Result<(Vec<Description>, Vec<Description>), Box<dyn Error>> {
    let loader = app::loader(&setup.loaded.config, &setup.paths)?;
    let work = async {
        let descriptions = loader.describe(bytes, digest).await?;
        let mut built_in = Vec::new();
        for (_, bytes) in app::built_in() {
            built_in.extend(loader.describe(bytes, &Digest::of(bytes)).await?);
        }
        Ok((descriptions, built_in))
    };
    setup::runtime()?.block_on(setup::with_progress(work, || "compiling 1 component…".to_owned()))
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

/// Whether a file in the plugin folder is a provider, by its name: a component, or a description without one.
fn is_loaded(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "wasm" || extension == "json")
}

/// Where the file has to be, unless it is there.
fn next_step(file: &Path, folder: &Path) -> String {
    let parent = file.parent().and_then(|parent| parent.canonicalize().ok());
    let is_there = parent.is_some() && parent == folder.canonicalize().ok();
    match (is_there, is_loaded(file)) {
        (true, true) => "It is in the plugin folder: the next `bitrouter serve` loads it.\n".to_owned(),
        (true, false) => {
            "It is in the plugin folder, but only files that end in .wasm or .json are loaded: rename it.\n".to_owned()
        }
        (false, _) => format!("It is not in the plugin folder yet. Copy it there: {}\n", folder.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_is_the_copy_that_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("x.wasm"), Path::new("/nowhere/x.wasm"));
        assert!(next_step(&inside, folder.path()).contains("the next `bitrouter serve` loads it"));
        assert!(next_step(&inside.with_extension("bin"), folder.path()).contains("rename it"));
        assert!(next_step(outside, folder.path()).contains(&folder.path().display().to_string()));
    }
}
