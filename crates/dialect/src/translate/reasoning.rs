//! Efforts and budgets of thinking, and what one is in the words of the other.

use super::request::Effort;

impl Effort {
    /// By its name in Chat Completions and Responses.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::Xhigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// Its name in Chat Completions and Responses.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// The effort that a budget of tokens stands for. No vendor publishes where one ends and the next begins.
    pub(crate) fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..2048 => Self::Minimal,
            2048..8192 => Self::Low,
            8192..16384 => Self::Medium,
            16384..28000 => Self::High,
            _ => Self::Xhigh,
        }
    }

    /// The budget that stands for it, below `max_tokens`; none for no thinking.
    pub(crate) fn budget(self, max_tokens: u64) -> Option<u64> {
        let tokens = match self {
            Self::None => return None,
            Self::Minimal => 1024,
            Self::Low => 4096,
            Self::Medium => 10240,
            Self::High => 24576,
            Self::Xhigh => 32000,
            Self::Max => u64::MAX,
        };
        let tokens = tokens.min(max_tokens.saturating_sub(1));
        (tokens >= 1024).then_some(tokens)
    }
}
