//! Makes a Responses body one that the backend takes. `prepare` calls it; it reads a few members, edits them, and never
//! takes the body out. In a body of the Codex CLI the edits write what is there already, so its bytes stay as they are.

use bitrouter_provider::{Call, Cell, Document, Edit, Failure, Json, Kind, matches, quote};

/// Which top-level members go up. The backend answers 400 to each parameter that it does not know, and SDKs gain new ones
/// all the time, so of what they send only `taken` passes: what the CLI itself sends. For the CLI it is the other way
/// round, as a newer one may send what is not known here but is taken: all passes but `refused`. The settings
/// `extra_parameters` and `dropped_parameters` overrule both. `stored` points at what another server keeps: without it the
/// model would answer to half of a conversation, so a call that has it fails.
const MEMBERS: &str = include_str!("members.json");

/// Members that the user is told of at most; beyond them those that stay are moved instead of all others taken out.
const SHOWN: usize = 64;
/// Edits of one patch: the host takes no more than twice as many.
const BATCH: usize = 1 << 15;

/// Reasoning comes back sealed, as nothing is stored; without this in `include` no later call could go on from it.
const SEALED: &str = "\"reasoning.encrypted_content\"";

/// Edits the body of a call, and returns what it left out.
pub(crate) fn shape(call: &Call, body: &Document<'_>) -> Result<Vec<String>, Failure> {
    let names = body.keys("")?;
    // The CLI says who it is; behind a proxy that drops headers its bodies still do. Older ones wrote `session_id`.
    let session = call.header("session-id").or_else(|| call.header("session_id"));
    let codex = call.header("originator").and(session).is_some() || names.iter().any(|name| name == "client_metadata");
    let (mut edits, mut dropped) = members(call, body, &names, codex)?;
    let before = edits.len();
    input(call, body, codex, &mut edits)?;
    // An item's id is only another name of it: nothing that was asked for.
    let asked_for = |pointer: &&str| !pointer.ends_with("/id");
    let items = edits[before..].iter().filter_map(Edit::removes).filter(asked_for).map(Into::into);
    dropped.extend(items.take(SHOWN));
    edits.extend([Edit::add("/store", "false"), Edit::add("/stream", "true")]);
    let include = short(body, "/include")?;
    if !include.starts_with('[') {
        edits.push(Edit::add("/include", ["[", SEALED, "]"].concat()));
    } else if !Json::parse(&include).items().any(|item| item.raw() == SEALED) {
        edits.push(Edit::add("/include/-", SEALED));
    }
    edits.chunks(BATCH).try_for_each(|batch| body.patch(batch)).map_err(Failure::invalid)?;
    Ok(dropped)
}

