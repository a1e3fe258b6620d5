//! The headers of a client's own that change what is asked: whose name it is asked in, and what is switched on.
//!
//! What a provider refuses because of one of them is that client's affair. A failure of a request that carried any is
//! remembered for requests that carry the same ones, and for no other.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use bitrouter_contract::Forward;
use http::HeaderMap;

/// The most of the names that is shown, in bytes.
const LONGEST_SHOWN: usize = 120;

/// Such headers of one request: their names, and a hash of what they say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Own {
    names: String,
    hash: u64,
}

impl Own {
    /// Those that go up with a client's request; none where all that goes up only names the client, its conversation or
    /// its request.
    pub fn of(forward: &Forward, client: &HeaderMap) -> Option<Self> {
        let own = forward.headers(client).filter(|(name, _)| !only_names(name.as_str()));
        let mut own: Vec<(&str, &[u8])> = own.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        if own.is_empty() {
            return None;
        }
        own.sort_unstable();
        let mut hash = DefaultHasher::new();
        own.hash(&mut hash);
        own.dedup_by_key(|(name, _)| *name);
        let mut names = own.into_iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        if names.len() > LONGEST_SHOWN {
            // A header's name is ASCII.
            names.truncate(LONGEST_SHOWN);
            names.push('…');
        }
        Some(Own { names, hash: hash.finish() })
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.names)
    }
}

/// Whether a header only names the client, its conversation or its request, so that no answer is another for it.
fn only_names(header: &str) -> bool {
    const NAMES: [&str; 11] = [
        "user-agent",
        "originator",
        "version",
        "accept",
        "accept-language",
        "content-type",
        "idempotency-key",
        "x-app",
        "x-goog-api-client",
        "x-initiator",
        "x-openai-subagent",
    ];
    const BEGINNINGS: [&str; 4] = ["x-stainless-", "x-codex-", "x-openai-internal-", "sentry-"];
    const PARTS: [&str; 6] = ["session", "conversation", "thread", "request-id", "trace", "affinity"];
    NAMES.contains(&header)
        || BEGINNINGS.iter().any(|beginning| header.starts_with(beginning))
        || PARTS.iter().any(|part| header.contains(part))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;
    use bitrouter_contract::Reserved;

    fn own(headers: &[(&'static str, &'static str)]) -> Option<Own> {
        let forward = Forward::new(&["*".to_owned()], Reserved::default()).unwrap();
        let header = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        Own::of(&forward, &headers.iter().map(header).collect())
    }

    #[test]
    fn what_only_names_a_client_its_conversation_or_its_request_is_not_its_own_affair() {
        let codex = [
            ("originator", "codex_cli_rs"),
            ("user-agent", "codex_cli_rs/0.171.0"),
            ("session-id", "1"),
            ("session_id", "1"),
            ("thread-id", "2"),
            ("x-client-request-id", "3"),
            ("x-codex-turn-state", "4"),
            ("x-codex-window-id", "5"),
            ("x-openai-internal-codex-responses-lite", "true"),
            ("traceparent", "6"),
            ("x-stainless-retry-count", "0"),
            ("x-claude-code-session-id", "7"),
        ];
        assert_eq!(own(&codex), None);
        for header in ["openai-organization", "openai-project", "openai-beta", "anthropic-beta", "x-acme-tenant"] {
            assert_eq!(own(&[codex[0], (header, "x")]).map(|own| own.to_string()), Some(format!("`{header}`")));
        }
    }

    #[test]
    fn the_same_headers_are_the_same_and_another_value_is_another() {
        let one = own(&[("openai-organization", "a"), ("openai-project", "b")]);
        assert_eq!(one, own(&[("openai-project", "b"), ("openai-organization", "a"), ("session-id", "1")]));
        assert_ne!(one, own(&[("openai-organization", "b"), ("openai-project", "b")]));
        assert_eq!(one.map(|own| own.to_string()).as_deref(), Some("`openai-organization`, `openai-project`"));
    }
}
