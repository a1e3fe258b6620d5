//! What a path of Google's says: which model, and behind the last colon which method.
//!
//! `endpoints` finds its endpoint by the method, and the gateway reads the model, which may be an address.

use percent_encoding::percent_decode_str;

/// A path such as `/v1beta/models/gemini-2.5-pro:generateContent`, read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The model as the client names it, decoded: a name or an address.
    pub model: String,
    /// What is to be done with it.
    pub method: String,
}

impl Resource {
    /// Reads a path; none where it names no model or no method. An address has colons of its own: the last one counts.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let name = below(path).filter(|name| name.starts_with("models/") || name.starts_with("tunedModels/"))?;
        let name = percent_decode_str(name).decode_utf8().ok()?;
        let (name, method) = name.rsplit_once(':')?;
        let model = plain(name);
        let known = !model.is_empty() && !method.is_empty();
        known.then(|| Resource { model: model.to_owned(), method: method.to_owned() })
    }
}

/// What stands behind the version.
fn below(path: &str) -> Option<&str> {
    path.strip_prefix("/v1beta/").or_else(|| path.strip_prefix("/v1/"))
}

/// The model's name without `models/`, which some clients write twice. A tuned model keeps its `tunedModels/`: without it,
/// it would be another.
pub(crate) fn plain(name: &str) -> &str {
    let name = name.strip_prefix("models/").unwrap_or(name);
    name.strip_prefix("models/").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colon_of_a_path_begins_the_method() {
        for (path, model, method) in [
            ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", "generateContent"),
            ("/v1/models/gemini-2.5-pro:countTokens", "gemini-2.5-pro", "countTokens"),
            ("/v1beta/models/openai:gpt-5:generateContent", "openai:gpt-5", "generateContent"),
            ("/v1beta/models/openai@work:gpt-5:embedContent", "openai@work:gpt-5", "embedContent"),
            ("/v1beta/models/openai%40work%3Agpt-5%3AgenerateContent", "openai@work:gpt-5", "generateContent"),
            ("/v1beta/models/acme%2Fbig:generateContent", "acme/big", "generateContent"),
            ("/v1beta/models/acme/big:generateContent", "acme/big", "generateContent"),
            ("/v1beta/models/models/x:generateContent", "x", "generateContent"),
            ("/v1beta/models/models%2Fx:generateContent", "x", "generateContent"),
            ("/v1beta/tunedModels/x:generateContent", "tunedModels/x", "generateContent"),
        ] {
            let expected = Resource { model: model.to_owned(), method: method.to_owned() };
            assert_eq!(Resource::of(path), Some(expected), "{path}");
        }
        for path in [
            "/v1beta/models/gemini",
            "/v1beta/models/:generateContent",
            "/v1beta/models/models/:generateContent",
            "/v1beta/models/x:",
            "/v1beta/files/x:generateContent",
            "/v2/models/x:generateContent",
            "/v1beta/models/%ff:generateContent",
            "/v1/chat/completions",
        ] {
            assert_eq!(Resource::of(path), None, "{path}");
        }
    }
}
