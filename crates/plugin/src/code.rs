//! A component's code, linked: which hooks it exports, where, and in which version of the contract. `load` makes it; `hook` and
//! `rewriter` make instances.
//!
//! A provider without code is a description alone, and one with code exports what its description cannot say. The rest of the
//! gateway knows one form of each hook, the newest version's; what an older one has otherwise is made that here (`Requests`).

#[cfg(test)]
mod next;

use std::sync::Arc;

use wasmtime::component::{ComponentExportIndex, Instance, InstancePre};
use wasmtime::{Store, format_err};

use super::contract::{
    Answer, BodyArgument, Call, Failure, Names, Step, answers, failures, limits, provider, queries, requests, streams,
};
use super::instance::HookState;
use super::wasi::Moment;

/// The interface of each hook, as a component names it.
const PACKAGE: &str = "bitrouter:provider";

/// A component, ready to be instantiated.
#[derive(Clone)]
pub(super) struct Code {
    pub pre: InstancePre<HookState>,
    pub provider: Provider,
    pub requests: Option<Requests>,
    pub failures: Option<failures::GuestIndices>,
    pub queries: Option<queries::GuestIndices>,
    pub limits: Option<limits::GuestIndices>,
    pub answers: Option<answers::GuestIndices>,
    pub streams: Option<streams::GuestIndices>,
    /// Where it imports any WASI interface: the moment at which it was loaded.
    pub wasi: Option<Arc<Moment>>,
}

/// `describe`, in each version.
#[derive(Clone)]
pub(super) enum Provider {
    V0_1(provider::GuestIndices),
    #[cfg(test)]
    Next(next::provider::GuestIndices),
}

/// `prepare` and `resume`, in each version.
#[derive(Clone)]
pub(super) enum Requests {
    V0_1(requests::GuestIndices),
    #[cfg(test)]
    Next(next::requests::GuestIndices),
}

impl Code {
    /// Finds what it exports. An interface that is there must be whole.
    pub(super) fn new(pre: InstancePre<HookState>, names: &Names) -> wasmtime::Result<Self> {
        let wasi = names.wasi.then(|| Arc::new(Moment::now()));
        #[cfg(test)]
        if super::contract::minor(&names.version) == Some("0.2") {
            return next::code(pre, wasi);
        }
        let there = |name: &str| export(&pre, name, &names.version).is_some();
        Ok(Code {
            provider: Provider::V0_1(provider::GuestIndices::new(&pre)?),
            requests: there("requests").then(|| requests::GuestIndices::new(&pre).map(Requests::V0_1)).transpose()?,
            failures: there("failures").then(|| failures::GuestIndices::new(&pre)).transpose()?,
            queries: there("queries").then(|| queries::GuestIndices::new(&pre)).transpose()?,
            limits: there("limits").then(|| limits::GuestIndices::new(&pre)).transpose()?,
            answers: there("answers").then(|| answers::GuestIndices::new(&pre)).transpose()?,
            streams: there("streams").then(|| streams::GuestIndices::new(&pre)).transpose()?,
            pre,
            wasi,
        })
    }

    /// Checks that each interface that it exports is of the contract's types. That it is there says no such thing, and a call
    /// should not be the first to find out.
    pub(super) fn check_types(&self, store: &mut Store<HookState>, instance: &Instance) -> wasmtime::Result<()> {
        if let Some(requests) = &self.requests {
            fits("requests", requests.check_types(store, instance))?;
        }
        if let Some(failures) = &self.failures {
            fits("failures", failures.load(&mut *store, instance))?;
        }
        if let Some(queries) = &self.queries {
            fits("queries", queries.load(&mut *store, instance))?;
        }
        if let Some(limits) = &self.limits {
            fits("limits", limits.load(&mut *store, instance))?;
        }
        if let Some(answers) = &self.answers {
            fits("answers", answers.load(&mut *store, instance))?;
        }
        if let Some(streams) = &self.streams {
            fits("streams", streams.load(&mut *store, instance))?;
        }
        Ok(())
    }
}

impl Provider {
    pub(super) async fn describe(&self, store: &mut Store<HookState>, instance: &Instance) -> wasmtime::Result<String> {
        match self {
            Provider::V0_1(indices) => indices.load(&mut *store, instance)?.call_describe(store).await,
            #[cfg(test)]
            Provider::Next(indices) => indices.load(&mut *store, instance)?.call_describe(store).await,
        }
    }
}

impl Requests {
    fn check_types(&self, store: &mut Store<HookState>, instance: &Instance) -> wasmtime::Result<()> {
        match self {
            Requests::V0_1(indices) => indices.load(&mut *store, instance).map(drop),
            #[cfg(test)]
            Requests::Next(indices) => indices.load(&mut *store, instance).map(drop),
        }
    }

    pub(super) async fn prepare(
        &self,
        store: &mut Store<HookState>,
        instance: &Instance,
        call: &Call,
        body: &BodyArgument,
    ) -> wasmtime::Result<Result<Step, Failure>> {
        match self {
            Requests::V0_1(indices) => indices.load(&mut *store, instance)?.call_prepare(store, call, body).await,
            #[cfg(test)]
            Requests::Next(indices) => next::prepare(indices, store, instance, call, body).await,
        }
    }

    pub(super) async fn resume(
        &self,
        store: &mut Store<HookState>,
        instance: &Instance,
        call: &Call,
        body: &BodyArgument,
        memo: &[u8],
        answer: &Answer,
    ) -> wasmtime::Result<Result<Step, Failure>> {
        match self {
            Requests::V0_1(indices) => {
                indices.load(&mut *store, instance)?.call_resume(store, call, body, memo, answer).await
            }
            // This version asks nothing.
            #[cfg(test)]
            Requests::Next(_) => Ok(Ok(Step::Described)),
        }
    }
}

/// One error, and no chain: what is said of a hook is its root.
fn fits<T>(interface: &str, loaded: wasmtime::Result<T>) -> wasmtime::Result<()> {
    loaded.map(drop).map_err(|error| format_err!("its interface `{interface}` is not the contract's: {error:#}"))
}

fn export(pre: &InstancePre<HookState>, interface: &str, version: &str) -> Option<ComponentExportIndex> {
    pre.component().get_export_index(None, format!("{PACKAGE}/{interface}@{version}"))
}
