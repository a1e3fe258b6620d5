//! What of an answer comes through: each piece is looked for in what the provider said and in what the client is told.

use std::fmt::Write as _;

use bitrouter_dialect::Dialect;

use super::{head, others};
use crate::cases::{Case, minified, minified_stream};

/// A piece, and what it is known by in Chat Completions, Responses, Messages and generateContent: any of the texts.
type Piece = (&'static str, [&'static [&'static str]; 4]);

const PIECES: &[Piece] = &[
    (
        "thinking, in words",
        [
            &["\"reasoning_content\":\"", "\"reasoning\":\"", "reasoning.text", "reasoning.summary", "\"thinking\":["],
            &["summary_text", "reasoning_text", "reasoning_summary_text"],
            &["\"thinking\":\""],
            &["\"thought\":true"],
        ],
    ),
    (
        "opaque state of thinking",
        [
            &["\"signature\":\"", "reasoning.encrypted", "thought_signature"],
            &["\"encrypted_content\":\""],
            &["\"signature\":\"br1", "\"signature\":\"E", "redacted_thinking", "\"signature\":\"s"],
            &["thoughtSignature", "thought_signature"],
        ],
    ),
    (
        "calls of tools",
        [
            &["tool_calls\":[", "function_call\":{"],
            &["function_call", "custom_tool_call"],
            &["\"type\":\"tool_use\""],
            &["functionCall", "function_call"],
        ],
    ),
    (
        "sources of a text (citations)",
        [
            &["url_citation"],
            &["url_citation"],
            &["citations\":[{", "citations_delta"],
            &["groundingMetadata", "citationMetadata"],
        ],
    ),
    (
        "log probabilities",
        [&["\"logprobs\":{", "\"logprob\":"], &["\"logprobs\":[{"], &["\"logprobs\":"], &["logprobsResult"]],
    ),
    (
        "tokens read from a cache",
        [
            &["cached_tokens\":", "prompt_cache_hit_tokens\":"],
            &["cached_tokens\":"],
            &["cache_read_input_tokens\":"],
            &["cachedContentTokenCount\":"],
        ],
    ),
    (
        "the end by the limit of length",
        [
            &["\"finish_reason\":\"length\""],
            &["max_output_tokens\"}"],
            &["\"stop_reason\":\"max_tokens\""],
            &["MAX_TOKENS"],
        ],
    ),
    (
        "the end by a refusal or a filter",
        [
            &["\"finish_reason\":\"content_filter\"", "\"refusal\":\""],
            &["content_filter\"}", "\"type\":\"refusal\"", "\"refusal\":\""],
            &["\"stop_reason\":\"refusal\""],
            &["SAFETY", "RECITATION", "PROHIBITED", "BLOCKLIST", "SPII", "blockReason"],
        ],
    ),
    (
        "an error within a stream",
        [&["data: {\"error\":"], &["response.failed", "\"type\":\"error\""], &["event: error"], &["data: {\"error\":"]],
    ),
];

/// The table of what clients of a dialect are told.
pub(super) fn table(to: Dialect, cases: &[Case]) -> String {
    let mut table = head("what comes, and how many cases", others(to));
    for piece in PIECES {
        let cells = others(to).map(|from| cell(piece, from, to, cases)).collect::<Vec<_>>().join(" | ");
        writeln!(table, "| {} | {cells} |", piece.0).unwrap();
    }
    let cells = others(to).map(|from| cut(from, to, cases)).collect::<Vec<_>>().join(" | ");
    writeln!(table, "| a stream that breaks off | {cells} |").unwrap();
    table
}

fn has((_, known_by): &Piece, dialect: Dialect, text: &str) -> bool {
    let at = Dialect::ALL.iter().position(|it| *it == dialect).unwrap();
    // What is empty or 0 says nothing.
    let says = |(at, known): (usize, &str)| {
        let behind = &text[at + known.len()..];
        !(known.ends_with(":\"") && behind.starts_with('"') || known.ends_with("\":") && behind.starts_with('0'))
    };
    known_by[at].iter().any(|known| text.match_indices(known).any(says))
}

fn cell(piece: &Piece, from: Dialect, to: Dialect, cases: &[Case]) -> String {
    let (mut all, mut carried) = (0, 0);
    for case in cases.iter().filter(|case| case.from == from) {
        for (said, told) in told(case, to) {
            if has(piece, from, &said) {
                all += 1;
                carried += usize::from(has(piece, to, &told));
            }
        }
    }
    match carried {
        _ if all == 0 => "–".to_owned(),
        0 => format!("left out ({all})"),
        carried if carried == all => format!("carried ({all})"),
        carried => format!("carried in {carried} of {all}"),
    }
}

/// A document and a stream of a case, as the provider said and as the client is told it.
fn told(case: &Case, to: Dialect) -> Vec<(String, String)> {
    let pair =
        |said: &str, told: &str, same: fn(&str) -> String| Some((same(&case.read(said)?), same(&case.read(told)?)));
    let document = pair("answer.json", &format!("answer.{to}.json"), minified);
    document.into_iter().chain(pair("stream.sse", &format!("stream.{to}.sse"), minified_stream)).collect()
}

/// Whether streams that were cut are told as such: their files say how they ended, in a comment.
fn cut(from: Dialect, to: Dialect, cases: &[Case]) -> String {
    let streams =
        cases.iter().filter(|case| case.from == from).filter_map(|case| case.read(&format!("stream.{to}.sse")));
    match streams.filter(|stream| stream.contains("\n: cut")).count() {
        0 => "–".to_owned(),
        count => format!("never ends as a whole one ({count})"),
    }
}
