//! Why something cools down, and for how long at least and at most. `status` shows the sentences.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Why something cools down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Too many requests or tokens in a short while.
    RateLimited,
    /// A limit of the plan, over hours or days.
    UsageLimit,
    /// A key's quota is used up, or there is no credit.
    NoCredit,
    /// The account or its workspace is switched off.
    Deactivated,
    /// The credential is dead: it was refused after a refresh too.
    LoggedOut,
    /// The plan or the account does not have the model.
    NotOffered,
    /// There is nothing where this account is asked for the model.
    NotFound,
    /// The provider says that it has too much to do.
    Overloaded,
    /// The provider answers with errors of its own (5xx).
    Failing,
    /// No connection could be opened.
    Unreachable,
    /// A connection took so long to open that the request went elsewhere.
    SlowConnect,
    /// A connection was there, and no answer came in time.
    Silent,
    /// The answer broke off before its content began.
    BrokeOff,
    /// Something in front of the provider answers in its place: with a web page, or by leading elsewhere.
    InFront,
}

/// What kind of reason it is: everything that treats several alike asks for this.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A limit that ends by itself.
    Limit,
    /// The account needs somebody who mends it.
    Account,
    /// This account does not have the model.
    NoModel,
    /// No connection was there.
    NoConnection,
    /// Any other outage.
    Outage,
}

impl Reason {
    fn class(self) -> Class {
        match self {
            Reason::RateLimited | Reason::UsageLimit => Class::Limit,
            Reason::NoCredit | Reason::Deactivated | Reason::LoggedOut => Class::Account,
            Reason::NotOffered | Reason::NotFound => Class::NoModel,
            Reason::Unreachable | Reason::SlowConnect => Class::NoConnection,
            Reason::Overloaded | Reason::Failing | Reason::Silent | Reason::BrokeOff | Reason::InFront => Class::Outage,
        }
    }

    /// Whether it is an outage: something that nobody can tell the end of, and that is found out by trying.
    pub fn is_outage(self) -> bool {
        match self.class() {
            Class::NoConnection | Class::Outage => true,
            Class::Limit | Class::Account | Class::NoModel => false,
        }
    }

    /// Whether no connection could be opened, which is no request's doing.
    pub(crate) fn is_no_connection(self) -> bool {
        self.class() == Class::NoConnection
    }

    /// Whether a single request may have brought it about: one on which a backend crashes, or which a filter in front of it
    /// refuses.
    pub fn may_be_a_requests_own(self) -> bool {
        self.class() == Class::Outage
    }

    /// Whether it is only asked after all others, and kept from nobody.
    pub(super) fn only_puts_off(self) -> bool {
        self.class() == Class::NoModel
    }

    /// Whether it is a limit, which fresh quota headers can lift. Only limits outlive the gateway: everything else is
    /// found out anew at the first request, and a restart may well be what mends it (a new key, a network that is back).
    pub fn is_limit(self) -> bool {
        self.class() == Class::Limit
    }

    /// How long the first one lasts where the provider tells no end. It doubles while it goes on.
    pub fn first(self) -> Duration {
        match self {
            // Rates are mostly counted by the minute.
            Reason::RateLimited => MINUTE,
            // It may be a hiccup, and where it is none the wait grows.
            Reason::NotFound => MINUTE,
            // The shortest window of a plan that is known has hours; a quarter of one is soon enough to look.
            Reason::UsageLimit | Reason::NoCredit | Reason::Deactivated | Reason::LoggedOut | Reason::NotOffered => {
                15 * MINUTE
            }
            // One hiccup must cost nobody more than a blink, least of all where there is no other target; who stays down is
            // left alone for twice as long each time.
            Reason::Overloaded
            | Reason::Failing
            | Reason::Unreachable
            | Reason::SlowConnect
            | Reason::Silent
            | Reason::BrokeOff
            | Reason::InFront => Duration::from_secs(1),
        }
    }

