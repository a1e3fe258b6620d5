//! Where a member of a translated request stands in the client's body: who drops one of the target's names is to be
//! understood by somebody who never wrote that name.

use crate::dialect::Dialect;
use crate::json;

/// The members of a request that say the same, by dialect: Chat Completions, Responses, Messages, generateContent. One
/// that a dialect cannot say is empty; one that it has two names for is named by the older one as well.
const SAME: &[[&[&str]; 4]] = &[
    [
        &["max_completion_tokens", "max_tokens"],
        &["max_output_tokens"],
        &["max_tokens"],
        &["generationConfig/maxOutputTokens"],
    ],
    [&["temperature"], &["temperature"], &["temperature"], &["generationConfig/temperature"]],
    [&["top_p"], &["top_p"], &["top_p"], &["generationConfig/topP"]],
    [&["top_k"], &["top_k"], &["top_k"], &["generationConfig/topK"]],
    [&["stop"], &[], &["stop_sequences"], &["generationConfig/stopSequences"]],
    [&["n"], &[], &[], &["generationConfig/candidateCount"]],
    [&["seed"], &[], &[], &["generationConfig/seed"]],
    [&["presence_penalty"], &[], &[], &["generationConfig/presencePenalty"]],
    [&["frequency_penalty"], &[], &[], &["generationConfig/frequencyPenalty"]],
    [&["top_logprobs"], &["top_logprobs"], &[], &["generationConfig/logprobs"]],
    [
        &["reasoning_effort"],
        &["reasoning", "reasoning/effort"],
        &["thinking", "output_config/effort"],
        &["generationConfig/thinkingConfig"],
    ],
    [&["verbosity"], &["text/verbosity"], &[], &[]],
    [
        &["response_format"],
        &["text/format"],
        &["output_config/format", "output_format"],
        &["generationConfig/responseJsonSchema", "generationConfig/responseSchema"],
    ],
    [&["tools"], &["tools"], &["tools"], &["tools"]],
    [&["tool_choice"], &["tool_choice"], &["tool_choice"], &["toolConfig"]],
    [&["parallel_tool_calls"], &["parallel_tool_calls"], &["tool_choice/disable_parallel_tool_use"], &[]],
    [&["safety_identifier", "user"], &["safety_identifier", "user"], &["metadata/user_id"], &[]],
    [&["metadata"], &["metadata"], &[], &["labels"]],
    [&["service_tier"], &["service_tier"], &["service_tier"], &["serviceTier"]],
    [&["prompt_cache_key"], &["prompt_cache_key"], &[], &[]],
];

/// The JSON pointer into the client's body for one into its translation, where the client said it. What the translation
/// itself added was said by nobody.
pub fn member_of_client(body: &[u8], client: Dialect, target: Dialect, pointer: &str) -> Option<String> {
    let name = pointer.trim_start_matches('/');
    let row = SAME.iter().find(|row| row[column(target)].contains(&name))?;
    let said = row[column(client)].iter().find_map(|path| spelled(body, path));
    said.map(|path| format!("/{path}"))
}

/// This path as the body spells it, if it has it: generateContent is written in two ways.
fn spelled(body: &[u8], path: &str) -> Option<String> {
    let mut value = body;
    let mut spelled = Vec::new();
    for name in path.split('/') {
        let snake = snake(name);
        let (as_written, inner) =
            [name, &snake].into_iter().find_map(|name| Some((name.to_owned(), json::get(value, name)?)))?;
        spelled.push(as_written);
        value = inner;
    }
    Some(spelled.join("/"))
}

fn snake(name: &str) -> String {
    let lower = |letter: char| {
        if letter.is_ascii_uppercase() { format!("_{}", letter.to_ascii_lowercase()) } else { letter.into() }
    };
    name.chars().map(lower).collect()
}

fn column(dialect: Dialect) -> usize {
    match dialect {
        Dialect::ChatCompletions => 0,
        Dialect::Responses => 1,
        Dialect::Messages => 2,
        Dialect::GenerateContent => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_target_drops_is_named_as_the_client_wrote_it() {
        use Dialect::{ChatCompletions, GenerateContent, Messages, Responses};
        for (client, body, target, dropped, expected) in [
            (Messages, r#"{"max_tokens":3}"#, Responses, "/max_output_tokens", Some("/max_tokens")),
            (ChatCompletions, r#"{"max_tokens":3}"#, Responses, "max_output_tokens", Some("/max_tokens")),
            (
                ChatCompletions,
                r#"{"max_completion_tokens":3}"#,
                Responses,
                "/max_output_tokens",
                Some("/max_completion_tokens"),
            ),
            (
                GenerateContent,
                r#"{"generation_config":{"maxOutputTokens":3}}"#,
                Responses,
                "/max_output_tokens",
                Some("/generation_config/maxOutputTokens"),
            ),
            (Messages, r#"{"metadata":{"user_id":"u"}}"#, Responses, "/safety_identifier", Some("/metadata/user_id")),
            // The translation's own.
            (ChatCompletions, "{}", Messages, "/max_tokens", None),
            (ChatCompletions, "{}", Responses, "/store", None),
        ] {
            let named = member_of_client(body.as_bytes(), client, target, dropped);
            assert_eq!(named.as_deref(), expected, "{body} {dropped}");
        }
    }
}
