//! What the gateway reads of a client's query, and what of it goes further.
//!
//! Google's clients show the gateway's key in it. The guard reads that; no component, no provider and no log gets it.

use std::borrow::Cow;

/// The gateway's key, as Google's clients send theirs.
const KEY: &str = "key";
/// How Google's clients say in which form they want the answer.
const FORMS: [&str; 2] = ["alt", "$alt"];

/// The key in a query.
pub(crate) fn key(query: Option<&str>) -> Option<Cow<'_, str>> {
    value(query?, |name| name == KEY)
}

/// Whether the answer to a streaming call is wanted as events; else it is one JSON array.
pub(crate) fn wants_events(query: Option<&str>) -> bool {
    query.and_then(|query| value(query, |name| FORMS.contains(&name))).is_some_and(|form| form == "sse")
}

/// Whether a parameter says `true`.
pub(crate) fn is_set(query: Option<&str>, name: &str) -> bool {
    query.and_then(|query| value(query, |it| it == name)).is_some_and(|value| value == "true")
}

/// What may go further: all but the key and, at an endpoint of Google's, the form, which is the gateway's business.
pub(crate) fn without_ours(query: &str, google: bool) -> Option<String> {
    let ours = |pair: &&str| {
        let name = form_urlencoded::parse(pair.as_bytes()).next().map_or(Cow::Borrowed(""), |(name, _)| name);
        name == KEY || (google && FORMS.contains(&&*name))
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !ours(pair)).collect();
    (!kept.is_empty()).then(|| kept.join("&"))
}

fn value<'q>(query: &'q str, is: impl Fn(&str) -> bool) -> Option<Cow<'q, str>> {
    form_urlencoded::parse(query.as_bytes()).find(|(name, _)| is(name)).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_read_and_goes_no_further_however_it_is_written() {
        for (query, read, kept) in [
            ("key=a-key", Some("a-key"), None),
            ("alt=sse&key=a%2Dkey", Some("a-key"), Some("alt=sse")),
            ("%6bey=a-key&beta=true", Some("a-key"), Some("beta=true")),
            ("key=one&x=%20&key=two", Some("one"), Some("x=%20")),
            ("beta=true", None, Some("beta=true")),
            ("monkey=x", None, Some("monkey=x")),
        ] {
            assert_eq!(key(Some(query)).as_deref(), read, "{query}");
            assert_eq!(without_ours(query, false).as_deref(), kept, "{query}");
        }
        assert_eq!(key(None), None);
        assert_eq!(without_ours("alt=sse&$alt=json&x=1", true).as_deref(), Some("x=1"));
    }

    #[test]
    fn a_stream_is_events_only_where_that_is_said() {
        for (query, events) in [(Some("alt=sse"), true), (Some("key=k&%24alt=sse"), true), (Some("alt=json"), false)] {
            assert_eq!(wants_events(query), events, "{query:?}");
        }
        assert!(
            is_set(Some("a=1&stream=true"), "stream")
                && !is_set(Some("stream=false"), "stream")
                && !is_set(None, "stream")
        );
        assert!(!wants_events(None) && !wants_events(Some("alt=")) && !wants_events(Some("sse")));
    }
}
