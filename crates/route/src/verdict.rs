//! What a failure means for what may be tried next: the table "What moves on to the next target" of the routing rules.
//!
//! The pipeline asks after each failed attempt. Nothing here knows what was tried already; that is the plan's.

use std::time::{Duration, SystemTime};

use bitrouter_contract::Scope;
use bitrouter_dialect::ErrorKind;

use super::cooldown::Reason;

/// What a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What it concerns.
    pub scope: Scope,
    /// When it ends, as far as was said.
    pub ends: Option<Ends>,
    /// Why the target is left alone, where the kind does not say it.
    pub why: Option<Reason>,
    /// Whether it says something of the provider's health. What went wrong on this side, before anything was sent, does not.
    pub upstream: bool,
}

/// When a failure ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// So much later.
    After(Duration),
    /// At a time of day.
    At(SystemTime),
}

impl Ends {
    /// How long that is from now on.
    pub fn left(self, now: SystemTime) -> Duration {
        match self {
            Ends::After(after) => after,
            Ends::At(at) => at.duration_since(now).unwrap_or_default(),
        }
    }
}

/// What may be tried after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The provider's next account, then the next target.
    Account,
    /// The next target.
    Target,
    /// The next target, and this one again once all others have failed: nothing was sent to it.
    Later,
    /// Nothing: another would do no better.
    Nothing,
}

/// What is to be left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cools {
    /// The account, until its limit ends.
    Account,
    /// This model of the account, until its limit ends or its plan is seen to have it.
    AccountModel,
    /// The account, until it has another credential.
    Credential,
    /// The target, until its limit ends.
    TargetLimit,
    /// The target, briefly.
    Target,
}

impl Meaning {
    /// A failure of this side, which says nothing of the provider.
    pub fn ours(kind: ErrorKind, scope: Scope) -> Self {
        Meaning { kind, scope, ends: None, why: None, upstream: false }
    }

    /// A failure of the upstream's.
    pub fn theirs(kind: ErrorKind, scope: Scope, ends: Option<Ends>) -> Self {
        Meaning { kind, scope, ends, why: None, upstream: true }
    }

    /// What may be tried next.
    pub fn next(&self) -> Next {
        use ErrorKind as Kind;
        if self.why == Some(Reason::SlowConnect) {
            return Next::Later;
        }
        match self.kind {
            Kind::InvalidRequest | Kind::PayloadTooLarge | Kind::UnsupportedMediaType => Next::Nothing,
            // Known filters and windows are a model's: another model may be content.
            Kind::ContextWindow | Kind::ContentFilter => Next::Target,
            Kind::RateLimited | Kind::UsageLimit => match self.scope {
                Scope::Provider => Next::Target,
                Scope::Request | Scope::Account | Scope::Model => Next::Account,
            },
            Kind::Unauthorized | Kind::Forbidden => Next::Account,
            // The plan of another account may have the model; and where a token could not be refreshed, another account
            // has its own.
            Kind::NotFound | Kind::Unavailable => match self.scope {
                Scope::Account => Next::Account,
                Scope::Request | Scope::Model | Scope::Provider => Next::Target,
            },
            Kind::NotImplemented | Kind::Overloaded | Kind::Timeout | Kind::Upstream | Kind::Internal => Next::Target,
        }
    }

    /// What is to be left alone for a while; nothing where the next request may fare better at once.
    pub fn cools(&self) -> Option<Cools> {
        use ErrorKind as Kind;
        if !self.upstream {
            return None;
        }
        match self.kind {
            Kind::RateLimited | Kind::UsageLimit => Some(match self.scope {
                Scope::Model => Cools::AccountModel,
                Scope::Provider => Cools::TargetLimit,
                Scope::Request | Scope::Account => Cools::Account,
            }),
            Kind::Unauthorized => Some(Cools::Credential),
            // What another plan has is asked of that first from now on.
            Kind::Forbidden => match self.scope {
                Scope::Account | Scope::Model => Some(Cools::AccountModel),
                Scope::Request | Scope::Provider => None,
            },
            Kind::NotFound => match self.scope {
                Scope::Account => Some(Cools::AccountModel),
                Scope::Request | Scope::Model | Scope::Provider => None,
            },
            Kind::Overloaded | Kind::Unavailable | Kind::Timeout | Kind::Upstream | Kind::Internal => {
                Some(Cools::Target)
            }
            Kind::InvalidRequest | Kind::PayloadTooLarge | Kind::UnsupportedMediaType => None,
            Kind::ContextWindow | Kind::ContentFilter | Kind::NotImplemented => None,
        }
    }

