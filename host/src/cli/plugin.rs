//! `bitrouter plugin`: which components are loaded, which files the user accepts, and where they come from.
//!
//! Each command is a file; here is how all of them find the component that is meant, and what it says of itself.

mod add;
mod asks;
mod build;
mod check;
mod driver;
mod fetch;
mod heard;
mod inspect;
mod list;
mod new;
mod record;
mod remove;
mod subject;
mod test;
mod trial;
mod trust;
mod untrust;
mod update;

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use bitrouter_contract::description::Description;
use bitrouter_plugin::compile::MAX_COMPONENT;
use bitrouter_plugin::{Digest, file};
use clap::Subcommand;

use super::print;
use super::setup::{self, Setup};
use super::{Global, Outcome};
use crate::app;

#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    /// List the components that are loaded, and those that are not
    List(list::List),
    /// Look for mistakes in a provider: what it says of itself, and what its hooks do
    Check(check::Check),
    /// Show all that a component asks for and is, without accepting it
    Inspect(inspect::Inspect),
    /// Show what a component asks for, and accept it
    Trust(trust::Trust),
    /// Take the acceptance of a component back
    Untrust(untrust::Untrust),
    /// Fetch a component, show what it asks for, and put it into the plugin folder once it is accepted
    Add(add::Add),
    /// Look again where components came from, and take what is newer
    Update(update::Update),
    /// Take a component out of the plugin folder, and its acceptance back
    Remove(remove::Remove),
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

impl Plugin {
    pub(super) fn run(self, global: &Global) -> Outcome {
        match self {
            Plugin::List(command) => command.run(global),
            Plugin::Check(command) => command.run(global),
            Plugin::Inspect(command) => command.run(global),
            Plugin::Trust(command) => command.run(global),
            Plugin::Untrust(command) => command.run(global),
            Plugin::Add(command) => command.run(global),
            Plugin::Update(command) => command.run(global),
            Plugin::Remove(command) => command.run(global),
            Plugin::New(command) => command.run(),
            Plugin::Build(command) => command.run(),
            Plugin::Test(command) => command.run(global),
            Plugin::Try(command) => command.run(global),
            Plugin::Record(command) => command.run(global),
        }
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

/// Whether a file in the plugin folder is a provider, by its name: a component, or a description without one.
fn is_loaded(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "wasm" || extension == "json")
}
