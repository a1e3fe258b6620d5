//! The hooks of a component: each is called in a fresh instance, within its budgets, and its answer is made what the pipeline takes.
//!
//! The pipeline calls the methods of `Plugin` in the order that `wit/0.1.0/provider.wit` documents. Nothing that a guest
//! does here outlives the call; after a trap the store is dropped with everything in it.

use std::borrow::Cow;
use std::sync::Arc;

use bitrouter_contract::FailureKind;
use bitrouter_contract::described::request::{UnfilledPath, filled};
use bitrouter_contract::described::{Page, Window};
use bitrouter_credential::Scrubber;
use bitrouter_document::Document;
use bytes::Bytes;
use wasmtime::Store;
use wasmtime::component::{Instance, Resource};

use super::Plugin;
use super::code::Code;
use super::contract::{
    Answer, Blob, BodyArgument, Call, Exchange, Failure, Field, Head, Reply, Request, Step, Trouble,
};
use super::engine::{Budget, Runtime};
use super::guest_log::GuestLog;
use super::instance::{FUEL, HookError, HookState, store, within};
use super::prepare_cache::{Trace, Walked};
use super::{cut, described};

/// What a call has for a body, on its way through the hooks.
#[derive(Default)]
pub enum HookBody {
    /// A JSON object; the hooks read and edit it.
    Json(Document),
    /// Bytes that no guest sees.
    Opaque {
        /// What guests are told of them.
        blob: Blob,
        /// All of them, one piece after the other.
        pieces: Vec<Bytes>,
    },
    /// None at all.
    #[default]
    None,
}

/// A hook that is to be run.
struct Running {
    name: &'static str,
    scrubber: Option<Arc<Scrubber>>,
    /// What it asks of the document, where its answer may be kept.
    trace: Trace,
}

impl Running {
    fn new(name: &'static str, scrubber: Option<Arc<Scrubber>>) -> Self {
        Running { name, scrubber, trace: Trace::default() }
    }
}

/// A step whose request may be shared with the memory of earlier answers.
pub enum Prepared {
    /// Send this.
    Send(Arc<Request>),
    /// Make this exchange, then resume.
    Ask(Box<Exchange>),
    /// Answer with this; nobody is asked.
    Reply(Box<Reply>),
}

impl HookBody {
    /// The JSON that it is.
    pub(super) fn document(&mut self) -> Option<&mut Document> {
        match self {
            HookBody::Json(document) => Some(document),
            HookBody::Opaque { .. } | HookBody::None => None,
        }
    }
}

/// What a side request brought.
#[derive(Debug)]
pub enum Read {
    /// JSON in the form of its kind, as a component wrote it.
    Json(String),
    /// A page of a list of models, read as described.
    Page(Page),
}

impl Plugin {
    /// Shapes a call. The body comes back as the hook left it. Without such a hook it takes no instance.
    pub async fn prepare(
        &self,
        call: &Call,
        body: HookBody,
        scrubber: Option<Arc<Scrubber>>,
    ) -> (Result<Result<Prepared, Failure>, HookError>, HookBody) {
        let mut body = body;
        let script = match self.prepare_cache.get(call, &mut body) {
            Walked::Request(request) => return (Ok(Ok(Prepared::Send(request))), body),
            Walked::Unknown(script) => script,
        };
        let (answer, body) = match self.exported(|code| code.requests.as_ref()) {
            None => (Ok((Ok(Step::Described), Trace::new(script))), body),
            // Boxed, so that a call which is cached does not carry the size of one that is not.
            Some((_, requests)) => {
                let hook = Running { trace: Trace::new(script), ..Running::new("prepare", scrubber) };
                Box::pin(self.with_body(hook, body, async |instance, store, body| {
                    let step = requests.prepare(store, instance, call, &body).await?;
                    Ok((step, store.data_mut().take_trace()))
                }))
                .await
            }
        };
        let answer = answer.and_then(|(step, trace)| {
            let prepared = self.prepared("prepare", step, call)?;
            if let Ok(Prepared::Send(request)) = &prepared {
                self.prepare_cache.keep(call, &body, trace, request);
            }
            Ok(prepared)
        });
        (answer, body)
    }

    /// Goes on after an `ask`.
    pub async fn resume(
        &self,
        call: &Call,
        body: HookBody,
        memo: &[u8],
        answer: &Answer,
        scrubber: Option<Arc<Scrubber>>,
    ) -> (Result<Result<Prepared, Failure>, HookError>, HookBody) {
        let Some((_, requests)) = self.exported(|code| code.requests.as_ref()) else {
            return (self.prepared("resume", Ok(Step::Described), call), body);
        };
        let (answer, body) = self
            .with_body(Running::new("resume", scrubber), body, async |instance, store, body| {
                requests.resume(store, instance, call, &body, memo, answer).await
            })
            .await;
        (answer.and_then(|step| self.prepared("resume", step, call)), body)
    }

