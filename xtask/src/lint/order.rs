//! Checks that rooms import downwards only: the crates in `crates/`, and the rooms of `host/src`. Their order is written in
//! `docs/architecture.md`, which this reads; `lint` calls it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::root::Root;

/// Where the order is written, the lowest first.
const PAGE: &str = "docs/architecture.md";
/// Runs components; whatever does not depend on it compiles without a compiler of WebAssembly.
const WITH_ENGINE: &str = "plugin";
/// Holds no code: it unites features.
const NO_ROOM: &str = "workspace-hack";

/// Says which imports go upwards, and which rooms the page does not name.
pub(super) fn check(root: &Root) -> Result<()> {
    report(root.path())
}

fn report(root: &Path) -> Result<()> {
    let page = fs::read_to_string(root.join(PAGE)).with_context(|| format!("{PAGE} cannot be read"))?;
    let mut wrong = crates(root, &listed(&page, "### Crates")?)?;
    wrong.extend(rooms(root, &listed(&page, "### Rooms")?)?);
    ensure!(
        wrong.is_empty(),
        "these go against the order of the rooms in {PAGE}:\n  {}\nMove what is asked for down, or the one that asks up",
        wrong.join("\n  ")
    );
    Ok(())
}

/// The names that a list of the page begins its lines with.
fn listed(page: &str, heading: &str) -> Result<Vec<String>> {
    let section = page.lines().skip_while(|line| !line.starts_with(heading)).skip(1);
    let section = section.take_while(|line| !line.starts_with('#'));
    let names: Vec<String> =
        section.filter_map(|line| Some(line.strip_prefix("- `")?.split_once('`')?.0.to_owned())).collect();
    if names.is_empty() {
        bail!("{PAGE} has no list below `{heading}`");
    }
    Ok(names)
}

/// Crates that depend on one that does not stand before them. Their tests may depend on anything.
fn crates(root: &Path, order: &[String]) -> Result<Vec<String>> {
    let folder = root.join("crates");
    let mut wrong = same(order, &names(&folder)?, "crates");
    for (at, name) in order.iter().enumerate() {
        let manifest = format!("crates/{name}/Cargo.toml");
        let Ok(text) = fs::read_to_string(root.join(&manifest)) else { continue };
        for dependency in dependencies(&text) {
            match dependency.strip_prefix("bitrouter-") {
                Some(other) if !order[..at].iter().any(|below| below == other) => {
                    wrong.push(format!(
                        "{manifest}: `{name}` depends on `{dependency}`, which does not stand before it"
                    ));
                }
                None if dependency.starts_with("wasmtime") && name != WITH_ENGINE => {
                    wrong.push(format!(
                        "{manifest}: `{name}` depends on `{dependency}`, which `{WITH_ENGINE}` alone may"
                    ));
                }
                _ => {}
            }
        }
    }
    Ok(wrong)
}

/// The names below `[dependencies]` and its like for a target.
fn dependencies(manifest: &str) -> Vec<&str> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.ends_with("dependencies]") && !section.contains("dev-");
        } else if inside && let Some(end) = line.find(['.', ' ', '=']).filter(|end| *end > 0) {
            names.push(&line[..end]);
        }
    }
    names.retain(|name| !name.starts_with('#'));
    names
}

/// Rooms of the host that name one which does not stand before them.
fn rooms(root: &Path, order: &[String]) -> Result<Vec<String>> {
    let folder = root.join("host/src");
    let found = names(&folder)?.into_iter().filter(|name| !["lib", "main"].contains(&name.as_str())).collect();
    let mut wrong = same(order, &found, "host/src");
    for (at, room) in order.iter().enumerate() {
        for file in sources(&folder, room)? {
            let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
            for (line, other) in named(&text) {
                if other != *room && order[at..].contains(&other) {
                    let file = file.strip_prefix(root).unwrap_or(&file).display();
                    wrong.push(format!("{file}:{line}: `{room}` names `{other}`, which does not stand before it"));
                }
            }
        }
    }
    Ok(wrong)
}

