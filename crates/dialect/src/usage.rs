//! What an answer used, read from each dialect's own `usage` and brought to one meaning. The tap calls it for
//! the few events that carry usage; it must never guess a number that the upstream did not write.

use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;
use crate::json;

/// Tokens of one answer. `None` is "not reported", which is not zero.
///
/// The counts mean the same for every dialect, so that they can be added up: Messages counts cached input
/// beside `input_tokens`, and generateContent counts thoughts beside `candidatesTokenCount`; both are put in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// All tokens the model was given, whether they came from a cache or not.
    pub input: Option<u64>,
    /// All tokens the model produced, reasoning included.
    pub output: Option<u64>,
    /// The part of `input` that was read from a prompt cache.
    pub cached_input: Option<u64>,
    /// The part of `input` that was written to a prompt cache.
    pub cache_write: Option<u64>,
    /// The part of `output` that is reasoning.
    pub reasoning: Option<u64>,
    /// The total as reported, else `input` + `output` if both are known.
    pub total: Option<u64>,
}

impl Usage {
    /// Whether nothing at all was reported.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The numbers as the upstream wrote them. Later ones replace earlier ones field by field: Messages reports
/// in two events, and generateContent counts up with every chunk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    input: Option<u64>,
    /// generateContent only: what tools put into the prompt, counted beside it.
    tool_input: Option<u64>,
    output: Option<u64>,
    cached_input: Option<u64>,
    cache_write: Option<u64>,
    reasoning: Option<u64>,
    total: Option<u64>,
}

impl Counts {
    /// Reads the usage that the event or whole answer `data` carries, if any.
    pub(crate) fn read_event(&mut self, dialect: Dialect, data: &[u8]) {
        let usage = match dialect {
            Dialect::ChatCompletions => json::get(data, "usage"),
            Dialect::Responses => json::get(data, "response").and_then(|it| json::get(it, "usage")),
            Dialect::Messages => {
                let within = json::get(data, "message");
                json::get(within.unwrap_or(data), "usage")
            }
            Dialect::GenerateContent => json::get(data, "usageMetadata"),
        };
        if let Some(usage) = usage {
            self.read(usage);
        }
    }

    /// Reads a usage object of any dialect: their names do not collide.
    pub(crate) fn read(&mut self, usage: &[u8]) {
        for (key, value) in json::members(usage) {
            let field = match key {
                b"prompt_tokens" | b"input_tokens" | b"promptTokenCount" => &mut self.input,
                b"completion_tokens" | b"output_tokens" | b"candidatesTokenCount" => &mut self.output,
                b"total_tokens" | b"totalTokenCount" => &mut self.total,
                b"prompt_tokens_details" | b"input_tokens_details" => {
                    self.read_input_details(value);
                    continue;
                }
                b"completion_tokens_details" | b"output_tokens_details" => {
                    keep(&mut self.reasoning, json::get(value, "reasoning_tokens"));
                    // Messages.
                    keep(&mut self.reasoning, json::get(value, "thinking_tokens"));
                    continue;
                }
                // Messages, generateContent, and DeepSeek's own name in Chat Completions.
                b"cache_read_input_tokens" | b"cachedContentTokenCount" | b"prompt_cache_hit_tokens" => {
                    &mut self.cached_input
                }
                b"cache_creation_input_tokens" => &mut self.cache_write,
                b"thoughtsTokenCount" => &mut self.reasoning,
                b"toolUsePromptTokenCount" => &mut self.tool_input,
                _ => continue,
            };
            keep(field, Some(value));
        }
    }

    fn read_input_details(&mut self, details: &[u8]) {
        keep(&mut self.cached_input, json::get(details, "cached_tokens"));
        keep(&mut self.cache_write, json::get(details, "cache_write_tokens"));
    }

    /// The counts in the one meaning of [`Usage`].
    pub(crate) fn usage(&self, dialect: Dialect) -> Usage {
        let (input, output) = match dialect {
            Dialect::ChatCompletions | Dialect::Responses => (self.input, self.output),
            Dialect::Messages => (plus(plus(self.input, self.cached_input), self.cache_write), self.output),
            Dialect::GenerateContent => (plus(self.input, self.tool_input), plus(self.output, self.reasoning)),
        };
        let sum = input.zip(output).map(|(input, output)| input.saturating_add(output));
        Usage {
            input,
            output,
            cached_input: self.cached_input,
            cache_write: self.cache_write,
            reasoning: self.reasoning,
            total: self.total.or(sum),
        }
    }
}

fn keep(field: &mut Option<u64>, value: Option<&[u8]>) {
    if let Some(count) = value.and_then(json::count) {
        *field = Some(count);
    }
}

/// A count with a part that is reported beside it; unknown only if neither was reported.
fn plus(count: Option<u64>, part: Option<u64>) -> Option<u64> {
    match (count, part) {
        (Some(count), Some(part)) => Some(count.saturating_add(part)),
        (count, part) => count.or(part),
    }
}
