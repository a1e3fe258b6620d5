//! What was run, as parts of generateContent: `executableCode` with `codeExecutionResult` behind it, `inlineData`. Searches
//! and pages stand in the metadata of a candidate.

use super::{Language, Ran, Run};
use crate::json;
use crate::translate::request::Json;
use crate::translate::writer::{Inside, Writer};

/// The run that `executableCode` begins.
pub(crate) fn begun(code: Json<'_>) -> Option<Run<'_>> {
    let text = |name| json::get(code, name).and_then(json::inside);
    let language = if text("language") == Some(b"PYTHON") { Language::Python } else { Language::Shell };
    let what = Ran::Code { code: Inside::Borrowed(text("code")?), language, output: Inside::default() };
    Some(Run::new(text("id"), what))
}

/// Takes in `codeExecutionResult`.
pub(crate) fn ended<'a>(run: &mut Run<'a>, result: Json<'a>) {
    let text = |name| json::get(result, name).and_then(json::inside);
    if let Ran::Code { output, .. } = &mut run.what {
        *output = Inside::Borrowed(text("output").unwrap_or_default());
    }
    run.failed = text("outcome").is_some_and(|outcome| outcome != b"OUTCOME_OK");
}

/// An image that the model drew.
pub(crate) fn image(data: Json<'_>) -> Option<Run<'_>> {
    let either = |camel, snake| json::get(data, camel).or_else(|| json::get(data, snake)).and_then(json::inside);
    let mime = either("mimeType", "mime_type").filter(|mime| mime.starts_with(b"image/"))?;
    let data = either("data", "data").filter(|data| !data.is_empty())?;
    Some(Run::new(None, Ran::Image { mime: Inside::Borrowed(mime), data: Inside::Borrowed(data) }))
}

/// The parts, each by itself; none of what is no part here.
pub(crate) fn parts(run: &Run<'_>) -> Vec<Vec<u8>> {
    let part = |name: &str, members: &[(&str, &[u8])]| {
        let mut part = Writer::default();
        part.open(b'{');
        part.key(name);
        part.open(b'{');
        members.iter().for_each(|(name, value)| part.inside_member(name, value));
        part.close(b'}');
        part.close(b'}');
        part.into_bytes()
    };
    match &run.what {
        Ran::Code { code, language, output } => {
            let language: &[u8] = match language {
                Language::Python => b"PYTHON",
                Language::Shell => b"LANGUAGE_UNSPECIFIED",
            };
            let outcome: &[u8] = if run.failed { b"OUTCOME_FAILED" } else { b"OUTCOME_OK" };
            vec![
                part("executableCode", &[("language", language), ("code", code)]),
                part("codeExecutionResult", &[("outcome", outcome), ("output", output)]),
            ]
        }
        Ran::Image { mime, data } => vec![part("inlineData", &[("mimeType", mime), ("data", data)])],
        Ran::Search { .. } | Ran::Fetch { .. } => Vec::new(),
    }
}
