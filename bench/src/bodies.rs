//! The request bodies of the table: a small chat call, and long histories as a coding agent sends them.
//! Called by the load generator. Deterministic: the same arguments give the same bytes on every machine, so two
//! runs compare. `model` comes first, where the mock upstream looks for it.

use serde::Serialize;

/// What a body is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A system and a user message, 1 KB.
    Small,
    /// A history of files and tool calls, 100 KB: a coding agent some turns into its work.
    Turns,
    /// A history of plain sentences, 1 MB.
    Prose,
    /// A history of files and tool calls, 1 MB, where quotes, line ends and backslashes are escaped, often twice.
    Code,
    /// The same of 600 messages: a long session.
    Items,
}

impl Kind {
    /// The body's size in bytes; [`chat`] hits it exactly.
    pub fn size(self) -> usize {
        match self {
            Self::Small => 1024,
            Self::Turns => 100 << 10,
            Self::Prose | Self::Code | Self::Items => 1 << 20,
        }
    }

    /// How many messages make the history.
    fn messages(self) -> usize {
        match self {
            Self::Small => 2,
            Self::Turns => 20,
            Self::Prose | Self::Code => 200,
            Self::Items => 600,
        }
    }

    /// More than a message's own syntax ever takes: role, keys, quotes, and for code a tool call around it.
    fn frame(self) -> usize {
        match self {
            Self::Small | Self::Prose => 48,
            Self::Turns | Self::Code | Self::Items => 240,
        }
    }
}

