//! The members of the workspace, as cargo knows them. Verbs that treat some of them apart ask it.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{answer, cargo};
use crate::root::Root;

/// A member of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    /// The Rust version that it promises.
    pub(crate) rust_version: Option<String>,
    /// Whether others may get it, rather than `publish = false`.
    pub(crate) is_published: bool,
    kinds: Vec<String>,
}

/// All members, in the workspace's order.
pub(crate) fn all(root: &Root) -> Result<Vec<Member>> {
    let packages = packages(root, "Cargo.toml", &["--no-deps"])?;
    packages
        .iter()
        .map(|package| Member::of(package).context("`cargo metadata` has a package without a name"))
        .collect()
}

/// What `cargo metadata` says of the packages of a workspace.
pub(crate) fn packages(root: &Root, manifest: &str, args: &[&str]) -> Result<Vec<Value>> {
    let mut metadata = cargo(root);
    metadata.args(["metadata", "--format-version", "1", "--manifest-path", manifest]).args(args);
    let metadata = answer(&mut metadata).with_context(|| format!("`cargo metadata` failed for {manifest}"))?;
    let mut metadata: Value = serde_json::from_str(&metadata)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => anyhow::bail!("`cargo metadata` names no packages of {manifest}"),
    }
}

impl Member {
    fn of(package: &Value) -> Option<Self> {
        let kinds = package["targets"].as_array()?.iter().filter_map(|target| target["kind"][0].as_str());
        Some(Self {
            name: package["name"].as_str()?.to_owned(),
            rust_version: package["rust_version"].as_str().map(str::to_owned),
            // A list of registries, empty for `publish = false`, and null where nothing is said.
            is_published: package["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
            kinds: kinds.map(str::to_owned).collect(),
        })
    }

    /// Whether it has a program that somebody runs.
    pub(crate) fn has_program(&self) -> bool {
        self.kinds.iter().any(|kind| kind == "bin")
    }

    /// Whether it is a library and nothing else.
    pub(crate) fn is_library(&self) -> bool {
        !self.has_program() && self.kinds.iter().any(|kind| kind == "lib")
    }

    /// Whether a package is anywhere below it, its tests' dependencies left out.
    pub(crate) fn depends_on(&self, root: &Root, package: &str) -> bool {
        let mut tree = cargo(root);
        tree.args(["tree", "--quiet", "--prefix", "none", "--format", "{p}", "--edges", "normal,build", "--package"]);
        let tree = answer(tree.arg(&self.name)).unwrap_or_default();
        tree.lines().any(|line| line.split_whitespace().next() == Some(package))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_library_without_a_program_that_is_never_published_is_told_from_one_that_is() {
        let member = |publish: Value, kind: &str| {
            let package = json!({ "name": "m", "publish": publish, "targets": [{ "kind": [kind] }] });
            Member::of(&package).map(|member| (member.is_library(), member.is_published)).unwrap()
        };
        assert_eq!(member(Value::Null, "lib"), (true, true));
        assert_eq!(member(json!(["crates-io"]), "lib"), (true, true));
        assert_eq!(member(json!([]), "lib"), (true, false));
        assert_eq!(member(json!([]), "bin"), (false, false));
    }
}
