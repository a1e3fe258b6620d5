//! What is known of a model beside its name: how much it takes, what it can do, what it costs. Descriptions and live lists
//! say it, and the vendored data does where they are silent. Nobody refuses a request for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::price::Price;

/// What is known of a model. Nothing stands for what is not known.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub struct Facts {
    /// The most tokens that a call may hold.
    #[serde(default)]
    pub context_window: Option<u64>,
    /// The most tokens of a request, where they are fewer than that.
    #[serde(default)]
    pub max_input: Option<u64>,
    /// The most tokens of an answer.
    #[serde(default)]
    pub max_output: Option<u64>,
    /// What a request may hold: `text`, `image`, `audio`, `video`, `pdf`.
    #[serde(default)]
    pub input: Vec<String>,
    /// What an answer may hold, in the same words.
    #[serde(default)]
    pub output: Vec<String>,
    /// Whether it thinks before it answers.
    #[serde(default)]
    pub reasoning: Option<bool>,
    /// Whether it calls tools.
    #[serde(default)]
    pub tool_call: Option<bool>,
    /// Whether its answer can be held to a JSON schema.
    #[serde(default)]
    pub structured_output: Option<bool>,
    /// What it costs.
    #[serde(default)]
    pub price: Option<Price>,
}

impl Facts {
    /// Each fact from here, and from the other where this says nothing. A price is one fact: rates of two sources are never
    /// mixed. A limit of the other that is beyond the window is of another offer of the model, and says nothing.
    #[must_use]
    pub fn or(self, other: &Facts) -> Facts {
        let context_window = self.context_window.or(other.context_window);
        let fits =
            |tokens: &u64| context_window.is_none_or(|window| *tokens <= window || self.context_window.is_none());
        Facts {
            context_window,
            max_input: self.max_input.or(other.max_input.filter(fits)),
            max_output: self.max_output.or(other.max_output.filter(fits)),
            input: if self.input.is_empty() { other.input.clone() } else { self.input },
            output: if self.output.is_empty() { other.output.clone() } else { self.output },
            reasoning: self.reasoning.or(other.reasoning),
            tool_call: self.tool_call.or(other.tool_call),
            structured_output: self.structured_output.or(other.structured_output),
            price: self.price.or_else(|| other.price.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn facts(json: Value) -> Facts {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn each_fact_is_the_first_that_is_said_and_a_price_is_one_fact() {
        let first = facts(json!({ "max_output": 8, "input": ["text"], "tool_call": false, "price": { "input": 1 } }));
        let second = facts(json!({
            "context_window": 100, "max_output": 50, "input": ["image"], "output": ["text"], "tool_call": true,
            "reasoning": true, "price": { "input": 2, "output": 3 },
        }));
        let expected = json!({
            "context_window": 100, "max_output": 8, "input": ["text"], "output": ["text"], "tool_call": false,
            "reasoning": true, "price": { "input": 1 },
        });
        assert_eq!(first.or(&second), facts(expected));
    }

    #[test]
    fn limits_of_a_larger_offer_are_not_those_of_a_smaller_one() {
        let plan = facts(json!({ "context_window": 272_000 }));
        let api = facts(json!({ "context_window": 1_050_000, "max_input": 922_000, "max_output": 128_000 }));
        let merged = plan.or(&api);
        assert_eq!((merged.context_window, merged.max_input, merged.max_output), (Some(272_000), None, Some(128_000)));
        // What one source says of itself stands, as Google's windows do, which count the request alone.
        let speech = facts(json!({ "context_window": 8192, "max_output": 16384 }));
        assert_eq!(Facts::default().or(&speech), speech);
    }
}
