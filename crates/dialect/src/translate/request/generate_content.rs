//! Requests of generate_content: reading and writing.

use super::{Json, Request};
use crate::translate::lost::Losses;
use crate::translate::{Target, Untranslatable};

pub(super) fn read<'a>(
    body: Json<'a>,
    target: &Target<'_>,
    losses: &mut Losses<'a>,
) -> Result<Request<'a>, Untranslatable> {
    let _ = (body, target, losses);
    Ok(Request::default())
}

pub(super) fn write<'a>(request: &Request<'a>, target: &Target<'_>, losses: &mut Losses<'a>) -> Vec<u8> {
    let _ = (request, target, losses);
    Vec::new()
}
