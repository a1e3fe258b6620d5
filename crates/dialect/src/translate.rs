//! Translation between the four dialects: a request into the dialect of its target, and the answer back into its
//! client's. The host calls it only where a target does not serve the client's dialect.
//!
//! Each dialect has a reader into one common view and a writer out of it, for requests (`request.rs`) and for answers
//! (`answer.rs`), so that twelve directions are eight pieces (docs/decisions/0028). Text, tool arguments, schemas and
//! signed values pass as the bytes between their quotes: nothing is parsed into values and printed again. A request is
//! translated as a pure function of its body, so that a history with a turn more becomes the same history with a turn
//! more, to the byte.

mod answer;
mod error;
mod facts;
mod foreign;
mod ids;
mod lost;
mod media;
mod names;
mod normalize;
mod opaque;
mod reasoning;
mod request;
mod schema;
mod stream;
mod writer;

use std::fmt;

pub use error::error;
pub use facts::{Facts, Thinking};
pub use foreign::strip_foreign;
pub use lost::Lost;
pub use names::Names;
pub use opaque::{NoStates, Owner, States};
pub use stream::{Answer, AnswerTranslation};

use crate::dialect::Dialect;
use crate::json;

/// Where a request goes.
pub struct Target<'a> {
    /// The dialect that it is translated into.
    pub dialect: Dialect,
    /// The model, as the target calls it.
    pub model: &'a str,
    /// Who gets to see opaque state: only state that this owner made is sent.
    pub owner: Owner<'a>,
    /// What the model takes and refuses.
    pub facts: Facts,
    /// State that the gateway kept for clients that have no place for it.
    pub states: &'a dyn States,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// The dialect of the body.
    pub dialect: Dialect,
    /// Whether it asks for a stream where its body does not say so (generateContent: the method in its path says it).
    pub stream: bool,
    /// What names its session in a header, if anything does: requests of one session share a prompt cache.
    pub session: Option<&'a str>,
}

/// A request in its target's dialect.
#[derive(Debug)]
pub struct Translated {
    /// The body to send.
    pub body: Vec<u8>,
    /// What the target was not told.
    pub lost: Lost,
    /// What its answer needs to be translated back.
    pub names: Names,
    /// What the target has to be told in a header so that it takes the body.
    pub headers: &'static [(&'static str, &'static str)],
}

/// Why a request has no translation: an error of the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untranslatable {
    /// The sentence: the thing, the place and the next step.
    pub message: String,
    /// The member at fault.
    pub param: Option<String>,
}

impl fmt::Display for Untranslatable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Untranslatable {}

/// Translates the body of a request.
///
/// # Errors
///
/// The body is not JSON, or asks for something without which the answer would be another one (`background`).
pub fn request(client: &Client<'_>, body: &[u8], target: &Target<'_>) -> Result<Translated, Untranslatable> {
    if let Err(error) = serde_json::from_slice::<&serde_json::value::RawValue>(body) {
        return Err(Untranslatable { message: format!("the body is not JSON: {error}"), param: None });
    }
    json::measured(body, || {
        let mut losses = lost::Losses::default();
        let mut view = request::read(client, body, target, &mut losses)?;
        let names = normalize::normalize(&mut view, client.dialect, target, &mut losses);
        let body_out = request::write(&view, target, &mut losses);
        let headers = request::headers(&view, target);
        Ok(Translated { body: body_out, lost: losses.into_lost(body), names, headers })
    })
}
