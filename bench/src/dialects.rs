//! The dialects in which a client may ask: the same call and the same answer, said otherwise. Called by `translated`, which
//! measures what saying it otherwise costs. The upstream knows Chat Completions alone.

use serde_json::{Value, json};

use crate::answers::Behaviour;
use crate::bodies::{self, Kind};
use crate::connection::Call;

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// The upstream's own dialect: nothing is translated.
    ChatCompletions,
    /// As Claude Code asks.
    Messages,
    /// As Codex asks.
    Responses,
    /// As Gemini CLI asks.
    GenerateContent,
}

impl Client {
    /// As tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "Chat Completions",
            Self::Messages => "Messages",
            Self::Responses => "Responses",
            Self::GenerateContent => "generateContent",
        }
    }

    /// A call of this kind and size. Its answer has at least the words that the upstream says.
    pub fn call(self, prefix: &str, kind: Kind, behaviour: Behaviour) -> Call {
        let model = format!("{prefix}{}", behaviour.model());
        let chat = bodies::chat(kind, &model, behaviour.streams());
        let body = match self {
            Self::ChatCompletions => return Call::new(prefix, kind, behaviour),
            Self::Messages => said(&chat, messages),
            Self::Responses => said(&chat, responses),
            Self::GenerateContent => said(&chat, generate_content),
        };
        Call {
            body: body.into(),
            path: self.path(&model, behaviour.streams()),
            least: behaviour.words(),
            last_word: behaviour.streams().then_some(self.last_word()),
            number: None,
        }
    }

    fn path(self, model: &str, streams: bool) -> String {
        match self {
            Self::ChatCompletions => Behaviour::Whole.path().to_owned(),
            Self::Messages => "/v1/messages".to_owned(),
            Self::Responses => Behaviour::Responses.path().to_owned(),
            Self::GenerateContent if streams => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
            Self::GenerateContent => format!("/v1beta/models/{model}:generateContent"),
        }
    }

    /// What the last bytes of a stream hold.
    fn last_word(self) -> &'static [u8] {
        match self {
            Self::ChatCompletions => b"[DONE]",
            Self::Messages => b"\"message_stop\"",
            // The last event is named where it begins, which may be far before its end. Those before it tell no usage.
            Self::Responses => b"\"total_tokens\"",
            Self::GenerateContent => b"\"finishReason\"",
        }
    }
}

/// A Chat Completions request in another dialect. What is made of its members goes behind its model, if that stands in the body.
fn said(chat: &[u8], otherwise: fn(&Value) -> Value) -> Vec<u8> {
    let chat: Value = serde_json::from_slice(chat).expect("the rig's own bodies are JSON");
    let said = otherwise(&chat);
    serde_json::to_vec(&said).expect("a value always serialises")
}

/// The system's text, and the other messages.
fn turns(chat: &Value) -> (&str, &[Value]) {
    let all = chat["messages"].as_array().map_or(&[][..], Vec::as_slice);
    match all.split_first() {
        Some((system, rest)) => (text(&system["content"]), rest),
        None => ("", all),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The one call of a message, if it has one: its id, its name and its arguments.
fn call_of(message: &Value) -> Option<(&str, &str, &str)> {
    let call = message["tool_calls"].get(0)?;
    Some((text(&call["id"]), text(&call["function"]["name"]), text(&call["function"]["arguments"])))
}

fn parsed(arguments: &str) -> Value {
    serde_json::from_str(arguments).unwrap_or_default()
}

fn messages(chat: &Value) -> Value {
    let (system, turns) = turns(chat);
    let turns = turns.iter().map(|turn| match (turn["tool_call_id"].as_str(), call_of(turn)) {
        (Some(id), _) => {
            let result = json!({"type": "tool_result", "tool_use_id": id, "content": turn["content"]});
            json!({"role": "user", "content": [result]})
        }
        (None, Some((id, name, arguments))) => {
            let call = json!({"type": "tool_use", "id": id, "name": name, "input": parsed(arguments)});
            json!({"role": "assistant", "content": [call]})
        }
        (None, None) => {
            let said = json!({"type": "text", "text": turn["content"]});
            json!({"role": turn["role"], "content": [said]})
        }
    });
    json!({
        "model": chat["model"], "max_tokens": 32000, "stream": chat["stream"],
        "system": [{"type": "text", "text": system}], "messages": turns.collect::<Vec<_>>(),
    })
}

fn responses(chat: &Value) -> Value {
    let (system, turns) = turns(chat);
    let items = turns.iter().map(|turn| match (turn["tool_call_id"].as_str(), call_of(turn)) {
        (Some(id), _) => json!({"type": "function_call_output", "call_id": id, "output": turn["content"]}),
        (None, Some((id, name, arguments))) => {
            json!({"type": "function_call", "call_id": id, "name": name, "arguments": arguments})
        }
        (None, None) => {
            let kind = if turn["role"] == "assistant" { "output_text" } else { "input_text" };
            let said = json!({"type": kind, "text": turn["content"]});
            json!({"type": "message", "role": turn["role"], "content": [said]})
        }
    });
    json!({
        "model": chat["model"], "stream": chat["stream"], "store": false,
        "instructions": system, "input": items.collect::<Vec<_>>(),
    })
}

fn generate_content(chat: &Value) -> Value {
    let (system, turns) = turns(chat);
    let contents = turns.iter().map(|turn| match (turn["tool_call_id"].as_str(), call_of(turn)) {
        (Some(id), _) => {
            let response = json!({"id": id, "name": "write_file", "response": {"output": turn["content"]}});
            json!({"role": "user", "parts": [{"functionResponse": response}]})
        }
        (None, Some((id, name, arguments))) => {
            let call = json!({"id": id, "name": name, "args": parsed(arguments)});
            json!({"role": "model", "parts": [{"functionCall": call}]})
        }
        (None, None) => {
            let role = if turn["role"] == "assistant" { "model" } else { "user" };
            json!({"role": role, "parts": [{"text": turn["content"]}]})
        }
    });
    json!({"systemInstruction": {"parts": [{"text": system}]}, "contents": contents.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    const OTHERS: [Client; 3] = [Client::Messages, Client::Responses, Client::GenerateContent];

    fn body(client: Client, kind: Kind) -> Value {
        serde_json::from_slice(&client.call("chat:", kind, Behaviour::Whole).body).unwrap()
    }

    #[test]
    fn what_is_said_otherwise_is_about_as_long_and_has_as_many_items() {
        for (client, list) in OTHERS.into_iter().zip(["messages", "input", "contents"]) {
            let call = client.call("chat:", Kind::Items, Behaviour::Whole);
            let size = call.body.len() as f64 / Kind::Items.size() as f64;
            assert!((0.9..1.1).contains(&size), "{client:?}: {size}");
            // The system's stands elsewhere.
            assert_eq!(body(client, Kind::Items)[list].as_array().unwrap().len(), 599);
        }
    }

    #[test]
    fn a_small_call_is_about_a_kilobyte_in_every_dialect() {
        for client in OTHERS {
            let size = client.call("chat:", Kind::Small, Behaviour::Whole).body.len();
            assert!((950..1250).contains(&size), "{client:?}: {size}");
        }
    }

    #[test]
    fn the_model_stands_in_the_path_of_generate_content_and_in_the_other_bodies() {
        let path = Client::GenerateContent.call("chat:", Kind::Small, Behaviour::Burst).path;
        assert_eq!(path, "/v1beta/models/chat:bench-burst:streamGenerateContent?alt=sse");
        assert_eq!(body(Client::Messages, Kind::Small)["model"], "chat:bench-whole");
    }
}
