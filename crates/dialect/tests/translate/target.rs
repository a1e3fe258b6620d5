//! The targets of these tests.

use bitrouter_dialect::Dialect;
use bitrouter_dialect::translate::{Facts, NoStates, Owner, Target};

pub(crate) fn model(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::ChatCompletions | Dialect::Responses => "gpt-5.5",
        Dialect::Messages => "claude-opus-5",
        Dialect::GenerateContent => "gemini-3.5-pro",
    }
}

pub(crate) fn target(dialect: Dialect) -> Target<'static> {
    let model = model(dialect);
    let owner = Owner { provider: "p", account: "a", model };
    Target { dialect, model, owner, facts: Facts::of(dialect, model), states: &NoStates }
}
