//! Makes the request of a call by the description alone: the path of its operation and dialect, the headers that are
//! always sent, and those that settings say. It looks at no body, which goes up as it came.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::description::{ByModel, Paths};
use crate::origin::template;
use crate::{Description, path};

/// All that a path segment does not hold as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The hole that the model's name fills.
const MODEL: &str = "model";

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct RequestedCall<'a> {
    /// The operation.
    pub operation: &'a str,
    /// The dialect of its body.
    pub dialect: &'a str,
    /// The provider's own name of the model.
    pub model: &'a str,
    /// Whether the answer is to be a stream.
    pub streaming: bool,
    /// What the user set, as a JSON object.
    pub settings: &'a str,
}

/// The request that it becomes. Its answer is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shaped {
    /// `POST` with the call's body, or `GET` without one.
    pub method: &'static str,
    /// The name of the origin.
    pub origin: String,
    /// The path below the origin.
    pub path: String,
    /// The query.
    pub query: Vec<(String, String)>,
    /// Headers beside the client's.
    pub headers: Vec<(String, String)>,
    /// How the answer is cut into events.
    pub framing: &'static str,
}

impl Shaped {
    /// Adds what may go up of the client's query. What the path says itself is no client's to change.
    #[must_use]
    pub fn with_query<'c>(mut self, client: impl IntoIterator<Item = (&'c str, &'c str)>) -> Self {
        let own = self.query.len();
        for (name, value) in client {
            if self.query.iter().take(own).all(|(known, _)| known != name) {
                self.query.push((name.to_owned(), value.to_owned()));
            }
        }
        self
    }
}

/// Why a path is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfilledPath {
    /// A model's name would lead elsewhere.
    #[error("the name `{0}` cannot stand in a path")]
    Model(String),
    /// Another value would.
    #[error("the value `{value}` of `{{{name}}}` cannot stand in a path")]
    Value {
        /// The hole.
        name: String,
        /// What should have filled it.
        value: String,
    },
    /// Nothing fills a hole.
    #[error("nothing fills `{{{0}}}` of its path")]
    Missing(String),
}

/// Why there is no such request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unserved {
    /// The provider serves nothing of the kind.
    #[error("{0} does not serve this operation in this dialect")]
    Operation(String),
    /// The model's name cannot stand where its path needs it.
    #[error(transparent)]
    Path(#[from] UnfilledPath),
}

/// The request for a call. A header of `headers` is left out where the client's own of that name goes up, which `forwarded`
/// tells.
///
/// # Errors
///
/// The provider does not serve it, or the model's name can be no part of a path.
pub fn request(
    description: &Description,
    requested: RequestedCall<'_>,
    forwarded: impl Fn(&str) -> bool,
) -> Result<Shaped, Unserved> {
    let unserved = || Unserved::Operation(description.id.clone());
    let rule = description.rule_for(requested.model);
    let template = template(description, rule, requested).ok_or_else(unserved)?;
    let (path, query) = template.split_once('?').unwrap_or((template, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let plain = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        (plain(name), plain(value))
    };
    let fixed = description.headers.iter().filter(|(name, _)| !forwarded(name));
    let mut headers: Vec<_> = fixed.map(|(name, value)| (name.clone(), value.clone())).collect();
    set(description, requested.settings, &mut headers);
    Ok(Shaped {
        method: if requested.operation == "models" { "GET" } else { "POST" },
        origin: rule.and_then(|rule| rule.origin.as_deref()).unwrap_or("api").to_owned(),
        path: filled(path, requested.model, |_| None)?.into_owned(),
        query: query.split('&').filter(|part| !part.is_empty()).map(pair).collect(),
        headers,
        framing: framing(requested),
    })
}

/// The request for an object that the provider keeps, or for what one holds: below the path of its operation, these segments,
/// whatever they are. Its method is the client's, and its answer is passed on as it comes.
///
/// # Errors
///
/// The provider has no such objects, or a segment can be no part of a path.
pub fn object(
    description: &Description,
    requested: RequestedCall<'_>,
    segments: &[String],
    forwarded: impl Fn(&str) -> bool,
) -> Result<Shaped, Unserved> {
    let mut shaped = request(description, requested, forwarded)?;
    for segment in segments {
        shaped.path.push('/');
        shaped.path.extend(utf8_percent_encode(segment, SEGMENT));
        if segment.is_empty() || path::check(&shaped.path).is_err() {
            return Err(UnfilledPath::Model(shown(segment)).into());
        }
    }
    shaped.framing = if requested.streaming { "sse" } else { "raw" };
    Ok(shaped)
}

/// The path of an operation in a dialect, if it is served: what the description says, else the usual one.
fn template<'d>(
    description: &'d Description,
    rule: Option<&'d ByModel>,
    requested: RequestedCall<'_>,
) -> Option<&'d str> {
    let served = rule.map_or(&description.serves, |rule| &rule.serves).get(requested.operation)?;
    served.iter().find(|dialect| *dialect == requested.dialect)?;
    let in_paths = |paths: &'d Paths| paths.get(requested.operation)?.get(requested.dialect);
    let described = rule.and_then(|rule| in_paths(&rule.paths)).or_else(|| in_paths(&description.paths));
    described
        .map(|path| path.of(requested.streaming))
        .or_else(|| usual(requested.operation, requested.dialect, requested.streaming))
}

