//! Makes a Responses body one that the backend takes. `prepare` calls it; it reads a few members, edits them, and never
//! takes the body out. In a body of the Codex CLI the edits write what is there already, so its bytes stay as they are.

use bitrouter_provider::{Call, Document, Edit, Failure, Json, Kind, at, matches, quote};

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
    dropped.extend(input(body, codex)?);
    edits.extend(instructions(call, body, codex)?);
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

/// Edits the items of `input`, and returns which were left out. Of thousands of items none comes in here.
fn input(body: &Document<'_>, codex: bool) -> Result<Vec<String>, Failure> {
    let items = || body.each("/input/*");
    // Nothing but a pointer to what this server never stored. The CLI's items keep their reasoning.
    let kinds = ["\"item_reference\"", "\"reasoning\""];
    let of_no_use = at("/type").one_of(&kinds[..if codex { 1 } else { 2 }]);
    let unsealed = at("/encrypted_content").is_a(Kind::String).not();
    let gone = items().only(of_no_use).only(unsealed).named(SHOWN as u32);
    let gone = gone.patch(&[Edit::remove("")]).map_err(Failure::invalid)?;
    // The ids that the CLI sends look alike and are taken; another client's may come from a server that stores. An id is
    // only another name of an item: nothing that was asked for.
    if !codex {
        let ids = items().only(at("/id").begins_with(&["rs_", "msg_"]));
        ids.patch(&[Edit::remove("/id")]).map_err(Failure::invalid)?;
    }
    let system = items().only(at("/role").is("system"));
    system.patch(&[Edit::replace("/role", "\"developer\"")]).map_err(Failure::invalid)?;
    Ok(gone.pointers)
}

/// Sees to it that a call has a list of items and instructions, which the backend may insist on.
fn instructions(call: &Call, body: &Document<'_>, codex: bool) -> Result<Vec<Edit>, Failure> {
    let mut edits = Vec::new();
    if body.kind("/input")? == Some(Kind::String) {
        let message = r#"[{"type":"message","role":"user","content":[{"type":"input_text","text":""}]}]"#;
        edits.push(Edit::move_to("/input", "/input text"));
        edits.push(Edit::add("/input", message));
        edits.push(Edit::move_to("/input text", "/input/0/content/0/text"));
    }
    // A value that is too long to be read is there.
    let empty = |text: Option<String>| text.is_none_or(|text| text == "null" || text == "\"\"");
    if !codex
        && body.get("/instructions", 8).is_ok_and(empty)
        && !body.find("/input/*").only(at("/role").is("developer")).any()?
    {
        let text = call.setting("instructions").unwrap_or_else(|| "You are a helpful assistant.".into());
        edits.push(Edit::add("/instructions", quote(&text)));
    }
    Ok(edits)
}

/// A list's patterns, read once however many names there are.
fn patterns(list: Option<Json<'_>>) -> Vec<String> {
    list.into_iter().flat_map(Json::items).filter_map(|pattern| pattern.text().map(Into::into)).collect()
}

/// Whether one of these patterns names it.
fn listed(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

/// The JSON text of a value that is never long; empty where there is none.
fn short(body: &Document<'_>, pointer: &str) -> Result<String, Failure> {
    Ok(body.get(pointer, 4096)?.unwrap_or_default())
}
