//! Failures inside answers whose status says that all is well, where a description says how they are told. The host makes
//! errors of them that every reader knows, before anything else looks at such an answer.

use std::borrow::Cow;

use bitrouter_contract::description::InsideFailure;
use serde_json::json;

use crate::error::ParsedError;
use crate::json;

/// What a document or an event says of its failure, if it is one.
pub(super) fn read(inside: &InsideFailure, data: &[u8]) -> Option<ParsedError> {
    let at = |pointer: &str| value(data, pointer);
    let code = written(at(&inside.code)?)?;
    let failed = !inside.well.iter().any(|well| *well == code);
    let message = || inside.message.as_deref().and_then(|pointer| written(at(pointer)?)).unwrap_or_default();
    failed.then(|| ParsedError {
        code: Some(code.clone().into_owned()),
        message: message().into_owned(),
        ..ParsedError::default()
    })
}

/// The same as an error in the shape that clients and hosts of every dialect read; none where it is no failure.
pub fn as_error(inside: &InsideFailure, data: &[u8]) -> Option<String> {
    let ParsedError { code, message, .. } = read(inside, data)?;
    Some(json!({ "type": "error", "error": { "code": code, "message": message } }).to_string())
}

/// What a JSON pointer of names leads to.
fn value<'d>(data: &'d [u8], pointer: &str) -> Option<&'d [u8]> {
    let mut names = pointer.split('/').skip(1).map(|name| name.replace("~1", "/").replace("~0", "~"));
    names.try_fold(data, |value, name| json::get(value, &name))
}

/// A text, or a number as it is written; none for `null` and for what is no scalar.
fn written(value: &[u8]) -> Option<Cow<'_, str>> {
    json::text(value).or_else(|| Some(Cow::Owned(json::count(value)?.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimax() -> InsideFailure {
        serde_json::from_value(json!({ "code": "/base_resp/status_code", "message": "/base_resp/status_msg" })).unwrap()
    }

    #[test]
    fn a_failure_inside_an_answer_is_an_error_in_the_shape_that_everybody_reads() {
        let error = |data: &str| as_error(&minimax(), data.as_bytes());
        let said = error(r#"{"id":"1","choices":null,"base_resp":{"status_code":1008,"status_msg":"no \"money\""}}"#);
        let said: serde_json::Value = serde_json::from_str(&said.unwrap()).unwrap();
        assert_eq!(said, json!({ "type": "error", "error": { "code": "1008", "message": "no \"money\"" } }));
        let unsaid = error(r#"{"base_resp":{"status_code":"7"}}"#).unwrap();
        assert!(unsaid.contains(r#""code":"7""#) && unsaid.contains(r#""message":"""#), "{unsaid}");
        for well in [
            r#"{"choices":[],"base_resp":{"status_code":0,"status_msg":""}}"#,
            r#"{"choices":[]}"#,
            r#"{"base_resp":null}"#,
            r#"{"base_resp":{"status_code":null}}"#,
            "[DONE]",
            "",
        ] {
            assert_eq!(error(well), None, "{well}");
        }
    }
}
