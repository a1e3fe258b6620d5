//! What was run, as blocks of Messages: `server_tool_use` with its input, and a block with the result. Blocks that the
//! gateway makes of another vendor's run say so in their ids, since Anthropic takes none but its own.

use super::{Language, Page, Ran, Run};
use crate::json;
use crate::translate::request::Json;
use crate::translate::writer::{Inside, Writer, compact, unescaped};

/// What the ids of server tools' blocks begin with.
pub(crate) const PREFIX: &[u8] = b"srvtoolu_";
/// And those of blocks that the gateway made.
pub(crate) const MADE: &str = "srvtoolu_br1_";
/// What stands for Anthropic's own state where it did not search.
pub(crate) const NO_STATE: &str = "br1.";

/// The id of a block of ours; that of the run, where it has one, is found in it.
pub(crate) fn made_id(run: &Run<'_>, answer: &str, index: u64) -> Vec<u8> {
    let fits = |id: &&Inside<'_>| id.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    match run.id.as_ref().filter(fits) {
        Some(id) => [MADE.as_bytes(), &id[..]].concat(),
        None => format!("{MADE}{answer}_{index}").into_bytes(),
    }
}

/// The run's own id, of a block's.
pub(crate) fn own_id(id: &[u8]) -> &[u8] {
    id.strip_prefix(MADE.as_bytes()).unwrap_or(id)
}

/// Whether a block's type is that of a server tool's result.
pub(crate) fn is_result(kind: &[u8]) -> bool {
    kind.ends_with(b"_tool_result")
}

/// The run that a `server_tool_use` block begins; none of what no other dialect has. `input` is an object.
pub(crate) fn begun<'a>(id: Option<&'a [u8]>, name: &[u8], input: Json<'a>) -> Option<Run<'a>> {
    let text = |member| json::get(input, member).and_then(json::inside).map(Inside::Borrowed);
    let code = |code, language| Ran::Code { code, language, output: Inside::default() };
    let what = match name {
        b"web_search" => Ran::Search { queries: vec![text("query")?], found: Vec::new() },
        b"web_fetch" => Ran::Fetch { url: text("url")? },
        b"code_execution" => code(text("code")?, Language::Python),
        b"bash_code_execution" => code(text("command")?, Language::Shell),
        _ => return None,
    };
    Some(Run::new(id.map(own_id), what))
}

/// Takes in the `content` of the run's result.
pub(crate) fn ended<'a>(run: &mut Run<'a>, content: Json<'a>) {
    let kind = json::get(content, "type").and_then(json::inside).unwrap_or_default();
    run.failed = kind.ends_with(b"_error");
    let text = |of, member| json::get(of, member).and_then(json::inside).filter(|text| !text.is_empty());
    match &mut run.what {
        Ran::Search { found, .. } => {
            let page = |item| Some((text(item, "url")?, text(item, "title")));
            let pages = json::items(content).filter_map(page);
            found.extend(
                pages.map(|(url, title)| Page { url: Inside::Borrowed(url), title: title.map(Inside::Borrowed) }),
            );
        }
        Ran::Code { output, .. } => {
            let (printed, errors) = (text(content, "stdout"), text(content, "stderr"));
            *output = match (printed, errors) {
                (Some(printed), Some(errors)) => Inside::Owned([printed, br"\n", errors].concat()),
                (one, other) => Inside::Borrowed(one.or(other).unwrap_or_default()),
            };
            run.failed |= json::get(content, "return_code").is_some_and(|code| code != b"0");
        }
        Ran::Fetch { .. } | Ran::Image { .. } => {}
    }
}

