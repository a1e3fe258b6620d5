//! Makes a whole answer of `/api/chat` one of Chat Completions. `Answers` calls it; the text stays where it is.

use bitrouter_provider::{Document, Edit, Failure, Json, Kind, kind, scope};

use crate::stream::{call_members, failure, finish_reason, head, usage};

/// The longest list of calls.
const CALLS: u32 = 8 << 20;

/// Edits a whole answer.
pub(crate) fn shape(body: &Document<'_>) -> Result<(), Failure> {
    let broken = |why: String| {
        Failure::new(kind::UNAVAILABLE, scope::PROVIDER, ["Ollama answered otherwise than it should: ", &why].concat())
    };
    if let Some(error) = body.text("/error", 4096)? {
        return Err(failure(&error));
    }
    if body.kind("/message")? != Some(Kind::Object) {
        return Err(broken("there is no `message`".into()));
    }
    let calls = body.get("/message/tool_calls", CALLS)?.unwrap_or_default();
    let calls: Vec<String> = (1..)
        .zip(Json::parse(&calls).items())
        .map(|(number, call)| ["{", &call_members(call, number), "}"].concat())
        .collect();
    // All but the message is short.
    let mut line = Vec::new();
    for name in ["model", "created_at", "done_reason", "prompt_eval_count", "eval_count"] {
        if let Some(value) = body.get(&["/", name].concat(), 4096)? {
            line.push(["\"", name, "\":", &value].concat());
        }
    }
    let line = ["{", &line.join(","), "}"].concat();
    let line = Json::parse(&line);
    let choice =
        [",\"choices\":[{\"index\":0,\"finish_reason\":\"", finish_reason(line, !calls.is_empty()), "\"}],\"usage\":"];
    let new = [&head("chat.completion", line), &choice.concat(), &usage(line), "}"].concat();
    let mut edits = vec![Edit::add("/new", new)];
    if !calls.is_empty() {
        edits.push(Edit::add("/message/tool_calls", ["[", &calls.join(","), "]"].concat()));
    }
    if body.kind("/message/thinking")? == Some(Kind::String) {
        edits.push(Edit::move_to("/message/thinking", "/message/reasoning_content"));
    }
    edits.extend([Edit::move_to("/message", "/new/choices/0/message"), Edit::move_to("/new", "")]);
    body.patch(&edits).map_err(broken)
}
