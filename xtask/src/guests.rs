//! Builds every component: the providers in `plugins/` and the guests of the end-to-end tests. The other verbs call it
//! first. A component is written only where its bytes changed, so that what depends on it is not built again.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use bitrouter_contract::section;
use serde_json::Value;
use wit_component::ComponentEncoder;

use crate::command::line;
use crate::root::Root;
use crate::toolchain::{TARGET, Toolchain};

/// Which workspace's components go where.
const WORKSPACES: [(&str, &str); 2] = [("plugins", "target/components"), ("tests/guests", "target/components/tests")];

/// Builds what is out of date, and takes away components whose guest is gone.
pub(crate) fn build(root: &Root) -> Result<()> {
    let toolchain = Toolchain::find()?;
    for (workspace, folder) in WORKSPACES {
        let started = Instant::now();
        let folder = root.join(folder);
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let mut names = BTreeSet::new();
        let mut written = 0;
        for module in modules(root, &toolchain, workspace)? {
            let name = name(&module);
            let description = root.join(workspace).join(name.trim_end_matches(".wasm")).join("description.json");
            written += usize::from(encode(&module, &description, &folder.join(&name))?);
            names.insert(name);
        }
        remove_all_but(&names, &folder)?;
        let seconds = started.elapsed().as_secs_f64();
        eprintln!("xtask: {workspace}: {} components, {written} new, {seconds:.1} s", names.len());
    }
    Ok(())
}

/// Builds a workspace and answers its core modules, as cargo reports them.
fn modules(root: &Root, toolchain: &Toolchain, workspace: &str) -> Result<Vec<PathBuf>> {
    let mut command = toolchain.build();
    command
        .current_dir(root.join(workspace))
        .args(["--config", &portable_paths(root)])
        .arg("--target-dir")
        .arg(root.join("target/guests"))
        .args(["--message-format", "json-render-diagnostics"])
        .stdout(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("`{}` did not start", line(&command)))?;
    let output = child.stdout.take().context("cargo's output was asked for as a pipe")?;
    let mut modules = Vec::new();
    for message in BufReader::new(output).lines() {
        let message: Value = serde_json::from_str(&message?).context("cargo wrote a line that is not JSON")?;
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        modules.extend(files.filter(|file| file.ends_with(".wasm")).map(PathBuf::from));
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{}` failed in {workspace} ({status})", line(&command));
    }
    Ok(modules)
}

/// Keeps this machine's folders out of the components, whose digest should not depend on where they were built.
fn portable_paths(root: &Root) -> String {
    let home = std::env::home_dir().map(|home| home.join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let folders = [(Some(root.path().clone()), "bitrouter"), (cargo, "cargo")];
    let flags: Vec<String> = folders
        .into_iter()
        .filter_map(|(folder, name)| Some(format!("--remap-path-prefix={}={name}", folder?.display())))
        .collect();
    // As JSON, this is TOML as well.
    format!("target.{TARGET}.rustflags={}", Value::from(flags))
}

/// The component's file name: the package's, in which cargo has written `_` for `-`.
fn name(module: &Path) -> String {
    module.file_name().unwrap_or_default().to_string_lossy().replace('_', "-")
}

/// Makes a component of a core module, with the description that lies beside its sources; true if its bytes are new. A
/// component without such a file says of itself what it is when it is asked, as those of the tests do.
fn encode(module: &Path, description: &Path, component: &Path) -> Result<bool> {
    let core = fs::read(module).with_context(|| format!("{} cannot be read", module.display()))?;
    let mut encoder = ComponentEncoder::default();
    let mut bytes = encoder
        .validate(true)
        .module(&core)
        .and_then(ComponentEncoder::encode)
        .with_context(|| format!("{} does not make a component", module.display()))?;
    if description.is_file() {
        let json = fs::read_to_string(description).with_context(|| format!("{}", description.display()))?;
        bytes = section::with_description(&bytes, &json);
    }
    if fs::read(component).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let unfinished = component.with_extension(format!("{}.part", std::process::id()));
    let written = fs::write(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, component));
    written.with_context(|| format!("{} cannot be written", component.display()))?;
    Ok(true)
}

fn remove_all_but(names: &BTreeSet<String>, folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let gone = path.extension().is_some_and(|extension| extension == "wasm") && !names.contains(&name(&path));
        if gone {
            fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
    }
    Ok(())
}
