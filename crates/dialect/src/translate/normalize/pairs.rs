//! Calls with their results: ids that every dialect takes, the same on both; a result for each call in the turn that
//! follows, and a call for each result. What the client sent without its other half is told to the target in words.

use std::borrow::Cow;
use std::collections::HashSet;
use std::mem;

use super::tools::takes_custom;
use crate::translate::Target;
use crate::translate::ids::{conforming, hash};
use crate::translate::lost::Losses;
use crate::translate::names::sent;
use crate::translate::request::{Arguments, Call, Json, Output, OutputContent, Part, Role, Turn, What};
use crate::translate::writer::Inside;

/// What a call is answered with if nobody did.
const ABORTED: &[u8] = b"aborted";

/// A call that waits for its result.
struct Open<'a> {
    /// As the target gets it.
    id: Inside<'a>,
    /// As the client has it, but in letters that the target takes.
    original: Option<Inside<'a>>,
    name: Inside<'a>,
    /// The client's own name.
    bare: Inside<'a>,
    custom: bool,
    /// Its result, as the client has it.
    answer: Option<Json<'a>>,
    raw: Json<'a>,
}

struct Pairing<'a, 't, 'l> {
    target: &'t Target<'t>,
    losses: &'l mut Losses<'a>,
    takes_custom: bool,
    /// Ids that are taken: servers exist that begin to count anew with every answer.
    ids: HashSet<Inside<'a>>,
    count: u64,
    /// The calls of the assistant's turns that were last.
    open: Vec<Open<'a>>,
    out: Vec<Turn<'a>>,
    /// Where what follows those turns begins.
    answers: Option<usize>,
}

pub(super) fn pair<'a>(turns: &mut Vec<Turn<'a>>, target: &Target<'_>, losses: &mut Losses<'a>) {
    let out = Vec::with_capacity(turns.len() + 4);
    let mut pairing = Pairing {
        target,
        losses,
        takes_custom: takes_custom(target),
        ids: HashSet::new(),
        count: 0,
        open: Vec::new(),
        out,
        answers: None,
    };
    for turn in turns.drain(..) {
        pairing.turn(turn);
    }
    pairing.close();
    *turns = pairing.out;
}

impl<'a> Pairing<'a, '_, '_> {
    fn turn(&mut self, mut turn: Turn<'a>) {
        if turn.role == Role::Assistant {
            if self.answers.is_some() {
                self.close();
            }
            for part in &mut turn.parts {
                if let What::Call(call) = &mut part.what {
                    self.call(call, part.raw);
                }
            }
        } else {
            self.answers.get_or_insert(self.out.len());
            if turn.parts.iter().any(|part| matches!(part.what, What::Output(_))) {
                self.outputs(&mut turn);
            }
        }
        self.out.push(turn);
    }

    fn call(&mut self, call: &mut Call<'a>, raw: Json<'a>) {
        let bare = call.name.clone();
        call.name = sent(&call.name, call.namespace.as_ref(), self.target.dialect);
        call.namespace = None;
        let custom = matches!(call.arguments, Arguments::Free(_));
        if let (Arguments::Free(text), false) = (&call.arguments, self.takes_custom) {
            call.arguments = Arguments::Text(Cow::Owned(input_of(text)));
        }
        let original = call.id.as_ref().filter(|id| !id.is_empty()).map(conforming);
        let id = original.clone().unwrap_or_else(|| self.made(&call.name));
        let id = self.unused(id);
        self.count += 1;
        call.id = Some(id.clone());
        self.open.push(Open { id, original, name: call.name.clone(), bare, custom, answer: None, raw });
    }

