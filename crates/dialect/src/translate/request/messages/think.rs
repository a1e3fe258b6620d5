//! How much a Claude model is told to think and to write: the two belong together, since a budget has to be smaller than
//! `max_tokens`, which this dialect demands.

use super::super::{Effort, Request, Settings};
use crate::json;
use crate::translate::facts::{Facts, Thinking};
use crate::translate::lost::Losses;
use crate::translate::writer::Writer;

/// What a model is asked for whose limit nobody knows.
const MAX_TOKENS: u64 = 32_000;
/// What is left for the answer itself where the client said neither.
const ANSWER: u64 = 4096;
/// The least that Anthropic takes.
const LEAST_BUDGET: u64 = 1024;

/// What is written of it.
pub(super) struct Plan {
    pub(super) max_tokens: u64,
    pub(super) effort: Option<Effort>,
    mode: Mode,
    display: Option<&'static str>,
    /// Thinking that is bound to a history that is no longer whole is to be left out by the target, not refused.
    drop_unbound: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Unsaid,
    Disabled,
    Adaptive,
    Budget(u64),
}

impl Plan {
    pub(super) fn of<'a>(request: &Request<'a>, facts: &Facts, losses: &mut Losses<'a>) -> Self {
        let settings = &request.settings;
        let asked = settings.max_tokens.and_then(json::count).filter(|tokens| *tokens > 0);
        let limit = facts.max_output.unwrap_or(u64::MAX);
        if let (Some(raw), Some(asked)) = (settings.max_tokens, asked)
            && asked > limit
        {
            losses.approximated(raw);
        }
        let reasoning = &settings.reasoning;
        let display = reasoning.visible.map(|visible| if visible { "summarized" } else { "omitted" });
        let asked = asked.map(|tokens| tokens.min(limit));
        let max_tokens = asked.or(facts.max_output).or(facts.usual_output).unwrap_or(MAX_TOKENS);
        let mut plan =
            Self { max_tokens, effort: None, mode: Mode::Unsaid, display, drop_unbound: request.states_missing };
        if reasoning.effort == Some(Effort::None) || (reasoning.effort.is_none() && reasoning.budget == Some(0)) {
            let instead = facts.efforts.nearest(Effort::None);
            if facts.thinking == Thinking::Effort && instead != Effort::None {
                // It cannot be told not to think.
                (plan.mode, plan.effort) = (Mode::Adaptive, Some(instead));
                reasoning.raw.into_iter().for_each(|raw| losses.approximated(raw));
            } else if facts.thinking != Thinking::Never {
                plan.mode = Mode::Disabled;
            }
            return plan;
        }
        let mut report = |exact: bool| {
            if let (Some(raw), false) = (reasoning.raw, exact) {
                losses.approximated(raw);
            }
        };
        match (facts.thinking, reasoning.effort, reasoning.budget) {
            (Thinking::Never, None, None) => {}
            (Thinking::Never, _, _) => losses.dropped_if(reasoning.raw),
            (Thinking::Effort, None, None) | (Thinking::Budget, None, None) => {
                // Who asks to see thoughts asks for them.
                if reasoning.visible == Some(true) && facts.thinking == Thinking::Effort {
                    plan.mode = Mode::Adaptive;
                }
            }
            (Thinking::Effort, Some(effort), _) => {
                let nearest = facts.efforts.nearest(effort);
                // Anthropic has no effort below `low`, whatever is known of the model.
                plan.effort = Some(nearest.max(Effort::Low));
                report(plan.effort == Some(effort));
                plan.mode = Mode::Adaptive;
            }
            (Thinking::Effort, None, Some(budget)) => {
                report(false);
                plan.mode = Mode::Adaptive;
                plan.effort = Some(facts.efforts.nearest(Effort::of_budget(budget)).max(Effort::Low));
            }
            (Thinking::Budget, _, Some(budget)) => {
                if asked.is_none() && facts.max_output.or(facts.usual_output).is_none() {
                    plan.max_tokens = plan.max_tokens.max(budget.saturating_add(ANSWER));
                }
                let fits = budget.max(LEAST_BUDGET).min(plan.max_tokens.saturating_sub(1));
                report(fits == budget || fits < LEAST_BUDGET);
                plan.think_within(fits, settings, losses);
            }
            (Thinking::Budget, Some(effort), None) => {
                let room = if asked.is_some() { plan.max_tokens } else { plan.max_tokens.saturating_sub(ANSWER) };
                let budget = effort.budget(room).unwrap_or_default();
                report(budget < LEAST_BUDGET);
                plan.think_within(budget, settings, losses);
            }
        }
        plan
    }

    fn think_within<'a>(&mut self, budget: u64, settings: &Settings<'a>, losses: &mut Losses<'a>) {
        if budget < LEAST_BUDGET {
            losses.dropped_if(settings.reasoning.raw);
        } else {
            self.mode = Mode::Budget(budget);
        }
    }

    /// Whether it is told to think.
    pub(super) fn thinks(&self) -> bool {
        matches!(self.mode, Mode::Adaptive | Mode::Budget(_))
    }

    /// The budget that it gets.
    pub(super) fn budget(&self) -> Option<u64> {
        if let Mode::Budget(tokens) = self.mode { Some(tokens) } else { None }
    }

    /// It cannot think in this turn.
    pub(super) fn without_thinking<'a>(&mut self, settings: &Settings<'a>, losses: &mut Losses<'a>) {
        self.mode = Mode::Unsaid;
        losses.dropped_if(settings.reasoning.raw);
    }

    /// Writes `thinking`.
    pub(super) fn write(&self, out: &mut Writer) {
        if self.mode == Mode::Unsaid {
            return;
        }
        out.key("thinking");
        out.open(b'{');
        match self.mode {
            Mode::Unsaid | Mode::Disabled => out.text_member("type", "disabled"),
            Mode::Adaptive => out.text_member("type", "adaptive"),
            Mode::Budget(tokens) => {
                out.text_member("type", "enabled");
                out.number_member("budget_tokens", tokens);
            }
        }
        if let (Some(display), true) = (self.display, self.thinks()) {
            out.text_member("display", display);
        }
        if self.drop_unbound && self.thinks() {
            out.member("block_binding", br#"{"prefix_mismatch_behavior":"drop_block"}"#);
        }
        out.close(b'}');
    }
}
