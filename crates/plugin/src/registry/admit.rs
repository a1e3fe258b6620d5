//! Which of the loaded components serve, and as what: built in, accepted, another build of an accepted one, or believed
//! nothing. It is asked once before a component is compiled, as far as its file says what it is, and once for each provider.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use bitrouter_contract::Description;

use super::{Candidate, Sources};
use crate::trust::{self, Grant, Lock, Rebuilt, Signers, Waits};
use crate::{Origin, load};

/// How a provider stands before its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Built in, or accepted as it is.
    Accepted,
    /// Another build of an accepted one, and what is said of it.
    Rebuilt(String),
    /// It answers to its own id, and is believed nothing.
    Alone,
}

/// What decides it, for one load.
pub(super) struct Rules<'a> {
    pub lock: Lock,
    pub pinned: bool,
    pub signers: Signers,
    /// The ids of the built-in providers, and all that they say of themselves. Both take reading all of their files.
    pub ids: LazyLock<BTreeSet<String>, Box<dyn FnOnce() -> BTreeSet<String> + Send + 'a>>,
    pub built_in: LazyLock<Vec<Description>, Box<dyn FnOnce() -> Vec<Description> + Send + 'a>>,
}

impl<'a> Rules<'a> {
    pub(super) fn new(sources: &'a Sources, lock: Lock) -> Self {
        // A component is named as its id is.
        let ids = |(name, bytes): &(&str, &[u8])| load::ids(bytes).unwrap_or_else(|| vec![(*name).to_owned()]);
        let says = |(_, bytes): &(&str, &[u8])| load::told(bytes).ok().flatten().unwrap_or_default();
        Rules {
            lock,
            pinned: sources.pinned,
            signers: sources.signers.clone(),
            ids: LazyLock::new(Box::new(move || sources.built_in.iter().flat_map(ids).collect())),
            built_in: LazyLock::new(Box::new(move || sources.built_in.iter().flat_map(says).collect())),
        }
    }

    /// How one of the providers of a file stands, or why it serves nothing.
    pub(super) fn standing(
        &self,
        candidate: &Candidate,
        says: &Description,
        beside: &[&Description],
    ) -> Result<Standing, String> {
        let Origin::File(file) = &candidate.origin else { return Ok(Standing::Accepted) };
        if self.lock.accepts(&candidate.digest, &Grant::of(says)) {
            return Ok(Standing::Accepted);
        }
        let id = says.id.as_str();
        if let Some(entry) = self.lock.entry_of(id) {
            let rebuilt = Rebuilt { file, bytes: &candidate.bytes, digest: &candidate.digest, says: beside };
            let goes_on = rebuilt.goes_on(entry, self.pinned, &self.signers, &self.built_in);
            return goes_on.map(Standing::Rebuilt).map_err(|Waits(why)| why);
        }
        if self.ids.contains(id) {
            return Err(format!("it claims the id `{id}`, which is built in"));
        }
        match trust::wants(says) {
            Some(why) => Err(why),
            None => Ok(Standing::Alone),
        }
    }

    /// Why nothing of a file would serve, whatever it does: known before anything of it is compiled, where its file says what
    /// it is. `None` where something may serve, or only the component itself can say.
    pub(super) fn refused_unread(&self, candidate: &Candidate) -> Option<Vec<(String, String)>> {
        if candidate.origin == Origin::BuiltIn {
            return None;
        }
        let told = match load::told(&candidate.bytes) {
            Ok(told) => told?,
            // Loading says it.
            Err(_) => return None,
        };
        let all: Vec<&Description> = told.iter().collect();
        let why = |says: &Description| Some((says.id.clone(), self.standing(candidate, says, &all).err()?));
        told.iter().map(why).collect()
    }
}
