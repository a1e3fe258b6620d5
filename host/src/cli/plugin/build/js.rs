//! JavaScript: a package of npm puts an engine and the project's modules into one component. Which engine is decided by the package
//! that the project has installed: `componentize-qjs`, small, or `@bytecodealliance/componentize-js`, full.

use std::error::Error;
use std::fs;

use super::contract::{self, FOLDER, MADE, WORLD};
use super::{Made, Project, Recipe, Tool};

const INSTALL: &str = "npm install";
/// The SDK's module that joins the project's to the contract.
const MAIN: &str = "vendor/main.js";

pub(super) struct JavaScript;

impl Recipe for JavaScript {
    fn told_by(&self) -> &'static str {
        "package.json (JavaScript)"
    }

    fn is_of(&self, project: &Project) -> bool {
        project.has("package.json")
    }

    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>> {
        let name = contract::name(project)?;
        let made = project.at(MADE);
        fs::create_dir_all(&made).map_err(|error| format!("{} cannot be made: {error}", made.display()))?;
        let output = made.join("component.wasm");
        let tool = |name: &str| {
            let suffix = if cfg!(windows) { ".cmd" } else { "" };
            project.at("node_modules/.bin").join(format!("{name}{suffix}"))
        };
        let (small, full) = (tool("componentize-qjs"), tool("componentize-js"));
        // As a module of the language, so that it is in the component.
        let description = serde_json::Value::from(project.read("description.json")?);
        contract::write(&made.join("description.js"), format!("export default {description};\n").as_bytes())?;
        let world = ["-w", FOLDER, "-n", WORLD, "-o"];
        match (small.is_file(), full.is_file()) {
            (true, _) => Tool::new(small, project.folder(), INSTALL)
                .args(["--sync", "--stub-wasi", "--minify", "--module-root", ".", "--js", MAIN])
                .args(world)
                .args([&output])
                .run()?,
            (false, true) => Tool::new(full, project.folder(), INSTALL)
                .args(["--disable", "stdio", "random", "clocks", "http", "fetch-event"])
                .args(world)
                .args([&output])
                .args([MAIN])
                .run()?,
            (false, false) => {
                let place = project.folder().display();
                let why = "neither componentize-qjs nor @bytecodealliance/componentize-js is installed";
                return Err(format!("{place}: {why}. Run there: {INSTALL}").into());
            }
        };
        let component = fs::read(&output).map_err(|error| format!("{} cannot be read: {error}", output.display()))?;
        Ok(Made::Component { name, component })
    }
}
