//! What the host does in the place of a hook that a component does not export, or that leaves it to the description. No
//! instance is made for it; `hook` calls it.

use bitrouter_contract::described::{self, RequestedCall, Unserved};
use bitrouter_contract::description::SideKind;
use bitrouter_contract::{Description, FailureKind, Scope};
use bitrouter_dialect as dialect;

use super::contract::types::Body;
use super::contract::{Answer, Call, Delivery, Failure, Field, Request, Trouble, Window};
use super::cut;
use super::hook::Read;

/// The request of a call: its body goes up as it is, with what may of the client's query, and its answer is passed on.
pub(super) fn request(description: &Description, call: &Call) -> Result<Request, Failure> {
    let Call { operation, dialect, model, streaming, headers, query, settings, .. } = call;
    let requested = RequestedCall { operation, dialect, model, streaming: *streaming, settings };
    let shaped =
        described::request::request(description, requested, |name| headers.iter().any(|field| field.name == name));
    let shaped = shaped.map_err(|error| {
        let kind = match error {
            Unserved::Operation(_) => FailureKind::Unsupported,
            // Another provider may know a model of this name.
            Unserved::Path(_) => FailureKind::ModelNotFound,
        };
        failure(kind, kind.scope(), error.to_string())
    })?;
    let fields = |pairs: Vec<(String, String)>| pairs.into_iter().map(|(name, value)| Field { name, value }).collect();
    let shaped = shaped.with_query(query.iter().map(|field| (field.name.as_str(), field.value.as_str())));
    Ok(Request {
        method: shaped.method.into(),
        origin: shaped.origin,
        path: shaped.path,
        values: Vec::new(),
        query: fields(shaped.query),
        headers: fields(shaped.headers),
        body: if shaped.method == "GET" { Body::Empty } else { Body::Forward },
        framing: shaped.framing.into(),
        delivery: Delivery::Pass,
        memo: Vec::new(),
        dropped: Vec::new(),
        more: String::new(),
    })
}

/// What a failure means.
pub(super) fn explain(description: &Description, trouble: &Trouble) -> Failure {
    let said = match trouble {
        Trouble::Answer(answer) => of_answer(description, answer),
        Trouble::Event(event) => {
            let headers = pairs(&event.headers);
            dialect::Failure::of(&description.errors, dialect::Trouble::Event { headers: &headers, data: &event.data })
        }
    };
    let dialect::Failure { kind, scope, message, code, retry_after_ms, resets_at } = said;
    cut::failure(Failure { code, retry_after_ms, resets_at, ..failure(kind, scope, message) })
}

fn of_answer(description: &Description, answer: &Answer) -> dialect::Failure {
    let headers = pairs(&answer.headers);
    let trouble = dialect::Trouble::Answer { status: answer.status, headers: &headers, body: &answer.body };
    dialect::Failure::of(&description.errors, trouble)
}

fn pairs(fields: &[Field]) -> Vec<(&str, &str)> {
    fields.iter().map(|field| (field.name.as_str(), field.value.as_str())).collect()
}

/// What an answer's headers say of limits.
pub(super) fn quota(description: &Description, headers: &[Field]) -> Vec<described::Window> {
    let fields = headers.iter().map(|field| (field.name.as_str(), field.value.as_str()));
    description.limits.windows(fields)
}

/// A window as a component says it.
pub(super) fn window(said: Window) -> described::Window {
    let Window { name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds, more: _ } = said;
    described::Window { name, used_percent, limit, remaining, length_seconds, resets_at, resets_in_seconds }
}

/// What the answer of a side request brought.
pub(super) fn interpret(description: &Description, side: &str, page: &Answer) -> Result<Read, Failure> {
    let unread = |why: String| Err(failure(FailureKind::Unsupported, Scope::Provider, why));
    let Some(side) = description.side_requests.get(side) else {
        return unread(format!("{} has no side request `{side}`", description.id));
    };
    if !(200..300).contains(&page.status) {
        return Err(explain(description, &Trouble::Answer(page.clone())));
    }
    match side.kind {
        SideKind::Models => described::Page::read(description, side, &page.body)
            .map(Read::Page)
            .map_err(|why| failure(FailureKind::Other, Scope::Provider, why)),
        SideKind::Usage | SideKind::Account => {
            unread(format!("nothing of {} reads it: only lists of models can be described", description.id))
        }
    }
}

pub(super) fn failure(kind: FailureKind, scope: Scope, message: String) -> Failure {
    Failure {
        kind: kind.word().into(),
        scope: scope.word().into(),
        message,
        code: None,
        retry_after_ms: None,
        resets_at: None,
        status: None,
        more: String::new(),
    }
}
