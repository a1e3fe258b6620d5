//! What a vendor ran by itself within an answer: a search, a page that it read, code, an image that it drew. Readers and
//! writers of answers and of histories say it through this view; what no two dialects have is not in it.

pub(in crate::translate) mod generate_content;
pub(in crate::translate) mod messages;
pub(in crate::translate) mod responses;

use super::request::Json;
use super::writer::Inside;

/// One thing that was run, and what came of it.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    /// As its dialect names it.
    pub(crate) id: Option<Inside<'a>>,
    pub(crate) what: Ran<'a>,
    pub(crate) failed: bool,
    /// In a history: the block that has the result, where that is one of its own. For reports.
    pub(crate) result: Option<Json<'a>>,
}

/// What was run.
#[derive(Debug)]
pub(crate) enum Ran<'a> {
    /// A search of the web, with what it found where that is told.
    Search { queries: Vec<Inside<'a>>, found: Vec<Page<'a>> },
    /// A page of the web was read.
    Fetch { url: Inside<'a> },
    /// Code, and what it printed.
    Code { code: Inside<'a>, language: Language, output: Inside<'a> },
    /// An image was drawn; its bytes in base64.
    Image { mime: Inside<'a>, data: Inside<'a> },
}

/// What a search found.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(crate) url: Inside<'a>,
    pub(crate) title: Option<Inside<'a>>,
}

/// What code is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    /// Commands of a shell.
    Shell,
}

impl<'a> Run<'a> {
    pub(crate) fn new(id: Option<&'a [u8]>, what: Ran<'a>) -> Self {
        Self { id: id.filter(|id| !id.is_empty()).map(Inside::Borrowed), what, failed: false, result: None }
    }
}
