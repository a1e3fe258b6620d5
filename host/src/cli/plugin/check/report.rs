//! What `plugin check` found, as text and as JSON.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bitrouter_contract::description;
use bitrouter_plugin::Digest;
use bitrouter_plugin::contract::Names;
use serde_json::{Value, json};

use super::named;
use super::probe::Probe;
use crate::cli::print::{self, Table};

/// What a gateway lends to components, and the contract's own types.
const CONTRACT: &str = "bitrouter:";

/// All of it.
pub(super) struct Report {
    file: PathBuf,
    bytes: usize,
    sha256: String,
    /// None for a description alone.
    pub(super) names: Option<Names>,
    /// The descriptions that are sound.
    pub(super) descriptions: Vec<Description>,
    pub(super) mistakes: Vec<String>,
    pub(super) probes: Vec<Probe>,
}

/// What one description says, in short.
pub(super) struct Description {
    id: String,
    name: String,
    version: String,
    serves: Vec<String>,
    origins: Vec<String>,
    models: usize,
}

impl Description {
    pub(super) fn of(said: &description::Description) -> Self {
        let serves = said.serves.iter().map(|(operation, dialects)| format!("{operation} ({})", dialects.join(", ")));
        Description {
            id: said.id.clone(),
            name: said.name.clone(),
            version: said.version.clone(),
            serves: serves.collect(),
            origins: said.origins.iter().map(|(name, url)| format!("{url} ({name})")).collect(),
            models: said.models.len(),
        }
    }

    fn line(&self) -> String {
        format!("{}, {} {}", self.id, self.name, self.version)
    }
}

impl Report {
    pub(super) fn of(file: &Path, bytes: usize, digest: &Digest) -> Self {
        Report {
            file: file.to_owned(),
            bytes,
            sha256: digest.as_str().to_owned(),
            names: None,
            descriptions: Vec::new(),
            mistakes: Vec::new(),
            probes: Vec::new(),
        }
    }

    /// Whether there is no mistake, and no hook failed.
    pub(super) fn is_sound(&self) -> bool {
        self.mistakes.is_empty() && self.probes.iter().all(|probe| probe.fault().is_none())
    }

    pub(super) fn text(&self) -> String {
        let file = named(&self.file);
        let mut text = String::new();
        let kind = if self.names.is_some() { "a component" } else { "a description" };
        text.push_str(&format!("{file}: {kind}, {} KB\n", self.bytes.div_ceil(1000)));
        text.push_str(&self.facts().text());
        text.push_str(&self.hooks());
        let faults = self.probes.iter().filter_map(|probe| Some((probe, probe.fault()?)));
        let faults: Vec<String> = faults
            .map(|(probe, why)| {
                let why: Vec<_> = why.lines().map(print::printable).collect();
                format!("  {}, with {}: {}\n", probe.hook, probe.input, why.join("\n    "))
            })
            .collect();
        if !self.mistakes.is_empty() {
            text.push_str(&format!("\n{file}: the description has mistakes\n"));
            text.extend(self.mistakes.iter().map(|wrong| format!("  {}\n", print::printable(wrong))));
        }
        if !faults.is_empty() {
            text.push_str(&format!("\n{file}: hooks fail\n{}", faults.concat()));
        }
        if self.is_sound() {
            let of = match self.descriptions.as_slice() {
                [one] => print::printable(&one.line()),
                many => format!("{} descriptions", many.len()),
            };
            text.push_str(&format!("\n{file}: no mistake was found in {of}\n"));
        }
        text
    }

    fn facts(&self) -> Table {
        let mut table = Table::indented();
        table.row(["sha256", &self.sha256]);
        if let Some(names) = &self.names {
            table.row(["contract", &format!("bitrouter:provider {}", names.version)]);
            let (lent, others): (Vec<&String>, Vec<&String>) =
                names.imports.iter().partition(|name| name.starts_with(CONTRACT));
            table.row(["imports", &print::list(&lent)]);
            if !others.is_empty() {
                let said =
                    format!("{} (inert: no files, sockets or environment, and nothing waits)", print::list(&others));
                table.row(["", &said]);
            }
            table.row(["exports", &print::list(&names.exports)]);
        }
        if let [one] = self.descriptions.as_slice() {
            table.row(["says", &one.line()]);
            table.row(["serves", &print::list(&one.serves)]);
            table.row(["sends to", &print::list(&one.origins)]);
            if one.models > 0 {
                table.row(["models", &one.models.to_string()]);
            }
        }
        table
    }

    /// A row for each hook: how many inputs it had, and what it took at most.
    fn hooks(&self) -> String {
        let mut hooks: Vec<&str> = self.probes.iter().map(|probe| probe.hook).collect();
        hooks.dedup();
        if hooks.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&["hook", "inputs", "failed", "cpu", "at most", "memory", "at most with"]);
        for hook in hooks {
            let of: Vec<&Probe> = self.probes.iter().filter(|probe| probe.hook == hook).collect();
            let failed = of.iter().filter(|probe| probe.fault().is_some()).count();
            let typical = of.first().and_then(|probe| probe.used.cpu);
            let dearest = of.iter().max_by_key(|probe| probe.used.cpu);
            let (most, with) = dearest.map_or((None, ""), |probe| (probe.used.cpu, probe.input.as_str()));
            let memory = of.iter().filter_map(|probe| probe.used.memory).max();
            let memory = memory.map_or("-".to_owned(), |bytes| format!("{:.1} MB", bytes as f64 / 1e6));
            table.row([hook, &of.len().to_string(), &failed.to_string(), &time(typical), &time(most), &memory, with]);
        }
        format!("\n{}", table.text())
    }

    pub(super) fn json(&self) -> Value {
        let description = |one: &Description| {
            json!({
                "id": one.id, "name": one.name, "version": one.version,
                "serves": one.serves, "origins": one.origins, "models": one.models,
            })
        };
        let probe = |probe: &Probe| {
            json!({
                "hook": probe.hook,
                "input": probe.input,
                "came_to": probe.came.as_ref().ok(),
                "failed": probe.fault(),
                "cpu_us": probe.used.cpu.map(|cpu| u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX)),
                "memory_bytes": probe.used.memory,
            })
        };
        json!({
            "file": self.file.display().to_string(),
            "bytes": self.bytes,
            "sha256": self.sha256,
            "sound": self.is_sound(),
            "contract": self.names.as_ref().map(|names| &names.version),
            "imports": self.names.as_ref().map(|names| &names.imports),
            "exports": self.names.as_ref().map(|names| &names.exports),
            "descriptions": self.descriptions.iter().map(description).collect::<Vec<_>>(),
            "mistakes": self.mistakes,
            "hooks": self.probes.iter().map(probe).collect::<Vec<_>>(),
        })
    }
}

fn time(cpu: Option<Duration>) -> String {
    cpu.map_or("-".to_owned(), |cpu| format!("{:.2} ms", cpu.as_secs_f64() * 1e3))
}