    /// How far that doubling goes.
    pub fn doubled_most(self) -> Duration {
        // Two minutes after a provider is back everybody uses it again.
        if self.is_outage() { 2 * MINUTE } else { HOUR }
    }

    /// The longest that it lasts, whatever the provider tells.
    pub fn most(self) -> Duration {
        match self {
            // The longest window that is known has a week; a day is for clocks that differ.
            Reason::UsageLimit => 8 * 24 * HOUR,
            Reason::RateLimited
            | Reason::NoCredit
            | Reason::Deactivated
            | Reason::LoggedOut
            | Reason::NotOffered
            | Reason::NotFound
            | Reason::Overloaded
            | Reason::Failing
            | Reason::Unreachable
            | Reason::SlowConnect
            | Reason::Silent
            | Reason::BrokeOff
            | Reason::InFront => self.doubled_most(),
        }
    }

    /// The shortest that it lasts, whatever the provider tells: where its clock and ours differ, or it always says one
    /// second, the floor rises with each failure.
    pub(super) fn floor(self, strikes: u32) -> Duration {
        match self.is_outage() {
            true => doubled(self.first(), strikes, self.doubled_most()),
            false => doubled(Duration::from_secs(1), strikes, MINUTE),
        }
    }
}

/// `first` at the first strike, twice that at the second, and so on up to `most`.
pub(super) fn doubled(first: Duration, strikes: u32, most: Duration) -> Duration {
    let times = 1u32.checked_shl(strikes.saturating_sub(1)).unwrap_or(u32::MAX);
    first.saturating_mul(times).min(most)
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::RateLimited => "rate limit reached",
            Reason::UsageLimit => "usage limit of the plan reached",
            Reason::NoCredit => "quota used up or no credit left: see its billing at the provider",
            Reason::Deactivated => "the account or its workspace is deactivated: see it at the provider",
            Reason::LoggedOut => "the credential is refused: log in again, or replace the key",
            Reason::NotOffered => "the plan or account does not have this model",
            Reason::NotFound => "nothing was found where the model is asked for",
            Reason::Overloaded => "overloaded",
            Reason::Failing => "failing with server errors",
            Reason::Unreachable => "no connection",
            Reason::SlowConnect => "slow to connect",
            Reason::Silent => "no answer in time",
            Reason::BrokeOff => "answers break off before they begin",
            Reason::InFront => "something in front of it answers in its place",
        })
    }
}

#[cfg(test)]
pub(super) const ALL: [Reason; 14] = [
    Reason::RateLimited,
    Reason::UsageLimit,
    Reason::LoggedOut,
    Reason::NotOffered,
    Reason::Overloaded,
    Reason::Failing,
    Reason::Unreachable,
    Reason::SlowConnect,
    Reason::Silent,
    Reason::BrokeOff,
    Reason::InFront,
    Reason::NotFound,
    Reason::NoCredit,
    Reason::Deactivated,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_the_file_is_the_reason_it_was_written_for() {
        for reason in ALL {
            let word = serde_json::to_string(&reason).unwrap();
            assert_eq!(serde_json::from_str::<Reason>(&word).unwrap(), reason);
            assert!(!reason.to_string().is_empty());
        }
        assert_eq!(serde_json::to_string(&Reason::UsageLimit).unwrap(), "\"usage-limit\"");
    }

    #[test]
    fn no_reason_contradicts_its_own_bounds() {
        for reason in ALL {
            assert!(reason.first() <= reason.doubled_most() && reason.doubled_most() <= reason.most(), "{reason:?}");
            assert!(reason.floor(u32::MAX) <= reason.doubled_most(), "{reason:?}");
            assert!(!reason.floor(1).is_zero(), "{reason:?}");
        }
    }

    #[test]
    fn a_length_doubles_up_to_its_most() {
        let seconds = |strikes| doubled(Duration::from_secs(1), strikes, Duration::from_secs(120)).as_secs();
        assert_eq!([1, 2, 3, 4, 5, 7, 8, 40, u32::MAX].map(seconds), [1, 2, 4, 8, 16, 64, 120, 120, 120]);
    }
}
