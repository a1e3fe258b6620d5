//! Caches what `prepare` answered, so that the same question needs no instance at all.
//!
//! A provider is a pure function of the call and of what it reads of the document. Where `prepare` answered without
//! looking at the document, the call alone decides: the same call means the same request. Everything that a component
//! is told of a call is part of the key, the account included.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use super::contract::types::{Body, Content, Part};
use super::contract::{Account, Call, Delivery, Field, Request};
use super::hook::HookBody;

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
    by_key: HashMap<u64, (Question, Arc<Request>)>,
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
    /// The request that this call became before.
    pub(super) fn get(&self, call: &Call, body: &HookBody) -> Option<Arc<Request>> {
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        let (question, request) = answers.by_key.get(&self.key(call, body))?;
        (same(&question.call, call) && question.body == BodyKind::of(body)).then(|| Arc::clone(request))
    }

    /// Keeps an answer that was given without looking at the document.
    pub(super) fn keep(&self, call: &Call, body: &HookBody, request: &Arc<Request>) {
        let bytes = of_call(call) + of_body(body) + of_request(request);
        if bytes > LARGEST_REQUEST {
            return;
        }
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if answers.by_key.len() >= MOST_REQUESTS || answers.bytes + bytes > MOST_BYTES {
            *answers = Answers::default();
        }
        answers.bytes += bytes;
        let question = Question { call: call.clone(), body: BodyKind::of(body) };
        answers.by_key.insert(self.key(call, body), (question, Arc::clone(request)));
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
mod tests {
    use super::*;

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
            provider: "acme".into(),
            model_info: "{}".into(),
            attempt: 1,
            more: String::new(),
        }
    }

    fn request() -> Arc<Request> {
        Arc::new(Request {
            method: "POST".into(),
            origin: "api".into(),
            path: "/responses".into(),
            values: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Forward,
            framing: "sse".into(),
            delivery: Delivery::Pass,
            memo: Vec::new(),
            dropped: Vec::new(),
            more: String::new(),
        })
    }

    #[test]
    fn the_same_call_has_the_same_answer_and_any_other_has_none() {
        let prepare_cache = PrepareCache::default();
        prepare_cache.keep(&call(), &HookBody::None, &request());
        assert!(prepare_cache.get(&call(), &HookBody::None).is_some());
        let changes: [fn(&mut Call); 12] = [
            |call| call.operation.push('x'),
            |call| call.dialect.push('x'),
            |call| call.model.push('x'),
            |call| call.streaming = false,
            |call| call.headers[0].value.push('x'),
            |call| call.query.push(Field { name: "a".into(), value: "b".into() }),
            |call| call.settings = r#"{"a":1}"#.into(),
            |call| call.account = None,
            |call| call.provider.push('x'),
            |call| call.model_info = r#"{"max_output":1}"#.into(),
            |call| call.attempt = 2,
            |call| call.more = "{}".into(),
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut other = call();
            change(&mut other);
            assert!(prepare_cache.get(&other, &HookBody::None).is_none(), "change {index}");
        }
        let blob = crate::contract::Blob { content_type: "a/b".into(), length: None };
        assert!(prepare_cache.get(&call(), &HookBody::Opaque { blob, pieces: Vec::new() }).is_none());
    }

    #[test]
    fn calls_that_differ_each_time_do_not_fill_the_memory() {
        let prepare_cache = PrepareCache::default();
        for number in 0..3 * MOST_REQUESTS {
            let mut call = call();
            call.headers[0].value = number.to_string();
            prepare_cache.keep(&call, &HookBody::None, &request());
        }
        assert!(prepare_cache.answers.read().unwrap().by_key.len() <= MOST_REQUESTS);
    }

    #[test]
    fn large_headers_do_not_fill_the_memory() {
        for (size, calls) in [(100 << 10, 512), (12 << 10, 2_000), (1 << 10, 5_000)] {
            let prepare_cache = PrepareCache::default();
            for number in 0..calls {
                let mut call = call();
                call.headers[0].value = format!("{number}{}", "x".repeat(size));
                prepare_cache.keep(&call, &HookBody::None, &request());
            }
            let answers = prepare_cache.answers.read().unwrap();
            let held: usize = answers.by_key.values().map(|(question, _)| question.call.headers[0].value.len()).sum();
            assert!(held <= MOST_BYTES && answers.bytes <= MOST_BYTES, "{held} bytes of headers of {size}");
            assert_eq!(held == 0, size > LARGEST_REQUEST);
        }
        // What a component describes is counted as well.
        let prepare_cache = PrepareCache::default();
        let large = Request { memo: vec![0; LARGEST_REQUEST], ..Arc::into_inner(request()).unwrap() };
        prepare_cache.keep(&call(), &HookBody::None, &Arc::new(large));
        assert!(prepare_cache.get(&call(), &HookBody::None).is_none());
    }
}
