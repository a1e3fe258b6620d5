//! Writes what an answer rests on, which Google tells with a candidate's last chunk: the pages with the words that rest on
//! them, what was searched for, and what was read.

use memchr::memmem;

use crate::translate::answer::Citation;
use crate::translate::run::Page;
use crate::translate::writer::{Inside, Writer, unescaped};

/// How much of a text is kept to find the words of citations in.
const WORDS: usize = 256 * 1024;

/// What is known of a candidate's sources.
#[derive(Debug, Default)]
pub(super) struct Sources {
    pages: Vec<Source>,
    queries: Vec<Vec<u8>>,
    /// Pages that were read, and whether they could be.
    read: Vec<(Vec<u8>, bool)>,
    /// The place of the part that is open, and its text as far as citations are looked for in it.
    part: u64,
    text: Vec<u8>,
    open: bool,
}

#[derive(Debug)]
struct Source {
    url: Vec<u8>,
    title: Option<Vec<u8>>,
    quotes: Vec<Quote>,
}

/// Words that rest on a source, and where they stand: in which part, and from which byte to which of its UTF-8.
#[derive(Debug)]
struct Quote {
    words: Vec<u8>,
    place: Option<(u64, usize, usize)>,
}

impl Sources {
    /// The open part of text goes on, or one begins.
    pub(super) fn said(&mut self, text: &[u8]) {
        self.open = true;
        if self.text.len() + text.len() <= WORDS {
            self.text.extend_from_slice(text);
        }
    }

    /// A part that is no text of the answer.
    pub(super) fn passed(&mut self) {
        self.part += 1 + u64::from(std::mem::take(&mut self.open));
        self.text.clear();
    }

    fn quote(&self, words: Vec<u8>) -> Quote {
        let length = |inside: &[u8]| unescaped(inside).map(|text| text.len());
        let place = memmem::rfind(&self.text, &words).filter(|_| !words.is_empty()).and_then(|at| {
            let start = length(&self.text[..at])?;
            Some((self.part, start, start + length(&words)?))
        });
        Quote { words, place }
    }

    pub(super) fn cite(&mut self, citation: Citation<'_>) {
        let quote = citation.quote.map(Inside::into_owned).map(|words| self.quote(words));
        match self.pages.iter_mut().find(|source| source.url == citation.url.as_ref()) {
            Some(known) => known.quotes.extend(quote),
            None => self.pages.push(Source {
                url: citation.url.into_owned(),
                title: citation.title.map(Inside::into_owned),
                quotes: Vec::from_iter(quote),
            }),
        }
    }

    pub(super) fn searched(&mut self, queries: Vec<Inside<'_>>, found: Vec<Page<'_>>) {
        self.queries.extend(queries.into_iter().map(Inside::into_owned));
        for Page { url, title } in found {
            self.cite(Citation { url, title, quote: None });
        }
    }

    pub(super) fn read(&mut self, url: &[u8], well: bool) {
        self.read.push((url.to_vec(), well));
    }

    /// The members of the candidate.
    pub(super) fn write(&self, to: &mut Writer) {
        self.grounding(to);
        if self.read.is_empty() {
            return;
        }
        to.key("urlContextMetadata");
        to.open(b'{');
        to.key("urlMetadata");
        to.open(b'[');
        for (url, well) in &self.read {
            to.open(b'{');
            to.inside_member("retrievedUrl", url);
            let status = if *well { "URL_RETRIEVAL_STATUS_SUCCESS" } else { "URL_RETRIEVAL_STATUS_ERROR" };
            to.text_member("urlRetrievalStatus", status);
            to.close(b'}');
        }
        to.close(b']');
        to.close(b'}');
    }

    fn grounding(&self, to: &mut Writer) {
        if self.pages.is_empty() && self.queries.is_empty() {
            return;
        }
        to.key("groundingMetadata");
        to.open(b'{');
        if !self.queries.is_empty() {
            to.key("webSearchQueries");
            to.open(b'[');
            self.queries.iter().for_each(|query| to.inside(query));
            to.close(b']');
        }
        if !self.pages.is_empty() {
            self.chunks(to);
        }
        to.close(b'}');
    }

    fn chunks(&self, to: &mut Writer) {
        to.key("groundingChunks");
        to.open(b'[');
        for source in &self.pages {
            to.open(b'{');
            to.key("web");
            to.open(b'{');
            to.inside_member("uri", &source.url);
            if let Some(title) = &source.title {
                to.inside_member("title", title);
            }
            to.close(b'}');
            to.close(b'}');
        }
        to.close(b']');
        let supports =
            || (0_u64..).zip(&self.pages).flat_map(|(at, it)| it.quotes.iter().map(move |quote| (at, quote)));
        if supports().next().is_some() {
            to.key("groundingSupports");
            to.open(b'[');
            for (at, quote) in supports() {
                to.open(b'{');
                to.key("segment");
                to.open(b'{');
                if let Some((part, start, end)) = quote.place {
                    if part > 0 {
                        to.number_member("partIndex", part);
                    }
                    to.number_member("startIndex", start as u64);
                    to.number_member("endIndex", end as u64);
                }
                to.inside_member("text", &quote.words);
                to.close(b'}');
                to.key("groundingChunkIndices");
                to.open(b'[');
                to.number(at);
                to.close(b']');
                to.close(b'}');
            }
            to.close(b']');
        }
    }
}
