//! What a model takes and what it refuses, as data: it changes every few months and is no matter of code. The host may
//! know better than the table here, from a catalogue or from a description.

use serde::{Deserialize, Serialize};

use super::reasoning::{Effort, Efforts};
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
    /// generateContent: tools and answers may have whole JSON Schemas (`parametersJsonSchema`).
    pub modern_tools: bool,
    /// generateContent: the first call of a step must have its signature, and results may have images and files of their
    /// own (`functionResponse.parts`).
    pub signed_calls: bool,
    /// generateContent: it cannot be told not to think: `MINIMAL` and a budget of 0 are refused.
    pub always_thinks: bool,
    /// The efforts that it has, where it thinks by effort. The nearest stands for one that it lacks.
    pub efforts: Efforts,
    /// Chat Completions and Responses: parts may end a prompt cache (`prompt_cache_breakpoint`).
    pub cache_breakpoints: bool,
    /// Chat Completions: it wants its `reasoning_content` back on turns with tools (DeepSeek, Kimi).
    pub reasoning_content: bool,
    /// Messages: each thinking block is bound to all that stands before it, so that its blocks come back all or not at all.
    pub prefix_bound: bool,
    /// Chat Completions: it takes `custom` tools, and grammars. Responses always does.
    pub custom_tools: bool,
    /// Chat Completions: it has OpenAI's newer members, `max_completion_tokens`, `safety_identifier`, `prompt_cache_key`.
    /// Servers that know `max_tokens` and `user` alone ignore those, or refuse the request.
    pub max_completion_tokens: bool,
    /// Chat Completions: it searches the web if `web_search_options` asks it to; other models refuse them.
    pub web_search: bool,
    /// Responses: its messages say whether they are its last word, and it wants that back (`phase`).
    pub phase: bool,
    /// The most that it writes, where that is known.
    pub max_output: Option<u64>,
    /// How much it is asked for where the client does not say it and the dialect demands a number. The host's to say, from
    /// what is known of models; nothing that a client asks for is measured by it.
    pub usual_output: Option<u64>,
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

/// One thing that is known of some models, where it differs from what is taken for granted.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Thinks(Thinking),
    SystemInPlace,
    NoSampling,
    OldTools,
    UnsignedCalls,
    AlwaysThinks,
    Has(Efforts),
    CacheBreakpoints,
    ReasoningContent,
    PrefixBound,
    MaxCompletionTokens,
    WebSearch,
    Phase,
    MaxOutput(u64),
}

use Fact::{
    AlwaysThinks, CacheBreakpoints, Has, MaxCompletionTokens, MaxOutput, NoSampling, OldTools, Phase, PrefixBound,
    ReasoningContent, SystemInPlace, Thinks, UnsignedCalls, WebSearch,
};

/// Efforts by where they begin and end; `OFF` is what can also be told not to think.
const LOW_TO_HIGH: Efforts = Efforts::of(&[Effort::Low, Effort::Medium, Effort::High]);
const MINIMAL_TO_HIGH: Efforts = Efforts::of(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High]);
const MINIMAL_TO_XHIGH: Efforts =
    Efforts::of(&[Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh]);
const LOW_TO_XHIGH: Efforts = Efforts::of(&[Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh]);
const LOW_TO_MAX: Efforts = Efforts::of(&[Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max]);
const OFF_TO_HIGH: Efforts = Efforts::of(&[Effort::None, Effort::Low, Effort::Medium, Effort::High]);
const OFF_TO_XHIGH: Efforts = Efforts::of(&[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh]);
const OFF_TO_MAX: Efforts =
    Efforts::of(&[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max]);
const OFF_TO_HIGH_AND_MAX: Efforts =
    Efforts::of(&[Effort::None, Effort::Low, Effort::Medium, Effort::High, Effort::Max]);

