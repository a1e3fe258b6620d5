//! Opaque states on the way in: those of the target's owner are unwrapped and put where its dialect has them, those that
//! the client could not hold are found by their calls, and all others are taken away.

use std::borrow::Cow;
use std::mem;

use super::places;
use crate::dialect::Dialect;
use crate::translate::Target;
use crate::translate::ids::conforming;
use crate::translate::opaque::{Unwrapped, unwrap};
use crate::translate::request::{Call, Json, Part, Reasoning, Role, State, StateKind, Turn, What};
use crate::translate::writer::{Inside, unescaped};

/// What was sent.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) count: u64,
    pub(super) missing: bool,
}

struct Restoring<'t> {
    target: &'t Target<'t>,
    sent: Sent,
    /// Whether the part of the assistant's turns since the last call has a state of the target's.
    found: bool,
    /// What was said before this turn, where its calls may have no ids, and how many of them there were.
    history: Option<u64>,
    calls: u64,
}

/// Puts the states of all turns in order.
/// `histories` says what was said before each, where calls may have no ids.
pub(super) fn restore<'a>(turns: &mut [Turn<'a>], target: &Target<'_>, histories: &[u64]) -> Sent {
    let mut restoring = Restoring { target, sent: Sent::default(), found: false, history: None, calls: 0 };
    let mut assistant = false;
    for (at, turn) in turns.iter_mut().enumerate() {
        (restoring.history, restoring.calls) = (histories.get(at).copied(), 0);
        restoring.found &= mem::replace(&mut assistant, turn.role == Role::Assistant) && assistant;
        let touched = |part: &Part<'_>| matches!(part.what, What::Reasoning(_) | What::Call(_));
        if assistant && turn.parts.iter().any(touched) {
            let parts = mem::take(&mut turn.parts);
            turn.parts.reserve(parts.len() + 1);
            for part in parts {
                restoring.part(part, &mut turn.parts);
            }
        }
    }
    if target.dialect == Dialect::GenerateContent {
        move_to_calls(turns);
    }
    restoring.sent
}

