//! What a failure is and what it concerns: the documented values of `failure.kind` and `failure.scope` in the contract.
//!
//! Both may gain values, so a word that is not known is read as one that is; nothing is ever refused for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// Too many requests or tokens in a short time.
    RateLimited,
    /// A plan's window is used up, and ends.
    UsageLimit,
    /// The account has no money left, or has reached what its owner lets it spend: waiting does not help.
    NoCredit,
    /// The upstream has too much to do.
    Overloaded,
    /// The upstream is broken or out of reach.
    Unavailable,
    /// The credential is not accepted.
    Unauthorized,
    /// The account may not do this.
    Forbidden,
    /// There is no such model, or not for this account.
    ModelNotFound,
    /// The call holds more than the model takes.
    ContextExceeded,
    /// A content filter refused the call.
    ContentFiltered,
    /// The call itself is wrong.
    InvalidRequest,
    /// This provider cannot do it.
    Unsupported,
    /// None of the others.
    Other,
}

impl FailureKind {
    /// The contract's word for it.
    pub fn word(self) -> &'static str {
        match self {
            FailureKind::RateLimited => "rate-limited",
            FailureKind::UsageLimit => "usage-limit",
            FailureKind::NoCredit => "no-credit",
            FailureKind::Overloaded => "overloaded",
            FailureKind::Unavailable => "unavailable",
            FailureKind::Unauthorized => "unauthorized",
            FailureKind::Forbidden => "forbidden",
            FailureKind::ModelNotFound => "model-not-found",
            FailureKind::ContextExceeded => "context-exceeded",
            FailureKind::ContentFiltered => "content-filtered",
            FailureKind::InvalidRequest => "invalid-request",
            FailureKind::Unsupported => "unsupported",
            FailureKind::Other => "other",
        }
    }

    /// What such a failure mostly concerns.
    pub fn scope(self) -> Scope {
        match self {
            FailureKind::RateLimited
            | FailureKind::UsageLimit
            | FailureKind::NoCredit
            | FailureKind::Unauthorized
            | FailureKind::Forbidden => Scope::Account,
            FailureKind::Overloaded
            | FailureKind::ModelNotFound
            | FailureKind::ContextExceeded
            | FailureKind::ContentFiltered => Scope::Model,
            FailureKind::InvalidRequest => Scope::Request,
            FailureKind::Unavailable | FailureKind::Unsupported | FailureKind::Other => Scope::Provider,
        }
    }

    /// The contract's word; one that is not known is none of the others.
    pub fn of(word: &str) -> Self {
        match word {
            "rate-limited" => FailureKind::RateLimited,
            "usage-limit" => FailureKind::UsageLimit,
            "no-credit" => FailureKind::NoCredit,
            "overloaded" => FailureKind::Overloaded,
            "unavailable" => FailureKind::Unavailable,
            "unauthorized" => FailureKind::Unauthorized,
            "forbidden" => FailureKind::Forbidden,
            "model-not-found" => FailureKind::ModelNotFound,
            "context-exceeded" => FailureKind::ContextExceeded,
            "content-filtered" => FailureKind::ContentFiltered,
            "invalid-request" => FailureKind::InvalidRequest,
            "unsupported" => FailureKind::Unsupported,
            _ => FailureKind::Other,
        }
    }
}

/// What a failure concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// This request: it would fail anywhere.
    Request,
    /// The account that paid for it.
    Account,
    /// This model of this provider.
    Model,
    /// All of the provider.
    Provider,
}

impl Scope {
    /// The contract's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Scope::Request => "request",
            Scope::Account => "account",
            Scope::Model => "model",
            Scope::Provider => "provider",
        }
    }

    /// The contract's word; one that is not known concerns the provider, which is tried no more for this request.
    pub fn of(word: &str) -> Self {
        match word {
            "request" => Scope::Request,
            "account" => Scope::Account,
            "model" => Scope::Model,
            _ => Scope::Provider,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every word that the contract documents for a member.
    fn documented(member: &str) -> Vec<String> {
        let contract = include_str!("../../../wit/0.1.0/provider.wit");
        let record = &contract[contract.find("record failure").unwrap()..];
        let before = &record[..record.find(&format!("{member}: string")).unwrap()];
        let comment = &before[before.rfind("ocumented values:").unwrap()..];
        comment.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_word_of_the_contract_is_read_and_is_what_serde_writes() {
        let (kinds, scopes) = (documented("kind"), documented("scope"));
        assert_eq!((kinds.len(), scopes.len()), (13, 4));
        for word in kinds {
            assert_eq!(serde_json::to_value(FailureKind::of(&word)).unwrap(), word.as_str());
            assert_eq!(FailureKind::of(&word).word(), word);
        }
        for word in scopes {
            assert_eq!(serde_json::to_value(Scope::of(&word)).unwrap(), word.as_str());
            assert_eq!(Scope::of(&word).word(), word);
        }
    }

    #[test]
    fn a_kind_that_is_not_known_is_none_of_the_others() {
        assert_eq!([FailureKind::of("other"), FailureKind::of("tomorrow's")], [FailureKind::Other; 2]);
    }

    #[test]
    fn a_scope_that_is_not_known_concerns_the_provider() {
        assert_eq!([Scope::of("account"), Scope::of("tomorrow's")], [Scope::Account, Scope::Provider]);
    }
}
