//! Makes a Responses body one that the backend takes. `prepare` calls it; it reads a few members and edits them, and
//! never takes the body out. What the Codex CLI sends is left as it is: the edits then write what is already there.

use bitrouter_provider::{Call, Cell, Document, Edit, Failure, Json, Kind, Level, ReadError, log, quote};

/// The members that go up for a client that is not the Codex CLI: those that the CLI itself sends.
///
/// A list of what passes, not of what is refused, because the backend answers 400 to each parameter that it does not
/// know, and public SDKs gain new ones all the time. `extra_parameters` adds to it without a new build.
const TAKEN: [&str; 15] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "store",
    "stream",
    "stream_options",
    "include",
    "prompt_cache_key",
    "text",
    "client_metadata",
    "service_tier",
];

/// What the backend is known to refuse. For the Codex CLI it is the other way round: a newer one may send what is not
/// known here, and the backend takes it, so all of its members pass but these.
const REFUSED: [&str; 14] = [
    "max_output_tokens",
    "max_completion_tokens",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "truncation",
    "user",
    "metadata",
    "safety_identifier",
    "prompt_cache_retention",
    "prompt_cache_options",
    "context_management",
    "generate",
];

/// Members that point at what a server has stored. Without them the model would answer to half of a conversation.
const STORED: [&str; 3] = ["previous_response_id", "conversation", "prompt"];

/// Beginnings of the ids that a server which stores answers gives to its items; this one would look for them in vain.
const STORED_ITEMS: [&str; 2] = ["\"rs_", "\"msg_"];

/// Reasoning comes back sealed, as nothing is stored; without this the next call could not go on from it.
const SEALED: &str = "reasoning.encrypted_content";

/// The longest value that is read of a member or of an item's field, in bytes. Ids and roles are far shorter.
const SHORT: u32 = 4096;

/// Edits the body of a call.
pub(crate) fn shape(call: &Call, body: &Document<'_>) -> Result<(), Failure> {
    let names = body.keys("").map_err(unreadable)?;
    // The CLI says who it is (older ones spell the second header with `_`); behind a proxy that drops headers, its
    // bodies still say it.
    let session = call.header("session-id").or_else(|| call.header("session_id"));
    let codex = call.header("originator").and(session).is_some() || names.iter().any(|name| name == "client_metadata");
    let mut edits = input(call, body, &names, codex)?;
    members(call, body, &names, codex, &mut edits)?;
    body.patch(&edits).map_err(Failure::invalid)
}

/// Drops, corrects and adds top-level members.
fn members(
    call: &Call,
    body: &Document<'_>,
    names: &[String],
    codex: bool,
    edits: &mut Vec<Edit>,
) -> Result<(), Failure> {
    let mut dropped = Vec::new();
    for name in names.iter().map(String::as_str) {
        if listed(call, "extra_parameters", name) {
            continue;
        }
        let known = if codex { !REFUSED.contains(&name) } else { TAKEN.contains(&name) };
        let mut keep = known && !listed(call, "dropped_parameters", name);
        if STORED.contains(&name) {
            keep = false;
            if short(body, name)? != "null" {
                return Err(Failure::invalid(stored(name)));
            }
        }
        match name {
            "service_tier" if keep => keep = short(body, name)? == "\"priority\"",
            // Of its members, the backend takes this one.
            "stream_options" if keep => {
                let options = short(body, name)?;
                let delivery = Json::parse(&options).get("reasoning_summary_delivery");
                keep = delivery.is_some();
                if let Some(delivery) = delivery.filter(|_| Json::parse(&options).members().count() > 1) {
                    let kept = ["{\"reasoning_summary_delivery\":", delivery.raw(), "}"].concat();
                    edits.push(Edit::replace("/stream_options", kept));
                }
            }
            _ => {}
        }
        if !keep {
            edits.push(Edit::remove(pointer(name)));
            dropped.push(name);
        }
    }
    if !dropped.is_empty() {
        log(Level::Debug, &["the backend takes no ", &dropped.join(", ")].concat());
    }
    edits.extend([Edit::add("/store", "false"), Edit::add("/stream", "true")]);
    let include = if names.iter().any(|name| name == "include") { short(body, "include")? } else { String::new() };
    if !include.starts_with('[') {
        edits.push(Edit::add("/include", ["[", &quote(SEALED), "]"].concat()));
    } else if !Json::parse(&include).items().any(|item| item.is(SEALED)) {
        edits.push(Edit::add("/include/-", quote(SEALED)));
    }
    Ok(())
}

