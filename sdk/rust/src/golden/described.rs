//! A provider as the host runs it: by its hooks, and by its description where it has none or where one leaves it to that.
//! The readers are the host's own, so that a test shows what a gateway will do.

use bitrouter_contract::Description;
use bitrouter_contract::described::{Page, RequestedCall, Window as Read, request};
use bitrouter_contract::description::{Model, SideKind};
use bitrouter_dialect as dialect;
use serde_json::{Value, json};

use crate::{
    Answer, Body, Call, Delivery, Document, Exchange, Failure, Field, Head, Hooks, Payload, Request, Rewriter, Step,
    Trouble, Window, kind, scope,
};

pub(super) struct Provider {
    pub(super) hooks: Hooks,
    pub(super) description: Description,
}

impl Provider {
    pub(super) fn prepare(&self, call: &Call, body: &Payload<'_>) -> Result<Step, Failure> {
        let step = self.hooks.requests.map_or(Ok(Step::Described), |(prepare, _)| prepare(call, body));
        self.settled(step?, call)
    }

    pub(super) fn resume(
        &self,
        call: &Call,
        body: &Payload<'_>,
        memo: Vec<u8>,
        answer: Answer,
    ) -> Result<Step, Failure> {
        let step = self.hooks.requests.map_or(Ok(Step::Described), |(_, resume)| resume(call, body, memo, answer));
        self.settled(step?, call)
    }

    fn settled(&self, step: Step, call: &Call) -> Result<Step, Failure> {
        match step {
            Step::Described => self.request(call).map(Step::Send),
            Step::Send(request) => fill(request, call).map(Step::Send),
            Step::Ask(exchange) => {
                let request = fill(exchange.request, call)?;
                Ok(Step::Ask(Exchange { request, ..exchange }))
            }
            Step::Reply(reply) => Ok(Step::Reply(reply)),
        }
    }

    fn request(&self, call: &Call) -> Result<Request, Failure> {
        let Call { operation, dialect, model, streaming, settings, .. } = call;
        let requested = RequestedCall { operation, dialect, model, streaming: *streaming, settings };
        let shaped = request::request(&self.description, requested, |name| call.header(name).is_some());
        let shaped = shaped.map_err(|error| match error {
            request::Unserved::Operation(_) => Failure::unsupported(error.to_string()),
            // Another provider may know a model of this name.
            request::Unserved::Path(_) => Failure::new(kind::MODEL_NOT_FOUND, scope::MODEL, error.to_string()),
        })?;
        let shaped = shaped.with_query(call.query.iter().map(|field| (field.name.as_str(), field.value.as_str())));
        let body = if shaped.method == "GET" { Body::Empty } else { Body::Forward };
        let request = Request::new(shaped.method, shaped.origin, shaped.path, body).framing(shaped.framing);
        let request = shaped.query.into_iter().fold(request, |request, (name, value)| request.query(name, value));
        let request = shaped.headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        Ok(Request { delivery: Delivery::Pass, ..request })
    }

    pub(super) fn explain(&self, trouble: &Trouble, memo: Vec<u8>) -> Failure {
        self.hooks.explain.and_then(|explain| explain(trouble, memo)).unwrap_or_else(|| self.meaning(trouble))
    }

    fn meaning(&self, trouble: &Trouble) -> Failure {
        let errors = &self.description.errors;
        let said = match trouble {
            Trouble::Answer(Answer { status, headers, body, .. }) => {
                let headers: Vec<_> = headers.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
                dialect::Failure::of(errors, dialect::Trouble::Answer { status: *status, headers: &headers, body })
            }
            Trouble::Event(event) => {
                let headers: Vec<_> =
                    event.headers.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect();
                dialect::Failure::of(errors, dialect::Trouble::Event { headers: &headers, data: &event.data })
            }
        };
        let dialect::Failure { kind, scope, message, code, retry_after_ms, resets_at } = said;
        Failure { code, retry_after_ms, resets_at, ..Failure::new(kind.word(), scope.word(), message) }
    }

    pub(super) fn quota(&self, headers: &[Field], event: Option<&str>) -> Vec<Window> {
        let described = || {
            let fields = headers.iter().map(|field| (field.name.as_str(), field.value.as_str()));
            let windows = self.description.limits.windows(fields).into_iter().map(|window| {
                let Read { name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds } =
                    window;
                let more = String::new();
                Window { name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds, more }
            });
            windows.collect()
        };
        self.hooks.quota.and_then(|quota| quota(headers, event)).unwrap_or_else(described)
    }

    pub(super) fn interpret(&self, side: &str, page: Answer) -> Result<String, Failure> {
        let read = self.hooks.interpret.map_or(Ok(None), |interpret| interpret(side, page.clone()))?;
        read.map_or_else(|| self.read(side, page), Ok)
    }

    fn read(&self, name: &str, page: Answer) -> Result<String, Failure> {
        let unsupported = |why: String| Err(Failure::unsupported(why));
        let Some(side) = self.description.side_requests.get(name) else {
            return unsupported(format!("there is no side request `{name}`"));
        };
        if !(200..300).contains(&page.status) {
            return Err(self.meaning(&Trouble::Answer(page)));
        }
        if side.kind != SideKind::Models {
            return unsupported(format!("nothing reads the side request `{name}`"));
        }
        let page = Page::read(&self.description, side, &page.body);
        let page = page.map_err(|why| Failure::new(kind::OTHER, scope::PROVIDER, why))?;
        let model = |model: Model| {
            let mut shown = json!({ "id": model.id });
            if !model.operations.is_empty() {
                shown["operations"] = Value::from(model.operations);
            }
            if let Some(window) = model.facts.context_window {
                shown["context_window"] = Value::from(window);
            }
            if let Some(tokens) = model.facts.max_output {
                shown["max_output"] = Value::from(tokens);
            }
            shown
        };
        let mut read = json!({ "models": page.models.into_iter().map(model).collect::<Vec<_>>() });
        if let Some((query, value)) = page.next {
            read["next"] = json!({ query: value });
        }
        Ok(read.to_string())
    }

    /// Edits a whole answer; none where there is no such hook.
    pub(super) fn shape(
        &self,
        call: &Call,
        memo: Vec<u8>,
        head: &Head,
        body: &Document<'_>,
    ) -> Option<Result<(), Failure>> {
        self.hooks.shape.map(|shape| shape(call, memo, head, body))
    }

    pub(super) fn rewriter(&self, call: Call, memo: Vec<u8>, head: Head) -> Option<Box<dyn Rewriter>> {
        self.hooks.rewriter.and_then(|rewriter| rewriter(call, memo, head))
    }
}

/// Fills the holes of a request's path, as the host does.
fn fill(mut request: Request, call: &Call) -> Result<Request, Failure> {
    let value = |name: &str| Some(request.values.iter().find(|field| field.name == name)?.value.as_str());
    let filled = request::filled(&request.path, &call.model, value).map_err(|error| match error {
        request::UnfilledPath::Model(_) => Failure::new(kind::MODEL_NOT_FOUND, scope::MODEL, error.to_string()),
        other => Failure::unsupported(other.to_string()),
    });
    request.path = filled?.into_owned();
    Ok(request)
}
