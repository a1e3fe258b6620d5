//! Checks that selecting one member builds what the whole workspace has built already: else `cargo test -p` compiles
//! wasmtime once more. `lint` calls it. It reads what cargo resolves, and builds nothing.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};

use crate::command::{answer, cargo};
use crate::members;
use crate::root::Root;

/// What `cargo test`, and what `cargo build` and `cargo run` follow: the first unites the features that tests want, too.
const EDGES: [&str; 2] = ["normal,build,dev", "normal,build"];

/// Holds each member's dependencies, with their features, against the workspace's.
pub(super) fn check(root: &Root) -> Result<()> {
    let members = members::all(root)?;
    let mut missing = BTreeSet::new();
    for edges in EDGES {
        let all = packages(root, edges, &["--workspace"])?;
        for member in &members {
            // Nobody runs a library; its tests are what is built alone.
            if edges == EDGES[1] && !member.has_program() {
                continue;
            }
            for package in packages(root, edges, &["--package", &member.name])?.difference(&all) {
                missing.insert(format!("{}: {package}", member.name));
            }
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.into_iter().collect::<Vec<_>>().join("\n  ");
    bail!(
        "these members resolve other features than the workspace does, and compile the package again:\n  {list}\n\
         Add the features that `cargo tree --workspace -e features -i PACKAGE` shows to crates/workspace-hack/Cargo.toml \
         (to [build-dependencies] where a macro or a build script needs the package), and make the member depend on it"
    )
}

/// The packages of others below a selection, each with its features.
fn packages(root: &Root, edges: &str, selection: &[&str]) -> Result<BTreeSet<String>> {
    let mut tree = cargo(root);
    tree.args(["tree", "--quiet", "--prefix", "none", "--format", "{p} [{f}]", "--edges", edges]);
    let tree = answer(tree.args(selection)).with_context(|| format!("`cargo tree {}` failed", selection.join(" ")))?;
    // A member's line has its folder in brackets, and the line of one that was shown above ends in `(*)`.
    let own = format!("({}", root.path().display());
    let lines = tree.lines().filter(|line| !line.is_empty() && !line.contains(&own));
    Ok(lines.map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
}
