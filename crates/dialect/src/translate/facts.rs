//! What a model takes and what it refuses, as data: it changes every few months and is no matter of code. The host may
//! know better than the table here, from a catalogue or from a description.

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;

/// What is known of a target's model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// How it is told to think (Messages, generateContent).
    pub thinking: Thinking,
    /// Messages: it takes `role: "system"` between other messages.
    pub system_in_place: bool,
    /// It takes temperature, `top_p` and `top_k`.
    pub sampling: bool,
    /// generateContent: tools may have `parametersJsonSchema`, and results parts of their own (`functionResponse.parts`).
    pub modern_tools: bool,
    /// Chat Completions and Responses: parts may end a prompt cache (`prompt_cache_breakpoint`).
    pub cache_breakpoints: bool,
    /// Chat Completions: it wants its `reasoning_content` back on turns with tools (DeepSeek, Kimi).
    pub reasoning_content: bool,
    /// Messages: each thinking block is bound to all that stands before it, so that its blocks come back all or not at all.
    pub prefix_bound: bool,
    /// Chat Completions: it takes `custom` tools, and grammars. Responses always does.
    pub custom_tools: bool,
    /// Chat Completions: its limit is `max_completion_tokens`. Servers that know `max_tokens` alone ignore that, or refuse it.
    pub max_completion_tokens: bool,
    /// Chat Completions: it searches the web if `web_search_options` asks it to; other models refuse them.
    pub web_search: bool,
    /// Responses: its messages say whether they are its last word, and it wants that back (`phase`).
    pub phase: bool,
    /// The most that it writes, where that is known.
    pub max_output: Option<u64>,
}

/// How a model is told to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thinking {
    /// By an effort (`output_config.effort`, `thinkingLevel`).
    Effort,
    /// By a budget of tokens.
    Budget,
    /// It does not.
    Never,
}

impl Facts {
    /// What is known of a model by its name.
    pub fn of(dialect: Dialect, model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model);
        let is_openai = ["gpt-", "chatgpt-", "codex-", "o1", "o3", "o4"].iter().any(|start| name.starts_with(start));
        Self {
            thinking: Thinking::Effort,
            system_in_place: true,
            sampling: true,
            modern_tools: true,
            cache_breakpoints: false,
            reasoning_content: false,
            prefix_bound: true,
            custom_tools: false,
            max_completion_tokens: is_openai && !name.starts_with("gpt-oss"),
            web_search: is_openai && name.contains("-search"),
            phase: dialect == Dialect::Responses && has_phases(name),
            max_output: None,
        }
    }
}

/// The models that say `phase` of their messages: gpt-5.3-codex and what is newer.
fn has_phases(name: &str) -> bool {
    let version = |name: &str| {
        let (major, rest) = name.strip_prefix("gpt-")?.split_once('.')?;
        let minor = rest.split(|char: char| !char.is_ascii_digit()).next()?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    name.starts_with("gpt-5.3-codex") || version(name).is_some_and(|version| version >= (5, 4))
}
