//! What cools down: an account, a model of an account, a target, or a whole provider. It reads like an address. A provider that needs no credential has no accounts, so there its account is the provider.

use std::fmt;

use serde::Serialize;

use crate::{Candidate, Own};

/// The longest name of a model that is remembered, in bytes. Names come from clients; no provider has one of this length.
pub(super) const LONGEST_MODEL: usize = 256;

/// What cools down: everything of a provider that has this label and this model, where they are given.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Subject {
    /// The provider's id.
    pub provider: String,
    /// The account's label; none for every account.
    #[serde(rename = "account")]
    pub label: Option<String>,
    /// The provider's own name of the model; none for every model.
    pub model: Option<String>,
    /// The headers of the client's own without which it may well work; none for every request.
    #[serde(skip)]
    pub own: Option<Own>,
}

impl Candidate {
    /// Its provider, with all accounts and models.
    pub fn as_provider(&self) -> Subject {
        Subject { provider: self.provider.to_string(), label: None, model: None, own: None }
    }

    /// Its account, with all models.
    pub fn as_account(&self) -> Subject {
        Subject { label: self.label().map(str::to_owned), ..self.as_provider() }
    }

    /// Its model at its provider, with all accounts: a target.
    pub fn as_target(&self) -> Subject {
        Subject { model: Some(self.model.to_string()), ..self.as_provider() }
    }

    /// Its model as its account has it.
    pub fn as_model_of_account(&self) -> Subject {
        Subject { model: Some(self.model.to_string()), ..self.as_account() }
    }
}

impl Subject {
    /// Whether a request to the candidate is a request to this.
    pub fn covers(&self, candidate: &Candidate) -> bool {
        *self.provider == *candidate.provider
            && self.label.as_deref().is_none_or(|label| candidate.label() == Some(label))
            && self.model.as_deref().is_none_or(|model| *candidate.model == *model)
            && self.own.as_ref().is_none_or(|own| candidate.own.as_ref() == Some(own))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.provider)?;
        self.label.iter().try_for_each(|label| write!(f, "@{label}"))?;
        self.model.iter().try_for_each(|model| write!(f, ":{model}"))?;
        self.own.iter().try_for_each(|own| write!(f, " with a client's {own}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_covers_what_it_names_and_reads_like_an_address() {
        let candidate = Candidate::new("openai", Some("work"), "gpt-5");
        let other_account = Candidate::new("openai", Some("home"), "gpt-5");
        let other_model = Candidate::new("openai", Some("work"), "o3");
        let other_provider = Candidate::new("azure", Some("work"), "gpt-5");
        for (subject, address, covers_other_account, covers_other_model) in [
            (candidate.as_provider(), "openai", true, true),
            (candidate.as_account(), "openai@work", false, true),
            (candidate.as_target(), "openai:gpt-5", true, false),
            (candidate.as_model_of_account(), "openai@work:gpt-5", false, false),
        ] {
            assert_eq!(subject.to_string(), address);
            assert!(subject.covers(&candidate), "{address}");
            assert_eq!(subject.covers(&other_account), covers_other_account, "{address}");
            assert_eq!(subject.covers(&other_model), covers_other_model, "{address}");
            assert!(!subject.covers(&other_provider), "{address}");
        }
    }

    #[test]
    fn without_accounts_the_account_is_the_provider() {
        let candidate = Candidate::new("ollama", None, "qwen3:8b");
        assert_eq!(candidate.as_account(), candidate.as_provider());
        assert_eq!(candidate.as_model_of_account().to_string(), "ollama:qwen3:8b");
    }
}
