//! A model address, as a request's `model` or a config names it.
//!
//! Route parses every address here and decides afterwards what it stands for. Whether a model exists is not known here.

use std::fmt;

use thiserror::Error;

/// The longest address, in bytes. It goes into headers and logs, and no vendor's name comes near.
pub(crate) const MAX_BYTES: usize = 512;

/// The longest label, in bytes.
const MAX_LABEL: usize = 64;

/// What an address says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `provider:model` or `provider@label:model`.
    Provider {
        /// The id of a known provider.
        provider: String,
        /// The account, if one is named: `[A-Za-z0-9._@+-]{1,64}`.
        label: Option<String>,
        /// The provider's own name for the model. An id the catalogue does not know passes through.
        model: String,
    },
    /// `vendor/model` or a bare `model`: whoever serves it.
    Model(String),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// Nothing was named at all.
    #[error("the model is empty: name one, such as `openai:gpt-5`")]
    Empty,
    /// A provider and nothing after it.
    #[error("`{address}` names no model: write one after the `:`, as in `{address}MODEL`")]
    NoModel {
        /// The address.
        address: String,
    },
    /// What stands between `@` and `:` is no label.
    #[error(
        "`{label}` is no account label: a label has 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `@`, `+` and `-`. See yours with: bitrouter providers"
    )]
    Label {
        /// The label, shortened where it is very long.
        label: String,
    },
    /// It cannot stand in a header or a log.
    #[error("the model `{address}` holds a control character: take it out")]
    ControlCharacter {
        /// The address, with such characters escaped.
        address: String,
    },
    /// No model has such a name.
    #[error("the model is {bytes} bytes long, more than {MAX_BYTES}: check what was sent as its name")]
    TooLong {
        /// The length, in bytes.
        bytes: usize,
    },
}

impl Address {
    /// Reads an address. `is_provider` knows the ids of providers: only what stands before the first `:` (up to a first
    /// `@`) and is known is a provider, so that `qwen3:8b` and `ft:gpt-4o:org::x` stay models.
    pub fn parse(text: &str, is_provider: impl Fn(&str) -> bool) -> Result<Self, AddressError> {
        if text.trim().is_empty() {
            return Err(AddressError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(AddressError::TooLong { bytes: text.len() });
        }
        if text.contains(char::is_control) {
            return Err(AddressError::ControlCharacter { address: text.escape_debug().to_string() });
        }
        let bare = || Ok(Address::Model(text.to_owned()));
        let Some((before, model)) = text.split_once(':') else {
            return bare();
        };
        let (provider, label) = match before.split_once('@') {
            Some((provider, label)) => (provider, Some(label)),
            None => (before, None),
        };
        if !is_provider(provider) {
            return bare();
        }
        if let Some(label) = label.filter(|label| !is_label(label)) {
            return Err(AddressError::Label { label: label.chars().take(MAX_LABEL + 1).collect() });
        }
        if model.trim().is_empty() {
            return Err(AddressError::NoModel { address: text.trim_end().to_owned() });
        }
        Ok(Address::Provider {
            provider: provider.to_owned(),
            label: label.map(str::to_owned),
            model: model.to_owned(),
        })
    }

    /// The model's name, without provider and label.
    pub fn model(&self) -> &str {
        match self {
            Address::Provider { model, .. } | Address::Model(model) => model,
        }
    }
}

/// Whether a text may be an account's label: `[A-Za-z0-9._@+-]{1,64}`. Login asks too.
pub fn is_label(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte);
    (1..=MAX_LABEL).contains(&text.len()) && text.bytes().all(allowed)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Provider { provider, label: Some(label), model } => write!(f, "{provider}@{label}:{model}"),
            Address::Provider { provider, label: None, model } => write!(f, "{provider}:{model}"),
            Address::Model(model) => f.write_str(model),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Address, AddressError> {
        Address::parse(text, |id| ["openai", "openai-codex", "ollama"].contains(&id))
    }

