//! What is the same for all pairs, between reading and writing a request: ids that the target takes, results with their
//! calls, names of tools, states of their owner.

use super::Target;
use super::lost::Losses;
use super::names::Names;
use super::request::Request;

/// Makes the view one that the target's dialect can have, and keeps what the answer needs to be brought back.
pub(crate) fn normalize<'a>(request: &mut Request<'a>, target: &Target<'_>, losses: &mut Losses<'a>) -> Names {
    let _ = (request, target, losses);
    Names::default()
}
