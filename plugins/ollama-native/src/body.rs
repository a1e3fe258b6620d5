//! Makes a body of Chat Completions one of `/api/chat`: options have a place of their own, a message is one text with images
//! beside it, and a call's arguments are an object. `prepare` calls it. What Ollama does not know it passes over, so that only
//! what it would read otherwise is edited.

use bitrouter_provider::{Call, Document, Edit, Failure, Json, Kind, at, quote};

/// Members that the user is told of at most.
const SHOWN: usize = 64;
/// The longest text and image that is taken out of a list of parts, as JSON.
const LONGEST: u32 = 24 << 20;

/// Options of a model, as Chat Completions and its relatives call them and as Ollama does.
const OPTIONS: [(&str, &str); 11] = [
    ("max_completion_tokens", "num_predict"),
    ("max_tokens", "num_predict"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("seed", "seed"),
    ("stop", "stop"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("repetition_penalty", "repeat_penalty"),
];
/// What Ollama knows by the same name, and what is said to it otherwise.
const SAME: [&str; 6] = ["model", "messages", "tools", "stream", "logprobs", "top_logprobs"];

/// What became of a body.
pub(crate) struct Shaped {
    /// What was left out.
    pub(crate) dropped: Vec<String>,
    /// Whether the client of a stream asked what was used.
    pub(crate) wants_usage: bool,
}

/// Edits the body of a call.
pub(crate) fn shape(call: &Call, body: &Document<'_>) -> Result<Shaped, Failure> {
    let wants_usage = body.get("/stream_options/include_usage", 8)?.as_deref() == Some("true");
    roles(body)?;
    parts(body)?;
    let mut dropped = calls(body)?;
    dropped.extend(members(call, body)?);
    dropped.truncate(SHOWN);
    Ok(Shaped { dropped, wants_usage })
}

/// The members of the top, each to its place.
fn members(call: &Call, body: &Document<'_>) -> Result<Vec<String>, Failure> {
    let (mut edits, mut dropped) = (vec![Edit::add("/options", "{}")], Vec::new());
    for name in body.keys("")? {
        let pointer = ["/", &name.replace('~', "~0").replace('/', "~1")].concat();
        if SAME.contains(&name.as_str()) {
            continue;
        }
        if body.kind(&pointer)? == Some(Kind::Null) {
            edits.push(Edit::remove(&pointer));
            continue;
        }
        if name == "stop" && body.kind(&pointer)? == Some(Kind::String) {
            edits.extend([Edit::add("/options/stop", "[]"), Edit::move_to(&pointer, "/options/stop/-")]);
            continue;
        }
        if let Some((_, option)) = OPTIONS.iter().find(|(theirs, _)| *theirs == name) {
            edits.push(Edit::move_to(&pointer, ["/options/", option].concat()));
            continue;
        }
        match name.as_str() {
            "reasoning_effort" => match body.text(&pointer, 32)?.as_deref() {
                Some("none") => edits.push(Edit::add("/think", "false")),
                Some("minimal") => edits.push(Edit::add("/think", "\"low\"")),
                Some("xhigh") => edits.push(Edit::add("/think", "\"high\"")),
                Some(effort) => edits.push(Edit::add("/think", quote(effort))),
                None => {}
            },
            "response_format" => edits.extend(format(body)?),
            "tool_choice" if body.text(&pointer, 32)?.as_deref() == Some("none") => {
                edits.extend(body.kind("/tools")?.map(|_| Edit::remove("/tools")));
            }
            // What Ollama does anyway.
            "stream_options" => {}
            "tool_choice" if body.text(&pointer, 32)?.as_deref() == Some("auto") => {}
            "n" if body.get(&pointer, 8)?.as_deref() == Some("1") => {}
            _ => dropped.push(pointer.clone()),
        }
        edits.push(Edit::remove(&pointer));
    }
    let settings = call.settings();
    if let Some(tokens) = settings.get("num_ctx") {
        edits.push(Edit::add("/options/num_ctx", tokens.raw()));
    }
    if let Some(span) = settings.get("keep_alive").and_then(Json::text) {
        // Its forms are a number of seconds and a text such as 30m.
        let number = span.parse::<i64>().is_ok();
        edits.push(Edit::add("/keep_alive", if number { span.into_owned() } else { quote(&span) }));
    }
    // Where nothing is said, Ollama streams.
    edits.push(Edit::add("/stream", if call.streaming { "true" } else { "false" }));
    body.patch(&edits).map_err(Failure::invalid)?;
    Ok(dropped)
}

/// How the answer is to look.
fn format(body: &Document<'_>) -> Result<Option<Edit>, Failure> {
    Ok(match body.text("/response_format/type", 32)?.as_deref() {
        Some("json_object") => Some(Edit::add("/format", "\"json\"")),
        Some("json_schema") => Some(Edit::move_to("/response_format/json_schema/schema", "/format")),
        _ => None,
    })
}

/// Ollama knows no developer.
fn roles(body: &Document<'_>) -> Result<(), Failure> {
    let developer = body.each("/messages/*").only(at("/role").is("developer"));
    developer.patch(&[Edit::replace("/role", "\"system\"")]).map_err(Failure::invalid)?;
    for thoughts in ["reasoning_content", "reasoning"] {
        let pointer = ["/", thoughts].concat();
        let thought = body.each("/messages/*").only(at(&pointer).is_a(Kind::String));
        thought.patch(&[Edit::move_to(&pointer, "/thinking")]).map_err(Failure::invalid)?;
    }
    Ok(())
}

/// A message of several parts becomes one text, and images beside it.
fn parts(body: &Document<'_>) -> Result<(), Failure> {
    let lists = body.find("/messages/*").only(at("/content").is_a(Kind::Array)).pointers()?;
    for message in lists {
        let content = [&message, "/content"].concat();
        let parts = body.find(&[&content, "/*"].concat()).rows(&["/type", "/text", "/image_url/url"], LONGEST)?.rows;
        let (mut texts, mut images) = (Vec::new(), Vec::new());
        for row in &parts {
            let [kind, text, url] = &row.cells[..] else { continue };
            match kind.text().as_deref() {
                Some("text") => texts.extend(text.text()),
                Some("image_url") => {
                    let url = url.text().unwrap_or_default();
                    let Some((_, data)) = url.strip_prefix("data:").and_then(|url| url.split_once(";base64,")) else {
                        return Err(Failure::unsupported(
                            "Ollama takes images as data: URLs in base64, and fetches none",
                        ));
                    };
                    images.push(quote(data));
                }
                other => {
                    let what = ["Ollama has no place for a part of the type `", other.unwrap_or_default(), "`"];
                    return Err(Failure::unsupported(what.concat()));
                }
            }
        }
        let mut edits = vec![Edit::replace(&content, quote(&texts.join("\n")))];
        if !images.is_empty() {
            edits.push(Edit::add([&message, "/images"].concat(), ["[", &images.join(","), "]"].concat()));
        }
        body.patch(&edits).map_err(Failure::invalid)?;
    }
    Ok(())
}

/// Arguments of calls become objects, and results say of which tool they are; what could not be read is left out.
fn calls(body: &Document<'_>) -> Result<Vec<String>, Failure> {
    let calls =
        body.find("/messages/*/tool_calls/*").rows(&["/id", "/function/name", "/function/arguments"], LONGEST)?.rows;
    let (mut edits, mut names) = (Vec::new(), Vec::new());
    for row in &calls {
        let [id, name, arguments] = &row.cells[..] else { continue };
        names.extend(id.text().zip(name.text()));
        if let Some(arguments) = arguments.text() {
            let object = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments.into_owned() };
            edits.push(Edit::replace([&row.pointer, "/function/arguments"].concat(), object));
        }
    }
    let mut dropped = Vec::new();
    if body.patch(&edits).is_err() {
        // A model may have written what is no JSON; it is to see that it called, and nothing else.
        for edit in &edits {
            if let Edit::Replace(assignment) = edit
                && body.patch(std::slice::from_ref(edit)).is_err()
            {
                body.patch(&[Edit::replace(&assignment.path, "{}")]).map_err(Failure::invalid)?;
                dropped.push(assignment.path.clone());
            }
        }
    }
    let results = body.find("/messages/*").only(at("/role").is("tool")).rows(&["/tool_call_id"], 512)?.rows;
    let named = results.iter().filter_map(|row| {
        let id = row.cells.first()?.text()?;
        let (_, name) = names.iter().rev().find(|(own, _)| *own == id)?;
        Some(Edit::add([&row.pointer, "/tool_name"].concat(), quote(name)))
    });
    body.patch(&named.collect::<Vec<_>>()).map_err(Failure::invalid)?;
    Ok(dropped)
}
