//! What a client asks for, and which providers it was promised, in which order. Written down from the routing rules by
//! hand: nothing of the resolver is used here, so that it is the resolver that is wrong where the two differ.

use super::upstream::{MODELS, PAID, PROVIDERS};

/// What a client asked for.
#[derive(Clone, Debug)]
pub(crate) enum Requested {
    /// A bare name.
    Bare,
    /// The same behind its vendor's.
    Vendor,
    /// A list in the request that crosses from a plan to what costs money, by name.
    List,
    /// A name of the config with a `*`, for all of them.
    Glob,
    /// A name of the config for a list that begins with a bare name and crosses by the name of a provider.
    Named,
    /// One account.
    Account(usize, usize),
}

/// How a provider is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pays {
    Plan,
    EachToken,
}

pub(crate) fn pays(provider: usize) -> Pays {
    if provider == PAID { Pays::EachToken } else { Pays::Plan }
}

impl Requested {
    /// The addresses in the request.
    pub(crate) fn addresses(&self, model: usize, labels: &[&str]) -> Vec<String> {
        let name = MODELS[model];
        match self {
            Requested::Bare => vec![name.to_owned()],
            Requested::Vendor => vec![format!("acme/{name}")],
            Requested::List => vec![format!("spare:{name}"), format!("paid:{name}"), format!("spare:{name}")],
            Requested::Glob => vec![format!("all-{name}")],
            Requested::Named => vec![format!("{name}-then-paid")],
            Requested::Account(provider, account) => {
                vec![format!("{}@{}:{name}", PROVIDERS[*provider], labels[*account])]
            }
        }
    }

    /// The providers that may be asked, in this order. `paid_first`: the config prefers what costs money.
    pub(crate) fn promised(&self, paid_first: bool) -> Vec<usize> {
        let [team, spare] = [0, 1];
        match (self, paid_first) {
            (Requested::Bare | Requested::Vendor, false) => vec![team, spare],
            (Requested::Bare | Requested::Vendor, true) => vec![PAID],
            (Requested::List, _) => vec![spare, PAID],
            (Requested::Glob, _) => vec![PAID, team, spare],
            (Requested::Named, false) => vec![team, spare, PAID],
            (Requested::Named, true) => vec![PAID],
            (Requested::Account(provider, _), _) => vec![*provider],
        }
    }

    /// Whether it names nobody, so that it may not cross between a plan and what costs money.
    pub(crate) fn names_nobody(&self) -> bool {
        matches!(self, Requested::Bare | Requested::Vendor)
    }
}
