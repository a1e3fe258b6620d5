//! What a provider reads of a call and of an answer. Providers call it; nothing in here allocates beyond what it
//! returns.

use crate::{Account, Answer, Call, Event, Field, Head, Json};

impl Field {
    /// A header or query parameter; header names are lower case.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

impl Call {
    /// The framing that a provider with HTTP streams answers in: `sse` where the client asked for a stream, else `json`.
    pub fn framing(&self) -> &'static str {
        if self.streaming { "sse" } else { "json" }
    }

    /// A setting of the provider that is a text, from `providers.<id>.settings` of the configuration.
    pub fn setting(&self, name: &str) -> Option<String> {
        self.settings().get(name)?.text().map(Into::into)
    }

    /// All settings, as a JSON object.
    pub fn settings(&self) -> Json<'_> {
        Json::parse(&self.settings)
    }

    /// True if the configuration gives this provider no settings, which is the common case and worth asking first.
    pub fn has_no_settings(&self) -> bool {
        self.settings.len() <= 2
    }

    /// What is known of the model without asking anybody; every look-up finds nothing where that is nothing.
    pub fn model_info(&self) -> Json<'_> {
        Json::parse(&self.model_info)
    }

    /// A client's header that `forward` of the description names.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// A client's query parameter that `forward_query` of the description names.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        value(&self.query, name)
    }

    /// A claim of the account that `claims` of the description names.
    pub fn claim(&self, name: &str) -> Option<&str> {
        self.account.as_ref()?.claim(name)
    }
}

impl Account {
    /// A claim that `claims` of the description names, if the credential has it.
    pub fn claim(&self, name: &str) -> Option<&str> {
        value(&self.claims, name)
    }
}

impl Answer {
    /// A header of the answer; the name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// The body as JSON; every look-up in a body that is none, or that was cut off before the value's end, finds
    /// nothing.
    pub fn json(&self) -> Json<'_> {
        Json::parse(&self.body)
    }
}

impl Head {
    /// A header of the answer; the name is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }
}

impl Event {
    /// An event of Server-Sent Events, without a name.
    pub fn data(data: impl Into<String>) -> Self {
        Self { name: None, headers: Vec::new(), data: data.into(), binary: Vec::new() }
    }

    /// Gives it a name.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// A header, where its framing has some.
    pub fn header(&self, name: &str) -> Option<&str> {
        value(&self.headers, name)
    }

    /// Its payload as JSON.
    pub fn json(&self) -> Json<'_> {
        Json::parse(&self.data)
    }
}

/// The value of the first field of this name.
pub(crate) fn value<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    fields.iter().find(|field| field.name == name).map(|field| field.value.as_str())
}

/// Whether a pattern names this: exactly, or up to a `*` at its end, as in the lists of a description.
pub fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_what_it_says_or_all_that_begins_so() {
        assert!(matches("user", "user") && matches("x-*", "x-codex") && matches("*", ""));
        assert!(!matches("user", "users") && !matches("x-*", "y-x-") && !matches("", "a"));
    }
}