    /// Why what cools is left alone.
    pub fn reason(&self) -> Reason {
        if let Some(why) = self.why {
            return why;
        }
        match self.kind {
            ErrorKind::UsageLimit => Reason::UsageLimit,
            ErrorKind::RateLimited => Reason::RateLimited,
            ErrorKind::Unauthorized => Reason::LoggedOut,
            ErrorKind::Forbidden | ErrorKind::NotFound => Reason::NotOffered,
            ErrorKind::Overloaded => Reason::Overloaded,
            ErrorKind::Timeout => Reason::Silent,
            ErrorKind::Unavailable
            | ErrorKind::Upstream
            | ErrorKind::Internal
            | ErrorKind::InvalidRequest
            | ErrorKind::PayloadTooLarge
            | ErrorKind::UnsupportedMediaType
            | ErrorKind::ContextWindow
            | ErrorKind::ContentFilter
            | ErrorKind::NotImplemented => Reason::Failing,
        }
    }

    /// Whether it is an answer, so that what the client sent may have brought it about. No connection is nobody's doing.
    pub fn is_an_answer(&self) -> bool {
        !self.why.is_some_and(Reason::is_no_connection)
    }

    /// How much its answer helps the client beside those of other failures; more is better. A limit says when to come
    /// back, an outage that it is worth to try again, a dead credential what to do, and only then comes what is wrong with
    /// the request for one target alone.
    pub fn usefulness(&self) -> u8 {
        use ErrorKind as Kind;
        match self.kind {
            Kind::InvalidRequest | Kind::PayloadTooLarge | Kind::UnsupportedMediaType => 9,
            Kind::RateLimited | Kind::UsageLimit => 8,
            // What a provider says of itself tells more than that none was reached.
            Kind::Overloaded | Kind::Unavailable | Kind::Timeout => 7,
            Kind::Upstream | Kind::Internal if self.upstream => 6,
            Kind::Unauthorized => 5,
            Kind::ContextWindow | Kind::ContentFilter => 4,
            Kind::Forbidden => 3,
            Kind::NotFound => 2,
            Kind::NotImplemented => 1,
            Kind::Upstream | Kind::Internal => 0,
        }
    }

    /// Whether it is one of the two limits.
    pub fn is_limit(&self) -> bool {
        use ErrorKind as Kind;
        match self.kind {
            Kind::RateLimited | Kind::UsageLimit => true,
            Kind::Unauthorized | Kind::Forbidden | Kind::NotFound | Kind::NotImplemented => false,
            Kind::Overloaded | Kind::Unavailable | Kind::Timeout | Kind::Upstream | Kind::Internal => false,
            Kind::InvalidRequest | Kind::PayloadTooLarge | Kind::UnsupportedMediaType => false,
            Kind::ContextWindow | Kind::ContentFilter => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(kind: ErrorKind, scope: Scope) -> Meaning {
        Meaning::theirs(kind, scope, None)
    }

    #[test]
    fn every_row_of_the_table_moves_on_as_it_says() {
        use ErrorKind as Kind;
        for (kind, scope, next, cools) in [
            (Kind::RateLimited, Scope::Account, Next::Account, Some(Cools::Account)),
            (Kind::UsageLimit, Scope::Account, Next::Account, Some(Cools::Account)),
            (Kind::RateLimited, Scope::Model, Next::Account, Some(Cools::AccountModel)),
            (Kind::RateLimited, Scope::Provider, Next::Target, Some(Cools::TargetLimit)),
            (Kind::Overloaded, Scope::Model, Next::Target, Some(Cools::Target)),
            (Kind::Unavailable, Scope::Provider, Next::Target, Some(Cools::Target)),
            (Kind::Unavailable, Scope::Account, Next::Account, Some(Cools::Target)),
            (Kind::Timeout, Scope::Provider, Next::Target, Some(Cools::Target)),
            (Kind::Upstream, Scope::Provider, Next::Target, Some(Cools::Target)),
            (Kind::Unauthorized, Scope::Account, Next::Account, Some(Cools::Credential)),
            (Kind::Forbidden, Scope::Account, Next::Account, Some(Cools::AccountModel)),
            (Kind::Forbidden, Scope::Request, Next::Account, None),
            (Kind::NotFound, Scope::Account, Next::Account, Some(Cools::AccountModel)),
            (Kind::NotFound, Scope::Model, Next::Target, None),
            (Kind::ContextWindow, Scope::Model, Next::Target, None),
            (Kind::ContentFilter, Scope::Model, Next::Target, None),
            (Kind::InvalidRequest, Scope::Request, Next::Nothing, None),
            (Kind::NotImplemented, Scope::Model, Next::Target, None),
        ] {
            let meaning = upstream(kind, scope);
            assert_eq!((meaning.next(), meaning.cools()), (next, cools), "{kind:?} of {scope:?}");
        }
    }

    #[test]
    fn what_went_wrong_on_this_side_cools_nothing() {
        assert_eq!(Meaning::ours(ErrorKind::Unavailable, Scope::Provider).cools(), None);
    }
}
