//! The blocks of messages. `shape` of the body calls it.

use bitrouter_provider::{Cell, Document, Edit, Failure, Kind, at};

use super::{Family, SHOWN, cache_points, text_as_blocks};

/// Blocks of messages, and those that results of tools and of searches are made of.
const BLOCKS: &str = "/messages/*/content/*";
const INNER: &str = "/messages/*/content/*/content/*";
/// The types that Converse has a block for.
const KNOWN: [&str; 8] = [
    "\"text\"",
    "\"image\"",
    "\"document\"",
    "\"tool_use\"",
    "\"tool_result\"",
    "\"thinking\"",
    "\"redacted_thinking\"",
    "\"search_result\"",
];
/// Media types of images, and what Converse calls them.
const IMAGES: [(&str, &str); 5] =
    [("image/png", "png"), ("image/jpeg", "jpeg"), ("image/jpg", "jpeg"), ("image/gif", "gif"), ("image/webp", "webp")];

/// Edits all messages, and returns what it left out.
pub(super) fn shape(body: &Document<'_>, family: Family) -> Result<Vec<String>, Failure> {
    let text = body.each("/messages/*").only(at("/content").is_a(Kind::String));
    text.patch(&text_as_blocks("/content")).map_err(Failure::invalid)?;
    // A block that was made above has a text and no type.
    let unknown = body.each(BLOCKS).only(at("/type").is_there()).only(at("/type").one_of(&KNOWN).not()).named(SHOWN);
    let mut dropped = unknown.patch(&[Edit::remove("")]).map_err(Failure::invalid)?.pointers;
    let types = types(body)?;
    let has = |kind: &str| types.iter().any(|one| one == kind);
    // Converse refuses texts without a letter, and thoughts that nobody signed.
    for pattern in [BLOCKS, INNER] {
        body.each(pattern).only(at("/text").is("")).patch(&[Edit::remove("")]).map_err(Failure::invalid)?;
    }
    if has("thinking") {
        for unsigned in [at("/signature").is_a(Kind::String).not(), at("/signature").is("")] {
            let thoughts = body.each(BLOCKS).only(at("/type").is("thinking")).only(unsigned);
            thoughts.patch(&[Edit::remove("")]).map_err(Failure::invalid)?;
        }
    }
    body.each("/messages/*")
        .only(at("/content").is_longer_than(2).not())
        .patch(&[Edit::remove("")])
        .map_err(Failure::invalid)?;
    let (points, unmarked) = cache_points(body, BLOCKS, family)?;
    dropped.extend(unmarked);
    let results = has("tool_result") || has("search_result");
    if results {
        let text = body.each(BLOCKS).only(at("/type").is("tool_result")).only(at("/content").is_a(Kind::String));
        text.patch(&text_as_blocks("/content")).map_err(Failure::invalid)?;
        contents(body, INNER)?;
    }
    contents(body, BLOCKS)?;
    for (kind, new, moved) in [
        (
            "tool_use",
            r#"{"toolUse":{}}"#,
            &[("/id", "/toolUse/toolUseId"), ("/name", "/toolUse/name"), ("/input", "/toolUse/input")][..],
        ),
        (
            "thinking",
            r#"{"reasoningContent":{"reasoningText":{}}}"#,
            &[
                ("/thinking", "/reasoningContent/reasoningText/text"),
                ("/signature", "/reasoningContent/reasoningText/signature"),
            ],
        ),
        ("redacted_thinking", r#"{"reasoningContent":{}}"#, &[("/data", "/reasoningContent/redactedContent")]),
        (
            "search_result",
            r#"{"searchResult":{}}"#,
            &[
                ("/source", "/searchResult/source"),
                ("/title", "/searchResult/title"),
                ("/content", "/searchResult/content"),
            ],
        ),
    ] {
        if has(kind) {
            let blocks = body.each(BLOCKS).only(at("/type").is(kind));
            blocks.patch(&instead(new, moved)).map_err(Failure::invalid)?;
        }
    }
    if has("tool_result") {
        let results = || body.each(BLOCKS).only(at("/type").is("tool_result"));
        let silent = results().only(at("/content").is_there().not());
        silent.patch(&[Edit::add("/content", "[]")]).map_err(Failure::invalid)?;
        let failed = results().only(at("/is_error").one_of(&["true"]));
        failed.patch(&tool_result(r#"{"toolResult":{"status":"error"}}"#)).map_err(Failure::invalid)?;
        results().patch(&tool_result(r#"{"toolResult":{}}"#)).map_err(Failure::invalid)?;
    }
    body.patch(&points).map_err(Failure::invalid)?;
    merge(body)?;
    Ok(dropped)
}

/// The types that occur, within results too.
fn types(body: &Document<'_>) -> Result<Vec<String>, Failure> {
    let mut types: Vec<String> = Vec::new();
    for row in body.find(BLOCKS).rows(&["/type"], 32)?.rows {
        if let Some(kind) = row.cells.first().and_then(Cell::text).filter(|kind| types.iter().all(|one| one != kind)) {
            types.push(kind.into_owned());
        }
    }
    Ok(types)
}

/// Texts, images and documents.
fn contents(body: &Document<'_>, pattern: &str) -> Result<(), Failure> {
    body.each(pattern).only(at("/type").is("text")).patch(&text()).map_err(Failure::invalid)?;
    for (media_type, format) in IMAGES {
        let images = body.each(pattern).only(at("/type").is("image")).only(at("/source/media_type").is(media_type));
        images.only(at("/source/data").is_a(Kind::String)).patch(&image(format)).map_err(Failure::invalid)?;
    }
    if body.find(pattern).only(at("/type").is("image")).any()? {
        return Err(Failure::unsupported("Converse takes images as the bytes of a PNG, JPEG, GIF or WebP, and no URL"));
    }
    documents(body, pattern)
}

/// Documents, each under a name of its own, as Converse demands.
fn documents(body: &Document<'_>, pattern: &str) -> Result<(), Failure> {
    let fields = ["/title", "/source/type", "/source/media_type", "/citations/enabled", "/context"];
    let rows = body.find(pattern).only(at("/type").is("document")).rows(&fields, 256)?.rows;
    for (number, row) in (1..).zip(&rows) {
        let [title, source, media_type, cites, context] = &row.cells[..] else { continue };
        let (format, bytes) = match (source.text().as_deref(), media_type.text().as_deref()) {
            (Some("base64"), Some("application/pdf")) => ("pdf", "bytes"),
            (Some("text"), _) => ("txt", "text"),
            _ => return Err(Failure::unsupported("Converse takes documents as the bytes of a PDF, or as a text")),
        };
        let name = document_name(title.text().as_deref().unwrap_or("document"), number);
        let cited = cites.json().is_some_and(|enabled| enabled.is_true());
        let cited = if cited { r#","citations":{"enabled":true}"# } else { "" };
        let new = ["{\"document\":{\"format\":\"", format, "\",\"name\":\"", &name, "\",\"source\":{}", cited, "}}"];
        let mut edits = vec![
            Edit::add("/new", new.concat()),
            Edit::move_to("/source/data", ["/new/document/source/", bytes].concat()),
        ];
        if !matches!(context, Cell::Absent) {
            edits.push(Edit::move_to("/context", "/new/document/context"));
        }
        edits.push(Edit::move_to("/new", ""));
        body.each(&row.pointer).patch(&edits).map_err(Failure::invalid)?;
    }
    Ok(())
}

/// A title in the letters that Converse takes, with a number that no other document has.
fn document_name(title: &str, number: usize) -> String {
    let plain = title.chars().map(|c| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' });
    let words = plain.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    [words.get(..100).unwrap_or(&words), " ", &number.to_string()].concat()
}

/// A block that holds a text, and nothing else.
pub(super) fn text() -> Vec<Edit> {
    instead("{}", &[("/text", "/text")])
}

fn image(format: &str) -> Vec<Edit> {
    let new = ["{\"image\":{\"format\":\"", format, "\",\"source\":{}}}"].concat();
    instead(&new, &[("/source/data", "/image/source/bytes")])
}

fn tool_result(new: &str) -> Vec<Edit> {
    instead(new, &[("/tool_use_id", "/toolResult/toolUseId"), ("/content", "/toolResult/content")])
}

/// Puts a new block in a block's place, with these values of it at these places.
fn instead(new: &str, moved: &[(&str, &str)]) -> Vec<Edit> {
    let mut edits = vec![Edit::add("/new", new)];
    edits.extend(moved.iter().map(|(from, to)| Edit::move_to(*from, ["/new", to].concat())));
    edits.push(Edit::move_to("/new", ""));
    edits
}

/// Makes one message of those that follow each other in the same role: Converse wants them to take turns.
fn merge(body: &Document<'_>) -> Result<(), Failure> {
    let messages = body.find("/messages/*").rows(&["/role"], 32)?.rows;
    let role = |at: usize| messages[at].cells.first().and_then(Cell::text);
    let repeated: Vec<usize> = (1..messages.len()).filter(|at| role(*at) == role(at - 1)).collect();
    if repeated.is_empty() {
        return Ok(());
    }
    let blocks = body.find(BLOCKS).pointers()?;
    let mut edits = Vec::new();
    let mut head = 0;
    for at in 1..messages.len() {
        if !repeated.contains(&at) {
            head = at;
            continue;
        }
        let own = [messages[at].pointer.as_str(), "/content/"].concat();
        let to = [&messages[head].pointer, "/content/-"].concat();
        let moved = blocks.iter().filter(|pointer| pointer.starts_with(&own));
        edits.extend(moved.map(|_| Edit::move_to([&own, "0"].concat(), &to)));
    }
    edits.extend(repeated.iter().rev().map(|at| Edit::remove(&messages[*at].pointer)));
    body.patch(&edits).map_err(Failure::invalid)
}
