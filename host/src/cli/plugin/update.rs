//! `bitrouter plugin update`: looks again where components came from, shows what has changed, and takes it.
//!
//! What asks for no more than was accepted, and is signed by whoever signed before, is taken without a question: it comes from where
//! the accepted one came. All else is shown and asked for.

use std::error::Error;
use std::process::ExitCode;

use bitrouter_plugin::trust::{Entry, Grant, Lock, short};
use clap::Args;
use serde_json::{Value, json};

use super::add::{install, subject_of};
use super::fetch::Source;
use super::subject::{self, Consent, Subject};
use crate::cli::print::{self, Table};
use crate::cli::setup::{self, Setup};
use crate::cli::{Components, Global, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
A component that was added by a URL, or by an image's tag, is looked for there again. One that was named by its digest alone has \
nothing newer, and a file that you put into the plugin folder is yours to replace.

Examples:
  bitrouter plugin update
  bitrouter plugin update example --check
  bitrouter plugin update example --accept")]
pub(crate) struct Update {
    /// The provider's id; all of them where none is given
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Say what is newer, and take nothing
    #[arg(long)]
    check: bool,
    /// Accept without asking where it asks for more, for scripts
    #[arg(long, short = 'y', visible_alias = "yes")]
    accept: bool,
    /// Take only what has a signature by a key of `plugins.signers`
    #[arg(long)]
    require_signature: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

/// What was done, in a word, and what has changed.
type Taken = (&'static str, Vec<String>);

/// What became of one component.
struct Looked {
    ids: String,
    state: &'static str,
    /// What has changed, a phrase each.
    changes: Vec<String>,
    /// Why nothing was taken.
    problem: Option<String>,
}

impl Update {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let lock = Lock::read(&setup.plugins_lock())?;
        let entries: Vec<&Entry> = match &self.id {
            None => lock.components.iter().collect(),
            Some(id) => vec![lock.entry_of(id).ok_or_else(|| {
                format!("`{}` was not accepted, so it is not known where it came from. bitrouter plugin list shows what was", print::printable(id))
            })?],
        };
        let looked: Vec<Looked> = entries.into_iter().map(|entry| self.look(entry, &lock, &setup)).collect();
        let failed = looked.iter().any(|looked| looked.problem.is_some());
        match self.json {
            true => print::json(&json!({ "components": looked.iter().map(Looked::shape).collect::<Vec<_>>() }))?,
            false => print::answer(&text(&looked))?,
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn look(&self, entry: &Entry, lock: &Lock, setup: &Setup) -> Looked {
        let ids = entry.ids().collect::<Vec<_>>().join(", ");
        let nothing = |state| Looked { ids: ids.clone(), state, changes: Vec::new(), problem: None };
        if entry.is_of_a_file() || entry.source.is_empty() {
            return nothing("a file of yours");
        }
        match self.take(entry, lock, setup) {
            Ok(None) => nothing("nothing newer"),
            Ok(Some((state, changes))) => Looked { changes, ..nothing(state) },
            Err(error) => Looked { problem: Some(error.to_string()), ..nothing("failed") },
        }
    }

    /// What was done, and what has changed; none where it is as it was.
    fn take(&self, entry: &Entry, lock: &Lock, setup: &Setup) -> Result<Option<Taken>, Box<dyn Error>> {
        let (source, _) = Source::read(&entry.source)?;
        if !source.moves() {
            return Ok(None);
        }
        let fetched = setup::runtime()?.block_on(source.newest().fetch())?;
        if fetched.check(&entry.sha256).is_ok() {
            return Ok(None);
        }
        let subject = subject_of(fetched, false, setup)?;
        let more = entry.lacks(&subject.entry().providers);
        let changes = changes(entry, &subject, &more);
        if self.check {
            return Ok(Some(("newer", changes)));
        }
        let same_signer = entry.signed_by.is_none() || entry.signed_by.as_deref() == subject.signature.key();
        if !same_signer {
            let signers = subject::signers(setup);
            let before = entry.signed_by.as_deref().unwrap_or_default();
            return Err(format!(
                "what is there now is not signed by {}, who signed what you accepted. To take it all the same: bitrouter plugin add {}",
                signers.name(before),
                print::printable(&entry.source)
            )
            .into());
        }
        let others = lock.components.iter().filter(|other| *other != entry);
        let of_another = others.flat_map(Entry::ids).find(|id| subject.descriptions.iter().any(|says| says.id == **id));
        if let Some(id) = of_another {
            return Err(format!("what is there now has the id `{id}`, which another accepted component has").into());
        }
        let is_built_in =
            subject.built_in.iter().any(|built_in| subject.descriptions.iter().any(|says| says.id == built_in.id));
        let waved_through = more.is_empty() && !is_built_in;
        if !waved_through || self.require_signature {
            let consent =
                Consent { given: self.accept || waved_through, signed: self.require_signature, quiet: self.json };
            if !subject.asks(setup, &consent)? {
                return Ok(Some(("not accepted", changes)));
            }
        }
        install(&subject, setup)?;
        Ok(Some(("updated", changes)))
    }
}

/// What is other than before: builds, versions, and what it asks for.
fn changes(entry: &Entry, subject: &Subject, more: &[String]) -> Vec<String> {
    let mut changes = vec![format!("sha256 {} instead of {}", short(subject.digest.as_str()), short(&entry.sha256))];
    if subject.source != entry.source {
        changes.push(format!("from {}", subject.source));
    }
    changes.extend(subject.descriptions.iter().map(|says| format!("{} is version {} now", says.id, says.version)));
    changes.extend(more.iter().map(|more| format!("NEW: {more}")));
    let now: Vec<Grant> = subject.descriptions.iter().map(Grant::of).collect();
    let of_now = Entry { providers: now, ..Entry::default() };
    changes.extend(of_now.lacks(&entry.providers).into_iter().map(|less| format!("no longer: {less}")));
    changes
}

impl Looked {
    fn shape(&self) -> Value {
        json!({ "ids": self.ids, "state": self.state, "changes": self.changes, "problem": self.problem })
    }
}

fn text(looked: &[Looked]) -> String {
    if looked.is_empty() {
        return "nothing was accepted, so there is nothing to look for\n".into();
    }
    let mut table = Table::indented();
    for one in looked {
        table.row([&one.ids, one.state]);
        one.changes.iter().chain(&one.problem).for_each(|line| table.row(["", line]));
    }
    format!("looked for newer builds:\n{}", table.text())
}
