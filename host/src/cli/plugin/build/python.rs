//! Python: componentize-py, which puts CPython and the project's modules into one component.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use super::contract::{self, FOLDER, MADE, WORLD};
use super::{Made, Project, Recipe, Tool};

const INSTALL: &str = "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1";

pub(super) struct Python;

impl Recipe for Python {
    fn told_by(&self) -> &'static str {
        "pyproject.toml (Python)"
    }

    fn is_of(&self, project: &Project) -> bool {
        project.has("pyproject.toml")
    }

    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>> {
        let name = contract::name(project)?;
        let made = project.at(MADE);
        fs::create_dir_all(&made).map_err(|error| format!("{} cannot be made: {error}", made.display()))?;
        let output = made.join("component.wasm");
        // The environment that the error below makes comes first.
        let of_venv = [".venv/bin/componentize-py", ".venv/Scripts/componentize-py.exe"].map(|place| project.at(place));
        let tool = of_venv.into_iter().find(|tool| tool.is_file()).unwrap_or_else(|| PathBuf::from("componentize-py"));
        Tool::new(tool, project.folder(), INSTALL)
            .args(["-d", FOLDER, "-w", WORLD, "componentize", "bitrouter_main", "-p", ".", "-p", "vendor", "-o"])
            .args([&output])
            .run()?;
        let component = fs::read(&output).map_err(|error| format!("{} cannot be read: {error}", output.display()))?;
        Ok(Made::Component { name, component })
    }
}
