//! One trait for the upstreams that are as strict as their vendors, one of each dialect: what holds for a client with all of
//! them is written once. The tests with real clients call it.

use serde_json::Value;

use crate::chatgpt::{ChatGpt, Turn};
use crate::setup::Setup;
use crate::spoken::Spoken;
use crate::vendor::{Anthropic, Chat, Google, Speaks, Vendor};

/// An upstream of one dialect.
pub trait Backend: Send {
    /// Its dialect, as the gateway names it.
    fn dialect(&self) -> &'static str;

    /// How a client of the gateway asks for its model.
    fn model(&self) -> String;

    /// Scripts the next turn.
    fn then(&self, turn: Spoken);

    /// Lets a gateway send to it.
    fn known_to(&self, setup: Setup) -> Setup;

    /// The bodies of the requests that a model answers, in their order.
    fn turns(&self) -> Vec<Value>;

    /// What a request brings back of the thoughts of earlier turns, in their order: what [`Spoken::thinks`] was given.
    fn states(&self, body: &Value) -> Vec<String>;

    /// The list that a conversation grows in.
    fn history<'b>(&self, body: &'b Value) -> &'b [Value];

    /// Checks that it had no reason to refuse anything. A failure that was scripted is no refusal.
    fn refused_nothing(&self);
}

/// A backend of each dialect but this one. What each client brings back of the thinking is for its test to say: no vendor demands it
/// all.
pub fn backends_but(dialect: &str) -> Vec<Box<dyn Backend>> {
    let all: [Box<dyn Backend>; 4] = [
        Box::new(ChatGpt::start().does_without_reasoning()),
        Box::new(Anthropic::start()),
        Box::new(Google::start()),
        Box::new(Chat::start()),
    ];
    all.into_iter().filter(|backend| backend.dialect() != dialect).collect()
}

impl Backend for ChatGpt {
    fn dialect(&self) -> &'static str {
        "responses"
    }

    fn model(&self) -> String {
        "openai-codex:gpt-5.5".to_owned()
    }

    fn then(&self, turn: Spoken) {
        self.now_turns(Turn::from(turn));
    }

    fn known_to(&self, setup: Setup) -> Setup {
        setup.with_chatgpt(self)
    }

    fn turns(&self) -> Vec<Value> {
        ChatGpt::turns(self).iter().map(|seen| seen.json()).collect()
    }

    fn states(&self, body: &Value) -> Vec<String> {
        let input = body["input"].as_array().into_iter().flatten();
        input.filter_map(|item| item["encrypted_content"].as_str().map(str::to_owned)).collect()
    }

    fn history<'b>(&self, body: &'b Value) -> &'b [Value] {
        list(&body["input"])
    }

    fn refused_nothing(&self) {
        ChatGpt::refused_nothing(self);
    }
}

impl<S: Speaks> Backend for Vendor<S> {
    fn dialect(&self) -> &'static str {
        S::DIALECT
    }

    fn model(&self) -> String {
        format!("{}:{}", S::PROVIDER, S::MODEL)
    }

    fn then(&self, turn: Spoken) {
        self.now_turns(turn);
    }

    fn known_to(&self, setup: Setup) -> Setup {
        setup.with_vendor(self)
    }

    fn turns(&self) -> Vec<Value> {
        // What only counts has other paths.
        let turns = self.requests().into_iter().filter(|seen| {
            let path = seen.path.split('?').next().unwrap_or_default().to_ascii_lowercase();
            ["/messages", "/completions", "generatecontent"].iter().any(|end| path.ends_with(end))
        });
        turns.map(|seen| seen.json()).collect()
    }

    fn states(&self, body: &Value) -> Vec<String> {
        S::states(body)
    }

    fn history<'b>(&self, body: &'b Value) -> &'b [Value] {
        list(if S::DIALECT == "generate-content" { &body["contents"] } else { &body["messages"] })
    }

    fn refused_nothing(&self) {
        Vendor::refused_nothing(self);
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
