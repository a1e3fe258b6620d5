//! `bitrouter plugin list`: which components are there, how each stands, and what a running gateway makes of them.

use std::process::ExitCode;

use bitrouter_plugin::trust::{Entry, Lock};
use clap::Args;
use serde_json::json;

use crate::cli::print::{self, Table};
use crate::cli::providers::{Row, changed, not_loaded, untrusted};
use crate::cli::setup::{self, Setup};
use crate::cli::{Components, Global, Outcome};
use crate::control::{Client, ServingComponent};

#[derive(Debug, Args)]
#[command(after_help = "\
TRUSTED is `yes`, `no`, or `changed` for another build of an accepted component, which comes from where that one came and asks \
for no more. Where a gateway runs and a file of the folder does not load, the build that it goes on with is named.

Examples:
  bitrouter plugin list
  bitrouter plugin list --plugins ./plugins --json")]
pub(crate) struct List {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl List {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let providers = setup.providers()?;
        let folder = setup.loaded.config.plugins.dir.display().to_string();
        let refused = &providers.refused;
        let loaded: Vec<(Row, &str)> =
            providers.by_id.values().map(|provider| (Row::of(provider), provider.plugin.digest.as_str())).collect();
        let lock = Lock::read(&setup.plugins_lock()).unwrap_or_default();
        let is_there = |entry: &&Entry| {
            let is_of = |row: &Row| row.notice.is_some() && entry.grant(&row.id).is_some();
            loaded.iter().any(|(row, sha256)| entry.sha256 == *sha256 || is_of(row))
        };
        let absent: Vec<&Entry> = lock.components.iter().filter(|entry| !is_there(entry)).collect();
        let source = |row: &Row| lock.entry_of(&row.id).map(|entry| entry.source.clone());
        let serving = serving(&setup, &loaded);
        if self.json {
            let loaded: Vec<_> = loaded
                .iter()
                .map(|(row, sha256)| {
                    json!({
                        "id": row.id, "version": row.version, "file": row.file, "sha256": sha256, "trusted": row.trusted,
                        "state": state(row), "notice": row.notice, "source": source(row),
                    })
                })
                .collect();
            let absent = absent.iter().flat_map(|entry| {
                entry.ids().map(|id| json!({ "id": id, "sha256": entry.sha256, "source": entry.source }))
            });
            let absent: Vec<_> = absent.collect();
            let serving: Vec<_> = serving
                .iter()
                .map(|other| json!({ "id": other.id, "version": other.version, "sha256": other.sha256 }))
                .collect();
            print::json(&json!({
                "folder": folder, "loaded": loaded, "refused": refused, "accepted_besides": absent,
                "running_gateway_has_other_builds": serving,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut table = Table::new(&["id", "version", "trusted", "from", "source", "sha256"]).sparing(&["source"]);
        let mut rows = Vec::new();
        for (row, sha256) in loaded {
            let from = source(&row).unwrap_or_else(|| "-".to_owned());
            table.row([&row.id, &row.version, state(&row), row.source(), &from, sha256]);
            rows.push(row);
        }
        let besides = absent.iter().flat_map(|entry| entry.ids().map(|id| [id, entry.sha256.as_str()]));
        let besides = Table::indented().with(besides).under("accepted, and not loaded:");
        let serving = Table::indented()
            .with(serving.iter().map(|other| [other.id.clone(), format!("{}, {}", other.version, other.sha256)]))
            .under("the running gateway serves other builds:");
        let folder = format!("\nplugin folder: {}\n", print::printable(&folder));
        print::answer(
            &[table.text(), untrusted(&rows), changed(&rows), not_loaded(refused), serving, besides, folder].concat(),
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

/// How a component stands before its user, in a word.
fn state(row: &Row) -> &'static str {
    match (row.trusted, &row.notice) {
        (false, _) => "no",
        (true, Some(_)) => "changed",
        (true, None) => "yes",
    }
}

/// The builds that a running gateway serves and that are not those of the files. None where no gateway runs.
fn serving(setup: &Setup, loaded: &[(Row, &str)]) -> Vec<ServingComponent> {
    let Ok(Ok(status)) = setup::runtime().map(|runtime| runtime.block_on(Client::new(&setup.paths).status())) else {
        return Vec::new();
    };
    let is_here = |component: &ServingComponent| {
        loaded.iter().any(|(row, sha256)| row.id == component.id && *sha256 == component.sha256)
    };
    let of_folder = |component: &ServingComponent| {
        std::path::Path::new(&component.file).parent() == Some(setup.loaded.config.plugins.dir.as_path())
    };
    status.components.into_iter().filter(|component| of_folder(component) && !is_here(component)).collect()
}