/// Every `crate::NAME` of a source outside its comments, with the number of its line.
fn named(source: &str) -> Vec<(usize, String)> {
    let mut named = Vec::new();
    let mut grouped = false;
    for (at, line) in source.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let mut rest = code;
        while let Some(start) = rest.find("crate::") {
            let whole = !rest[..start].ends_with(|letter: char| letter == '_' || letter.is_alphanumeric());
            rest = &rest[start + "crate::".len()..];
            grouped |= whole && rest.starts_with('{');
            named.extend(Some((at + 1, word(rest))).filter(|(_, name)| whole && !name.is_empty()));
        }
        if grouped {
            // The first word after each comma or brace is a room.
            let group = code.rsplit("crate::").next().unwrap_or_default();
            named.extend(
                group.split(['{', ',']).map(|part| (at + 1, word(part.trim()))).filter(|(_, name)| !name.is_empty()),
            );
            grouped = !code.contains(';');
        }
    }
    named
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| *letter == '_' || letter.is_alphanumeric()).collect()
}

/// What the page names and is not there, and the other way round.
fn same(order: &[String], found: &BTreeSet<String>, folder: &str) -> Vec<String> {
    let missing =
        found.iter().filter(|name| !order.contains(name)).map(|name| format!("{folder}/{name} is not listed"));
    let gone = order.iter().filter(|name| !found.contains(*name)).map(|name| format!("{folder}/{name} is not there"));
    missing.chain(gone).collect()
}

/// The rooms of a folder: its folders and sources, without endings.
fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = BTreeSet::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() || path.extension().is_some_and(|ending| ending == "rs") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.remove(NO_ROOM);
    Ok(names)
}

/// All sources of a room.
fn sources(folder: &Path, room: &str) -> Result<Vec<PathBuf>> {
    let mut open = vec![folder.join(room)];
    let mut sources: Vec<PathBuf> =
        Some(folder.join(format!("{room}.rs"))).filter(|file| file.is_file()).into_iter().collect();
    while let Some(folder) = open.pop().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = "# Architecture\n\n### Crates\n\n- `low`: l\n- `plugin`: p\n\n### Rooms\n\n- `base`: b\n- `top`: t\n\n## More\n\n- `else`\n";

    /// A workspace of two crates and two rooms, with these files in the place of its own.
    fn planted(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<()>) {
        let folder = tempfile::tempdir().unwrap();
        let sound = [
            (PAGE, ORDER),
            (
                "crates/low/Cargo.toml",
                "[dependencies]\nserde = \"1\"\n\n[dev-dependencies]\nbitrouter-plugin.workspace = true\n",
            ),
            ("crates/plugin/Cargo.toml", "[dependencies]\nbitrouter-low.workspace = true\nwasmtime.workspace = true\n"),
            ("host/src/lib.rs", "mod base;\nmod top;\n"),
            ("host/src/base.rs", "//! See crate::top.\nuse std::io;\nuse bitrouter_low::crate_name;\n"),
            ("host/src/top/mod.rs", "use crate::base;\n"),
        ];
        for (path, text) in sound.iter().chain(files) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let outcome = report(folder.path());
        (folder, outcome)
    }

    #[test]
    fn imports_downwards_pass_and_so_does_this_workspace() {
        planted(&[]).1.unwrap();
        check(&Root::find()).unwrap();
    }

    #[test]
    fn an_import_upwards_is_named_with_its_place() {
        for (path, text, says) in [
            (
                "crates/low/Cargo.toml",
                "[dependencies]\nbitrouter-plugin = { path = \"x\" }\n",
                "crates/low/Cargo.toml: `low` depends on `bitrouter-plugin`",
            ),
            (
                "crates/low/Cargo.toml",
                "[target.'cfg(unix)'.dependencies]\nwasmtime-wasi.workspace = true\n",
                "`low` depends on `wasmtime-wasi`, which `plugin` alone may",
            ),
            ("host/src/base.rs", "fn f() { crate::top::g() }\n", "host/src/base.rs:1: `base` names `top`"),
            (
                "host/src/base.rs",
                "use crate::{\n    base::x,\n    top::{self, y},\n};\n",
                "host/src/base.rs:3: `base` names `top`",
            ),
            ("host/src/base/deep/er.rs", "\nuse crate::top;\n", "host/src/base/deep/er.rs:2: `base` names `top`"),
            ("host/src/new.rs", "", "host/src/new is not listed"),
            ("crates/new/Cargo.toml", "", "crates/new is not listed"),
        ] {
            let error = planted(&[(path, text)]).1.unwrap_err().to_string();
            assert!(error.contains(says), "{path}: {error}");
        }
    }

    #[test]
    fn a_page_without_the_lists_is_no_order() {
        assert!(planted(&[(PAGE, "# Architecture\n")]).1.is_err());
    }
}
