//! Writes a request for Google: instructions that lead into `systemInstruction`, turns of one side as one content, results
//! under the names of their calls, one signature on the first call of each step.

use std::collections::HashMap;

use super::parts::{arguments, media_part, text_part, words};
use super::{NO_SIGNATURE, write_settings, write_tools};
use crate::translate::Target;
use crate::translate::lost::Losses;
use crate::translate::request::{
    Call, Output, OutputContent, Part, Reasoning, Request, Role, ServerTool, Source, StateKind, ToolKind, Turn, What,
};
use crate::translate::run::{Ran, Run, generate_content as google};
use crate::translate::writer::Writer;

pub(crate) fn write<'a>(request: &Request<'a>, target: &Target<'_>, losses: &mut Losses<'a>) -> Vec<u8> {
    let size = request.turns.iter().map(|turn| turn.raw.len()).sum::<usize>();
    let mut to = Writer::with_capacity(size + size / 8 + 1024);
    let leading = request.turns.iter().take_while(|turn| is_instruction(turn)).count();
    // Google refuses a request without contents: where there is nothing but instructions, the last is what is asked.
    let alone = leading > 0 && leading == request.turns.len();
    let (instructions, turns) = request.turns.split_at(leading - usize::from(alone));
    to.open(b'{');
    to.key("contents");
    to.open(b'[');
    let names = Names::of(turns);
    let own_thoughts = own_thoughts(turns);
    let mut contents = Contents {
        signed: target.facts.signed_calls,
        runs_code: request.tools.iter().any(|tool| matches!(tool.kind, ToolKind::Server(ServerTool::CodeExecution))),
        names,
        own_thoughts,
        losses,
        role: None,
        step: Step::default(),
    };
    for turn in turns {
        contents.turn(turn, is_instruction(turn) && !alone, &mut to);
    }
    contents.close(&mut to);
    to.close(b']');
    if let Some(last) = turns.last().filter(|turn| turn.role == Role::Assistant || alone) {
        // Models of today answer a turn of their own; they do not go on with it.
        losses.approximated(last.raw);
    }
    system(instructions, &mut to, losses);
    write_tools::write(request, target, &mut to, losses);
    write_settings::write(request, target, &mut to, losses);
    to.close(b'}');
    to.into_bytes()
}

fn is_instruction(turn: &Turn<'_>) -> bool {
    matches!(turn.role, Role::System | Role::Developer)
}

fn system<'a>(turns: &[Turn<'a>], to: &mut Writer, losses: &mut Losses<'a>) {
    let mut open = false;
    for part in turns.iter().flat_map(|turn| &turn.parts) {
        match &part.what {
            What::Text(text) if text.is_empty() => {}
            What::Text(text) => {
                if !open {
                    to.key("systemInstruction");
                    to.open(b'{');
                    to.key("parts");
                    to.open(b'[');
                    open = true;
                }
                text_part(text, to);
            }
            _ => losses.part(part),
        }
    }
    if open {
        to.close(b']');
        to.close(b'}');
    }
}

/// The names of calls by their ids, for results whose dialect does not repeat them.
struct Names<'r>(HashMap<&'r [u8], &'r [u8]>);

impl<'r> Names<'r> {
    fn of(turns: &'r [Turn<'_>]) -> Self {
        let parts = || turns.iter().flat_map(|turn| &turn.parts);
        let unnamed = parts().any(|part| matches!(&part.what, What::Output(output) if output.name.is_none()));
        let calls = parts().filter(|_| unnamed).filter_map(|part| match &part.what {
            What::Call(call) => Some((call.id.as_deref()?, call.name.as_ref())),
            _ => None,
        });
        Self(calls.collect())
    }
}