/// Models by their names, without the vendor before a slash; `*` stands for anything. The first line that fits holds, so
/// that the last of a family is for what is newer than this table.
const MODELS: &[(&[&str], &[Fact])] = &[
    // Anthropic. From 4.6 on they think by effort; 4.7 refuses budgets and sampling; 4.8 takes instructions in place.
    (&["claude-3-7*"], &[MaxOutput(64_000)]),
    (&["claude-3-5*"], &[Thinks(Thinking::Never), MaxOutput(8192)]),
    (&["claude-3*", "claude-2*", "claude-instant*"], &[Thinks(Thinking::Never), MaxOutput(4096)]),
    (&["claude-opus-4", "claude-opus-4-0*", "claude-opus-4-1*", "claude-opus-4-2025*"], &[MaxOutput(32_000)]),
    (&["claude-sonnet-4", "claude-sonnet-4-0*", "claude-sonnet-4-2025*", "claude-*-4-5*"], &[MaxOutput(64_000)]),
    (&["claude-*-4-6*"], &[Thinks(Thinking::Effort), Has(OFF_TO_HIGH_AND_MAX)]),
    (&["claude-*-4-7*"], &[Thinks(Thinking::Effort), Has(OFF_TO_MAX), NoSampling]),
    // These refuse `disabled`.
    (
        &["claude-fable*", "claude-mythos*", "claude-opus-5-5*", "claude-sonnet-5-5*"],
        &[Thinks(Thinking::Effort), Has(LOW_TO_MAX), NoSampling, SystemInPlace, PrefixBound],
    ),
    (&["claude-*"], &[Thinks(Thinking::Effort), Has(OFF_TO_MAX), NoSampling, SystemInPlace, PrefixBound]),
    // Google. From 3 on they think by level, and calls are signed.
    (&["gemini-1*", "gemini-2.0*"], &[Thinks(Thinking::Never), OldTools, UnsignedCalls, MaxOutput(8192)]),
    (&["gemini-2.5-pro*"], &[Thinks(Thinking::Budget), AlwaysThinks, UnsignedCalls, MaxOutput(65_536)]),
    (&["gemini-2*"], &[Thinks(Thinking::Budget), UnsignedCalls, MaxOutput(65_536)]),
    (&["gemini-3-pro*"], &[AlwaysThinks, Has(Efforts::of(&[Effort::Low, Effort::High])), MaxOutput(65_536)]),
    (&["gemini-3*-pro*", "gemini-3.7-flash*"], &[AlwaysThinks, Has(LOW_TO_HIGH), MaxOutput(65_536)]),
    (&["gemini-3*"], &[Has(MINIMAL_TO_HIGH), MaxOutput(65_536)]),
    (&["gemini-4-hydrogen*"], &[AlwaysThinks, Has(LOW_TO_XHIGH), NoSampling]),
    (&["gemini-4*"], &[AlwaysThinks, Has(LOW_TO_HIGH)]),
    (&["gemma*"], &[Thinks(Thinking::Never), OldTools, UnsignedCalls]),
    // OpenAI. Its chat knows custom tools, but not what their calls are in a stream: they go as functions.
    (&["gpt-oss*"], &[Has(LOW_TO_HIGH)]),
    (&["gpt-*-search*"], &[Thinks(Thinking::Never), MaxCompletionTokens, WebSearch, NoSampling]),
    (&["gpt-3*", "gpt-4*", "chatgpt-4o*"], &[Thinks(Thinking::Never), MaxCompletionTokens]),
    (&["gpt-5-pro*"], &[Has(Efforts::of(&[Effort::High])), MaxCompletionTokens, NoSampling]),
    (&["gpt-5-codex*", "o1*", "o3*", "o4*", "codex-*"], &[Has(LOW_TO_HIGH), MaxCompletionTokens, NoSampling]),
    (&["gpt-5", "gpt-5-*"], &[Has(MINIMAL_TO_HIGH), MaxCompletionTokens, NoSampling]),
    (&["gpt-5.3-codex*"], &[Has(LOW_TO_XHIGH), MaxCompletionTokens, Phase]),
    (&["gpt-5.4*", "gpt-5.5*"], &[Has(OFF_TO_XHIGH), MaxCompletionTokens, Phase]),
    (&["gpt-5.1-codex-max*", "gpt-5.2-codex*"], &[Has(LOW_TO_XHIGH), MaxCompletionTokens]),
    (&["gpt-5.1-codex*"], &[Has(LOW_TO_HIGH), MaxCompletionTokens]),
    (&["gpt-5.0*", "gpt-5.1*"], &[Has(OFF_TO_HIGH), MaxCompletionTokens]),
    (&["gpt-5.2*", "gpt-5.3*"], &[Has(OFF_TO_XHIGH), MaxCompletionTokens]),
    (&["gpt-*", "chatgpt-*"], &[Has(OFF_TO_MAX), MaxCompletionTokens, Phase, CacheBreakpoints]),
    // Those that demand their thinking back on turns with tools.
    (&["deepseek*", "kimi*", "moonshot*", "glm-4.5*", "glm-4.6*", "glm-4.7*", "glm-5*"], &[ReasoningContent]),
    (&["minimax-m*", "mimo*"], &[ReasoningContent]),
];

impl Facts {
    /// What is known of a model by its name.
    pub fn of(dialect: Dialect, model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        // Clouds put the vendor before the name: `anthropic.claude-…`, `us.anthropic.claude-…`.
        let name = name.rsplit_once("anthropic.").map_or(name.as_str(), |(_, name)| name);
        let known = MODELS.iter().find(|(patterns, _)| patterns.iter().any(|pattern| fits(pattern, name)));
        let mut facts = Self::unknown(dialect);
        for fact in known.map_or(&[][..], |(_, facts)| facts) {
            facts.learn(*fact);
        }
        facts.phase &= dialect == Dialect::Responses;
        facts
    }

