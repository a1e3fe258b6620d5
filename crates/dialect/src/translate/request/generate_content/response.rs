//! Reads what a tool answered, `response` of a `functionResponse`: an object by rule, of which the names are each client's
//! own.

use super::read::inside;
use crate::json::{self, Cursor};
use crate::translate::request::{Json, OutputContent, Part, What};
use crate::translate::writer::Inside;

/// What stands in `response`.
#[derive(Default)]
pub(super) struct Response<'a> {
    whole: Json<'a>,
    /// The last member under one of the usual names.
    said: Option<Json<'a>>,
    /// The tool's name, which some clients repeat here.
    name: Option<Inside<'a>>,
    /// Whether there is more.
    others: bool,
    failed: bool,
}

impl<'a> Response<'a> {
    pub(super) fn of(walk: &mut Cursor<'a>) -> Self {
        let mut read = Self::default();
        let whole = walk.members(|key, walk| {
            let value = walk.value();
            match key {
                _ if value == b"null" => {}
                b"output" | b"result" | b"content" | b"error" => {
                    read.others |= read.said.replace(value).is_some();
                    read.failed |= key == b"error" && !json::is_blank(value);
                }
                b"name" if read.name.is_none() && value.starts_with(b"\"") => read.name = inside(value),
                _ => read.others = true,
            }
        });
        Self { whole, ..read }
    }

    /// The words of a result where it is one text under a usual name, else the object; whether it is an error.
    pub(super) fn content(self, tool: &Option<Inside<'a>>) -> (OutputContent<'a>, bool) {
        let parts = |text: Inside<'a>, raw| {
            let text = (!text.is_empty()).then_some(Part { what: What::Text(text), cache: None, raw });
            OutputContent::Parts(Vec::from_iter(text))
        };
        if self.whole == b"null" {
            return (OutputContent::Parts(Vec::new()), false);
        }
        if let Some(text) = inside(self.whole) {
            return (parts(text, self.whole), false);
        }
        let alone = !self.others && (self.name.is_none() || self.name == *tool);
        match self.said.filter(|_| alone).and_then(|value| Some((value, inside(value)?))) {
            Some((value, text)) => (parts(text, value), self.failed),
            None => (OutputContent::Object(self.whole), self.failed),
        }
    }
}
