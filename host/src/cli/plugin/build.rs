//! `bitrouter plugin build`: makes the component of a project. Which language it is in is told by its files; each language is a
//! recipe in the folder beside this file, and the core module that its tool leaves becomes a component here, in this process.

mod c;
mod component;
mod contract;
mod go;
mod js;
mod project;
mod python;
mod recipes;
mod rust;
mod tool;
mod watch;
mod without_code;
mod zig;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Instant, SystemTime};

use bitrouter_contract::section;
use clap::Args;

use crate::cli::{NoConfig, Outcome, print};
pub(super) use project::Project;
pub(super) use recipes::{Made, Recipe};
pub(super) use tool::Tool;

#[derive(Debug, Args)]
#[command(after_help = "\
The language is told by the project's files: Cargo.toml, package.json, pyproject.toml, go.mod, build.zig, *.c, or a description \
(*.json) alone. Its own tool builds it; what is missing is named with the command that installs it.

Examples:
  bitrouter plugin build
  bitrouter plugin build ~/src/acme
  bitrouter plugin build --watch            builds again whenever a file changes")]
pub(in crate::cli) struct Build {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    /// Build again whenever a file of the project changes, until it is stopped
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    none: NoConfig,
}

impl Build {
    pub(in crate::cli) fn run(self) -> Outcome {
        let project = Project::open(&self.folder)?;
        let recipe = recipes::of(&project)?;
        if self.watch {
            watch::forever(&project, || {
                if let Err(error) = build(recipe, &project) {
                    print::note(&format!("error: {error}"));
                }
            });
        }
        build(recipe, &project)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Builds a project and says what came of it. Answers the file that a gateway loads.
pub(super) fn build(recipe: &dyn Recipe, project: &Project) -> Result<PathBuf, Box<dyn Error>> {
    let started = Instant::now();
    let (file, bytes) = match recipe.build(project)? {
        Made::Description(file) => {
            print::answer(&format!("{}: it has no code, so there is nothing to build\n", shown(&file)))?;
            return Ok(file);
        }
        Made::Module { name, module } => (project.output(&name), component::of_module(&module)?),
        Made::Component { name, component } => (project.output(&name), component),
    };
    // A module that exports nothing makes a component, too.
    let names = bitrouter_plugin::contract::names(&bytes)
        .map_err(|error| format!("{}: what was built is no provider: {error}", shown(&file)))?;
    // What it says of itself, where users see it before anything of it is compiled.
    let bytes = match project.read("description.json") {
        Ok(json) if names.description.is_none() => section::with_description(&bytes, &json),
        _ => bytes,
    };
    keep(&file, &bytes)?;
    let seconds = started.elapsed().as_secs_f64();
    print::answer(&format!("{}: {} KB, in {seconds:.1} s\n", shown(&file), bytes.len().div_ceil(1024)))?;
    Ok(file)
}

/// The file that a project has built, as far as it is there.
pub(super) fn output(project: &Project) -> Result<PathBuf, Box<dyn Error>> {
    let folder = project.folder().display();
    match project.ending_in("wasm").as_slice() {
        [one] => Ok(one.clone()),
        [] => match recipes::of(project)? {
            recipe if recipe.needs_no_build() => match recipe.build(project)? {
                Made::Description(file) => Ok(file),
                Made::Module { .. } | Made::Component { .. } => Err(format!("{folder}: nothing is built here").into()),
            },
            _ => Err(format!("{folder}: no component is built here yet. Run: bitrouter plugin build").into()),
        },
        many => {
            let names: Vec<_> = many.iter().filter_map(|file| file.file_name()?.to_str()).collect();
            Err(format!("{folder}: which component is meant? Name one of {}", names.join(", ")).into())
        }
    }
}

/// A source of a project that is newer than what was built at this moment.
pub(super) fn newer_source(project: &Project, built: Option<SystemTime>) -> Option<PathBuf> {
    let sources = watch::state(project.folder()).into_iter();
    let cases = project.at("cases");
    let mut newer = sources.filter(|(file, changed)| !file.starts_with(&cases) && *changed > built);
    newer.next().map(|(file, _)| file)
}

/// Replaces the file whole: a gateway may be reading it.
fn keep(file: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let unfinished = file.with_extension(format!("{}.part", std::process::id()));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, file));
    written.map_err(|error| format!("{} cannot be written: {error}", file.display()).into())
}

fn shown(file: &Path) -> String {
    print::printable(&file.display().to_string())
}
