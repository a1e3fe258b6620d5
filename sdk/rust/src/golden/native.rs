//! Runs the hooks of a provider natively for the golden files: the driver of `bitrouter-golden` without a component.

use std::mem;

use bitrouter_contract::described::Window;
use bitrouter_document as document;
use bitrouter_golden as golden;
use bitrouter_golden::{Body, Broken, Hooks};

use super::described::Provider;
use super::lent::Lent;
use crate::{Blob, Document, Event, Failure, Payload, Step};

/// What lies between the golden files' types and this SDK's.
mod made {
    bitrouter_golden::conversions!(crate);
}

/// A provider whose hooks run in this process.
pub(super) struct Native<'p>(pub(super) &'p Provider);

impl Native<'_> {
    /// Runs a hook with the body lent to it.
    fn with_body(
        &self,
        body: &mut Body,
        hook: impl FnOnce(&Provider, &Payload<'_>) -> Result<Result<Step, Failure>, Broken>,
    ) -> Result<Result<golden::Step, golden::Failure>, Broken> {
        let step = match mem::take(body) {
            Body::Json(document) => {
                let lent = Lent::of(document);
                let step = hook(self.0, &Payload::Json(Document::lent(&lent)));
                let (document, refused) = lent.back();
                *body = Body::Json(document);
                // A gateway refuses such a body, whatever the hook made of it.
                refused.map_or(step, |why| Err(Broken::Body(why)))
            }
            Body::Opaque(content_type) => {
                let blob = Blob { content_type: content_type.clone(), length: None };
                *body = Body::Opaque(content_type);
                hook(self.0, &Payload::Opaque(blob))
            }
            Body::None => hook(self.0, &Payload::None),
        };
        Ok(match step? {
            Ok(Step::Send(request)) => Ok(golden::Step::Send(made::request(request))),
            Ok(Step::Ask(exchange)) => Ok(golden::Step::Ask(made::exchange(exchange))),
            Ok(Step::Reply(reply)) => Ok(golden::Step::Reply(made::reply(reply))),
            Ok(Step::Described) => return Err(Broken::Hook("the description was not asked".into())),
            Err(failure) => Err(made::failure(failure)),
        })
    }
}

impl Hooks for Native<'_> {
    fn providers(&self) -> Vec<String> {
        vec![self.0.description.id.clone()]
    }

    fn prepare(
        &mut self,
        call: &golden::Call,
        body: &mut Body,
    ) -> Result<Result<golden::Step, golden::Failure>, Broken> {
        let call = made::call(call);
        self.with_body(body, |provider, payload| provider.prepare(&call, payload))
    }

    fn resume(
        &mut self,
        call: &golden::Call,
        body: &mut Body,
        memo: &[u8],
        answer: &golden::Answer,
    ) -> Result<Result<golden::Step, golden::Failure>, Broken> {
        let (call, answer) = (made::call(call), made::answer(answer));
        self.with_body(body, |provider, payload| provider.resume(&call, payload, memo.to_vec(), answer))
    }

    fn explain(&mut self, _: &str, trouble: &golden::Trouble, memo: &[u8]) -> Result<golden::Failure, Broken> {
        Ok(made::failure(self.0.explain(&made::trouble(trouble), memo.to_vec())))
    }

    fn quota(&mut self, _: &str, headers: &[golden::Field], event: Option<&str>) -> Result<Vec<Window>, Broken> {
        Ok(self.0.quota(&made::fields(headers), event))
    }

    fn interpret(
        &mut self,
        _: &str,
        side: &str,
        page: &golden::Answer,
    ) -> Result<Result<String, golden::Failure>, Broken> {
        Ok(self.0.interpret(side, made::answer(page)).map_err(made::failure))
    }

    fn shape(
        &mut self,
        call: &golden::Call,
        memo: &[u8],
        head: &golden::Head,
        document: &mut document::Document,
    ) -> Result<Result<(), golden::Failure>, Broken> {
        let Some(hook) = self.0.hooks.shape else {
            return Err(Broken::Absent("the provider does not export `Answers`".into()));
        };
        let lent = Lent::of(document.clone());
        let shaped = hook(&made::call(call), memo.to_vec(), &made::head(head), &Document::lent(&lent));
        let (edited, refused) = lent.back();
        *document = edited;
        match refused {
            Some(why) => Err(Broken::Body(why)),
            None => Ok(shaped.map_err(made::failure)),
        }
    }

    fn rewriter<'d>(
        &'d mut self,
        call: &golden::Call,
        memo: &[u8],
        head: &golden::Head,
    ) -> Result<Box<dyn golden::Rewriter + 'd>, Broken> {
        let Some(hook) = self.0.hooks.rewriter else {
            return Err(Broken::Absent("the provider does not export `Streams`".into()));
        };
        let rewriter = hook(made::call(call), memo.to_vec(), made::head(head));
        Ok(Box::new(Rewriter(rewriter)))
    }
}

/// One answer that is being rewritten; none where the provider said that it rewrites none such.
struct Rewriter(Option<Box<dyn crate::Rewriter>>);

impl Rewriter {
    fn with(
        &mut self,
        step: impl FnOnce(&mut dyn crate::Rewriter) -> Result<Vec<Event>, Failure>,
    ) -> Result<Vec<golden::Event>, golden::Failure> {
        let events = match &mut self.0 {
            Some(rewriter) => step(rewriter.as_mut()),
            // As the component says.
            None => Err(Failure::unsupported("this provider asked for a rewriter and has none")),
        };
        events.map(|events| events.into_iter().map(made::event_of).collect()).map_err(made::failure)
    }
}

impl golden::Rewriter for Rewriter {
    fn push(&mut self, events: Vec<golden::Event>) -> Result<Result<Vec<golden::Event>, golden::Failure>, Broken> {
        Ok(self.with(|rewriter| rewriter.push(events.iter().map(made::event).collect())))
    }

    fn finish(&mut self) -> Result<Result<Vec<golden::Event>, golden::Failure>, Broken> {
        Ok(self.with(|rewriter| rewriter.finish()))
    }
}
