//! What an address could have led to and does not, with the reason. `bitrouter route` shows it; an error is made of the
//! first where nothing is left.

use std::fmt;

use bitrouter_contract::description::Billing;

use super::billing;

/// A provider that a request does not go to although its address leads there.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The provider's id.
    pub provider: String,
    /// The provider's own name of the model.
    pub model: String,
    /// Why not.
    pub why: Why,
}

/// Why a provider is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// `enabled: false` in the config.
    Disabled,
    /// Its component is there and does not serve.
    Refused(String),
    /// The config is at odds with the component.
    Misconfigured(String),
    /// It does not serve what the endpoint wants.
    NotServed(String),
    /// It has no credential, and another that serves the model has one.
    NoCredential,
    /// Its component is not trusted, so that it answers to its own id alone. The command that accepts it.
    NotTrusted(String),
    /// It stands behind this target, which lacks a credential, and to go on from there would begin to cost money.
    Behind(String),
    /// It is paid for in another way than the first that serves the model.
    Money {
        /// How it is paid for.
        costs: Billing,
        /// How the first is.
        chosen: Billing,
    },
}

impl Why {
    /// Whether it is what a client is told where nothing is left. What was passed over because of another target is not: that
    /// other is the one to name.
    pub fn is_the_error(&self) -> bool {
        match self {
            Why::Disabled | Why::Refused(_) | Why::Misconfigured(_) | Why::NotServed(_) => true,
            Why::NoCredential | Why::NotTrusted(_) | Why::Money { .. } | Why::Behind(_) => false,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Disabled => f.write_str("switched off in bitrouter.yaml"),
            Why::Refused(reason) => f.write_str(reason),
            Why::Misconfigured(fault) => write!(f, "bitrouter.yaml: {fault}"),
            Why::NotServed(wanted) => write!(f, "does not serve {wanted}"),
            Why::NoCredential => f.write_str("no credential"),
            Why::NotTrusted(to_accept) => {
                write!(f, "not trusted, so it answers to its own id alone. To accept it: {to_accept}")
            }
            Why::Behind(target) => write!(
                f,
                "not reached: {target} before it lacks a credential, and a request does not move on from there to what costs \
                 money for each token"
            ),
            Why::Money { costs, chosen } => write!(
                f,
                "{}: not moved to by itself. {}, and {} never moves to that unasked: to allow it, list both under `models` \
                 in bitrouter.yaml, or in the request's own `models`",
                billing::in_words(*costs),
                match costs {
                    Billing::PayPerToken => "It costs money for each token",
                    Billing::Subscription => "A plan pays for it",
                    Billing::Free => "It costs nothing",
                },
                match chosen {
                    Billing::PayPerToken => "what costs money for each token",
                    Billing::Subscription => "a plan",
                    Billing::Free => "what costs nothing",
                }
            ),
        }
    }
}
