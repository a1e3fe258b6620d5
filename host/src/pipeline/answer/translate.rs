//! The translation: a stream in the provider's dialect becomes one in the client's, event by event. It is the place where
//! `dialect`'s translations will stand; `deliver` calls it behind the rewrite and before the fold.
//!
//! Only providers that serve the client's dialect are targets so far, so [`Translation`] has no value yet: what is behind
//! one is not compiled into the gateway, and the first translation is added by giving it a variant.

use super::AnswerSource;
use crate::pipeline::Received;

/// From which dialect into which.
pub(in crate::pipeline) enum Translation {}

impl Translation {
    /// What an answer needs, so that its client can read it: nothing where both speak one dialect, as they do.
    pub(in crate::pipeline) fn of(_received: &Received) -> Option<Self> {
        None
    }

    /// Puts the translation behind the source.
    pub(in crate::pipeline) fn stage(self, _source: AnswerSource) -> AnswerSource {
        match self {}
    }
}
