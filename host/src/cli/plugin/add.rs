//! `bitrouter plugin add`: fetches a component, shows what it asks for, and puts it into the plugin folder once it is accepted.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use bitrouter_files::PrivateFile;
use bitrouter_plugin::trust::{Entry, Lock, signature};
use clap::Args;
use serde_json::{Value, json};

use super::fetch::{self, Fetched, Source};
use super::subject::{self, Consent, SignatureFound, Subject};
use super::{is_loaded, of_id};
use crate::cli::print;
use crate::cli::setup::{self, Setup};
use crate::cli::{Components, Global, Outcome};

#[derive(Debug, Args)]
#[command(after_help = "\
What is fetched is checked against a digest where one is given, and for a signature beside it. Nothing of it is kept before you \
have accepted what it asks for. Logins for registries are those of Docker's config. A proxy is found as by `serve`.

Examples:
  bitrouter plugin add ~/Downloads/example.wasm
  bitrouter plugin add https://example.com/example.wasm#sha256=HEX
  bitrouter plugin add oci://ghcr.io/example/provider:1.2
  bitrouter plugin add oci://ghcr.io/example/provider@sha256:HEX --accept --require-signature")]
pub(crate) struct Add {
    /// Where it is: a file, an https URL, or an image of an OCI registry
    #[arg(value_name = "FILE|URL|oci://…")]
    source: String,
    /// The SHA-256 that the file must have, in hex; of an image that of its layer
    #[arg(long, value_name = "HEX", value_parser = fetch::digest_of)]
    sha256: Option<String>,
    /// Accept without asking, for scripts
    #[arg(long, short = 'y', visible_alias = "yes")]
    accept: bool,
    /// Accept it only with a signature by a key of `plugins.signers`
    #[arg(long)]
    require_signature: bool,
    /// Print JSON; what it asks for goes to standard error then
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    components: Components,
}

impl Add {
    pub(super) fn run(self, global: &Global) -> Outcome {
        let setup = Setup::load_aloud(global, &self.components)?;
        let (source, given) = Source::read(&self.source)?;
        let fetched = setup::runtime()?.block_on(source.fetch())?;
        for digest in self.sha256.iter().chain(&given) {
            fetched.check(digest)?;
        }
        let subject = subject_of(fetched, matches!(source, Source::File(_)), &setup)?;
        let consent = Consent { given: self.accept, signed: self.require_signature, quiet: self.json };
        if !subject.asks(&setup, &consent)? {
            print::note("not accepted: nothing was kept");
            return Ok(ExitCode::FAILURE);
        }
        install(&subject, &setup)?;
        match self.json {
            true => print::json(&shape(&subject))?,
            false => print::answer(&format!(
                "accepted: {} is in the plugin folder, and kept in {}. A running gateway takes it within some seconds\n",
                subject.file.display(),
                setup.plugins_lock().display()
            ))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What was fetched, with the place that it gets in the plugin folder.
pub(super) fn subject_of(fetched: Fetched, is_file: bool, setup: &Setup) -> Result<Subject, Box<dyn Error>> {
    let Fetched { bytes, source, name, signature } = fetched;
    let signers = subject::signers(setup);
    let signature = signature.map_or(SignatureFound::None, |signed| SignatureFound::of(signed, &bytes, &signers));
    // Named by where it came from, in what goes wrong before it has a place.
    let mut subject = Subject::of(PathBuf::from(&source), bytes, source, signature, setup)?;
    subject.file = place(&subject, &name, setup)?;
    if is_file {
        subject.source = Entry::source_of(&subject.file);
    }
    Ok(subject)
}

/// Where in the plugin folder: over the one with its id, else under its id's name.
fn place(subject: &Subject, name: &str, setup: &Setup) -> Result<PathBuf, Box<dyn Error>> {
    let folder = &setup.loaded.config.plugins.dir;
    let [first, ..] = subject.descriptions.as_slice() else { return Ok(folder.join(name)) };
    let is_component = subject.bytes.starts_with(b"\0asm");
    let ending = if is_component { "wasm" } else { "json" };
    if let Some(known) = of_id(&first.id, setup, folder) {
        if known.extension().is_some_and(|known| known == ending) {
            return Ok(known);
        }
        let other = known.display();
        return Err(format!(
            "{other} has the id `{}` already, and is no .{ending}. Take it out first: bitrouter plugin remove {}",
            first.id, first.id
        )
        .into());
    }
    let file = folder.join(format!("{}.{ending}", first.id));
    match file.exists() {
        true => {
            Err(format!("{} is there already, and is another provider. Move it away, then try again", file.display())
                .into())
        }
        false => Ok(file),
    }
}

/// Accepts it, and puts it into the plugin folder: in this order, so that a running gateway sees no stranger.
pub(super) fn install(subject: &Subject, setup: &Setup) -> Result<(), Box<dyn Error>> {
    debug_assert!(is_loaded(&subject.file));
    let failed = |error: std::io::Error| format!("{} cannot be written: {error}", subject.file.display());
    Lock::accept(subject.entry(), &setup.plugins_lock())?;
    let beside = signature::beside(&subject.file);
    match subject.signature.text() {
        Some(text) => PrivateFile::replace(&beside, text).map_err(failed)?,
        // That of the build before says nothing of this one.
        None if beside.exists() => std::fs::remove_file(&beside).map_err(failed)?,
        None => {}
    }
    PrivateFile::replace(&subject.file, &subject.bytes).map_err(failed)?;
    Ok(())
}

pub(super) fn shape(subject: &Subject) -> Value {
    let providers =
        subject.descriptions.iter().map(|description| json!({ "id": description.id, "version": description.version }));
    json!({
        "file": subject.file, "source": subject.source, "sha256": subject.digest.as_str(), "signed_by": subject.signature.key(),
        "providers": providers.collect::<Vec<_>>(),
    })
}