    /// A step as the pipeline takes it: texts cut, and the holes of its path filled.
    fn prepared(
        &self,
        hook: &str,
        step: Result<Step, Failure>,
        call: &Call,
    ) -> Result<Result<Prepared, Failure>, HookError> {
        let prepared = match step {
            Err(failure) => return Ok(Err(cut::failure(failure))),
            Ok(Step::Send(mut request)) => fill(hook, &mut request, call)?.map(|()| {
                cut::request(&mut request);
                Prepared::Send(Arc::new(request))
            }),
            Ok(Step::Ask(mut exchange)) => {
                fill(hook, &mut exchange.request, call)?.map(|()| Prepared::Ask(Box::new(exchange)))
            }
            Ok(Step::Reply(reply)) => Ok(Prepared::Reply(Box::new(reply))),
            Ok(Step::Described) => {
                described::request(&self.description, call).map(|request| Prepared::Send(Arc::new(request)))
            }
        };
        Ok(prepared.map_err(cut::failure))
    }

    /// Whether whole answers can be edited: whoever asks for that must export it.
    pub fn shapes_answers(&self) -> bool {
        self.exported(|code| code.answers.as_ref()).is_some()
    }

    /// Edits a whole answer until it is in the call's dialect, or says that it is a failure.
    pub async fn shape(
        &self,
        call: &Call,
        memo: &[u8],
        head: &Head,
        document: Document,
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Result<Document, Failure>, HookError> {
        let Some((_, answers)) = self.exported(|code| code.answers.as_ref()) else {
            return Err(HookError::Contract("prepare: it asks for `rewrite`, and exports no `answers`".into()));
        };
        let size = document.body_len();
        let (answer, document) = self
            .run(Running::new("shape", scrubber), size, Some(document), async |instance, store| {
                let body = Resource::new_borrow(0);
                answers.load(&mut *store, instance)?.call_shape(store, call, memo, head, body).await
            })
            .await;
        Ok(match (answer?, document) {
            (Ok(()), Some(document)) => Ok(document),
            (Ok(()), None) => return Err(HookError::Contract("shape: it has no document".into())),
            (Err(failure), _) => Err(cut::failure(failure)),
        })
    }

    /// Says what a failure means.
    pub async fn explain(
        &self,
        trouble: &Trouble,
        memo: &[u8],
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Failure, HookError> {
        if let Some((_, failures)) = self.exported(|code| code.failures.as_ref()) {
            let size = match trouble {
                Trouble::Answer(answer) => answer.body.len(),
                Trouble::Event(event) => event.data.len() + event.binary.len(),
            };
            let said = self.observe(Running::new("explain", scrubber), size, async |instance, store| {
                failures.load(&mut *store, instance)?.call_explain(store, trouble, memo).await
            });
            if let Some(failure) = said.await? {
                return Ok(cut::failure(failure));
            }
        }
        Ok(described::explain(&self.description, trouble))
    }

    /// Reads the limits out of headers or an event.
    pub async fn quota(
        &self,
        headers: &[Field],
        event: Option<&str>,
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Vec<Window>, HookError> {
        if let Some((_, limits)) = self.exported(|code| code.limits.as_ref()) {
            let said =
                self.observe(Running::new("quota", scrubber), event.map_or(0, str::len), async |instance, store| {
                    limits.load(&mut *store, instance)?.call_quota(store, headers, event).await
                });
            if let Some(windows) = said.await? {
                return Ok(windows.into_iter().map(described::window).collect());
            }
        }
        Ok(described::quota(&self.description, headers))
    }

    /// Reads the answer of a side request. No client waits for it and the page may have megabytes, so it gets the budget
    /// of a load; and a page that a component cannot read says nothing about calls, so it is no strike towards quarantine.
    pub async fn interpret(
        &self,
        side: &str,
        page: &Answer,
        scrubber: Option<Arc<Scrubber>>,
    ) -> Result<Result<Read, Failure>, HookError> {
        if let Some((_, queries)) = self.exported(|code| code.queries.as_ref()) {
            let budget = off_the_path(self.runtime.budget());
            let (answer, _) = self
                .within_budget(Running::new("interpret", scrubber), budget, None, async |instance, store| {
                    queries.load(&mut *store, instance)?.call_interpret(store, side, page).await
                })
                .await;
            match answer? {
                Ok(Some(json)) => return Ok(Ok(Read::Json(json))),
                Ok(None) => {}
                Err(failure) => return Ok(Err(cut::failure(failure))),
            }
        }
        Ok(described::interpret(&self.description, side, page))
    }

    /// The code, and where a hook is in it, if it exports that one.
    fn exported<'p, T>(&'p self, hook: impl FnOnce(&'p Code) -> Option<&'p T>) -> Option<(&'p Code, &'p T)> {
        let code = self.code.as_ref()?;
        Some((code, hook(code)?))
    }

    /// Runs a hook that has no body, but so many bytes to read.
    async fn observe<T>(
        &self,
        running: Running,
        size: usize,
        hook: impl AsyncFnOnce(&Instance, &mut Store<HookState>) -> wasmtime::Result<T>,
    ) -> Result<T, HookError> {
        let (answer, _) = self.run(running, size, None, hook).await;
        answer
    }

    /// Runs a hook that gets the call's body.
    async fn with_body<T>(
        &self,
        running: Running,
        body: HookBody,
        hook: impl AsyncFnOnce(&Instance, &mut Store<HookState>, BodyArgument) -> wasmtime::Result<T>,
    ) -> (Result<T, HookError>, HookBody) {
        match body {
            HookBody::Json(document) => {
                let size = document.body_len();
                let (answer, document) = self
                    .run(running, size, Some(document), async |instance, store| {
                        hook(instance, store, BodyArgument::Json(Resource::new_borrow(0))).await
                    })
                    .await;
                (answer, document.map_or(HookBody::None, HookBody::Json))
            }
            HookBody::Opaque { blob, pieces } => {
                let argument = BodyArgument::Opaque(blob.clone());
                let run = async |instance: &_, store: &mut _| hook(instance, store, argument).await;
                let (answer, _) = self.run(running, 0, None, run).await;
                (answer, HookBody::Opaque { blob, pieces })
            }
            HookBody::None => {
                let run = async |instance: &_, store: &mut _| hook(instance, store, BodyArgument::None).await;
                let (answer, _) = self.run(running, 0, None, run).await;
                (answer, HookBody::None)
            }
        }
    }

    /// Runs a hook that has so many bytes to read, unless the component is quarantined.
    async fn run<T>(
        &self,
        running: Running,
        size: usize,
        document: Option<Document>,
        hook: impl AsyncFnOnce(&Instance, &mut Store<HookState>) -> wasmtime::Result<T>,
    ) -> (Result<T, HookError>, Option<Document>) {
        if let Err(quarantined) = self.quarantine.check() {
            return (Err(quarantined), document);
        }
        let budget = self.runtime.budget().with(size);
        let (answer, document) = self.within_budget(running, budget, document, hook).await;
        self.quarantine.record(&answer, size);
        (answer, document)
    }

    async fn within_budget<T>(
        &self,
        running: Running,
        budget: Budget,
        document: Option<Document>,
        hook: impl AsyncFnOnce(&Instance, &mut Store<HookState>) -> wasmtime::Result<T>,
    ) -> (Result<T, HookError>, Option<Document>) {
        let Running { name, scrubber, trace } = running;
        let Some(code) = &self.code else {
            return (Err(HookError::Contract(format!("{name}: it has no code"))), document);
        };
        let _slot = match self.slots.slot().await {
            Ok(slot) => slot,
            Err(busy) => return (Err(busy), document),
        };
        let body_size = document.as_ref().map_or(0, Document::body_len);
        let state = HookState::new(Arc::clone(&self.log), document, scrubber, budget, code.wasi.as_deref(), trace);
        let mut store = store(&self.runtime, state, FUEL + 2 * body_size);
        let answer = within(&self.runtime, name, &mut store, async |store: &mut Store<HookState>| {
            let instance = code.pre.instantiate_async(&mut *store).await?;
            hook(&instance, store).await
        })
        .await;
        let mut state = store.into_data();
        self.used(state.memory);
        let answer = match (answer, state.body_error.take()) {
            // The guest may have trapped over it or answered regardless: two parsers would disagree on such a body.
            (_, Some(error)) => Err(HookError::Body(error)),
            (answer, None) => answer,
        };
        (answer, state.document)
    }
}

/// Fills the holes of a request's path.
fn fill(hook: &str, request: &mut Request, call: &Call) -> Result<Result<(), Failure>, HookError> {
    let value = |name: &str| Some(request.values.iter().find(|field| field.name == name)?.value.as_str());
    match filled(&request.path, &call.model, value) {
        Ok(Cow::Borrowed(_)) => Ok(Ok(())),
        Ok(Cow::Owned(path)) => {
            request.path = path;
            Ok(Ok(()))
        }
        // Another provider may know a model of this name.
        Err(error @ UnfilledPath::Model(_)) => {
            let kind = FailureKind::ModelNotFound;
            Ok(Err(described::failure(kind, kind.scope(), error.to_string())))
        }
        Err(error) => Err(HookError::Contract(format!("{hook}: {error}"))),
    }
}

/// The budget of what no client waits for: an interpreter that is slow to start, or a page of megabytes.
fn off_the_path(budget: Budget) -> Budget {
    Budget { cpu: budget.cpu * 10, ..budget }
}

/// Asks a component for its description, before there is a `Plugin`. Loading is off the request path and happens once.
pub(super) async fn describe(runtime: &Runtime, code: &Code) -> Result<String, HookError> {
    let budget = off_the_path(runtime.budget());
    let log = GuestLog::new("(loading)");
    let state = HookState::new(log, None, None, budget, code.wasi.as_deref(), Trace::default());
    let mut store = store(runtime, state, FUEL);
    within(runtime, "describe", &mut store, async |store: &mut Store<HookState>| {
        let instance = code.pre.instantiate_async(&mut *store).await?;
        code.check_types(store, &instance)?;
        code.provider.describe(store, &instance).await
    })
    .await
}
