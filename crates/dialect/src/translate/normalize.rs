//! What is the same for all pairs, between reading and writing a request: names of tools, ids that the target takes, results
//! with their calls, states of their owner. A pure function of the history: what stands later changes nothing before.

mod pairs;
pub(super) mod places;
mod states;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use pairs::quoted;

use super::Target;
use super::lost::Losses;
use super::names::Names;
use super::request::Request;
use crate::dialect::Dialect;

/// Makes the view one that the target's dialect can have, and keeps what the answer needs to be brought back.
pub(crate) fn normalize<'a>(
    request: &mut Request<'a>,
    client: Dialect,
    target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Names {
    // Others give every call an id.
    let by_place = client == Dialect::GenerateContent && !request.tools.is_empty();
    let histories = if by_place { places::histories(&request.turns) } else { Vec::new() };
    let mut names = tools::rename(request, target, losses);
    // States first: those that are kept are found by the ids that the client has.
    let sent = states::restore(&mut request.turns, target, &histories);
    request.turns.retain(|turn| !turn.parts.is_empty());
    request.states_missing = sent.missing;
    names.states = sent.count;
    names.history = histories.last().copied();
    pairs::pair(&mut request.turns, target, losses);
    names
}
