//! What is the same for all pairs, between reading and writing a request: names of tools, ids that the target takes, results
//! with their calls, states of their owner. A pure function of the history: what stands later changes nothing before.

mod pairs;
mod states;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use pairs::quoted;

use super::Target;
use super::lost::Losses;
use super::names::Names;
use super::request::Request;

/// Makes the view one that the target's dialect can have, and keeps what the answer needs to be brought back.
pub(crate) fn normalize<'a>(request: &mut Request<'a>, target: &Target<'_>, losses: &mut Losses<'a>) -> Names {
    let mut names = tools::rename(request, target, losses);
    // States first: those that are kept are found by the ids that the client has.
    let sent = states::restore(&mut request.turns, target);
    request.turns.retain(|turn| !turn.parts.is_empty());
    request.states_missing = sent.missing;
    names.states = sent.count;
    names.functions = request.functions;
    pairs::pair(&mut request.turns, target, losses);
    names
}
