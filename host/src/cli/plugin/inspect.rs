//! `bitrouter plugin inspect`: all that can be known of a component without running it for anybody.

use std::path::PathBuf;
use std::process::ExitCode;

use bitrouter_plugin::contract::{self, Names};
use bitrouter_plugin::trust::{Entry, Grant, Lock};
use clap::Args;
use serde_json::{Value, json};

use super::subject::{self, SignatureFound, Subject};
use crate::cli::print::{self, Table};
use crate::cli::setup::Setup;
use crate::cli::{Components, Global, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is accepted and nothing is sent. A component whose file says what it is (in a section `bitrouter:description`) is not even \
compiled; of others `describe` is asked in the sandbox.

Examples:
  bitrouter plugin inspect ~/Downloads/example.wasm
  bitrouter plugin inspect example --json")]
pub(crate) struct Inspect {
    /// The component: a file, one of the plugin folder's, or the id of one there
    #[arg(value_name = "FILE|ID")]
    file: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl Inspect {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let subject = Subject::read(&self.file, &setup)?;
        let lock = Lock::read(&setup.plugins_lock())?;
        let names = contract::names(&subject.bytes).ok();
        let state = state(&subject, &lock);
        if self.json {
            print::json(&shape(&subject, names.as_ref(), &state))?;
            return Ok(ExitCode::SUCCESS);
        }
        let text = subject.shown(&lock, &subject::signers(&setup));
        print::answer(&(text + &of_the_file(&subject, names.as_ref(), &state)))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// How the user stands to it.
fn state(subject: &Subject, lock: &Lock) -> String {
    let grants: Vec<Grant> = subject.descriptions.iter().map(Grant::of).collect();
    if grants.iter().all(|grant| lock.accepts(&subject.digest, grant)) {
        return "accepted".into();
    }
    let known = grants.iter().find_map(|grant| lock.entry_of(&grant.id));
    match known.map(|entry: &Entry| entry.lacks(&grants)) {
        None => "not accepted".into(),
        Some(more) if more.is_empty() => "another build than the accepted one, which asks for no more".into(),
        Some(more) => format!("not accepted: it asks for more than the accepted one: {}", more.join("; ")),
    }
}

fn of_the_file(subject: &Subject, names: Option<&Names>, state: &str) -> String {
    let mut table = Table::indented();
    table.row(["state", state]);
    match names {
        None => table.row(["kind", "a description, without a component"]),
        Some(names) => {
            table.row(["kind", &format!("a component for version {} of the contract", names.version)]);
            table.row(["imports", &print::list(&names.imports)]);
            table.row(["exports", &print::list(&names.exports)]);
            let says = match subject.is_described_by_its_file() {
                true => "in its file, which its describe must agree with",
                false => "by its describe alone: it has to be compiled for that",
            };
            table.row(["says this", says]);
        }
    }
    for what in subject.descriptions.iter().flat_map(|description| &description.not_understood) {
        table.row(["not known", what]);
    }
    format!("\nThe file is:\n{}", table.text())
}

/// The same for scripts.
fn shape(subject: &Subject, names: Option<&Names>, state: &str) -> Value {
    let signature = match &subject.signature {
        SignatureFound::None => Value::Null,
        SignatureFound::Known { key, signed } => json!({ "key": key, "comment": signed.comment() }),
        SignatureFound::Other(_) => json!({ "key": null }),
        SignatureFound::Broken(why) => json!({ "key": null, "problem": why }),
    };
    let providers = subject.descriptions.iter().map(|description| {
        json!({
            "id": description.id, "name": description.name, "version": description.version,
            "asks_for": Grant::of(description), "not_understood": description.not_understood,
        })
    });
    json!({
        "file": subject.file, "source": subject.source, "sha256": subject.digest.as_str(), "size": subject.bytes.len(),
        "kind": if names.is_some() { "component" } else { "description" },
        "contract": names.map(|names| &names.version),
        "imports": names.map(|names| &names.imports), "exports": names.map(|names| &names.exports),
        "described_by_its_file": subject.is_described_by_its_file(),
        "signature": signature, "state": state, "providers": providers.collect::<Vec<_>>(),
    })
}