    /// An id for a call that has none: by its name and its place among the calls.
    fn made(&self, name: &Inside<'a>) -> Inside<'a> {
        Cow::Owned(format!("call_{:08x}_{}", hash(name), self.count).into_bytes())
    }

    /// The id, or one like it that no other call has.
    fn unused(&mut self, id: Inside<'a>) -> Inside<'a> {
        if self.ids.insert(id.clone()) {
            return id;
        }
        let mut again = id;
        loop {
            let other = [&again[..], format!(":{}", self.count).as_bytes()].concat();
            again = conforming(&Cow::Owned(other)).into_owned().into();
            if self.ids.insert(again.clone()) {
                return again;
            }
        }
    }

    /// Gives the results of a turn the ids of their calls.
    fn outputs(&mut self, turn: &mut Turn<'a>) {
        let parts = mem::take(&mut turn.parts);
        turn.parts.reserve(parts.len());
        for mut part in parts {
            let What::Output(output) = &mut part.what else {
                turn.parts.push(part);
                continue;
            };
            let Some(call) = find(&self.open, output) else {
                self.losses.approximated(part.raw);
                // Gemini CLI has each result twice in a session that it goes on with.
                let id = output.id.as_ref().filter(|id| !id.is_empty()).map(conforming);
                if !self.open.iter().any(|call| call.answer == Some(part.raw) && call.original == id) {
                    turn.parts.extend(words_of(part));
                }
                continue;
            };
            let call = &mut self.open[call];
            call.answer = Some(part.raw);
            output.id = Some(call.id.clone());
            output.name = Some(call.name.clone());
            output.custom = call.custom && self.takes_custom;
            turn.parts.push(part);
        }
    }

    /// Ends a step: results before anything else that follows the calls, and a result for each.
    fn close(&mut self) {
        let start = self.answers.take().unwrap_or(self.out.len());
        if self.open.is_empty() {
            return;
        }
        let first = start + results_first(&mut self.out, start);
        let unanswered = self.open.drain(..).filter(|call| call.answer.is_none());
        for (at, call) in (first..).zip(unanswered) {
            self.losses.approximated(call.raw);
            let text = Part { what: What::Text(Cow::Borrowed(ABORTED)), cache: None, raw: call.raw };
            let output = Output {
                id: Some(call.id),
                name: Some(call.name),
                content: OutputContent::Parts(vec![text]),
                failed: true,
                custom: call.custom && self.takes_custom,
            };
            let part = Part { what: What::Output(output), cache: None, raw: call.raw };
            self.out.insert(at, Turn { role: Role::User, parts: vec![part], raw: call.raw });
        }
    }
}

/// The call that a result answers: by id, else by name, else by order.
fn find(open: &[Open<'_>], output: &Output<'_>) -> Option<usize> {
    let waiting = |fits: &dyn Fn(&Open<'_>) -> bool| open.iter().position(|call| call.answer.is_none() && fits(call));
    let named = |call: &Open<'_>| {
        output.name.as_ref().is_none_or(|name| name.is_empty() || *name == call.bare || *name == call.name)
    };
    match output.id.as_ref().filter(|id| !id.is_empty()).map(conforming) {
        Some(id) => waiting(&|call| call.original.as_ref() == Some(&id))
            // The call came without an id, and its client made one.
            .or_else(|| waiting(&|call| call.original.is_none() && output.name.is_some() && named(call))),
        None => waiting(&named),
    }
}

/// Puts the turns with results first among those that follow calls; how many there are.
fn results_first(turns: &mut Vec<Turn<'_>>, start: usize) -> usize {
    let is_output = |part: &Part<'_>| matches!(part.what, What::Output(_));
    let mut other = false;
    let mut late = false;
    for part in turns[start..].iter().flat_map(|turn| &turn.parts) {
        late |= other && is_output(part);
        other |= !is_output(part);
    }
    if late {
        let mut results = Vec::new();
        let mut others = Vec::new();
        for mut turn in turns.drain(start..) {
            let (outputs, rest): (Vec<_>, Vec<_>) = mem::take(&mut turn.parts).into_iter().partition(is_output);
            if !outputs.is_empty() {
                results.push(Turn { role: turn.role, parts: outputs, raw: turn.raw });
            }
            if !rest.is_empty() {
                turn.parts = rest;
                others.push(turn);
            }
        }
        let count = results.len();
        turns.extend(results);
        turns.extend(others);
        return count;
    }
    // A turn that begins with results may go on with words: what is added stands before it.
    turns[start..].iter().take_while(|turn| !turn.parts.is_empty() && turn.parts.iter().all(is_output)).count()
}

/// A result without a call, as words of the user.
fn words_of(part: Part<'_>) -> Vec<Part<'_>> {
    let Part { what: What::Output(output), cache, raw } = part else { return vec![part] };
    let name = output.name.as_deref().unwrap_or(b"a tool");
    let head = [b"[Result of ", name, b", whose call is not part of this conversation]"].concat();
    let mut parts = vec![Part { what: What::Text(Cow::Owned(head)), cache: None, raw }];
    match output.content {
        OutputContent::Parts(content) => parts.extend(content),
        OutputContent::Object(object) => {
            parts.push(Part { what: What::Text(Cow::Owned(quoted(object))), cache: None, raw });
        }
    }
    if let Some(last) = parts.last_mut() {
        last.cache = last.cache.or(cache);
    }
    parts
}

/// The arguments of the function that stands for a custom tool, as JSON inside a string.
fn input_of(text: &[u8]) -> Vec<u8> {
    [br#"{\"input\":\""#, &quoted(text)[..], br#"\"}"#].concat()
}

/// JSON text as it stands inside a string.
pub(crate) fn quoted(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + json.len() / 8);
    for byte in json {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte => out.push(*byte),
        }
    }
    out
}
