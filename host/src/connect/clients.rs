//! The clients that can be pointed at a gateway, a file each. Facts are from their packages and documentation, as
//! `docs/clients.md` has them.

mod aider;
mod by_hand;
mod claude_code;
mod cline;
mod codex;
mod continue_dev;
mod copilot;
mod crush;
mod gemini;
mod goose;
mod opencode;
mod qwen;
mod vscode;
mod zed;

use super::plan::Client;

/// What a client is told of a model of which nothing is known: the least that models of today have.
const CONTEXT: u64 = 128_000;
/// How many tokens an answer may have by what clients are told: opencode's own limit for models of any vendor.
const ANSWER: u64 = 32_000;

/// All of them, the most used first.
pub const CLIENTS: [&Client; 19] = [
    &claude_code::CLIENT,
    &codex::CLIENT,
    &opencode::CLIENT,
    &gemini::CLIENT,
    &copilot::CLIENT,
    &vscode::CLIENT,
    &cline::CLIENT,
    &zed::CLIENT,
    &continue_dev::CLIENT,
    &crush::CLIENT,
    &goose::CLIENT,
    &aider::CLIENT,
    &qwen::CLIENT,
    &by_hand::CURSOR,
    &by_hand::CLINE_IN_VSCODE,
    &by_hand::JETBRAINS,
    &by_hand::XCODE,
    &by_hand::OPEN_WEBUI,
    &by_hand::LIBRECHAT,
];

#[cfg(test)]
mod tests;