/// The tool's name and its input, an object; none of what the dialect cannot say.
pub(crate) fn input(run: &Run<'_>) -> Option<(&'static str, Vec<u8>)> {
    let mut input = Writer::default();
    input.open(b'{');
    let name = match &run.what {
        Ran::Search { queries, .. } => {
            input.inside_member("query", &queries.join(&b"; "[..]));
            "web_search"
        }
        Ran::Fetch { url } => {
            input.inside_member("url", url);
            "web_fetch"
        }
        Ran::Code { code, language: Language::Python, .. } => {
            input.inside_member("code", code);
            "code_execution"
        }
        Ran::Code { code, language: Language::Shell, .. } => {
            input.inside_member("command", code);
            "bash_code_execution"
        }
        Ran::Image { .. } => return None,
    };
    input.close(b'}');
    Some((name, input.into_bytes()))
}

/// The block of the result, of a run that has an input.
pub(crate) fn write_result(run: &Run<'_>, id: &[u8], to: &mut Writer) {
    let (kind, wrong) = match &run.what {
        Ran::Search { .. } => ("web_search_tool_result", run.failed.then_some("web_search_tool_result_error")),
        Ran::Fetch { .. } => ("web_fetch_tool_result", run.failed.then_some("web_fetch_tool_result_error")),
        Ran::Code { language: Language::Shell, .. } => ("bash_code_execution_tool_result", None),
        _ => ("code_execution_tool_result", None),
    };
    to.open(b'{');
    to.text_member("type", kind);
    to.inside_member("tool_use_id", id);
    to.key("content");
    if let Some(wrong) = wrong {
        to.open(b'{');
        to.text_member("type", wrong);
        to.text_member("error_code", "unavailable");
        to.close(b'}');
        return to.close(b'}');
    }
    match &run.what {
        Ran::Search { found, .. } => {
            to.open(b'[');
            found.iter().for_each(|page| write_page(page, to));
            to.close(b']');
        }
        Ran::Fetch { url } => write_fetched(url, to),
        Ran::Code { output, language, .. } => {
            let kind = match language {
                Language::Python => "code_execution_result",
                Language::Shell => "bash_code_execution_result",
            };
            let (stdout, stderr): (&[u8], &[u8]) = if run.failed { (b"", output) } else { (output, b"") };
            to.open(b'{');
            to.text_member("type", kind);
            to.inside_member("stdout", stdout);
            to.inside_member("stderr", stderr);
            to.number_member("return_code", u64::from(run.failed));
            to.member("content", b"[]");
            to.close(b'}');
        }
        Ran::Image { .. } => to.raw(b"[]"),
    }
    to.close(b'}');
}

fn write_page(page: &Page<'_>, to: &mut Writer) {
    to.open(b'{');
    to.text_member("type", "web_search_result");
    to.inside_member("url", &page.url);
    to.inside_member("title", page.title.as_ref().unwrap_or(&page.url));
    to.text_member("encrypted_content", NO_STATE);
    to.member("page_age", b"null");
    to.close(b'}');
}

/// A page whose words the vendor kept to itself.
fn write_fetched(url: &[u8], to: &mut Writer) {
    to.open(b'{');
    to.text_member("type", "web_fetch_result");
    to.inside_member("url", url);
    to.member("retrieved_at", b"null");
    to.key("content");
    to.open(b'{');
    to.text_member("type", "document");
    to.member("source", br#"{"type":"text","media_type":"text/plain","data":""}"#);
    to.member("title", b"null");
    to.member("citations", b"null");
    to.close(b'}');
    to.close(b'}');
}

/// A block as it would stand in a history, of how it began and of the input that came after it; what stands inside a
/// string that has it.
pub(crate) fn as_state(block: Json<'_>, streamed: &[u8]) -> Vec<u8> {
    let input = unescaped(streamed).filter(|input| input.trim_start().starts_with('{'));
    let mut whole = Writer::default();
    whole.open(b'{');
    for (key, value) in json::members(block) {
        let value = if key == b"input" { input.as_deref().map_or(value, str::as_bytes) } else { value };
        whole.member(&String::from_utf8_lossy(key), value);
    }
    whole.close(b'}');
    compact(whole.bytes())
}