    /// What is taken for granted of a model that nobody knows: that it is like the newest of Google's, and of the others
    /// what most servers of that dialect take.
    fn unknown(dialect: Dialect) -> Self {
        Self {
            thinking: if dialect == Dialect::Messages { Thinking::Budget } else { Thinking::Effort },
            system_in_place: false,
            sampling: true,
            modern_tools: true,
            signed_calls: true,
            always_thinks: false,
            efforts: if dialect == Dialect::GenerateContent { MINIMAL_TO_XHIGH } else { Efforts::ALL },
            cache_breakpoints: false,
            reasoning_content: false,
            prefix_bound: false,
            custom_tools: false,
            max_completion_tokens: false,
            web_search: false,
            phase: false,
            max_output: None,
            usual_output: None,
        }
    }

    fn learn(&mut self, fact: Fact) {
        match fact {
            Thinks(thinking) => self.thinking = thinking,
            SystemInPlace => self.system_in_place = true,
            NoSampling => self.sampling = false,
            OldTools => self.modern_tools = false,
            UnsignedCalls => self.signed_calls = false,
            AlwaysThinks => self.always_thinks = true,
            Has(efforts) => self.efforts = efforts,
            CacheBreakpoints => self.cache_breakpoints = true,
            ReasoningContent => self.reasoning_content = true,
            PrefixBound => self.prefix_bound = true,
            MaxCompletionTokens => self.max_completion_tokens = true,
            WebSearch => self.web_search = true,
            Phase => self.phase = true,
            MaxOutput(tokens) => self.max_output = Some(tokens),
        }
    }
}

/// Whether a name is what a pattern says; `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    // Most differ in their first letter already: for them no star is looked for.
    if pattern.bytes().next() != name.bytes().next() && !pattern.starts_with('*') {
        return false;
    }
    let Some((before, after)) = pattern.split_once('*') else { return pattern == name };
    let Some(rest) = name.strip_prefix(before) else { return false };
    after.is_empty() || rest.char_indices().any(|(at, _)| fits(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_known_by_its_name_wherever_it_is_served() {
        for name in ["claude-opus-5", "anthropic/claude-opus-5-20260901", "us.anthropic.claude-sonnet-5-5-v1:0"] {
            let facts = Facts::of(Dialect::Messages, name);
            assert!(facts.prefix_bound && facts.system_in_place && !facts.sampling, "{name}");
            assert_eq!(facts.thinking, Thinking::Effort);
        }
        let older = Facts::of(Dialect::Messages, "claude-sonnet-4-5-20250929");
        assert_eq!((older.thinking, older.max_output), (Thinking::Budget, Some(64_000)));
        assert!(!older.prefix_bound && older.sampling && !older.system_in_place);
    }

    #[test]
    fn the_first_line_that_fits_holds() {
        let chat = |model| Facts::of(Dialect::ChatCompletions, model);
        assert!(!chat("gpt-oss-120b").max_completion_tokens && chat("gpt-5.5").max_completion_tokens);
        assert!(chat("gpt-6.1-sol").cache_breakpoints && chat("gpt-5.6").cache_breakpoints);
        assert!(!chat("gpt-5.5").cache_breakpoints && chat("gpt-4o-search-preview").web_search);
        assert!(chat("deepseek-ai/DeepSeek-V4").reasoning_content && !chat("gpt-5.5").reasoning_content);
        assert!(!chat("gpt-5.5").phase && Facts::of(Dialect::Responses, "gpt-5.5").phase);
        assert!(!Facts::of(Dialect::Responses, "gpt-5.2").phase);
        let google = |model| Facts::of(Dialect::GenerateContent, model);
        assert!(google("gemini-2.5-flash").modern_tools && !google("gemini-2.5-flash").signed_calls);
        assert!(google("gemini-3.5-pro").signed_calls);
        assert!(google("gemini-2.5-pro").always_thinks && !google("gemini-2.5-flash").always_thinks);
        assert!(google("gemini-3.1-pro-preview").always_thinks && !google("gemini-3.5-flash").always_thinks);
        let efforts = |facts: Facts, wanted| facts.efforts.nearest(wanted);
        assert_eq!(efforts(google("gemini-3.5-flash"), Effort::Xhigh), Effort::High);
        assert_eq!(efforts(google("gemini-5-pro"), Effort::Xhigh), Effort::Xhigh);
        assert_eq!(efforts(google("gemini-3-pro-preview"), Effort::Medium), Effort::Low);
        assert_eq!(efforts(chat("gpt-5.1"), Effort::Minimal), Effort::Low);
        assert_eq!(efforts(chat("gpt-5-mini"), Effort::None), Effort::Minimal);
        assert_eq!(efforts(chat("gpt-5.6-terra"), Effort::Max), Effort::Max);
        assert_eq!(efforts(chat("deepseek-v4"), Effort::Max), Effort::Max);
    }

    #[test]
    fn a_pattern_may_have_a_star_anywhere() {
        assert!(fits("claude-*-4-5*", "claude-haiku-4-5-20251001"));
        assert!(!fits("claude-*-4-5*", "claude-haiku-4-6"));
        assert!(fits("a", "a") && !fits("a", "ab") && fits("*b", "ab"));
    }
}
