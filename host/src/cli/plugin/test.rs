//! `bitrouter plugin test`: runs the golden files of a project against its component, or its description, in the sandbox.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use bitrouter_contract::validate;
use bitrouter_golden::{Outcome as Came, Report, check};
use bitrouter_plugin::compile::MAX_COMPONENT;
use bitrouter_plugin::{Digest, Origin, file};
use clap::Args;

use super::build::{self, Project};
use super::driver::Driver;
use crate::app;
use crate::cli::setup::{self, Setup};
use crate::cli::{Global, Outcome, print};

#[derive(Debug, Args)]
#[command(after_help = "\
Each folder in cases/ is a case: an input file for one hook, and expected.txt with what it came to. A case is written by its \
input alone, and --bless; read what it wrote before you keep it. Nothing is sent. Exits with 1 where a case fails.

Examples:
  bitrouter plugin test
  bitrouter plugin test ~/src/acme
  bitrouter plugin test acme.wasm --cases ~/src/acme/cases
  bitrouter plugin test --bless             writes what comes out as what is expected")]
pub(in crate::cli) struct Test {
    /// The project's folder, or a component or a description
    #[arg(value_name = "DIR|FILE", default_value = ".")]
    target: PathBuf,
    /// The folder of cases, instead of cases/ beside the component
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// Write what comes out as what is expected
    #[arg(long)]
    bless: bool,
}

impl Test {
    pub(in crate::cli) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, None)?;
        let file = target(&self.target)?;
        let beside = file.parent().unwrap_or(Path::new("."));
        let cases = self.cases.unwrap_or_else(|| beside.join("cases"));
        let bytes = file::read(&file, MAX_COMPONENT as u64)
            .map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
        let digest = Digest::of(&bytes);
        let loader = app::loader(&setup.loaded.config, &setup.paths)?;
        let runtime = setup::runtime()?;
        let loading = async {
            let (texts, described) = loader.says(&bytes, &digest).await?;
            Ok((texts, described, loader.load(&bytes, digest, Origin::File(file.clone())).await?))
        };
        let loaded = runtime.block_on(setup::with_progress(loading, || "compiling 1 component…".to_owned()));
        let shown = print::printable(&file.display().to_string());
        let (texts, described, plugins) = loaded.map_err(|error: bitrouter_plugin::LoadError| {
            format!("{shown}: {}", print::printable(&error.to_string()))
        })?;
        let mut mistakes: Vec<String> = texts.iter().flat_map(|text| validate::mistakes(text)).collect();
        for plugin in plugins.iter().filter(|_| described) {
            mistakes.extend(validate::paths(&plugin.says).err().map(|error| error.to_string()));
        }
        for mistake in &mistakes {
            print::answer(&format!("description: {}\n", print::printable(mistake)))?;
        }
        let report = check(&cases, self.bless, || Box::new(Driver::new(&runtime, &plugins)));
        if report.cases.is_empty() {
            let cases = print::printable(&cases.display().to_string());
            return Err(format!("{cases}: there is no case. Make a folder in it, with call.json and body.json").into());
        }
        tell(&report, &cases, mistakes.len(), self.bless)?;
        let failed = report.failed().count() + mistakes.len();
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Each case that failed, and the closing line.
fn tell(report: &Report, cases: &Path, mistakes: usize, bless: bool) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    for (folder, hook, came) in &report.cases {
        let name = print::printable(&folder.strip_prefix(cases).unwrap_or(folder).to_string_lossy());
        let hook = hook.map_or(String::new(), |hook| format!(" ({hook})"));
        match came {
            Came::Held => {}
            Came::Written => text.push_str(&format!("{name}{hook}: written\n")),
            Came::Failed(why) => {
                text.push_str(&format!("{name}{hook}: failed\n"));
                // Of a component's choosing: line by line, so that none commands the terminal.
                let line = |line: &str| format!("  {}\n", line.replace(char::is_control, "\u{fffd}"));
                text.extend(why.lines().map(line));
            }
        }
    }
    let (all, failed, written) = (report.cases.len(), report.failed().count(), report.written());
    let held = all - failed - written;
    let mut counts = vec![format!("{held} held")];
    counts.extend((written > 0).then(|| format!("{written} written: read them before you keep them")));
    counts.extend((failed > 0).then(|| format!("{failed} failed")));
    counts.extend((mistakes > 0).then(|| format!("{mistakes} mistakes in the description")));
    let noun = if all == 1 { "case" } else { "cases" };
    text.push_str(&format!("{all} {noun}: {}\n", counts.join(", ")));
    if failed > 0 && !bless {
        text.push_str("Where what came out is right, --bless keeps it.\n");
    }
    Ok(print::answer(&text)?)
}

/// The file that is meant: itself, or what a project's folder has built.
fn target(named: &Path) -> Result<PathBuf, Box<dyn Error>> {
    if !named.is_dir() {
        return Ok(named.to_owned());
    }
    let project = Project::open(named)?;
    let file = build::output(&project)?;
    if let Some(newer) = build::newer_source(&project, changed(&file)) {
        let newer = newer.strip_prefix(project.folder()).unwrap_or(&newer).display();
        print::note(&format!(
            "warning: {} is older than {newer}. Run: bitrouter plugin build",
            file.file_name().unwrap_or_default().display()
        ));
    }
    Ok(file)
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).ok()?.modified().ok()
}
