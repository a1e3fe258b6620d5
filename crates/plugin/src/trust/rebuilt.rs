//! Whether another build of an accepted component goes on under what was accepted: `docs/decisions/0039`.
//!
//! It does only where it comes from where the accepted one came, asks for nothing more, and is none of those for which every
//! build is asked for again. What is waved through is served and said, and never written down as accepted.

use std::path::Path;

use bitrouter_contract::description::{Auth, Description};

use super::signature::{self, Signers};
use super::{Entry, Grant};
use crate::cache::{Digest, folder};

/// A build that was not accepted itself.
pub(crate) struct Rebuilt<'a> {
    /// The file.
    pub file: &'a Path,
    /// What it holds.
    pub bytes: &'a [u8],
    pub digest: &'a Digest,
    /// All that it says of itself.
    pub says: &'a [&'a Description],
}

/// Why another build waits until the user accepts it, as a sentence has it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Waits(pub String);

impl Rebuilt<'_> {
    /// What is said of it where it goes on under the entry.
    pub(crate) fn goes_on(
        &self,
        entry: &Entry,
        pinned: bool,
        signers: &Signers,
        built_in: &[Description],
    ) -> Result<String, Waits> {
        let ids = entry.ids().collect::<Vec<_>>().join("`, `");
        let changed = format!("`{ids}` is not the build that you accepted");
        let waits = |why: String| Err(Waits(format!("{changed}, {why}")));
        let wanted: Vec<Grant> = self.says.iter().map(|says| Grant::of(says)).collect();
        let more = entry.lacks(&wanted);
        if !more.is_empty() {
            return waits(format!("and it asks for more: {}", more.join("; ")));
        }
        if pinned {
            return waits("and this lock holds for the very builds that it names".into());
        }
        if let Some(why) = self.is_always_asked_for(built_in) {
            return waits(why);
        }
        if let Some(key) = &entry.signed_by {
            if let Err(why) = signature::of_file(self.file).and_then(|found| found.verify_by(key, self.bytes)) {
                return waits(format!("which was signed by {}, and {why}", signers.name(key)));
            }
        } else if !entry.came_from(self.file) {
            let from = if entry.source.is_empty() { "elsewhere" } else { &entry.source };
            let next = if entry.is_of_a_file() { "" } else { ". To look there again: bitrouter plugin update" };
            return waits(format!("and it does not come from where that came from ({from}){next}"));
        } else if let Err(why) = folder::check(self.file) {
            return waits(format!("and somebody else could have put it there: {why}"));
        }
        Ok(format!(
            "another build than the one that you accepted ({} instead of {}), which asks for nothing more",
            short(self.digest.as_str()),
            short(&entry.sha256)
        ))
    }

    /// What `plugin trust` marks because it may be another provider's: it is looked at each time.
    fn is_always_asked_for(&self, built_in: &[Description]) -> Option<String> {
        for says in self.says {
            let wanted: Vec<&str> = says.auth.iter().flat_map(Auth::env).collect();
            for other in built_in {
                if other.id == says.id {
                    return Some(format!("and `{}` is built in: each build in its place is asked for", other.id));
                }
                if let Some(variable) = other.auth.iter().flat_map(Auth::env).find(|variable| wanted.contains(variable))
                {
                    let id = &other.id;
                    return Some(format!(
                        "and {variable} is the key of the built-in `{id}`: each build that gets it is asked for"
                    ));
                }
            }
        }
        None
    }
}

/// The first digits of a digest, as people compare them.
pub fn short(sha256: &str) -> &str {
    sha256.get(..12).unwrap_or(sha256)
}
