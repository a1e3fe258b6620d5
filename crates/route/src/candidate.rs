//! One way to serve a request: a model of a provider, paid for by one account. The choice makes a list of them, a plan
//! tries them, and cooldowns are asked about each.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::Own;

/// One way to serve a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The index of its target among those of the request.
    pub target: usize,
    /// The provider's id.
    pub provider: Arc<str>,
    /// The provider's own name of the model.
    pub model: Arc<str>,
    /// Who pays; none where the provider needs no credential.
    pub account: Option<Account>,
    /// The headers of the client's own that go there. They matter only once something cools down or has failed.
    pub own: Option<Own>,
}

/// An account that may pay.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its label.
    pub label: Arc<str>,
    /// When its credential came to be. One that is newer than the refusal of another is not refused.
    pub since: SystemTime,
}

impl Candidate {
    /// The candidate of this name, as a cooldown is asked about it.
    pub fn new(provider: impl Into<Arc<str>>, label: Option<&str>, model: impl Into<Arc<str>>) -> Self {
        let account = label.map(|label| Account { label: label.into(), since: UNIX_EPOCH });
        Candidate { target: 0, provider: provider.into(), model: model.into(), account, own: None }
    }

    /// The account's label.
    pub fn label(&self) -> Option<&str> {
        self.account.as_ref().map(|account| &*account.label)
    }

    /// Whether the other is the same, if for another target.
    pub(crate) fn is(&self, other: &Candidate) -> bool {
        self.provider == other.provider && self.model == other.model && self.label() == other.label()
    }
}

impl std::fmt::Display for Candidate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.provider)?;
        self.label().iter().try_for_each(|label| write!(f, "@{label}"))?;
        write!(f, ":{}", self.model)
    }
}