    /// `provider|label|model` as one text, for tables.
    fn parts(text: &str) -> String {
        match parse(text) {
            Ok(Address::Provider { provider, label, model }) => {
                format!("{provider}|{}|{model}", label.unwrap_or_default())
            }
            Ok(Address::Model(model)) => format!("||{model}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn an_address_is_split_only_behind_a_known_provider() {
        for (text, wanted) in [
            ("openai:gpt-5", "openai||gpt-5"),
            ("openai-codex:gpt-5.6-sol", "openai-codex||gpt-5.6-sol"),
            ("openai@work:gpt-5", "openai|work|gpt-5"),
            ("openai@me@example.com:gpt-5", "openai|me@example.com|gpt-5"),
            ("openai@a+b_c-d.e:gpt-5", "openai|a+b_c-d.e|gpt-5"),
            ("ollama:qwen3:8b", "ollama||qwen3:8b"),
            ("openai@work:ft:gpt-4o:org::x", "openai|work|ft:gpt-4o:org::x"),
            ("openai:meta/llama", "openai||meta/llama"),
            ("openai::x", "openai||:x"),
            ("gpt-5", "||gpt-5"),
            ("anthropic/claude-sonnet-4", "||anthropic/claude-sonnet-4"),
            ("qwen3:8b", "||qwen3:8b"),
            ("ft:gpt-4o:org::x", "||ft:gpt-4o:org::x"),
            ("anthropic.claude-sonnet-4-v1:0", "||anthropic.claude-sonnet-4-v1:0"),
            ("claude-3@20240229", "||claude-3@20240229"),
            ("nobody@work:gpt-5", "||nobody@work:gpt-5"),
            ("OpenAI:gpt-5", "||OpenAI:gpt-5"),
            ("x/openai:gpt-5", "||x/openai:gpt-5"),
            (" openai:gpt-5", "|| openai:gpt-5"),
            ("openai", "||openai"),
            ("openai@work", "||openai@work"),
            (":gpt-5", "||:gpt-5"),
            ("@work:gpt-5", "||@work:gpt-5"),
            ("モデル:8b", "||モデル:8b"),
        ] {
            assert_eq!(parts(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_next_step() {
        const LABEL: &str = "is no account label: a label has 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `@`, `+` and `-`. See yours with: bitrouter providers";
        for (text, wanted) in [
            ("", "the model is empty: name one, such as `openai:gpt-5`".to_owned()),
            ("  ", "the model is empty: name one, such as `openai:gpt-5`".to_owned()),
            ("openai:", "`openai:` names no model: write one after the `:`, as in `openai:MODEL`".to_owned()),
            ("openai: ", "`openai:` names no model: write one after the `:`, as in `openai:MODEL`".to_owned()),
            (
                "openai@work:",
                "`openai@work:` names no model: write one after the `:`, as in `openai@work:MODEL`".to_owned(),
            ),
            ("openai@:gpt-5", format!("`` {LABEL}")),
            ("openai@my work:gpt-5", format!("`my work` {LABEL}")),
            ("openai@a/b:gpt-5", format!("`a/b` {LABEL}")),
            ("openai:gpt\r\n5", r"the model `openai:gpt\r\n5` holds a control character: take it out".to_owned()),
        ] {
            assert_eq!(parts(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn a_label_of_65_and_an_address_of_513_are_too_long() {
        let label = "l".repeat(64);
        assert_eq!(parts(&format!("openai@{label}:m")), format!("openai|{label}|m"));
        assert_eq!(parse(&format!("openai@{label}l:m")), Err(AddressError::Label { label: format!("{label}l") }));
        assert!(parse(&"m".repeat(512)).is_ok());
        assert_eq!(
            parts(&"m".repeat(513)),
            "the model is 513 bytes long, more than 512: check what was sent as its name"
        );
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".*") {
            let _ = parse(&text);
        }

        #[test]
        fn an_address_reads_back_as_it_is_written(text in "(openai|ollama|x)?[@:]?[a-z@.:/ é]{0,12}[:]?[a-z:@/]{0,8}") {
            if let Ok(address) = parse(&text) {
                prop_assert_eq!(&address.to_string(), &text);
                prop_assert_eq!(parse(&address.to_string()), Ok(address));
            }
        }
    }
}
