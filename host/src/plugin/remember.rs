//! Remembering what `prepare` answered, so that the same question needs no instance at all.
//!
//! A provider is a pure function of the call and of what it reads of the document. Where `prepare` answered without
//! looking at the document, the call alone decides: the same call means the same request. Everything that a component
//! is told of a call is part of the key, the account included.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use super::contract::{Account, Call, Field, Request};
use super::hook::HookBody;

/// Requests that are remembered for one component. Beyond that it starts afresh: calls that differ each time (an id in a
/// forwarded header) must not fill the memory.
const MOST: usize = 512;

/// What one component answered.
#[derive(Default)]
pub(super) struct Remembered {
    hasher: RandomState,
    answers: RwLock<HashMap<u64, (Question, Arc<Request>)>>,
}

/// A call, and what kind of body it had.
struct Question {
    call: Call,
    body: Kind,
}

/// What `prepare` is told of a body without reading it.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Kind {
    Json,
    Opaque(String, Option<u64>),
    None,
}

impl Kind {
    fn of(body: &HookBody) -> Self {
        match body {
            HookBody::Json(_) => Kind::Json,
            HookBody::Opaque(blob) => Kind::Opaque(blob.content_type.clone(), blob.length),
            HookBody::None => Kind::None,
        }
    }
}

impl Remembered {
    /// The request that this call became before.
    pub(super) fn get(&self, call: &Call, body: &HookBody) -> Option<Arc<Request>> {
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        let (question, request) = answers.get(&self.key(call, body))?;
        (same(&question.call, call) && question.body == Kind::of(body)).then(|| Arc::clone(request))
    }

    /// Keeps an answer that was given without looking at the document.
    pub(super) fn keep(&self, call: &Call, body: &HookBody, request: &Arc<Request>) {
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if answers.len() >= MOST {
            answers.clear();
        }
        let question = Question { call: call.clone(), body: Kind::of(body) };
        answers.insert(self.key(call, body), (question, Arc::clone(request)));
    }

    fn key(&self, call: &Call, body: &HookBody) -> u64 {
        let mut state = self.hasher.build_hasher();
        (&call.operation, &call.dialect, &call.model, call.streaming, &call.settings).hash(&mut state);
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

fn hash(fields: &[Field], state: &mut impl Hasher) {
    fields.len().hash(state);
    fields.iter().for_each(|field| (&field.name, &field.value).hash(state));
}

fn same(one: &Call, other: &Call) -> bool {
    // Every field is named, so that a new one cannot be forgotten.
    let Call { operation, dialect, model, streaming, headers, query, settings, account } = one;
    *operation == other.operation
        && *dialect == other.dialect
        && *model == other.model
        && *streaming == other.streaming
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
mod tests {
    use super::*;
    use crate::plugin::contract::{Delivery, types::Body};

    fn call() -> Call {
        Call {
            operation: "generate".into(),
            dialect: "responses".into(),
            model: "gpt-5".into(),
            streaming: true,
            headers: vec![Field { name: "openai-beta".into(), value: "x".into() }],
            query: Vec::new(),
            settings: "{}".into(),
            account: Some(Account { label: "work".into(), claims: Vec::new() }),
        }
    }

    fn request() -> Arc<Request> {
        Arc::new(Request {
            method: "POST".into(),
            origin: "api".into(),
            path: "/responses".into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Forward,
            framing: "sse".into(),
            delivery: Delivery::Pass,
            memo: Vec::new(),
            dropped: Vec::new(),
        })
    }

    #[test]
    fn the_same_call_has_the_same_answer_and_any_other_has_none() {
        let remembered = Remembered::default();
        remembered.keep(&call(), &HookBody::None, &request());
        assert!(remembered.get(&call(), &HookBody::None).is_some());
        let changes: [fn(&mut Call); 8] = [
            |call| call.operation.push('x'),
            |call| call.dialect.push('x'),
            |call| call.model.push('x'),
            |call| call.streaming = false,
            |call| call.headers[0].value.push('x'),
            |call| call.query.push(Field { name: "a".into(), value: "b".into() }),
            |call| call.settings = r#"{"a":1}"#.into(),
            |call| call.account = None,
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = call();
            change(&mut other);
            assert!(remembered.get(&other, &HookBody::None).is_none(), "change {index}");
        }
        let blob = crate::plugin::contract::Blob { content_type: "a/b".into(), length: None };
        assert!(remembered.get(&call(), &HookBody::Opaque(blob)).is_none());
    }

    #[test]
    fn calls_that_differ_each_time_do_not_fill_the_memory() {
        let remembered = Remembered::default();
        for number in 0..3 * MOST {
            let mut call = call();
            call.headers[0].value = number.to_string();
            remembered.keep(&call, &HookBody::None, &request());
        }
        assert!(remembered.answers.read().unwrap().len() <= MOST);
    }
}
