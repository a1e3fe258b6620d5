//! What a recipe is, and the list of them. A new language is a file beside this one and a line here.

use std::error::Error;
use std::path::PathBuf;

use super::Project;
use super::c::C;
use super::go::Go;
use super::js::JavaScript;
use super::python::Python;
use super::rust::Rust;
use super::without_code::WithoutCode;
use super::zig::Zig;

/// How the projects of one language become components.
pub(in crate::cli::plugin) trait Recipe: Sync {
    /// By which files a project of it is told, for a person.
    fn told_by(&self) -> &'static str;

    /// Whether this project is one.
    fn is_of(&self, project: &Project) -> bool;

    /// Whether what a gateway loads is a source of the project.
    fn needs_no_build(&self) -> bool {
        false
    }

    /// Runs the language's tool. A tool that is missing is an error with the command that installs it.
    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>>;
}

/// What a recipe has made. `name` is the file's without its ending.
#[derive(Debug)]
pub(in crate::cli::plugin) enum Made {
    /// A core module that holds the contract's types, as `wit-bindgen` leaves them. It may import WASI preview 1.
    Module {
        /// The provider's name.
        name: String,
        /// The module.
        module: Vec<u8>,
    },
    /// A component already, as the tools of JavaScript and Python make it.
    Component {
        /// The provider's name.
        name: String,
        /// The component.
        component: Vec<u8>,
    },
    /// A description, which is loaded as it is.
    Description(PathBuf),
}

/// All of them, in the order in which they are asked: a project may hold a package.json beside its Cargo.toml.
const RECIPES: [&dyn Recipe; 7] = [&Rust, &Go, &Python, &Zig, &JavaScript, &C, &WithoutCode];

/// The recipe of a project.
pub(super) fn of(project: &Project) -> Result<&'static dyn Recipe, Box<dyn Error>> {
    let known = || RECIPES.map(|recipe| recipe.told_by()).join(", ");
    RECIPES.into_iter().find(|recipe| recipe.is_of(project)).ok_or_else(|| {
        format!(
            "{}: no project that can be built is here. One is told by {}. Begin one with: bitrouter plugin new NAME",
            project.folder().display(),
            known()
        )
        .into()
    })
}