/// Edits the items of `input`, from the last to the first so that a removal moves none that is still to be edited; and
/// sees to it that the call has instructions, which the backend may insist on.
fn input(call: &Call, body: &Document<'_>, names: &[String], codex: bool) -> Result<Vec<Edit>, Failure> {
    let fields = ["type", "role", "id", "encrypted_content"];
    let rows = body.select("/input", &fields, 128).map_err(unreadable)?;
    let (mut edits, mut instructed) = (Vec::new(), codex);
    for (at, row) in rows.iter().enumerate().rev() {
        let [class, role, id, sealed] = row.as_slice() else { continue };
        let place = |member: &str| ["/input/", &at.to_string(), member].concat();
        let unsealed = matches!(sealed, Cell::Absent) || is(sealed, "null");
        if is(class, "\"item_reference\"") || (!codex && is(class, "\"reasoning\"") && unsealed) {
            // Nothing but a pointer to what this server never stored.
            edits.push(Edit::remove(place("")));
            continue;
        }
        if is(role, "\"system\"") {
            edits.push(Edit::replace(place("/role"), "\"developer\""));
        }
        // The CLI's own ids look the same and are taken; those of other clients may come from another server.
        if !codex && matches!(id, Cell::Value(id) if STORED_ITEMS.iter().any(|start| id.starts_with(start))) {
            edits.push(Edit::remove(place("/id")));
        }
        instructed |= is(role, "\"system\"") || is(role, "\"developer\"");
    }
    if rows.is_empty() && body.kind("/input").map_err(unreadable)? == Some(Kind::String) {
        let message = r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":""}]}]"#;
        edits.push(Edit::move_to("/input", "/input text"));
        edits.push(Edit::add("/input", message));
        edits.push(Edit::move_to("/input text", "/input/0/content/0/text"));
    }
    if !instructed && !(names.iter().any(|name| name == "instructions") && says(body, "/instructions")?) {
        let text = call.setting("instructions").unwrap_or_else(|| "You are a helpful assistant.".into());
        edits.push(Edit::add("/instructions", quote(&text)));
    }
    Ok(edits)
}

/// Whether a member of the user's list of names is this name, or its beginning followed by `*`.
fn listed(call: &Call, list: &str, name: &str) -> bool {
    let mut patterns = call.settings().get(list).into_iter().flat_map(Json::items).filter_map(Json::text);
    !call.has_no_settings()
        && patterns.any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => pattern == name,
        })
}

fn stored(name: &str) -> String {
    let next = "stores nothing: send what it stands for in `input`, with the earlier items and their encrypted_content";
    ["openai-codex cannot follow `", name, "`, because the backend ", next].concat()
}

fn is(cell: &Cell, text: &str) -> bool {
    matches!(cell, Cell::Value(value) if value == text)
}

/// Whether there is a text that is not empty; how long it is does not matter.
fn says(body: &Document<'_>, pointer: &str) -> Result<bool, Failure> {
    Ok(body.kind(pointer).map_err(unreadable)? == Some(Kind::String) && body.size(pointer).map_err(unreadable)? > Some(2))
}

/// The JSON text of a top-level member that is there.
fn short(body: &Document<'_>, name: &str) -> Result<String, Failure> {
    Ok(body.get(&pointer(name), SHORT).map_err(unreadable)?.unwrap_or_default())
}

fn pointer(name: &str) -> String {
    ["/", &name.replace('~', "~0").replace('/', "~1")].concat()
}

fn unreadable(error: ReadError) -> Failure {
    Failure::invalid(match error {
        ReadError::TooBig(size) => ["a value of the body has ", &size.to_string(), " bytes, which is too long"].concat(),
        ReadError::Invalid(why) => why,
    })
}