/// Where an operation lives with those whose dialect it is, below their version.
pub(crate) fn usual(operation: &str, dialect: &str, streaming: bool) -> Option<&'static str> {
    Some(match (operation, dialect) {
        ("generate", "chat-completions") => "/chat/completions",
        ("generate", "responses") => "/responses",
        ("compact", "responses") => "/responses/compact",
        ("count-tokens", "responses") => "/responses/input_tokens",
        ("generate", "messages") => "/messages",
        ("count-tokens", "messages") => "/messages/count_tokens",
        ("generate", "generate-content") if streaming => "/models/{model}:streamGenerateContent?alt=sse",
        ("generate", "generate-content") => "/models/{model}:generateContent",
        ("count-tokens", "generate-content") => "/models/{model}:countTokens",
        ("embeddings", "generate-content") => "/models/{model}:embedContent",
        ("embeddings", "openai") => "/embeddings",
        ("completions", "openai") => "/completions",
        ("moderations", "openai") => "/moderations",
        ("images/generations", "openai") => "/images/generations",
        ("images/edits", "openai") => "/images/edits",
        ("images/variations", "openai") => "/images/variations",
        ("audio/speech", "openai") => "/audio/speech",
        ("audio/transcriptions", "openai") => "/audio/transcriptions",
        ("audio/translations", "openai") => "/audio/translations",
        ("responses", "responses") => "/responses",
        ("conversations", "responses") => "/conversations",
        ("files", "openai" | "messages") => "/files",
        ("uploads", "openai") => "/uploads",
        ("batches", "openai") => "/batches",
        ("batches", "messages") => "/messages/batches",
        _ => return None,
    })
}

/// A path with what fills its holes: the model's name fills `{model}` where no value does. Each stands as a part of one segment: whatever a client calls its model, it leads nowhere else.
///
/// # Errors
///
/// A hole has no value, or one that would make another path of it.
pub fn filled<'p, 'v>(
    path: &'p str,
    model: &'v str,
    value: impl Fn(&str) -> Option<&'v str>,
) -> Result<Cow<'p, str>, UnfilledPath> {
    let value = |name: &str| value(name).or((name == MODEL).then_some(model));
    if !path.contains('{') {
        return Ok(Cow::Borrowed(path));
    }
    if path::check(&written(path, |_| "x".into())).is_err() {
        // What is wrong with it no value mends: whoever joins it says so.
        return Ok(Cow::Borrowed(path));
    }
    let holes = template::holes(path);
    let encoded = |name: &str| value(name).map(|value| utf8_percent_encode(value, SEGMENT).to_string());
    for &name in &holes {
        let text = value(name).ok_or_else(|| UnfilledPath::Missing(shown(name)))?;
        // A proxy that decodes it must not read another path either.
        let alone = written(path, |other| encoded(other).filter(|_| other == name).unwrap_or_else(|| "x".into()));
        if text.is_empty() || path::check(&alone).is_err() {
            return Err(match name == MODEL {
                true => UnfilledPath::Model(shown(text)),
                false => UnfilledPath::Value { name: shown(name), value: shown(text) },
            });
        }
    }
    Ok(Cow::Owned(written(path, |name| encoded(name).unwrap_or_default())))
}

/// A path with something written in each hole.
fn written(path: &str, value: impl Fn(&str) -> String) -> String {
    template::holes(path)
        .into_iter()
        .fold(path.to_owned(), |path, name| path.replacen(&format!("{{{name}}}"), &value(name), 1))
}

