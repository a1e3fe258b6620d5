//! Efforts and budgets of thinking: what one is in the words of the other, and which efforts a model has.

use serde::{Deserialize, Serialize};

/// Efforts, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// It does not think before it answers.
    None,
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// As much as most models do where nothing is said.
    Medium,
    /// Much.
    High,
    /// More than that.
    Xhigh,
    /// As much as it can.
    Max,
}

/// The efforts that a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Effort>", into = "Vec<Effort>")]
pub struct Efforts(u8);

impl Efforts {
    /// All of them.
    pub const ALL: Self = Self(0b111_1111);

    pub(crate) const fn of(efforts: &[Effort]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < efforts.len() {
            set |= 1 << efforts[at] as u8;
            at += 1;
        }
        Self(set)
    }

    fn has(self, effort: Effort) -> bool {
        self.0 & (1 << effort as u8) != 0
    }

    /// The effort itself if the model has it, else the nearest that is less, else the least. To think at all, or not, is
    /// another question than how much.
    pub(crate) fn nearest(self, wanted: Effort) -> Effort {
        if self.has(wanted) {
            return wanted;
        }
        let thinks = || Effort::ALL.into_iter().filter(|effort| *effort != Effort::None && self.has(*effort));
        let less = thinks().rfind(|effort| *effort < wanted);
        less.or_else(|| thinks().next()).unwrap_or(wanted)
    }
}

impl From<Vec<Effort>> for Efforts {
    fn from(efforts: Vec<Effort>) -> Self {
        Self::of(&efforts)
    }
}

impl From<Efforts> for Vec<Effort> {
    fn from(efforts: Efforts) -> Self {
        Effort::ALL.into_iter().filter(|effort| efforts.has(*effort)).collect()
    }
}

impl Effort {
    const ALL: [Self; 7] = [Self::None, Self::Minimal, Self::Low, Self::Medium, Self::High, Self::Xhigh, Self::Max];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effort_that_a_model_lacks_is_the_nearest_that_it_has() {
        let efforts = Efforts::of(&[Effort::None, Effort::Low, Effort::High]);
        assert_eq!(efforts.nearest(Effort::Max), Effort::High);
        assert_eq!(efforts.nearest(Effort::Medium), Effort::Low);
        assert_eq!(efforts.nearest(Effort::Minimal), Effort::Low, "who asks for thinking gets some");
        assert_eq!(efforts.nearest(Effort::None), Effort::None);
        assert_eq!(Efforts::of(&[Effort::High]).nearest(Effort::None), Effort::High);
        assert_eq!(Efforts::ALL.nearest(Effort::Xhigh), Effort::Xhigh);
    }
}
