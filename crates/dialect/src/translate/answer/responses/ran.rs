//! What a vendor ran, as an item of Responses with the events that OpenAI writes about it. It comes when it is over, so
//! that its events stand together.

use super::items::Place;
use super::write::{AnswerWriter, close, item_of};
use crate::translate::run::{Ran, Run, responses as items};
use crate::translate::writer::Writer;

impl AnswerWriter {
    pub(super) fn ran(&mut self, run: &Run<'_>, to: &mut Writer) {
        self.end_spoken("completed", None, to);
        let (prefix, kind) = items::names(run);
        let place = self.place(prefix);
        let id = place.id.clone().into_bytes();
        self.event("response.output_item.added", to);
        to.number_member("output_index", place.index);
        to.key("item");
        items::write(run, &id, true, to);
        close(to);
        self.step(kind, "in_progress", &place, to);
        match &run.what {
            Ran::Search { .. } | Ran::Fetch { .. } => self.step(kind, "searching", &place, to),
            Ran::Image { .. } => self.step(kind, "generating", &place, to),
            Ran::Code { code, .. } => {
                for (event, member) in [
                    ("response.code_interpreter_call_code.delta", "delta"),
                    ("response.code_interpreter_call_code.done", "code"),
                ] {
                    self.event(event, to);
                    item_of(&place, to);
                    to.inside_member(member, code);
                    close(to);
                }
                self.step(kind, "interpreting", &place, to);
            }
        }
        self.step(kind, "completed", &place, to);
        let mut item = Writer::default();
        items::write(run, &id, false, &mut item);
        self.kept += item.bytes().len();
        self.done(&place, item, to);
    }

    fn step(&mut self, kind: &str, step: &str, place: &Place, to: &mut Writer) {
        self.event(&format!("response.{kind}.{step}"), to);
        item_of(place, to);
        close(to);
    }
}
