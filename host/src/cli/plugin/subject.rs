//! The component that a command is about: its bytes, what it says of itself, where it came from and who signed it.

use std::error::Error;
use std::io::{self, BufRead, IsTerminal, Write as _};
use std::path::{Path, PathBuf};

use bitrouter_contract::description::Description;
use bitrouter_plugin::trust::signature::{self, Signed};
use bitrouter_plugin::trust::{Entry, Grant, Lock, Signers};
use bitrouter_plugin::{Digest, contract};

use super::asks::{standing, wants};
use crate::cli::print;
use crate::cli::setup::Setup;

/// A component, or a description without one.
pub(super) struct Subject {
    /// Where its bytes are, or will be.
    pub file: PathBuf,
    /// What it holds.
    pub bytes: Vec<u8>,
    pub digest: Digest,
    /// Where it came from, as an entry of `plugins.lock` has it.
    pub source: String,
    /// Who signed it.
    pub signature: SignatureFound,
    /// What it says of itself, for each of its providers.
    pub descriptions: Vec<Description>,
    /// What the built-in ones say.
    pub built_in: Vec<Description>,
}

/// Whose signature there is.
pub(super) enum SignatureFound {
    /// There is none.
    None,
    /// It is by a key of `plugins.signers`.
    Known { key: String, signed: Signed },
    /// It is by none of them, or not of these bytes.
    Other(Signed),
    /// There is something that is none.
    Broken(String),
}

impl SignatureFound {
    /// The signature in a file beside this one.
    pub(super) fn beside(file: &Path, bytes: &[u8], signers: &Signers) -> Self {
        if !signature::beside(file).exists() {
            return SignatureFound::None;
        }
        signature::of_file(file).map_or_else(SignatureFound::Broken, |signed| Self::of(signed, bytes, signers))
    }

    pub(super) fn of(signed: Signed, bytes: &[u8], signers: &Signers) -> Self {
        match signers.that_signed(&signed, bytes) {
            Some(key) => SignatureFound::Known { key: key.to_owned(), signed },
            None => SignatureFound::Other(signed),
        }
    }

    /// The key of `plugins.signers` that it is by.
    pub(super) fn key(&self) -> Option<&str> {
        match self {
            SignatureFound::Known { key, .. } => Some(key),
            _ => None,
        }
    }

    /// Its text, to be kept beside the component.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            SignatureFound::Known { signed, .. } | SignatureFound::Other(signed) => Some(signed.text()),
            SignatureFound::None | SignatureFound::Broken(_) => None,
        }
    }

    pub(super) fn in_words(&self, signers: &Signers) -> String {
        match self {
            SignatureFound::None => "none".to_owned(),
            SignatureFound::Known { key, signed } => format!("by {} ({key}): {}", signers.name(key), signed.comment()),
            SignatureFound::Other(_) => {
                "CAUTION: there is one, by no key of `plugins.signers`, or not of this build".to_owned()
            }
            SignatureFound::Broken(why) => format!("CAUTION: {why}"),
        }
    }
}

impl Subject {
    /// The one that is named by a file or an id.
    pub(super) fn read(named: &Path, setup: &Setup) -> Result<Self, Box<dyn Error>> {
        let (file, bytes) = super::find(named, setup)?;
        let lock = Lock::read(&setup.plugins_lock())?;
        let known = lock.entry_with(&Digest::of(&bytes)).filter(|entry| !entry.source.is_empty());
        let source = known.map_or_else(|| Entry::source_of(&file), |entry| entry.source.clone());
        let signature = SignatureFound::beside(&file, &bytes, &signers(setup));
        Self::of(file, bytes, source, signature, setup)
    }

    /// Of bytes that came from somewhere.
    pub(super) fn of(
        file: PathBuf,
        bytes: Vec<u8>,
        source: String,
        signature: SignatureFound,
        setup: &Setup,
    ) -> Result<Self, Box<dyn Error>> {
        let digest = Digest::of(&bytes);
        let (descriptions, built_in) = super::describe(setup, &bytes, &digest).map_err(|error| {
            format!("{} cannot be accepted: {}", file.display(), print::printable(&error.to_string()))
        })?;
        Ok(Subject { file, bytes, digest, source, signature, descriptions, built_in })
    }

    /// What accepting it means.
    pub(super) fn entry(&self) -> Entry {
        Entry {
            sha256: self.digest.as_str().to_owned(),
            source: self.source.clone(),
            signed_by: self.signature.key().map(str::to_owned),
            providers: self.descriptions.iter().map(Grant::of).collect(),
            ..Entry::default()
        }
    }

    /// Whether it is a component, and its description stands in its file.
    pub(super) fn is_described_by_its_file(&self) -> bool {
        contract::names(&self.bytes).map_or(true, |names| names.description.is_some())
    }

    /// Everything that is shown before anybody says yes.
    pub(super) fn shown(&self, lock: &Lock, signers: &Signers) -> String {
        let each = |description: &Description| {
            wants(self, signers, description) + &standing(lock, description, &self.built_in)
        };
        self.descriptions.iter().map(each).collect()
    }

    /// Shows all of it and asks; true where it is accepted, now or before. Nothing is written.
    pub(super) fn asks(&self, setup: &Setup, consent: &Consent) -> Result<bool, Box<dyn Error>> {
        let signers = signers(setup);
        let lock = Lock::read(&setup.plugins_lock())?;
        let text = self.shown(&lock, &signers);
        if consent.quiet {
            text.lines().for_each(print::note)
        } else {
            print::answer(&text)?
        }
        if consent.signed && self.signature.key().is_none() {
            let file = self.file.display();
            return Err(format!(
                "{file} has no signature by a key of `plugins.signers`, which --require-signature asks for: {}",
                self.signature.in_words(&signers)
            )
            .into());
        }
        Ok(consent.given || agreed()?)
    }
}

/// How a command comes to a yes.
pub(super) struct Consent {
    /// It was given on the command line.
    pub given: bool,
    /// A signature is asked for.
    pub signed: bool,
    /// Standard output is for something else.
    pub quiet: bool,
}

/// The keys whose signatures have a name.
pub(super) fn signers(setup: &Setup) -> Signers {
    Signers(setup.loaded.config.plugins.signers.clone())
}

fn agreed() -> Result<bool, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Err("nobody is there to be asked. Read the above, then run it again with --accept".into());
    }
    let mut err = io::stderr();
    write!(err, "Accept it? [y/N] ")?;
    err.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}
