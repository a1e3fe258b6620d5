//! A provider as the host runs it: by its hooks, and by its description where it has none or where one leaves it to that.
//! The readers are the host's own, so that a test shows what a gateway will do.

use bitrouter_contract::Description;
use bitrouter_contract::described::{Page, RequestedCall, Window, request};
use bitrouter_contract::description::SideKind;
use bitrouter_dialect as dialect;
use bitrouter_golden::{Broken, written};

use crate::{
    Answer, Body, Call, Delivery, Exchange, Failure, Field, Hooks, Payload, Request, Step, Trouble, kind, scope,
};

pub(super) struct Provider {
    pub(super) hooks: Hooks,
    pub(super) description: Description,
}

impl Provider {
    pub(super) fn prepare(&self, call: &Call, body: &Payload<'_>) -> Result<Result<Step, Failure>, Broken> {
        let step = self.hooks.requests.map_or(Ok(Step::Described), |(prepare, _)| prepare(call, body));
        self.settled("prepare", step, call)
    }

    pub(super) fn resume(
        &self,
        call: &Call,
        body: &Payload<'_>,
        memo: Vec<u8>,
        answer: Answer,
    ) -> Result<Result<Step, Failure>, Broken> {
        let step = self.hooks.requests.map_or(Ok(Step::Described), |(_, resume)| resume(call, body, memo, answer));
        self.settled("resume", step, call)
    }

    fn settled(&self, hook: &str, step: Result<Step, Failure>, call: &Call) -> Result<Result<Step, Failure>, Broken> {
        Ok(match step {
            Ok(Step::Described) => self.request(call).map(Step::Send),
            Ok(Step::Send(request)) => fill(hook, request, call)?.map(Step::Send),
            Ok(Step::Ask(exchange)) => {
                let filled = fill(hook, exchange.request, call)?;
                let Exchange { memo, wait_ms, .. } = exchange;
                filled.map(|request| Step::Ask(Exchange { request, memo, wait_ms }))
            }
            Ok(Step::Reply(reply)) => Ok(Step::Reply(reply)),
            Err(failure) => Err(failure),
        })
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
        let Some(said) = self.hooks.quota.and_then(|quota| quota(headers, event)) else {
            let fields = headers.iter().map(|field| (field.name.as_str(), field.value.as_str()));
            return self.description.limits.windows(fields);
        };
        let window = |said: crate::Window| {
            let crate::Window {
                name,
                used_percent,
                limit,
                remaining,
                length_seconds,
                resets_at,
                resets_in_seconds,
                ..
            } = said;
            Window { name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds }
        };
        said.into_iter().map(window).collect()
    }

    pub(super) fn interpret(&self, side: &str, page: Answer) -> Result<String, Failure> {
        let read = self.hooks.interpret.map_or(Ok(None), |interpret| interpret(side, page.clone()))?;
        read.map_or_else(|| self.read(side, page), Ok)
    }

    fn read(&self, name: &str, page: Answer) -> Result<String, Failure> {
        let id = &self.description.id;
        let unread = |why: String| Err(Failure::new(kind::UNSUPPORTED, scope::PROVIDER, why));
        let Some(side) = self.description.side_requests.get(name) else {
            return unread(format!("{id} has no side request `{name}`"));
        };
        if !(200..300).contains(&page.status) {
            return Err(self.meaning(&Trouble::Answer(page)));
        }
        if side.kind != SideKind::Models {
            return unread(format!("nothing of {id} reads it: only lists of models can be described"));
        }
        let page = Page::read(&self.description, side, &page.body);
        page.map(written).map_err(|why| Failure::new(kind::OTHER, scope::PROVIDER, why))
    }
}

/// Fills the holes of a request's path, as the host does.
fn fill(hook: &str, mut request: Request, call: &Call) -> Result<Result<Request, Failure>, Broken> {
    let value = |name: &str| Some(request.values.iter().find(|field| field.name == name)?.value.as_str());
    match request::filled(&request.path, &call.model, value).map(|path| path.into_owned()) {
        Ok(path) => {
            request.path = path;
            Ok(Ok(request))
        }
        Err(error @ request::UnfilledPath::Model(_)) => {
            Ok(Err(Failure::new(kind::MODEL_NOT_FOUND, scope::MODEL, error.to_string())))
        }
        Err(error) => Err(Broken::Hook(format!("broke the contract in {hook}: {error}"))),
    }
}