/// A small Responses request for `model`, streamed.
pub fn responses(model: &str) -> Vec<u8> {
    let input = serde_json::json!([{ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hello" }] }]);
    // `model` stands first, where the upstream looks for it.
    format!(r#"{{"model":"{model}","stream":true,"store":false,"instructions":"be brief","input":{input}}}"#)
        .into_bytes()
}

/// A Chat Completions request for `model`, exactly `kind.size()` bytes of JSON.
pub fn chat(kind: Kind, model: &str, stream: bool) -> Vec<u8> {
    let mut request = Chat {
        model,
        stream,
        stream_options: stream.then_some(StreamOptions { include_usage: true }),
        messages: Vec::new(),
    };
    let mut words = Words::new();
    // What each message may take, with some room so that the last one only has to be padded.
    let share = kind.size() / kind.messages();
    while request.messages.len() < kind.messages() {
        let room = share * (request.messages.len() + 1);
        let spent = encoded(&request).len();
        let budget = room.saturating_sub(spent + kind.frame());
        let turn = request.messages.len();
        request.messages.push(match kind {
            Kind::Small | Kind::Prose => prose_message(turn, budget, &mut words),
            Kind::Turns | Kind::Code | Kind::Items => code_message(turn, budget, &mut words),
        });
    }
    pad(&mut request, kind.size());
    encoded(&request)
}

#[derive(Serialize)]
struct Chat<'a> {
    model: &'a str,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    messages: Vec<Message>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
struct Message {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<ToolCall>,
}

#[derive(Serialize)]
struct ToolCall {
    id: String,
    r#type: &'static str,
    function: Function,
}

#[derive(Serialize)]
struct Function {
    name: &'static str,
    /// JSON in a JSON string, as the dialect has it: what is escaped in here is escaped twice.
    arguments: String,
}

#[derive(Serialize)]
struct WriteFile<'a> {
    path: &'a str,
    content: &'a str,
}

fn encoded(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("strings and booleans always serialise")
}

/// Fills the last message with full stops, which are one byte each in JSON.
fn pad(request: &mut Chat<'_>, size: usize) {
    let missing = size.checked_sub(encoded(request).len()).expect("every message stays inside its share");
    if let Some(last) = request.messages.last_mut() {
        last.content.extend(std::iter::repeat_n('.', missing));
    }
}

fn prose_message(turn: usize, budget: usize, words: &mut Words) -> Message {
    let role = match turn {
        0 => "system",
        _ if turn % 2 == 1 => "user",
        _ => "assistant",
    };
    plain(role, fill(budget, || words.sentence()))
}

/// In turn: the user asks, the assistant calls a tool with a file, the tool answers with a file.
fn code_message(turn: usize, budget: usize, words: &mut Words) -> Message {
    let id = format!("call_{:06}", turn / 3);
    match turn % 3 {
        0 => plain(if turn == 0 { "system" } else { "user" }, fill(budget, || words.code_line())),
        1 => {
            let content = fill_escaped_twice(budget, || words.code_line());
            let path = format!("src/{}/{}.rs", words.next(), words.next());
            let arguments = encoded(&WriteFile { path: &path, content: &content });
            Message {
                role: "assistant",
                content: String::new(),
                tool_call_id: None,
                tool_calls: vec![ToolCall {
                    id,
                    r#type: "function",
                    function: Function {
                        name: "write_file",
                        arguments: String::from_utf8(arguments).expect("JSON is UTF-8"),
                    },
                }],
            }
        }
        _ => Message {
            role: "tool",
            content: fill(budget, || words.code_line()),
            tool_call_id: Some(id),
            tool_calls: Vec::new(),
        },
    }
}

fn plain(role: &'static str, content: String) -> Message {
    Message { role, content, tool_call_id: None, tool_calls: Vec::new() }
}

/// Pieces until their JSON text would pass `budget`.
fn fill(budget: usize, piece: impl FnMut() -> String) -> String {
    fill_by(budget, piece, |piece| encoded(&piece).len() - 2)
}

/// The same for text that ends up in a JSON string in a JSON string.
fn fill_escaped_twice(budget: usize, piece: impl FnMut() -> String) -> String {
    fill_by(budget, piece, |piece| {
        let once = String::from_utf8(encoded(&piece)).expect("JSON is UTF-8");
        encoded(&once).len() - 2
    })
}

fn fill_by(budget: usize, mut piece: impl FnMut() -> String, cost: impl Fn(&str) -> usize) -> String {
    let mut text = String::new();
    let mut spent = 0;
    loop {
        let next = piece();
        spent += cost(&next);
        if spent > budget {
            return text;
        }
        text.push_str(&next);
    }
}

/// A fixed sequence of words: a linear congruential generator (Knuth's MMIX constants) over a short list.
struct Words(u64);

impl Words {
    fn new() -> Self {
        Self(0x5eed)
    }

    fn number(&mut self) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as usize
    }

    fn next(&mut self) -> &'static str {
        WORDS[self.number() % WORDS.len()]
    }

    fn sentence(&mut self) -> String {
        let length = 6 + self.number() % 12;
        let mut text: Vec<_> = (0..length).map(|_| self.next()).collect();
        // Not every word is ASCII: the scanner has to meet UTF-8 as well.
        if self.number().is_multiple_of(8) {
            text.push("naïve");
        }
        text.join(" ") + ". "
    }

    fn code_line(&mut self) -> String {
        let indent = "    ".repeat(self.number() % 4);
        let (a, b, c) = (self.next(), self.next(), self.next());
        match self.number() % 6 {
            0 => format!("{indent}let {a} = {b}.get(\"{c}\").unwrap_or(\"\");\n"),
            1 => format!("{indent}println!(\"{a}: {{}}\\n\", {b}[\"{c}\"]);\n"),
            2 => format!("{indent}{{\"name\": \"{a}\", \"path\": \"C:\\\\{b}\\\\{c}\"}},\n"),
            3 => format!("{indent}if {a} == '\"' || {b} == '\\\\' {{\n"),
            4 => format!("\t\t\"{a}\": [\"{b}\", \"{c}\"],\n"),
            _ => format!("{indent}}}\n"),
        }
    }
}

const WORDS: [&str; 24] = [
    "request", "answer", "stream", "token", "provider", "account", "route", "model", "body", "header", "value",
    "index", "the", "a", "of", "before", "after", "every", "reads", "writes", "keeps", "small", "open", "closed",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: Kind) -> serde_json::Value {
        serde_json::from_slice(&chat(kind, "openai:bench-whole", true)).unwrap()
    }

    #[test]
    fn every_body_is_json_of_exactly_the_size_it_promises() {
        for kind in [Kind::Small, Kind::Turns, Kind::Prose, Kind::Code, Kind::Items] {
            for model in ["bench-whole", "openai:bench-burst"] {
                let body = chat(kind, model, false);
                assert_eq!(body.len(), kind.size(), "{kind:?}");
                let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(value["model"], model);
                assert_eq!(value["messages"].as_array().unwrap().len(), kind.messages());
            }
        }
    }

    #[test]
    fn padding_is_a_small_part_of_a_large_body() {
        for kind in [Kind::Prose, Kind::Code] {
            let value = parsed(kind);
            let last = value["messages"][kind.messages() - 1]["content"].as_str().unwrap();
            let padding = last.bytes().rev().take_while(|&b| b == b'.').count();
            assert!(padding < kind.size() / 100, "{kind:?}: {padding}");
        }
    }

    #[test]
    fn code_is_full_of_escapes_and_prose_is_not() {
        let share = |kind: Kind| {
            let body = chat(kind, "m", false);
            body.iter().filter(|&&b| b == b'\\').count() as f64 / body.len() as f64
        };
        assert!(share(Kind::Code) > 0.05, "{}", share(Kind::Code));
        assert!(share(Kind::Prose) < 0.001, "{}", share(Kind::Prose));
    }

    #[test]
    fn arguments_of_a_tool_call_are_json_themselves() {
        let value = parsed(Kind::Code);
        let arguments = value["messages"][1]["tool_calls"][0]["function"]["arguments"].as_str().unwrap();
        let file: serde_json::Value = serde_json::from_str(arguments).unwrap();
        assert!(file["content"].as_str().unwrap().contains('"'));
    }

    #[test]
    fn the_model_is_where_the_upstream_looks_for_it() {
        let body = chat(Kind::Code, "openai:bench-burst", true);
        assert!(body.starts_with(b"{\"model\":\"openai:bench-burst\""));
    }
}
