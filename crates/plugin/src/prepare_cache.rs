//! Caches what `prepare` answered, so that the same question needs no instance at all.
//!
//! A provider is a pure function of the call and of what it reads of the document. The same call, of whose document the
//! same is read, means the same edits and the same request (`steps`). Everything that a component is told of a call is
//! part of the key, the account included.

mod steps;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use super::contract::types::{Body, Content, Part};
use super::contract::{Account, Call, Delivery, Field, Request};
use super::hook::HookBody;
use steps::{Added, Next, walk};
pub(crate) use steps::{Trace, Walked};

/// Requests that are cached for one component. Beyond that it starts afresh: calls that differ each time (an id in a
/// forwarded header) must not fill the memory.
const MOST_REQUESTS: usize = 512;
/// Bytes of all of them, and of one with its call. A call has 1 to 3 KB; one with a header of 100 KB is not one that comes
/// again and again.
const MOST_BYTES: usize = 2 << 20;
const LARGEST_REQUEST: usize = 16 << 10;

/// What one component answered.
#[derive(Default)]
pub(super) struct PrepareCache {
    hasher: RandomState,
    answers: RwLock<Answers>,
}

#[derive(Default)]
struct Answers {
    by_key: HashMap<u64, (Question, Next)>,
    bytes: usize,
}

/// A call, and what kind of body it had.
struct Question {
    call: Call,
    body: BodyKind,
}

/// What `prepare` is told of a body without reading it.
#[derive(Clone, PartialEq, Eq, Hash)]
enum BodyKind {
    Json,
    Opaque(String, Option<u64>),
    None,
}

impl BodyKind {
    fn of(body: &HookBody) -> Self {
        match body {
            HookBody::Json(_) => BodyKind::Json,
            HookBody::Opaque { blob, .. } => BodyKind::Opaque(blob.content_type.clone(), blob.length),
            HookBody::None => BodyKind::None,
        }
    }
}

impl PrepareCache {
    /// The request that this call became before, its body edited as then; or how far it is known.
    pub(super) fn get(&self, call: &Call, body: &mut HookBody) -> Walked {
        let start = {
            let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
            let known = answers.by_key.get(&self.key(call, body));
            known
                .filter(|(question, _)| same(&question.call, call) && question.body == BodyKind::of(body))
                .map(|(_, next)| next.clone())
        };
        walk(start, body.document())
    }

    /// Keeps an answer with what was asked for it.
    pub(super) fn keep(&self, call: &Call, body: &HookBody, trace: Trace, request: &Arc<Request>) {
        let bytes = of_call(call) + of_body(body) + of_request(request);
        let Some(way) = trace.way_to(request).filter(|_| bytes <= LARGEST_REQUEST) else { return };
        let bytes = bytes + way.bytes;
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if answers.by_key.len() >= MOST_REQUESTS || answers.bytes + bytes > MOST_BYTES {
            *answers = Answers::default();
        }
        match way.add() {
            Added::Here => answers.bytes += bytes,
            Added::First(next) => {
                let key = self.key(call, body);
                // What would have taken long was not asked this time. What is known of it leads on all the same.
                if !answers.by_key.get(&key).is_some_and(|(question, _)| same(&question.call, call)) {
                    answers.bytes += bytes;
                    let question = Question { call: call.clone(), body: BodyKind::of(body) };
                    answers.by_key.insert(key, (question, next));
                }
            }
            Added::Nowhere => {}
        }
    }

    fn key(&self, call: &Call, body: &HookBody) -> u64 {
        let mut state = self.hasher.build_hasher();
        (&call.operation, &call.dialect, &call.model, call.streaming, &call.settings).hash(&mut state);
        (&call.provider, call.attempt).hash(&mut state);
        hash(&call.headers, &mut state);
        hash(&call.query, &mut state);
        if let Some(account) = &call.account {
            account.label.hash(&mut state);
            hash(&account.claims, &mut state);
        }
        std::mem::discriminant(body).hash(&mut state);
        state.finish()
    }
}

/// Bytes that are kept of a call.
fn of_call(call: &Call) -> usize {
    let Call {
        operation,
        dialect,
        model,
        streaming: _,
        headers,
        query,
        settings,
        account,
        provider,
        model_info,
        attempt: _,
        more,
    } = call;
    let account = account.as_ref().map_or(0, |Account { label, claims }| label.len() + of_fields(claims));
    let texts =
        [operation, dialect, model, settings, provider, model_info, more].map(String::len).iter().sum::<usize>();
    size_of::<Call>() + texts + of_fields(headers) + of_fields(query) + account
}

fn of_body(body: &HookBody) -> usize {
    match body {
        HookBody::Opaque { blob, .. } => blob.content_type.len(),
        HookBody::Json(_) | HookBody::None => 0,
    }
}

fn of_request(request: &Request) -> usize {
    let Request { method, origin, path, values, query, headers, body, framing, delivery, memo, dropped, more } =
        request;
    let of_content = |content: &Content| match content {
        Content::Text(text) | Content::Value(text) | Content::Base64(text) => text.len(),
    };
    let body = match body {
        Body::Forward | Body::Empty => 0,
        Body::Json(text) => text.len(),
        Body::Form(fields) => of_fields(fields),
        Body::Content(content) => of_content(content),
        Body::Multipart(parts) => {
            let of_part = |part: &Part| {
                let Part { name, filename, content_type, content } = part;
                let texts = [filename, content_type].map(|text| text.as_ref().map_or(0, String::len));
                size_of::<Part>() + name.len() + texts.iter().sum::<usize>() + of_content(content)
            };
            parts.iter().map(of_part).sum()
        }
    };
    let delivery = match delivery {
        Delivery::Pass => 0,
        Delivery::Rewrite(to) => to.len(),
    };
    let dropped: usize = dropped.iter().map(|pointer| size_of::<String>() + pointer.len()).sum();
    let texts = method.len() + origin.len() + path.len() + framing.len() + memo.len() + more.len();
    let fields = of_fields(values) + of_fields(query) + of_fields(headers);
    size_of::<Request>() + texts + fields + body + delivery + dropped
}

fn of_fields(fields: &[Field]) -> usize {
    fields.iter().map(|field| size_of::<Field>() + field.name.len() + field.value.len()).sum()
}

fn hash(fields: &[Field], state: &mut impl Hasher) {
    fields.len().hash(state);
    fields.iter().for_each(|field| (&field.name, &field.value).hash(state));
}

fn same(one: &Call, other: &Call) -> bool {
    // Every field is named, so that a new one cannot be forgotten.
    let Call {
        operation,
        dialect,
        model,
        streaming,
        headers,
        query,
        settings,
        account,
        provider,
        model_info,
        attempt,
        more,
    } = one;
    *operation == other.operation
        && *dialect == other.dialect
        && *model == other.model
        && *streaming == other.streaming
        && *provider == other.provider
        && *model_info == other.model_info
        && *attempt == other.attempt
        && *more == other.more
        && *settings == other.settings
        && same_fields(headers, &other.headers)
        && same_fields(query, &other.query)
        && match (account, &other.account) {
            (Some(Account { label, claims }), Some(other)) => {
                *label == other.label && same_fields(claims, &other.claims)
            }
            (None, None) => true,
            _ => false,
        }
}

fn same_fields(one: &[Field], other: &[Field]) -> bool {
    one.len() == other.len()
        && one.iter().zip(other).all(|(one, other)| one.name == other.name && one.value == other.value)
}

#[cfg(test)]
mod tests;
