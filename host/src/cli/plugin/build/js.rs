//! JavaScript: a package of npm puts an engine and the project's modules into one component. Which engine is decided by the package
//! that the project has installed: `@bytecodealliance/componentize-js`, the full one, or `componentize-qjs`, a small one.

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
        let folder = project.folder();
        let (tool, whole) = match (full.is_file(), small.is_file()) {
            (true, _) => {
                let disabled = ["--disable", "stdio", "random", "clocks", "http", "fetch-event"];
                (Tool::new(full, folder, INSTALL).args([MAIN]).args(world).args([&output]).args(disabled), "BigInt")
            }
            (false, true) => {
                let small = Tool::new(small, folder, INSTALL).args(["--sync", "--stub-wasi", "--minify"]);
                (small.args(["--module-root", ".", "--js", MAIN]).args(world).args([&output]), "Number")
            }
            (false, false) => {
                let place = folder.display();
                let why = "neither @bytecodealliance/componentize-js nor componentize-qjs is installed";
                return Err(format!("{place}: {why}. Run there: {INSTALL}").into());
            }
        };
        // How this engine has whole numbers of 64 bits.
        contract::write(&made.join("engine.js"), format!("export const whole = {whole};\n").as_bytes())?;
        tool.run()?;
        let component = fs::read(&output).map_err(|error| format!("{} cannot be read: {error}", output.display()))?;
        Ok(Made::Component { name, component })
    }
}
