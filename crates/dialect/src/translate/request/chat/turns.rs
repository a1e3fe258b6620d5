//! Writes turns as messages of Chat Completions. One message of the model has all that it said and called before the
//! next answer, its results are one `tool` message each, and since those have text alone, the images and files of a turn's
//! results follow in one message of the user's.

use super::parts::{detail_of, is_said_by_user, is_text, text_of};
use super::{details, parts};
use crate::json;
use crate::translate::Facts;
use crate::translate::lost::Losses;
use crate::translate::request::{
    Arguments, Call, Media, Output, OutputContent, Part, Reasoning, Role, State, StateKind, Turn, What,
};
use crate::translate::writer::Writer;

/// What a `tool` message says whose result has no text: its files follow.
const ATTACHED: &str = "[attached to the next message]";

/// Writes all messages.
pub(super) fn write<'a>(turns: &[Turn<'a>], facts: &Facts, out: &mut Writer, losses: &mut Losses<'a>) {
    let mut messages = Messages { facts, out, losses, attached: Vec::new() };
    let mut rest = turns;
    while let Some((turn, after)) = rest.split_first() {
        rest = after;
        match turn.role {
            Role::System | Role::Developer => messages.system(turn),
            Role::User => messages.user(turn),
            Role::Assistant => {
                let more = after.iter().take_while(|turn| turn.role == Role::Assistant).count();
                let (own, after) = after.split_at(more);
                messages.assistant(turn, own);
                if after.is_empty()
                    && !own.last().unwrap_or(turn).parts.iter().any(|part| matches!(part.what, What::Call(_)))
                {
                    // A model of this dialect begins anew where Messages goes on with these words.
                    messages.losses.approximated(own.last().unwrap_or(turn).raw);
                }
                rest = after;
            }
        }
    }
    messages.attach();
}

struct Messages<'w, 'p, 'a> {
    facts: &'w Facts,
    out: &'w mut Writer,
    losses: &'w mut Losses<'a>,
    /// What results had besides text, with the ids of their calls.
    attached: Vec<(Option<&'p [u8]>, Vec<&'p Part<'a>>)>,
}