/// Drops top-level members: the edits, and which members these are.
fn members(
    call: &Call,
    body: &Document<'_>,
    names: &[String],
    codex: bool,
) -> Result<(Vec<Edit>, Vec<String>), Failure> {
    let [stored, refused, taken] = ["stored", "refused", "taken"].map(|list| patterns(Json::parse(MEMBERS).get(list)));
    let [extra, unwanted] = ["extra_parameters", "dropped_parameters"].map(|list| patterns(call.settings().get(list)));
    let (mut edits, mut kept, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for name in names {
        let pointer = ["/", &name.replace('~', "~0").replace('/', "~1")].concat();
        if listed(&extra, name) {
            kept.push(pointer);
            continue;
        }
        if listed(&stored, name) && short(body, &pointer)? != "null" {
            let next = "` leads nowhere: send all of the conversation in `input`";
            return Err(Failure::invalid(["openai-codex stores nothing, so `", name, next].concat()));
        }
        let taken = if codex { !listed(&refused, name) } else { listed(&taken, name) };
        let keep = match name.as_str() {
            _ if !taken || listed(&unwanted, name) => false,
            "service_tier" => short(body, &pointer)? == "\"priority\"",
            "stream_options" if !codex => {
                let options = short(body, &pointer)?;
                let delivery = Json::parse(&options).get("reasoning_summary_delivery");
                let kept = delivery.map(|value| ["{\"reasoning_summary_delivery\":", value.raw(), "}"].concat());
                edits.extend(kept.map(|kept| Edit::replace(&pointer, kept)));
                delivery.is_some()
            }
            _ => true,
        };
        if keep { &mut kept } else { &mut gone }.push(pointer);
    }
    if gone.len() <= SHOWN {
        edits.extend(gone.iter().map(Edit::remove));
    } else {
        edits.extend(moved(names, &kept));
        gone.truncate(SHOWN);
    }
    Ok((edits, gone))
}

/// Leaves all but these members behind: they move into a new object, which then becomes the body.
fn moved(names: &[String], kept: &[String]) -> Vec<Edit> {
    let mut place = String::from("/kept");
    while names.iter().any(|name| *name == place[1..]) {
        place.push('_');
    }
    let mut edits = vec![Edit::add(&place, "{}")];
    edits.extend(kept.iter().map(|pointer| Edit::move_to(pointer, [&place, pointer.as_str()].concat())));
    edits.push(Edit::move_to(&place, ""));
    edits
}

/// Edits the items of `input`, the last one first, so that a removal moves none that is still to come; and sees to it
/// that the call has instructions, which the backend may insist on.
fn input(call: &Call, body: &Document<'_>, codex: bool, edits: &mut Vec<Edit>) -> Result<(), Failure> {
    let fields = ["type", "role", "id", "encrypted_content"];
    // The CLI's items keep their ids and their reasoning, so of thousands of items these are not even read.
    let rows = body.select("/input", &fields[..if codex { 2 } else { 4 }], 128)?;
    let mut instructed = codex;
    for (at, row) in rows.iter().enumerate().rev() {
        let cell = |at: usize| row.get(at).unwrap_or(&Cell::Absent);
        let (class, role, id, sealed) = (cell(0), cell(1), cell(2), cell(3));
        let place = |member: &str| ["/input/", &at.to_string(), member].concat();
        let open = matches!(sealed, Cell::Absent) || starts(sealed, "null");
        if starts(class, "\"item_reference\"") || (!codex && open && starts(class, "\"reasoning\"")) {
            // Nothing but a pointer to what this server never stored.
            edits.push(Edit::remove(place("")));
            continue;
        }
        if starts(role, "\"system\"") {
            edits.push(Edit::replace(place("/role"), "\"developer\""));
        }
        // The ids that the CLI sends look alike and are taken; another client's may come from a server that stores.
        if !codex && (starts(id, "\"rs_") || starts(id, "\"msg_")) {
            edits.push(Edit::remove(place("/id")));
        }
        instructed |= starts(role, "\"system\"") || starts(role, "\"developer\"");
    }
    if rows.is_empty() && body.kind("/input")? == Some(Kind::String) {
        let message = r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":""}]}]"#;
        edits.push(Edit::move_to("/input", "/input text"));
        edits.push(Edit::add("/input", message));
        edits.push(Edit::move_to("/input text", "/input/0/content/0/text"));
    }
    // A value that is too long to be read is there.
    let empty = |text: Option<String>| text.is_none_or(|text| text == "null" || text == "\"\"");
    if !instructed && body.get("/instructions", 8).is_ok_and(empty) {
        let text = call.setting("instructions").unwrap_or_else(|| "You are a helpful assistant.".into());
        edits.push(Edit::add("/instructions", quote(&text)));
    }
    Ok(())
}

/// A list's patterns, read once however many names there are.
fn patterns(list: Option<Json<'_>>) -> Vec<String> {
    list.into_iter().flat_map(Json::items).filter_map(|pattern| pattern.text().map(Into::into)).collect()
}

/// Whether one of these patterns names it.
fn listed(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

fn starts(cell: &Cell, text: &str) -> bool {
    matches!(cell, Cell::Value(value) if value.starts_with(text))
}

/// The JSON text of a value that is never long; empty where there is none.
fn short(body: &Document<'_>, pointer: &str) -> Result<String, Failure> {
    Ok(body.get(pointer, 4096)?.unwrap_or_default())
}