/// Of each thinking without a state in its order, whether it is Google's: whether a signature of Google's follows it, on
/// a call or behind the words of its step.
fn own_thoughts(turns: &[Turn<'_>]) -> std::vec::IntoIter<bool> {
    let mut found = Vec::new();
    let mut own = false;
    for turn in turns.iter().rev() {
        own &= turn.role == Role::Assistant;
        for part in turn.parts.iter().rev() {
            match &part.what {
                What::Call(call) => own = call.state.as_ref().is_some_and(|state| state.kind == StateKind::Thought),
                What::Reasoning(Reasoning { state: Some(state), .. }) => own = state.kind == StateKind::Thought,
                What::Reasoning(_) if turn.role == Role::Assistant => found.push(own),
                _ => {}
            }
        }
    }
    found.reverse();
    found.into_iter()
}

/// The contents as they grow: which side speaks, and what of the model's step is still open.
struct Contents<'r, 'a> {
    /// Whether the target wants its calls signed; such models take media within results.
    signed: bool,
    /// Whether it may run code: only then are there runs in its history.
    runs_code: bool,
    names: Names<'r>,
    /// Of each thinking without a state of its own in its order, whether it is Google's.
    own_thoughts: std::vec::IntoIter<bool>,
    losses: &'r mut Losses<'a>,
    role: Option<Role>,
    step: Step<'r>,
}

/// What of a model's content is not written yet: its words wait for the signature that may come behind them.
#[derive(Default)]
struct Step<'r> {
    /// Words, and whether they are thought.
    text: Option<(&'r [u8], bool)>,
    signature: Option<&'r [u8]>,
    called: bool,
}

impl<'r, 'a> Contents<'r, 'a> {
    fn turn(&mut self, turn: &'r Turn<'a>, instruction: bool, to: &mut Writer) {
        let role = if turn.role == Role::Assistant { Role::Assistant } else { Role::User };
        for part in &turn.parts {
            match (&part.what, role) {
                (What::Text(text) | What::Refusal(text), _) if text.is_empty() => {}
                (What::Text(text), Role::User) => {
                    self.side(role, to);
                    to.open(b'{');
                    if instruction {
                        let text = [br"<system-reminder>\n", text.as_ref(), br"\n</system-reminder>"].concat();
                        to.inside_member("text", &text);
                    } else {
                        to.inside_member("text", text);
                    }
                    to.close(b'}');
                }
                (What::Text(text) | What::Refusal(text), _) => {
                    self.side(role, to);
                    self.say(Some((text, false)), to);
                }
                (What::Image(media) | What::File(media) | What::Audio(media) | What::Video(media), _) => {
                    self.side(role, to);
                    self.say(None, to);
                    media_part(media, part, to, self.losses);
                }
                (What::Reasoning(reasoning), Role::Assistant) => self.reasoning(reasoning, part, to),
                (What::Call(call), Role::Assistant) => {
                    self.side(role, to);
                    self.call(call, part, to);
                }
                (What::Output(output), Role::User) => {
                    self.side(role, to);
                    self.output(output, to);
                }
                (What::Ran(run @ Run { what: Ran::Code { .. }, .. }), Role::Assistant) if self.runs_code => {
                    self.side(role, to);
                    self.say(None, to);
                    google::parts(run).iter().for_each(|part| to.raw(part));
                }
                _ => self.losses.part(part),
            }
        }
    }

    /// Opens the content of that side, if the other's is open.
    fn side(&mut self, role: Role, to: &mut Writer) {
        if self.role == Some(role) {
            return;
        }
        self.close(to);
        to.open(b'{');
        to.text_member("role", if role == Role::Assistant { "model" } else { "user" });
        to.key("parts");
        to.open(b'[');
        self.role = Some(role);
    }

    fn close(&mut self, to: &mut Writer) {
        if self.step.text.is_none() && self.step.signature.is_some() {
            self.step.text = Some((b"", false));
        }
        self.say(None, to);
        if self.role.take().is_some() {
            to.close(b']');
            to.close(b'}');
        }
        self.step = Step::default();
    }

    /// Writes the words that wait, with their signature, and keeps the next.
    fn say(&mut self, next: Option<(&'r [u8], bool)>, to: &mut Writer) {
        if let Some((text, thought)) = std::mem::replace(&mut self.step.text, next) {
            to.open(b'{');
            to.inside_member("text", text);
            if thought {
                to.member("thought", b"true");
            } else if let Some(signature) = self.step.signature.take() {
                to.inside_member("thoughtSignature", signature);
            }
            to.close(b'}');
        }
    }

    /// Google's own thinking goes back with its signature; of any other's not even the words, which would be taken for
    /// Google's.
    fn reasoning(&mut self, reasoning: &'r Reasoning<'a>, part: &Part<'a>, to: &mut Writer) {
        let says = reasoning.text.iter().any(|text| !text.is_empty());
        let own = match &reasoning.state {
            Some(state) => state.kind == StateKind::Thought,
            None => self.own_thoughts.next().unwrap_or_default(),
        };
        if !own {
            if says || reasoning.state.is_some() {
                self.losses.part(part);
            }
            return;
        }
        if says || reasoning.state.is_some() {
            self.side(Role::Assistant, to);
        }
        for text in reasoning.text.iter().filter(|text| !text.is_empty()) {
            self.hold(None, to);
            self.say(Some((text, true)), to);
        }
        if let Some(state) = &reasoning.state {
            self.hold(Some(&state.value), to);
        }
    }

    /// Keeps a signature for the call that follows, else for the words before it. One that waits already belongs there.
    fn hold(&mut self, signature: Option<&'r [u8]>, to: &mut Writer) {
        if self.step.signature.is_some() {
            if self.step.text.is_none_or(|(_, thought)| thought) {
                self.say(Some((b"", false)), to);
            }
            self.say(None, to);
        }
        if signature.is_some() {
            self.step.signature = signature;
        }
    }

    fn call(&mut self, call: &'r Call<'a>, part: &Part<'a>, to: &mut Writer) {
        let own =
            call.state.as_ref().filter(|state| state.kind == StateKind::Thought).map(|state| state.value.as_ref());
        let signature = match own {
            Some(own) => {
                self.hold(None, to);
                Some(own)
            }
            None => self.step.signature.take(),
        };
        self.say(None, to);
        let first = !std::mem::replace(&mut self.step.called, true);
        to.open(b'{');
        to.key("functionCall");
        to.open(b'{');
        if let Some(id) = &call.id {
            to.inside_member("id", id);
        }
        to.inside_member("name", &call.name);
        to.key("args");
        arguments(&call.arguments, part, to, self.losses);
        to.close(b'}');
        match signature {
            Some(signature) => to.inside_member("thoughtSignature", signature),
            // The history must not change when the turn is over, so every first call has one, not only the current turn's.
            None if first && self.signed => to.inside_member("thoughtSignature", NO_SIGNATURE),
            None => {}
        }
        to.close(b'}');
    }

    fn output(&mut self, output: &Output<'a>, to: &mut Writer) {
        let known = || self.names.0.get(output.id.as_deref()?).copied();
        let name = output.name.as_deref().or_else(known).unwrap_or(b"tool");
        to.open(b'{');
        to.key("functionResponse");
        to.open(b'{');
        if let Some(id) = &output.id {
            to.inside_member("id", id);
        }
        to.inside_member("name", name);
        to.key("response");
        let parts = match &output.content {
            OutputContent::Object(object) if object.starts_with(b"{") => {
                to.raw(object);
                &[][..]
            }
            OutputContent::Object(other) => {
                to.open(b'{');
                to.member(if output.failed { "error" } else { "output" }, other);
                to.close(b'}');
                &[]
            }
            OutputContent::Parts(parts) => {
                to.open(b'{');
                to.inside_member(if output.failed { "error" } else { "output" }, &words(parts, self.losses));
                to.close(b'}');
                &parts[..]
            }
        };
        let media = parts.iter().filter_map(|part| match &part.what {
            What::Image(media) | What::File(media) | What::Audio(media) | What::Video(media)
                if !matches!(media.source, Source::Text(_)) =>
            {
                Some((media, part))
            }
            _ => None,
        });
        let mut beside = Writer::default();
        for (media, part) in media {
            media_part(media, part, &mut beside, self.losses);
        }
        let beside = beside.into_bytes();
        if self.signed && !beside.is_empty() {
            to.key("parts");
            to.raw(&[b"[", &beside[..], b"]"].concat());
        }
        to.close(b'}');
        to.close(b'}');
        if !self.signed && !beside.is_empty() {
            to.raw(&beside);
        }
    }
}