impl<'p, 'a> Messages<'_, 'p, 'a> {
    fn open(&mut self, role: &str) {
        self.out.open(b'{');
        self.out.text_member("role", role);
    }

    fn system(&mut self, turn: &'p Turn<'a>) {
        self.attach();
        let parts = self.sayable(&turn.parts, |what| matches!(what, What::Text(_)));
        if parts.is_empty() {
            return;
        }
        // `developer` is a word of OpenAI's models alone, which take `system` for it.
        self.open("system");
        self.content(&parts);
        self.out.close(b'}');
    }

    fn user(&mut self, turn: &'p Turn<'a>) {
        let (outputs, said): (Vec<&Part<'a>>, Vec<&Part<'a>>) =
            turn.parts.iter().partition(|part| matches!(part.what, What::Output(_)));
        if outputs.is_empty() {
            self.attach();
        }
        for part in outputs {
            if let What::Output(output) = &part.what {
                self.output(part, output);
            }
        }
        let said = self.sayable(said, is_said_by_user);
        if said.is_empty() {
            return;
        }
        self.open("user");
        if self.attached.is_empty() {
            self.content(&said);
        } else {
            self.out.key("content");
            self.out.open(b'[');
            self.attachments();
            said.iter().for_each(|part| self.part(part));
            self.out.close(b']');
        }
        self.out.close(b'}');
    }

    fn assistant(&mut self, first: &'p Turn<'a>, more: &'p [Turn<'a>]) {
        self.attach();
        let parts = || std::iter::once(first).chain(more).flat_map(|turn| &turn.parts);
        let said = self
            .sayable(parts().filter(|part| !matches!(part.what, What::Reasoning(_) | What::Call(_))), |what| {
                matches!(what, What::Text(_) | What::Refusal(_))
            });
        let calls = calls(parts());
        let any_call = !calls.is_empty();
        if said.is_empty() && !any_call {
            // Thinking alone is no message.
            parts().for_each(|part| self.losses.part(part));
            return;
        }
        self.open("assistant");
        self.reasoning(parts(), any_call);
        match said[..] {
            [] => self.out.member("content", b"null"),
            [Part { what: What::Refusal(refusal), .. }] => {
                self.out.member("content", b"null");
                self.out.inside_member("refusal", refusal);
            }
            _ => self.content(&said),
        }
        if any_call {
            self.out.key("tool_calls");
            self.out.open(b'[');
            calls.into_iter().for_each(|(call, state)| write_call(call, state, self.out));
            self.out.close(b']');
        }
        self.out.close(b'}');
    }

    /// What the model thought: its state, which by now is the target's own, and its text where the target wants it back.
    fn reasoning(&mut self, parts: impl Iterator<Item = &'p Part<'a>> + Clone, any_call: bool) {
        let all = parts.filter_map(|part| match &part.what {
            What::Reasoning(reasoning) => Some((part, reasoning)),
            _ => None,
        });
        if self.facts.reasoning_content {
            let texts: Vec<&[u8]> = all.clone().flat_map(|(_, it)| it.text.iter().map(AsRef::as_ref)).collect();
            // Such models refuse a turn with calls that lacks it.
            if any_call || !texts.is_empty() {
                self.out.inside_member("reasoning_content", &texts.join(&b"\\n\\n"[..]));
            }
        }
        let mut states = 0;
        for (part, Reasoning { text, state }) in all {
            let Some(state) = state.as_ref().filter(|state| !details::of_a_call(state)) else {
                if !self.facts.reasoning_content && text.iter().any(|text| !text.is_empty()) {
                    self.losses.part(part);
                }
                continue;
            };
            if states == 0 {
                self.out.key("reasoning_details");
                self.out.open(b'[');
            }
            let text: Vec<&[u8]> = text.iter().map(AsRef::as_ref).collect();
            details::write(state, &text, states, self.out);
            states += 1;
        }
        if states > 0 {
            self.out.close(b']');
        }
    }

    fn output(&mut self, part: &'p Part<'a>, output: &'p Output<'a>) {
        self.open("tool");
        let id = output.id.as_deref();
        self.out.inside_member("tool_call_id", id.unwrap_or_default());
        match &output.content {
            OutputContent::Object(object) => {
                self.out.key("content");
                write_json_text(object, self.out);
            }
            OutputContent::Parts(parts) => {
                let (texts, rest): (Vec<&Part<'a>>, Vec<&Part<'a>>) =
                    parts.iter().partition(|part| is_text(&part.what));
                let texts = self.sayable(texts, |_| true);
                let rest = self.sayable(rest, is_said_by_user);
                match texts[..] {
                    [] if !rest.is_empty() => self.out.text_member("content", ATTACHED),
                    [] => self.out.text_member("content", ""),
                    _ => self.content(&texts),
                }
                if !rest.is_empty() {
                    self.attached.push((id, rest));
                }
            }
        }
        if output.failed {
            // There is no flag for it. What the tool said is said.
            match json::get(part.raw, "is_error") {
                Some(flag) => self.losses.dropped(flag),
                None => self.losses.approximated(part.raw),
            }
        }
        self.out.close(b'}');
    }

    /// Writes what results had besides text, once the last `tool` message of the turn is written.
    fn attach(&mut self) {
        if self.attached.is_empty() {
            return;
        }
        self.open("user");
        self.out.key("content");
        self.out.open(b'[');
        self.attachments();
        self.out.close(b']');
        self.out.close(b'}');
    }

    fn attachments(&mut self) {
        for (id, parts) in std::mem::take(&mut self.attached) {
            let id = id.unwrap_or_default();
            self.out.open(b'{');
            self.out.text_member("type", "text");
            self.out.inside_member("text", &[b"[attached to the result of ", id, b"]"].concat());
            self.out.close(b'}');
            parts.into_iter().for_each(|part| self.part(part));
        }
    }

    /// The parts that can be said here; the others are reported.
    fn sayable(
        &mut self,
        parts: impl IntoIterator<Item = &'p Part<'a>>,
        can_be_said: impl Fn(&What<'a>) -> bool,
    ) -> Vec<&'p Part<'a>> {
        let mut said = Vec::new();
        for part in parts {
            if !can_be_said(&part.what) {
                self.losses.part(part);
                continue;
            }
            match &part.what {
                What::Image(Media { detail: Some(detail), .. }) => match detail_of(detail) {
                    Some(word) if word == *detail => {}
                    Some(_) => self.losses.approximated(detail),
                    None => self.losses.dropped(detail),
                },
                What::File(Media { detail: Some(detail), .. }) | What::Audio(Media { detail: Some(detail), .. }) => {
                    self.losses.dropped(detail);
                }
                _ => {}
            }
            said.push(part);
        }
        if said.len() > 1 {
            // Several servers refuse a part without text.
            said.retain(|part| !matches!(&part.what, What::Text(text) if text.is_empty()));
        }
        said
    }

    /// Text alone is a string, as all servers take it.
    fn content(&mut self, parts: &[&Part<'a>]) {
        self.out.key("content");
        match parts {
            [Part { what, cache, .. }] if is_text(what) && (cache.is_none() || !self.facts.cache_breakpoints) => {
                self.out.inside(&text_of(what));
            }
            _ => {
                self.out.open(b'[');
                parts.iter().for_each(|part| self.part(part));
                self.out.close(b']');
            }
        }
    }

    fn part(&mut self, part: &Part<'a>) {
        parts::write(part, self.facts, self.out);
    }
}

/// The calls of a message, each with the state that it carries or that stood before it for it.
fn calls<'p, 'a>(parts: impl Iterator<Item = &'p Part<'a>>) -> Vec<(&'p Call<'a>, Option<&'p State<'a>>)> {
    let mut before = None;
    let mut calls = Vec::new();
    for part in parts {
        match &part.what {
            What::Reasoning(Reasoning { state: Some(state), .. }) if details::of_a_call(state) => before = Some(state),
            What::Call(call) => {
                let before = before.take();
                calls.push((call, call.state.as_ref().filter(|state| state.kind == StateKind::Thought).or(before)));
            }
            _ => {}
        }
    }
    calls
}

fn write_call(call: &Call<'_>, state: Option<&State<'_>>, out: &mut Writer) {
    out.open(b'{');
    out.inside_member("id", call.id.as_deref().unwrap_or_default());
    let custom = matches!(call.arguments, Arguments::Free(_));
    let kind = if custom { "custom" } else { "function" };
    out.text_member("type", kind);
    out.key(kind);
    out.open(b'{');
    out.inside_member("name", &call.name);
    match &call.arguments {
        Arguments::Text(text) => {
            out.inside_member("arguments", if text.trim_ascii().is_empty() { b"{}" } else { text });
        }
        Arguments::Object(object) => {
            out.key("arguments");
            write_json_text(object, out);
        }
        Arguments::Free(text) => out.inside_member("input", text),
    }
    out.close(b'}');
    if let Some(state) = state {
        details::write_thought_of_call(state, out);
    }
    out.close(b'}');
}

/// Writes a JSON value as a string that holds its text.
fn write_json_text(value: &[u8], out: &mut Writer) {
    out.text(&String::from_utf8_lossy(value));
}
