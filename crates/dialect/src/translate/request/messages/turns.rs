//! Writes the history of a request of Messages: the leading instructions into `system`, everything else into messages of
//! alternating roles, with the results of tools first in the turn after their calls. What comes later never changes what
//! was written of an earlier turn.

use super::super::{Call, Json, Output, OutputContent, Part, Reasoning, Role, StateKind, Turn, What};
use super::input::{is_blank, write_input};
use super::markers::Markers;
use super::media;
use crate::translate::lost::Losses;
use crate::translate::run::{Ran, Run, messages as run};
use crate::translate::writer::{Inside, Writer, escaped, unescaped};

/// Whose message is being written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Nobody,
    User,
    Assistant,
    System,
}

/// Writes the turns.
pub(super) struct Turns<'w, 'a> {
    out: &'w mut Writer,
    markers: &'w mut Markers,
    losses: &'w mut Losses<'a>,
    system_in_place: bool,
    /// Whether the target may run code: only then are there runs in its history.
    runs_code: bool,
    /// Whether the answer that is being written has its server tools' own blocks.
    sealed: bool,
    open: Open,
    /// Calls so far, which name those that came without an id.
    calls: usize,
    /// The steps since the user last said something: whether they have calls, and begin with thinking.
    called: bool,
    thought_first: Option<bool>,
}

impl<'w, 'a> Turns<'w, 'a> {
    pub(super) fn new(
        out: &'w mut Writer,
        markers: &'w mut Markers,
        losses: &'w mut Losses<'a>,
        system_in_place: bool,
        runs_code: bool,
    ) -> Self {
        Self {
            out,
            markers,
            losses,
            system_in_place,
            runs_code,
            sealed: false,
            open: Open::Nobody,
            calls: 0,
            called: false,
            thought_first: None,
        }
    }

    /// Models that think by a budget refuse steps with calls that do not begin with a thinking block.
    pub(super) fn has_lost_its_thinking(&self) -> bool {
        self.called && self.thought_first == Some(false)
    }

