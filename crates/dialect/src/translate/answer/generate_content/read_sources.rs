//! Reads what an answer rests on out of a candidate's metadata: what was searched and read, and which words rest on it.

use std::borrow::Cow;

use crate::json;
use crate::translate::answer::{Citation, Piece};
use crate::translate::run::{Page, Ran, Run};
use crate::translate::writer::Inside;

/// What of the web the answer rests on, with the words that do where they are said.
pub(super) fn grounding(metadata: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
    let either = |camel: &str, snake: &str| json::get(metadata, camel).or_else(|| json::get(metadata, snake));
    let mut chunks = Vec::new();
    for chunk in either("groundingChunks", "grounding_chunks").into_iter().flat_map(json::items) {
        let source = json::members(chunk).find(|(_, value)| value.starts_with(b"{"));
        chunks.push(source.and_then(|(_, source)| Some((string(source, "uri")?, string(source, "title")))));
    }
    let mut supported = vec![false; chunks.len()];
    for support in either("groundingSupports", "grounding_supports").into_iter().flat_map(json::items) {
        let quote = json::get(support, "segment").and_then(|segment| string(segment, "text"));
        let indices =
            json::get(support, "groundingChunkIndices").or_else(|| json::get(support, "grounding_chunk_indices"));
        for index in indices.into_iter().flat_map(json::items) {
            let Some(index) = json::count(index).and_then(|index| usize::try_from(index).ok()) else { continue };
            let Some(Some((url, title))) = chunks.get(index) else { continue };
            supported[index] = true;
            to(Piece::Citation(Citation { url: url.clone(), title: title.clone(), quote: quote.clone() }));
        }
    }
    for (chunk, supported) in chunks.into_iter().zip(supported) {
        if let (Some((url, title)), false) = (chunk, supported) {
            to(Piece::Citation(Citation { url, title, quote: None }));
        }
    }
}

/// `citationMetadata`: what the model recites.
pub(super) fn sources(metadata: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
    let all = json::get(metadata, "citationSources").or_else(|| json::get(metadata, "citations"));
    for source in all.into_iter().flat_map(json::items) {
        if let Some(url) = string(source, "uri") {
            to(Piece::Citation(Citation { url, title: string(source, "title"), quote: None }));
        }
    }
}

fn string<'a>(object: &'a [u8], name: &str) -> Option<Inside<'a>> {
    json::get(object, name).and_then(json::inside).filter(|it| !it.is_empty()).map(Cow::Borrowed)
}

/// What Google searched for, with what it found.
pub(super) fn searched(metadata: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
    let either = |camel: &str, snake: &str| json::get(metadata, camel).or_else(|| json::get(metadata, snake));
    let queries = either("webSearchQueries", "web_search_queries").into_iter().flat_map(json::items);
    let queries: Vec<_> = queries.filter_map(json::inside).map(Cow::Borrowed).collect();
    if queries.is_empty() {
        return;
    }
    let page = |chunk| {
        let web = json::get(chunk, "web")?;
        Some(Page { url: string(web, "uri")?, title: string(web, "title") })
    };
    let found = either("groundingChunks", "grounding_chunks").into_iter().flat_map(json::items).filter_map(page);
    to(Piece::Ran(Run::new(None, Ran::Search { queries, found: found.collect() })));
}

/// `urlContextMetadata`: the pages that Google read.
pub(super) fn fetched(metadata: &[u8], to: &mut dyn FnMut(Piece<'_>)) {
    let either = |of, camel: &str, snake: &str| json::get(of, camel).or_else(|| json::get(of, snake));
    for page in either(metadata, "urlMetadata", "url_metadata").into_iter().flat_map(json::items) {
        let url = either(page, "retrievedUrl", "retrieved_url").and_then(json::inside).filter(|url| !url.is_empty());
        let Some(url) = url else { continue };
        let status = either(page, "urlRetrievalStatus", "url_retrieval_status").and_then(json::inside);
        let failed = status.is_some_and(|status| status != b"URL_RETRIEVAL_STATUS_SUCCESS");
        let mut run = Run::new(None, Ran::Fetch { url: Cow::Borrowed(url) });
        run.failed = failed;
        to(Piece::Ran(run));
    }
}
