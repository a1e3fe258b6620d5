//! A provider without code: a description, which a gateway loads as it is. Building it is seeing that it is one.

use std::error::Error;
use std::path::{Path, PathBuf};

use super::{Made, Project, Recipe};

pub(super) struct WithoutCode;

impl Recipe for WithoutCode {
    fn told_by(&self) -> &'static str {
        "a description alone (*.json)"
    }

    fn is_of(&self, project: &Project) -> bool {
        !descriptions(project).is_empty()
    }

    fn needs_no_build(&self) -> bool {
        true
    }

    fn build(&self, project: &Project) -> Result<Made, Box<dyn Error>> {
        match descriptions(project).as_slice() {
            [one] => Ok(Made::Description(one.clone())),
            many => {
                let names: Vec<_> = many.iter().filter_map(|file| file.file_name()?.to_str()).collect();
                let folder = project.folder().display();
                Err(format!("{folder}: which of these is the provider's description? Keep one of {}", names.join(", "))
                    .into())
            }
        }
    }
}

/// The files that are descriptions by their form.
fn descriptions(project: &Project) -> Vec<PathBuf> {
    let is_one = |file: &Path| {
        let value = std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok());
        value.is_some_and(|value| value.get("origins").is_some() || value.get("providers").is_some())
    };
    project.ending_in("json").into_iter().filter(|file| is_one(file)).collect()
}
