//! The world of a project, `wit/world.wit`, which says what a component exports: recipes make bindings of it, and components know
//! by it what they are. It must not know languages beyond the generators that it calls.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wit_bindgen_core::wit_parser::{Resolve, WorldId, WorldItem};
use wit_bindgen_core::{Files, WorldGenerator};
use wit_component::{StringEncoding, embed_component_metadata};

use super::Project;

/// The world's name in every project: the names of C's types begin with it.
pub(super) const WORLD: &str = "bitrouter";
/// Where it is said.
pub(super) const FOLDER: &str = "wit";
/// Where bindings and what tools make goes.
pub(super) const MADE: &str = "target/bitrouter";

/// A project's world.
pub(super) struct Contract {
    resolve: Resolve,
    world: WorldId,
}

impl Contract {
    /// Reads it.
    pub(super) fn of(project: &Project) -> Result<Self, Box<dyn Error>> {
        let folder = project.at(FOLDER);
        let mut resolve = Resolve::default();
        let place = folder.display();
        let failed = |error| format!("{place}: {error:#}");
        let (package, _) = resolve.push_dir(&folder).map_err(failed)?;
        let world = resolve.select_world(&[package], Some(WORLD)).map_err(|error| {
            format!("{place}: there is no world of the name {WORLD}, which says what is exported: {error:#}")
        })?;
        Ok(Contract { resolve, world })
    }

    /// Writes bindings below `target/bitrouter`, in the place of those that were there; answers the folder. `edit` may change what
    /// the generator wrote.
    pub(super) fn bindings(
        mut self,
        project: &Project,
        folder: &str,
        mut generator: Box<dyn WorldGenerator>,
        edit: impl Fn(&str, Vec<u8>) -> Vec<u8>,
    ) -> Result<PathBuf, Box<dyn Error>> {
        let mut files = Files::default();
        let made = generator.generate(&mut self.resolve, self.world, &mut files);
        made.map_err(|error| format!("the bindings of {} cannot be made: {error:#}", project.at(FOLDER).display()))?;
        let folder = project.at(folder);
        for (name, bytes) in files.iter() {
            write(&folder.join(name), &edit(name, bytes.to_vec()))?;
        }
        Ok(folder)
    }

    /// The names of the interfaces that it exports, beside `provider`: `requests`, `streams`, …
    pub(super) fn exports(&self) -> Vec<String> {
        let exported = self.resolve.worlds[self.world].exports.values();
        let names = exported.filter_map(|item| match item {
            WorldItem::Interface { id, .. } => self.resolve.interfaces[*id].name.clone(),
            _ => None,
        });
        names.filter(|name| name != "provider").collect()
    }

    /// Says in a core module what it is, where its language's tool did not.
    pub(super) fn said_in(&self, mut module: Vec<u8>) -> Result<Vec<u8>, Box<dyn Error>> {
        embed_component_metadata(&mut module, &self.resolve, self.world, StringEncoding::UTF8)
            .map_err(|error| format!("the module cannot be told its world: {error:#}"))?;
        Ok(module)
    }
}

/// Writes a file where its bytes are new, so that what tools keep stays good.
pub(super) fn write(file: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let failed = |error| format!("{} cannot be written: {error}", file.display());
    if fs::read(file).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    Ok(fs::write(file, bytes).map_err(failed)?)
}

/// The provider's name: the `id` of its description.
pub(super) fn name(project: &Project) -> Result<String, Box<dyn Error>> {
    let text = project.read("description.json")?;
    let place = project.at("description.json");
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| format!("{}: {error}", place.display()))?;
    let id = json["id"].as_str().ok_or_else(|| format!("{}: it has no `id`", place.display()))?;
    Ok(id.to_owned())
}

#[cfg(test)]
mod tests {
    use wit_bindgen_core::wit_parser::TypeDefKind;

    use super::*;

    fn repository(place: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(place)
    }

    /// `max-bytes` as JavaScript writes it.
    fn camel(name: &str) -> String {
        let mut words = name.split('-');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    }

    #[test]
    fn the_types_of_javascript_know_every_name_of_the_contract() {
        let mut resolve = Resolve::default();
        resolve.push_dir(repository("wit/0.1.0")).unwrap();
        let mut names = 0;
        for (_, interface) in &resolve.interfaces {
            let name = interface.name.as_deref().unwrap();
            let package = &resolve.packages[interface.package.unwrap()].name.name;
            let file = format!("sdk/js/types/bitrouter-{package}-{name}.d.ts");
            let types = fs::read_to_string(repository(&file)).unwrap();
            let functions = interface.functions.keys().map(|name| name.split('.').next_back().unwrap().to_owned());
            let functions = functions.filter(|name| !name.starts_with('[')).map(|name| format!("{}(", camel(&name)));
            let members = interface.types.values().flat_map(|id| match &resolve.types[*id].kind {
                TypeDefKind::Record(record) => record.fields.iter().map(|field| camel(&field.name)).collect(),
                TypeDefKind::Variant(variant) => {
                    variant.cases.iter().map(|case| format!("tag: '{}'", case.name)).collect()
                }
                TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| format!("'{}'", case.name)).collect(),
                _ => Vec::new(),
            });
            for expected in functions.chain(members) {
                names += 1;
                assert!(types.contains(&expected), "{file} lacks `{expected}`: make it anew with `jco guest-types`");
            }
        }
        assert!(names > 100, "{names}");
    }
}