fn shown(text: &str) -> String {
    text.escape_debug().take(200).collect()
}

/// Speech is bytes unless it is streamed as events, and a transcript is a text in whatever form the client asked for.
fn framing(requested: RequestedCall<'_>) -> &'static str {
    match requested.operation {
        _ if requested.streaming => "sse",
        "audio/speech" | "audio/transcriptions" | "audio/translations" => "raw",
        _ => "json",
    }
}

/// Adds the settings that go up as a header.
fn set(description: &Description, settings: &str, headers: &mut Vec<(String, String)>) {
    // No settings are the common case.
    if settings.len() <= 2 || description.settings.values().all(|setting| setting.header.is_none()) {
        return;
    }
    let Ok(settings) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(settings) else { return };
    for (name, setting) in &description.settings {
        let (Some(header), Some(value)) = (&setting.header, settings.get(name)) else { continue };
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        headers.retain(|(other, _)| other != header);
        headers.push((header.clone(), value));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::validate;

    fn described(more: serde_json::Value) -> Description {
        let mut description = json!({
            "id": "acme", "name": "Acme", "version": "1", "origins": { "api": "https://acme.example/v1" },
            "serves": {
                "generate": ["chat-completions", "responses", "messages", "generate-content"], "models": ["openai"],
                "count-tokens": ["messages", "responses", "generate-content"], "embeddings": ["openai", "generate-content"],
                "audio/speech": ["openai"], "moderations": ["openai"],
            },
        });
        description.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        validate::description(&description.to_string()).unwrap()
    }

    fn requested<'a>(operation: &'a str, dialect: &'a str, streaming: bool) -> RequestedCall<'a> {
        RequestedCall { operation, dialect, model: "m", streaming, settings: "{}" }
    }

    fn shaped(description: &Description, requested: RequestedCall<'_>) -> Result<Shaped, Unserved> {
        request(description, requested, |_| false)
    }

    #[test]
    fn every_operation_lives_where_its_dialect_has_it_unless_something_else_is_said() {
        let description = described(json!({ "paths": {
            "generate": { "responses": "/engine/{model}/responses", "messages": { "whole": "/w", "streaming": "/s?x=a%20b&y" } },
            "models": { "openai": "/models" },
        } }));
        for (operation, dialect, streaming, expected) in [
            ("generate", "chat-completions", false, "POST /chat/completions json"),
            ("generate", "chat-completions", true, "POST /chat/completions sse"),
            ("generate", "responses", true, "POST /engine/m/responses sse"),
            ("generate", "messages", false, "POST /w json"),
            ("generate", "messages", true, "POST /s?x=a b&y= sse"),
            ("generate", "generate-content", false, "POST /models/m:generateContent json"),
            ("generate", "generate-content", true, "POST /models/m:streamGenerateContent?alt=sse sse"),
            ("count-tokens", "generate-content", false, "POST /models/m:countTokens json"),
            ("count-tokens", "messages", false, "POST /messages/count_tokens json"),
            ("count-tokens", "responses", false, "POST /responses/input_tokens json"),
            ("embeddings", "openai", false, "POST /embeddings json"),
            ("embeddings", "generate-content", false, "POST /models/m:embedContent json"),
            ("audio/speech", "openai", false, "POST /audio/speech raw"),
            ("audio/speech", "openai", true, "POST /audio/speech sse"),
            ("models", "openai", false, "GET /models json"),
        ] {
            let Shaped { method, path, query, framing, .. } =
                shaped(&description, requested(operation, dialect, streaming)).unwrap();
            let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            assert_eq!(format!("{method} {path}{query} {framing}"), expected, "{operation} {dialect}");
        }
    }

    #[test]
    fn a_clients_query_stands_behind_the_paths_own_and_never_in_its_place() {
        let shaped = shaped(&described(json!({})), requested("generate", "generate-content", true)).unwrap();
        let query = shaped.with_query([("beta", "1"), ("alt", "json"), ("beta", "2")]).query;
        let query: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(query, ["alt=sse", "beta=1", "beta=2"]);
    }

    #[test]
    fn what_is_not_served_has_no_request() {
        let description = described(json!({}));
        for (operation, dialect) in [
            ("compact", "responses"),
            ("embeddings", "responses"),
            ("count-tokens", "chat-completions"),
            ("generate", "openai"),
            // Served, and nobody said where.
            ("models", "openai"),
        ] {
            let refused = shaped(&description, requested(operation, dialect, false)).unwrap_err();
            assert_eq!(refused.to_string(), "acme does not serve this operation in this dialect", "{operation}");
        }
    }

    #[test]
    fn no_name_of_a_client_leaves_its_segment() {
        let description = described(json!({}));
        let path = |model| {
            let requested = RequestedCall { model, ..requested("count-tokens", "generate-content", false) };
            shaped(&description, requested).map(|shaped| shaped.path)
        };
        for (model, expected) in [
            ("gpt-5.5_x~", "/models/gpt-5.5_x~:countTokens"),
            ("x/y", "/models/x%2Fy:countTokens"),
            ("a%2Fb", "/models/a%252Fb:countTokens"),
            ("a?b#c", "/models/a%3Fb%23c:countTokens"),
            ("b;c:d@e", "/models/b%3Bc%3Ad%40e:countTokens"),
            ("modèle ", "/models/mod%C3%A8le%20:countTokens"),
            ("{model}", "/models/%7Bmodel%7D:countTokens"),
        ] {
            assert_eq!(path(model).as_deref(), Ok(expected), "{model}");
        }
        for model in ["", "../../admin", "a\\b", "x//y", "a\nb"] {
            assert!(matches!(path(model), Err(Unserved::Path(UnfilledPath::Model(_)))), "{model}");
        }
        let path = described(json!({ "paths": { "moderations": { "openai": "/m/{model}" } } }));
        for model in [".", ".."] {
            let requested = RequestedCall { model, ..requested("moderations", "openai", false) };
            assert!(shaped(&path, requested).is_err(), "{model}");
        }
    }

    #[test]
    fn an_object_lives_below_its_operation_and_no_id_leaves_its_segment() {
        let serves = json!({ "files": ["openai", "messages"], "batches": ["messages"], "responses": ["responses"] });
        let description = described(json!({ "serves": serves, "paths": { "files": { "openai": "/f?v=1" } } }));
        let path = |operation, dialect, segments: &[&str]| {
            let segments: Vec<String> = segments.iter().map(|&segment| segment.to_owned()).collect();
            let shaped = object(&description, requested(operation, dialect, false), &segments, |_| false);
            shaped.map(|shaped| format!("{} {} {}", shaped.path, shaped.query.len(), shaped.framing))
        };
        for (operation, dialect, segments, expected) in [
            ("files", "openai", &["file-1", "content"][..], "/f/file-1/content 1 raw"),
            ("files", "messages", &[], "/files 0 raw"),
            ("batches", "messages", &["b/1", "results"], "/messages/batches/b%2F1/results 0 raw"),
            ("responses", "responses", &["resp_1"], "/responses/resp_1 0 raw"),
        ] {
            assert_eq!(path(operation, dialect, segments).as_deref(), Ok(expected));
        }
        for segment in ["", "..", "../x", "a\\b", "a//b"] {
            assert!(path("files", "openai", &[segment]).is_err(), "{segment}");
        }
        assert!(matches!(path("batches", "openai", &["b"]), Err(Unserved::Operation(_))));
    }

    #[test]
    fn headers_are_what_is_always_sent_less_what_the_client_says_itself_and_then_what_is_set() {
        let description = described(json!({
            "headers": { "acme-version": "2023-06-01", "acme-region": "any" },
            "settings": {
                "region": { "type": "string", "description": "where", "header": "acme-region" },
                "tries": { "type": "number", "description": "how often", "header": "acme-tries" },
                "note": { "type": "string", "description": "never sent" },
            },
        }));
        let headers = |settings, forwarded: &str| {
            let requested = RequestedCall { settings, ..requested("moderations", "openai", false) };
            request(&description, requested, |name| name == forwarded).unwrap().headers
        };
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let version = ("acme-version", "2023-06-01");
        assert_eq!(headers("{}", ""), pairs(&[("acme-region", "any"), version]));
        assert_eq!(headers("{}", "acme-version"), pairs(&[("acme-region", "any")]));
        let set = r#"{"region":"eu","tries":3,"note":"x","other":1}"#;
        assert_eq!(headers(set, ""), pairs(&[version, ("acme-region", "eu"), ("acme-tries", "3")]));
        assert_eq!(headers("not json", "acme-region"), pairs(&[version]));
    }
}
