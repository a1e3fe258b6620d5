//! The names of the four dialects, and the little that depends on nothing but the name.
//! Everything else in this crate takes a `Dialect`; nothing here may know about events or errors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the four wire formats that clients and providers speak.
///
/// The names (`as_str`, `FromStr`, serde) are those of descriptions, configuration and the WIT contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// OpenAI's `POST /v1/chat/completions`, and with it completions, embeddings and images.
    ChatCompletions,
    /// OpenAI's `POST /v1/responses`, and the ChatGPT subscription backend.
    Responses,
    /// Anthropic's `POST /v1/messages`.
    Messages,
    /// Google's `models/{model}:generateContent` and `:streamGenerateContent`.
    GenerateContent,
}

impl Dialect {
    /// Every dialect, in the order in which documentation lists them.
    pub const ALL: [Self; 4] = [Self::ChatCompletions, Self::Responses, Self::Messages, Self::GenerateContent];

    /// The dialect's name: `chat-completions`, `responses`, `messages` or `generate-content`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat-completions",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::GenerateContent => "generate-content",
        }
    }

    /// The bytes that keep a waiting client awake without telling it anything. They may be written only
    /// between events (see [`crate::Tap::between_events`]).
    ///
    /// A comment is the standard's own heartbeat, but Google's SDK fails on comments, and Anthropic has a
    /// `ping` event that its clients expect.
    pub fn heartbeat(self) -> &'static [u8] {
        match self {
            Self::ChatCompletions | Self::Responses => b": waiting\n\n",
            Self::Messages => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
            Self::GenerateContent => b"\n\n",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is not a dialect's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDialect(String);

impl fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not a dialect. Use one of: ", self.0)?;
        for (index, dialect) in Dialect::ALL.into_iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{dialect}")?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownDialect {}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name).ok_or_else(|| UnknownDialect(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dialect_is_read_back_from_its_name() {
        for dialect in Dialect::ALL {
            assert_eq!(dialect.as_str().parse(), Ok(dialect));
            let quoted = format!("\"{dialect}\"");
            assert_eq!(serde_json::to_string(&dialect).unwrap(), quoted);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "chat".parse::<Dialect>().unwrap_err().to_string();
        assert_eq!(
            error,
            "\"chat\" is not a dialect. Use one of: chat-completions, responses, messages, generate-content"
        );
    }
}