    /// Writes `system` and `messages`. `more` is said behind the instructions.
    pub(super) fn write(&mut self, turns: &[Turn<'a>], more: Option<&str>) {
        let leads = |turn: &&Turn<'a>| matches!(turn.role, Role::System | Role::Developer);
        let leading = turns.iter().take_while(leads).count();
        // Anthropic refuses a request without messages: of nothing but instructions the last is what is asked.
        let alone = leading > 0 && leading == turns.len();
        let (lead, mut rest) = turns.split_at(leading - usize::from(alone));
        self.write_system(lead, more);
        self.out.key("messages");
        self.out.open(b'[');
        if let ([turn], true) = (rest, alone) {
            self.losses.approximated(turn.raw);
            turn.parts.iter().for_each(|part| self.of_user(part));
            rest = &[];
        }
        while let Some((turn, after)) = rest.split_first() {
            if turn.role == Role::Assistant {
                if self.open != Open::Assistant {
                    self.sealed = rest.iter().take_while(|turn| turn.role == Role::Assistant).any(is_sealed);
                }
                turn.parts.iter().for_each(|part| self.of_assistant(part));
                rest = after;
                continue;
            }
            let until = rest.iter().position(|turn| turn.role == Role::Assistant).unwrap_or(rest.len());
            let (side, after) = rest.split_at(until);
            self.write_side(side);
            rest = after;
        }
        self.close();
        self.out.close(b']');
    }

    fn write_system(&mut self, lead: &[Turn<'a>], more: Option<&str>) {
        let says = |part: &Part<'_>| matches!(&part.what, What::Text(text) if !is_blank(text));
        let parts = || lead.iter().flat_map(|turn| &turn.parts);
        if !parts().any(says) && more.is_none() {
            parts().for_each(|part| self.report_unsaid(part));
            return;
        }
        self.out.key("system");
        self.out.open(b'[');
        for part in parts() {
            match &part.what {
                What::Text(text) => self.write_text(text, part.cache),
                _ => self.losses.part(part),
            }
        }
        if let Some(more) = more {
            self.write_text(more.as_bytes(), None);
        }
        self.out.close(b']');
    }

    fn report_unsaid(&mut self, part: &Part<'a>) {
        if !matches!(part.what, What::Text(_)) {
            self.losses.part(part);
        }
    }

    /// What is said between two answers: results first, whatever their order, for Anthropic wants them there.
    fn write_side(&mut self, side: &[Turn<'a>]) {
        let outputs = side.iter().flat_map(|turn| &turn.parts).filter(|part| matches!(part.what, What::Output(_)));
        for part in outputs {
            if let What::Output(output) = &part.what {
                self.write_output(output, part);
            }
        }
        for turn in side {
            if turn.role == Role::User {
                turn.parts.iter().for_each(|part| self.of_user(part));
            } else if self.system_in_place && matches!(self.open, Open::User | Open::System) {
                turn.parts.iter().for_each(|part| self.of_system(part));
            } else {
                self.losses.approximated(turn.raw);
                turn.parts.iter().for_each(|part| self.of_system_as_user(part));
            }
        }
    }

    fn of_user(&mut self, part: &Part<'a>) {
        match &part.what {
            What::Output(_) => {}
            What::Text(text) | What::Refusal(text) => self.say(Open::User, text, part.cache),
            What::Image(image) => self.show(part, |out| media::write_image(image, out)),
            What::File(file) => self.show(part, |out| media::write_file(file, out)),
            What::Audio(_) | What::Video(_) | What::Reasoning(_) | What::Call(_) | What::Ran(_) | What::Own => {
                self.losses.part(part);
            }
        }
    }

    fn of_system(&mut self, part: &Part<'a>) {
        match &part.what {
            What::Text(text) => self.say(Open::System, text, part.cache),
            _ => self.losses.part(part),
        }
    }

    fn of_system_as_user(&mut self, part: &Part<'a>) {
        match &part.what {
            What::Text(text) if is_blank(text) => {}
            What::Text(text) => {
                let tagged = [br"<system-reminder>\n", &text[..], br"\n</system-reminder>"].concat();
                self.say(Open::User, &tagged, part.cache);
            }
            _ => self.of_user(part),
        }
    }

    fn of_assistant(&mut self, part: &Part<'a>) {
        match &part.what {
            What::Text(text) | What::Refusal(text) => self.say(Open::Assistant, text, part.cache),
            What::Reasoning(reasoning) => {
                let state = reasoning.state.as_ref().map(|state| (state.kind, &state.value));
                if !self.think(&reasoning.text, state) && !reasoning.text.is_empty() {
                    self.losses.part(part);
                }
                self.losses.dropped_if(part.cache);
            }
            What::Call(call) => self.write_call(call, part),
            What::Ran(_) if self.sealed => {}
            What::Ran(run @ Run { what: Ran::Code { .. }, .. }) if self.runs_code => self.write_run(run),
            _ => self.losses.part(part),
        }
    }

    /// Writes thinking with its signature; whether it has one. Without, Anthropic refuses it.
    fn think(&mut self, text: &[Inside<'a>], state: Option<(StateKind, &Inside<'a>)>) -> bool {
        match state {
            Some((StateKind::Signature, signature)) => {
                self.block(Open::Assistant, true, "thinking");
                match text {
                    [] => self.out.text_member("thinking", ""),
                    [text] => self.out.inside_member("thinking", text),
                    several => self.out.inside_member("thinking", &several.join(&br"\n\n"[..])),
                }
                self.out.inside_member("signature", signature);
            }
            Some((StateKind::Redacted, data)) => {
                self.block(Open::Assistant, true, "redacted_thinking");
                self.out.inside_member("data", data);
            }
            Some((StateKind::Block, block)) => {
                let Some(block) = unescaped(block) else { return false };
                self.switch_to(Open::Assistant);
                self.noted(Open::Assistant, false);
                self.out.raw(block.as_bytes());
                return true;
            }
            _ => return false,
        }
        self.out.close(b'}');
        true
    }

    fn write_call(&mut self, call: &Call<'a>, part: &Part<'a>) {
        if let Some(state) = &call.state {
            self.think(&[], Some((state.kind, &state.value)));
        }
        self.block(Open::Assistant, false, "tool_use");
        self.called = true;
        self.calls += 1;
        match &call.id {
            Some(id) => self.out.inside_member("id", id),
            None => self.out.text_member("id", &format!("call_{}", self.calls)),
        }
        self.out.inside_member("name", &call.name);
        self.out.key("input");
        write_input(&call.arguments, self.out);
        self.markers.write(part.cache, self.out, self.losses);
        self.out.close(b'}');
    }

    /// What another vendor ran. What it searched and read is not told: Anthropic has its findings sealed.
    fn write_run(&mut self, run: &Run<'a>) {
        let Some((name, input)) = run::input(run) else { return };
        self.calls += 1;
        let id = format!("srvtoolu_{}", self.calls);
        self.block(Open::Assistant, false, "server_tool_use");
        self.out.text_member("id", &id);
        self.out.text_member("name", name);
        self.out.member("input", &input);
        self.out.close(b'}');
        run::write_result(run, id.as_bytes(), self.out);
    }

    fn write_output(&mut self, output: &Output<'a>, part: &Part<'a>) {
        self.switch_to(Open::User);
        self.out.open(b'{');
        self.out.text_member("type", "tool_result");
        self.out.inside_member("tool_use_id", output.id.as_deref().unwrap_or_default());
        let mut only_words = true;
        match &output.content {
            OutputContent::Object(object) => {
                self.out.inside_member("content", &escaped(&String::from_utf8_lossy(object)));
            }
            OutputContent::Parts(parts) => match &**parts {
                [] => {}
                [Part { what: What::Text(text), cache: None, .. }] => self.out.inside_member("content", text),
                parts => only_words = self.write_output_parts(parts),
            },
        }
        if output.failed && only_words {
            self.out.member("is_error", b"true");
        } else if output.failed {
            // An error has to be all text.
            self.losses.approximated(part.raw);
        }
        self.markers.write(part.cache, self.out, self.losses);
        self.out.close(b'}');
    }

    /// Whether all that was written are texts.
    fn write_output_parts(&mut self, parts: &[Part<'a>]) -> bool {
        self.out.key("content");
        self.out.open(b'[');
        let mut only_words = true;
        for part in parts {
            let written = match &part.what {
                What::Text(text) | What::Refusal(text) => {
                    self.write_text(text, part.cache);
                    continue;
                }
                What::Image(image) => media::write_image(image, self.out),
                What::File(file) => media::write_file(file, self.out),
                _ => media::Written::Nothing,
            };
            only_words &= written == media::Written::Nothing;
            self.end_shown(written, part);
        }
        self.out.close(b']');
        only_words
    }

    /// A text block in the message of that role.
    fn say(&mut self, who: Open, text: &[u8], cache: Option<Json<'a>>) {
        if is_blank(text) {
            return;
        }
        self.switch_to(who);
        self.noted(who, false);
        self.write_text(text, cache);
    }

    fn write_text(&mut self, text: &[u8], cache: Option<Json<'a>>) {
        if is_blank(text) {
            return;
        }
        self.out.open(b'{');
        self.out.text_member("type", "text");
        self.out.inside_member("text", text);
        self.markers.write(cache, self.out, self.losses);
        self.out.close(b'}');
    }

    /// An image or a document in the user's message, if the target can have it.
    fn show(&mut self, part: &Part<'a>, write: impl FnOnce(&mut Writer) -> media::Written) {
        // A message is opened for what is written alone, so that none is empty.
        if !media::can_be_shown(&part.what) {
            self.losses.part(part);
            return;
        }
        self.switch_to(Open::User);
        self.noted(Open::User, false);
        let written = write(self.out);
        self.end_shown(written, part);
    }

    fn end_shown(&mut self, written: media::Written, part: &Part<'a>) {
        if written == media::Written::Nothing {
            self.losses.part(part);
            return;
        }
        if let What::Image(media) | What::File(media) = &part.what {
            self.losses.dropped_if(media.detail.filter(|detail| *detail != b"\"auto\""));
        }
        self.markers.write(part.cache, self.out, self.losses);
        self.out.close(b'}');
    }

    /// Opens a block in the message of that role.
    fn block(&mut self, who: Open, is_thinking: bool, kind: &str) {
        self.switch_to(who);
        self.noted(who, is_thinking);
        self.out.open(b'{');
        self.out.text_member("type", kind);
    }

    fn noted(&mut self, who: Open, is_thinking: bool) {
        match who {
            Open::Assistant if self.thought_first.is_none() => self.thought_first = Some(is_thinking),
            Open::User => (self.thought_first, self.called) = (None, false),
            _ => {}
        }
    }

    /// Neighbours of one role are one message.
    fn switch_to(&mut self, who: Open) {
        if self.open == who {
            return;
        }
        self.close();
        self.open = who;
        self.out.open(b'{');
        self.out.text_member(
            "role",
            match who {
                Open::User | Open::Nobody => "user",
                Open::Assistant => "assistant",
                Open::System => "system",
            },
        );
        self.out.key("content");
        self.out.open(b'[');
    }

    fn close(&mut self) {
        if self.open != Open::Nobody {
            self.out.close(b']');
            self.out.close(b'}');
        }
        self.open = Open::Nobody;
    }
}

/// Whether a turn has blocks of Anthropic's server tools, as they came.
fn is_sealed(turn: &Turn<'_>) -> bool {
    let block = |part: &Part<'_>| {
        let What::Reasoning(Reasoning { state: Some(state), .. }) = &part.what else { return false };
        state.kind == StateKind::Block
    };
    turn.parts.iter().any(block)
}
