//! What single providers take differently from everybody else, as words of a description and of the config: each stands for
//! edits of a request's body, which the host makes. This is the table of the words and of what they mean;
//! `bitrouter_dialect::quirks` makes the edits.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Makes the words: each variant with its word and its meaning.
macro_rules! quirks {
    ($($variant:ident $word:literal $meaning:literal)*) => {
        /// One thing that a provider takes differently.
        #[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Quirk {
            $(#[doc = $meaning] #[serde(rename = $word)] $variant,)*
        }

        impl Quirk {
            /// All of them, in the order in which their edits are made.
            pub const ALL: &[Quirk] = &[$(Quirk::$variant),*];
            /// Their words, in the same order.
            pub const WORDS: &[&str] = &[$($word),*];

            /// The word.
            pub fn word(self) -> &'static str {
                match self { $(Quirk::$variant => $word,)* }
            }

            /// What becomes of a body, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Quirk::$variant => $meaning,)* }
            }

            /// What a word stands for.
            pub fn of_word(word: &str) -> Option<Quirk> {
                match word { $($word => Some(Quirk::$variant),)* _ => None }
            }
        }
    };
}

quirks! {
    KnownMembers "known-members" "Members of the body and of its messages that not every server of the dialect knows are left out."
    NoNullMembers "no-null-members" "Members that are `null` are left out, of the body, its messages, their tool calls and its tools."
    SystemRole "system-role" "The role `developer` goes as `system`."
    MaxTokens "max-tokens" "`max_completion_tokens` goes as `max_tokens`."
    MaxCompletionTokens "max-completion-tokens" "`max_tokens` goes as `max_completion_tokens`."
    NoStreamOptions "no-stream-options" "`stream_options` is left out."
    StreamUsage "stream-usage" "A stream is asked to say what it used, whether or not the client asks; the client then sees it."
    NoMessageNames "no-message-names" "`name` is left out of messages."
    RandomSeed "random-seed" "`seed` goes as `random_seed`."
    ToolChoiceAny "tool-choice-any" "`tool_choice: required` goes as `any`."
    NoRequiredToolChoice "no-required-tool-choice" "`tool_choice: required` goes as `auto`."
    NoParallelToolCalls "no-parallel-tool-calls" "`parallel_tool_calls` is left out."
    NoStrictTools "no-strict-tools" "`strict` is left out of tools."
    PlainSchemas "plain-schemas" "`$schema` and `$id` are left out of the schemas of tools and answers."
    TextAsString "text-as-string" "Content that is a list of texts goes as one string, the texts on lines of their own."
    ThinkingStreams "thinking-streams" "Of Qwen 3's models that think if they are not told otherwise, `enable_thinking` goes as `false` where no stream is asked for."
    NoReasoningContent "no-reasoning-content" "`reasoning_content` is left out of messages."
    ReasoningMember "reasoning-member" "`reasoning_content` of messages goes as `reasoning`."
    ReasoningWithTools "reasoning-with-tools" "A message with tool calls and without `reasoning_content` gets one, a space."
    ToolCallIdsOf9 "tool-call-ids-of-9" "Ids of tool calls are nine letters and digits; others are replaced, in calls and results alike."
    ToolCallIdsUpTo64 "tool-call-ids-up-to-64" "Ids of tool calls have 64 characters at most; longer ones are shortened, in calls and results alike."
}

/// What is done to every body of one dialect, where no word says it. Patterns are JSON pointers in which `*` stands for every
/// item of an array and every member of an object.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct BodyEdits {
    /// Members of the body that go up; all others are left out. Empty for all.
    #[serde(default)]
    pub keep: Vec<String>,
    /// Patterns of what is left out: `/messages/*/name`.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Patterns of members, each with the name under which it goes: `{"/seed": "random_seed"}`.
    #[serde(default)]
    pub rename: BTreeMap<String, String>,
    /// Patterns of members, each with the value that it gets whatever it had: `{"/store": false}`.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
}

impl BodyEdits {
    /// What is wrong with them: the member, and the problem.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let pattern = |pattern: &str| {
            let tilde = pattern.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1']));
            let problem = match pattern {
                _ if !pattern.starts_with('/') => format!("is no pattern: write /{pattern}"),
                _ if tilde => "has a `~` that is neither ~0 nor ~1".into(),
                _ if pattern.matches('/').count() > 64 => "has more than 64 tokens".into(),
                _ => return None,
            };
            Some(format!("`{}` {problem}", pattern.escape_debug()))
        };
        let member = |named: &str| match pattern(named) {
            None if named.ends_with("/*") => Some(format!("`{}` names no member at its end", named.escape_debug())),
            problem => problem,
        };
        let mut wrong: Vec<(&'static str, String)> = Vec::new();
        wrong.extend(self.remove.iter().filter_map(|named| pattern(named)).map(|problem| ("remove", problem)));
        wrong.extend(self.rename.keys().filter_map(|named| member(named)).map(|problem| ("rename", problem)));
        wrong.extend(self.set.keys().filter_map(|named| member(named)).map(|problem| ("set", problem)));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_what_it_is_written_as_and_stands_in_the_documentation() {
        let page = include_str!("../../../docs/provider-without-code.md").replace("\r\n", "\n");
        for (quirk, word) in Quirk::ALL.iter().zip(Quirk::WORDS) {
            assert_eq!(Quirk::of_word(word), Some(*quirk));
            assert_eq!(serde_json::to_value(quirk).unwrap(), *word);
            let row = format!("| `{word}` | {} |", quirk.meaning());
            assert!(page.contains(&row), "docs/provider-without-code.md lacks the row:\n{row}");
        }
    }

    #[test]
    fn a_pattern_that_is_none_is_told() {
        let edits: BodyEdits = serde_json::from_value(serde_json::json!({
            "remove": ["name", "/messages/*"], "rename": { "/tools/*": "x", "/a": "b" }, "set": { "/a~2": 1, "/a~1": 1 },
        }))
        .unwrap();
        let wrong: Vec<_> =
            edits.problems().into_iter().map(|(member, problem)| format!("{member}: {problem}")).collect();
        assert_eq!(
            wrong,
            [
                "remove: `name` is no pattern: write /name",
                "rename: `/tools/*` names no member at its end",
                "set: `/a~2` has a `~` that is neither ~0 nor ~1",
            ]
        );
    }
}
