//! The choice: which providers a name stands for, who pays for each target, and in which order they are asked.
//!
//! Requests, `bitrouter route`, the pages of models and the simulation all ask here. Nothing is read or sent: what is known
//! comes in, and an ordered list of candidates goes out, with the reason for whatever is not in it. What cools down is
//! left to a [`Plan`](super::Plan), which tries them in this order.

use std::cell::LazyCell;
use std::sync::Arc;

use bitrouter_contract::description::Billing;

use super::candidate::{Account, Candidate};
use super::{Conversation, Strategy, Why, Window, billing};

/// What matters of a provider among others that list the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Lower first.
    pub priority: u64,
    /// How a call is paid for.
    pub billing: Billing,
    /// Whether a credential is there, or none is needed. One that cannot be used is one: else a login that is over would
    /// move its requests to what costs money.
    pub has_credential: bool,
}

/// The providers that a name stands for.
#[derive(Debug)]
pub struct Named<T> {
    /// Those that are asked, in order. All are paid for in the same way.
    pub chosen: Vec<T>,
    /// How.
    pub billing: Billing,
    /// Whether they have credentials. Either all do, or nobody who lists the name has one.
    pub have_credentials: bool,
    /// Those that are passed over, and why.
    pub passed_over: Vec<(T, Why)>,
}

/// Chooses among the providers that list a name: those with a credential before those without, and of them all that are paid
/// for as the first is. A bare name never moves by itself from one way of paying to another. None where nobody lists it.
pub fn by_name<T>(mut listing: Vec<(T, Terms)>) -> Option<Named<T>> {
    let have_credentials = listing.iter().any(|(_, terms)| terms.has_credential);
    // Stable: where nothing else says it, they stay in the order of their names.
    listing.sort_by_key(|(_, terms)| billing::rank(terms.priority, terms.billing));
    let first = listing.iter().find(|(_, terms)| terms.has_credential == have_credentials)?.1.billing;
    let mut named = Named { chosen: Vec::new(), billing: first, have_credentials, passed_over: Vec::new() };
    for (provider, Terms { billing: costs, has_credential, .. }) in listing {
        if has_credential != have_credentials {
            named.passed_over.push((provider, Why::NoCredential));
        } else if costs != first {
            named.passed_over.push((provider, Why::Money { costs, chosen: first }));
        } else {
            named.chosen.push(provider);
        }
    }
    Some(named)
}

/// A target before anybody is chosen to pay for it.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The provider's id.
    pub provider: Arc<str>,
    /// The provider's own name of the model.
    pub model: Arc<str>,
    /// How a call is paid for.
    pub billing: Billing,
    /// How its accounts share the work.
    pub strategy: Strategy,
    /// Who may pay.
    pub payers: Payers,
}

/// Who may pay for a target.
#[derive(Clone, Debug)]
pub enum Payers {
    /// The provider needs no credential.
    NotNeeded,
    /// These, in label order.
    Accounts(Vec<Account>),
    /// Nobody.
    Nobody {
        /// What is missing, and what to do about it.
        sentence: String,
        /// Whether there never was a credential: nobody meant to pay with it.
        missing: bool,
    },
}

/// Why nobody is asked for a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unasked {
    /// Nobody pays, with what is missing.
    Unpaid(String),
    /// It stands behind the target of this index, which lacks a credential, and to go on from there would begin to cost money.
    Behind(usize),
}

/// Who is asked for the targets of a request.
#[derive(Debug, Default)]
pub struct Choice {
    /// In the order in which they are tried, each once.
    pub candidates: Vec<Candidate>,
    /// The targets, by index, for which nobody is asked.
    pub unasked: Vec<(usize, Unasked)>,
}

impl Choice {
    /// Chooses for these targets. `windows` gives what is known of the limits of a provider's account, and is asked only to
    /// balance; so is `conversation` only where accounts are sticky.
    pub fn of(
        offers: Vec<Offer>,
        windows: impl Fn(&str, &str) -> Vec<Window>,
        conversation: impl FnOnce() -> Option<Conversation>,
    ) -> Self {
        let conversation = LazyCell::new(conversation);
        let mut choice = Choice { candidates: Vec::with_capacity(offers.len()), unasked: Vec::new() };
        let count = offers.len();
        let mut offers = offers.into_iter();
        while let Some(Offer { provider, model, billing, strategy, payers }) = offers.next() {
            let rest = offers.as_slice();
            let target = count - rest.len() - 1;
            let candidate = |account| {
                let (provider, model) = (Arc::clone(&provider), Arc::clone(&model));
                Candidate { target, provider, model, account, own: None }
            };
            match payers {
                Payers::NotNeeded => choice.push(candidate(None)),
                Payers::Accounts(accounts) => {
                    let of_account = |label: &str| windows(&provider, label);
                    let ordered = strategy.ordered(accounts, of_account, || conversation.as_ref());
                    ordered.into_iter().for_each(|account| choice.push(candidate(Some(account))));
                }
                Payers::Nobody { sentence, missing } => {
                    choice.unasked.push((target, Unasked::Unpaid(sentence)));
                    // Loud, and never a reason to move on to something that costs money.
                    if missing && rest.iter().any(|next| billing::begins_to_cost(billing, next.billing)) {
                        choice.unasked.extend((target + 1..count).map(|later| (later, Unasked::Behind(target))));
                        break;
                    }
                }
            }
        }
        choice
    }

    /// The accounts of a target, in order. One that an earlier target has for the same model is not among them.
    pub fn accounts(&self, target: usize) -> impl Iterator<Item = &Candidate> {
        self.candidates.iter().filter(move |candidate| candidate.target == target)
    }

    /// An account that more than one target has for a model is asked in the first.
    fn push(&mut self, candidate: Candidate) {
        if !self.candidates.iter().any(|known| known.is(&candidate)) {
            self.candidates.push(candidate);
        }
    }
}

#[cfg(test)]
mod tests;
