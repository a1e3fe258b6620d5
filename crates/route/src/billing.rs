//! Ways of paying: which comes first, and where a request may go on to. Nobody else compares two of them.

use bitrouter_contract::description::Billing;

/// The order in which providers are asked, the lowest first: by `priority`, and where that says nothing, what is paid for
/// already before what costs nothing, and both before what costs money.
pub fn rank(priority: u64, billing: Billing) -> (u64, u8) {
    let way = match billing {
        Billing::Subscription => 0,
        Billing::Free => 1,
        Billing::PayPerToken => 2,
    };
    (priority, way)
}

/// Whether a request that goes on from one to the other begins to cost money for each token.
pub fn begins_to_cost(from: Billing, to: Billing) -> bool {
    match (from, to) {
        (Billing::Subscription | Billing::Free, Billing::PayPerToken) => true,
        (Billing::Subscription | Billing::Free, Billing::Subscription | Billing::Free) => false,
        (Billing::PayPerToken, Billing::Subscription | Billing::Free | Billing::PayPerToken) => false,
    }
}

/// Whether a request that takes something from a plan begins to cost money. A slow network is no reason for that.
pub fn leaves_a_plan(from: Billing, to: Billing) -> bool {
    takes_from_a_plan(from) && begins_to_cost(from, to)
}

/// Whether a call takes something from a plan, which is scarce. Beside any other a second one costs money at most.
pub fn takes_from_a_plan(billing: Billing) -> bool {
    match billing {
        Billing::Subscription => true,
        Billing::Free | Billing::PayPerToken => false,
    }
}

/// A way of paying as people say it.
pub fn in_words(billing: Billing) -> &'static str {
    match billing {
        Billing::PayPerToken => "pay-per-token",
        Billing::Subscription => "subscription",
        Billing::Free => "free",
    }
}