impl Restoring<'_> {
    fn part<'a>(&mut self, part: Part<'a>, to: &mut Vec<Part<'a>>) {
        let Part { what, cache, raw } = part;
        match what {
            What::Reasoning(reasoning) => self.reasoning(reasoning, cache, raw, to),
            What::Call(call) => self.call(call, cache, raw, to),
            what => to.push(Part { what, cache, raw }),
        }
    }

    fn reasoning<'a>(
        &mut self,
        mut reasoning: Reasoning<'a>,
        cache: Option<Json<'a>>,
        raw: Json<'a>,
        to: &mut Vec<Part<'a>>,
    ) {
        let wrapped = reasoning.state.take();
        let states = wrapped.map(|state| self.unwrap(&state.value)).unwrap_or_default();
        // A client of generateContent has a state behind the words that it was thought for.
        let behind = states.iter().any(|state| state.in_base64) && reasoning.text.is_empty();
        let mut at = to.len();
        if behind {
            let words = to.iter().rev().take_while(|part| matches!(part.what, What::Text(_))).count();
            at -= words;
        }
        let mut restored = Vec::new();
        for state in states {
            restored.extend(self.take(state, mem::take(&mut reasoning.text)));
        }
        if restored.is_empty() && !reasoning.text.is_empty() {
            restored.push(reasoning);
        }
        for reasoning in restored.into_iter().rev() {
            to.insert(at, Part { what: What::Reasoning(reasoning), cache, raw });
        }
    }

    fn call<'a>(&mut self, mut call: Call<'a>, cache: Option<Json<'a>>, raw: Json<'a>, to: &mut Vec<Part<'a>>) {
        let wrapped = call.state.take();
        let mut states = wrapped.map(|state| self.unwrap(&state.value)).unwrap_or_default();
        if states.is_empty() && !mem::take(&mut self.found) {
            states = self.kept(&call);
        }
        // A model thinks before it speaks: what it thought stands before the words that led to the call.
        let words = to.iter().rev().take_while(|part| matches!(part.what, What::Text(_))).count();
        let mut at = to.len() - words;
        for state in states {
            let Some(reasoning) = self.take(state, Vec::new()) else { continue };
            match reasoning.state {
                Some(state) if state.kind == StateKind::Thought => call.state = Some(state),
                _ => {
                    to.insert(at, Part { what: What::Reasoning(reasoning), cache: None, raw });
                    at += 1;
                }
            }
        }
        self.found = false;
        self.calls += 1;
        to.push(Part { what: What::Call(call), cache, raw });
    }

    fn unwrap(&self, value: &[u8]) -> Vec<Unwrapped> {
        unwrap(value, &self.target.owner, self.target.dialect)
    }

    /// The states that the gateway kept for a call.
    fn kept(&self, call: &Call<'_>) -> Vec<Unwrapped> {
        let find = |id: &str| self.target.states.find(&self.target.owner, id);
        let kept = match (call.id.as_ref().filter(|id| !id.is_empty()), self.history) {
            (Some(id), _) => unescaped(&conforming(id)).and_then(|id| find(&id)),
            (None, Some(history)) => {
                find(&places::key(history, self.calls, &call.name, &places::json_of(&call.arguments)))
            }
            (None, None) => None,
        };
        kept.map(|state| self.unwrap(state.as_bytes())).unwrap_or_default()
    }

    /// The thinking that a state stands for, with what is visible of it; none if it may not be sent.
    fn take<'a>(&mut self, unwrapped: Unwrapped, mut text: Vec<Inside<'a>>) -> Option<Reasoning<'a>> {
        let Unwrapped { state, text: own, place, .. } = unwrapped;
        if let Some(own) = own {
            // A signature is of these words, whatever the client made of them.
            text = vec![Cow::Owned(own)];
        }
        if state.kind == StateKind::Plain {
            return (!text.is_empty()).then_some(Reasoning { text, state: None });
        }
        // A block that is bound to all before it is refused where one of those is missing.
        if self.target.facts.prefix_bound && place.is_some_and(|place| place != self.sent.count) {
            self.sent.missing = true;
            return None;
        }
        self.sent.count += 1;
        self.found = true;
        Some(Reasoning { text, state: Some(state) })
    }
}

/// generateContent has its states on the calls themselves: one that stands before a call belongs to it. Others stay behind
/// the words that they are of.
fn move_to_calls(turns: &mut [Turn<'_>]) {
    let mut last: Option<(usize, usize)> = None;
    for turn in 0..turns.len() {
        if turns[turn].role != Role::Assistant {
            last = None;
            continue;
        }
        for part in 0..turns[turn].parts.len() {
            match &turns[turn].parts[part].what {
                What::Reasoning(reasoning) if reasoning.state.is_some() => last = Some((turn, part)),
                What::Reasoning(_) => {}
                What::Call(call) => {
                    let wanted = call.state.is_none();
                    if let Some((from, at)) = last.take().filter(|_| wanted) {
                        let state = take_state(&mut turns[from].parts[at]);
                        if let What::Call(call) = &mut turns[turn].parts[part].what {
                            call.state = state;
                        }
                    }
                }
                _ => last = None,
            }
        }
    }
    for turn in turns.iter_mut().filter(|turn| turn.role == Role::Assistant) {
        let says = |part: &Part<'_>| match &part.what {
            What::Reasoning(reasoning) => reasoning.state.is_some() || !reasoning.text.is_empty(),
            _ => true,
        };
        turn.parts.retain(says);
    }
}

fn take_state<'a>(part: &mut Part<'a>) -> Option<State<'a>> {
    if let What::Reasoning(reasoning) = &mut part.what { reasoning.state.take() } else { None }
}
