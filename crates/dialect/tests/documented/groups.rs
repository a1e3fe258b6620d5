//! What a case of a request is about, as a user looks for it.

use bitrouter_dialect::Dialect;

/// The groups in the order of the tables, with their cases: the name of a folder in any dialect, or `dialect/name`; `*` at the
/// end stands for whatever follows. The first that fits has the case.
pub(super) const GROUPS: &[(&str, &[&str])] = &[
    ("Plain text, a history without tools", &["hello", "empty", "compaction"]),
    (
        "System and developer messages, each in its place",
        &["system-in-*", "developer-in-place*", "vercel-openai-developer", "for-gemini-nothing-but-instructions"],
    ),
    ("An answer that the client has begun (prefill)", &["prefilled*", "a-turn-of-the-model-at-the-end"]),
    ("Refusals in the history", &["refused-before", "refusal-in-the-history"]),
    (
        "Histories as SDKs append them",
        &[
            "openai-python-echo",
            "genai-js-chat-chunks",
            "genai-python-automatic-calls",
            "snake-case-everywhere",
            "python-appended",
            "python-sdk-appended-items",
        ],
    ),
    ("Images, PDFs, sounds, films, files", &["media-of-all-kinds", "documents", "files"]),
    (
        "Images and PDFs in tool results",
        &[
            "results-with-images",
            "gemini-cli-images-and-errors",
            "results-of-every-form",
            "claude-code-images-and-pdf",
            "tool-result-oddities",
            "pdf-in-a-result",
            "codex-parallel-custom-image",
            "opencode-ids",
        ],
    ),
    (
        "Parallel calls and their results",
        &[
            "vercel-compatible-parallel-calls",
            "claude-code-router-like",
            "opencode-two-steps",
            "gemini-cli-tools",
            "vercel-three-results",
            "results-in-contents-of-their-own",
            "opencode-without-ids",
            "claude-code-parallel-tools",
            "opencode-turns",
            "vercel-tools",
            "vercel-parallel",
        ],
    ),
    (
        "Tools that failed, calls without results, results without calls",
        &["orphans", "calls-without-results", "errors-in-the-middle"],
    ),
    (
        "Arguments as text: numbers, escapes, order",
        &["arguments-as-text", "numbers-and-escapes", "arguments-that-are-no-json"],
    ),
    ("Ids and names that others refuse", &["odd-ids-and-names", "long-call-id", "names-that-clash"]),
    (
        "Web search, fetch, code and other server tools",
        &[
            "server-tools",
            "server-tool-history",
            "claude-code-web-search",
            "vendor-tools",
            "choice-of-a-server-tool",
            "items-of-its-own",
        ],
    ),
    (
        "Choice among tools",
        &[
            "allowed-tools",
            "for-gemini-a-subset-of-tools",
            "a-subset-of-functions",
            "one-function-of-two-allowed",
            "validated-mode",
            "tool-choice-*",
            "choice-*",
        ],
    ),
    (
        "Custom tools with grammars, tool search, namespaces of MCP",
        &[
            "custom-tool-with-grammar",
            "codex-first-turn",
            "codex-lite-additional-tools",
            "codex-mcp-namespace",
            "claude-code-tool-search",
        ],
    ),
    ("Schemas and other members of tools", &["schemas*", "tools-with-rare-members", "old-functions"]),
    ("Structured output (JSON)", &["json-object*", "structured-*", "vercel-structured", "codex-output-schema"]),
    (
        "Thinking: efforts and budgets",
        &[
            "effort-*",
            "thinking-by-budget",
            "thinking-left-to-the-model",
            "thinking-off",
            "thinking-between-tools",
            "budget-of-a-few",
            "claude-code-budget",
            "claude-code-thinking-disabled",
            "display-summarized",
            "for-gemini-*",
        ],
    ),
    (
        "Thinking in the history, in words",
        &[
            "mistral-thinking-parts",
            "chat-completions/reasoning-three-turns",
            "deepseek-thinking-comes-back",
            "thinking-that-kimi-wants-back",
            "gpt-oss-reasoning",
        ],
    ),
    (
        "Opaque state of the target (signatures, encrypted reasoning): it goes back",
        &[
            "kept-states",
            "states-come-back",
            "thought-of-a-last-answer",
            "reasoning-details-kept-apart",
            "thinking-between-calls",
            "claude-thinking-*",
            "claude-two-blocks-in-one-slot",
            "openai-reasoning-comes-back",
            "state-of-the-target-*",
            "responses/reasoning-three-turns",
        ],
    ),
    (
        "Opaque state of others, after a change of the model: it stays away",
        &[
            "gemini-cli-like-switch",
            "gemini-cli-missing-signature",
            "switched-from-gemini-to-claude",
            "thinking-signed-by-anthropic",
            "three-turns-of-another-owner",
            "reasoning-of-another-owner",
            "claude-code-other-model",
        ],
    ),
    ("Prompt caches", &["cache-*"]),
    (
        "Sampling, limits and other settings",
        &[
            "all-settings",
            "settings*",
            "candidates-and-log-probabilities",
            "vercel-settings",
            "system-instruction-string-and-what-is-lost",
            "another-servers-members",
            "claude-code-first-turn",
        ],
    ),
    ("Members, parts and tools that nobody knows", &["unknown-everywhere", "what-nobody-knows"]),
    (
        "What a vendor keeps, and the gateway does not: `item_reference`, `previous_response_id`, `conversation`, `prompt`, `background`",
        &[
            "item-reference*",
            "previous-response",
            "conversation-of-the-vendor",
            "prompt-of-the-vendor",
            "in-the-background",
        ],
    ),
];

/// The group of a case, by its place in [`GROUPS`].
pub(super) fn group_of(from: Dialect, name: &str) -> Option<usize> {
    let fits = |pattern: &str| {
        let (dialect, pattern) = pattern.split_once('/').unwrap_or((from.as_str(), pattern));
        dialect == from.as_str()
            && pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
    };
    GROUPS.iter().position(|(_, patterns)| patterns.iter().any(|pattern| fits(pattern)))
}

#[test]
fn each_documented_group_has_cases() {
    let cases = crate::cases::cases();
    for (group, (title, _)) in GROUPS.iter().enumerate() {
        let has = cases.iter().any(|case| {
            case.read("request.json").is_some()
                && group_of(case.from, &case.folder.file_name().unwrap().to_string_lossy()) == Some(group)
        });
        assert!(has, "no case is in {title}");
    }
}
