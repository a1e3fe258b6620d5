//! What was run, as items of Responses: `web_search_call`, `code_interpreter_call`, `image_generation_call`.

use super::messages::NO_STATE;
use super::{Language, Page, Ran, Run};
use crate::json;
use crate::translate::request::Json;
use crate::translate::writer::{Inside, Writer};

/// The run that an item is; none of what no other dialect has.
pub(crate) fn read<'a>(kind: &[u8], item: Json<'a>) -> Option<Run<'a>> {
    let value = |name| json::get(item, name).filter(|value| *value != b"null");
    let text = |name| value(name).and_then(json::inside).map(Inside::Borrowed);
    let what = match kind {
        b"web_search_call" => search(value("action")?)?,
        b"code_interpreter_call" => {
            let logs = |output| json::get(output, "logs").and_then(json::inside);
            let printed: Vec<&[u8]> = value("outputs").into_iter().flat_map(json::items).filter_map(logs).collect();
            let output = match printed[..] {
                [] => Inside::default(),
                [one] => Inside::Borrowed(one),
                _ => Inside::Owned(printed.concat()),
            };
            Ran::Code { code: text("code")?, language: Language::Python, output }
        }
        b"image_generation_call" => {
            let mime: &[u8] = match value("output_format").and_then(json::inside) {
                Some(b"jpeg") => b"image/jpeg",
                Some(b"webp") => b"image/webp",
                _ => b"image/png",
            };
            Ran::Image { mime: Inside::Borrowed(mime), data: text("result").filter(|data| !data.is_empty())? }
        }
        _ => return None,
    };
    let mut run = Run::new(value("id").and_then(json::inside), what);
    run.failed = value("status") == Some(b"\"failed\"");
    Some(run)
}

fn search(action: Json<'_>) -> Option<Ran<'_>> {
    let text = |of, name| json::get(of, name).and_then(json::inside).filter(|text| !text.is_empty());
    match text(action, "type") {
        Some(b"open_page") => Some(Ran::Fetch { url: Inside::Borrowed(text(action, "url")?) }),
        Some(b"search") | None => {
            let several = json::get(action, "queries").into_iter().flat_map(json::items).filter_map(json::inside);
            let mut queries: Vec<_> = several.map(Inside::Borrowed).collect();
            if queries.is_empty() {
                queries.push(Inside::Borrowed(text(action, "query")?));
            }
            let page = |source| Some((text(source, "url")?, text(source, "title")));
            let found = json::get(action, "sources").into_iter().flat_map(json::items).filter_map(page);
            let found = found
                .map(|(url, title)| Page { url: Inside::Borrowed(url), title: title.map(Inside::Borrowed) })
                .collect();
            Some(Ran::Search { queries, found })
        }
        // To look for words within a page is OpenAI's alone.
        Some(_) => None,
    }
}

/// What the id of the item begins with, and the word in the events about it.
pub(crate) fn names(run: &Run<'_>) -> (&'static str, &'static str) {
    match run.what {
        Ran::Search { .. } | Ran::Fetch { .. } => ("ws", "web_search_call"),
        Ran::Code { .. } => ("ci", "code_interpreter_call"),
        Ran::Image { .. } => ("ig", "image_generation_call"),
    }
}

/// The item. While it is in progress nothing has come of it.
pub(crate) fn write(run: &Run<'_>, id: &[u8], in_progress: bool, to: &mut Writer) {
    let status = match (in_progress, run.failed) {
        (true, _) => "in_progress",
        (false, true) => "failed",
        (false, false) => "completed",
    };
    to.open(b'{');
    to.inside_member("id", id);
    to.text_member("type", names(run).1);
    to.text_member("status", status);
    match &run.what {
        Ran::Search { queries, found } => {
            to.key("action");
            to.open(b'{');
            to.text_member("type", "search");
            to.inside_member("query", queries.first().map_or(&b""[..], |query| query));
            if queries.len() > 1 {
                to.key("queries");
                to.open(b'[');
                queries.iter().for_each(|query| to.inside(query));
                to.close(b']');
            }
            if !found.is_empty() && !in_progress {
                to.key("sources");
                to.open(b'[');
                for page in found {
                    to.open(b'{');
                    to.text_member("type", "url");
                    to.inside_member("url", &page.url);
                    to.close(b'}');
                }
                to.close(b']');
            }
            to.close(b'}');
        }
        Ran::Fetch { url } => {
            to.key("action");
            to.open(b'{');
            to.text_member("type", "open_page");
            to.inside_member("url", url);
            to.close(b'}');
        }
        Ran::Code { code, output, .. } => {
            to.inside_member("code", if in_progress { b"" } else { code });
            // OpenAI has no container of that run; without its id clients read no item.
            to.text_member("container_id", NO_STATE);
            to.key("outputs");
            to.open(b'[');
            if !in_progress && !output.is_empty() {
                to.open(b'{');
                to.text_member("type", "logs");
                to.inside_member("logs", output);
                to.close(b'}');
            }
            to.close(b']');
        }
        Ran::Image { .. } if in_progress => to.member("result", b"null"),
        Ran::Image { data, .. } => to.inside_member("result", data),
    }
    to.close(b'}');
}
